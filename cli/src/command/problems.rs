//! `problems`: what a snapshot lacks, by name.

use engine::base::path::{TreePath, escape};
use engine::format::snapshot::{RecordedProblem, RecordedRoot, RootState, Snapshot};

use crate::args::look::ProblemsArgs;
use crate::command::context::Context;
use crate::command::open::{open, progress};
use crate::command::select::{Choice, short_id};
use crate::fault::{ExitCode, Fault};
use crate::ui::output::printable;
use crate::ui::records::{JsonPath, ProblemRecord, RootRecord, SnapshotProblems};
use crate::units;

/// Lists what could not be saved.
///
/// # Errors
/// If there is no such snapshot.
pub fn run(args: &ProblemsArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let catalog = opened.look(&progress(context))?;
    let choice = Choice::new(&catalog, &args.filter, context);
    let snapshot = &choice.one(&args.snapshot)?.snapshot;
    if context.ui.is_json() {
        let document = SnapshotProblems {
            id: snapshot.session.to_snapshot_hex(),
            state: snapshot.state.name(),
            problem_count: snapshot.problem_count,
            problems: records(snapshot),
            roots: root_records(snapshot),
        };
        context.ui.document(&document).map_err(|error| Fault::local("no JSON").because(&error))?;
        return Ok(ExitCode::Ok);
    }
    let lines = lines(snapshot);
    for line in &lines {
        context.ui.prose(line, 2);
    }
    match headline(snapshot) {
        Some(headline) => context.ui.note(&headline),
        None if lines.is_empty() => {
            let id = short_id(snapshot.session);
            context.ui.note(&format!("snapshot {id} lacks nothing that was asked for"));
        }
        None => {}
    }
    Ok(ExitCode::Ok)
}

/// That a snapshot is not complete, in one line: `snapshot 4f3a91c2 lacks 2 items`; `None` if it is.
#[must_use]
pub fn headline(snapshot: &Snapshot) -> Option<String> {
    let items = match snapshot.problem_count {
        0 => return None,
        1 => "1 item".to_owned(),
        more => format!("{} items", units::count(more)),
    };
    Some(format!(
        "snapshot {} is partial: {items} could not be saved as they should",
        short_id(snapshot.session)
    ))
}

/// What a snapshot lacks, a line for each path, and one for those that its record does not name.
#[must_use]
pub fn lines(snapshot: &Snapshot) -> Vec<String> {
    let mut lines: Vec<String> = snapshot.problems.iter().map(line).collect();
    let named = snapshot.problems.len() as u64;
    match snapshot.problem_count.saturating_sub(named) {
        0 => {}
        more if snapshot.is_sealed() => {
            let count = units::count(more);
            lines.push(format!("{count} by names that this key may not read"));
        }
        more => lines.push(format!("… and {} more that are not recorded", units::count(more))),
    }
    lines.extend(snapshot.roots.iter().filter_map(root_line));
    lines
}

fn line(problem: &RecordedProblem) -> String {
    let path = escape(&path_bytes(problem));
    format!("{path}: {}: {}", printable(&problem.action), printable(&problem.why))
}

/// What is to be said of a path that was asked for, beyond problems.
fn root_line(root: &RecordedRoot) -> Option<String> {
    let path = escape(&root.asked.0);
    match root.state {
        RootState::Missing => Some(format!("{path}: was asked for and not there")),
        RootState::Empty => Some(format!("{path}: nothing below it was selected")),
        RootState::Saved | RootState::Partial => None,
    }
}

/// The path as text with slashes. The record of a stranger may hold no path at all.
fn path_bytes(problem: &RecordedProblem) -> Vec<u8> {
    match TreePath::from_key(&problem.path) {
        Ok(path) => path.to_slashes(),
        Err(_) => problem.path.clone(),
    }
}

/// The problems of a snapshot for programs.
#[must_use]
pub fn records(snapshot: &Snapshot) -> Vec<ProblemRecord> {
    let record = |problem: &RecordedProblem| ProblemRecord {
        path: JsonPath::new(&path_bytes(problem)),
        during: problem.action.clone(),
        message: problem.why.clone(),
    };
    snapshot.problems.iter().map(record).collect()
}

/// What became of each path that was asked for, for programs.
#[must_use]
pub fn root_records(snapshot: &Snapshot) -> Vec<RootRecord> {
    let record = |root: &RecordedRoot| RootRecord {
        path: JsonPath::new(&root.asked.0),
        led_to: root.led_to.as_ref().map(|path| JsonPath::new(&path.0).path),
        state: match root.state {
            RootState::Saved => "saved",
            RootState::Partial => "partial",
            RootState::Missing => "missing",
            RootState::Empty => "empty",
        },
        entries: root.entries,
        bytes: root.total_bytes,
    };
    snapshot.roots.iter().map(record).collect()
}
