//! The help of the program as a whole: its commands in groups, and apart from them the options that
//! every command takes, which would fill a screen of each.

use std::fmt::Write;

use clap::{Arg, Args, Command};

use crate::args::global::{GLOBAL_HEADING, GlobalArgs};

/// Commands in the order of use.
pub const GROUPS: [(&str, &[&str]); 9] = [
    ("Back up", &["init", "backup"]),
    (
        "Look",
        &["snapshots", "ls", "find", "cat", "history", "diff", "timeline", "problems", "stats"],
    ),
    ("Restore", &["restore", "recover", "dump", "mount", "database"]),
    ("Keep", &["forget", "undelete", "hold", "tag", "policy", "prune"]),
    ("Prove", &["check", "drill", "evidence", "report"]),
    ("By itself", &["agent", "run", "schedule", "status", "outcomes", "config"]),
    ("Watch", &["watch", "ticket", "alert"]),
    ("Fleet", &["machine", "key", "approve", "offboard"]),
    (
        "Administer",
        &[
            "doctor",
            "probe",
            "unblock",
            "index",
            "cache",
            "benchmark",
            "demo",
            "completions",
            "man",
            "version",
            "help",
        ],
    ),
];

/// Where the options are that are left out of the help of a command.
const ELSEWHERE: &str =
    "Options of every command (repository, keys, output …): `mainstay help options`";

/// What is said of the command that clap makes itself.
const ABOUT_HELP: &str = "Print the help of a command";

/// Groups the commands in the help of the program, and leaves the options of every command out of all
/// help texts but that of `options`. Pages of the manual and completions have them as before.
#[must_use]
pub fn arrange(command: Command) -> Command {
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{ELSEWHERE}\n\
         Exit codes and variables of the environment: `mainstay --help`{{after-help}}",
        groups(&command),
    );
    let hidden = command.mut_args(|arg| if is_global(&arg) { hide(arg) } else { arg });
    let pointing = hidden.mut_subcommands(point_to_options);
    let told = pointing.mut_subcommand("options", |one| one.override_help(options()));
    told.help_template(template)
}

/// The options of every command, as text.
#[must_use]
pub fn options() -> String {
    let bare = Command::new("mainstay").disable_help_flag(true).max_term_width(100);
    let mut command = GlobalArgs::augment_args(bare).help_template("{all-args}\n");
    command.render_long_help().to_string()
}

fn is_global(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(GLOBAL_HEADING)
}

fn hide(arg: Arg) -> Arg {
    arg.hide_short_help(true).hide_long_help(true)
}

fn point_to_options(command: Command) -> Command {
    let long = command.get_after_long_help().map(ToString::to_string);
    let pointing = command.after_help(ELSEWHERE);
    let told = match long {
        Some(long) => pointing.after_long_help(format!("{ELSEWHERE}\n\n{long}")),
        None => pointing,
    };
    told.mut_subcommands(point_to_options)
}

/// The commands, a group after the other.
fn groups(command: &Command) -> String {
    let mut text = String::new();
    let longest = GROUPS.iter().flat_map(|(_, names)| names.iter()).map(|name| name.len()).max();
    let width = longest.unwrap_or_default();
    for (heading, names) in GROUPS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{heading}:");
        for name in names {
            let found = command.find_subcommand(name);
            let about = found.and_then(Command::get_about).map(ToString::to_string);
            let about = about.unwrap_or_else(|| ABOUT_HELP.to_owned());
            let aliases = found.into_iter().flat_map(Command::get_visible_aliases);
            let aliases: String = aliases.map(|alias| format!(" [alias: {alias}]")).collect();
            let _ = writeln!(text, "  {name:width$}  {about}{aliases}");
        }
        text.push('\n');
    }
    text
}
