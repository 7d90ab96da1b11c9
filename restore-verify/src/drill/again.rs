//! Files that an earlier test found broken: its repetition looks at them whatever it draws.

use std::collections::HashSet;

use engine::base::path::TreePath;
use engine::repo::Repo;

use crate::drill::salt::Salts;
use crate::evidence::event::Event;
use crate::evidence::record::{Hash32, Reference};
use crate::evidence::shelf::Shelf;

/// Paths by the hashes that the earlier drill gave them.
pub struct Again {
    salts: Salts,
    hashes: HashSet<Hash32>,
}

impl Again {
    /// The files that a drill named in its findings; `None` if it is no drill or named no file.
    #[must_use]
    pub fn of(repo: &Repo, shelf: &Shelf<'_>, finding: Reference) -> Option<Self> {
        let event = |at: Reference| {
            let records = shelf.records();
            let one = records.into_iter().find(|one| one.reference() == at)?;
            Event::decode(&one.record.event, &one.record.body).ok()
        };
        let Event::Drill(drill) = event(finding)? else { return None };
        let Event::DrillBegun(begun) = event(drill.begun)? else { return None };
        let hashes: HashSet<Hash32> = drill.findings.iter().filter_map(|it| it.file).collect();
        (!hashes.is_empty()).then_some(Self { salts: Salts::new(repo, &begun.seed?), hashes })
    }

    /// Whether the earlier drill named this path.
    #[must_use]
    pub fn holds(&self, path: &TreePath) -> bool {
        self.hashes.contains(&self.salts.hash(path))
    }
}
