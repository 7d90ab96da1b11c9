//! What a check found.

use std::collections::BTreeMap;

use crate::base::id::PackId;

/// Paths that one damaged object is reported with; more are counted.
const PATHS_MAX: usize = 100;

/// Something that is damaged or missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Damage {
    /// What is wrong with the object, one sentence per finding.
    pub findings: Vec<String>,
    /// Paths that cannot be restored because of it, as `snapshot:/path`, the first of them.
    pub paths: Vec<String>,
    /// How many such paths there are.
    pub path_count: u64,
}

/// Outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Confirmed snapshots that are not forgotten.
    pub snapshots: u64,
    /// Packs in the store.
    pub packs: u64,
    /// Bytes of all packs.
    pub pack_bytes: u64,
    /// Packs that were read whole.
    pub packs_read: u64,
    /// Bytes of packs that were read and authenticated.
    pub bytes_read: u64,
    /// Packs that were read whole and are what was written.
    pub authenticated: Vec<PackId>,
    /// Chunks whose ids were computed again.
    pub chunks_read: u64,
    /// Small objects that were read and verified.
    pub records_read: u64,
    /// Tree nodes that snapshots reach.
    pub nodes: u64,
    /// References to chunks that were looked up.
    pub chunk_references: u64,
    /// Packs that no segment lists: left by runs that ended early; they do no harm.
    pub unlisted_packs: u64,
    /// Snapshots that are forgotten and still there; what they need is not looked up.
    pub forgotten: u64,
    /// Commits that are not confirmed yet.
    pub unconfirmed: u64,
    /// Keys in the store that no object of a repository bears.
    pub foreign_keys: Vec<String>,
    /// Key slots that no administrator has signed, and why they do not count.
    pub stray_slots: Vec<(String, &'static str)>,
    /// Damage by key of the object; chunks without any pack stand under `chunk <id>`.
    pub damage: BTreeMap<String, Damage>,
    /// Wall time, in milliseconds.
    pub duration_ms: u64,
}

impl CheckReport {
    /// Whether nothing is damaged or missing.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }

    /// Takes over what the walk over the snapshots found.
    pub(super) fn take_structure(&mut self, found: Self) {
        self.nodes = found.nodes;
        self.chunk_references = found.chunk_references;
        for (key, damage) in found.damage {
            for finding in damage.findings {
                self.finding(&key, finding);
            }
            let into = self.damage.entry(key).or_default();
            into.path_count += damage.path_count;
            into.paths.extend(damage.paths);
            into.paths.truncate(PATHS_MAX);
        }
    }

    /// A finding about an object.
    pub(super) fn finding(&mut self, key: &str, finding: String) {
        let damage = self.damage.entry(key.to_owned()).or_default();
        if !damage.findings.contains(&finding) && damage.findings.len() < PATHS_MAX {
            damage.findings.push(finding);
        }
    }

    /// A path that is hurt by what is wrong with an object.
    pub(super) fn hurts(&mut self, key: &str, path: String) {
        let damage = self.damage.entry(key.to_owned()).or_default();
        if damage.paths.last() == Some(&path) {
            return;
        }
        damage.path_count += 1;
        if damage.paths.len() < PATHS_MAX {
            damage.paths.push(path);
        }
    }
}
