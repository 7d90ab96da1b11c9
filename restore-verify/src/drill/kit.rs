//! Everything is lost but the recovery kit: its words must open this repository, with all keys.

use std::sync::Arc;

use engine::base::time::{Clock, SystemClock};
use engine::repo::Repo;
use engine::repo::open::{Unlock, open};

use crate::drill::findings::{About, Findings};
use crate::drill::options::Place;

const WORDS: &str = "the recovery words";

/// Opens the repository with the words; `None`, and a finding, if that does not give everything.
#[must_use]
pub fn unlock(place: &Place<'_>, words: Option<&str>, findings: &mut Findings) -> Option<Repo> {
    let Some(words) = words else {
        findings.doubt("kit", About::Object(WORDS), "none were given");
        return None;
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let repo = match open(place.repo.store(), clock, &Unlock::Words(words)) {
        Ok(repo) => repo,
        Err(error) => {
            // Words that do not open it are what this drill is there to find.
            findings.fail("kit", About::Object(WORDS), error.to_string());
            return None;
        }
    };
    let is_this = repo.config().repository == place.repo.config().repository
        && repo.config().admin_key == place.repo.config().admin_key;
    if !is_this {
        findings.fail("kit", About::Object(WORDS), "they open another repository");
        return None;
    }
    let denied = [
        repo.keys().admin().err().map(|error| error.to_string()),
        repo.keys().data().err().map(|error| error.to_string()),
    ];
    for why in denied.into_iter().flatten() {
        findings.fail("kit", About::Object(WORDS), why);
    }
    (!findings.has_failed()).then_some(repo)
}
