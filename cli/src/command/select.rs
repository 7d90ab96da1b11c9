//! Which snapshots a command means: by `latest`, by the first digits of an id, by filters.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;

use engine::base::id::{ClientId, SessionId};
use engine::base::path::escape;
use engine::base::time::Timestamp;
use engine::index::catalog::{Catalog, Committed};

use crate::args::filter::FilterArgs;
use crate::args::values::Selector;
use crate::command::context::Context;
use crate::command::made::{Made, WrongClock};
use crate::command::whose;
use crate::config::surroundings::Surroundings;
use crate::fault::{ExitCode, Fault};
use crate::ui::Ui;
use crate::units;

/// How many snapshots an error lists as candidates.
const CANDIDATES_MAX: usize = 5;

/// What to do where all snapshots are forgotten.
pub const BACK_FROM_FORGOTTEN: &str =
    "`mainstay snapshots --all` shows them, `mainstay undelete ID` brings one back";

/// That no snapshot is left because all were forgotten.
#[must_use]
pub fn all_forgotten(count: usize) -> String {
    let (what, verb) =
        (units::counted(count as u64, "snapshot"), if count == 1 { "is" } else { "are" });
    format!("no snapshot is left: {what} {verb} forgotten")
}

/// The digits of an id that people see.
#[must_use]
pub fn short_id(session: SessionId) -> String {
    session.to_snapshot_hex()[..8].to_owned()
}

/// Snapshots to choose from, with the conditions that hold for `latest`.
pub struct Choice<'a> {
    /// All snapshots, oldest first.
    pub catalog: &'a Catalog,
    /// Conditions.
    pub filter: &'a FilterArgs,
    /// For relative paths and for times.
    pub around: &'a Surroundings,
    /// When they were made.
    made: Made,
    /// Whose they must be, if that is a condition.
    owners: Option<BTreeSet<ClientId>>,
    /// Whoever wants to know which snapshot is passed over.
    ui: Option<&'a Ui>,
}

impl<'a> Choice<'a> {
    /// For a command; `catalog` has all snapshots.
    #[must_use]
    pub fn new(catalog: &'a Catalog, filter: &'a FilterArgs, context: &Context<'a>) -> Self {
        Self { ui: Some(context.ui), ..Self::quiet(catalog, filter, context.around) }
    }

    /// The same without a word on snapshots that are passed over.
    #[must_use]
    pub fn quiet(catalog: &'a Catalog, filter: &'a FilterArgs, around: &'a Surroundings) -> Self {
        let made = Made::of(catalog, around.clock.now());
        let clients = catalog.claims.clients();
        let owners = filter.client.as_ref().map(|wanted| {
            let found = clients.find(wanted).into_iter();
            found.flat_map(|one| clients.with_predecessors(one.client)).collect()
        });
        Self { catalog, filter, around, made, owners, ui: None }
    }

    /// When snapshots were made.
    #[must_use]
    pub fn made(&self) -> &Made {
        &self.made
    }

    /// Whether there is one client of the name that is a condition.
    ///
    /// # Errors
    /// A fault of usage if there is none or more than one.
    pub fn require_client(&self) -> Result<(), Fault> {
        match &self.filter.client {
            Some(wanted) => whose::find(&self.catalog.claims, wanted).map(drop),
            None => Ok(()),
        }
    }

    /// Whether a snapshot meets the conditions.
    fn lets_through(&self, one: &Committed, at: Timestamp) -> bool {
        let snapshot = &one.snapshot;
        let FilterArgs { host, tag, path, time, client: _ } = self.filter;
        let has_path = |path: &std::path::PathBuf| {
            let wanted = self.around.absolute(path);
            let wanted: std::path::PathBuf = wanted.components().collect();
            let wanted = wanted.as_os_str().as_bytes();
            let mut led_to = snapshot.roots.iter().filter_map(|root| root.led_to.as_ref());
            snapshot.paths.iter().any(|one| one.0 == wanted) || led_to.any(|one| one.0 == wanted)
        };
        (host.is_empty() || host.contains(&snapshot.host))
            && self.owners.as_ref().is_none_or(|owners| owners.contains(&one.owner))
            && (tag.is_empty()
                || tag.iter().any(|set| set.0.iter().all(|tag| snapshot.tags.contains(tag))))
            && path.iter().all(has_path)
            && time.as_ref().is_none_or(|time| {
                let now = self.around.clock.now();
                at <= time.resolve(now, &self.around.time_zone)
            })
    }

    /// All that meet the conditions, oldest first.
    #[must_use]
    pub fn filtered(&self) -> Vec<&'a Committed> {
        let at = |one: &Committed| self.made.at(&one.snapshot);
        let all = self.catalog.snapshots.iter();
        let mut all: Vec<_> = all.filter(|one| self.lets_through(one, at(one))).collect();
        all.sort_by_key(|one| self.made.place(&one.snapshot));
        all
    }

    /// The latest of some snapshots, oldest first: of those that count, the last whose time was seen and
    /// has come, or the last if there is none.
    #[must_use]
    pub fn latest_of<'c>(&self, all: &[&'c Committed]) -> Option<&'c Committed> {
        let counting: Vec<_> = all.iter().copied().filter(|one| one.doubt.is_none()).collect();
        let seen = counting.iter().rfind(|one| self.made.may_be_latest(one));
        seen.or(counting.last()).copied()
    }

    /// Those of [`Choice::filtered`] among which one may be the latest: without those that do not
    /// count, and without those whose time was claimed only or lies in the future, unless there are
    /// no others.
    fn candidates_for_latest(&self) -> Vec<&'a Committed> {
        let (all, doubted): (Vec<_>, Vec<_>) =
            self.filtered().into_iter().partition(|one| one.doubt.is_none());
        self.note_doubted(&doubted, all.last().copied());
        let seen = all.iter().copied().filter(|one| self.made.may_be_latest(one));
        let seen: Vec<_> = seen.collect();
        let is_future = |one: &&Committed| self.made.wrong_clock(one) == Some(WrongClock::Future);
        if let (Some(passed), Some(ui)) = (all.last().copied().filter(is_future), self.ui) {
            ui.note(&self.on_future(passed, seen.is_empty()));
        }
        if seen.is_empty() { all } else { seen }
    }

    /// Says what would be the latest if it counted.
    fn note_doubted(&self, doubted: &[&Committed], newest: Option<&Committed>) {
        let at = |one: &Committed| self.made.at(&one.snapshot);
        let is_newer = |one: &&&Committed| newest.is_none_or(|newest| at(newest) <= at(one));
        let doubted = doubted.iter().rfind(is_newer);
        if let (Some((one, doubt)), Some(ui)) =
            (doubted.and_then(|one| Some((one, one.doubt?))), self.ui)
        {
            ui.note(&format!(
                "snapshot {} of {} does not count as the latest, it is {}; name it by its id if it \
                 is meant",
                short_id(one.snapshot.session),
                crate::ui::output::printable(&one.snapshot.host),
                doubt.words()
            ));
        }
    }

    /// Says of which source the latest snapshot is, where others have some as well: whoever wants the
    /// other one learns it before an hour of restoring.
    pub fn note_source(&self, latest: &Committed) {
        let Some(ui) = self.ui else { return };
        let source = |one: &Committed| (one.snapshot.host.clone(), one.snapshot.paths.clone());
        let chosen = source(latest);
        let others: BTreeSet<_> = self.filtered().into_iter().map(source).collect();
        let count = others.iter().filter(|other| **other != chosen).count();
        if count == 0 {
            return;
        }
        let (host, paths) = chosen;
        let paths: Vec<_> = paths.iter().map(|path| escape(&path.0)).collect();
        ui.note(&format!(
            "the latest is snapshot {} of {}, {}; {} more {} snapshots: --host and --path choose",
            short_id(latest.snapshot.session),
            crate::ui::output::printable(&host),
            paths.join(" "),
            units::count(count as u64),
            if count == 1 { "source has" } else { "sources have" },
        ));
    }

    /// Refuses a host that several clients claim: who has the key of another machine could claim it.
    fn require_one_line(&self, candidates: &[&Committed]) -> Result<(), Fault> {
        if self.filter.client.is_some() {
            return Ok(());
        }
        for host in &self.filter.host {
            let mut lines: BTreeMap<ClientId, &Committed> = BTreeMap::new();
            for one in candidates.iter().filter(|one| one.snapshot.host == *host) {
                lines.insert(one.line, one);
            }
            if lines.len() > 1 {
                return Err(self.several_clients(host, &lines));
            }
        }
        Ok(())
    }

    fn several_clients(&self, host: &str, lines: &BTreeMap<ClientId, &Committed>) -> Fault {
        let clients = self.catalog.claims.clients();
        let shown: Vec<_> = lines
            .iter()
            .take(CANDIDATES_MAX)
            .map(|(line, newest)| {
                let at = self.made.at(&newest.snapshot);
                let time = units::local_time(at, &self.around.time_zone);
                format!("{} (newest {time})", clients.title(*line))
            })
            .collect();
        let more = if lines.len() > CANDIDATES_MAX { ", …" } else { "" };
        let message = format!(
            "{} clients claim the host {host}, and none of them succeeds the others: {}{more}",
            lines.len(),
            shown.join(", ")
        );
        let first = lines.keys().next().map(|line| line.to_string()[..8].to_owned());
        Fault::new(ExitCode::Refused, "E_SEVERAL_CLIENTS", message).hint(format!(
            "say which one: --client {}; `mainstay key clients` shows all. If one machine replaced \
             the other, `mainstay key add --succeeds` and `mainstay key succeed` join what they made",
            first.unwrap_or_default()
        ))
    }

    /// What is said of a snapshot that would be the latest if its time had come.
    fn on_future(&self, one: &Committed, is_all: bool) -> String {
        let id = short_id(one.snapshot.session);
        let time = units::local_time(self.made.at(&one.snapshot), &self.around.time_zone);
        let so = match is_all {
            true => "and so is every other: is the clock of this machine right?".to_owned(),
            false => format!(
                "so it does not count as the latest; name it by its id if it is meant, and look at \
                 the clocks of {}, of the store and of this machine",
                one.snapshot.host
            ),
        };
        format!("snapshot {id} is from the future ({time}), {so}")
    }

    /// The named ones in the order given, each once; without names all that meet the conditions.
    ///
    /// # Errors
    /// As [`Choice::one`].
    pub fn several(&self, selectors: &[Selector]) -> Result<Vec<&'a Committed>, Fault> {
        self.require_client()?;
        if selectors.is_empty() {
            return Ok(self.filtered());
        }
        let mut chosen: Vec<&Committed> = Vec::new();
        for selector in selectors {
            let one = self.one(selector)?;
            if !chosen.iter().any(|other| other.snapshot.session == one.snapshot.session) {
                chosen.push(one);
            }
        }
        Ok(chosen)
    }

    /// The one that is meant. Conditions count for `latest`; an id is an id, also that of a
    /// forgotten snapshot.
    ///
    /// # Errors
    /// A fault of usage that lists candidates if there is none or more than one; exit code 23 for
    /// the latest of a host that several clients claim.
    pub fn one(&self, selector: &Selector) -> Result<&'a Committed, Fault> {
        match selector {
            Selector::Latest { back } => {
                self.require_client()?;
                let filtered = self.candidates_for_latest();
                self.require_one_line(&filtered)?;
                let at = filtered.len().checked_sub(1 + *back as usize);
                at.map(|at| filtered[at]).ok_or_else(|| self.no_latest(*back, filtered.len()))
            }
            Selector::Prefix(prefix) => self.by_prefix(prefix),
        }
    }

    fn by_prefix(&self, prefix: &str) -> Result<&'a Committed, Fault> {
        let all = self.catalog.snapshots.iter().chain(&self.catalog.forgotten);
        let matching: Vec<&Committed> =
            all.filter(|one| one.snapshot.session.to_snapshot_hex().starts_with(prefix)).collect();
        if let [one] = matching.as_slice() {
            return Ok(one);
        }
        let damaged = self.catalog.damaged.iter();
        let mut damaged = damaged.filter(|(id, _)| id.to_snapshot_hex().starts_with(prefix));
        match (matching.is_empty(), damaged.next()) {
            (true, Some((_, error))) => Err(crate::command::trouble::repo(error)),
            (true, None) => Err(Fault::usage(format!("there is no snapshot {prefix}"))
                .hint(self.candidates(&self.newest()))),
            (false, _) => Err(Fault::usage(format!(
                "{prefix} is the beginning of {} snapshots",
                matching.len()
            ))
            .hint(self.candidates(&matching))),
        }
    }

    fn no_latest(&self, back: u32, count: usize) -> Fault {
        let all = self.catalog.snapshots.len();
        let forgotten = self.catalog.forgotten.len();
        let fault = match (all, count) {
            (0, _) if forgotten > 0 => Fault::usage(all_forgotten(forgotten)),
            (0, _) => Fault::usage("the repository has no snapshot yet"),
            (_, 0) => Fault::usage("no snapshot meets the conditions"),
            (_, 1) => Fault::usage(format!("there is no latest~{back}: only 1 snapshot fits")),
            _ => Fault::usage(format!("there is no latest~{back}: only {count} snapshots fit")),
        };
        match all {
            0 if forgotten > 0 => fault.hint(BACK_FROM_FORGOTTEN),
            0 => fault.hint("`mainstay backup PATH` makes the first"),
            _ => fault.hint(self.candidates(&self.newest())),
        }
    }

    fn newest(&self) -> Vec<&'a Committed> {
        let mut all: Vec<_> = self.catalog.snapshots.iter().collect();
        all.sort_by_key(|one| {
            let may = one.doubt.is_none() && self.made.may_be_latest(one);
            Reverse((may, self.made.place(&one.snapshot)))
        });
        all
    }

    fn candidates(&self, snapshots: &[&Committed]) -> String {
        if snapshots.is_empty() {
            return match self.catalog.forgotten.is_empty() {
                true => "`mainstay backup PATH` makes the first snapshot".to_owned(),
                false => BACK_FROM_FORGOTTEN.to_owned(),
            };
        }
        let shown: Vec<_> = snapshots
            .iter()
            .take(CANDIDATES_MAX)
            .map(|one| {
                let time = units::local_time(self.made.at(&one.snapshot), &self.around.time_zone);
                let digits = one.snapshot.session.to_snapshot_hex()[..16].to_owned();
                format!("{digits} of {} from {time}", one.snapshot.host)
            })
            .collect();
        let more = match snapshots.len() - shown.len() {
            0 => String::new(),
            more => format!(", and {more} more: `mainstay snapshots`"),
        };
        format!("one of these: {}{more}", shown.join(", "))
    }
}

#[cfg(test)]
mod tests;
