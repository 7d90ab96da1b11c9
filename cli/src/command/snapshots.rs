//! `snapshots`: what there is to restore.

use std::collections::HashMap;

use data_encoding::BASE64;
use engine::base::id::SessionId;
use engine::format::snapshot::{PathBytes, RootState, Snapshot};
use engine::index::belief::Doubt;
use engine::index::catalog::{self, Catalog, Committed};
use engine::index::marks::Marks;
use engine::retain::candidate::GroupBy;

use crate::args::look::SnapshotsArgs;
use crate::command::clock;
use crate::command::context::Context;
use crate::command::listing::Listing;
use crate::command::lost;
use crate::command::made::{Made, WrongClock};
use crate::command::open::open;
use crate::command::problems;
use crate::command::select::{BACK_FROM_FORGOTTEN, Choice, all_forgotten, short_id};
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::ui::records::{ForgottenRecord, JsonPath, SnapshotRecord, SnapshotSummary};
use crate::units;

/// Lists the snapshots.
///
/// # Errors
/// Exit code 20 if the record of one cannot be read; the others are listed all the same.
pub fn run(args: &SnapshotsArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let (mut catalog, marks) =
        catalog::marked(&opened.repo, &opened.index).map_err(|error| trouble::index(&error))?;
    if args.all {
        let forgotten = std::mem::take(&mut catalog.forgotten);
        catalog.snapshots.extend(forgotten);
    }
    clock::tell(&args.filter, &opened, &catalog, context);
    let choice = Choice::new(&catalog, &args.filter, context);
    let mut chosen = choice.several(&args.snapshots)?;
    let made = choice.made();
    chosen.sort_by_key(|one| made.place(&one.snapshot));
    if let Some(latest) = args.latest {
        keep_latest(&mut chosen, latest as usize, made);
    }
    if context.ui.is_json() {
        let record = |one: &&Committed| SnapshotRecord {
            problems: problems::records(&one.snapshot),
            roots: problems::root_records(&one.snapshot),
            made: units::rfc3339(made.at(&one.snapshot)),
            wrong_clock: made.wrong_clock(one).map(WrongClock::name),
            doubt: one.doubt.map(Doubt::name),
            line: Some(one.line.to_string()),
            ..record_with(&one.snapshot, &catalog, &marks)
        };
        let records: Vec<_> = chosen.iter().map(record).collect();
        context.ui.document(&records).map_err(|error| Fault::local("no JSON").because(&error))?;
    } else {
        let listing = Listing { made, marks: &marks, claims: &catalog.claims, context };
        show(args, &chosen, !catalog.snapshots.is_empty(), &listing);
        if catalog.snapshots.is_empty() && !catalog.forgotten.is_empty() {
            context.ui.note(&format!(
                "{}; {BACK_FROM_FORGOTTEN}",
                all_forgotten(catalog.forgotten.len())
            ));
        }
        for Committed { snapshot, .. } in chosen.iter().filter(|_| context.ui.is_verbose()) {
            lacks(snapshot, context);
        }
    }
    for session in &catalog.unconfirmed {
        let id = short_id(*session);
        context.ui.detail(1, &format!("{id} is not confirmed: its backup runs, or was cut off"));
    }
    lost::tell(&catalog.missing, context);
    let holds = report_damaged_holds(&marks, context);
    report_damaged(&catalog, context).and(holds)
}

/// Says which holds cannot be read: a snapshot may be held though the list does not say so.
fn report_damaged_holds(marks: &Marks, context: &Context<'_>) -> Result<ExitCode, Fault> {
    for (hold, error) in &marks.damaged {
        let why = engine::base::error::in_one_line(error);
        context.ui.problem("reading the hold", hold.to_string().as_bytes(), &why);
    }
    match marks.damaged.first() {
        None => Ok(ExitCode::Ok),
        Some(_) => {
            let message = "nobody knows which snapshots are held, because a hold cannot be read";
            Err(Fault::new(ExitCode::Damage, "E_CORRUPT", message)
                .hint("try again; `mainstay hold release` puts a damaged hold out of the way"))
        }
    }
}

/// Says which records cannot be read; the exit code is 20 then.
///
/// # Errors
/// If there is one.
pub fn report_damaged(catalog: &Catalog, context: &Context<'_>) -> Result<ExitCode, Fault> {
    for (session, error) in &catalog.damaged {
        let item = format!("snapshot {}", session.to_snapshot_hex());
        let why = engine::base::error::in_one_line(error);
        context.ui.problem("reading its record", item.as_bytes(), &why);
    }
    match catalog.damaged.len() {
        0 => Ok(ExitCode::Ok),
        count => {
            let message = match count {
                1 => "the record of 1 snapshot cannot be used".to_owned(),
                more => format!("the records of {more} snapshots cannot be used"),
            };
            Err(Fault::new(ExitCode::Damage, "E_CORRUPT", message)
                .hint("`mainstay check` shows everything that is affected"))
        }
    }
}

/// Lists them; `is_filtered` if there are others that do not meet the conditions.
fn show(args: &SnapshotsArgs, chosen: &[&Committed], is_filtered: bool, listing: &Listing<'_>) {
    let ui = listing.context.ui;
    match (chosen.is_empty(), args.compact) {
        (true, _) => {}
        (false, true) => listing.show_compact(chosen),
        (false, false) => listing.show(chosen, args.group_by.unwrap_or(GroupBy::USUAL)),
    }
    match chosen.len() as u64 {
        0 if is_filtered => ui.note("no snapshot meets the conditions"),
        0 => ui.note("no snapshots"),
        count => ui.note(&units::counted(count, "snapshot")),
    }
}

/// Keeps the newest `count` of each client, host and set of paths; `chosen` is oldest first. One that
/// cannot be the latest takes no other's place.
fn keep_latest(chosen: &mut Vec<&Committed>, count: usize, made: &Made) {
    let mut seen: HashMap<_, usize> = HashMap::new();
    let mut kept: Vec<&Committed> = Vec::new();
    for one in chosen.iter().rev() {
        if !made.may_be_latest(one) || one.doubt.is_some() {
            kept.push(one);
            continue;
        }
        let seen = seen.entry((one.line, &one.snapshot.host, &one.snapshot.paths)).or_default();
        *seen += 1;
        if *seen <= count {
            kept.push(one);
        }
    }
    kept.reverse();
    *chosen = kept;
}

/// The paths that were asked for, as they are in the tree.
fn paths_in_tree(snapshot: &Snapshot) -> Box<dyn Iterator<Item = &PathBytes> + '_> {
    if snapshot.roots.is_empty() {
        return Box::new(snapshot.paths.iter());
    }
    let there = snapshot.roots.iter().filter(|root| root.state != RootState::Missing);
    Box::new(there.map(|root| root.led_to.as_ref().unwrap_or(&root.asked)))
}

/// Says what a snapshot lacks and which paths were asked for elsewhere.
fn lacks(snapshot: &Snapshot, context: &Context<'_>) {
    let lines = problems::lines(snapshot);
    if lines.is_empty() {
        return;
    }
    let id = short_id(snapshot.session);
    let headline = problems::headline(snapshot).unwrap_or_else(|| format!("snapshot {id}"));
    context.ui.result(&headline);
    lines.iter().for_each(|line| context.ui.prose(&format!("  {line}"), 4));
}

fn file_count(snapshot: &Snapshot) -> u64 {
    let summary = &snapshot.summary;
    summary.files_new + summary.files_changed + summary.files_unmodified
}

/// A snapshot for programs.
#[must_use]
pub fn record(snapshot: &Snapshot, catalog: &Catalog) -> SnapshotRecord {
    let in_tree: Vec<_> = paths_in_tree(snapshot).collect();
    let paths: Vec<_> = in_tree.iter().map(|path| JsonPath::new(&path.0).path).collect();
    let has_odd = in_tree.iter().any(|path| std::str::from_utf8(&path.0).is_err());
    let all_b64 = || in_tree.iter().map(|path| BASE64.encode(&path.0)).collect();
    let summary = &snapshot.summary;
    SnapshotRecord {
        id: snapshot.session.to_snapshot_hex(),
        short_id: short_id(snapshot.session),
        time: units::rfc3339(snapshot.started),
        made: String::new(),
        wrong_clock: None,
        doubt: None,
        line: None,
        parent: parent(snapshot, catalog).map(|id| id.to_snapshot_hex()),
        tree: (!snapshot.is_sealed()).then(|| snapshot.root.to_string()),
        paths,
        paths_b64: has_odd.then(all_b64),
        hostname: snapshot.host.clone(),
        tags: snapshot.tags.clone(),
        description: snapshot.description.clone(),
        state: snapshot.state.name(),
        problem_count: snapshot.problem_count,
        client: snapshot.client.to_string(),
        sequence: snapshot.session.sequence(),
        program_version: snapshot.program.clone(),
        original: snapshot.original.map(|original| original.session.to_snapshot_hex()),
        held_by: Vec::new(),
        forgotten: None,
        problems: Vec::new(),
        roots: Vec::new(),
        summary: SnapshotSummary {
            backup_start: units::rfc3339(snapshot.started),
            backup_end: units::rfc3339(snapshot.finished),
            files_new: summary.files_new,
            files_changed: summary.files_changed,
            files_unmodified: summary.files_unmodified,
            data_added: summary.bytes_new,
            data_added_packed: summary.bytes_stored,
            total_files_processed: file_count(snapshot),
            total_bytes_processed: summary.total_bytes,
            total_entries: summary.entries,
        },
    }
}

/// The same with what people decided about it.
#[must_use]
pub fn record_with(snapshot: &Snapshot, catalog: &Catalog, marks: &Marks) -> SnapshotRecord {
    let session = snapshot.session;
    let tomb = marks.tombs.get(&session).filter(|_| marks.is_forgotten(session));
    SnapshotRecord {
        held_by: marks.holds_of(session).map(|hold| hold.hold.to_string()).collect(),
        forgotten: tomb.map(|tomb| ForgottenRecord {
            time: units::rfc3339(tomb.at),
            client: tomb.by.to_string(),
            reason: tomb.reason.clone(),
            policy: tomb.policy.clone(),
        }),
        ..record(snapshot, catalog)
    }
}

fn parent(snapshot: &Snapshot, catalog: &Catalog) -> Option<SessionId> {
    let digest = snapshot.previous?;
    let found = catalog.snapshots.iter().chain(&catalog.forgotten).find(|one| one.digest == digest);
    found.map(|one| one.snapshot.session)
}
