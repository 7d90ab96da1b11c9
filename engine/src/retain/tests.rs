//! Plans against a slow oracle, and restic's known traps.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::base::id::{ClientId, HoldId, Nonce8, SessionId};
use crate::base::time::Timestamp;
use crate::retain::RetainError;
use crate::retain::candidate::{Candidate, GroupBy};
use crate::retain::choice::{Brake, check_named};
use crate::retain::period::{Period, from_jiff};
use crate::retain::plan::{Clocks, Plan, PlanOptions, Reason, Why, plan};
use crate::retain::policy::{Count, Policy, Rule};
use crate::retain::simulate::simulate;
use crate::retain::span::Span;

mod clients;

const DAY_S: i64 = 86_400;
/// Monday, 2 November 2026, 00:00 UTC.
const MONDAY: i64 = 1_793_577_600;

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

fn one(client: u8, sequence: u64, seconds: i64) -> Candidate {
    let owner = ClientId::new([client; 8]);
    Candidate {
        session: SessionId::from_parts(owner, sequence, Nonce8::new(sequence.to_be_bytes())),
        client: owner,
        line: owner,
        doubt: None,
        sequence,
        host: "host".to_owned(),
        paths: Vec::new(),
        tags: Vec::new(),
        is_partial: false,
        is_settled: true,
        store_time: at(seconds),
        own_time: at(seconds),
        holds: Vec::new(),
    }
}

/// One snapshot a day at noon, the oldest first.
fn days(count: u64) -> Vec<Candidate> {
    (0..count).map(|n| one(1, n, MONDAY + DAY_S / 2 + n as i64 * DAY_S)).collect()
}

fn bare() -> PlanOptions {
    PlanOptions {
        group_by: GroupBy::USUAL,
        zone: TimeZone::UTC,
        now: at(MONDAY + 100_000 * DAY_S),
        spare_newest: false,
    }
}

fn kept(plan: &Plan) -> BTreeSet<SessionId> {
    plan.groups.iter().flat_map(|group| group.keep.iter().map(|kept| kept.session)).collect()
}

fn kept_sequences(all: &[Candidate], policy: &Policy, options: &PlanOptions) -> Vec<u64> {
    let plan = plan(all, &|_| true, policy, options);
    let mut sequences: Vec<_> = kept(&plan).iter().map(SessionId::sequence).collect();
    sequences.sort_unstable();
    sequences
}

fn policy(text: &str) -> Policy {
    let mut policy = Policy::default();
    for rule in text.split_whitespace() {
        let (name, value) = rule.split_once('=').unwrap();
        let count = || match value {
            "all" => Count::All,
            number => Count::Most(number.parse().unwrap()),
        };
        match name {
            "last" => policy.last = count(),
            "within" => policy.within = Some(value.parse().unwrap()),
            "tag" => policy.tags.push(value.split(',').map(str::to_owned).collect()),
            name => {
                let period = name.trim_end_matches('~');
                let place = Period::ALL.iter().position(|one| one.name() == period).unwrap();
                match name.ends_with('~') {
                    true => policy.each_within[place] = Some(value.parse().unwrap()),
                    false => policy.each[place] = count(),
                }
            }
        }
    }
    policy
}

// ---- The oracle: each rule said once more, as a statement about sets. ----

fn oracle_kept(all: &[Candidate], policy: &Policy, zone: &TimeZone) -> BTreeSet<SessionId> {
    let mut kept = oracle_rules(all, policy, zone);
    if !policy.count_partial {
        let complete: Vec<_> = all.iter().filter(|one| !one.is_partial).cloned().collect();
        kept.extend(oracle_rules(&complete, policy, zone));
    }
    kept
}

fn rank(one: &Candidate) -> (Timestamp, u64, SessionId) {
    (one.store_time, one.sequence, one.session)
}

fn oracle_rules(all: &[Candidate], policy: &Policy, zone: &TimeZone) -> BTreeSet<SessionId> {
    let Some(newest) = all.iter().map(|one| one.store_time).max() else { return BTreeSet::new() };
    let Some(oldest) = all.iter().min_by_key(|one| rank(one)) else { return BTreeSet::new() };
    let most = |count| match count {
        Count::All => usize::MAX,
        Count::Most(most) => most as usize,
    };
    let newer = |one: &Candidate| all.iter().filter(|other| rank(other) > rank(one)).count();
    let stretches = |period: Period| {
        let mut newest: BTreeMap<(i64, i64), &Candidate> = BTreeMap::new();
        for one in all {
            let place = newest.entry(period.of(one.store_time, zone)).or_insert(one);
            if rank(one) > rank(place) {
                *place = one;
            }
        }
        newest
    };
    let inside = |one: &Candidate, span: &Span| one.store_time > span.before(newest, zone);
    let mut kept = BTreeSet::new();
    for one in all {
        let mut keep = newer(one) < most(policy.last);
        keep |= policy.within.is_some_and(|span| inside(one, &span));
        keep |= policy.tags.iter().any(|tags| tags.iter().all(|tag| one.tags.contains(tag)));
        keep |= policy.ids.contains(&one.session);
        for (period, (count, span)) in
            Period::ALL.iter().zip(policy.each.iter().zip(policy.each_within))
        {
            let newest = stretches(*period);
            let stretch = period.of(one.store_time, zone);
            let later = newest.keys().filter(|other| **other > stretch).count();
            let is_newest = newest[&stretch].session == one.session;
            let is_oldest = one.session == oldest.session;
            keep |= is_newest && later < most(*count);
            // The oldest also stays while the rule has not kept its number.
            keep |= is_oldest && newest.len() < most(*count);
            keep |= span.is_some_and(|span| inside(one, &span) && (is_newest || is_oldest));
        }
        if keep {
            kept.insert(one.session);
        }
    }
    kept
}

// ---- Drawn values. ----

fn counts() -> impl Strategy<Value = Count> {
    prop_oneof![
        3 => Just(Count::NONE),
        3 => (1_u32..5).prop_map(Count::Most),
        1 => Just(Count::All),
    ]
}

fn spans() -> impl Strategy<Value = Option<Span>> {
    let span = (0_u16..2, 0_u16..4, 0_u16..40, 0_u16..50)
        .prop_map(|(years, months, days, hours)| Span { years, months, days, hours })
        .prop_filter("not empty", |span| *span != Span::default());
    proptest::option::weighted(0.25, span)
}

fn policies() -> impl Strategy<Value = Policy> {
    let each = [counts(), counts(), counts(), counts(), counts()];
    let within = [spans(), spans(), spans(), spans(), spans()];
    let tags = vec(vec(proptest::sample::select(vec!["a", "b"]), 1..3), 0..2);
    (counts(), each, spans(), within, tags, any::<bool>()).prop_map(
        |(last, each, within, each_within, tags, count_partial)| Policy {
            last,
            each,
            within,
            each_within,
            tags: tags
                .into_iter()
                .map(|set| set.into_iter().map(str::to_owned).collect())
                .collect(),
            ids: Vec::new(),
            count_partial,
        },
    )
}

/// Times that meet at ends of hours, days, months and years, some of them equal.
fn times() -> impl Strategy<Value = i64> {
    let steps = prop_oneof![Just(1_i64), Just(1800), Just(3600), Just(DAY_S), Just(30 * DAY_S)];
    (steps, 0_i64..40, -2_i64..3).prop_map(|(step, count, near)| MONDAY + step * count + near)
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let drawn =
        (times(), 1_u8..3, any::<bool>(), vec(proptest::sample::select(vec!["a", "b"]), 0..3));
    vec(drawn, 0..40).prop_map(|drawn| {
        let number = |(sequence, (seconds, client, is_partial, tags)): (
            usize,
            (i64, u8, bool, Vec<&str>),
        )| {
            let tags = tags.into_iter().map(str::to_owned).collect();
            let line = ClientId::new([0; 8]);
            Candidate { is_partial, tags, line, ..one(client, sequence as u64, seconds) }
        };
        drawn.into_iter().enumerate().map(number).collect()
    })
}

fn zones() -> impl Strategy<Value = TimeZone> {
    let names = vec!["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia"];
    proptest::sample::select(names).prop_map(|name| TimeZone::get(name).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn plans_are_those_of_the_oracle(all in candidates(), policy in policies(), zone in zones()) {
        let options = PlanOptions { zone: zone.clone(), ..bare() };
        let plan = plan(&all, &|_| true, &policy, &options);
        prop_assert_eq!(kept(&plan), oracle_kept(&all, &policy, &zone));
        let removed: BTreeSet<_> = plan.removed().into_iter().collect();
        prop_assert_eq!(removed.len() + kept(&plan).len(), all.len());
        prop_assert!(removed.is_disjoint(&kept(&plan)));
    }

    #[test]
    fn a_second_run_forgets_nothing(
        all in candidates(), policy in policies(), zone in zones(), spare_newest: bool,
        shifts in vec(-900_i64..900, 40),
    ) {
        let mut all = all;
        for (one, shift) in all.iter_mut().zip(shifts) {
            one.own_time.seconds += shift * DAY_S;
        }
        let options = PlanOptions { zone, spare_newest, ..bare() };
        let first = kept(&plan(&all, &|_| true, &policy, &options));
        all.retain(|one| first.contains(&one.session));
        prop_assert_eq!(plan(&all, &|_| true, &policy, &options).removed(), Vec::new());
    }

    /// Ten years off in either direction, each snapshot by itself, on either side.
    #[test]
    fn one_wrong_clock_takes_nothing_away(
        all in candidates(), policy in policies(), shifts in vec(-3650_i64..3650, 40),
        store_is_wrong: bool, now_shift in -3650_i64..3650,
    ) {
        let honest = kept(&plan(&all, &|_| true, &policy, &bare()));
        let mut wrong = all;
        for (one, shift) in wrong.iter_mut().zip(shifts) {
            let time = if store_is_wrong { &mut one.store_time } else { &mut one.own_time };
            time.seconds += shift * DAY_S;
        }
        let now = at(MONDAY + (5 * 3650 + now_shift) * DAY_S);
        let options = PlanOptions { now, ..bare() };
        prop_assert!(kept(&plan(&wrong, &|_| true, &policy, &options)).is_superset(&honest));
    }

    #[test]
    fn held_and_newest_ones_stay_whatever_the_rules_say(
        all in candidates(), policy in policies(), held in vec(any::<bool>(), 40),
    ) {
        let mut all = all;
        for (one, held) in all.iter_mut().zip(held) {
            one.holds.extend(held.then_some(HoldId::new([1; 8])));
        }
        let options = PlanOptions { spare_newest: true, ..bare() };
        let removed = plan(&all, &|_| true, &policy, &options).removed();
        for one in all.iter().filter(|one| removed.contains(&one.session)) {
            prop_assert!(one.holds.is_empty());
            let newer = all.iter().filter(|other| {
                other.client == one.client && rank(other) > rank(one)
            });
            prop_assert!(newer.count() >= 3);
        }
    }

    #[test]
    fn partial_snapshots_displace_no_complete_one(all in candidates(), policy in policies()) {
        let policy = Policy { count_partial: false, ..policy };
        let with = kept(&plan(&all, &|_| true, &policy, &bare()));
        let complete: Vec<_> = all.into_iter().filter(|one| !one.is_partial).collect();
        prop_assert!(with.is_superset(&kept(&plan(&complete, &|_| true, &policy, &bare()))));
    }

    #[test]
    fn another_rule_never_forgets_more(
        all in candidates(), first in policies(), second in policies(),
    ) {
        let both = Policy {
            last: first.last,
            each: second.each,
            within: first.within,
            each_within: first.each_within,
            tags: second.tags.clone(),
            ..Policy::default()
        };
        let less = Policy { each: [Count::NONE; 5], tags: Vec::new(), ..both.clone() };
        let kept = |policy| kept(&plan(&all, &|_| true, policy, &bare()));
        prop_assert!(kept(&both).is_superset(&kept(&less)));
    }
}

#[test]
fn every_kept_snapshot_says_why() {
    let mut all = days(10);
    all[2].tags.push("release".to_owned());
    all[1].holds.push(HoldId::new([7; 8]));
    let plan = plan(&all, &|_| true, &policy("last=1 daily=2 tag=release"), &bare());
    let why: Vec<(u64, Vec<Why>)> = plan.groups[0]
        .keep
        .iter()
        .map(|kept| {
            assert!(kept.reasons.iter().all(|reason| reason.clocks == Clocks::Both));
            let why = kept.reasons.iter().map(|reason| reason.why.clone()).collect();
            (kept.session.sequence(), why)
        })
        .collect();
    let daily = Why::Rule(Rule::Each(Period::Day));
    assert_eq!(
        why,
        [
            (9, vec![Why::Rule(Rule::Last), daily.clone()]),
            (8, vec![daily]),
            (2, vec![Why::Rule(Rule::Tags(vec!["release".to_owned()]))]),
            (1, vec![Why::Held(HoldId::new([7; 8]))]),
        ]
    );
    assert_eq!(plan.removed().len(), 6);
}

#[test]
fn snapshots_from_the_future_stay_and_displace_nothing() {
    let mut all = days(5);
    all.push(one(1, 5, MONDAY + 4000 * DAY_S));
    let options = PlanOptions { now: at(MONDAY + 5 * DAY_S), ..bare() };
    for rules in ["last=2", "daily=2", "within=36h"] {
        assert_eq!(kept_sequences(&all, &policy(rules), &options), [3, 4, 5], "{rules}");
    }
    let plan = plan(&all, &|_| true, &policy("last=1"), &options);
    let future = Reason { why: Why::FromTheFuture, clocks: Clocks::Both };
    assert_eq!(plan.groups[0].keep[0].reasons, [future]);
}

#[test]
fn snapshots_of_one_second_are_told_apart_by_their_numbers() {
    let all: Vec<_> = (0..4).map(|sequence| one(1, sequence, MONDAY)).collect();
    assert_eq!(kept_sequences(&all, &policy("last=2"), &bare()), [2, 3]);
    assert_eq!(kept_sequences(&all, &policy("hourly=1"), &bare()), [3]);
}

#[test]
fn the_night_of_the_clock_change_has_one_day_and_its_hours() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let options = PlanOptions { zone, ..bare() };
    let midnight = from_jiff("2026-10-24T22:00:00Z".parse().unwrap()).seconds;
    let all: Vec<_> = (0..25).map(|n| one(1, n, midnight + n as i64 * 3600 + 60)).collect();
    assert_eq!(kept_sequences(&all, &policy("daily=all"), &options), [0, 24]);
    assert_eq!(kept_sequences(&all, &policy("hourly=all"), &options).len(), 25);
}

/// Copying a repository gives every object the time of the copy; without the clients' clocks a
/// daily rule would see one day.
#[test]
fn a_copied_repository_keeps_its_days() {
    let mut all = days(30);
    for one in &mut all {
        one.store_time = at(MONDAY + 90 * DAY_S + one.sequence as i64);
    }
    // By the store's clock there is one day, so that the oldest stays as well.
    let wanted: Vec<_> = std::iter::once(0).chain(23..30).collect();
    assert_eq!(kept_sequences(&all, &policy("daily=7"), &bare()), wanted);
}

/// A client whose key was stolen can add snapshots. However it dates them, the old ones stay that
/// the store's clock vouches for.
#[test]
fn backdated_snapshots_displace_nothing() {
    let mut all = days(30);
    for n in 0..30 {
        let fake = one(1, 30 + n, MONDAY + 29 * DAY_S + DAY_S * 3 / 4 + n as i64);
        all.push(Candidate { own_time: at(MONDAY + (n as i64 + 1) * DAY_S - 1), ..fake });
    }
    let kept = kept_sequences(&all, &policy("daily=7"), &bare());
    assert!((23..29).all(|sequence| kept.contains(&sequence)), "{kept:?}");
}

#[test]
fn groups_are_judged_apart() {
    let mut all = days(6);
    for one in &mut all {
        one.host = format!("host{}", one.sequence % 2);
        one.tags = vec![format!("tag{}", one.sequence % 3)];
    }
    let by = |group_by| {
        let options = PlanOptions { group_by, ..bare() };
        kept_sequences(&all, &policy("last=1"), &options)
    };
    assert_eq!(by(GroupBy::USUAL), [4, 5]);
    assert_eq!(by(GroupBy { tags: true, ..GroupBy::default() }), [3, 4, 5]);
    assert_eq!(by(GroupBy::default()), [5]);
}

#[test]
fn naming_snapshots_has_limits() {
    let mut all = days(5);
    all[0].holds.push(HoldId::new([7; 8]));
    let named = |sequences: &[u64], brake| {
        let named = sequences.iter().map(|n| all[*n as usize].session).collect();
        check_named(&all, &named, brake)
    };
    assert!(named(&[1], Brake::On).is_ok());
    assert!(named(&[1, 3], Brake::On).is_ok(), "one of the newest three may be meant");
    assert!(matches!(named(&[4], Brake::On), Err(RetainError::Newest { count: 1, .. })));
    assert!(matches!(named(&[2, 3], Brake::On), Err(RetainError::Newest { count: 2, .. })));
    assert!(named(&[2, 3, 4], Brake::UpTo(3)).is_ok());
    assert!(matches!(
        named(&[2, 3, 4], Brake::UpTo(2)),
        Err(RetainError::MoreThanConfirmed { count: 3, confirmed: 2 })
    ));
    assert!(named(&[1, 2, 3, 4], Brake::Off).is_ok());
    assert!(matches!(named(&[0], Brake::Off), Err(RetainError::Held { .. })));
}

#[test]
fn a_simulation_settles_at_what_the_rules_keep() {
    let existing = days(10);
    let runs: Vec<_> = (10..400).map(|n| at(MONDAY + DAY_S / 2 + n * DAY_S)).collect();
    let rules = policy("daily=7 weekly=4 monthly=12");
    let from = at(MONDAY + 9 * DAY_S + DAY_S / 2);
    let days = simulate(&existing, &runs, from, &rules, &bare());
    assert_eq!(days.len(), 390);
    assert!(days.iter().all(|day| day.made_count == 1));
    // 7 days, 4 weeks (one or two of them among the days), 12 months (two or three again).
    let last = days.last().unwrap();
    assert!((19..=22).contains(&last.live_count), "{}", last.live_count);
    let gone = days.iter().map(|day| day.forgotten.len()).sum::<usize>();
    assert_eq!(10 + 390 - gone, last.live_count);
    let known: Vec<_> = days.iter().flat_map(|day| &day.forgotten).collect();
    assert!(known.iter().any(|one| one.session.is_some()));
    // Played over the past, it tells what would be left today.
    let past = simulate(&existing, &[], at(0), &policy("last=4"), &bare());
    assert_eq!(
        past.iter().map(|day| day.live_count).collect::<Vec<_>>(),
        [1, 2, 3, 4, 4, 4, 4, 4, 4, 4]
    );
}

#[test]
fn policies_say_themselves() {
    let policy = policy("last=3 daily=7 yearly=all within=1y6m monthly~=2y tag=a,b");
    assert_eq!(
        policy.to_words(),
        "keep-last 3, keep-daily 7, keep-yearly unlimited, keep-within 1y6m, \
         keep-within-monthly 2y, keep-tag a,b"
    );
    assert!(Policy::default().is_empty() && !policy.is_empty());
}
