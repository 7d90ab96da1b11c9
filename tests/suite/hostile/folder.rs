//! Things in the folder of a repository that are no objects, and stopping.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::hostile::machine::{Machine, pipe};
use crate::hostile::place::At;
use crate::hostile::planted::{LIMIT, plant_slots, with_backup};

fn first(folder: &Path) -> PathBuf {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    let found = entries.into_iter().next().expect("something is in it");
    if found.is_dir() { first(&found) } else { found }
}

#[test]
fn pipes_links_and_devices_among_the_objects_keep_nobody() {
    for kind in ["pipe", "root", "zero", "loop", "elsewhere"] {
        let machine = with_backup(At::Folder);
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
            let machine = with_backup(At::Folder);
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

#[test]
fn a_signal_ends_every_command_within_two_seconds() {
    let machine = with_backup(At::Folder);
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
