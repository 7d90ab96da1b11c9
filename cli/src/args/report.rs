//! Options of `report`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;

use crate::args::epilogue;
use crate::args::moment::{Moment, MomentError};
use crate::args::values::ValueError;
use crate::units;

/// A form that a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Format {
    /// One file for a browser, that loads nothing
    Html,
    /// Pages
    Pdf,
    /// Everything for programs; docs/report.schema.json describes it
    Json,
    /// All runs of the period, one row for each
    Csv,
}

impl Format {
    /// The end of a file's name.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

/// What evidence and snapshots show of a period, as a report
///
/// Every figure is computed from signed records and confirmed snapshots and names the ids that it
/// is from; what evidence does not hold is "not recorded". Nothing is typed in except what --systems,
/// --rpo, --rto, --every and --price state, and the report says so.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay report recoverability --client 'Acme' --from 2026-10-01 --to 2026-10-31\n\
     mainstay report compliance --client 'Acme' --systems acme.toml --format html,pdf,json,csv\n\
     mainstay report qbr --client 'Acme' --price 0.02 --currency EUR\n\
     mainstay report sample --from 2026-07-01 --to 2026-09-30 --n 25 --seed 2026-Q3",
    &[],
))]
pub struct ReportArgs {
    /// Which report.
    #[command(subcommand)]
    pub command: ReportCommand,
}

/// The reports.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum ReportCommand {
    /// Can everything be restored? Coverage, backups, verification, drills, findings
    #[command(after_long_help = epilogue::with_repository(
        "mainstay report recoverability --client 'Acme' --from 2026-10-01 --to 2026-10-31",
        &[],
    ))]
    Recoverability(MakeArgs),
    /// Everything, with the controls of HIPAA, PCI DSS, ISO 27001, SOC 2, NIST, GDPR, CIS, DORA
    #[command(after_long_help = epilogue::with_repository(
        "mainstay report compliance --client 'Acme' --systems acme.toml --format html,pdf,json,csv",
        &[],
    ))]
    Compliance(MakeArgs),
    /// Were the objectives kept? Recovery points and times against what was promised
    #[command(after_long_help = epilogue::with_repository(
        "mainstay report sla --client 'Acme' --rpo 26h --rto 4h --every 1d",
        &[],
    ))]
    Sla(MakeArgs),
    /// A business review: months beside each other, growth, forecast, cost
    #[command(after_long_help = epilogue::with_repository(
        "mainstay report qbr --client 'Acme' --price 0.02 --currency EUR",
        &[],
    ))]
    Qbr(MakeArgs),
    /// What an insurer asks about backups, with the answers that evidence gives
    #[command(after_long_help = epilogue::with_repository(
        "mainstay report insurer --client 'Acme' --systems acme.toml --format pdf",
        &[],
    ))]
    Insurer(MakeArgs),
    /// Draw runs for an auditor, so that anybody draws the same again
    ///
    /// All runs of the period are ranked by SHA-256 of the seed, a line feed and the id of the run;
    /// those with the lowest ranks are drawn. Let the auditor choose the seed.
    #[command(after_long_help = epilogue::with_repository(
        "mainstay report sample --from 2026-07-01 --to 2026-09-30 --n 25 --seed 2026-Q3\n\
         mainstay report sample --n 25 --seed 4711 --systems acme.toml --out draw.csv",
        &[],
    ))]
    Sample(SampleArgs),
    /// Print the JSON schema of reports
    #[command(after_long_help = epilogue::plain("mainstay report schema >report.schema.json"))]
    Schema,
}

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ScopeArgs {
    /// Only these systems (may be repeated)
    #[arg(short = 'H', long, value_name = "HOST")]
    pub host: Vec<String>,

    /// First day or moment: 2026-07-01, "2026-07-01 06:00", 90d (ago)
    #[arg(long, value_name = "WHEN", value_parser = begin)]
    pub from: Option<Moment>,

    /// Last day, or moment at which it ends; the default is now
    #[arg(long, value_name = "WHEN")]
    pub to: Option<Moment>,

    /// File that states which systems there should be: [[system]] with host, tier, rpo, rto, every
    #[arg(long, value_name = "FILE")]
    pub systems: Option<PathBuf>,

    /// How often each system is backed up, if the file does not say: without it a run that left no
    /// snapshot cannot be told
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub every: Option<Duration>,
}

/// Options of a report.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct MakeArgs {
    /// Whose data, as it stands on the first page; the default is the repository
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,

    /// What it is about.
    #[command(flatten)]
    pub scope: ScopeArgs,

    /// Recovery point objective of systems for which the file states none
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub rpo: Option<Duration>,

    /// Recovery time objective of systems for which the file states none
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub rto: Option<Duration>,

    /// Price of one GiB for a month, to compute what storage costs
    #[arg(long, value_name = "MONEY", value_parser = money)]
    pub price: Option<f64>,

    /// Its currency
    #[arg(long, value_name = "WORD", default_value = "USD", requires = "price")]
    pub currency: String,

    /// What to write
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "FORMAT[,FORMAT…]",
        default_value = "html"
    )]
    pub format: Vec<Format>,

    /// The file to write, or with several formats its name without the ending; `-` is standard
    /// output. No file is overwritten
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `report sample`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct SampleArgs {
    /// How many runs
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub n: usize,

    /// The seed: any words
    #[arg(long, value_name = "SEED")]
    pub seed: String,

    /// What it is drawn from.
    #[command(flatten)]
    pub scope: ScopeArgs,

    /// The file to write, as CSV; the default is standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// A day begins with its first moment.
fn begin(text: &str) -> Result<Moment, MomentError> {
    match text.parse::<Date>() {
        Ok(date) if !text.contains(':') => Ok(Moment::Local(date.at(0, 0, 0, 0))),
        _ => text.parse(),
    }
}

fn duration(text: &str) -> Result<Duration, ValueError> {
    Ok(units::parse_duration(text)?)
}

fn money(text: &str) -> Result<f64, ValueError> {
    let amount: Option<f64> = text.parse().ok();
    amount
        .filter(|amount| amount.is_finite() && *amount >= 0.0)
        .ok_or_else(|| ValueError::new("write an amount such as 0.02"))
}
