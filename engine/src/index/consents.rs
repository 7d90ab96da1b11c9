//! Who must agree before much is destroyed, and who has agreed.
//!
//! The administrator appoints approvers in client records. Where there is one, what [`Deed`] lists takes
//! the consent of an approver who is not the one that does it. A revoked approver still counts as
//! appointed: otherwise revoking would lift the rule. What an approver agreed to before it was revoked
//! counts.

use std::collections::BTreeMap;

use crate::base::id::{ClientId, HoldId, Nonce8};
use crate::base::time::Timestamp;
use crate::format::consent::{Consent, Deed};
use crate::format::envelope::{decode_record, encode_record};
use crate::index::clients::{self, Clients};
use crate::index::fetch::is_of_one_object;
use crate::index::{Index, IndexError};
use crate::repo::Repo;
use crate::repo::consents;
use crate::repo::error::RepoError;
use crate::store::name::{ObjectName, prefix};

/// Approvers and what they have agreed to, as of one reading.
#[derive(Debug, Default)]
pub struct Consents {
    /// Those that count, whether their time is over or not, with when the store received each.
    pub given: Vec<(Consent, Timestamp)>,
    /// When the administrator appointed the first approver; `None` if one person is enough.
    since: Option<Timestamp>,
}

impl Consents {
    /// Reads approvers, and what they have agreed to if there are any: a listing, and another one.
    ///
    /// # Errors
    /// Those of the store and of the database; consents that cannot be read are passed over.
    pub fn read(repo: &Repo, index: &Index) -> Result<Self, IndexError> {
        let clients = clients::read(repo, index)?;
        let appointed = clients.all().filter(|client| client.approves);
        let Some(since) = appointed.map(|client| client.enrolled).min() else {
            return Ok(Self::default());
        };
        Ok(Self { given: given(repo, index, &clients)?, since: Some(since) })
    }

    /// Whether it takes two.
    #[must_use]
    pub fn takes_two(&self) -> bool {
        self.since.is_some()
    }

    /// Refuses what `actor` is about to do unless somebody else has agreed to it.
    ///
    /// # Errors
    /// [`RepoError::TakesTwo`].
    pub fn require(
        &self,
        actor: ClientId,
        (deed, subject, count): (Deed, &str, u64),
        now: Timestamp,
    ) -> Result<(), RepoError> {
        let asked = Asked { deed, subject, count, actor, now: Some(now) };
        match self.since.is_none() || self.agree_to(&asked, &Rule::ALL) {
            true => Ok(()),
            false => Err(RepoError::TakesTwo { deed, subject: subject.to_owned(), count }),
        }
    }

    /// Whether a release counts that `by` signed and the store received at `received`. One from before
    /// there were approvers does, so that appointing one brings no hold back.
    #[must_use]
    pub fn lets_go(&self, hold: HoldId, by: ClientId, received: Option<Timestamp>) -> bool {
        let Some(since) = self.since else { return true };
        // Many stores know whole seconds only: what came in the same one was not before.
        if received.is_some_and(|received| received.seconds < since.seconds) {
            return true;
        }
        let subject = &hold.to_string();
        let asked = Asked { deed: Deed::Release, subject, count: 0, actor: by, now: None };
        self.agree_to(&asked, &Rule::ALL)
    }

    /// Whether one consent keeps to all of these rules.
    fn agree_to(&self, asked: &Asked<'_>, rules: &[Rule]) -> bool {
        let fits = |consent: &Consent| rules.iter().all(|rule| rule.holds(consent, asked));
        self.given.iter().any(|(consent, _)| fits(consent))
    }
}

/// What somebody is about to do, or has done.
struct Asked<'a> {
    deed: Deed,
    /// The hold or the host.
    subject: &'a str,
    /// The packs that would be deleted.
    count: u64,
    actor: ClientId,
    /// `None` for what was done: whoever agreed then has agreed.
    now: Option<Timestamp>,
}

/// What makes a consent count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// It is to this deed.
    Deed,
    /// To this hold, or this host.
    Subject,
    /// To so many packs.
    Count,
    /// Of somebody else.
    Another,
    /// Its time is not over.
    Time,
}

impl Rule {
    const ALL: [Self; 5] = [Self::Deed, Self::Subject, Self::Count, Self::Another, Self::Time];

    fn holds(self, consent: &Consent, asked: &Asked<'_>) -> bool {
        match self {
            Self::Deed => consent.deed == asked.deed,
            Self::Subject => consent.subject == asked.subject,
            Self::Count => consent.count >= asked.count,
            Self::Another => consent.by != asked.actor,
            Self::Time => asked.now.is_none_or(|now| consent.until >= now),
        }
    }
}

/// Consents that the store shows, and those that this machine remembers.
fn given(
    repo: &Repo,
    index: &Index,
    clients: &Clients,
) -> Result<Vec<(Consent, Timestamp)>, IndexError> {
    let mut listed: BTreeMap<Nonce8, Timestamp> = BTreeMap::new();
    let mut take = |object: crate::store::Listed| {
        if let Some(ObjectName::Consent(id)) = object.name {
            listed.insert(id, object.modified);
        }
        true
    };
    repo.store().list_each(prefix::CONSENTS, &mut take).map_err(RepoError::from)?;
    let mut given = BTreeMap::new();
    for bytes in index.kept_marks(prefix::CONSENTS)?.into_values() {
        if let Ok(kept) = decode_record::<(Consent, Timestamp)>(&bytes, "consent") {
            given.insert(kept.0.id, kept);
        }
    }
    for (id, received) in listed {
        if given.contains_key(&id) {
            continue;
        }
        match consents::get(repo, id) {
            Ok(consent) => {
                let record = (consent, received);
                index.keep_mark(&ObjectName::Consent(id).key(), &encode_record(&record))?;
                given.insert(id, record);
            }
            Err(error) if is_of_one_object(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let is_timely = |(consent, received): &(Consent, Timestamp)| {
        clients.endings(consent.by).iter().all(|ending| *received < ending.received)
    };
    Ok(given.into_values().filter(is_timely).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIEF: ClientId = ClientId::new([1; 8]);
    const APPROVER: ClientId = ClientId::new([2; 8]);
    const HOLD: HoldId = HoldId::new([3; 8]);

    fn time(seconds: i64) -> Timestamp {
        Timestamp { seconds, ..Timestamp::default() }
    }

    /// An approver has agreed that up to so many packs go at once.
    fn consent(deed: Deed, subject: &str, count: u64) -> Consent {
        Consent {
            id: Nonce8::new([4; 8]),
            by: APPROVER,
            at: time(100),
            until: time(200),
            deed,
            subject: subject.to_owned(),
            count,
            reason: String::new(),
        }
    }

    fn given(consent: Consent) -> Consents {
        Consents { given: vec![(consent, time(100))], since: Some(time(50)) }
    }

    /// What a thief with a key of role maintain wants, and the consent that comes nearest to it.
    fn wanted(without: Rule) -> (Asked<'static>, Consent) {
        let prune = |count| Asked {
            deed: Deed::Prune,
            subject: "",
            count,
            actor: THIEF,
            now: Some(time(150)),
        };
        let offboard = Asked { deed: Deed::Offboard, subject: "web1", ..prune(0) };
        match without {
            Rule::Deed => (prune(1000), consent(Deed::Release, "", u64::MAX)),
            Rule::Subject => (offboard, consent(Deed::Offboard, "web2", 0)),
            Rule::Count => (prune(1000), consent(Deed::Prune, "", 999)),
            Rule::Another => (Asked { actor: APPROVER, ..prune(10) }, consent(Deed::Prune, "", 10)),
            Rule::Time => {
                (Asked { now: Some(time(201)), ..prune(10) }, consent(Deed::Prune, "", 10))
            }
        }
    }

    /// Each rule stands between somebody and what they want: without it they get it.
    #[test]
    fn without_any_of_its_rules_one_person_destroys_what_takes_two() {
        for rule in Rule::ALL {
            let (asked, consent) = wanted(rule);
            let consents = given(consent);
            let rest: Vec<Rule> = Rule::ALL.into_iter().filter(|other| *other != rule).collect();
            assert!(consents.agree_to(&asked, &rest), "{rule:?} stands in no way");
            assert!(!consents.agree_to(&asked, &Rule::ALL), "{rule:?} does not stop it");
            let deed = (asked.deed, asked.subject, asked.count);
            let now = asked.now.unwrap_or_default();
            assert!(consents.require(asked.actor, deed, now).is_err(), "{rule:?}");
        }
    }

    #[test]
    fn a_release_counts_by_somebody_elses_consent_whenever_that_was() {
        let release = consent(Deed::Release, &HOLD.to_string(), 0);
        let consents = given(release.clone());
        assert!(consents.lets_go(HOLD, THIEF, Some(time(1000))));
        assert!(!consents.lets_go(HOLD, APPROVER, Some(time(120))), "it takes another person");
        assert!(!consents.lets_go(HoldId::new([9; 8]), THIEF, Some(time(120))), "another hold");
        let other = given(Consent { deed: Deed::Offboard, ..release });
        assert!(!other.lets_go(HOLD, THIEF, Some(time(120))), "another deed");
        let nobody = Consents { given: Vec::new(), since: Some(time(50)) };
        assert!(!nobody.lets_go(HOLD, THIEF, Some(time(50))));
        assert!(!nobody.lets_go(HOLD, THIEF, None), "what nobody has dated is not from before");
        assert!(nobody.lets_go(HOLD, THIEF, Some(time(49))), "from before there was an approver");
        assert!(Consents::default().lets_go(HOLD, THIEF, Some(time(120))), "one is enough");
    }
}
