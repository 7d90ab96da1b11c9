//! A store that was put back: machines that saw more say so, and not only when they are asked to check.

use std::process::Command;

use crate::hostile::machine::Machine;

fn copy(machine: &Machine, from: &str, to: &str) {
    std::fs::remove_dir_all(machine.path(to)).ok();
    let mut command = Command::new("cp");
    let status = command.arg("-a").args([machine.path(from), machine.path(to)]).status();
    assert!(status.expect("there is cp").success());
}

#[test]
fn a_store_that_was_put_back_is_told_by_every_command_that_relies_on_the_newest() {
    let machine = Machine::new();
    machine.put("source/file", b"first");
    machine.say("backup -q source").expect(0);
    copy(&machine, "repository", "earlier");
    machine.put("source/file", b"second");
    machine.say("backup -q source").expect(0);
    for line in ["snapshots", "backup -q source", "restore latest -q --target whole"] {
        let ran = machine.say(line).expect(0);
        assert!(!ran.stderr.contains("gone from the store"), "{line}: {}", ran.stderr);
    }
    copy(&machine, "earlier", "repository");
    let gone = "snapshots are gone from the store";
    let ran = machine.say("snapshots").expect(0);
    assert!(ran.stderr.contains(gone), "{}", ran.stderr);
    // What is there is restored, and nobody takes it for the newest.
    let ran = machine.say("restore latest --target out").expect(20);
    assert!(ran.stderr.contains(gone) && ran.stderr.contains("put back"), "{}", ran.stderr);
    let found = Command::new("find").arg(machine.path("out")).args(["-name", "file"]).output();
    assert!(!found.expect("there is find").stdout.is_empty());
    // One that is named is what was wanted.
    let id = machine.say("snapshots --json").expect(0).json()[0]["short_id"].clone();
    let id = id.as_str().expect("an id");
    machine.run(["restore", "-q", id, "--target", "out2"]).expect(0);
    let ran = machine.say("backup --json source").expect(20);
    assert!(ran.stdout.contains("\"snapshots_lost\":"), "{}", ran.stdout);
    assert!(ran.stderr.contains("E_ROLLED_BACK"), "{}", ran.stderr);
    // The machine that never saw them has nothing to say.
    let mut other = machine.command(["snapshots"]);
    let ran = Machine::output(other.env("MAINSTAY_STATE_DIR", machine.path("other"))).expect(0);
    assert!(!ran.stderr.contains("gone"), "{}", ran.stderr);
    // There is a way out, and it is not forgotten again.
    machine.say("index rebuild --accept-losses").expect(0);
    machine.say("backup -q source").expect(0);
    machine.say("restore latest -q --target out3").expect(0);
    let ran = machine.say("snapshots").expect(0);
    assert!(!ran.stderr.contains("gone"), "{}", ran.stderr);
}

#[test]
fn what_was_forgotten_and_collected_is_not_lost() {
    let machine = Machine::new();
    for content in [b"a", b"b", b"c"] {
        machine.put("source/file", content);
        machine.say("backup -q source").expect(0);
    }
    machine.say("forget -q --keep-last 1").expect(0);
    machine.say("backup -q source").expect(0);
    machine.say("restore latest -q --target out").expect(0);
}
