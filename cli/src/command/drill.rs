//! `drill`: restores from the store, looks at what came back, and signs what was found.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::monitor::Monitor;
use engine::blob::fetch::ChunkFetcher;
use engine::format::snapshot::Snapshot;
use engine::index::catalog::Catalog;
use engine::restore::RestoreError;
use engine::tree::cursor::find;
use restore_verify::drill::findings::Found;
use restore_verify::drill::options::{Place, SAMPLE_FILES, Stated};
use restore_verify::drill::reveal::drill_at;
use restore_verify::drill::{self, DrillOptions, DrillReport, absent};
use restore_verify::evidence::closing::COMMAND;
use restore_verify::evidence::confinement::{Confinement, Reach};
use restore_verify::evidence::drill_event::{Drill, DrillBegun, DrillKind, Objective, Outcome};
use restore_verify::evidence::record::Reference;
use restore_verify::evidence::shelf::{Author, Shelf};
use restore_verify::objective::level;
use restore_verify::sample::confidence;
use restore_verify::sandbox::command::CommandLimits;
use restore_verify::sandbox::spawn::Budget;
use zeroize::Zeroizing;

use crate::args::proof::{DrillArgs, Kind};
use crate::command::context::Context;
use crate::command::open::{Opened, open, progress};
use crate::command::place::absolute;
use crate::command::problems;
use crate::command::select::{Choice, short_id};
use crate::command::trouble;
use crate::command::witness::{actor, find_record, prover, stamp_if_due};
use crate::config::secret::{check_private, read_bounded};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::output::printable;
use crate::ui::proof::{DrillFinding, DrillSummary, ProbeConfinement};
use crate::units;

/// What stands before and after the words of a kit.
const KIT_HEAD: &str = "Recovery words:";
const KIT_END: &str = "How to restore";

/// Drills.
///
/// # Errors
/// Exit code 21 if the drill failed or proved nothing, 22 if it passed and an objective is
/// breached.
pub fn run(args: &DrillArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_content()?;
    let _lock = opened.lock()?;
    let identity = prover(&opened, context)?;
    let actor = args.actor.clone().unwrap_or_else(|| actor(context));
    let monitor = progress(context);
    opened.refresh(&monitor)?;
    let catalog = opened.catalog()?;
    let place = Place {
        repo: &opened.repo,
        index: &opened.index,
        state: &opened.state,
        author: Author { identity: &identity, actor: &actor, host: &context.around.host },
        monitor: &monitor as &dyn Monitor,
    };
    let retest = Retested::find(&opened, args)?;
    let options = options(args, (&opened, retest.as_ref()), context)?;
    let report = carry_out(args, retest.as_ref(), context, &place, &catalog, &options)?;
    drop(monitor);
    stamp_if_due(&opened, &identity, context);
    tell(&report, context);
    verdict(&report)
}

/// The drill whose finding is tested again.
struct Retested {
    finding: Reference,
    drill: Option<(Drill, DrillBegun)>,
}

impl Retested {
    fn find(opened: &Opened, args: &DrillArgs) -> Result<Option<Self>, Fault> {
        let Some(finding) = find_record(opened, args.retest.as_deref())? else { return Ok(None) };
        let shelf = Shelf::open(&opened.repo, &opened.state)?;
        let drill = shelf.find(&finding.to_string()).and_then(|one| drill_at(&shelf, one)).ok();
        Ok(Some(Self { finding, drill }))
    }

    fn begun(&self) -> Option<&DrillBegun> {
        self.drill.as_ref().map(|(_, begun)| begun)
    }
}

fn carry_out(
    args: &DrillArgs,
    retest: Option<&Retested>,
    context: &Context<'_>,
    place: &Place<'_>,
    catalog: &Catalog,
    options: &DrillOptions,
) -> Result<DrillReport, Fault> {
    let mut filter = args.filter.clone();
    let tested = retest.and_then(|it| it.drill.as_ref()).map(|(drill, _)| drill);
    // A finding is of one system: `latest` of another one would say nothing of it.
    if let Some(drill) = tested.filter(|_| filter.host.is_empty()) {
        let mut all = catalog.snapshots.iter().chain(&catalog.forgotten);
        match all.find(|one| *one.snapshot.session.as_bytes() == drill.snapshot) {
            Some(one) => {
                filter.host.push(one.snapshot.host.clone());
                filter.client = filter.client.or_else(|| Some(one.line.to_string()));
            }
            None if drill.system.is_empty() => {}
            None => filter.host.push(drill.system.clone()),
        }
    }
    let choice = Choice::new(catalog, &filter, context);
    // That there is nothing to drill is a result like any other, and must not go unrecorded.
    if catalog.snapshots.is_empty() {
        let system = filter.host.first().map_or("", String::as_str);
        return Ok(absent::record(place, catalog, system, options)?);
    }
    let committed = choice.one(&args.source.snapshot)?;
    require_paths(place, &committed.snapshot, options)?;
    let report = drill::run(place, catalog, committed, options)?;
    // A drill proves what the snapshot has; what it never had nobody should take for proved.
    if let Some(headline) = problems::headline(&committed.snapshot) {
        context.ui.note(&format!("{headline}, and a drill proves only what is in it"));
    }
    Ok(report)
}

/// A path that the snapshot does not have is a mistake on the command line, and proves nothing.
fn require_paths(
    place: &Place<'_>,
    snapshot: &Snapshot,
    options: &DrillOptions,
) -> Result<(), Fault> {
    let is_by_path = options.kind == DrillKind::Paths;
    for path in options.paths.iter().filter(|path| is_by_path && !path.is_root()) {
        let fetcher = ChunkFetcher::new(place.repo, place.index, NODE_CACHE_BYTES)?;
        // What damage hides is for the drill to find.
        if let Ok(None) = find(&fetcher, snapshot.root, path) {
            let path = path.to_string();
            return Err(trouble::restore(&RestoreError::NoSuchPath { path }));
        }
    }
    Ok(())
}

fn options(
    args: &DrillArgs,
    (opened, retest): (&Opened, Option<&Retested>),
    context: &Context<'_>,
) -> Result<DrillOptions, Fault> {
    let begun = retest.and_then(Retested::begun);
    let kind = match args.kind {
        Some(Kind::Sample) => DrillKind::Sample,
        Some(Kind::Paths) => DrillKind::Paths,
        Some(Kind::Full) => DrillKind::Full,
        Some(Kind::IndexLoss) => DrillKind::IndexLoss,
        Some(Kind::Kit) => DrillKind::Kit,
        None => begun.map_or(DrillKind::Sample, |begun| begun.kind),
    };
    let wanted = begun.map(|begun| begun.wanted).filter(|wanted| *wanted > 0);
    if kind == DrillKind::Paths && args.source.path.is_none() {
        return Err(Fault::usage("--kind paths needs a path")
            .hint("for example: mainstay drill --kind paths latest:/etc"));
    }
    let scratch = match &args.scratch {
        Some(path) => absolute(path, context.around)?,
        // Nobody else can put anything there.
        None => opened.state.join("drills"),
    };
    let command = command(args, kind, context)?;
    let millis = |time: Duration| time.as_millis() as u64;
    Ok(DrillOptions {
        sample_files: args.files.or(wanted).unwrap_or(SAMPLE_FILES),
        paths: args.source.path.iter().cloned().collect(),
        quota_bytes: args.quota,
        discard: args.discard,
        skip_probes: args.skip_probe.clone(),
        command,
        command_limits: CommandLimits {
            time_ms: millis(args.command_time),
            memory_bytes: args.command_memory,
            ..CommandLimits::default()
        },
        budget: Budget {
            program: context.around.program.clone(),
            time_ms: millis(args.probe_time),
            memory_bytes: args.probe_memory,
            network: args.probe_network,
            readable: args.probe_read.iter().map(|path| context.around.absolute(path)).collect(),
            ..Budget::default()
        },
        rpo_target_ms: args.rpo.map(millis),
        rto_target_ms: args.rto.map(millis),
        estimate: !args.no_estimate,
        words: words(args, context)?,
        retest_of: retest.map(|retest| retest.finding),
        ticket: args.ticket.clone(),
        expected: Stated { files: args.expect_files, bytes: args.expect_bytes },
        ..DrillOptions::new(kind, scratch)
    })
}

/// The user's own test. One that would not run is refused: silence about it would be a pass.
fn command(
    args: &DrillArgs,
    kind: DrillKind,
    context: &Context<'_>,
) -> Result<Vec<OsString>, Fault> {
    let Some(text) = &args.command else { return Ok(Vec::new()) };
    if !matches!(kind, DrillKind::Full | DrillKind::Paths) {
        return Err(Fault::usage(format!(
            "--command tests a folder as it was, and the kind {} restores none",
            kind.name()
        ))
        .hint("add --kind full, or --kind paths with a path"));
    }
    if args.skip_probe.iter().any(|probe| probe == COMMAND) {
        return Err(Fault::usage("--command and --skip-probe command exclude each other"));
    }
    let mut words: Vec<OsString> = shlex::split(text)
        .ok_or_else(|| Fault::usage("the quotes in --command do not match"))?
        .into_iter()
        .map(OsString::from)
        .collect();
    let Some(program) = words.first_mut() else {
        return Err(Fault::usage("--command names no command"));
    };
    // Never a program that lies in what was restored: the path is one of this machine.
    if program.as_encoded_bytes().contains(&b'/') {
        *program = absolute(Path::new(&program), context.around)?.into_os_string();
    }
    Ok(words)
}

/// The words of a kit as `init` writes it, or of a file that holds nothing else.
fn words(args: &DrillArgs, context: &Context<'_>) -> Result<Option<Zeroizing<String>>, Fault> {
    let Some(path) = &args.kit else { return Ok(None) };
    let path = context.around.absolute(path);
    check_private(&path)?;
    let failed = |error: std::io::Error| {
        Fault::local(format!("cannot read {}", path.display())).because(&error)
    };
    let bytes = read_bounded(std::fs::File::open(&path).map_err(failed)?).map_err(failed)?;
    let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    let (_, after) = text.split_once(KIT_HEAD).unwrap_or(("", &text));
    let (section, _) = after.split_once(KIT_END).unwrap_or((after, ""));
    let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words: Vec<&str> = section.split_whitespace().filter(is_word).collect();
    Ok(Some(Zeroizing::new(words.join(" "))))
}

fn tell(report: &DrillReport, context: &Context<'_>) {
    let drill = &report.drill;
    if context.ui.is_json() {
        return context.ui.message(&Message::DrillSummary(Box::new(summary(report))));
    }
    for found in &report.findings {
        let place = match (&found.path, &found.finding.object) {
            (Some(path), _) => path.to_string(),
            (None, Some(object)) => object.clone(),
            (None, None) => String::new(),
        };
        let word = if found.finding.is_doubt { "not proved" } else { "failed" };
        let line = format!("{word}: {place}: {}: {}", found.finding.probe, found.finding.why);
        context.ui.result(&printable(&line));
    }
    if context.ui.is_quiet() {
        return;
    }
    let line = |name: &str, text: String| context.ui.result(&format!("  {name:<11}{text}"));
    let time = |ms: u64| units::duration(Duration::from_millis(ms));
    context.ui.result(&format!("{} drill: {}", drill.kind.name(), drill.outcome.name()));
    let what = format!("{}, {}", units::counted(drill.files, "file"), units::size(drill.bytes));
    let done = if drill.outcome == Outcome::Passed { "restored" } else { "looked at" };
    line(done, format!("{what} in {}", time(drill.restore_ms)));
    line("evidence", format!("{}, level L{}", report.record, drill.level));
    line("proved", level::meaning(drill.level).to_owned());
    if !drill.lacks.is_empty() {
        line("next level", drill.lacks.clone());
    }
    if drill.kind == DrillKind::Sample && drill.outcome == Outcome::Passed {
        line("shows", confidence::statement(drill.files, 0));
    }
    if drill.rpo_ms != u64::MAX {
        line("rpo", format!("the snapshot is {} old", time(drill.rpo_ms)));
    }
    if let Some(estimate) = drill.estimate {
        let (low, high) = (time(estimate.low_ms), time(estimate.high_ms));
        line(
            "rto",
            format!("a full restore takes about {} ({low} to {high})", time(estimate.likely_ms)),
        );
    }
    if let Some(confinement) = &drill.confinement {
        line("probes", walls(confinement));
    }
    if let Some(ticket) = &report.ticket {
        line("ticket", printable(ticket));
    }
    for why in &report.still_open {
        line("still open", printable(why));
    }
}

fn walls(confinement: &Confinement) -> String {
    let gaps = confinement.gaps();
    let network = match confinement.reach {
        Reach::Asked => ", with the network, as asked",
        _ => "",
    };
    match gaps.is_empty() {
        true => format!("ran confined{network}"),
        false => format!("ran confined in part{network}: {}", gaps.join("; ")),
    }
}

fn summary(report: &DrillReport) -> DrillSummary {
    let drill = &report.drill;
    let finding = |found: &restore_verify::drill::findings::Found| DrillFinding {
        probe: found.finding.probe.clone(),
        path: found.path.as_ref().map(ToString::to_string),
        path_hash: found.finding.file.map(|hash| hash.to_string()),
        object: found.finding.object.clone(),
        not_proved: found.finding.is_doubt,
        why: found.finding.why.clone(),
    };
    let session = engine::base::id::SessionId::new(drill.snapshot);
    let seconds = |ms: u64| ms as f64 / 1000.0;
    DrillSummary {
        kind: drill.kind.name(),
        outcome: drill.outcome.name(),
        level: drill.level,
        lacks: drill.lacks.clone(),
        evidence: report.record.to_string(),
        snapshot_id: session.to_snapshot_hex(),
        short_id: short_id(session),
        hostname: drill.system.clone(),
        files_restored: drill.files,
        bytes_restored: drill.bytes,
        restore_seconds: seconds(drill.restore_ms),
        total_files: drill.total_files,
        total_bytes: drill.total_bytes,
        rpo_seconds: (drill.rpo_ms != u64::MAX).then(|| seconds(drill.rpo_ms)),
        estimated_seconds: drill.estimate.map(|one| seconds(one.likely_ms)),
        estimated_low_seconds: drill.estimate.map(|one| seconds(one.low_ms)),
        estimated_high_seconds: drill.estimate.map(|one| seconds(one.high_ms)),
        objective_breached: report.is_breached,
        requests: drill.requests,
        items_not_saved: drill.not_saved,
        findings_count: drill.finding_count,
        findings: report.findings.iter().map(finding).collect(),
        probe_confinement: drill.confinement.as_ref().map(|confinement| ProbeConfinement {
            landlock: confinement.landlock,
            network: confinement.reach.name(),
            processes_apart: confinement.processes_apart,
            memory_limited: confinement.limited,
            gaps: confinement.gaps(),
        }),
        ticket: report.ticket.clone(),
        still_open: report.still_open.clone(),
    }
}

fn verdict(report: &DrillReport) -> Result<ExitCode, Fault> {
    let count = report.drill.finding_count;
    let at = report.record;
    match report.outcome() {
        Outcome::Failed => {
            let findings = units::counted(count, "finding");
            let message = format!("the drill failed with {findings}; evidence {at}");
            Err(Fault::new(ExitCode::DrillFailed, "E_DRILL_FAILED", message).hint(format!(
                "`mainstay check --read-data` shows all damage; after the fix `mainstay drill \
                 --retest {at}` closes the finding"
            )))
        }
        Outcome::NotProved => {
            let reasons = units::counted(count, "reason");
            let message = format!("the drill proved nothing, for {reasons}; evidence {at}");
            let is_expected = |found: &Found| found.finding.probe == "expectation";
            let hint = match report.findings.iter().any(is_expected) {
                true => {
                    "if the snapshot holds all that it should by now, repeat the drill and state \
                     it: --expect-files N --expect-bytes SIZE"
                }
                false => "remove what was in the way and repeat the drill",
            };
            Err(Fault::new(ExitCode::DrillFailed, "E_NOT_PROVED", message).hint(hint))
        }
        Outcome::Passed if !report.still_open.is_empty() => {
            let why = report.still_open.join("; ");
            let message = format!("the drill passed and closes nothing: {why}; evidence {at}");
            Err(Fault::new(ExitCode::DrillFailed, "E_STILL_OPEN", message)
                .hint("a finding is closed by the test that failed, or a harder one"))
        }
        Outcome::Passed if report.is_breached => {
            let names: Vec<&str> =
                report.drill.breaches().into_iter().map(Objective::name).collect();
            let message =
                format!("the {} is beyond its objective; evidence {at}", names.join(" and the "));
            Err(Fault::new(ExitCode::Breached, "E_OBJECTIVE", message).hint(
                "back up more often, or restore from a faster place; the finding closes with the \
                 first drill that meets the objective",
            ))
        }
        Outcome::Passed => Ok(ExitCode::Ok),
    }
}
