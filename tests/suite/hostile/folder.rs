//! Things in the folder of a repository that are no objects, slots that others put there, and stopping.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::hostile::machine::{Machine, pipe};

/// Longest that a command may take that meets something planted.
const LIMIT: Duration = Duration::from_secs(40);

fn first(folder: &Path) -> PathBuf {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    let found = entries.into_iter().next().expect("something is in it");
    if found.is_dir() { first(&found) } else { found }
}

fn with_backup() -> Machine {
    let machine = Machine::new();
    machine.put("source/file", &[7; 100_000]);
    machine.say("backup -q source").expect(0);
    machine
}

#[test]
fn pipes_links_and_devices_among_the_objects_keep_nobody() {
    for kind in ["pipe", "root", "zero", "loop", "elsewhere"] {
        let machine = with_backup();
        let plant = |path: &Path| match kind {
            "pipe" => pipe(path),
            "root" => symlink("/", path).expect("a link"),
            "zero" => symlink("/dev/zero", path).expect("a link"),
            "loop" => symlink(path, path).expect("a link"),
            _ => symlink("/proc/self/mem", path).expect("a link"),
        };
        let repository = machine.path("repository");
        for folder in
            ["data", "index", "snap", "sess", "gc", "keys", "clients", "evidence", "holds"]
        {
            std::fs::create_dir_all(repository.join(folder)).expect("a folder");
            plant(&repository.join(folder).join("planted"));
        }
        plant(&repository.join("planted"));
        for line in ["snapshots", "backup -q source", "check", "stats", "ls latest", "key list"] {
            let ran = Machine::within(LIMIT, &mut machine.command(line.split(' ')));
            let is_known = [Some(0), Some(1), Some(20), Some(23)].contains(&ran.code);
            assert!(is_known, "{kind}: {line}: {:?} {}", ran.code, ran.stderr);
        }
        let target = ["restore", "latest", "-q", "--target", "out"];
        Machine::within(LIMIT, &mut machine.command(target)).expect(0);
    }
}

#[test]
fn an_object_that_became_a_pipe_or_a_link_is_an_error_that_names_it() {
    for folder in ["data", "snap", "index"] {
        for kind in ["pipe", "zero"] {
            let machine = with_backup();
            let object = first(&machine.path("repository").join(folder));
            std::fs::remove_file(&object).expect("removed");
            match kind {
                "pipe" => pipe(&object),
                _ => symlink("/dev/zero", &object).expect("a link"),
            }
            for line in ["restore latest -q --target out", "check --read-data", "index rebuild"] {
                let mut command = machine.command(line.split(' '));
                command.env("MAINSTAY_STATE_DIR", machine.path("fresh"));
                let ran = Machine::within(LIMIT, &mut command);
                assert_ne!(ran.code, None, "{folder} {kind} {line}: {}", ran.stderr);
            }
            let mut command = machine.command(["check", "--read-data"]);
            let ran = Machine::within(LIMIT, &mut command);
            assert_ne!(ran.code, Some(0), "{folder} {kind}: {}", ran.stdout);
        }
    }
}

/// What bears the name of a pack of a session that nobody has listed yet: whoever may add objects can put
/// it there, and nothing stops because of it.
#[test]
fn a_pack_that_is_none_stops_nobody() {
    for kind in ["pipe", "loop", "empty", "junk", "huge"] {
        let machine = with_backup();
        let pack = first(&machine.path("repository/data"));
        let planted = pack.with_file_name("0badbadb-0123456789abcdef");
        match kind {
            "pipe" => pipe(&planted),
            "loop" => symlink(&planted, &planted).expect("a link"),
            "empty" => system_tests::trees::put(&planted, b""),
            "junk" => system_tests::trees::put(&planted, &[9; 5000]),
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
        assert!(is_named || !matches!(kind, "pipe" | "huge"), "{kind}: {said}");
    }
}

/// Puts the configuration and the slots of one machine's repository into that of another, with times
/// that make them look older.
fn plant_configuration(from: &Machine, into: &Machine) {
    for folder in ["keys", "."] {
        let folder = Path::new("repository").join(folder);
        for entry in std::fs::read_dir(from.path("").join(&folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if !path.is_file() || name.starts_with("reserve") {
                continue;
            }
            let to = into.path("").join(&folder).join(name);
            std::fs::copy(&path, &to).expect("it can be copied");
            let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            let file = std::fs::File::options().write(true).open(to).expect("it is ours");
            file.set_modified(old).expect("it is ours");
        }
    }
}

/// Whoever may add objects can add configurations, with slots of their own. The one that opens counts.
#[test]
fn other_configurations_stop_nobody_and_are_named() {
    let machine = with_backup();
    let other = Machine::bare();
    let mut init = other.command(["init", "-q", "--no-probe", "--kdf-memory", "64MiB"]);
    Machine::output(init.env("MAINSTAY_PASSWORD", "quite another passphrase")).expect(0);
    plant_configuration(&other, &machine);
    machine.put("repository/config-00000000000000000000000000000000", b"junk");
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
    let twin = Machine::new();
    plant_configuration(&twin, &machine);
    let both = machine.say("snapshots -q").expect(23).stderr;
    assert_eq!(both.matches("config-").count(), 2, "{both}");
}

/// Slots as anybody can put there who may add objects: copies of one that is there, under other names
/// and with other costs.
fn plant_slots(machine: &Machine, count: u32, memory_kib: u32, passes: u32) {
    use engine::base::id::SlotId;
    use engine::format::slot::{KdfCost, Slot};
    let folder = machine.path("repository/keys");
    let good = std::fs::read(first(&folder)).expect("a slot");
    let slot = Slot::decode(&good).expect("it is one");
    for number in 0..count {
        let mut id = [0; 8];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let id = SlotId::new(id);
        let mut planted = slot.clone();
        planted.slot = id;
        planted.kind = engine::format::slot::SlotKind::Passphrase;
        planted.cost = Some(KdfCost { memory_kib, passes, lanes: 4 });
        let path = folder.join(id.to_string());
        system_tests::trees::put(&path, &planted.encode());
    }
}

#[test]
fn planted_slots_keep_nobody_from_a_passphrase_that_is_right() {
    // Costly ones come after the right one; damaged ones end nothing.
    let machine = with_backup();
    plant_slots(&machine, 100, 4 * 1024 * 1024, 20);
    machine.put("repository/keys/00ff00ff00ff00ff", b"junk");
    machine.put("repository/keys/00ff00ff00ff00f0", b"");
    let mut command = machine.command(["snapshots", "-q"]);
    command.env("MAINSTAY_STATE_DIR", machine.path("fresh"));
    Machine::within(Duration::from_secs(20), &mut command).expect(0);
    // Cheap ones come after those that the administrator has signed for, also on a fresh machine.
    let machine = with_backup();
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

#[test]
fn a_signal_ends_every_command_within_two_seconds() {
    let machine = with_backup();
    machine.put("check.sh", b"trap '' TERM INT HUP; sleep 60; sleep 60\n");
    let wait =
        format!("drill -q --kind full --command 'sh {}'", machine.path("check.sh").display());
    pipe(&machine.path("list"));
    plant_slots(&machine, 3, 1024 * 1024, 20);
    machine.put("wrong", b"another passphrase\n");
    let wrong = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(machine.path("wrong"), wrong).expect("it is ours");
    for words in [
        shlex("--password-file wrong snapshots"),
        shlex(&wait),
        shlex("backup -q --stdin-from-command -- sleep 60"),
        shlex("backup -q --files-from list"),
        shlex("--password-file list snapshots"),
        shlex("--password-command 'sleep 60' snapshots"),
    ] {
        let mut command = machine.command(&words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if words[0].starts_with("--password") {
            command.env_remove("MAINSTAY_PASSWORD");
        }
        let mut child = command.spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(1500));
        assert!(child.try_wait().expect("ours").is_none(), "{words:?} does not wait");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        #[expect(clippy::disallowed_methods, reason = "the time that a person waits")]
        let began = Instant::now();
        while child.try_wait().expect("ours").is_none() {
            assert!(began.elapsed() < Duration::from_secs(4), "{words:?} goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(began.elapsed() < Duration::from_millis(2500), "{words:?}: {:?}", began.elapsed());
    }
}

/// Words as a shell splits them, with quotes of one kind.
fn shlex(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in line.split('\'').enumerate() {
        match number % 2 {
            0 => words.extend(part.split_ascii_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// What a machine knows by heart must be in the store all the same: nobody else opens without it.
#[test]
fn what_only_this_machine_remembers_is_missed_by_a_check() {
    let empty = |path: &Path| system_tests::trees::put(path, b"");
    for (folder, is_gone) in
        [("config", true), ("config", false), ("clients", true), ("snap", false)]
    {
        let machine = with_backup();
        machine.say("key add -q --role restore --to-key-file key").expect(0);
        machine.say("--key-file key check -q").expect(0);
        let repository = machine.path("repository");
        let object = match folder {
            "config" => {
                let entries = std::fs::read_dir(&repository).expect("a folder").flatten();
                let mut paths = entries.map(|entry| entry.path());
                let is_config = |path: &PathBuf| path.to_string_lossy().contains("config-");
                paths.find(is_config).expect("there is one")
            }
            _ => first(&repository.join(folder)),
        };
        match is_gone {
            true => std::fs::remove_file(&object).expect("it is ours"),
            false => empty(&object),
        }
        let check = machine.say("--key-file key check").expect(20).stdout;
        let name = object.file_name().expect("a name").to_string_lossy().into_owned();
        let name = name.get(..16).unwrap_or(&name);
        assert!(check.contains(name), "{folder}: {check}");
        // Nobody is told to make a new repository where one lies.
        if folder == "config" {
            let mut other = machine.command(["snapshots"]);
            other.env("MAINSTAY_STATE_DIR", machine.path("other"));
            let said = Machine::output(&mut other).expect(20).stderr;
            assert!(!said.contains("init"), "{said}");
        }
    }
}
