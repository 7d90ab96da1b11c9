//! The local index is gone: a new one is made from the store alone and compared.

use engine::base::time::Timestamp;
use engine::index::Index;
use engine::index::refresh::refresh;

use crate::drill::findings::{About, Findings};
use crate::drill::options::{DrillError, Place};
use crate::drill::scratch::Scratch;

/// Folder in scratch.
const FOLDER: &str = "index";

/// Makes an index in scratch from the store. It must say the same as the one that is in use.
///
/// # Errors
/// Those of the store, of the databases and of scratch.
pub fn rebuild(
    place: &Place<'_>,
    scratch: &Scratch,
    now: Timestamp,
    findings: &mut Findings,
) -> Result<Index, DrillError> {
    let folder = scratch.fresh(FOLDER)?;
    let (index, _) = Index::open(&folder, place.repo.config().repository, now)?;
    for error in refresh(place.repo, &index, place.monitor)?.damaged {
        findings.fail("index", About::Object("an index segment"), error.to_string());
    }
    if index.fingerprint()? != place.index.fingerprint()? {
        let why = "what the store says of packs and chunks is not what the index in use says";
        findings.fail("index", About::Object("the index"), why);
    }
    Ok(index)
}
