//! What programs get that this one starts: no secret in the environment, no descriptor of a passphrase.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::hostile::machine::Machine;
use crate::hostile::place::At;

const SECRETS: [(&str, &str); 6] = [
    ("AWS_ACCESS_KEY_ID", "AKIAPLANTEDPLANTED"),
    ("AWS_SECRET_ACCESS_KEY", "planted-secret"),
    ("AWS_SESSION_TOKEN", "planted-token"),
    ("GOOGLE_SERVICE_ACCOUNT_KEY", "planted-google"),
    ("AZURE_STORAGE_ACCOUNT_KEY", "planted-azure"),
    ("MAINSTAY_PASSWORD_FILE", ""),
];

/// Prints what it was given, for `sh -c`.
const SAYS: &str = "env; echo; ls -l /proc/self/fd | grep -v /proc/; \
                    cat <&3 2>/dev/null; cat <&9 2>/dev/null; true";

fn assert_bare(printed: &str, what: &str) {
    for word in ["planted", "PLANTED", "correct horse", "MAINSTAY_PASSWORD", "MAINSTAY_KEY_FILE"] {
        assert!(!printed.contains(word), "{what} sees {word}: {printed}");
    }
    assert!(printed.contains("HARMLESS=kept"), "{what}: {printed}");
    assert!(printed.contains("AWS_REGION=eu"), "{what}: {printed}");
}

/// The program behind a shell that leaves a descriptor with the passphrase open for it.
fn with_descriptor(machine: &Machine, words: &str) -> std::process::Command {
    let mut command = std::process::Command::new("/bin/bash");
    let script = format!("exec '{}' {words} 9<pass", env!("CARGO_BIN_EXE_victim"));
    let given = machine.command([""; 0]);
    command.arg("-c").arg(script).current_dir(machine.folder.path()).env_clear();
    command.envs(given.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env_remove("MAINSTAY_PASSWORD").env("MAINSTAY_PASSWORD_FD", "9");
    command.envs(SECRETS.iter().filter(|(_, value)| !value.is_empty()).copied());
    command.env("HARMLESS", "kept").env("AWS_REGION", "eu");
    command
}

#[test]
fn a_command_that_is_backed_up_gets_no_secret_and_no_descriptor() {
    let machine = Machine::new();
    let pass = machine.put("pass", b"correct horse battery staple\n");
    std::fs::set_permissions(pass, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    machine.put("says.sh", SAYS.as_bytes());
    let mut command = with_descriptor(&machine, "backup -q --stdin-from-command -- sh says.sh");
    Machine::output(&mut command).expect(0);
    let printed = machine.say("cat latest:/stdin").expect(0).stdout;
    assert_bare(&printed, "a command that is backed up");
    assert!(!printed.contains("pass"), "a descriptor of the passphrase: {printed}");
}

/// The keys of a store that is really used, in every variable that has them.
#[test]
fn no_child_gets_the_keys_of_the_store() {
    let machine = Machine::with(At::S3);
    machine.put("says.sh", SAYS.as_bytes());
    machine.say("backup -q --stdin-from-command -- sh says.sh").expect(0);
    let backed_up = machine.say("cat latest:/stdin").expect(0).stdout;
    let script = format!("({SAYS}) > seen; echo correct horse battery staple");
    machine.put("ask.sh", script.as_bytes());
    machine.run(["--password-command", "sh ask.sh", "snapshots"]).expect(0);
    let asked = std::fs::read_to_string(machine.path("seen")).expect("it ran");
    let given = machine.command([""; 0]);
    let given = given.get_envs().filter(|(name, _)| name.to_string_lossy().contains("KEY"));
    let secrets: Vec<_> = given.filter_map(|(_, value)| value?.to_str()).collect();
    assert_eq!(secrets.len(), 2);
    for printed in [backed_up, asked] {
        assert!(printed.contains("AWS_REGION"), "{printed}");
        assert!(!secrets.iter().any(|secret| printed.contains(secret)), "{printed}");
    }
}

#[test]
fn a_command_that_prints_the_passphrase_gets_no_other_secret() {
    let machine = Machine::new();
    let script = format!("({SAYS}) > seen; echo correct horse battery staple");
    machine.put("ask.sh", script.as_bytes());
    let mut command = machine.command(["--password-command", "sh ask.sh", "snapshots"]);
    command.envs(SECRETS.iter().filter(|(_, value)| !value.is_empty()).copied());
    command.env("MAINSTAY_PASSWORD", "planted").env("HARMLESS", "kept").env("AWS_REGION", "eu");
    Machine::output(&mut command).expect(0);
    let seen = std::fs::read_to_string(machine.path("seen")).expect("it ran");
    assert_bare(&seen, "a password command");
}

/// Programs begin in few places, each of which says what they get.
#[test]
fn no_other_place_of_the_source_starts_programs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for package in ["engine", "restore-verify", "cli"] {
        look(&root.join(package).join("src"), &mut found);
    }
    found.sort();
    let names: Vec<&str> = found.iter().map(|path| path.as_str()).collect();
    let places = [
        // This program once more, with what its organisation needs.
        "cli/src/night/child.rs",
        "engine/src/disk/child.rs",
        "restore-verify/src/sandbox/child.rs",
        "restore-verify/src/sandbox/spawn.rs",
    ];
    assert_eq!(names, places);
}

fn look(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the source").flatten() {
        let path = entry.path();
        if path.is_dir() {
            look(&path, found);
            continue;
        }
        if path.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        // Those of the command line are of another kind.
        if code.contains("Command::new(") && code.contains("process::") {
            let shown = path.to_string_lossy().into_owned();
            found.push(shown.split_once("../").map_or(shown.clone(), |(_, rest)| rest.to_owned()));
        }
    }
}

#[test]
fn the_memory_of_the_program_ends_in_no_file() {
    let machine = Machine::new();
    machine.put("limits.sh", b"grep core /proc/$PPID/limits; stat -c %U /proc/$PPID/environ");
    machine.say("backup -q --stdin-from-command -- sh limits.sh").expect(0);
    let printed = machine.say("cat latest:/stdin").expect(0).stdout;
    let core = printed.lines().find(|line| line.contains("core")).expect("a limit");
    let words: Vec<&str> = core.split_ascii_whitespace().collect();
    assert_eq!(words[words.len() - 3..], ["0", "0", "bytes"], "{printed}");
    // What is not dumpable belongs to root, whoever runs it.
    assert!(printed.lines().any(|line| line == "root"), "{printed}");
}
