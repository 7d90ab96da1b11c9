//! Options of watching: `watch`, `ticket`, `alert`.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::args::{epilogue, values};
use crate::fault::ExitCode;
use crate::units::parse_duration;

/// Look at the stores of all clients, and tell people what is wrong
///
/// Takes --config FILE, or a folder with one file for each client. What is wrong follows from the store
/// alone, so that a client that is dead is told too. Each condition has one ticket; the first look that
/// does not find it any more resolves it. What is due goes to the channels of [[alert]]; what a channel
/// does not take comes again. Open tickets do not change the exit code: it is 0 when all was looked at and
/// everything that is due was delivered or waits for its next attempt.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay watch --once --config /etc/mainstay/clients\n\
     mainstay watch --every 10m --config /etc/mainstay/clients",
    &[ExitCode::Busy],
))]
pub struct WatchArgs {
    /// Look once and end: for cron
    #[arg(long, conflicts_with = "every")]
    pub once: bool,

    /// How long lies between two looks
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = pause)]
    pub every: Duration,

    /// Only this client
    #[arg(long, value_name = "NAME", value_parser = values::words)]
    pub client: Option<String>,
}

fn pause(text: &str) -> Result<Duration, String> {
    match parse_duration(text).map_err(|error| error.to_string())? {
        pause if pause.is_zero() => Err("must be longer than 0".to_owned()),
        pause => Ok(pause),
    }
}

/// List tickets, acknowledge one, or show what happened to it
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct TicketArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TicketCommand,
}

/// What can be done with tickets.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum TicketCommand {
    /// List open tickets, the most urgent first
    #[command(after_long_help = epilogue::plain(
        "mainstay ticket list --config /etc/mainstay/clients\n\
         mainstay ticket list --all --json",
    ))]
    List(TicketListArgs),
    /// Say that somebody looks after a ticket: it is not repeated any more
    ///
    /// If it becomes more urgent than it was, it is open again.
    #[command(after_long_help = epilogue::plain(
        "mainstay ticket ack mainstay/acme/srv1/rpo --note 'machine is in repair'",
    ))]
    Ack(TicketAckArgs),
    /// Show a ticket with its history
    #[command(after_long_help = epilogue::plain(
        "mainstay ticket show mainstay/acme/srv1/rpo",
    ))]
    Show(TicketShowArgs),
}

/// Options of `ticket list`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TicketListArgs {
    /// Also those that are resolved
    #[arg(long, conflicts_with = "unacknowledged")]
    pub all: bool,

    /// Only those that nobody looks after yet
    #[arg(long)]
    pub unacknowledged: bool,

    /// Only this client
    #[arg(long, value_name = "NAME", value_parser = values::words)]
    pub client: Option<String>,
}

/// Options of `ticket ack`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TicketAckArgs {
    /// The ticket, as `ticket list` shows it
    #[arg(value_name = "KEY")]
    pub key: String,

    /// What is done about it
    #[arg(long, value_name = "TEXT", value_parser = values::words)]
    pub note: String,
}

/// Options of `ticket show`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TicketShowArgs {
    /// The ticket, as `ticket list` shows it
    #[arg(value_name = "KEY")]
    pub key: String,
}

/// Try channels, show what they were told, or tell it once more
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct AlertArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AlertCommand,
}

/// What can be done with channels.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum AlertCommand {
    /// Send a ticket that is opened and resolved to channels, marked as a test
    #[command(after_long_help = epilogue::plain(
        "mainstay alert test --config /etc/mainstay/clients/acme.toml\n\
         mainstay alert test --channel webhook",
    ))]
    Test(AlertTestArgs),
    /// Show what channels were told, and what waits
    #[command(after_long_help = epilogue::plain(
        "mainstay alert log --config /etc/mainstay/clients",
    ))]
    Log(AlertLogArgs),
    /// Tell once more what was given up or waits, or one event; and ask disabled channels again
    #[command(after_long_help = epilogue::plain(
        "mainstay alert replay --channel webhook\n\
         mainstay alert replay --id msg_0123456789abcdef",
    ))]
    Replay(AlertReplayArgs),
    /// Say whether each channel can be used, and what receivers need to check its signatures
    #[command(after_long_help = epilogue::plain(
        "mainstay alert setup --config /etc/mainstay/clients/acme.toml",
    ))]
    Setup(AlertSetupArgs),
}

/// Options of `alert test`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct AlertTestArgs {
    /// Only this channel
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
}

/// Options of `alert log`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct AlertLogArgs {
    /// How many deliveries of each client
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub count: u32,
}

/// Options of `alert replay`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct AlertReplayArgs {
    /// One event, as `alert log` shows it; everything that is not delivered otherwise
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,

    /// Only this channel
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
}

/// Options of `alert setup`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct AlertSetupArgs {
    /// Only this channel
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
}
