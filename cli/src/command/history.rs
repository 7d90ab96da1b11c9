//! `history`: the versions of one path.

use std::collections::BTreeMap;

use engine::base::limits::NODE_CACHE_BYTES;
use engine::blob::fetch::ChunkFetcher;
use engine::format::snapshot::Snapshot;
use engine::tree::cursor::find;

use crate::args::compare::HistoryArgs;
use crate::command::asked::in_tree;
use crate::command::change::require_path;
use crate::command::clock;
use crate::command::context::Context;
use crate::command::open::{open, progress};
use crate::command::select::{Choice, short_id};
use crate::command::versions::Versions;
use crate::fault::{ExitCode, Fault};

/// Lists versions, the newest first.
///
/// # Errors
/// Exit code 2 if no snapshot has the path, 20 if a part of a tree cannot be read; the rest is listed
/// all the same.
pub fn run(args: &HistoryArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_names()?;
    let catalog = opened.look(&progress(context))?;
    clock::tell(&args.filter, &opened, &catalog, context);
    let choice = Choice::new(&catalog, &args.filter, context);
    choice.require_client()?;
    let chosen = choice.filtered();
    if chosen.is_empty() {
        return Err(Fault::usage("no snapshot meets the conditions, so there is no history")
            .hint("`mainstay snapshots` shows hosts, tags and paths as they are"));
    }
    let nodes = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    let (mut hosts, mut damage): (BTreeMap<&str, Versions<'_>>, _) = (BTreeMap::new(), None);
    for one in &chosen {
        let path = in_tree(&opened, &one.snapshot, &args.path)?;
        let found = match find(&nodes, one.snapshot.root, &path) {
            Ok(found) => found,
            Err(error) if error.is_local_to_one_node() => {
                let snapshot = format!("snapshot {}", short_id(one.snapshot.session));
                context.ui.problem("looking into", snapshot.as_bytes(), &error.to_string());
                damage = Some(Fault::from(error));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let time = choice.made().at(&one.snapshot);
        let versions = hosts.entry(one.snapshot.host.as_str()).or_default();
        versions.take(one, time, &path, found);
    }
    hosts.retain(|_, versions| !versions.is_empty());
    if hosts.is_empty() && damage.is_none() {
        let snapshots: Vec<&Snapshot> = chosen.iter().map(|one| &one.snapshot).collect();
        require_path(&nodes, &snapshots, &args.path)?;
    }
    let is_one_host = hosts.len() == 1;
    for (host, versions) in hosts {
        match context.ui.is_json() {
            true => versions.print_records(host, &args.path, context),
            false => versions.print_table(host, is_one_host, context),
        }
    }
    damage.map_or(Ok(ExitCode::Ok), Err)
}
