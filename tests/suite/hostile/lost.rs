//! A store that was put back: machines that saw more say so, and not only when they are asked to check.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::store::Store;
use system_tests::store::hook::{Hooked, Moment, Verdict};
use system_tests::store::record::CallKind;

use super::*;
use crate::hostile::machine::Machine;

everywhere![
    a_store_that_was_put_back_is_told_by_every_command_that_relies_on_the_newest,
    what_was_forgotten_and_collected_is_not_lost,
    a_newest_snapshot_whose_record_cannot_be_used_is_not_passed_over_in_silence,
    a_store_that_is_put_back_during_a_backup_costs_no_snapshot,
];

on_a_real_server![a_store_that_was_put_back_is_told_by_every_command_that_relies_on_the_newest];

fn a_store_that_was_put_back_is_told_by_every_command_that_relies_on_the_newest(at: At) {
    let machine = Machine::with(at);
    for content in [b"zeroth".as_slice(), b"first"] {
        machine.put("source/file", content);
        machine.say("backup -q source").expect(0);
    }
    let earlier = machine.place.objects();
    machine.put("source/file", b"second");
    machine.say("backup -q source").expect(0);
    for line in ["snapshots", "backup -q source", "restore latest -q --target whole"] {
        let ran = machine.say(line).expect(0);
        assert!(!ran.stderr.contains("gone from the store"), "{line}: {}", ran.stderr);
    }
    machine.place.put_back(&earlier);
    let gone = "snapshots are gone from the store";
    let ran = machine.say("snapshots").expect(0);
    assert!(ran.stderr.contains(gone), "{}", ran.stderr);
    // Which ones a rule would keep depends on those that are not there.
    for more in ["-n", "-q"] {
        let line = format!("forget --keep-last 1 --confirm-mass-delete 9 {more}");
        let ran = machine.say(&line).expect(23);
        assert!(
            ran.stderr.contains(gone) && ran.stderr.contains("accept-losses"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(machine.say("snapshots --json").expect(0).json().as_array().map(Vec::len), Some(2));
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

fn what_was_forgotten_and_collected_is_not_lost(at: At) {
    let machine = Machine::with(at);
    for content in [b"a", b"b", b"c"] {
        machine.put("source/file", content);
        machine.say("backup -q source").expect(0);
    }
    machine.say("forget -q --keep-last 1").expect(0);
    machine.say("backup -q source").expect(0);
    machine.say("restore latest -q --target out").expect(0);
}

fn a_newest_snapshot_whose_record_cannot_be_used_is_not_passed_over_in_silence(at: At) {
    let kinds: &[&str] = if at == At::Folder { &["flipped", "loop"] } else { &["flipped"] };
    for kind in kinds {
        let machine = Machine::with(at);
        for content in [b"first", b"other"] {
            machine.put("source/file", content);
            machine.say("backup -q source").expect(0);
        }
        // Random digits come after the number, so that names are in the order of the runs.
        let commits =
            machine.place.keys("snap/").into_iter().filter(|key| key.contains(".commit-"));
        let newest = commits.max().expect("there is one");
        match *kind {
            "flipped" => {
                let mut bytes = machine.place.read(&newest).to_vec();
                *bytes.last_mut().expect("it is not empty") ^= 1;
                machine.place.write(&newest, &bytes);
            }
            _ => {
                let newest = machine.path("repository").join(newest);
                std::fs::remove_file(&newest).expect("it can be removed");
                std::os::unix::fs::symlink(&newest, &newest).expect("a link");
            }
        }
        let fresh = |line: &str| {
            let mut command = machine.command(line.split(' '));
            Machine::output(command.env("MAINSTAY_STATE_DIR", machine.path("fresh")))
        };
        let ran = fresh("restore latest -q --target out").expect(20);
        assert!(ran.stderr.contains("is newer than"), "{kind}: {}", ran.stderr);
        // What can be restored is.
        let found = Command::new("find").arg(machine.path("out")).args(["-name", "file"]).output();
        assert!(!found.expect("there is find").stdout.is_empty(), "{kind}");
        let ran = fresh("snapshots").expect(20);
        assert!(ran.stderr.contains("the record of 1 snapshot cannot be used"), "{}", ran.stderr);
    }
}

/// Objects of the repository that were not there before.
fn new_objects(machine: &Machine, before: &BTreeSet<String>) -> Vec<String> {
    objects(machine).difference(before).cloned().collect()
}

fn objects(machine: &Machine) -> BTreeSet<String> {
    machine.place.keys("").into_iter().collect()
}

/// Another machine stores what this one then relies on; while this one works, the store is put back to
/// the time before. What it reports as a snapshot in the end restores.
fn a_store_that_is_put_back_during_a_backup_costs_no_snapshot(at: At) {
    let machine = Machine::with(at);
    machine.say("key add -q --role backup --to-key-file other.key").expect(0);
    machine.put("source/first", b"first");
    machine.say("backup -q source").expect(0);
    let before = objects(&machine);
    machine.put("source/shared", &system_tests::trees::content::random_bytes(7, 4_000_000));
    let mut other = machine.command(["--key-file", "other.key", "backup", "-q", "source"]);
    Machine::output(other.env("MAINSTAY_STATE_DIR", machine.path("state-of-other"))).expect(0);
    let gone = new_objects(&machine, &before);
    let seen = objects(&machine);
    machine.put("source/own", &system_tests::trees::content::random_bytes(8, 4_000_000));
    let mut slow = machine.command(["backup", "source", "--limit-upload", "1024"]);
    let mut child = slow.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    // Its session is in the store before it looks at what others have stored.
    let waited = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        !new_objects(&machine, &seen).is_empty()
    });
    assert!(waited, "it does not begin");
    std::thread::sleep(Duration::from_millis(700));
    assert!(child.try_wait().expect("ours").is_none(), "it is over too early");
    for key in gone {
        machine.place.delete(&key);
    }
    let ran = child.wait_with_output().expect("ours");
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(stderr.contains("was put back meanwhile"), "{stderr}");
    // It made a snapshot, and says that others are lost.
    assert_eq!(ran.status.code(), Some(20), "{stderr}");
    assert!(stderr.contains("gone from the store"), "{stderr}");
    let mut restore = machine.command(["restore", "latest", "-q", "--verify", "--target", "out"]);
    Machine::output(restore.env("MAINSTAY_STATE_DIR", machine.path("fresh"))).expect(0);
    for name in ["first", "shared", "own"] {
        let came = Command::new("find").arg(machine.path("out")).args(["-name", name]).output();
        let came = String::from_utf8(came.expect("there is find").stdout).expect("a path");
        let came = std::fs::read(came.trim_end()).expect("it was restored");
        assert!(came == std::fs::read(machine.path("source").join(name)).expect("ours"), "{name}");
    }
}

/// Deletes all packs but those.
fn lose(store: &Store, kept: &BTreeSet<PackId>) {
    for folder in ["data/", "tree/"] {
        for object in store.list(folder).expect("memory lists") {
            if let Some(ObjectName::Pack(pack)) = object.name
                && !kept.contains(&pack)
            {
                store.delete(&ObjectName::Pack(pack)).expect("memory forgets it");
            }
        }
    }
}

/// Packs that went after they were acknowledged, and before the segment that lists them: the segment would
/// be there, and so no look at segments would find that anything is gone.
#[test]
fn packs_that_are_gone_before_their_segment_are_stored_again() {
    let scene = Scene::new(At::Memory);
    put(&scene.source.join("second"), &random_bytes(2, 200_000));
    let (store, before) = (scene.place.store(), scene.packs());
    let is_done = AtomicBool::new(false);
    let hooked = Hooked::new(scene.place.object_store(), move |moment, kind, key| {
        let is_look = kind == CallKind::List && key.starts_with("data/");
        if is_look && moment == Moment::Before && !is_done.swap(true, Ordering::AcqRel) {
            // The store's own thread must not wait for itself.
            std::thread::scope(|scope| drop(scope.spawn(|| lose(&store, &before))));
        }
        Verdict::Go
    });
    let through = Store::from_object_store(Arc::new(hooked), "hooked", true);
    let machine = scene.admin.another(&through).expect("the words open it");
    machine.backup(&scene.source).expect("it stores them again");
    let fresh = scene.admin.another(&scene.place.store()).expect("the words open it");
    fresh.assert_newest_is(&scene.source);
    fresh.assert_sound();
}
