//! `report`: what evidence and snapshots show of a period, for a client, an auditor, an insurer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::base::time::Timestamp;
use engine::index::marks;
use restore_verify::evidence::record::Hash32;
use restore_verify::evidence::shelf::millis;
use restore_verify::report::compose::{Cover, Kind, report};
use restore_verify::report::draw::draw;
use restore_verify::report::facts::Facts;
use restore_verify::report::model::{Period, Report};
use restore_verify::report::plan::{Plan, Promise};
use restore_verify::report::work::{Price, Scope, Work, runs};
use restore_verify::report::{calendar, html, json, pdf, table};

use crate::args::moment::Moment;
use crate::args::report::{Format, MakeArgs, ReportArgs, ReportCommand, SampleArgs, ScopeArgs};
use crate::command::context::Context;
use crate::command::open::{Opened, open, progress};
use crate::command::place::{PrivateFile, absolute};
use crate::command::trouble;
use crate::config::secret::read_bounded;
use crate::fault::{ExitCode, Fault};
use crate::ui::output::printable;
use crate::ui::report::{DrawnRun, ReportFile, ReportWritten, RunSample};
use crate::units;

/// How many systems are named as those that there are.
const SHOWN_MAX: usize = 8;
/// The schema of JSON reports.
const SCHEMA: &str = include_str!("../../../docs/report.schema.json");

/// Makes a report, or draws runs.
///
/// # Errors
/// Exit code 20 if something is wrong with the evidence; the report is written and says so.
pub fn run(args: &ReportArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    match &args.command {
        ReportCommand::Recoverability(args) => make(Kind::Recoverability, args, context),
        ReportCommand::Compliance(args) => make(Kind::Compliance, args, context),
        ReportCommand::Sla(args) => make(Kind::Sla, args, context),
        ReportCommand::Qbr(args) => make(Kind::Qbr, args, context),
        ReportCommand::Insurer(args) => make(Kind::Insurer, args, context),
        ReportCommand::Sample(args) => sample(args, context),
        ReportCommand::Schema => {
            context.ui.stdout().bytes(SCHEMA.as_bytes());
            Ok(ExitCode::Ok)
        }
    }
}

fn make(kind: Kind, args: &MakeArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let default = Promise {
        tier: None,
        rpo_ms: args.rpo.map(as_millis),
        rto_ms: args.rto.map(as_millis),
        every_ms: args.scope.every.map(as_millis),
    };
    let price = args.price.map(|gib_month| Price { gib_month, currency: args.currency.clone() });
    let scope = scope(&args.scope, kind.days(), default, price, context)?;
    let opened = open(context)?;
    let client = args.client.clone().unwrap_or_else(|| {
        format!("Repository {}", &opened.repo.config().repository.to_string()[..8])
    });
    let mut formats = args.format.clone();
    formats.sort_unstable();
    formats.dedup();
    let facts = facts(&opened, context)?;
    let work = Work::new(&facts, &scope);
    about_something(&work)?;
    let targets = targets(kind, &client, &scope, &formats, args.out.as_deref(), context)?;
    let cover = Cover {
        client,
        host: context.around.host.clone(),
        made_ms: millis(context.around.clock.now()),
    };
    let made = report(kind, &work, &cover).map_err(Fault::local)?;
    let mut files = Vec::new();
    for (format, target) in formats.iter().zip(targets) {
        let bytes = render(*format, &made, &work)?;
        match target {
            None => context.ui.stdout().bytes(&bytes),
            Some(file) => {
                let hash = Hash32::of(&bytes).to_string();
                let path = file.keep(&bytes)?.display().to_string();
                let format = format.extension();
                files.push(ReportFile { path, format, bytes: bytes.len() as u64, blake3: hash });
            }
        }
    }
    tell(&made, files, context)?;
    judge(&facts)
}

fn render(format: Format, report: &Report, work: &Work<'_>) -> Result<Vec<u8>, Fault> {
    let failed = |why: String| Fault::local(format!("cannot write the report: {why}"));
    match format {
        Format::Html => Ok(html::write(report)),
        Format::Pdf => pdf::write(report).map_err(|error| failed(error.to_string())),
        Format::Json => json::write(report, &work.runs).map_err(|error| failed(error.to_string())),
        Format::Csv => table::population(&work.runs).map_err(|error| failed(error.to_string())),
    }
}

/// A page about nobody, or about a time of which nothing is known, would look like good news.
fn about_something(work: &Work<'_>) -> Result<(), Fault> {
    let known: Vec<&str> = work.systems.iter().map(|system| system.name.as_str()).collect();
    let unknown = work.scope.hosts.iter().find(|host| !known.contains(&host.as_str()));
    let day = |at_ms| calendar::day(at_ms);
    let period = format!("{} to {}", day(work.period().from_ms), day(work.period().to_ms - 1));
    if let Some(host) = unknown {
        let message = format!("nothing is known of the system {host:?} from {period}");
        let others = work.facts.systems();
        let names: Vec<&str> = others.iter().take(SHOWN_MAX).copied().collect();
        return Err(Fault::usage(message).hint(
            match (names.is_empty(), others.len() > SHOWN_MAX) {
                (true, _) => "the repository holds no snapshot and no drill".to_owned(),
                (false, false) => format!("there are: {}", names.join(", ")),
                (false, true) => format!("there are: {} and others", names.join(", ")),
            },
        ));
    }
    if !known.is_empty() {
        return Ok(());
    }
    let message = format!("nothing is known of any system from {period}");
    Err(Fault::usage(message).hint(match work.facts.points.first() {
        Some(first) => format!("the first snapshot is of {}", day(first.started_ms)),
        None => "the repository holds no snapshot; --systems FILE states what there should be"
            .to_owned(),
    }))
}

/// Where each format goes; `None` is standard output. Files are made before anything is written.
fn targets(
    kind: Kind,
    client: &str,
    scope: &Scope,
    formats: &[Format],
    out: Option<&Path>,
    context: &Context<'_>,
) -> Result<Vec<Option<PrivateFile>>, Fault> {
    if out == Some(Path::new("-")) {
        return match formats {
            [_] if !context.ui.is_json() => Ok(vec![None]),
            [_] => Err(Fault::usage("--out - and --json both write to standard output")),
            _ => Err(Fault::usage("only one format fits on standard output")
                .hint("choose one with --format, or a file with --out")),
        };
    }
    let name = || {
        let bare: String =
            client.chars().map(|it| if it.is_alphanumeric() { it } else { '-' }).collect();
        let last = calendar::day(scope.period.to_ms - 1);
        PathBuf::from(format!("{}-{}-{last}", bare.to_lowercase(), kind.name()))
    };
    let base = absolute(&out.map_or_else(name, Path::to_owned), context.around)?;
    let path = |format: &Format| match (formats, base.extension()) {
        ([only], Some(given)) if given == only.extension() => base.clone(),
        _ => {
            let mut name = base.clone().into_os_string();
            name.push(format!(".{}", format.extension()));
            PathBuf::from(name)
        }
    };
    formats.iter().map(|it| PrivateFile::create(path(it), "the report").map(Some)).collect()
}

/// Reads everything that a report is computed from.
fn facts(opened: &Opened, context: &Context<'_>) -> Result<Facts, Fault> {
    let monitor = progress(context);
    let catalog = opened.look(&monitor)?;
    let marks = marks::read(&opened.repo, &opened.index).map_err(|error| trouble::index(&error))?;
    Ok(Facts::read(&opened.repo, &opened.state, &catalog, &marks)?)
}

fn scope(
    args: &ScopeArgs,
    days: u64,
    default: Promise,
    price: Option<Price>,
    context: &Context<'_>,
) -> Result<Scope, Fault> {
    let now = context.around.clock.now();
    let resolve = |moment: &Moment| moment.resolve(now, &context.around.time_zone);
    let asked_ms = after(args.to.as_ref().map_or(now, resolve));
    // Of what is to come nothing can be said; that the last day is not over is no surprise.
    let to_ms = asked_ms.min(after(now));
    if asked_ms - to_ms > calendar::DAY_MS as i64 {
        context.ui.note("the period ends now: what is to come is in no report");
    }
    let from_ms = match &args.from {
        Some(moment) => millis(resolve(moment)),
        None => to_ms - (days * calendar::DAY_MS) as i64,
    };
    if from_ms >= to_ms {
        let message = match asked_ms > to_ms {
            true => "the period has not begun",
            false => "the period ends before it begins",
        };
        return Err(Fault::usage(message).hint("--from is its first day, --to its last"));
    }
    let mut plan = Plan { default, ..Plan::default() };
    if let Some(path) = &args.systems {
        let path = context.around.absolute(path);
        let failed = |error: std::io::Error| {
            Fault::usage(format!("cannot read {}", path.display())).because(&error)
        };
        let bytes = read_bounded(std::fs::File::open(&path).map_err(failed)?).map_err(failed)?;
        let span = |text: &str| {
            units::parse_duration(text).map(as_millis).map_err(|error| error.to_string())
        };
        plan.read(&String::from_utf8_lossy(&bytes), &span).map_err(|why| {
            Fault::usage(format!("{} states no systems: {why}", path.display()))
                .hint("write [[system]] with host, and if you like tier, rpo, rto, every")
        })?;
    }
    Ok(Scope { period: Period { from_ms, to_ms }, hosts: args.host.clone(), plan, price })
}

/// The millisecond after a moment that lies within one; a whole one ends there.
fn after(time: Timestamp) -> i64 {
    millis(time) + i64::from(!time.nanos.is_multiple_of(1_000_000))
}

fn as_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn sample(args: &SampleArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let default = Promise { every_ms: args.scope.every.map(as_millis), ..Promise::default() };
    let scope = scope(&args.scope, Kind::Compliance.days(), default, None, context)?;
    let opened = open(context)?;
    let file = match &args.out {
        Some(path) => Some(PrivateFile::create(absolute(path, context.around)?, "the sample")?),
        None => None,
    };
    let facts = facts(&opened, context)?;
    about_something(&Work::new(&facts, &scope))?;
    let population = runs(&facts, &scope);
    let drawn = draw(&population, args.n, &args.seed);
    if context.ui.is_json() {
        let run = |it: &restore_verify::report::draw::Drawn<'_>| DrawnRun {
            rank: it.rank.clone(),
            run: it.run.clone(),
        };
        let sample = RunSample {
            from: calendar::rfc3339(scope.period.from_ms),
            to: calendar::rfc3339(scope.period.to_ms),
            seed: args.seed.clone(),
            population: population.len() as u64,
            drawn: drawn.iter().map(run).collect(),
        };
        context.ui.document(&sample).map_err(|error| Fault::local(error.to_string()))?;
        if file.is_none() {
            return judge(&facts);
        }
    }
    let bytes = table::sample(&drawn).map_err(|error| Fault::local(error.to_string()))?;
    match file {
        Some(file) => {
            let path = file.keep(&bytes)?;
            let text = format!(
                "wrote {}: {} of {}",
                path.display(),
                units::count(drawn.len() as u64),
                units::counted(population.len() as u64, "run")
            );
            if !context.ui.is_quiet() && !context.ui.is_json() {
                context.ui.result(&text);
            }
        }
        None => context.ui.stdout().bytes(&bytes),
    }
    judge(&facts)
}

fn tell(report: &Report, files: Vec<ReportFile>, context: &Context<'_>) -> Result<(), Fault> {
    if context.ui.is_json() {
        let written = ReportWritten {
            kind: report.kind,
            headline: report.headline.clone(),
            from: calendar::rfc3339(report.period.from_ms),
            to: calendar::rfc3339(report.period.to_ms),
            systems: report.systems.len() as u64,
            evidence_good: report.signature.chains_good,
            files,
        };
        return context.ui.document(&written).map_err(|error| Fault::local(error.to_string()));
    }
    if context.ui.is_quiet() || files.is_empty() {
        return Ok(());
    }
    context.ui.result(&printable(&report.headline));
    for file in files {
        context.ui.result(&printable(&format!("wrote {}", file.path)));
    }
    Ok(())
}

fn judge(facts: &Facts) -> Result<ExitCode, Fault> {
    match facts.flaws.len() {
        0 => Ok(ExitCode::Ok),
        count => {
            let things = if count == 1 { "1 thing is" } else { "some things are" };
            Err(Fault::new(
                ExitCode::Damage,
                "E_EVIDENCE",
                format!("{things} wrong with the evidence that this is from"),
            )
            .hint("`mainstay evidence verify` names it; do not hand this report over"))
        }
    }
}
