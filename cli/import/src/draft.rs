//! What will be written, and what is said about it.

use std::collections::BTreeMap;

use crate::tree::{Node, Place};

/// Jobs in the order in which they are written.
pub const JOBS: [&str; 4] = ["backup", "forget", "prune", "check"];

/// A configuration that is being put together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// The organisation.
    pub client: String,
    /// Name of the machine.
    pub host: Option<String>,
    /// Zone of calendars.
    pub time_zone: Option<String>,
    /// The old repository in our form, if we have such a store; a new one goes beside it.
    pub beside: Option<Beside>,
    /// KiB per second.
    pub limit_upload: Option<u32>,
    /// KiB per second.
    pub limit_download: Option<u32>,
    /// Whether it steps back.
    pub background: bool,
    /// What is saved.
    pub sources: Vec<Source>,
    /// When, by job.
    pub schedule: BTreeMap<&'static str, Entry>,
    /// Stable offset.
    pub spread: Option<String>,
    /// Rules, in their order.
    pub retention: Vec<(String, String)>,
    /// Rules by tags.
    pub keep_tag: Vec<String>,
    /// `before`, `after`, `failed`, `finally`.
    pub hooks: BTreeMap<&'static str, Vec<Hook>>,
}

/// The place of the old repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Of a new one that lies beside it.
    pub location: String,
    /// The endpoint of its store.
    pub endpoint: Option<String>,
}

/// A source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Files and folders.
    pub paths: Vec<String>,
    /// Or a command.
    pub command: Vec<String>,
    /// Name of what it prints.
    pub filename: Option<String>,
    /// Patterns.
    pub exclude: Vec<String>,
    /// Patterns whatever the case.
    pub iexclude: Vec<String>,
    /// Files of patterns.
    pub exclude_file: Vec<String>,
    /// Markers.
    pub exclude_if_present: Vec<String>,
    /// A size.
    pub exclude_larger_than: Option<String>,
    /// Caches are left out.
    pub exclude_caches: bool,
    /// Other file systems are left out.
    pub one_file_system: bool,
    /// Access times are saved.
    pub with_atime: bool,
    /// Tags.
    pub tags: Vec<String>,
}

impl Source {
    /// One with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// When a job is due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// A calendar.
    pub calendar: Option<String>,
    /// Or the job before.
    pub after: Option<&'static str>,
    /// Least distance, with `after`.
    pub every: Option<String>,
    /// Everything is read back once in this time.
    pub rotate: Option<String>,
    /// Everything is read back each time.
    pub read_data: bool,
}

impl Entry {
    /// By a calendar.
    #[must_use]
    pub fn at(calendar: &str) -> Self {
        Self { calendar: Some(calendar.to_owned()), ..Self::default() }
    }

    /// After another job.
    #[must_use]
    pub fn after(job: &'static str) -> Self {
        Self { after: Some(job), ..Self::default() }
    }
}

/// A hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Words of the command.
    pub run: Vec<String>,
    /// What its failure means, if it is not an error.
    pub on_failure: Option<&'static str>,
    /// When it is ended.
    pub timeout: Option<String>,
}

/// A key that means the same here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equivalent {
    /// Where it stands.
    pub place: Place,
    /// The name here.
    pub to: String,
}

/// What kind of remark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A person has to do something before the configuration works.
    ToDo,
    /// A secret that was not copied.
    Secret,
    /// It was translated, and means something else.
    Changed,
    /// There is nothing like it.
    Missing,
}

impl Kind {
    /// Its word in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ToDo => "to-do",
            Self::Secret => "secret",
            Self::Changed => "changed",
            Self::Missing => "no-equivalent",
        }
    }
}

/// What a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Where the cause stands.
    pub place: Place,
    /// What kind.
    pub kind: Kind,
    /// What.
    pub words: String,
}

/// All that is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Keys that mean the same here.
    pub equivalents: Vec<Equivalent>,
    /// What a person should know.
    pub remarks: Vec<Remark>,
}

impl Report {
    /// It means the same here.
    pub fn same(&mut self, place: &Place, to: &str) {
        let new = Equivalent { place: place.clone(), to: to.to_owned() };
        if !self.equivalents.contains(&new) {
            self.equivalents.push(new);
        }
    }

    /// Says something.
    pub fn say(&mut self, kind: Kind, place: &Place, words: impl Into<String>) {
        let new = Remark { place: place.clone(), kind, words: words.into() };
        if !self.remarks.contains(&new) {
            self.remarks.push(new);
        }
    }

    /// Something was translated and means something else.
    pub fn changed(&mut self, place: &Place, words: impl Into<String>) {
        self.say(Kind::Changed, place, words);
    }

    /// There is nothing like it.
    pub fn missing(&mut self, place: &Place, words: impl Into<String>) {
        self.say(Kind::Missing, place, words);
    }

    /// A person has to do something.
    pub fn to_do(&mut self, place: &Place, words: impl Into<String>) {
        self.say(Kind::ToDo, place, words);
    }

    /// The same is said of everything in a node.
    pub fn missing_all(&mut self, node: &Node, words: &str) {
        for leaf in node.leaves() {
            self.missing(&leaf, words);
        }
    }
}
