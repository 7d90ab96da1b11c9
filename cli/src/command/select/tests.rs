//! Selectors against a catalog that is made up.

use engine::base::id::{ChunkId, ClientId, Digest, Nonce8, RepositoryId};
use engine::base::time::Timestamp;
use engine::format::facts::{Claim, Details, Facts};
use engine::format::snapshot::{Original, PathBytes, Snapshot, SnapshotState, Summary};

use super::*;
use crate::args::values::TagSet;

fn snapshot(number: u64, random: [u8; 8], host: &str, tags: &[&str], path: &str) -> Committed {
    let client = ClientId::new([1; 8]);
    let snapshot = Snapshot {
        repository: RepositoryId::new([0; 16]),
        session: SessionId::from_parts(client, number, Nonce8::new(random)),
        client,
        previous: None,
        seen: Vec::new(),
        root: ChunkId::new([0; 32]),
        host: host.to_owned(),
        paths: vec![PathBytes(path.as_bytes().to_vec())],
        started: Timestamp { seconds: number as i64, nanos: 0 },
        finished: Timestamp::default(),
        program: String::new(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        description: None,
        summary: Summary::default(),
        state: SnapshotState::Complete,
        problem_count: 0,
        problems: Vec::new(),
        domain: 0,
        original: None,
        evidence: Vec::new(),
        roots: Vec::new(),
        facts: Facts::default(),
        details: Details::default(),
    };
    let committed = snapshot.started;
    Committed::new(snapshot, Digest::new([0; 32]), (committed, true))
}

fn catalog() -> Catalog {
    let snapshots = vec![
        snapshot(0, [0xab, 0xcd, 0, 0, 0, 0, 0, 0], "web", &["a", "b"], "/home"),
        snapshot(1, [0xab, 0xcd, 1, 0, 0, 0, 0, 0], "db", &["a"], "/etc"),
        snapshot(2, [0x12, 0x34, 0, 0, 0, 0, 0, 0], "web", &[], "/home"),
    ];
    Catalog { snapshots, ..Catalog::default() }
}

fn filter(host: &[&str], tag: &[&str], path: &[&str]) -> FilterArgs {
    FilterArgs {
        host: host.iter().map(|host| (*host).to_owned()).collect(),
        tag: tag.iter().map(|set| set.parse().unwrap_or_else(|_| TagSet::default())).collect(),
        path: path.iter().map(Into::into).collect(),
        time: None,
        client: None,
    }
}

fn pick(selector: &str, filter: &FilterArgs) -> Result<u64, (u8, String)> {
    let catalog = catalog();
    let around = Surroundings::isolated(&[]);
    let choice = Choice::quiet(&catalog, filter, &around);
    let selector = selector.parse().expect("the test wrote a selector");
    let picked = choice.one(&selector).map(|one| one.snapshot.session.sequence());
    picked.map_err(|fault| (fault.exit_code().code(), fault.lines().join("\n")))
}

#[test]
fn latest_counts_back_within_the_conditions() {
    assert_eq!(pick("latest", &filter(&[], &[], &[])), Ok(2));
    assert_eq!(pick("latest~2", &filter(&[], &[], &[])), Ok(0));
    assert_eq!(pick("latest", &filter(&["db"], &[], &[])), Ok(1));
    assert_eq!(pick("latest~1", &filter(&["web"], &[], &[])), Ok(0));
    assert_eq!(pick("latest", &filter(&[], &["a,b"], &[])), Ok(0));
    assert_eq!(pick("latest", &filter(&[], &["b", "a"], &[])), Ok(1));
    assert_eq!(pick("latest", &filter(&[], &[], &["/etc/"])), Ok(1));
}

#[test]
fn the_first_digits_of_an_id_name_one_whatever_the_conditions() {
    assert_eq!(pick("1234", &filter(&["db"], &[], &[])), Ok(2));
    assert_eq!(pick("ABCD01", &filter(&[], &[], &[])), Ok(1));
}

#[test]
fn none_and_several_are_errors_of_usage_that_list_candidates() {
    for (selector, hosts, words) in [
        ("abcd", &[][..], ["2 snapshots", "abcd000000000000", "abcd010000000000"]),
        ("9999", &[], ["no snapshot 9999", "1234000000000000", "of db"]),
        ("latest~3", &[], ["latest~3", "only 3", "1234000000000000"]),
        ("latest", &["mail"], ["meets the conditions", "of web", "of db"]),
    ] {
        let (exit, text) = pick(selector, &filter(hosts, &[], &[])).expect_err(selector);
        assert_eq!(exit, 2);
        for word in words {
            assert!(text.contains(word), "{word} is missing in {text}");
        }
    }
}

#[test]
fn several_keep_their_order_and_come_once() {
    let catalog = catalog();
    let around = Surroundings::isolated(&[]);
    let none = FilterArgs::default();
    let choice = Choice::quiet(&catalog, &none, &around);
    let numbers = |selectors: &[Selector]| {
        let chosen = choice.several(selectors).unwrap_or_default();
        chosen.iter().map(|one| one.snapshot.session.sequence()).collect::<Vec<_>>()
    };
    let latest = Selector::Latest { back: 0 };
    let same = Selector::Prefix("1234".to_owned());
    let other = Selector::Prefix("abcd00".to_owned());
    assert_eq!(numbers(&[latest, other, same]), [2, 0]);
    assert_eq!(numbers(&[]), [0, 1, 2]);
}

#[test]
fn a_time_is_the_latest_that_is_not_after_it() {
    let at = |time: &str| FilterArgs { time: time.parse().ok(), ..FilterArgs::default() };
    // They were begun 0, 1 and 2 seconds after 1970 began.
    assert_eq!(pick("latest", &at("1970-01-01T00:00:01Z")), Ok(1));
    assert_eq!(pick("latest~1", &at("1970-01-01 00:00:01.5")), Ok(0));
    assert_eq!(pick("latest", &at("1970-01-01")), Ok(2));
    assert_eq!(pick("latest", &at("1s")), Ok(2));
    let (code, words) = pick("latest", &at("1969-12-31 23:59")).expect_err("before all");
    assert_eq!(code, 2);
    assert!(words.contains("no snapshot meets the conditions"), "{words}");
    // An id is an id.
    assert_eq!(pick("abcd00", &at("1970-01-01T00:00:00Z")), Ok(0));
}

#[test]
fn a_snapshot_from_the_future_is_not_the_latest() {
    let at = |seconds| Timestamp { seconds, nanos: 0 };
    let make = |number, started, committed| {
        let mut one = snapshot(number, [number as u8; 8], "web", &[], "/");
        (one.snapshot.started, one.committed) = (at(started), at(committed));
        one
    };
    // The clock of the client ran ahead; that of the store too; both; neither.
    for first in [(900, 100), (100, 900), (900, 900), (100, 100)] {
        let mut third = make(3, 50, 300);
        third.snapshot.original =
            Some(Original { session: third.snapshot.session, committed: at(60) });
        let mut snapshots = vec![make(1, first.0, first.1), make(2, 200, 201), third];
        snapshots.sort_by_key(|one| one.snapshot.started);
        let catalog = Catalog { snapshots, ..Catalog::default() };
        let filter = FilterArgs::default();
        let around = Surroundings::isolated(&[]);
        let choice = Choice::quiet(&catalog, &filter, &around);
        let sequence = |back| {
            let one = choice.one(&Selector::Latest { back }).expect("there are three");
            one.snapshot.session.sequence()
        };
        // The third says that it is old, as one that was brought back does.
        assert_eq!(sequence(0), 2, "{first:?}");
        let made = Made::of(&catalog, at(1000));
        let is_made = |one: &Committed| made.at(&one.snapshot) <= at(300);
        assert!(catalog.snapshots.iter().all(is_made), "{first:?}");
    }
}

#[test]
fn the_last_of_a_client_is_its_latest_also_if_its_clock_fell_behind() {
    let at = |seconds| Timestamp { seconds, nanos: 0 };
    let (day, now) = (86_400, 1_000_000);
    let make = |number, started, committed| {
        let mut one = snapshot(number, [number as u8; 8], "web", &[], "/");
        (one.snapshot.started, one.committed) = (at(started), at(committed));
        one
    };
    // The battery of the clock died after the first; after the third it was set right again.
    let all = [
        make(1, now, now + 60),
        make(2, 0, now + day),
        make(3, 60, now + 2 * day),
        make(4, now + 3 * day, now + 3 * day),
        // Set back by a second, and by hours.
        make(5, now + 3 * day - 1, now + 3 * day + 60),
        make(6, now + 2 * day, now + 4 * day),
    ];
    let expected = [(0, None), (1, Some(WrongClock::Behind)), (2, Some(WrongClock::Behind))];
    let expected = [&expected[..], &[(3, None), (3, None), (4, Some(WrongClock::Behind))]].concat();
    for count in 1..=all.len() {
        let catalog = Catalog { snapshots: all[..count].to_vec(), ..Catalog::default() };
        let (filter, around) = (FilterArgs::default(), Surroundings::isolated(&[]));
        let choice = Choice::quiet(&catalog, &filter, &around);
        let latest = choice.one(&Selector::Latest { back: 0 }).expect("there is one");
        assert_eq!(latest.snapshot.session.sequence(), count as u64);
        for (one, (days, wrong)) in catalog.snapshots.iter().zip(&expected) {
            let made = choice.made();
            assert_eq!(made.at(&one.snapshot), at(now + days * day), "{count}");
            assert_eq!(made.wrong_clock(one), *wrong);
        }
    }
}

#[test]
fn what_no_clock_can_have_seen_is_the_latest_only_alone() {
    let at = |seconds| Timestamp { seconds, nanos: 0 };
    let far = 4_000_000_000;
    let make = |client: u8, number, started, committed| {
        let mut one = snapshot(number, [client; 8], "web", &[], "/");
        one.snapshot.client = ClientId::new([client; 8]);
        one.snapshot.session =
            SessionId::from_parts(one.snapshot.client, number, Nonce8::new([client; 8]));
        (one.snapshot.started, one.committed) = (at(started), at(committed));
        one
    };
    let latest = |snapshots: Vec<Committed>| {
        let catalog = Catalog { snapshots, ..Catalog::default() };
        let (filter, around) = (FilterArgs::default(), Surroundings::isolated(&[]));
        let choice = Choice::quiet(&catalog, &filter, &around);
        let latest = choice.one(&Selector::Latest { back: 0 }).expect("there is one");
        let made = choice.made();
        (latest.snapshot.client.as_bytes()[0], made.wrong_clock(latest), made.age(&latest.snapshot))
    };
    // Both clocks of the second were ahead.
    let (client, wrong, age) = latest(vec![make(1, 1, 100, 100), make(2, 1, far, far)]);
    assert_eq!((client, wrong), (1, None));
    assert!(age.is_some());
    // There is no other: then it is, without an age.
    assert_eq!(latest(vec![make(2, 1, far, far)]), (2, Some(WrongClock::Future), None));
    // Only its own was: the store's counts.
    let (client, wrong, age) = latest(vec![make(1, 1, 100, 100), make(2, 1, far, 200)]);
    assert_eq!((client, wrong), (2, Some(WrongClock::Ahead)));
    assert!(age.is_some());
    // One that was brought here says when it was made, and is the latest only alone.
    let mut claimed = make(2, 1, 300, 1000);
    let (by, from) = (String::new(), String::new());
    claimed.snapshot.facts.claim = Some(Claim { by, from, at: at(1000) });
    assert_eq!(latest(vec![make(1, 1, 100, 100), claimed.clone()]).0, 1);
    assert_eq!(latest(vec![claimed]).0, 2);
}
