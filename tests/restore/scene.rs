//! What a test is about, as a value: what was saved, what is in the target, what is asked for.
//!
//! A scene is a list of paths; each says what was there when the snapshot was made and what is
//! there when the restore begins. Any part of the list is again a scene as long as folders stay, so
//! shrinking is leaving paths out.

use std::fmt;

/// The name of the folder of which a snapshot is made, beside the arena.
pub(crate) const SOURCE: &str = "src";
/// The name of the target, in the arena.
pub(crate) const TARGET: &str = "t";
/// The name of the folder that is none of a restore's business, in the arena.
pub(crate) const OUTSIDE: &str = "outside";

/// Something that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Folder(Meta),
    File(Bytes, Meta),
    /// A symbolic link and where it leads.
    Symlink(String, Meta),
    Fifo(Meta),
}

impl Node {
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self, Self::Folder(_))
    }

    pub(crate) fn meta(&self) -> &Meta {
        match self {
            Self::Folder(meta) | Self::File(_, meta) => meta,
            Self::Symlink(_, meta) | Self::Fifo(meta) => meta,
        }
    }

    pub(crate) fn meta_mut(&mut self) -> &mut Meta {
        match self {
            Self::Folder(meta) | Self::File(_, meta) => meta,
            Self::Symlink(_, meta) | Self::Fifo(meta) => meta,
        }
    }
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes {
    pub(crate) seed: u64,
    /// Real bytes at the start.
    pub(crate) length_bytes: u64,
    /// A hole after them and as many real bytes again, if it is not 0.
    pub(crate) hole_bytes: u64,
}

/// Metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    pub(crate) mtime: (i64, u32),
    /// The value of `user.note`.
    pub(crate) note: Option<String>,
}

/// Why something that was there is not in the snapshot as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// A pattern left it out.
    Excluded,
    /// The backup was not allowed to read it.
    Unreadable,
}

/// One path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Below the source, and below the target.
    pub(crate) path: String,
    /// What it was when the snapshot was made.
    pub(crate) saved: Option<Node>,
    pub(crate) hidden: Option<Hidden>,
    /// Saved files of one number are one file.
    pub(crate) saved_link: Option<u8>,
    /// What it is when the restore begins.
    pub(crate) there: Option<Node>,
    /// Files there of one number are one file, which also has a name outside.
    pub(crate) there_link: Option<u8>,
    /// Whether another file system is mounted there.
    pub(crate) is_mount: bool,
}

impl Item {
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub(crate) fn parent(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(parent, _)| parent)
    }
}

/// What of the snapshot is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// What is in the source.
    Source,
    /// The whole snapshot, with its absolute paths below the target.
    Whole,
    /// What is in this folder of the source.
    Folder(String),
    /// This file, into the target, which is a folder.
    File(String),
    /// This file under the name of the target.
    FileAs(String),
}

/// A policy for what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overwrite {
    /// No option: the target must be empty.
    Absent,
    Always,
    IfChanged,
    IfNewer,
    Never,
}

/// A restore that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) part: Part,
    pub(crate) overwrite: Overwrite,
    pub(crate) delete: bool,
    pub(crate) replace_kind: bool,
    pub(crate) in_place: bool,
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
}

impl Order {
    /// The options, in the words of the command line.
    pub(crate) fn options(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut add = |option: &str, value: &str| {
            words.push(option.to_owned());
            if !value.is_empty() {
                words.push(value.to_owned());
            }
        };
        match self.overwrite {
            Overwrite::Absent => {}
            Overwrite::Always => add("--overwrite", "always"),
            Overwrite::IfChanged => add("--overwrite", "if-changed"),
            Overwrite::IfNewer => add("--overwrite", "if-newer"),
            Overwrite::Never => add("--overwrite", "never"),
        }
        for (is_given, option) in [
            (self.delete, "--delete"),
            (self.replace_kind, "--replace-kind"),
            (self.in_place, "--in-place"),
        ] {
            if is_given {
                add(option, "");
            }
        }
        self.include.iter().for_each(|pattern| add("--include", pattern));
        self.exclude.iter().for_each(|pattern| add("--exclude", pattern));
        words
    }
}

/// Everything that a test of one restore begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scene {
    pub(crate) seed: u64,
    /// Parents before children.
    pub(crate) items: Vec<Item>,
    /// Names that the backup left out.
    pub(crate) excluded: Vec<String>,
    pub(crate) order: Order,
    /// Metadata of the source itself, and of the target.
    pub(crate) tops: (Meta, Meta),
    /// Whether the program has one processor: then its threads hardly change their order.
    pub(crate) is_narrow: bool,
}

impl Scene {
    pub(crate) fn item(&self, path: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.path == path)
    }

    /// Whether the snapshot does not have this path although something was there, because of it or
    /// of a folder above it. A folder that could not be read is an entry without anything in it.
    pub(crate) fn hidden(&self, path: &str) -> Option<Hidden> {
        let is_bare = self.item(path).is_some_and(|item| {
            item.hidden == Some(Hidden::Unreadable) && matches!(item.saved, Some(Node::Folder(_)))
        });
        let mut path = path;
        if is_bare {
            path = path.rsplit_once('/')?.0;
        }
        loop {
            if let Some(hidden) = self.item(path).and_then(|item| item.hidden) {
                return Some(hidden);
            }
            path = path.rsplit_once('/')?.0;
        }
    }

    /// What the snapshot has at this path.
    pub(crate) fn in_snapshot(&self, path: &str) -> Option<&Node> {
        self.item(path)?.saved.as_ref().filter(|_| self.hidden(path).is_none())
    }

    /// Whether the backup was made by somebody who may not read everything.
    pub(crate) fn has_unreadable(&self) -> bool {
        self.items.iter().any(|item| item.hidden == Some(Hidden::Unreadable))
    }

    /// Whether it needs the right to mount.
    pub(crate) fn has_mount(&self) -> bool {
        self.items.iter().any(|item| item.is_mount)
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "seed {}, {:?} {}",
            self.seed,
            self.order.part,
            self.order.options().join(" ")
        )?;
        for item in &self.items {
            let show = |node: &Option<Node>| match node {
                None => "nothing".to_owned(),
                Some(Node::Folder(meta)) => format!("folder {}", show_meta(meta)),
                Some(Node::File(bytes, meta)) => format!(
                    "file #{} {}+{} {}",
                    bytes.seed,
                    bytes.length_bytes,
                    bytes.hole_bytes,
                    show_meta(meta)
                ),
                Some(Node::Symlink(to, meta)) => format!("link to {to} {}", show_meta(meta)),
                Some(Node::Fifo(meta)) => format!("pipe {}", show_meta(meta)),
            };
            write!(out, "  {}: saved {}", item.path, show(&item.saved))?;
            if let Some(group) = item.saved_link {
                write!(out, " (one file with all of {group})")?;
            }
            if let Some(hidden) = item.hidden {
                write!(out, " ({hidden:?})")?;
            }
            write!(out, "; there {}", show(&item.there))?;
            if let Some(group) = item.there_link {
                write!(out, " (one file with {OUTSIDE}/link-{group})")?;
            }
            writeln!(out, "{}", if item.is_mount { " (mounted)" } else { "" })?;
        }
        Ok(())
    }
}

fn show_meta(meta: &Meta) -> String {
    let note = meta.note.as_deref().unwrap_or("-");
    format!("{:o} {} {}.{} {note}", meta.mode, meta.owner, meta.mtime.0, meta.mtime.1)
}
