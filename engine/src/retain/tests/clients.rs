//! Whose snapshots take whose place.

use super::*;
use crate::index::belief::Doubt;

/// Whoever has the key of another machine, or of this one after it was revoked, can add snapshots.
/// They stay until somebody names them, and nothing goes because of them.
#[test]
fn what_is_not_believed_displaces_nothing_and_stays() {
    for doubt in [Doubt::Host, Doubt::Revoked] {
        let mut all = days(30);
        for n in 30..60 {
            let time = MONDAY + 29 * DAY_S + DAY_S * 3 / 4 + n as i64;
            all.push(Candidate { doubt: Some(doubt), ..one(1, n, time) });
        }
        let options = PlanOptions { spare_newest: true, ..bare() };
        let kept = kept_sequences(&all, &policy("last=5"), &options);
        assert_eq!(kept, (25..60).collect::<Vec<_>>());
        let plan = plan(&all, &|_| true, &policy("last=5"), &options);
        let reasons = plan.groups.iter().flat_map(|group| &group.keep);
        let doubted =
            reasons.filter(|it| it.reasons.iter().all(|it| it.why == Why::Doubted(doubt)));
        assert_eq!(doubted.count(), 30);
        // They are nobody's newest either.
        let last = BTreeSet::from([all[29].session]);
        let named = check_named(&all, &last, Brake::On);
        assert!(matches!(named, Err(RetainError::Newest { .. })), "{named:?}");
        let forged = all[30..].iter().map(|one| one.session).collect();
        check_named(&all, &forged, Brake::On).expect("whoever names them means them");
    }
}

/// Whatever snapshots are grouped by, one client's take the place of no other's; those of a client
/// and of the one that succeeds it are one history.
#[test]
fn clients_of_one_host_are_judged_apart_and_successors_together() {
    let mut all = days(10);
    all.extend((0..10).map(|n| one(2, n, MONDAY + DAY_S + n as i64)));
    for group_by in [GroupBy::USUAL, GroupBy::default()] {
        let options = PlanOptions { group_by, ..bare() };
        assert_eq!(kept(&plan(&all, &|_| true, &policy("last=2"), &options)).len(), 4);
    }
    for one in &mut all {
        one.line = ClientId::new([2; 8]);
    }
    let newest = kept(&plan(&all, &|_| true, &policy("last=2"), &bare()));
    assert_eq!(newest, all[8..10].iter().map(|one| one.session).collect());
}
