//! What is done about something that is there already. Decides; removes nothing.

use crate::base::error::in_one_line;
use crate::base::monitor::{Action, Problem};
use crate::base::path::TreePath;
use crate::disk::aside::Replaces;
use crate::disk::error::DiskError;
use crate::disk::write::{ExistingStat, Target};
use crate::format::entry::{Entry, EntryKind, LISTING_ON_THE_WAY};
use crate::restore::options::{Overwrite, RestoreOptions};

/// What to do with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placement {
    /// Nothing is there.
    Create,
    /// What is there goes when the new one is whole.
    Replace(Replaces, Box<ExistingStat>),
    /// Its content is overwritten where it is.
    InPlace(Box<ExistingStat>),
    /// It is there and its content is right; metadata that differ are set.
    Keep(Box<ExistingStat>),
    /// It stays as it is.
    Skip(Box<ExistingStat>),
    /// A link is there that leads to a folder of the target, in the place of a folder that is only on
    /// the way: it is followed.
    Follow,
}

/// Why something stays that flags protect.
pub(super) const IMMUTABLE: &str =
    "it is immutable or append-only; `chattr -i -a` lets it be replaced";
/// Why nothing is made or replaced in a folder that flags protect.
pub(super) const IN_IMMUTABLE: &str =
    "its folder is immutable or append-only; `chattr -i -a` lets something be put there";

/// What is there that somebody should know of before it is replaced.
pub(super) const REMARK_NEWER: &str = "what is there is newer";
const REMARK_NEWER_WITH_NAMES: &str =
    "what is there is newer; its other names keep the old content";
pub(super) const REMARK_OTHER_NAMES: &str = "its other names keep the old content";

impl Placement {
    /// What people see of it, and what they should know before; of what is kept, if its metadata
    /// differ.
    pub(super) fn action(&self, entry: &Entry) -> Option<(Action, Option<&'static str>)> {
        let remark = |there: &ExistingStat, replaces: bool| {
            let is_newer = there.mtime > entry.mtime;
            let has_names = there.kind != EntryKind::Directory && there.link_count > 1;
            match (is_newer, replaces && has_names) {
                (true, true) => Some(REMARK_NEWER_WITH_NAMES),
                (true, false) => Some(REMARK_NEWER),
                (false, true) => Some(REMARK_OTHER_NAMES),
                (false, false) => None,
            }
        };
        match self {
            Self::Create => Some((Action::Create, None)),
            Self::Replace(_, there) if there.kind != entry.kind => {
                Some((Action::Kind, remark(there, true)))
            }
            Self::Replace(_, there) => Some((Action::Content, remark(there, true))),
            Self::InPlace(there) => Some((Action::Content, remark(there, false))),
            Self::Keep(_) => Some((Action::Metadata, None)),
            Self::Skip(_) | Self::Follow => None,
        }
    }
}

/// Decides about an entry whose folder was there before.
///
/// # Errors
/// [`Problem`] if the entry cannot get its place.
pub(super) fn decide(
    target: &Target,
    path: &TreePath,
    entry: &Entry,
    options: &RestoreOptions,
    overwrite: Overwrite,
) -> Result<Placement, Problem> {
    let told = |error: DiskError| Problem {
        path: path.clone(),
        action: "replacing",
        why: in_one_line(&error),
    };
    let refused =
        |why: &str| Problem { path: path.clone(), action: "replacing", why: why.to_owned() };
    let Some(there) = target.stat(path).map_err(told)? else { return Ok(Placement::Create) };
    let there = Box::new(there);
    if options.protected.contains(&there.device_and_inode) {
        return Err(refused("it is the repository or the state folder of this program"));
    }
    if entry.kind == EntryKind::Directory {
        return decide_folder(target, path, entry, there, options).map_err(|why| match why {
            Ok(error) => told(error),
            Err(why) => refused(why),
        });
    }
    let placement = by_rule(target, path, &there, entry, overwrite).map_err(told)?;
    if placement != Rule::Replace {
        return Ok(match placement {
            Rule::Keep => Placement::Keep(there),
            _ => Placement::Skip(there),
        });
    }
    if there.is_immutable {
        return Err(refused(IMMUTABLE));
    }
    let both_files = there.kind == EntryKind::File && entry.kind == EntryKind::File;
    if there.kind == EntryKind::Directory {
        if there.is_mount_root {
            return Err(refused("a file system is mounted there"));
        }
        if !options.replace_kind {
            return Err(refused("a folder is in its place; --replace-kind would replace it"));
        }
        if !options.delete && !target.list(path).map_err(told)?.is_empty() {
            return Err(refused(
                "a folder that is not empty is in its place; --replace-kind with --delete would \
                 replace it",
            ));
        }
        return Ok(Placement::Replace(Replaces::Kind, there));
    }
    // Overwriting a file with other names would change those, perhaps outside the target.
    let may_overwrite = options.in_place && both_files && there.link_count == 1;
    if there.is_mount_root || may_overwrite {
        return match both_files {
            true => Ok(Placement::InPlace(there)),
            false => Err(refused("something is mounted there")),
        };
    }
    Ok(Placement::Replace(Replaces::Name, there))
}

/// Something is where the snapshot has a folder.
fn decide_folder(
    target: &Target,
    path: &TreePath,
    entry: &Entry,
    there: Box<ExistingStat>,
    options: &RestoreOptions,
) -> Result<Placement, Result<DiskError, &'static str>> {
    if there.kind == EntryKind::Directory {
        return Ok(Placement::Keep(there));
    }
    let is_on_the_way = entry.listing & LISTING_ON_THE_WAY != 0;
    if there.kind == EntryKind::Symlink && is_on_the_way {
        return match target.follow_link(path) {
            Ok(true) => Ok(Placement::Follow),
            Ok(false) => Err(Err(
                "a link that leads out of the target is in the place of a folder; it stays",
            )),
            Err(error) => Err(Ok(error)),
        };
    }
    if there.is_mount_root {
        return Err(Err("something is mounted where the snapshot has a folder; it stays"));
    }
    if !entry.has_whole_listing() {
        return Err(Err(
            "something is in the place of a folder that was not backed up whole; it stays",
        ));
    }
    if !options.replace_kind {
        return Err(Err(match there.kind {
            EntryKind::Symlink => {
                "a link is in the place of a folder; --replace-kind would replace it"
            }
            _ => "a file is in the place of a folder; --replace-kind would replace it",
        }));
    }
    match options.overwrite.unwrap_or(Overwrite::IfChanged) {
        Overwrite::Never => {
            Err(Err("something is in the place of a folder; --overwrite never keeps it"))
        }
        Overwrite::IfNewer if there.mtime >= entry.mtime => {
            Err(Err("something newer is in the place of a folder; --overwrite if-newer keeps it"))
        }
        _ if there.is_immutable => Err(Err(IMMUTABLE)),
        _ => Ok(Placement::Replace(Replaces::Kind, there)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Replace,
    Keep,
    Skip,
}

fn by_rule(
    target: &Target,
    path: &TreePath,
    there: &ExistingStat,
    entry: &Entry,
    overwrite: Overwrite,
) -> Result<Rule, DiskError> {
    match overwrite {
        Overwrite::Never => Ok(Rule::Skip),
        Overwrite::IfNewer if there.mtime >= entry.mtime => Ok(Rule::Skip),
        Overwrite::IfChanged if is_equal(target, path, there, entry)? => Ok(Rule::Keep),
        _ => Ok(Rule::Replace),
    }
}

/// Whether the content of what is there is that of the snapshot, as far as a look shows.
pub(super) fn is_equal(
    target: &Target,
    path: &TreePath,
    there: &ExistingStat,
    entry: &Entry,
) -> Result<bool, DiskError> {
    if there.kind != entry.kind {
        return Ok(false);
    }
    Ok(match entry.kind {
        EntryKind::File => {
            there.size_bytes == entry.size_bytes
                && target.keeps_time(path, entry.mtime, there.mtime)?
        }
        EntryKind::Symlink => Some(target.read_link(path)?) == entry.target,
        EntryKind::CharDevice | EntryKind::BlockDevice => {
            there.device_number == entry.device_number
        }
        EntryKind::Directory | EntryKind::Fifo | EntryKind::Socket => true,
    })
}

/// Whether a folder that is there gets the metadata of the snapshot.
pub(super) fn sets_folder_metadata(
    there: &ExistingStat,
    entry: &Entry,
    overwrite: Overwrite,
) -> bool {
    let is_on_the_way = entry.listing & LISTING_ON_THE_WAY != 0;
    !is_on_the_way
        && match overwrite {
            Overwrite::Always | Overwrite::IfChanged => true,
            Overwrite::IfNewer => there.mtime < entry.mtime,
            Overwrite::Never => false,
        }
}
