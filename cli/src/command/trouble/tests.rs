//! What users read about errors that only some commands can have.

use super::*;

fn told(errors: &[(&str, Fault)]) -> String {
    let mut text = String::new();
    for (situation, fault) in errors {
        text.push_str(&format!("# {situation}\n"));
        text.extend(fault.lines().iter().map(|line| format!("{line}\n")));
        text.push_str(&format!("= {} {}\n\n", fault.exit_code().code(), fault.code()));
    }
    text
}

/// With the file that bears the name of the test.
fn compare(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn repositories_and_keys() {
    let place = || "/srv/backup".to_owned();
    let unsafe_store = RepoError::UnsafeStore {
        place: place(),
        check: "4 (what is deleted is not listed)".to_owned(),
        detail: "it is listed".to_owned(),
    };
    let names = ["config-aa", "config-bb"].map(str::to_owned);
    let denied = RepoError::Denied { role: engine::format::slot::Role::Backup, action: "read" };
    compare(
        "repositories_and_keys",
        &told(&[
            ("none", opening(&RepoError::NoRepository { place: place() })),
            ("two", opening(&RepoError::Ambiguous { place: place(), names })),
            ("no slots", opening(&RepoError::NoSlots { place: place() })),
            ("no slot", opening(&RepoError::WrongKey { what: "the passphrase", slot_count: 0 })),
            ("wrong key", opening(&RepoError::WrongKey { what: "the key file", slot_count: 3 })),
            ("bad key file", opening(&RepoError::KeyFile { why: "it is cut off".to_owned() })),
            ("newer", opening(&RepoError::Newer { why: "config: it has version 9".to_owned() })),
            ("damaged", repo(&RepoError::corrupt("sess/ab", "its authentication code is wrong"))),
            ("role", repo(&denied)),
            ("refused", repo(&RepoError::Refused { why: "it is the last key".to_owned() })),
            ("slots", repo(&RepoError::NotOneSlot { wanted: "ab".to_owned(), count: 2 })),
            ("unsafe", repo(&unsafe_store)),
        ]),
    );
}

#[test]
fn backups_restores_and_checks() {
    let path = || "/home/user".to_owned();
    let busy = IndexError::Busy { folder: "/state".into(), pid: Some(7) };
    let damaged = IndexError::Damaged { path: "/state/index".into(), what: "a pack" };
    let io = || std::io::Error::from_raw_os_error(28);
    let full = DiskError::Io { action: "writing", path: path(), source: io() };
    let closed = DiskError::Io {
        action: "opening",
        path: path(),
        source: std::io::Error::from_raw_os_error(13),
    };
    let immutable = DiskError::Io {
        action: "opening the journal",
        path: ".mainstay-restore-ab.journal".to_owned(),
        source: std::io::Error::from_raw_os_error(1),
    };
    let relative = DiskError::BadRoot { path: "x".to_owned(), why: "is not absolute".to_owned() };
    compare(
        "backups_restores_and_checks",
        &told(&[
            ("index busy", index(&busy)),
            ("index damaged", index(&damaged)),
            ("disk full", disk(&full)),
            ("no permission", disk(&closed)),
            ("bad source", backup(&BackupError::Disk(relative))),
            ("no parent", backup(&BackupError::NoParent { wanted: "abcd".to_owned() })),
            ("stream", backup(&BackupError::Stream { source: io() })),
            ("fenced", backup(&BackupError::AlwaysFenced { attempts: 3 })),
            ("backup stopped", backup(&BackupError::Interrupted)),
            ("backup lost", backup(&BackupError::Lost)),
            (
                "no space",
                restore(&RestoreError::NoSpace { free_bytes: 1024, needed_bytes: 5 << 30 }),
            ),
            (
                "an immutable target",
                restore(&RestoreError::Unwritable { path: path(), source: immutable }),
            ),
            ("not readable then", restore(&RestoreError::Unread { path: path() })),
            ("not empty", restore(&RestoreError::TargetNotEmpty { path: path() })),
            ("no such path", restore(&RestoreError::NoSuchPath { path: path() })),
            ("no file", restore(&RestoreError::NotAFile { path: path() })),
            ("output", restore(&RestoreError::Output { source: io() })),
            ("restore stopped", restore(&RestoreError::Interrupted)),
            ("check stopped", check(&CheckError::Interrupted)),
        ]),
    );
}
