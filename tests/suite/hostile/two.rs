//! What destroys much takes two people, where the administrator has appointed approvers.

use engine::repo::marks::put_release;

use crate::hostile::claims::{admin, thief, with_key};
use crate::hostile::machine::Machine;
use crate::hostile::place::{At, everywhere};

everywhere![
    the_release_of_a_hold_takes_two,
    a_release_that_one_key_has_forged_ends_no_hold,
    a_release_from_before_there_was_an_approver_counts,
    offboarding_and_a_collection_over_the_brake_take_two,
    revoking_the_approver_lifts_nothing,
];

/// Two keys of role maintain, of which `a.key` is that of an approver, and one snapshot.
fn place(at: At) -> Machine {
    let machine = Machine::with(at);
    for (name, more) in [("a", " --approver"), ("b", "")] {
        let line = format!(
            "key add -q --role maintain --to-key-file {name}.key --label person-{name}{more}"
        );
        machine.say(&line).expect(0);
    }
    machine.put("source/file", b"content");
    machine.say("backup -q source --host web1").expect(0);
    machine
}

/// Holds the only snapshot, and forgets it; gives the id of the hold.
fn hold(machine: &Machine) -> String {
    let held = machine.say("hold add --json latest --reason case").expect(0);
    let id = held.json()["id"].as_str().expect("an id").to_owned();
    machine.say("forget -q latest --confirm-mass-delete 1").expect(23);
    id
}

fn holds(machine: &Machine) -> usize {
    let listed = machine.say("hold list --json").expect(0).json();
    listed.as_array().expect("an array").len()
}

fn the_release_of_a_hold_takes_two(at: At) {
    let machine = place(at);
    let hold = hold(&machine);
    let release = format!("hold release {hold} --reason over");
    let approve = format!("approve release {hold} --reason agreed");
    let refused = with_key(&machine, "b.key", &release).expect(23).stderr;
    assert!(refused.contains(&format!("mainstay approve release {hold}")), "{refused}");
    // Who is no approver cannot agree, nor can an approver to what they do themselves.
    with_key(&machine, "b.key", &approve).expect(23);
    machine.say(&approve).expect(23);
    with_key(&machine, "a.key", &approve).expect(0);
    with_key(&machine, "a.key", &release).expect(23);
    assert_eq!(holds(&machine), 1);
    with_key(&machine, "b.key", &release).expect(0);
    assert_eq!(holds(&machine), 0);
    let listed = machine.say("approve list").expect(0);
    assert!(listed.stdout.contains("the release of hold"), "{}", listed.stdout);
    assert!(listed.stderr.contains("approvers: person-a"), "{}", listed.stderr);
}

fn a_release_that_one_key_has_forged_ends_no_hold(at: At) {
    let machine = place(at);
    let hold = hold(&machine);
    let thief = thief(&machine, "b.key");
    let identity = thief.repo.keys().identity().expect("the key file has one");
    let id = engine::base::id::HoldId::from_hex(&hold).expect("an id");
    put_release(&thief.repo, identity, id, "none of your business").expect("the store takes it");
    assert_eq!(holds(&machine), 1);
    machine.say("forget latest --confirm-mass-delete 1").expect(23);
    machine.say("prune -q --grace 0s").expect(0);
    machine.say("restore latest -q --target out --verify").expect(0);
    // A consent afterwards makes it count, as if it had been asked for in time.
    with_key(&machine, "a.key", &format!("approve release {hold} --reason agreed")).expect(0);
    assert_eq!(holds(&machine), 0);
}

fn a_release_from_before_there_was_an_approver_counts(at: At) {
    let machine = Machine::with(at);
    machine.put("source/file", b"content");
    machine.say("backup -q source").expect(0);
    let held = hold(&machine);
    machine.say(&format!("hold release {held} --reason over")).expect(0);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    machine
        .say("key add -q --role maintain --approver --to-key-file a.key --label person-a")
        .expect(0);
    assert_eq!(holds(&machine), 0);
    let held = hold(&machine);
    machine.say(&format!("hold release {held} --reason over")).expect(23);
}

fn offboarding_and_a_collection_over_the_brake_take_two(at: At) {
    let machine = place(at);
    let offboard = "offboard web1 --confirm web1";
    machine.say("offboard web1 --dry-run").expect(0);
    let refused = machine.say(offboard).expect(23).stderr;
    assert!(refused.contains("mainstay approve offboard web1"), "{refused}");
    // For another host, and for a time that is over, nobody has agreed.
    with_key(&machine, "a.key", "approve offboard web2 --reason gone").expect(0);
    with_key(&machine, "a.key", "approve offboard web1 --reason gone --for 1s").expect(0);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    machine.say(offboard).expect(23);
    with_key(&machine, "a.key", "approve offboard web1 --reason gone").expect(0);
    machine.say(offboard).expect(0);
    let prune = "prune --grace 0s --confirm-mass-delete 100";
    let stored = || machine.place.keys("tree/").len();
    machine.say("prune --grace 0s").expect(23);
    let refused = machine.say(prune).expect(23).stderr;
    assert!(refused.contains("mainstay approve prune "), "{refused}");
    with_key(&machine, "a.key", "approve prune 0 --reason gone").expect(0);
    machine.say(prune).expect(23);
    assert_ne!(stored(), 0);
    with_key(&machine, "a.key", "approve prune 100 --reason gone").expect(0);
    machine.say(prune).expect(0);
    assert_eq!(stored(), 0);
}

fn revoking_the_approver_lifts_nothing(at: At) {
    let machine = place(at);
    let held = hold(&machine);
    machine.say("key revoke person-a --reason left").expect(0);
    with_key(&machine, "a.key", &format!("approve release {held} --reason x")).expect(12);
    machine.say(&format!("hold release {held} --reason over")).expect(23);
    // What somebody writes with the revoked key and a program of their own counts for nothing.
    let thief = thief(&machine, "a.key");
    let identity = thief.repo.keys().identity().expect("the key file has one");
    let until = engine::base::time::Timestamp { seconds: 4_102_444_800, nanos: 0 };
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let agreed = engine::repo::consents::Agreed {
        deed: engine::format::consent::Deed::Release,
        subject: &held,
        count: 0,
        until,
        reason: "forged",
    };
    engine::repo::consents::put(&thief.repo, identity, &agreed).expect("the store takes it");
    machine.say(&format!("hold release {held} --reason over")).expect(23);
    assert_eq!(holds(&machine), 1);
    // Another approver can be appointed.
    machine
        .say("key add -q --role maintain --approver --to-key-file c.key --label person-c")
        .expect(0);
    with_key(&machine, "c.key", &format!("approve release {held} --reason x")).expect(0);
    machine.say(&format!("hold release {held} --reason over")).expect(0);
    assert!(admin(&machine).repo.keys().admin().is_ok());
}
