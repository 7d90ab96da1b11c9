//! `prune`: frees what no snapshot needs.

use std::time::Duration;

use engine::base::time::Timestamp;
use engine::gc::{self, GcOptions, GcReport, MaxUnused};
use engine::index::identity::writer_identity;
use engine::index::outcomes;
use restore_verify::evidence::event::Event;

use crate::args::collect::{Abandoned, PruneArgs};
use crate::command::context::Context;
use crate::command::open::{Opened, open, progress};
use crate::command::trouble;
use crate::command::witness::{act, witness};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::records::PruneSummary;
use crate::units;

/// Records of runs are kept one by one for so long.
const RUNS_KEPT_S: i64 = 35 * 86_400;

/// Deletes what no snapshot needs.
///
/// # Errors
/// Exit code 23 if too much would be deleted, or the store shows less than it did; 20 if something
/// that a snapshot needs cannot be read. Nothing was deleted then.
pub fn run(args: &PruneArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    carry_out(args, &open(context)?, context)
}

/// Gives up the reserve of a repository on a full disk, so that records can be written by which
/// space is freed; answers whether it had to be.
pub fn make_room(opened: &Opened, context: &Context<'_>) -> bool {
    let Some(bytes) = opened.repo.store().spend_reserve() else { return false };
    let bytes = units::size(bytes);
    context.ui.note(&format!("the disk is full: its reserve of {bytes} is used to free space"));
    true
}

/// The same in a repository that is open.
///
/// # Errors
/// As [`run`].
pub fn carry_out(
    args: &PruneArgs,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<ExitCode, Fault> {
    opened.require_names()?;
    let _lock = opened.lock()?;
    let mut options = options(args, context.around.host.clone());
    if !args.dry_run && make_room(opened, context) {
        // Rewritten packs would need room before theirs is free.
        options.max_unused = MaxUnused::Unlimited;
        if !options.grace.is_zero() {
            context.ui.note("what is announced today is freed by --grace 0s, not only tomorrow");
        }
    }
    let monitor = progress(context);
    let report = gc::run(&opened.repo, &opened.index, &options, &monitor);
    drop(monitor);
    if !args.dry_run {
        opened.repo.store().keep_reserve();
    }
    let report = report.map_err(|error| trouble::collecting(&error))?;
    if context.ui.is_json() {
        context.ui.message(&Message::PruneSummary(summary(&report, args.dry_run)));
    } else if !context.ui.is_quiet() {
        tell(&report, args, context);
    }
    if !args.dry_run {
        let numbers = [
            ("packs", report.packs),
            ("pack-bytes", report.pack_bytes),
            ("snapshots", report.snapshots),
            ("announced-packs", report.announced_packs),
            ("announced-bytes", report.announced_bytes),
            ("deleted-packs", report.deleted_packs),
            ("deleted-bytes", report.deleted_bytes),
            ("repacked-packs", report.repack.packs),
            ("refused-packs", report.refused_deletes),
        ];
        let generation = report.generation.map(|id| id.to_string()).unwrap_or_default();
        let now = context.around.clock.now();
        let done = act("store", "collected", &numbers, &generation, now);
        witness(opened, &Event::Collection(done), context);
        fold_runs(opened, context);
    }
    if report.refused_deletes > 0 {
        let packs = units::counted(report.refused_deletes, "pack");
        let message = format!("the store refused to delete {packs}");
        let hint = "they are kept by a lock or a permission; a later run tries them again";
        return Err(Fault::new(ExitCode::Store, "E_DENIED", message).hint(hint));
    }
    Ok(ExitCode::Ok)
}

/// Records of runs become one, so that there are never many of them. It frees nothing that anybody
/// waits for, so that it can as well be done the next time.
fn fold_runs(opened: &Opened, context: &Context<'_>) {
    let (repo, index, now) = (&opened.repo, &opened.index, context.around.clock.now());
    let before = Timestamp { seconds: now.seconds.saturating_sub(RUNS_KEPT_S), ..now };
    let folded = writer_identity(repo, index, &context.around.host)
        .and_then(|identity| outcomes::fold(repo, index, &identity, before));
    match folded {
        Ok(0) => {}
        Ok(count) => {
            let runs = units::counted(count, "run record");
            context.ui.detail(0, &format!("folded: {runs}, older than 35 days"));
        }
        Err(error) => {
            let why = engine::base::error::in_one_line(&error);
            context.ui.note(&format!("old records of runs stay as they are: {why}"));
        }
    }
}

fn options(args: &PruneArgs, host: String) -> GcOptions {
    let mut options = GcOptions {
        dry_run: args.dry_run,
        grace: args.grace,
        confirm_mass_delete: args.confirm_mass_delete,
        max_unused: args.max_unused,
        max_repack_bytes: args.max_repack_size,
        max_duration: args.max_duration,
        host,
        ..GcOptions::default()
    };
    for abandoned in &args.abandon {
        match abandoned {
            Abandoned::Session(session) => options.abandon_sessions.push(*session),
            Abandoned::Generation(generation) => options.abandon_generations.push(*generation),
        }
    }
    options
}

fn summary(report: &GcReport, dry_run: bool) -> PruneSummary {
    PruneSummary {
        dry_run,
        packs_total: report.packs,
        bytes_total: report.pack_bytes,
        snapshots_kept: report.snapshots,
        packs_unneeded: report.unneeded_packs,
        bytes_unneeded: report.unneeded_bytes,
        bytes_unused: report.unused_bytes,
        packs_announced: report.announced_packs,
        packs_waiting: report.waiting_packs,
        packs_rescued: report.rescued_packs,
        packs_deleted: report.deleted_packs,
        bytes_deleted: report.deleted_bytes,
        packs_refused: report.refused_deletes,
        packs_repacked: report.repack.packs,
        bytes_repacked: report.repack.bytes,
        bytes_written: report.repack.written_bytes,
        packs_unreadable: report.repack.unreadable_packs,
        leftovers_removed: report.leftovers.count,
        bytes_of_leftovers: report.leftovers.bytes,
        sessions_given_up: report.fenced_sessions,
        generation: report.generation.map(|id| id.to_string()),
        void: report.is_void,
        requests_to_come: report.requests_to_come,
        requests: report.requests,
        total_duration: report.duration_ms as f64 / 1000.0,
    }
}

fn tell(report: &GcReport, args: &PruneArgs, context: &Context<'_>) {
    let line = |name: &str, text: String| context.ui.result(&format!("{name:<12}{text}"));
    let packs = |count: u64, bytes: u64| {
        format!("{}, {}", units::counted(count, "pack"), units::size(bytes))
    };
    line("stored", packs(report.packs, report.pack_bytes));
    line("unneeded", packs(report.unneeded_packs, report.unneeded_bytes));
    let unused = units::size(report.unused_bytes);
    line("unused", format!("{unused} in packs that are needed in part"));
    if args.dry_run {
        line("repack", packs(report.repack.packs, report.repack.bytes));
        line("requests", format!("about {} more", units::count(report.requests_to_come)));
        context.ui.result("nothing was changed: this was a dry run");
        return;
    }
    if report.repack.packs > 0 {
        let written = units::size(report.repack.written_bytes);
        let read = packs(report.repack.packs, report.repack.bytes);
        line("repacked", format!("{read} into {written}"));
    }
    if report.repack.unreadable_packs > 0 {
        let packs = units::counted(report.repack.unreadable_packs, "pack");
        context.ui.note(&format!("not rewritten, because this key cannot read content: {packs}"));
    }
    if report.is_void {
        context.ui.note("somebody closed this collection, so it deleted nothing; run it again");
    }
    line("deleted", packs(report.deleted_packs, report.deleted_bytes));
    if report.leftovers.count > 0 {
        let files = units::counted(report.leftovers.count, "half-written file");
        let size = units::size(report.leftovers.bytes);
        line("removed", format!("{files} of killed runs, {size}"));
    }
    if report.announced_packs > 0 {
        let announced = packs(report.announced_packs, report.announced_bytes);
        let grace = units::duration(args.grace);
        let them = if report.announced_packs == 1 { "it" } else { "them" };
        line("announced", format!("{announced}; a run after {grace} deletes {them}"));
    }
    if report.waiting_packs > 0 {
        line(
            "waiting",
            format!("{} announced earlier", units::counted(report.waiting_packs, "pack")),
        );
    }
    if report.fenced_sessions > 0 {
        let count = units::count(report.fenced_sessions);
        context.ui.note(&format!("{count} silent sessions were given up"));
    }
    let time = units::duration(Duration::from_millis(report.duration_ms));
    line("took", format!("{time}, {}", units::counted(report.requests, "request")));
}
