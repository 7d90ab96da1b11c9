//! Objects that whoever may add some puts beside the genuine ones of a repository: packs, configurations
//! and slots; and what only one machine remembers.

use std::time::{Duration, Instant};

use crate::hostile::machine::{Machine, pipe};
use crate::hostile::place::{At, everywhere, on_a_real_server};

everywhere![
    a_pack_that_is_none_stops_nobody,
    junk_of_sessions_and_collections_holds_up_no_collector,
    other_configurations_stop_nobody_and_are_named,
    planted_slots_keep_nobody_from_a_passphrase_that_is_right,
    what_only_this_machine_remembers_is_missed_by_a_check,
];

on_a_real_server![a_pack_that_is_none_stops_nobody];

/// Longest that a command may take that meets something planted.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// A machine whose repository at such a place has one snapshot.
pub(crate) fn with_backup(at: At) -> Machine {
    let machine = Machine::with(at);
    machine.put("source/file", &[7; 100_000]);
    machine.say("backup -q source").expect(0);
    machine
}

/// What bears the name of a pack of a session that nobody has listed yet: whoever may add objects can put
/// it there, and nothing stops because of it.
fn a_pack_that_is_none_stops_nobody(at: At) {
    let kinds: &[&str] = match at {
        At::Folder => &["pipe", "loop", "empty", "junk", "huge"],
        _ => &["empty", "junk"],
    };
    for kind in kinds {
        let machine = with_backup(at);
        let pack = machine.place.keys("data/").remove(0);
        let (session, _) = pack.rsplit_once('/').expect("packs are below their session");
        let key = format!("{session}/0badbadb-0123456789abcdef");
        let planted = machine.path("repository").join(&key);
        match *kind {
            "pipe" => pipe(&planted),
            "loop" => std::os::unix::fs::symlink(&planted, &planted).expect("a link"),
            "empty" => machine.place.write(&key, b""),
            "junk" => machine.place.write(&key, &[9; 5000]),
            _ => {
                let file = std::fs::File::create(&planted).expect("a file");
                file.set_len(3 << 30).expect("a sparse file");
            }
        }
        machine.put("source/more", kind.as_bytes());
        for line in [
            "backup -q source",
            "check",
            "index rebuild",
            "prune --grace 0s",
            "restore latest -q --target out --verify",
        ] {
            Machine::within(LIMIT, &mut machine.command(line.split(' '))).expect(0);
        }
        let said = machine.say("check --json").expect(0).stdout;
        let is_named = said.contains("0badbadb-0123456789abcdef");
        // One that may be a pack is left to `--read-data`, and to a prune that knows of no such session.
        assert!(is_named || !matches!(*kind, "pipe" | "huge"), "{kind}: {said}");
    }
}

/// What bears the name of a session that is not over, or of a collection that is under way, without the
/// code of a key: a collector neither waits for it nor stops.
fn junk_of_sessions_and_collections_holds_up_no_collector(at: At) {
    use engine::base::id::{ClientId, GenerationId, Nonce8, SessionId};
    use engine::store::ObjectName;
    let machine = with_backup(at);
    machine.put("source/file", &system_tests::trees::content::random_bytes(5, 100_000));
    machine.say("backup -q source").expect(0);
    machine.say("forget -q --keep-last 1 --confirm-mass-delete 9").expect(0);
    let (client, random) = (ClientId::new([7; 8]), Nonce8::new([9; 8]));
    let (session, generation) =
        (SessionId::from_parts(client, 0, random), GenerationId::from_parts(client, random));
    for name in [
        ObjectName::Session(session),
        ObjectName::Condemn(generation),
        ObjectName::Sweep(generation),
        ObjectName::Close(generation, random),
        ObjectName::Past { number: 9, random },
    ] {
        machine.place.write(&name.key(), b"junk");
        machine.place.write(&format!("{name}-0123456789abcdef"), b"junk");
    }
    let before = machine.place.keys("data/").len();
    machine.say("prune -q --grace 0s --confirm-mass-delete 99").expect(0);
    assert_eq!(machine.place.keys("data/").len(), before - 1, "what nobody needs is still there");
    machine.say("backup -q source").expect(0);
    machine.say("restore latest -q --target out --verify").expect(0);
    let check = machine.say("check").expect(0).stderr;
    assert!(check.contains("no part of this repository"), "{check}");
}

/// Puts the configuration and the slots of one machine's repository into that of another; in a folder
/// with times that make them look older.
fn plant_configuration(from: &Machine, into: &Machine, at: At) {
    for key in from.place.keys("").iter().filter(|key| is_of_opening(key)) {
        into.place.write(key, &from.place.read(key));
        if at == At::Folder {
            let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            let to = into.path("repository").join(key);
            let file = std::fs::File::options().write(true).open(to).expect("it is ours");
            file.set_modified(old).expect("it is ours");
        }
    }
}

fn is_of_opening(key: &str) -> bool {
    key.starts_with("config-") || key.starts_with("keys/")
}

/// Whoever may add objects can add configurations, with slots of their own. The one that opens counts.
fn other_configurations_stop_nobody_and_are_named(at: At) {
    let machine = with_backup(at);
    let other = Machine::bare_with(at);
    let mut init = other.command(["init", "-q", "--no-probe", "--kdf-memory", "64MiB"]);
    Machine::output(init.env("MAINSTAY_PASSWORD", "quite another passphrase")).expect(0);
    // Of several the oldest counts, and stores that know whole seconds order nothing within one.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    plant_configuration(&other, &machine, at);
    machine.place.write("config-00000000000000000000000000000000", b"junk");
    for line in
        ["snapshots -q", "backup -q source", "check", "prune", "restore latest -q --target out"]
    {
        let mut command = machine.command(line.split(' '));
        command.env("MAINSTAY_STATE_DIR", machine.path("fresh"));
        Machine::within(LIMIT, &mut command).expect(0);
    }
    let check = machine.say("check").expect(0).stderr;
    assert_eq!(check.matches("no part of this repository").count(), 2, "{check}");
    // A passphrase that opens neither is wrong, and the other one opens the other repository.
    let mut command = machine.command(["snapshots"]);
    Machine::output(command.env("MAINSTAY_PASSWORD", "a passphrase of nobody")).expect(12);
    // The same passphrase for both: nobody can say which one is meant.
    let twin = Machine::with(at);
    plant_configuration(&twin, &machine, at);
    let both = machine.say("snapshots -q").expect(23).stderr;
    assert_eq!(both.matches("config-").count(), 2, "{both}");
}

/// Slots as anybody can put there who may add objects: copies of one that is there, under other names
/// and with other costs.
pub(crate) fn plant_slots(machine: &Machine, count: u32, memory_kib: u32, passes: u32) {
    use engine::base::id::SlotId;
    use engine::format::slot::{KdfCost, Slot};
    let good = machine.place.read(&machine.place.keys("keys/")[0]);
    let slot = Slot::decode(&good).expect("it is one");
    for number in 0..count {
        let mut id = [0; 8];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let id = SlotId::new(id);
        let mut planted = slot.clone();
        planted.slot = id;
        planted.kind = engine::format::slot::SlotKind::Passphrase;
        planted.cost = Some(KdfCost { memory_kib, passes, lanes: 4 });
        machine.place.write(&format!("keys/{id}"), &planted.encode());
    }
}

fn planted_slots_keep_nobody_from_a_passphrase_that_is_right(at: At) {
    // Costly ones come after the right one; damaged ones end nothing.
    let machine = with_backup(at);
    plant_slots(&machine, 100, 4 * 1024 * 1024, 20);
    machine.place.write("keys/00ff00ff00ff00ff", b"junk");
    machine.place.write("keys/00ff00ff00ff00f0", b"");
    let mut command = machine.command(["snapshots", "-q"]);
    command.env("MAINSTAY_STATE_DIR", machine.path("fresh"));
    Machine::within(Duration::from_secs(20), &mut command).expect(0);
    // Cheap ones come after those that the administrator has signed for, also on a fresh machine.
    let machine = with_backup(at);
    plant_slots(&machine, 30, 64 * 1024, 2);
    #[expect(clippy::disallowed_methods, reason = "the time that a person waits")]
    let began = Instant::now();
    let mut command = machine.command(["snapshots", "-q"]);
    command.env("MAINSTAY_STATE_DIR", machine.path("fresh"));
    Machine::within(LIMIT, &mut command).expect(0);
    let right = began.elapsed();
    // A wrong passphrase is called wrong only after all were asked.
    let mut command = machine.command(["snapshots", "-q"]);
    command.env("MAINSTAY_PASSWORD", "another passphrase");
    let ran = Machine::within(LIMIT, &mut command).expect(12);
    assert!(ran.stderr.contains("(31 tried)"), "{}", ran.stderr);
    let wrong = began.elapsed() - right;
    assert!(2 * right < wrong, "{right:?} with planted slots, {wrong:?} for all");
    // What nobody here made is told, and can be removed.
    let listed = machine.say("key list --json").expect(0).stdout;
    assert_eq!(listed.matches("\"unlisted\"").count(), 30, "{listed}");
    let check = machine.say("check").expect(0);
    assert!(check.stderr.contains("no administrator has signed for it"), "{}", check.stderr);
    machine.say("key remove 0000000000000000").expect(0);
}

/// What a machine knows by heart must be in the store all the same: nobody else opens without it.
fn what_only_this_machine_remembers_is_missed_by_a_check(at: At) {
    for (folder, is_gone) in
        [("config-", true), ("config-", false), ("clients/", true), ("snap/", false)]
    {
        let machine = with_backup(at);
        machine.say("key add -q --role restore --to-key-file key").expect(0);
        machine.say("--key-file key check -q").expect(0);
        let object = machine.place.keys(folder).remove(0);
        match is_gone {
            true => machine.place.delete(&object),
            false => machine.place.write(&object, b""),
        }
        let check = machine.say("--key-file key check").expect(20).stdout;
        let name = object.rsplit('/').next().expect("a name");
        let name = name.get(..16).unwrap_or(name);
        assert!(check.contains(name), "{folder}: {check}");
        // Nobody is told to make a new repository where one lies.
        if folder == "config-" {
            let mut other = machine.command(["snapshots"]);
            other.env("MAINSTAY_STATE_DIR", machine.path("other"));
            let said = Machine::output(&mut other).expect(20).stderr;
            assert!(!said.contains("init"), "{said}");
        }
    }
}
