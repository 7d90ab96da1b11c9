//! Before the good copy of a chunk goes, the other one must have proved itself: its pack is asked what
//! is in it, by its own footer, which the client of its session signed.
//!
//! What a segment says of a pack is repeated by whoever writes segments. What a machine wrote itself,
//! or has asked once, it need not ask again; so this costs requests only where chunks have copies
//! that somebody else stored.

use std::collections::{BTreeMap, HashSet};

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::PackId;
use crate::format::generation::PackSet;
use crate::gc::choose;
use crate::gc::collector::{Collector, Survey};
use crate::gc::error::GcError;
use crate::index::PackStanding;
use crate::repo::error::RepoError;
use crate::repo::footer::read_footer;

impl Collector<'_> {
    /// Reads the footers of packs whose copies would let condemned packs go. One that does not say
    /// what the index says of it is passed over from then on.
    ///
    /// # Errors
    /// Those of the store that concern more than one object, and of the index.
    pub(super) fn authenticate_copies(
        &self,
        survey: &mut Survey,
        condemned: &PackSet,
        excluded: &PackSet,
    ) -> Result<(), GcError> {
        let reader = self.index.reader()?;
        let mut failed = HashSet::new();
        loop {
            let (packs, marks) = (&survey.packs, &survey.marks);
            let not_in = [excluded, condemned];
            let wanted = choose::to_authenticate(&reader, packs, marks, not_in, &failed)?;
            if wanted.is_empty() {
                return Ok(());
            }
            if self.monitor.is_cancelled() {
                return Err(GcError::Interrupted);
            }
            let good = self.ask(&wanted, survey)?;
            for row in wanted.into_keys() {
                match survey.packs.get_mut(&row).filter(|_| good.contains(&row)) {
                    Some(pack) => pack.row.standing = PackStanding::Authenticated,
                    None => drop(failed.insert(row)),
                }
            }
        }
    }

    /// Which of these packs say of themselves what the index says of them.
    fn ask(
        &self,
        wanted: &BTreeMap<i64, PackId>,
        survey: &Survey,
    ) -> Result<HashSet<i64>, GcError> {
        let reader = self.index.reader()?;
        let (mut good, mut names) = (HashSet::new(), Vec::new());
        for (row, pack) in wanted {
            let own = match read_footer(self.repo, *pack) {
                Ok(Some(own)) => own,
                Ok(None) => continue,
                Err(error) if is_of_one_object(&error) => {
                    self.monitor.note(&format!("a copy does not count: {error}"));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let known = survey.packs.get(row).is_some_and(|known| {
                (known.row.stored_bytes, known.row.domain) == (own.stored_bytes, own.domain)
            });
            if known && reader.pack_table(pack)?.as_ref() == Some(&own.table) {
                good.insert(*row);
                names.push(*pack);
            } else {
                let key = crate::store::name::ObjectName::Pack(*pack).key();
                self.monitor.note(&format!("a copy does not count: {key} holds something else"));
            }
        }
        self.index.set_authenticated(&names)?;
        Ok(good)
    }
}

fn is_of_one_object(error: &RepoError) -> bool {
    matches!(
        error.class(),
        ErrorClass::Corrupt | ErrorClass::Missing | ErrorClass::Newer | ErrorClass::Unreadable
    )
}
