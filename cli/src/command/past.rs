//! `find --history`: each path that a pattern fits, with its versions.

use std::collections::{BTreeMap, BTreeSet};

use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::format::snapshot::Snapshot;
use engine::index::catalog::Committed;
use engine::tree::cursor::{EntryCursor, Searched, find};

use crate::command::context::Context;
use crate::command::made::Made;
use crate::command::select::short_id;
use crate::command::versions::Versions;
use crate::fault::{ExitCode, Fault};
use crate::ui::output::printable;

/// Prints the versions of each path, in the order of paths.
///
/// # Errors
/// Exit code 20 if a part of a tree cannot be read; the rest is listed all the same.
pub(crate) fn run(
    (nodes, made): (&ChunkFetcher<'_>, &Made),
    chosen: &[&Committed],
    hit: &dyn Fn(&TreePath, &Snapshot) -> bool,
    context: &Context<'_>,
) -> Result<ExitCode, Fault> {
    let mut damage = None;
    let paths = matches(nodes, chosen, hit, &mut damage, context)?;
    for path in &paths {
        if context.ui.is_closed() {
            return Ok(ExitCode::Ok);
        }
        let mut hosts: BTreeMap<&str, Versions<'_>> = BTreeMap::new();
        for one in chosen {
            match find(nodes, one.snapshot.root, path) {
                Ok(found) => {
                    let versions = hosts.entry(one.snapshot.host.as_str()).or_default();
                    versions.take(one, made.at(&one.snapshot), path, found);
                }
                Err(error) if error.is_local_to_one_node() => {
                    tell(error, one, &mut damage, context)
                }
                Err(error) => return Err(error.into()),
            }
        }
        hosts.retain(|_, versions| !versions.is_empty());
        if !context.ui.is_json() && !hosts.is_empty() {
            let shown = engine::base::path::escape(&path.to_slashes());
            context.ui.result(&printable(&shown));
        }
        let is_one_host = hosts.len() == 1;
        for (host, versions) in hosts {
            match context.ui.is_json() {
                true => versions.print_records(host, path, context),
                false => versions.print_table(host, is_one_host, context),
            }
        }
    }
    if paths.is_empty() {
        context.ui.note("nothing found");
    }
    damage.map_or(Ok(ExitCode::Ok), Err)
}

/// All paths that fit in any of the snapshots; what an earlier one had is not searched again.
fn matches(
    nodes: &ChunkFetcher<'_>,
    chosen: &[&Committed],
    hit: &dyn Fn(&TreePath, &Snapshot) -> bool,
    damage: &mut Option<Fault>,
    context: &Context<'_>,
) -> Result<BTreeSet<TreePath>, Fault> {
    let (mut paths, mut searched) = (BTreeSet::new(), Searched::default());
    for one in chosen {
        let mut said = false;
        for item in EntryCursor::except(nodes, one.snapshot.root, &mut searched) {
            match item {
                Ok((path, _)) if hit(&path, &one.snapshot) => {
                    paths.insert(path);
                }
                Ok(_) => {}
                Err(error) if error.is_local_to_one_node() => {
                    if !said {
                        tell(error, one, damage, context);
                        said = true;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(paths)
}

fn tell(
    error: engine::tree::error::TreeError,
    one: &Committed,
    damage: &mut Option<Fault>,
    context: &Context<'_>,
) {
    let snapshot = format!("snapshot {}", short_id(one.snapshot.session));
    context.ui.problem("looking into", snapshot.as_bytes(), &error.to_string());
    *damage = Some(Fault::from(error));
}
