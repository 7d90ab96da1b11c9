//! Keys of other machines: whoever has one speaks for its own host and for nobody else.
//!
//! The thief here has a key file that the administrator made for some machine, and signs whatever
//! record it likes with it. The honest program on the other side is the real one.

use engine::base::id::SessionId;
use engine::base::time::Timestamp;
use engine::format::machine::{RunOutcome, RunRecord};
use engine::format::session::SessionKind;
use engine::format::slot::Role;
use engine::format::snapshot::{Original, Snapshot};
use engine::index::catalog;
use engine::repo::machine::put_run;
use engine::repo::open::{KeyFile, Unlock, open};
use engine::repo::session::{self, CommitOutcome};
use serde_json::Value;
use system_tests::trees::put;
use system_tests::world::{World, clock, new_place};

use crate::golden;
use crate::hostile::machine::{Machine, PASSPHRASE, Ran};
use crate::hostile::place::{At, Place, everywhere, on_a_real_server};

everywhere![
    a_key_of_another_machine_makes_no_latest_of_a_host,
    a_host_that_two_clients_claim_is_asked_for,
    forged_snapshots_displace_none_of_another_machine,
    reports_and_drills_count_nothing_that_another_machine_made,
    offboarding_takes_the_snapshots_of_one_client,
    a_backup_carries_over_nothing_that_another_client_made,
    only_who_may_forget_speaks_for_another_client,
    a_machine_with_another_name_goes_on_as_the_host_of_its_key,
    machines_of_one_name_have_a_history_each,
    a_replaced_machine_goes_on_with_the_history,
    a_machine_that_lost_its_state_is_joined_with_what_it_was,
    words_about_hosts_that_make_no_sense_are_refused,
    what_a_client_says_of_another_host_counts_for_nothing,
];

on_a_real_server![a_key_of_another_machine_makes_no_latest_of_a_host];

/// 2100-01-01.
const FAR: Timestamp = Timestamp { seconds: 4_102_444_800, nanos: 0 };

/// The administrator, with a state folder of its own.
pub(crate) fn admin(machine: &Machine) -> World {
    let repo = open(&machine.place.store(), clock(), &Unlock::Passphrase(PASSPHRASE.as_bytes()));
    World::around(repo.expect("the passphrase opens"))
}

/// Whoever has a key file of the machine.
pub(crate) fn thief(machine: &Machine, key: &str) -> World {
    let text = std::fs::read_to_string(machine.path(key)).expect("there is a key file");
    let key = KeyFile::parse(&text).expect("it is one");
    World::with_key(&machine.place.store(), &key).expect("the key opens")
}

/// Commits a record like that, as session `number` of whoever holds the key, with some changes.
pub(crate) fn commit(
    thief: &World,
    number: u64,
    like: &Snapshot,
    change: impl FnOnce(&mut Snapshot),
) -> SessionId {
    let identity = thief.repo.keys().identity().expect("the key file has one");
    let session = session::new_id(identity, number);
    let mut record = Snapshot {
        session,
        client: identity.client,
        previous: None,
        seen: Vec::new(),
        evidence: Vec::new(),
        original: None,
        ..like.clone()
    };
    change(&mut record);
    session::register(&thief.repo, identity, session, SessionKind::Backup, &record.host)
        .expect("it can be registered");
    let done = session::commit(&thief.repo, identity, &record).expect("it can be stored");
    assert!(matches!(done, CommitOutcome::Confirmed(_)), "{done:?}");
    session
}

/// The program on the machine that has this key file, with a state folder of its own.
pub(crate) fn with_key(machine: &Machine, key: &str, line: &str) -> Ran {
    let words = ["--key-file", key].into_iter().chain(line.split_ascii_whitespace());
    let mut command = machine.command(words);
    Machine::output(command.env("MAINSTAY_STATE_DIR", machine.path(&format!("state-of-{key}"))))
}

/// Makes a key file for backups; `more` are further options.
pub(crate) fn key(machine: &Machine, name: &str, more: &str) {
    let line = format!("key add -q --role backup --to-key-file {name}.key --label {name} {more}");
    machine.say(&line).expect(0);
}

/// What `snapshots` with these options lists.
pub(crate) fn listed(machine: &Machine, options: &str) -> Vec<Value> {
    let ran = machine.say(&format!("snapshots --json {options}")).expect(0);
    ran.json().as_array().expect("an array").clone()
}

/// Ids of those of them that count.
fn counting(machine: &Machine, options: &str) -> Vec<String> {
    let all = listed(machine, options);
    let counting = all.iter().filter(|one| one.get("doubt").is_none());
    counting.map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

/// The id of the latest snapshot that meets the conditions.
pub(crate) fn latest(machine: &Machine, options: &str) -> String {
    let ran = machine.say(&format!("ls --json latest {options}")).expect(0);
    let first = ran.stdout.lines().next().expect("a line");
    let first: Value = serde_json::from_str(first).expect("JSON");
    first["id"].as_str().expect("an id").to_owned()
}

/// Two machines, `web1` and `web2`, each with its own key, bound to its host; `web1` has made so many
/// snapshots and `web2` one.
fn two_machines(at: At, count: usize) -> (Machine, Vec<String>) {
    let machine = Machine::with(at);
    for name in ["web1", "web2"] {
        key(&machine, name, &format!("--client-host {name}"));
    }
    for number in 0..count {
        machine.put("source/file", format!("genuine {number}").as_bytes());
        with_key(&machine, "web1.key", "backup -q source").expect(0);
    }
    let genuine = counting(&machine, "--host web1");
    assert_eq!(genuine.len(), count);
    with_key(&machine, "web2.key", "backup -q source").expect(0);
    (machine, genuine)
}

/// The newest snapshot of `web1`, with everything in it that a key can read.
fn like(admin: &World) -> Snapshot {
    let mut of_web1 = admin.snapshots().into_iter().filter(|one| one.snapshot.host == "web1");
    of_web1.next_back().expect("there is one").snapshot
}

fn report(machine: &Machine, name: &str) -> Value {
    let words = format!("report recoverability --client Acme --format json --out {name}.json");
    machine.say(&words).expect(0);
    let text = std::fs::read(machine.path(&format!("{name}.json"))).expect("it was written");
    serde_json::from_slice(&text).expect("JSON")
}

fn a_key_of_another_machine_makes_no_latest_of_a_host(at: At) {
    let (machine, genuine) = two_machines(at, 1);
    let (admin, thief) = (admin(&machine), thief(&machine, "web2.key"));
    let like = like(&admin);
    let forged = [
        commit(&thief, 1, &like, |_| {}),
        commit(&thief, 2, &like, |it| (it.started, it.finished) = (FAR, FAR)),
        commit(&thief, 3, &like, |it| it.started = Timestamp::default()),
    ];
    assert_eq!(latest(&machine, "--host web1"), genuine[0]);
    let ran = machine.say("restore latest --host web1 --target out").expect(0);
    assert!(ran.stderr.contains("its client may not name it"), "{}", ran.stderr);
    let back = machine.path("out").join(machine.path("source/file").strip_prefix("/").expect("/"));
    assert_eq!(std::fs::read(back).expect("it came back"), b"genuine 0");
    // Plain `latest` is of whoever may say so.
    let own = counting(&machine, "--host web2");
    assert_eq!(latest(&machine, ""), own[0]);
    // They are shown, as what they are, and can be restored by their ids.
    let shown = listed(&machine, "--host web1");
    let doubted: Vec<_> = shown.iter().filter(|one| one["doubt"] == "host").collect();
    assert_eq!((shown.len(), doubted.len()), (4, 3));
    let ran = machine.say("snapshots --host web1").expect(0);
    assert!(ran.stdout.contains("client web1"), "{}", ran.stdout);
    assert!(ran.stdout.contains("its client may not name it"), "{}", ran.stdout);
    let id = forged[0].to_snapshot_hex();
    machine.run(["restore", "-q", &id, "--target", "forged"]).expect(0);
}

fn what_a_client_says_of_another_host_counts_for_nothing(at: At) {
    let (machine, _) = two_machines(at, 1);
    let thief = thief(&machine, "web2.key");
    let identity = thief.repo.keys().identity().expect("it writes").clone();
    for (number, host) in [(0, "web1"), (1, "web2")] {
        let run = RunRecord {
            client: identity.client,
            number,
            outcome: RunOutcome::Ok,
            host: Some(host.to_owned()),
            ..golden::machines::run()
        };
        put_run(&thief.repo, &identity, &run).expect("it is stored");
    }
    let ran = machine.say("outcomes --since 2000-01-01 --json").expect(0);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("\"host\":\"web2\""), "{}", ran.stdout);
    assert!(ran.stderr.contains("passed over: 1 record"), "{}", ran.stderr);
}

fn a_host_that_two_clients_claim_is_asked_for(at: At) {
    let (machine, genuine) = two_machines(at, 1);
    // Nobody has said which host this key is for: it takes the one that it names first.
    key(&machine, "fresh", "");
    let like = like(&admin(&machine));
    let forged = commit(&thief(&machine, "fresh.key"), 0, &like, |_| {}).to_snapshot_hex();
    for line in ["ls latest --host web1", "restore latest --host web1 --target out"] {
        let ran = machine.say(line).expect(23);
        assert!(ran.stderr.contains("2 clients claim the host web1"), "{}", ran.stderr);
        assert!(ran.stderr.contains("--client"), "{}", ran.stderr);
    }
    assert!(!machine.path("out").exists());
    assert_eq!(latest(&machine, "--host web1 --client web1"), genuine[0]);
    assert_eq!(latest(&machine, "--host web1 --client fresh"), forged);
    machine.say("ls latest").expect(0);
    let ran = machine.say("snapshots --host web1").expect(0);
    for client in ["client web1", "client fresh"] {
        assert!(ran.stdout.contains(client), "{}", ran.stdout);
    }
    let ran = machine.say("ls latest --client nobody").expect(2);
    assert!(ran.stderr.contains("there is no client nobody"), "{}", ran.stderr);
}

fn forged_snapshots_displace_none_of_another_machine(at: At) {
    for (key_of_thief, options) in [("web2", "--client-host web2"), ("fresh", "")] {
        for group_by in ["", "--group-by paths"] {
            let (machine, genuine) = two_machines(at, 6);
            if key_of_thief == "fresh" {
                key(&machine, key_of_thief, options);
            }
            let like = like(&admin(&machine));
            let thief = thief(&machine, &format!("{key_of_thief}.key"));
            for number in 1..=10 {
                commit(&thief, number, &like, |it| it.started = it.finished);
            }
            machine.say(&format!("forget -q --keep-last 6 {group_by}")).expect(0);
            let left = counting(&machine, "--host web1");
            let what = format!("{key_of_thief}, {group_by:?}");
            assert!(genuine.iter().all(|one| left.contains(one)), "{what}: {left:?}");
            // What does not count goes by its name, without a word about newest snapshots.
            if key_of_thief == "web2" && group_by.is_empty() {
                let shown = listed(&machine, "--host web1");
                let doubted = shown.iter().filter(|one| one["doubt"] == "host");
                let ids: Vec<_> = doubted.map(|one| one["id"].as_str().expect("id")).collect();
                assert_eq!(ids.len(), 10);
                machine.run(["forget", "-q"].iter().chain(&ids)).expect(0);
                assert_eq!(listed(&machine, "--host web1").len(), 6);
            }
        }
    }
}

fn reports_and_drills_count_nothing_that_another_machine_made(at: At) {
    let (machine, genuine) = two_machines(at, 2);
    let admin = admin(&machine);
    let like = like(&admin);
    let own = admin.snapshots().into_iter().find(|one| one.snapshot.host == "web2");
    let previous = own.map(|one| one.digest);
    let thief_of_web2 = thief(&machine, "web2.key");
    let forged = commit(&thief_of_web2, 1, &like, |it| it.previous = previous).to_snapshot_hex();
    let ran = machine.say("drill latest --host web1 --json").expect(0);
    assert_eq!(ran.json()["snapshot_id"], genuine[1].as_str(), "{}", ran.stdout);
    assert_eq!(ran.json()["hostname"], "web1");
    let before = report(&machine, "before");
    assert_eq!(before["systems"], serde_json::json!(["web1", "web2"]));
    assert!(!before.to_string().contains(&forged), "{before}");
    // A drill of what is not believed is none of the host.
    let ran = machine.run(["drill", &forged, "--json"]).expect(0);
    let system = ran.json()["hostname"].as_str().expect("a name").to_owned();
    assert!(system.starts_with("web1 (web2 "), "{system}");
    // As soon as another client claims the host, each is a system of its own, also in what was
    // drilled before.
    key(&machine, "fresh", "");
    commit(&thief(&machine, "fresh.key"), 0, &like, |_| {});
    let after = report(&machine, "after");
    let systems: Vec<&str> = after["systems"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|it| it.as_str().expect("a name"))
        .collect();
    let begins = |words: &str| systems.iter().any(|one| one.starts_with(words));
    assert!(begins("web1 (web1 ") && begins("web1 (fresh "), "{systems:?}");
    assert!(!systems.contains(&"web1"), "{systems:?}");
}

fn offboarding_takes_the_snapshots_of_one_client(at: At) {
    let (machine, _) = two_machines(at, 2);
    key(&machine, "fresh", "");
    let like = like(&admin(&machine));
    let other = commit(&thief(&machine, "fresh.key"), 0, &like, |_| {}).to_snapshot_hex();
    let ran = machine.say("offboard web1 --confirm web1").expect(23);
    assert!(ran.stderr.contains("--client"), "{}", ran.stderr);
    machine.say("offboard web1 --client web1 --confirm web1").expect(0);
    assert_eq!(counting(&machine, "--host web1"), [other]);
}

fn a_backup_carries_over_nothing_that_another_client_made(at: At) {
    let folder = new_place();
    let store = Place::new(at, folder.path(), "repository").store();
    let mut admin = World::create(&store);
    let source = admin.new_folder("source");
    put(&source.join("file"), b"genuine");
    let genuine = admin.backup(&source).expect("the backup runs").snapshot;
    let key = admin.cut_key(Role::Backup, 0);
    let thief = World::with_key(&store, &key).expect("the key opens");
    let like = admin.newest();
    let forged = commit(&thief, 0, &like, |it| it.started = it.finished);
    // Without hints the newest snapshot of the same host and paths is compared with.
    admin.lose_index();
    let listed = catalog::snapshots(&admin.repo, &admin.index).expect("they can be listed");
    assert!(listed.snapshots.iter().any(|one| one.snapshot.session == forged));
    let report = admin.backup(&source).expect("the backup runs");
    assert_eq!(report.parent, genuine);
}

fn only_who_may_forget_speaks_for_another_client(at: At) {
    let (machine, genuine) = two_machines(at, 6);
    let admin = admin(&machine);
    let like = like(&admin);
    let first = admin.snapshots().into_iter().find(|one| one.snapshot.host == "web1");
    let first = first.expect("there is one").snapshot.session;
    machine.run(["forget", "-q", &first.to_snapshot_hex()]).expect(0);
    let original = Original { session: first, committed: FAR };
    let thief = thief(&machine, "web2.key");
    commit(&thief, 1, &like, |it| it.original = Some(original));
    commit(&thief, 2, &like, |it| {
        (it.original, it.host) = (Some(original), "web2".to_owned());
    });
    assert_eq!(latest(&machine, "--host web1"), genuine[5]);
    let ran = machine.run(["undelete", "--json", &first.to_snapshot_hex()]).expect(0);
    assert_eq!(ran.json()["was_there"], false, "{}", ran.stdout);
    // What the administrator brings back is of the client whose it was.
    assert_eq!(counting(&machine, "--host web1 --client web1").len(), 6);
    machine.say("ls latest --host web1").expect(0);
}

fn a_machine_with_another_name_goes_on_as_the_host_of_its_key(at: At) {
    let machine = Machine::with(at);
    key(&machine, "web1", "--client-host web1");
    key(&machine, "first", "");
    machine.put("source/file", b"content");
    let ran = with_key(&machine, "web1.key", "backup source").expect(0);
    assert!(ran.stderr.contains("its key is for \"web1\""), "{}", ran.stderr);
    let ran = with_key(&machine, "web1.key", "backup source --host web2").expect(23);
    assert!(ran.stderr.contains("--succeeds"), "{}", ran.stderr);
    // Without a word about hosts the first one that is named counts.
    with_key(&machine, "first.key", "backup -q source --host db1").expect(0);
    with_key(&machine, "first.key", "backup -q source --host db2").expect(23);
    let ran = with_key(&machine, "first.key", "backup source").expect(0);
    assert!(ran.stderr.contains("its key is for \"db1\""), "{}", ran.stderr);
    // Also where nothing remembers it.
    std::fs::remove_dir_all(machine.path("state-of-first.key")).expect("it was there");
    let ran = with_key(&machine, "first.key", "backup source --host db2").expect(23);
    assert!(ran.stderr.contains("db1"), "{}", ran.stderr);
    let hosts = listed(&machine, "");
    let hosts: Vec<_> = hosts.iter().map(|one| one["hostname"].as_str().expect("host")).collect();
    assert_eq!(hosts, ["web1", "db1", "db1"]);
    // A new key takes the history along under the new name.
    key(&machine, "new", "--succeeds web1 --client-host web2");
    let ran = with_key(&machine, "new.key", "backup source --host web2").expect(0);
    assert!(!ran.stderr.contains("its key is for"), "{}", ran.stderr);
    assert_eq!(counting(&machine, "--client new").len(), 2);
}

fn machines_of_one_name_have_a_history_each(at: At) {
    let machine = Machine::with(at);
    for name in ["one", "two", "three"] {
        key(&machine, name, "--client-host localhost");
        for content in [b"a", b"b"] {
            machine.put("source/file", content);
            with_key(&machine, &format!("{name}.key"), "backup -q source").expect(0);
        }
    }
    machine.say("ls latest --host localhost").expect(23);
    machine.say("ls latest --host localhost --client two").expect(0);
    machine.say("forget -q --keep-last 1 --confirm-mass-delete 99").expect(0);
    for name in ["one", "two", "three"] {
        assert_eq!(counting(&machine, &format!("--client {name}")).len(), 1, "{name}");
    }
    // A name that several clients have is no name.
    machine.say("key add -q --role backup --to-key-file another.key --label one").expect(0);
    let ran = machine.say("ls latest --client one");
    assert!(ran.stderr.contains("2 clients"), "{}", ran.stderr);
}

fn a_replaced_machine_goes_on_with_the_history(at: At) {
    let (machine, genuine) = two_machines(at, 3);
    key(&machine, "replaced", "--succeeds web1");
    // Stores that know whole seconds order nothing within one.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    machine.put("source/file", b"later");
    with_key(&machine, "replaced.key", "backup -q source").expect(0);
    let all = counting(&machine, "--host web1");
    assert_eq!(all.len(), 4);
    assert_eq!(latest(&machine, "--host web1"), all[3]);
    assert!(genuine.iter().all(|one| all.contains(one)));
    machine.say("forget -q --host web1 --keep-last 2 --confirm-mass-delete 99").expect(0);
    assert_eq!(counting(&machine, "--host web1"), all[2..]);
    assert_eq!(report(&machine, "report")["systems"], serde_json::json!(["web1", "web2"]));
    let ran = machine.say("key clients").expect(0);
    assert!(ran.stdout.contains("succeeded by replaced"), "{}", ran.stdout);
}

fn a_machine_that_lost_its_state_is_joined_with_what_it_was(at: At) {
    let machine = Machine::with(at);
    machine.put("source/file", b"content");
    machine.say("backup -q source --host laptop").expect(0);
    std::fs::remove_dir_all(machine.path("state")).expect("it was there");
    machine.say("backup -q source --host laptop").expect(0);
    machine.say("ls latest --host laptop").expect(23);
    let first = listed(&machine, "")[0]["client"].as_str().expect("an id").to_owned();
    machine.run(["key", "succeed", &first]).expect(0);
    let second = counting(&machine, "").pop().expect("there are two");
    assert_eq!(latest(&machine, "--host laptop"), second);
    machine.say("backup -q source --host laptop").expect(0);
    assert_eq!(latest(&machine, "--host laptop"), counting(&machine, "")[2]);
    machine.say("forget -q --keep-last 1 --confirm-mass-delete 9").expect(0);
    assert_eq!(counting(&machine, "").len(), 1);
}

fn words_about_hosts_that_make_no_sense_are_refused(at: At) {
    let machine = Machine::with(at);
    for line in [
        "key add --role verify --to-key-file x.key --client-host web1",
        "key add --role restore --to-key-file x.key --succeeds web1",
        "key add --role backup --to-key-file x.key --succeeds nobody",
        "key succeed nobody",
        "key revoke nobody",
    ] {
        machine.say(line).expect(2);
        assert!(!machine.path("x.key").exists(), "{line}");
    }
    let list = machine.say("key clients --json").expect(0);
    assert_eq!(list.json(), Value::Array(Vec::new()));
}
