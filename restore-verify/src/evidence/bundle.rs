//! A bundle in the making: chains, who vouches for them, and files beside them in one archive.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use engine::base::id::ClientId;
use engine::repo::{evidence, machine};

use crate::evidence::container::{self, Files};
use crate::evidence::derive::POPULATIONS_FOLDER;
use crate::evidence::event::Event;
use crate::evidence::record::{Reference, Writer};
use crate::evidence::revoked::CLIENTS_FOLDER;
use crate::evidence::runs;
use crate::evidence::shelf::{Author, Shelf, ShelfError};
use crate::evidence::verify::{
    CHAINS_FOLDER, IDENTITY_FILE, TOKENS_FOLDER, export_event, export_segments, identity_text,
};

/// What a bundle shall hold.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// Nothing written before this, in milliseconds since 1970. Each chain begins with the first
    /// record that is wanted and is without a gap from there.
    pub from_ms: Option<i64>,
    /// Whom it is for.
    pub purpose: String,
    /// Files beside the chains: reports, populations, results, proofs.
    pub files: Files,
    /// Folder of the state of this machine, which holds the runs of the populations it recorded;
    /// `None` leaves them out.
    pub state: Option<std::path::PathBuf>,
}

/// A bundle, and the record that closes it.
pub struct Exported {
    /// The archive.
    pub bytes: Vec<u8>,
    /// The record.
    pub closing: Reference,
    /// Records in it, that one included.
    pub record_count: u64,
}

/// Writes an `export` record and puts together the bundle that it closes.
///
/// # Errors
/// Those of the store; [`ShelfError::NoSuch`] if the bundle would be too large.
pub fn export(
    shelf: &mut Shelf<'_>,
    repo: &engine::repo::Repo,
    author: &Author<'_>,
    options: &ExportOptions,
) -> Result<Exported, ShelfError> {
    let own = Writer(*author.identity.client.as_bytes());
    let identity = identity_text(repo.config().repository.as_bytes(), &repo.config().admin_key);
    let mut files = options.files.clone();
    files.insert(IDENTITY_FILE.to_owned(), identity.into_bytes());
    let late: BTreeSet<Reference> = shelf.late().iter().map(|one| one.reference()).collect();
    let mut ends: Vec<(u32, Reference)> = Vec::new();
    let mut chains: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (writer, chain) in shelf.chains() {
        let is_wanted = |at_ms: i64| options.from_ms.is_none_or(|from_ms| at_ms >= from_ms);
        let first = chain.iter().position(|one| is_wanted(one.record.at_ms));
        let Some(part) = first.map(|first| &chain[first..]) else { continue };
        for one in part {
            chains.insert(chain_file(one.reference()), one.signed.clone());
            let state = options.state.as_deref();
            // What counts for nothing brings nothing else along.
            if late.contains(&one.reference()) {
                continue;
            }
            match Event::decode(&one.record.event, &one.record.body) {
                Ok(Event::Timestamp(stamp)) => {
                    let (writer, number) = (stamp.of.writer, stamp.of.number);
                    let name = format!("{TOKENS_FOLDER}{writer}-{number:08x}.tsr");
                    files.insert(name, stamp.response);
                }
                Ok(Event::BackupPopulation(_)) => {
                    let at = one.reference();
                    if let Some(text) = state.and_then(|state| runs::kept_text(state, at)) {
                        files.insert(format!("{POPULATIONS_FOLDER}{at}/runs.csv"), text);
                    }
                }
                _ => {}
            }
        }
        if let (Some(first), Some(last)) = (part.first(), part.last()) {
            ends.push((first.record.number, last.reference()));
            vouch(repo, *writer, &mut files)?;
        }
    }
    vouch(repo, own, &mut files)?;
    for (client, name) in machine::revocation_names(repo)? {
        if files.contains_key(&format!("{CLIENTS_FOLDER}{client}"))
            && let Some(signed) = machine::signed_revocation(repo, &name)?
        {
            files.insert(name.key(), signed);
        }
    }
    let number = shelf.head(own).map_or(0, |head| head.record.number + 1);
    let event = export_event(export_segments(&ends, own, number), &files, &options.purpose);
    let closing = shelf.append(author, &event)?;
    chains.insert(chain_file(closing.reference()), closing.signed.clone());
    let record_count = chains.len() as u64;
    files.extend(chains);
    let bytes = container::write(&files).map_err(|wanted| ShelfError::NoSuch { wanted })?;
    Ok(Exported { bytes, closing: closing.reference(), record_count })
}

fn chain_file(at: Reference) -> String {
    format!("{CHAINS_FOLDER}{}/{:08x}", at.writer, at.number)
}

fn vouch(repo: &engine::repo::Repo, writer: Writer, files: &mut Files) -> Result<(), ShelfError> {
    let name = format!("{CLIENTS_FOLDER}{writer}");
    if let Entry::Vacant(place) = files.entry(name) {
        place.insert(evidence::voucher(repo, ClientId::new(writer.0))?);
    }
    Ok(())
}
