//! Events of commands that do something else: written at once if that is possible, otherwise later.
//!
//! A command does not fail because its evidence could not be written. Its event is put into a queue
//! on this machine first, durably, and then everything in the queue goes to the store. What stays,
//! because the store does not take it or because a drill of this machine writes, goes with the next
//! event or at the end of that drill. The time of the act stands in the body; that of the record is
//! later.

use std::fs::DirBuilder;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use engine::base::error::in_one_line;
use engine::base::id::encode_hex;
use engine::crypt::random;
use engine::repo::Repo;
use engine::repo::keyring::Identity;
use minicbor::{Decode, Encode};

use crate::evidence::copy::{CopyError, FOLDER};
use crate::evidence::event::Event;
use crate::evidence::record::{Reference, Writer, encode};
use crate::evidence::shelf::{Author, Shelf, ShelfError, millis};

/// Events that wait on one machine; somebody has long been told when there are as many.
const WAITING_MAX: usize = 1000;

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// It is in the store, and nothing waits.
    Written(Reference),
    /// It waits on this machine.
    Waiting {
        /// How many do.
        count: usize,
        /// What is in the way.
        why: String,
    },
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Waiting {
    #[n(0)]
    writer: Writer,
    #[n(1)]
    actor: String,
    #[n(2)]
    host: String,
    #[n(3)]
    event: String,
    #[cbor(n(4), with = "minicbor::bytes")]
    body: Vec<u8>,
}

/// Writes an event into the author's chain, now or later.
///
/// # Errors
/// Only if it cannot even be put into the queue.
pub fn note(
    repo: &Repo,
    state: &Path,
    author: &Author<'_>,
    event: &Event,
) -> Result<Noted, ShelfError> {
    let waiting = Waiting {
        writer: Writer(*author.identity.client.as_bytes()),
        actor: author.actor.to_owned(),
        host: author.host.to_owned(),
        event: event.name().to_owned(),
        body: event.body(),
    };
    let folder = folder(state)?;
    let count = names(&folder)?.len();
    if count >= WAITING_MAX {
        return Err(ShelfError::QueueFull { count });
    }
    let name =
        format!("{:016x}-{}", millis(repo.clock().now()).max(0), encode_hex(&random::array::<8>()));
    let path = folder.join(&name);
    let put = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(&encode(&waiting))?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    put().map_err(CopyError::during("writing", &path))?;
    let written = Shelf::open_end(repo, state, author.identity)
        .and_then(|mut shelf| write_waiting(&mut shelf, state, author.identity, Some(&name)));
    Ok(match written {
        Ok(Some(at)) => Noted::Written(at),
        // Another run of this machine was faster and has written it.
        Ok(None) => Noted::Waiting { count: 0, why: "another run writes it".to_owned() },
        Err(error) => Noted::Waiting { count: count + 1, why: in_one_line(&error) },
    })
}

/// Writes what waits for the chain of `identity`; answers the record of `fresh`, or the last one.
///
/// # Errors
/// Those of the store and of local files: what is not written still waits.
pub fn write_waiting(
    shelf: &mut Shelf<'_>,
    state: &Path,
    identity: &Identity,
    fresh: Option<&str>,
) -> Result<Option<Reference>, ShelfError> {
    let folder = folder(state)?;
    let own = Writer(*identity.client.as_bytes());
    let (mut last, mut wanted) = (None, None);
    for name in names(&folder)? {
        let path = folder.join(&name);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            read => read.map_err(CopyError::during("reading", &path))?,
        };
        // What this program did not write stays where it is.
        let Ok(waiting) = minicbor::decode::<Waiting>(&bytes) else { continue };
        let Ok(event) = Event::decode(&waiting.event, &waiting.body) else { continue };
        if waiting.writer != own {
            continue;
        }
        let is_fresh = fresh == Some(name.as_str());
        // A run that died between writing and forgetting must not have written twice.
        let known = if is_fresh { None } else { shelf.kept(own, &waiting.event, &waiting.body)? };
        let author = Author { identity, actor: &waiting.actor, host: &waiting.host };
        let at = match known {
            Some(at) => at,
            None => shelf.append(&author, &event)?.reference(),
        };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(CopyError::during("removing", &path)(error).into());
            }
            _ => {}
        }
        last = Some(at);
        if is_fresh {
            wanted = last;
        }
    }
    Ok(wanted.or(last))
}

/// How many events wait on this machine.
///
/// # Errors
/// If the queue cannot be read.
pub fn waiting_count(state: &Path) -> Result<usize, ShelfError> {
    Ok(names(&folder(state)?)?.len())
}

fn folder(state: &Path) -> Result<PathBuf, CopyError> {
    let folder = state.join(FOLDER).join("waiting");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(CopyError::during("creating", &folder))?;
    Ok(folder)
}

/// Names in the queue, oldest first.
fn names(folder: &Path) -> Result<Vec<String>, CopyError> {
    let failed = |source| CopyError::during("reading", folder)(source);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        // Temporary files begin with a point.
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
