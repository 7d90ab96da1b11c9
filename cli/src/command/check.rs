//! `check`: is everything there, and is it what was written.

use std::time::Duration;

use engine::base::error::in_one_line;
use engine::base::monitor::Monitor;
use engine::base::path::escape;
use engine::check::{self, CheckOptions, CheckReport, Damage, ReadData};
use engine::crypt::random;
use engine::store::error::ARCHIVED;
use engine::store::name::prefix;
use restore_verify::drill::memory::Memory;
use restore_verify::evidence::shelf::millis;

use crate::args::repository::CheckArgs;
use crate::args::values::Subset;
use crate::command::context::Context;
use crate::command::open::{Opened, open, progress};
use crate::command::rotate;
use crate::command::trouble;
use crate::command::witness::{checked, find_retest};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::{CheckSummary, Damaged, Message};
use crate::ui::output::printable;
use crate::units;

/// Checks the repository.
///
/// # Errors
/// Exit code 20 if something is damaged or missing.
pub fn run(args: &CheckArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    if let Some(days) = args.turn.rotate {
        return rotate::run(&args.turn, days, &opened, context);
    }
    opened.require_names()?;
    let monitor = progress(context);
    let read_data = read_data(args, &opened, &monitor)?;
    if read_data != ReadData::None {
        opened.require_content()?;
    }
    let options = CheckOptions { read_data, threads: 0 };
    let retest = find_retest(&opened, args.retest.as_deref(), args.ticket.clone())?;
    let report = check::run(&opened.repo, &opened.index, &options, &monitor);
    drop(monitor);
    let report = report.map_err(|error| trouble::check(&error))?;
    if context.ui.is_json() {
        context.ui.message(&Message::CheckSummary(summary(&report)));
    } else {
        tell(&report, context);
    }
    let still_open = checked(&opened, &report, read_data, &retest, context);
    remember(&opened, &report, context);
    if report.is_sound() && still_open.is_empty() {
        return Ok(ExitCode::Ok);
    }
    if report.is_sound() {
        let message =
            format!("no damage was found, and that closes nothing: {}", still_open.join("; "));
        return Err(Fault::new(ExitCode::DrillFailed, "E_STILL_OPEN", message)
            .hint("a finding is closed by the test that failed, or a harder one"));
    }
    let paths: u64 = report.damage.values().map(|damage| damage.path_count).sum();
    let paths = match paths {
        1 => "1 path".to_owned(),
        _ => format!("{} paths", units::count(paths)),
    };
    let message = match report.damage.len() {
        1 => format!("1 object is damaged or missing; it hurts {paths}"),
        count => format!("{count} objects are damaged or missing; they hurt {paths}"),
    };
    let is_archived = |damage: &&Damage| damage.findings.iter().any(|it| it.contains(ARCHIVED));
    let archived = report.damage.values().filter(is_archived).count();
    if archived > 0 {
        let objects = units::counted(archived as u64, "object");
        let message = format!("{message}; of these, archived: {objects}");
        return Err(Fault::new(ExitCode::Damage, "E_UNREADABLE", message).hint(
            "bring the objects that are listed back from the archive with the tools of the store, \
             then check again",
        ));
    }
    let hint = "get the objects back from a copy of the store; otherwise move them away, then \
                `mainstay index rebuild` and back up again: what the source still has is stored anew";
    Err(Fault::new(ExitCode::Damage, "E_CORRUPT", message).hint(hint))
}

/// For the rotation, packs that were read now have had their turn, and damaged ones never had it.
fn remember(opened: &Opened, report: &CheckReport, context: &Context<'_>) {
    if report.packs_read == 0 && report.is_sound() {
        return;
    }
    let now_ms = millis(context.around.clock.now());
    let kept = Memory::open(&opened.state).and_then(|memory| {
        memory.add_pack_turns(&report.authenticated, report.damage.keys(), now_ms)
    });
    if let Err(error) = kept {
        let why = in_one_line(&error);
        context.ui.note(&format!("`check --rotate` will read these packs again: {why}"));
    }
}

fn read_data(args: &CheckArgs, opened: &Opened, monitor: &dyn Monitor) -> Result<ReadData, Fault> {
    let random = |bytes| ReadData::Bytes { bytes, seed: u64::from_le_bytes(random::array()) };
    Ok(match args.read_data_subset {
        None if args.read_data => ReadData::All,
        None => ReadData::None,
        Some(Subset::Part { part, parts }) => ReadData::Part { part, of: parts },
        Some(Subset::Bytes(bytes)) => random(bytes),
        Some(Subset::Percent(percent)) => {
            opened.refresh(monitor)?;
            let mut total_bytes = 0u64;
            opened.index.reader()?.for_each_pack(&mut |_, stored_bytes| {
                total_bytes += u64::from(stored_bytes);
                true
            })?;
            // At least one byte, so that at least one pack is read.
            random(((total_bytes as f64 * percent / 100.0) as u64).max(1))
        }
    })
}

fn summary(report: &CheckReport) -> CheckSummary {
    let is_pack = |key: &&String| key.starts_with(prefix::DATA) || key.starts_with(prefix::TREE);
    let damage = report.damage.iter().map(|(key, damage)| Damaged {
        key: key.clone(),
        findings: damage.findings.clone(),
        paths: damage.paths.clone(),
        path_count: damage.path_count,
    });
    CheckSummary {
        num_errors: report.damage.len() as u64,
        broken_packs: report.damage.keys().filter(is_pack).cloned().collect(),
        suggest_repair_index: report.damage.keys().any(|key| key.starts_with(prefix::INDEX)),
        suggest_prune: report.unlisted_packs > 0,
        snapshots_checked: report.snapshots,
        packs_checked: report.packs,
        bytes_read: report.bytes_read,
        damage: damage.collect(),
        foreign_keys: report.foreign_keys.clone(),
        stray_slots: report.stray_slots.iter().map(|(key, _)| key.clone()).collect(),
    }
}

fn tell(report: &CheckReport, context: &Context<'_>) {
    for (key, damage) in &report.damage {
        context.ui.result(&format!("damaged: {}", escape(key.as_bytes())));
        for finding in &damage.findings {
            context.ui.result(&format!("  {}", printable(finding)));
        }
        for path in &damage.paths {
            context.ui.result(&format!("  hurts {}", printable(path)));
        }
        let more = damage.path_count.saturating_sub(damage.paths.len() as u64);
        if more > 0 {
            context.ui.result(&format!("  and {}", units::counted(more, "more path")));
        }
    }
    for key in &report.foreign_keys {
        context.ui.note(&format!("the store holds {key}, which is no part of this repository"));
    }
    for (key, why) in &report.stray_slots {
        let id = key.trim_start_matches(prefix::SLOTS);
        context.ui.note(&format!(
            "the store holds the key slot {id}, which does not count: {why}; `mainstay key remove {id}` \
             deletes it"
        ));
    }
    if report.unlisted_packs > 0 {
        let packs = units::counted(report.unlisted_packs, "pack");
        let verb = if report.unlisted_packs == 1 { "belongs" } else { "belong" };
        context.ui.note(&format!("{packs} {verb} to no snapshot yet: left by cut-off runs"));
    }
    if !report.is_sound() || context.ui.is_quiet() {
        return;
    }
    let time = units::duration(Duration::from_millis(report.duration_ms));
    context.ui.result(&format!("no damage found in {time}"));
    let line = |name: &str, text: String| context.ui.result(&format!("  {name:<11}{text}"));
    line("snapshots", units::count(report.snapshots));
    let bytes = units::size(report.pack_bytes);
    line("packs", format!("{} ({bytes}), all there", units::count(report.packs)));
    let nodes = units::counted(report.nodes, "tree node");
    let references = units::counted(report.chunk_references, "reference");
    line("structure", format!("{nodes}, {references} to chunks"));
    match report.packs_read {
        0 => line("content", "not read; --read-data reads and authenticates every byte".to_owned()),
        packs => line(
            "content",
            format!(
                "{} ({}, {}) read and authenticated",
                units::counted(packs, "pack"),
                units::size(report.bytes_read),
                units::percent(report.bytes_read, report.pack_bytes)
            ),
        ),
    }
}
