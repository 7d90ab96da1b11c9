//! Which snapshots lie where: by host, by tag, by time, by id, and the latest.

use std::collections::{BTreeMap, BTreeSet};

use engine::index::catalog::{Catalog, Committed};
use engine::mount::scene::{Folder, Scene, Shown, safe_name};
use jiff::tz::TimeZone;

use crate::args::mount::MountArgs;
use crate::command::select::{Choice, short_id};
use crate::config::surroundings::Surroundings;
use crate::fault::Fault;
use crate::units;

const LATEST: &[u8] = b"latest";

/// The folders, and how many snapshots are in them.
///
/// # Errors
/// A snapshot that is named and not there.
pub fn layout(
    args: &MountArgs,
    catalog: &Catalog,
    around: &Surroundings,
) -> Result<(Scene, u64), Fault> {
    let choice = Choice::quiet(catalog, &args.filter, around);
    let mut all = choice.several(&args.snapshots)?;
    all.sort_by_key(|one| choice.made().place(&one.snapshot));
    let zone = &around.time_zone;
    let mut by_host: BTreeMap<&str, Vec<&Committed>> = BTreeMap::new();
    let mut by_tag: BTreeMap<&str, Vec<&Committed>> = BTreeMap::new();
    for one in &all {
        by_host.entry(&one.snapshot.host).or_default().push(one);
        let tags: BTreeSet<&str> = one.snapshot.tags.iter().map(String::as_str).collect();
        tags.into_iter().for_each(|tag| by_tag.entry(tag).or_default().push(one));
    }
    let shelf = |all: &[&Committed]| shelf(all, &choice, zone);
    let mut hosts = Folder::default();
    for (host, all) in &by_host {
        let (mut folder, latest) = shelf(all);
        // Of a host that several clients claim nobody knows which is meant.
        let lines: BTreeSet<_> = all.iter().map(|one| one.line).collect();
        if let Some(latest) = latest.filter(|_| lines.len() == 1) {
            folder.link(LATEST, latest);
        }
        hosts.put(&safe_name(host), folder);
    }
    let mut tags = Folder::default();
    for (tag, all) in &by_tag {
        let (mut folder, latest) = shelf(all);
        if let Some(latest) = latest {
            folder.link(LATEST, latest);
        }
        tags.put(&safe_name(tag), folder);
    }
    let (times, latest) = shelf(&all);
    let mut top = Folder::default();
    if let Some(latest) = latest {
        top.link(LATEST, [b"times/", latest.as_slice()].concat());
    }
    top.put(b"hosts", hosts);
    top.put(b"tags", tags);
    top.put(b"times", times);
    top.put(b"ids", ids(&all, &choice));
    Ok((Scene { top, made: around.clock.now() }, all.len() as u64))
}

/// A folder with a snapshot for each time, and the name of the latest of them.
fn shelf(all: &[&Committed], choice: &Choice<'_>, zone: &TimeZone) -> (Folder, Option<Vec<u8>>) {
    let mut folder = Folder::default();
    let latest = choice.latest_of(all).map(|one| one.snapshot.session);
    let mut name_of_latest = None;
    for one in all {
        let shown = shown(one, choice);
        // No colons: what is before one is a machine to rsync and scp.
        let name = folder.add(units::time_name(shown.made, zone).as_bytes(), shown);
        if latest == Some(shown.session) {
            name_of_latest = Some(name);
        }
    }
    (folder, name_of_latest)
}

/// By the digits that lists show; more of them lead there as well.
fn ids(all: &[&Committed], choice: &Choice<'_>) -> Folder {
    let mut folder = Folder::default();
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    all.iter().for_each(|one| *count.entry(short_id(one.snapshot.session)).or_default() += 1);
    for one in all {
        let (short, whole) =
            (short_id(one.snapshot.session), one.snapshot.session.to_snapshot_hex());
        let listed = if count.get(&short) == Some(&1) { short } else { whole.clone() };
        let name = folder.add(listed.as_bytes(), shown(one, choice));
        if name != whole.as_bytes() {
            folder.alias(whole.into_bytes(), name);
        }
    }
    folder
}

fn shown(one: &Committed, choice: &Choice<'_>) -> Shown {
    let snapshot = &one.snapshot;
    Shown { session: snapshot.session, root: snapshot.root, made: choice.made().at(snapshot) }
}
