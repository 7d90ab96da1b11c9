//! `find`: in which snapshots is a file.

use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::disk::exclude::PathMatcher;
use engine::format::snapshot::Snapshot;
use engine::index::catalog::Committed;
use engine::tree::cursor::{EntryCursor, Searched};

use crate::args::look::FindArgs;
use crate::command::clock;
use crate::command::context::Context;
use crate::command::made::Made;
use crate::command::node::{long_lines, node};
use crate::command::open::{open, progress};
use crate::command::past;
use crate::command::select::{Choice, short_id};
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::ui::records::FoundIn;
use crate::units;

/// Finds entries by name in snapshots, oldest snapshot first.
///
/// # Errors
/// Exit code 20 if a part of a tree cannot be read; the rest is searched all the same.
pub fn run(args: &FindArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let patterns = Patterns::new(args)?;
    let opened = open(context)?;
    opened.require_names()?;
    let catalog = opened.look(&progress(context))?;
    clock::tell(&args.filter, &opened, &catalog, context);
    let choice = Choice::new(&catalog, &args.filter, context);
    let chosen = choice.several(&args.snapshot)?;
    if chosen.is_empty() && !catalog.snapshots.is_empty() {
        return Err(nothing_searched());
    }
    let fetcher = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    if args.history {
        let hit = |path: &TreePath, snapshot: &Snapshot| patterns.hit_in(path, snapshot);
        return past::run((&fetcher, choice.made()), &chosen, &hit, context);
    }
    let mut found = Vec::new();
    let mut damage = None;
    // Nights resemble each other: only what was not in an earlier snapshot is searched.
    let mut searched = Searched::default();
    for one in chosen {
        let mut matches = Vec::new();
        let (mut hits, mut said) = (0, None);
        let mut cursor = EntryCursor::except(&fetcher, one.snapshot.root, &mut searched);
        while let Some(item) = cursor.next() {
            match item {
                Ok((path, entry)) if patterns.hit_in(&path, &one.snapshot) => {
                    cursor.found();
                    hits += 1;
                    if context.ui.is_json() {
                        matches.push(node(&path, &entry));
                    } else {
                        if hits == 1 {
                            heading(one, choice.made(), context);
                        }
                        let room = context.ui.width().map(|width| width.saturating_sub(2));
                        long_lines(&path, &entry, &context.around.time_zone, room)
                            .iter()
                            .for_each(|line| context.ui.result(&format!("  {line}")));
                    }
                }
                Ok(_) => {}
                Err(error) if error.is_local_to_one_node() => {
                    if said.as_ref() != Some(&error.to_string()) {
                        let snapshot = format!("snapshot {}", short_id(one.snapshot.session));
                        let words = error.to_string();
                        context.ui.problem("searching", snapshot.as_bytes(), &words);
                        said = Some(words);
                    }
                    damage = Some(Fault::from(error));
                }
                Err(error) => return Err(error.into()),
            }
            if context.ui.is_closed() {
                return Ok(ExitCode::Ok);
            }
        }
        if hits > 0 {
            let snapshot = one.snapshot.session.to_snapshot_hex();
            found.push(FoundIn { matches, hits, snapshot });
        }
    }
    if context.ui.is_json() {
        context.ui.document(&found).map_err(|error| Fault::local("no JSON").because(&error))?;
    } else if found.is_empty() {
        let words = match damage.is_some() {
            true => "nothing found in what can be read",
            false => "nothing found",
        };
        context.ui.note(words);
    }
    damage.map_or(Ok(ExitCode::Ok), Err)
}

fn nothing_searched() -> Fault {
    Fault::usage("no snapshot meets the conditions, so nothing was searched")
        .hint("`mainstay snapshots` shows hosts, tags and paths as they are")
}

fn heading(one: &Committed, made: &Made, context: &Context<'_>) {
    let time = units::local_time(made.at(&one.snapshot), &context.around.time_zone);
    let host = crate::ui::output::printable(&one.snapshot.host);
    context.ui.result(&format!("{} of {host} from {time}", short_id(one.snapshot.session)));
}

/// Patterns of names, and patterns of whole paths.
struct Patterns {
    names: PathMatcher,
    paths: PathMatcher,
}

impl Patterns {
    fn new(args: &FindArgs) -> Result<Self, Fault> {
        let (paths, names): (Vec<_>, Vec<_>) =
            args.patterns.iter().cloned().partition(|pattern| pattern.contains('/'));
        let matcher = |patterns: &[String]| {
            PathMatcher::new(patterns, args.ignore_case).map_err(|error| trouble::disk(&error))
        };
        Ok(Self { names: matcher(&names)?, paths: matcher(&paths)? })
    }

    /// Whether a path is matched, or the same path as it was asked for.
    fn hit_in(&self, path: &TreePath, snapshot: &Snapshot) -> bool {
        self.hit(path) || snapshot.as_asked(path).any(|asked| self.hit(&asked))
    }

    /// Whether the path itself is matched, not only a folder above it.
    fn hit(&self, path: &TreePath) -> bool {
        let name = TreePath::root().join(path.name());
        name.is_ok_and(|name| self.names.matches(&name))
            || (self.paths.matches(path)
                && !path.parent().is_some_and(|parent| self.paths.matches(&parent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(pattern: &str, ignore_case: bool, path: &str) -> bool {
        let args = FindArgs {
            patterns: vec![pattern.to_owned()],
            snapshot: Vec::new(),
            ignore_case,
            history: false,
            filter: Default::default(),
        };
        let path = TreePath::from_slashes(path.as_bytes()).expect("the test wrote a path");
        Patterns::new(&args).is_ok_and(|patterns| patterns.hit(&path))
    }

    #[test]
    fn names_anywhere_and_paths_as_a_whole() {
        assert!(hits("*.odt", false, "/a/b/c.odt"));
        assert!(!hits("*.odt", false, "/a/b.odt/c"));
        assert!(!hits("*.odt", false, "/a/C.ODT"));
        assert!(hits("*.odt", true, "/a/C.ODT"));
        assert!(hits("/a/*", false, "/a/b"));
        assert!(!hits("/a/*", false, "/a/b/c"));
        assert!(hits("/a/**/c", false, "/a/x/y/c"));
    }
}
