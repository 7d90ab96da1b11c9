//! Whether a configuration makes sense: everything that the types cannot say.

use std::collections::BTreeSet;

use crate::calendar::{self, Calendar};
use crate::config::alert::{Alert, ChannelKind, Watch, WatchedSystem};
use crate::config::hook::Hooks;
use crate::config::promise::{Objectives, Suspicious};
use crate::config::schedule::{Entry, JobKind, Schedule};
use crate::config::source::Source;
use crate::span::Span;

/// The sections of one file that say what happens by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sections {
    /// The organisation.
    pub client: Option<String>,
    /// Name of this machine, if it is not the system's.
    pub host: Option<String>,
    /// Name of the zone that calendars and windows are in.
    pub time_zone: Option<String>,
    /// What is promised.
    pub objectives: Objectives,
    /// What is saved.
    pub sources: Vec<Source>,
    /// When things happen.
    pub schedule: Option<Schedule>,
    /// What runs around them.
    pub hooks: Hooks,
    /// What counts as suspicious.
    pub suspicious: Suspicious,
    /// Who is told.
    pub alerts: Vec<Alert>,
    /// What there should be.
    pub systems: Vec<WatchedSystem>,
    /// How it is watched.
    pub watch: Watch,
    /// Whether there are rules of retention beside them.
    pub has_rules: bool,
}

/// Something that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {words}")]
pub struct Problem {
    /// Where, as names of the file: `schedule.backup`.
    pub place: String,
    /// What.
    pub words: String,
}

/// A longer spread would put jobs into another day.
const SPREAD_MAX_S: u64 = 86_400;
/// The longest name of a client, a source or a host.
const NAME_MAX_CHARS: usize = 100;
/// A system's kinds of drills and reports.
const DRILLS: [&str; 3] = ["sample", "full", "database"];
/// Kinds of databases that can be dumped.
const PRESETS: [&str; 4] = ["postgresql", "mariadb", "mysql", "sqlite"];
/// The preset whose databases are files.
const SQLITE: &str = "sqlite";
const REPORTS: [&str; 5] = ["recoverability", "compliance", "sla", "qbr", "insurer"];
const FORMATS: [&str; 4] = ["html", "pdf", "json", "csv"];

/// Everything that makes no sense, in the order of the file.
#[must_use]
pub fn problems(sections: &Sections) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    match &sections.client {
        None => found.add("client", "is missing: the organisation, as tickets and reports name it"),
        Some(name) => found.name("client", name),
    }
    if let Some(name) = &sections.host {
        found.name("host", name);
    }
    for (name, span) in [("rpo", sections.objectives.rpo), ("rto", sections.objectives.rto)] {
        found.not_zero(&format!("objectives.{name}"), span);
    }
    hooks(&sections.hooks, &mut found);
    if let Some(name) = &sections.time_zone
        && jiff::tz::TimeZone::get(name).is_err()
    {
        let words = format!("{name:?} is no time zone: write for example \"Europe/Berlin\"");
        found.add("time-zone", words);
    }
    sources(&sections.sources, &mut found);
    schedule(sections, &mut found);
    alerts(&sections.alerts, &mut found);
    systems(sections, &mut found);
    let suspicious = &sections.suspicious;
    if !suspicious.bytes_factor.is_finite() || suspicious.bytes_factor <= 1.0 {
        found.add("suspicious.bytes-factor", "must be more than 1");
    }
    for (name, percent) in [
        ("files-fewer-percent", suspicious.files_fewer_percent),
        ("incompressible-percent", suspicious.incompressible_percent),
        ("rewritten-percent", suspicious.rewritten_percent),
    ] {
        if !(1..=100).contains(&percent) {
            found.add(format!("suspicious.{name}"), "must be from 1 to 100");
        }
    }
    found.0
}

struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, place: impl Into<String>, words: impl Into<String>) {
        self.0.push(Problem { place: place.into(), words: words.into() });
    }

    fn not_zero(&mut self, place: &str, span: Option<Span>) {
        if span.is_some_and(|span| span.seconds() == 0) {
            self.add(place, "must be longer than 0");
        }
    }

    /// Names are shown in lists, tickets and file names.
    fn name(&mut self, place: &str, name: &str) {
        if name.trim().is_empty() {
            self.add(place, "is empty");
        } else if name.trim() != name || name.chars().any(char::is_control) {
            self.add(place, format!("{name:?} has blanks around it or control characters in it"));
        } else if name.chars().count() > NAME_MAX_CHARS {
            self.add(place, format!("is longer than {NAME_MAX_CHARS} characters"));
        }
    }
}

fn hooks(hooks: &Hooks, found: &mut Found) {
    let lists = [
        ("before", &hooks.before),
        ("after", &hooks.after),
        ("failed", &hooks.failed),
        ("finally", &hooks.finally),
    ];
    for (name, list) in lists {
        for hook in list {
            found.not_zero(&format!("hooks.{name}: timeout"), Some(hook.timeout));
            if hook.jobs.is_empty() {
                found.add(format!("hooks.{name}"), "a hook without jobs never runs");
            }
        }
    }
}

fn sources(sources: &[Source], found: &mut Found) {
    let mut names = BTreeSet::new();
    for (number, source) in sources.iter().enumerate() {
        let place = match source.name.trim().is_empty() {
            true => format!("source {}", number + 1),
            false => format!("source {:?}", source.name),
        };
        if source.name.trim().is_empty() {
            found.add(&*place, "has no name");
        } else {
            found.name(&place, &source.name);
        }
        // A tag ends at a comma.
        if source.name.contains(',') {
            found.add(&*place, "its name has a comma in it");
        }
        if !names.insert(&source.name) && !source.name.trim().is_empty() {
            found.add(&*place, "another source has this name");
        }
        found.not_zero(&format!("{place}: rpo"), source.rpo);
        found.not_zero(&format!("{place}: rto"), source.rto);
        let ways = [!source.paths.is_empty(), source.command.is_some(), source.preset.is_some()];
        match ways.into_iter().filter(|is_said| *is_said).count() {
            0 => found.add(&*place, "says neither paths nor a command nor a preset"),
            1 => {}
            _ => found.add(&*place, "says more than one of paths, a command and a preset"),
        }
        databases(source, &place, found);
        if source.paths.iter().any(|path| path.as_os_str().is_empty()) {
            found.add(&*place, "one of its paths is empty");
        }
        let is_stream = source.command.is_some() || source.preset.is_some();
        let has_filter = !source.exclude.is_empty()
            || !source.iexclude.is_empty()
            || !source.exclude_file.is_empty()
            || !source.exclude_if_present.is_empty()
            || source.exclude_larger_than.is_some()
            || source.exclude_caches
            || source.one_file_system;
        if is_stream && has_filter {
            found.add(&*place, "leaves something out of a stream: that is not done");
        }
        if source.command.is_none() && source.filename.is_some() {
            found.add(&*place, "has a filename, which only the output of a command needs");
        }
        if source.filename.as_ref().is_some_and(|name| name.contains('/') || name.is_empty()) {
            found.add(&*place, "its filename must be a name without a slash");
        }
    }
}

fn databases(source: &Source, place: &str, found: &mut Found) {
    let has_more =
        !source.databases.is_empty() || source.server.is_some() || source.login_file.is_some();
    match source.preset.as_deref() {
        None if has_more => {
            found.add(place, "has databases, a server or a login-file, which only a preset needs")
        }
        None => {}
        Some(preset) if !PRESETS.contains(&preset) => {
            found.add(place, format!("its preset {preset:?} is none of {}", PRESETS.join(", ")));
        }
        Some(SQLITE) => {
            if source.databases.is_empty() {
                found.add(place, "names no file: write databases = [\"/path/of/the.db\"]");
            }
            if source.server.is_some() || source.login_file.is_some() {
                found.add(place, "has a server or a login-file, which SQLite does not have");
            }
        }
        Some(_) => {}
    }
    // It is the name of a folder in the snapshot.
    if source.preset.is_some() && source.name.contains('/') {
        found.add(place, "its name has a slash in it, which a source with a preset cannot have");
    }
}

fn alerts(alerts: &[Alert], found: &mut Found) {
    let mut names = BTreeSet::new();
    for alert in alerts {
        let place = format!("alert {:?}", alert.name());
        found.name(&place, alert.name());
        if !names.insert(alert.name()) {
            found.add(&*place, "another channel has this name: write `name`");
        }
        found.not_zero(&format!("{place}: timeout"), alert.timeout);
        let lacks = match alert.channel {
            ChannelKind::Webhook if alert.url.is_none() => Some("url"),
            ChannelKind::Webhook if alert.secret_file.0.is_empty() => Some("secret-file"),
            ChannelKind::Command if alert.run.is_none() => Some("run"),
            ChannelKind::Ping if alert.url.is_none() && alert.secret_file.0.is_empty() => {
                Some("url")
            }
            ChannelKind::Mail if alert.server.is_none() => Some("server"),
            ChannelKind::Mail if alert.from.is_none() => Some("from"),
            ChannelKind::Mail if alert.to.0.is_empty() => Some("to"),
            kind if kind.is_ticket_system() && alert.url.is_none() => Some("url"),
            kind if kind.is_ticket_system() && alert.user.is_none() => Some("user"),
            kind if kind.is_ticket_system() && alert.secret_file.0.is_empty() => {
                Some("secret-file")
            }
            ChannelKind::Connectwise | ChannelKind::Autotask if alert.client_id.is_none() => {
                Some("client-id")
            }
            _ => None,
        };
        if let Some(name) = lacks {
            found.add(&*place, format!("a channel {} needs `{name}`", alert.channel.name()));
        }
        let is_other =
            |other: &&Alert| other.name() != alert.name() && other.channel != ChannelKind::Ping;
        if let Some(fallback) = &alert.fallback
            && !alerts.iter().filter(is_other).any(|other| other.name() == fallback)
        {
            found.add(&*place, format!("its fallback {fallback:?} is no other channel"));
        }
        if alert.only_as_fallback
            && !alerts.iter().any(|other| other.fallback.as_deref() == Some(alert.name()))
        {
            found.add(&*place, "it is only a fallback, and that of no channel");
        }
    }
}

fn systems(sections: &Sections, found: &mut Found) {
    let mut names = BTreeSet::new();
    for system in &sections.systems {
        let place = match &system.source {
            Some(source) => format!("system {:?}", format!("{}/{source}", system.host)),
            None => format!("system {:?}", system.host),
        };
        found.name(&place, &system.host);
        found.not_zero(&format!("{place}: rpo"), system.rpo);
        if !names.insert((&system.host, &system.source)) {
            found.add(&*place, "it stands there twice");
        }
    }
    let watch = &sections.watch;
    for (name, span) in [
        ("repeat", watch.repeat),
        ("store-timeout", watch.store_timeout),
        ("stale-after", watch.stale_after),
    ] {
        found.not_zero(&format!("watch.{name}"), span);
    }
}

fn schedule(sections: &Sections, found: &mut Found) {
    let Some(schedule) = &sections.schedule else { return };
    let wants = |entry: &Entry| entry.kinds.iter().any(|kind| kind == "database");
    let has_preset = sections.sources.iter().any(|source| source.preset.is_some());
    if schedule.entry(JobKind::Drill).is_some_and(wants) && !has_preset {
        found.add("schedule.drill", "the kind database needs a [[source]] with a preset");
    }
    let named: Vec<(JobKind, &Entry)> =
        JobKind::ALL.into_iter().filter_map(|kind| Some((kind, schedule.entry(kind)?))).collect();
    for (kind, entry) in &named {
        let place = format!("schedule.{kind}");
        trigger(*kind, entry, schedule, &place, found);
        special(*kind, entry, &place, found);
    }
    if schedule.backup.is_some() && sections.sources.is_empty() {
        found.add("schedule.backup", "there is no [[source]] to back up");
    }
    if schedule.forget.is_some() && !sections.has_rules {
        found
            .add("schedule.forget", "there are no rules to forget by: write a section [retention]");
    }
    if schedule.spread.is_some_and(|spread| spread.seconds() > SPREAD_MAX_S) {
        found.add("schedule.spread", "must not be longer than a day");
    }
    if schedule.attempts == Some(0) {
        found.add("schedule.attempts", "must be at least 1");
    }
    if schedule.min_charge.is_some_and(|percent| percent > 100) {
        found.add("schedule.min-charge", "is a percentage");
    }
}

fn trigger(kind: JobKind, entry: &Entry, schedule: &Schedule, place: &str, found: &mut Found) {
    match (&entry.calendar, entry.after) {
        (Some(_), Some(_)) => found.add(place, "says both a calendar and what it comes after"),
        (Some(text), None) => {
            if entry.every.is_some() {
                found.add(place, "says both a calendar and `every`");
            }
            if let Err(error) = Calendar::parse(text) {
                let forms = calendar::FORMS;
                found.add(place, format!("{text:?}: {error}; write for example {forms}"));
            }
        }
        (None, Some(before)) => {
            // The chain ends at a job with a calendar, or it would never begin.
            let (mut at, mut seen) = (before, BTreeSet::from([kind]));
            loop {
                if !seen.insert(at) {
                    found.add(place, "comes after itself");
                    break;
                }
                match schedule.entry(at) {
                    None => {
                        found.add(place, format!("comes after {at}, which has no entry"));
                        break;
                    }
                    Some(next) => match next.after {
                        Some(before) => at = before,
                        None => break,
                    },
                }
            }
        }
        (None, None) if entry.every.is_some_and(|span| span.seconds() > 0) => {}
        (None, None) => found.add(place, "does not say when: a calendar, `every` or `after`"),
    }
    if entry.on.is_some() && entry.after.is_none() {
        found.add(place, "`on` belongs to `after`");
    }
}

/// What only some jobs have.
fn special(kind: JobKind, entry: &Entry, place: &str, found: &mut Found) {
    found.not_zero(&format!("{place}: rotate"), entry.rotate);
    if kind != JobKind::Check && (entry.rotate.is_some() || entry.read_data) {
        found.add(place, "`rotate` and `read-data` belong to check");
    }
    if entry.rotate.is_some() && entry.read_data {
        found.add(place, "`rotate` reads back a part, `read-data` everything: only one of them");
    }
    if kind != JobKind::Report && (!entry.format.is_empty() || entry.to.is_some()) {
        found.add(place, "`format` and `to` belong to report");
    }
    let known: &[&str] = match kind {
        JobKind::Drill => &DRILLS,
        JobKind::Report => &REPORTS,
        _ => &[],
    };
    for name in entry.kinds.iter().filter(|name| !known.contains(&name.as_str())) {
        match known {
            [] => found.add(place, "`kinds` belongs to drill and report"),
            known => found.add(place, format!("{name:?} is none of {}", known.join(", "))),
        }
    }
    for name in entry.format.iter().filter(|name| !FORMATS.contains(&name.as_str())) {
        found.add(place, format!("{name:?} is none of {}", FORMATS.join(", ")));
    }
    if kind == JobKind::Report && (entry.kinds.is_empty() || entry.to.is_none()) {
        found.add(place, "a report needs `kinds` and the folder `to`");
    }
}
