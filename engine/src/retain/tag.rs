//! Changing tags: a record beside the snapshot, which itself never changes.

use std::collections::BTreeSet;

use crate::base::id::SessionId;
use crate::index::Index;
use crate::index::identity::writer_identity;
use crate::index::marks::TagChanges;
use crate::repo::Repo;
use crate::repo::marks::{put_tags, require_may_mark};
use crate::retain::RetainError;

/// What to do with the tags of snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagEdit {
    /// Adds some.
    Add(Vec<String>),
    /// Takes some away.
    Remove(Vec<String>),
    /// Has these and no others.
    Set(Vec<String>),
}

impl TagEdit {
    fn apply(&self, tags: &BTreeSet<String>) -> BTreeSet<String> {
        match self {
            Self::Add(more) => tags.iter().chain(more).cloned().collect(),
            Self::Remove(less) => tags.iter().filter(|tag| !less.contains(tag)).cloned().collect(),
            Self::Set(all) => all.iter().cloned().collect(),
        }
    }

    fn named(&self) -> &[String] {
        match self {
            Self::Add(tags) | Self::Remove(tags) | Self::Set(tags) => tags,
        }
    }
}

/// A snapshot's tags before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retagged {
    /// The snapshot.
    pub session: SessionId,
    /// What it had.
    pub before: Vec<String>,
    /// What it has.
    pub after: Vec<String>,
}

/// Changes the tags of `snapshots` (each with the tags of its own record); returns those whose
/// tags are others now.
///
/// # Errors
/// [`crate::repo::error::RepoError::Denied`] for roles that may not, [`RetainError::BadTag`];
/// errors of store and index.
pub fn tag(
    repo: &Repo,
    index: &Index,
    host: &str,
    snapshots: &[(SessionId, &[String])],
    edit: &TagEdit,
) -> Result<Vec<Retagged>, RetainError> {
    require_may_mark(repo, "change tags")?;
    edit.named().iter().try_for_each(|tag| check(tag))?;
    let identity = writer_identity(repo, index, host)?;
    let changes = TagChanges::read(repo, index)?;
    let mut changed = Vec::new();
    for (session, own) in snapshots {
        let before: BTreeSet<String> = changes.of(*session, own).into_iter().collect();
        let after = edit.apply(&before);
        if after == before {
            continue;
        }
        let after: Vec<_> = after.into_iter().collect();
        let replaces = changes.replaced_by_next(*session);
        put_tags(repo, &identity, *session, after.clone(), replaces)?;
        changed.push(Retagged { session: *session, before: before.into_iter().collect(), after });
    }
    Ok(changed)
}

/// Refuses what could not be asked for again on a command line.
fn check(tag: &str) -> Result<(), RetainError> {
    let bad = |why| Err(RetainError::BadTag { tag: tag.chars().take(80).collect(), why });
    match tag {
        "" => bad("it is empty"),
        _ if tag.contains(',') => bad("a comma separates tags"),
        _ if tag.trim() != tag => bad("it begins or ends with a space"),
        _ if tag.chars().any(char::is_control) => bad("it has control characters"),
        _ => Ok(()),
    }
}
