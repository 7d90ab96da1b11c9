//! Which snapshots a command means: by `latest`, by the first digits of an id, by filters.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;

use engine::base::id::{ClientId, SessionId};
use engine::base::time::Timestamp;
use engine::format::snapshot::Snapshot;
use engine::index::catalog::{Catalog, Committed};

use crate::args::filter::FilterArgs;
use crate::args::values::Selector;
use crate::config::surroundings::Surroundings;
use crate::fault::Fault;
use crate::units;

/// How many snapshots an error lists as candidates.
const CANDIDATES_MAX: usize = 5;

/// The digits of an id that people see.
#[must_use]
pub fn short_id(session: SessionId) -> String {
    session.to_snapshot_hex()[..8].to_owned()
}

/// When each snapshot was made: the earlier of what its client says and of when the store received
/// its commit, but not after a later one of the same client, whose sessions are numbered. A clock that
/// runs ahead would otherwise make an old snapshot the latest for years.
#[must_use]
pub fn times(catalog: &Catalog) -> HashMap<SessionId, Timestamp> {
    let mut all: Vec<&Committed> = catalog.snapshots.iter().chain(&catalog.forgotten).collect();
    all.sort_by_key(|one| (one.snapshot.client, Reverse(one.snapshot.session.sequence())));
    let mut times = HashMap::with_capacity(all.len());
    let mut later: Option<Later> = None;
    for one in all {
        let snapshot = &one.snapshot;
        let own = snapshot.started.min(one.committed);
        let bound = later.filter(|later| later.client == snapshot.client);
        let at = match bound {
            // Equal times are then told apart by the numbers of their sessions.
            Some(later) if own > later.committed => later.at,
            _ => own,
        };
        times.insert(snapshot.session, at);
        let committed = bound.map_or(one.committed, |later| later.committed.min(one.committed));
        // One that was brought back says when its files were read, not when it was made.
        let at = if snapshot.original.is_some() { committed } else { at };
        later = Some(Later { client: snapshot.client, committed, at });
    }
    times
}

/// What the later snapshots of a client say about those before.
#[derive(Clone, Copy)]
struct Later {
    client: ClientId,
    /// The first of their commits by the store's clock.
    committed: Timestamp,
    /// When the next of them was made.
    at: Timestamp,
}

/// Snapshots to choose from, with the conditions that hold for `latest`.
pub struct Choice<'a> {
    /// All snapshots, oldest first.
    pub catalog: &'a Catalog,
    /// Conditions.
    pub filter: &'a FilterArgs,
    /// For relative paths and for times.
    pub around: &'a Surroundings,
}

impl<'a> Choice<'a> {
    /// Whether a snapshot meets the conditions.
    fn lets_through(&self, snapshot: &Snapshot, at: Timestamp) -> bool {
        let FilterArgs { host, tag, path, time } = self.filter;
        let has_path = |path: &std::path::PathBuf| {
            let wanted = self.around.absolute(path);
            let wanted: std::path::PathBuf = wanted.components().collect();
            let wanted = wanted.as_os_str().as_bytes();
            let mut led_to = snapshot.roots.iter().filter_map(|root| root.led_to.as_ref());
            snapshot.paths.iter().any(|one| one.0 == wanted) || led_to.any(|one| one.0 == wanted)
        };
        (host.is_empty() || host.contains(&snapshot.host))
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
        let times = times(self.catalog);
        let at = |one: &Committed| {
            let session = one.snapshot.session;
            times.get(&session).copied().unwrap_or(one.snapshot.started)
        };
        let all = self.catalog.snapshots.iter();
        let mut all: Vec<_> = all.filter(|one| self.lets_through(&one.snapshot, at(one))).collect();
        // Equal times are those of one client of which only the order is known.
        all.sort_by_key(|one| (at(one), one.snapshot.session.sequence()));
        all
    }

    /// The named ones in the order given, each once; without names all that meet the conditions.
    ///
    /// # Errors
    /// As [`Choice::one`].
    pub fn several(&self, selectors: &[Selector]) -> Result<Vec<&'a Committed>, Fault> {
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
    /// A fault of usage that lists candidates if there is none or more than one.
    pub fn one(&self, selector: &Selector) -> Result<&'a Committed, Fault> {
        match selector {
            Selector::Latest { back } => {
                let filtered = self.filtered();
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
        let fault = match (all, count) {
            (0, _) => Fault::usage("the repository has no snapshot yet"),
            (_, 0) => Fault::usage("no snapshot meets the conditions"),
            (_, 1) => Fault::usage(format!("there is no latest~{back}: only 1 snapshot fits")),
            _ => Fault::usage(format!("there is no latest~{back}: only {count} snapshots fit")),
        };
        match all {
            0 => fault.hint("`mainstay backup PATH` makes the first"),
            _ => fault.hint(self.candidates(&self.newest())),
        }
    }

    fn newest(&self) -> Vec<&'a Committed> {
        self.catalog.snapshots.iter().rev().collect()
    }

    fn candidates(&self, snapshots: &[&Committed]) -> String {
        if snapshots.is_empty() {
            return "`mainstay backup PATH` makes the first snapshot".to_owned();
        }
        let shown: Vec<_> = snapshots
            .iter()
            .take(CANDIDATES_MAX)
            .map(|one| {
                let time = units::local_time(one.snapshot.started, &self.around.time_zone);
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
