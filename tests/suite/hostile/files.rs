//! Files of this machine that somebody else owns, can read or can change, and files that are left.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::time::Duration;

use crate::hostile::machine::Machine;

/// Somebody else, on every system.
const NOBODY: u32 = 65534;

fn mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn secrets_that_others_own_or_read_are_refused_wherever_they_are_named() {
    let machine = Machine::new();
    let pass = machine.put("pass", b"correct horse battery staple\n");
    machine.say("key add --role backup --to-key-file b.key").expect(0);
    let key = machine.path("b.key");
    let tries = [(&pass, "--password-file pass snapshots"), (&key, "--key-file b.key snapshots")];
    for (path, line) in tries {
        for (bits, code) in
            [(0o600, 0), (0o400, 0), (0o640, 23), (0o604, 23), (0o620, 23), (0o644, 23)]
        {
            mode(path, bits);
            let ran = without_password(&machine, line).expect(code);
            assert_eq!(code == 23, ran.stderr.contains("chmod go="), "{bits:o}: {}", ran.stderr);
        }
        mode(path, 0o600);
        if !is_root() {
            continue;
        }
        chown(path, Some(NOBODY), None).expect("root may");
        let ran = without_password(&machine, line).expect(23);
        assert!(ran.stderr.contains("another user (uid 65534)"), "{}", ran.stderr);
        chown(path, Some(0), None).expect("root may");
        let aside = path.with_extension("aside");
        std::fs::rename(path, &aside).expect("moved");
        symlink(&aside, path).expect("a link");
        without_password(&machine, line).expect(0);
        lchown(path, Some(NOBODY), None).expect("root may");
        let ran = without_password(&machine, line).expect(23);
        assert!(ran.stderr.contains("link of another user"), "{}", ran.stderr);
    }
}

fn without_password(machine: &Machine, line: &str) -> crate::hostile::machine::Ran {
    let mut command = machine.command(line.split(' '));
    Machine::output(command.env_remove("MAINSTAY_PASSWORD"))
}

#[test]
fn a_configuration_of_somebody_else_runs_no_command() {
    let machine = Machine::new();
    let config = machine.put("c.toml", b"password-command = \"sh -c 'touch ran; echo x'\"\n");
    let refused = |what: &str| {
        let ran = without_password(&machine, "--config c.toml snapshots").expect(23);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
        assert!(!machine.path("ran").exists(), "its command ran");
    };
    mode(&config, 0o664);
    refused("others on this machine can change");
    mode(&config, 0o644);
    if is_root() {
        chown(&config, Some(NOBODY), None).expect("root may");
        refused("another user");
        chown(&config, Some(0), None).expect("root may");
    }
    without_password(&machine, "--config c.toml snapshots").expect(12);
    assert!(machine.path("ran").exists());
}

#[test]
fn state_of_somebody_else_is_not_believed() {
    let machine = Machine::new();
    machine.put("source/file", b"content");
    machine.say("backup -q source").expect(0);
    let states = std::fs::read_dir(machine.path("state")).expect("a state folder").flatten();
    let state = states.map(|entry| entry.path()).find(|path| path.is_dir()).expect("a state");
    let index = state.join("index.sqlite");
    for path in [&state, &index] {
        let usual = path.metadata().expect("it is there").permissions().mode() & 0o7777;
        mode(path, usual | 0o020);
        let ran = machine.say("backup -q source").expect(23);
        assert!(ran.stderr.contains("can change"), "{}", ran.stderr);
        mode(path, usual);
        machine.say("backup -q source").expect(0);
        if is_root() {
            chown(path, Some(NOBODY), None).expect("root may");
            for line in ["backup -q source", "snapshots"] {
                let ran = machine.say(line).expect(23);
                assert!(ran.stderr.contains("another user"), "{}", ran.stderr);
            }
            chown(path, Some(0), None).expect("root may");
        }
    }
    if is_root() {
        let aside = machine.path("aside.sqlite");
        std::fs::rename(&index, &aside).expect("moved");
        symlink(&aside, &index).expect("a link");
        lchown(&index, Some(NOBODY), None).expect("root may");
        machine.say("snapshots").expect(23);
    }
}

#[test]
fn a_run_without_an_index_that_was_killed_leaves_nothing_for_long() {
    let machine = Machine::new();
    // More than a pipe holds that nobody reads.
    let big = machine.put("source/big", &system_tests::trees::content::random_bytes(1, 1 << 20));
    machine.say("backup -q source").expect(0);
    let leftovers = || {
        let entries = std::fs::read_dir(machine.folder.path()).expect("a folder").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("mainstay-index-")).collect::<Vec<_>>()
    };
    let wanted = format!("latest:{}", big.display());
    let mut command = machine.command(["--no-index", "cat", &wanted]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    for _ in 0..400 {
        if !leftovers().is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    std::thread::sleep(Duration::from_millis(200));
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    assert_eq!(leftovers().len(), 1, "it was killed in the middle");
    machine.say("--no-index snapshots").expect(0);
    assert_eq!(leftovers(), [""; 0]);
}

#[test]
fn a_working_folder_that_is_gone_is_not_the_root() {
    let machine = Machine::new();
    machine.put("source/file", b"x");
    machine.say("backup -q source").expect(0);
    let program = env!("CARGO_BIN_EXE_victim");
    for line in ["backup .", "restore latest --target ./x", "snapshots"] {
        let script = format!("mkdir gone && cd gone && rmdir ../gone && exec {program} {line}");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script]).current_dir(machine.path(""));
        for (name, value) in machine.command(["version"]).get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        let ran = Machine::output(&mut shell).expect(2);
        assert!(ran.stderr.contains("working folder"), "{line}: {}", ran.stderr);
    }
}

#[test]
fn words_that_nobody_has_read_are_no_success() {
    for to in ["/dev/full", "closed"] {
        let machine = Machine::bare();
        let mut init = machine.command(["init", "-q", "--no-probe", "--kdf-memory", "64MiB"]);
        match to {
            "closed" => {
                let (reader, writer) = std::io::pipe().expect("a pipe");
                drop(reader);
                init.stdout(writer);
            }
            _ => {
                let full =
                    std::fs::File::options().write(true).open(to).expect("every Linux has it");
                init.stdout(full);
            }
        }
        let child = init.stderr(std::process::Stdio::piped()).spawn().expect("it starts");
        let ended = child.wait_with_output().expect("ours");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{to}: {said}");
        assert!(said.contains("the recovery words could not be shown"), "{to}: {said}");
    }
}
