//! Errors of the engine whose meaning depends on what a command was about to do.
//!
//! A class alone cannot tell a role that does not suffice from a store that denies access, nor a
//! local file that may not be written from an object that may not be read; these can.

use std::io::ErrorKind;

use engine::backup::BackupError;
use engine::base::error::{Classified, ErrorClass};
use engine::check::CheckError;
use engine::disk::error::DiskError;
use engine::format::consent::Deed;
use engine::gc::GcError;
use engine::index::IndexError;
use engine::index::error::StateObstacle;
use engine::repo::error::RepoError;
use engine::restore::RestoreError;
use engine::retain::RetainError;

use crate::fault::{Doing, ExitCode, Fault};
use crate::units;

/// Finding and unlocking a repository failed.
#[must_use]
pub fn opening(error: &RepoError) -> Fault {
    match error {
        RepoError::NoRepository { .. } => Fault::during(Doing::Find, error),
        RepoError::ManySlots { .. } => Fault::during(Doing::Unlock, error).hint(
            "a key file or the recovery words need no search; `mainstay key list` with one of them \
             shows slots that nobody here made, and `mainstay key remove` deletes them",
        ),
        RepoError::NoSlots { .. } => Fault::during(Doing::Unlock, error).hint(
            "no key opens it without them: they were lost, or never copied here; get the objects \
             below keys/ back from a copy of the store or from earlier versions of its objects",
        ),
        RepoError::WrongKey { slot_count: 0, .. } => Fault::during(Doing::Unlock, error).hint(
            "the store has no slot for one; another kind of key may still open it (passphrase, \
             recovery words, key file)",
        ),
        RepoError::WrongKey { .. } | RepoError::KeyFile { .. } => {
            Fault::during(Doing::Unlock, error)
        }
        RepoError::LeftOut { .. } => Fault::during(Doing::Unlock, error).hint(
            "ask whoever administers the repository for a new key (`mainstay key add`); the \
             passphrase of an administrator and the recovery words open everything",
        ),
        RepoError::Store(store) if store.class() == ErrorClass::Missing => {
            Fault::during(Doing::Find, error)
        }
        RepoError::Corrupt { .. } => Fault::during(Doing::Work, error)
            .hint("nothing opens without this object: get it back from a copy of the store"),
        RepoError::Ambiguous { .. } => Fault::during(Doing::Work, error)
            .hint(
            "a key file belongs to one of them, so use that; and move the objects of the other to a \
             prefix of its own",
        ),
        other => Fault::during(Doing::Work, other),
    }
}

/// Work on keys and records failed.
#[must_use]
pub fn repo(error: &RepoError) -> Fault {
    match error {
        RepoError::Denied { .. } => Fault::during(Doing::Unlock, error)
            .hint("use the passphrase or a key file with another role; `mainstay key test` says which role a key has"),
        RepoError::Revoked { client, .. } => Fault::during(Doing::Unlock, error).hint(format!(
            "an administrator can make a key that goes on with its history: mainstay key add --role \
             ROLE --succeeds {client} --to-key-file FILE"
        )),
        RepoError::TakesTwo { deed, subject, count } => {
            let what = match deed {
                Deed::Prune => format!("prune {count}"),
                Deed::Release => format!("release {subject}"),
                Deed::Offboard => format!("offboard {subject}"),
            };
            Fault::during(Doing::Work, error).hint(format!(
                "an approver says `mainstay approve {what} --reason WHY` with their own key; then repeat \
                 this. `mainstay approve list` names approvers"
            ))
        }
        RepoError::NotOneSlot { .. } => {
            Fault::during(Doing::Work, error).hint("`mainstay key list` shows all ids")
        }
        other => Fault::during(Doing::Work, other),
    }
}

/// Work on the local index failed.
#[must_use]
pub fn index(error: &IndexError) -> Fault {
    match error {
        IndexError::Repo(error) => repo(error),
        IndexError::Damaged { .. } | IndexError::Database { .. }
            if error.class() == ErrorClass::Corrupt =>
        {
            Fault::during(Doing::Work, error)
                .exit(ExitCode::Failed)
                .hint("repeat the command: the index is then replaced; the repository is not hurt")
        }
        other => {
            let fault = Fault::during(Doing::Work, other);
            match other.obstacle() {
                Some(StateObstacle::Full) => fault.hint(
                    "make room where the state folder lies: `mainstay cache clean`; or choose another \
                     one with --cache-dir; --no-index does without, except for backups",
                ),
                Some(StateObstacle::Closed) => fault.hint(
                    "let this user write to the state folder, or choose another one with --cache-dir; \
                     --no-index does without, except for backups",
                ),
                Some(StateObstacle::Failing) => fault.hint(
                    "look at the disk of the state folder, and whether it is full; another one is \
                     chosen with --cache-dir",
                ),
                None => fault,
            }
        }
    }
}

/// Forgetting, holding, tagging or bringing back failed.
#[must_use]
pub fn retain(error: &RetainError) -> Fault {
    match error {
        RetainError::Repo(error) => repo(error),
        RetainError::Index(error) => index(error),
        RetainError::Held { .. } => Fault::during(Doing::Work, error)
            .hint("`mainstay hold list` says why; it stays until the hold is released"),
        RetainError::Newest { .. } => Fault::during(Doing::Work, error)
            .hint("if that is meant: --confirm-mass-delete N with the number of snapshots"),
        RetainError::MoreThanConfirmed { count, .. } => Fault::during(Doing::Work, error)
            .hint(format!("look at --dry-run; if that is meant: --confirm-mass-delete {count}")),
        RetainError::ClocksDiffer { .. } => Fault::during(Doing::Work, error).hint(
            "set the clock that is wrong; snapshots that are named can be forgotten meanwhile",
        ),
        RetainError::NotWhole { .. } => Fault::during(Doing::Work, error)
            .hint("`mainstay snapshots --all` shows what is forgotten and still there"),
        other => Fault::during(Doing::Work, other),
    }
}

/// Work on local files failed: that is never the store's or the key's fault.
#[must_use]
pub fn disk(error: &DiskError) -> Fault {
    match error.class() {
        ErrorClass::Denied | ErrorClass::Missing | ErrorClass::Local => {
            with_cause(Fault::local(error.to_string()), error)
        }
        ErrorClass::Usage if matches!(error, DiskError::BadPattern { .. }) => {
            Fault::during(Doing::Work, error).hint(PATTERN)
        }
        _ => Fault::during(Doing::Work, error),
    }
}

/// How to write what has a meaning in patterns.
const PATTERN: &str = "a backslash takes the meaning from the letter behind it, as in '\\[' or \
                       '\\!'; quotes keep both from the shell";

fn with_cause(fault: Fault, error: &DiskError) -> Fault {
    match std::error::Error::source(error) {
        Some(source) => fault.because(source),
        None => fault,
    }
}

/// A backup made no snapshot.
#[must_use]
pub fn backup(error: &BackupError) -> Fault {
    match error {
        BackupError::Disk(error) => disk(error),
        BackupError::Repo(error) => repo(error),
        BackupError::Index(error) => index(error),
        BackupError::NothingSelected { .. } => Fault::during(Doing::Work, error).hint(
            "look at the filters; the repository and the state folder of this program are always \
                 left out. If that is meant: --allow-empty",
        ),
        BackupError::Stream { source } => Fault::local(error.to_string()).because(source),
        BackupError::EmptyStream => Fault::during(Doing::Work, error)
            .hint("look at what should have written it; if that is meant: --allow-empty"),
        BackupError::ForeignHost { client, .. } => Fault::during(Doing::Work, error).hint(format!(
            "say a host that it may name with --host; for another one an administrator makes a key \
             that goes on with its history: mainstay key add --role backup --client-host HOST \
             --succeeds {client} --to-key-file FILE"
        )),
        BackupError::PutBack => Fault::during(Doing::Work, error).hint(
            "repeat the command, which stores again what is gone, and find out what happened to the store",
        ),
        BackupError::AlwaysFenced { .. } => Fault::during(Doing::Work, error)
            .hint("a prune is running; try again when it has finished"),
        other => Fault::during(Doing::Work, other),
    }
}

/// A restore or a look into a file stopped.
#[must_use]
pub fn restore(error: &RestoreError) -> Fault {
    match error {
        RestoreError::Disk(DiskError::Io { path, source, .. })
            if matches!(source.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) =>
        {
            Fault::local(format!("the target {path} is a file, or lies below one")).hint(
                "choose a folder, which is made if it is not there; a single file comes back by \
                 SNAP:/path/of/file --target ./name",
            )
        }
        RestoreError::Disk(error) => disk(error),
        // Not the store's fault, and what was to be made there first is no affair of the user.
        RestoreError::Unwritable { source: DiskError::Io { source, .. }, .. } => {
            Fault::local(error.to_string()).because(source)
        }
        RestoreError::Repo(error) => repo(error),
        RestoreError::Index(error) => index(error),
        RestoreError::TargetNotEmpty { .. } => Fault::during(Doing::Work, error)
            .hint("choose an empty folder, or say what to do: --overwrite if-changed"),
        RestoreError::TargetExists { .. } => Fault::during(Doing::Work, error)
            .hint("choose another name, or say what to do: --overwrite if-changed"),
        RestoreError::NoSuchPath { path } if path.contains('\\') => {
            Fault::during(Doing::Work, error).hint(
                "write the path as `mainstay ls` shows it, in quotes that leave backslashes alone: \
                 'latest:/a\\nb'",
            )
        }
        RestoreError::NoSuchPath { .. } => Fault::during(Doing::Work, error)
            .hint("`mainstay ls` and `mainstay find` show what there is"),
        RestoreError::Output { source } => Fault::local(error.to_string()).because(source),
        RestoreError::Unread { .. } => Fault::during(Doing::Work, error)
            .hint("`mainstay problems SNAP` says why; another snapshot may have its content"),
        RestoreError::NotAFile { .. } => Fault::during(Doing::Work, error).hint(
            "`mainstay ls SNAP:PATH` shows what it is and where a link leads; `mainstay restore \
                 SNAP:PATH --target DIR` brings it back",
        ),
        RestoreError::NoSpace { free_bytes, needed_bytes } => Fault::local(format!(
            "the target has {} free, the restore needs {}",
            units::size(*free_bytes),
            units::size(*needed_bytes)
        ))
        .hint(
            "choose another target, or a part with SNAP:PATH; --in-place needs no room for files \
             that are there, --no-space-check tries anyway",
        ),
        RestoreError::Interrupted => {
            Fault::during(Doing::Work, error).hint("the same command goes on where it stopped")
        }
        other => Fault::during(Doing::Work, other),
    }
}

/// A check could not be carried out.
#[must_use]
pub fn check(error: &CheckError) -> Fault {
    match error {
        CheckError::Repo(error) => repo(error),
        CheckError::Index(error) => index(error),
        other => Fault::during(Doing::Work, other),
    }
}

/// A collection stopped.
#[must_use]
pub fn collecting(error: &GcError) -> Fault {
    match error {
        GcError::Repo(error) => repo(error),
        GcError::Index(error) => index(error),
        GcError::MassDelete { confirm, .. } => Fault::during(Doing::Work, error).hint(format!(
            "if that is meant: mainstay prune --confirm-mass-delete {confirm}; nothing was deleted"
        )),
        GcError::Unsure { what, .. } if what.starts_with("snap/") => {
            Fault::during(Doing::Work, error)
                .hint(format!("`mainstay unblock {what}` says what it takes to go on without it"))
        }
        GcError::Unsure { .. } => Fault::during(Doing::Work, error).hint(
            "`mainstay check` says what is damaged; a snapshot that cannot be saved can be \
             forgotten, then prune goes on without it",
        ),
        GcError::RolledBack { .. } => Fault::during(Doing::Work, error)
            .hint("find out what happened to the store before anything is deleted from it"),
        GcError::Interrupted => Fault::during(Doing::Work, error)
            .hint("the same command goes on; a long wait can be cut short with --abandon"),
        other => Fault::during(Doing::Work, other),
    }
}

#[cfg(test)]
mod tests;
