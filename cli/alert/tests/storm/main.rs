//! Many looks at systems that break and heal, with receivers that fail in every way and a watcher that is
//! killed at its writes.
//!
//! Whatever happens: each breach has one ticket that recovery closes, receivers hear everything that
//! happened to it in its order, and nobody hears of two openings where there was one.

mod world;

use std::collections::{BTreeMap, BTreeSet};

use alert::record::EventKind;
use alert::state::TicketState;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use crate::world::{Answer, Heard, Op, World};

const SYSTEMS: usize = 3;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..SYSTEMS, any::<bool>()).prop_map(|(system, bad)| Op::Break { system, bad }),
        3 => (0..SYSTEMS).prop_map(|system| Op::Heal { system }),
        8 => Just(Op::Look),
        2 => (0..SYSTEMS).prop_map(|system| Op::Acknowledge { system }),
        4 => (1_i64..40_000).prop_map(|seconds| Op::Wait { seconds }),
        2 => (0_u32..8).prop_map(|writes| Op::KillAfter { writes }),
        1 => Just(Op::Unreachable),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => Just(Answer::Takes),
        2 => Just(Answer::Down),
        2 => Just(Answer::TakesAndIsCut),
        2 => (1_i64..5000).prop_map(|seconds| Answer::Busy { seconds }),
        1 => Just(Answer::Dislikes),
        1 => Just(Answer::Gone),
    ]
}

/// What a receiver heard, each id once, by ticket key.
fn once(heard: &[Heard]) -> BTreeMap<String, Vec<(String, EventKind)>> {
    let (mut seen, mut all) = (BTreeSet::new(), BTreeMap::new());
    for one in heard {
        if seen.insert(one.id.clone()) {
            let list: &mut Vec<_> = all.entry(one.key.clone()).or_default();
            list.push((one.id.clone(), one.kind));
        }
    }
    all
}

fn is_a_life(events: &[(String, EventKind)]) -> bool {
    let mut is_open = false;
    events.iter().all(|(_, kind)| {
        let fits = (*kind == EventKind::Opened) != is_open;
        is_open = *kind != EventKind::Resolved;
        fits
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_opened_twice_or_told_out_of_order(
        ops in proptest::collection::vec(op(), 1..60),
        first in proptest::collection::vec(answer(), 1..12),
        second in proptest::collection::vec(answer().prop_filter("never", |it| *it != Answer::Gone), 1..12),
    ) {
        let mut world = World::new(first, second);
        for op in ops {
            world.play(op);
            let open = world.state.tickets(false).expect("read");
            let keys: BTreeSet<_> = open.iter().map(|it| it.finding.key.clone()).collect();
            prop_assert_eq!(keys.len(), open.len(), "a key has two open tickets");
        }
        world.calm_down();
        let happened = world.happened();
        let (main, other) = (once(&world.main()), once(&world.other()));
        for (key, events) in &happened {
            prop_assert!(is_a_life(events), "{key}: {events:?}");
            let ids = |told: Option<&Vec<(String, EventKind)>>| -> Vec<String> {
                told.into_iter().flatten().map(|(id, _)| id.clone()).collect()
            };
            let (by_main, by_other) = (ids(main.get(key)), ids(other.get(key)));
            let order: Vec<&String> = events.iter().map(|(id, _)| id).collect();
            for told in [&by_main, &by_other] {
                let places: Vec<_> =
                    told.iter().map(|id| order.iter().position(|it| *it == id)).collect();
                prop_assert!(places.iter().all(Option::is_some), "{key}: {told:?}");
                prop_assert!(places.is_sorted(), "{key}: out of order: {places:?}");
            }
            for id in order {
                let is_told = by_main.contains(id) || by_other.contains(id);
                prop_assert!(is_told, "{key}: nobody heard of {id}");
            }
        }
        // What is broken has a ticket, and nothing else has.
        let open: BTreeSet<_> =
            world.state.tickets(false).expect("read").iter().map(|it| it.finding.system.clone()).collect();
        prop_assert_eq!(open, world.broken());
        for ticket in world.state.tickets(true).expect("read") {
            let steps = world.state.steps(ticket.number).expect("read");
            let mut is_quiet = false;
            for step in steps {
                prop_assert!(!(is_quiet && step.what == "repeated"), "repeated though acknowledged");
                is_quiet = step.what == "acknowledged" || (is_quiet && step.what == "repeated");
            }
            let is_over = ticket.state == TicketState::Resolved;
            prop_assert_eq!(is_over, ticket.resolved_s.is_some());
        }
    }
}

#[test]
fn a_receiver_that_is_down_is_asked_once_and_gets_everything_when_it_is_back() {
    let mut world = World::new(vec![Answer::Down], vec![Answer::Down]);
    for system in 0..SYSTEMS {
        world.play(Op::Break { system, bad: true });
    }
    world.play(Op::Look);
    assert_eq!(world.asked_main(), 1, "three events, one request");
    world.play(Op::Wait { seconds: 1 });
    world.play(Op::Look);
    assert_eq!(world.asked_main(), 1, "it is not time yet");
    world.answer_main(Answer::Takes);
    world.play(Op::Wait { seconds: 400 });
    world.play(Op::Look);
    assert_eq!(once(&world.main()).len(), SYSTEMS);
}

#[test]
fn a_wait_that_is_asked_for_is_kept() {
    let mut world = World::new(vec![Answer::Busy { seconds: 3000 }], vec![Answer::Down]);
    world.play(Op::Break { system: 0, bad: true });
    world.play(Op::Look);
    for _ in 0..9 {
        world.play(Op::Wait { seconds: 300 });
        world.play(Op::Look);
    }
    assert_eq!(world.asked_main(), 1);
    world.play(Op::Wait { seconds: 400 });
    world.play(Op::Look);
    assert_eq!(world.asked_main(), 2);
}
