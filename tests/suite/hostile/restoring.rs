//! Restores of what somebody made to do harm.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::hostile::machine::{Machine, pipe};
use crate::hostile::place::{At, everywhere};

everywhere![an_untrusted_restore_leaves_out_what_lends_rights_and_says_so,];

fn find(folder: &Path, name: &str) -> Option<std::fs::Metadata> {
    let found = Command::new("find").arg(folder).args(["-name", name]).output().expect("find");
    let path = String::from_utf8(found.stdout).expect("text");
    path.lines().next().map(|path| std::fs::symlink_metadata(path).expect("it is there"))
}

fn attributes(folder: &Path, name: &str) -> String {
    let found = Command::new("find").arg(folder).args(["-name", name]).output().expect("find");
    let path = String::from_utf8(found.stdout).expect("text");
    let path = path.lines().next().expect("it is there").to_owned();
    let mut names = vec![0; 4096];
    let length = rustix::fs::llistxattr(path.as_str(), &mut names).unwrap_or_default();
    String::from_utf8_lossy(&names[..length]).into_owned()
}

fn an_untrusted_restore_leaves_out_what_lends_rights_and_says_so(at: At) {
    let machine = Machine::with(at);
    let program = machine.put("source/program", b"#!/bin/sh\n");
    let plain = machine.put("source/plain", b"content");
    pipe(&machine.path("source/pipe"));
    let is_root = rustix::process::geteuid().is_root();
    let mut has_device = false;
    if is_root {
        chown(&plain, Some(1234), Some(1234)).expect("root may");
        let device = machine.path("source/device");
        let made = Command::new("mknod").arg(&device).args(["c", "1", "3"]).status();
        has_device = made.is_ok_and(|status| status.success());
    }
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o6755)).expect("ours");
    let set = |name: &str, value: &[u8]| {
        rustix::fs::setxattr(&plain, name, value, rustix::fs::XattrFlags::empty()).is_ok()
    };
    let keeps_users = set("user.note", b"kept");
    // A capability: CAP_SETUID, effective, as the kernel writes it.
    let capability: [u8; 20] = [1, 0, 0, 2, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let has_capability = is_root && set("security.capability", &capability);
    machine.say("backup -q source").expect(0);
    let ran = machine.say("restore latest --target out --untrusted --verify").expect(0);
    assert!(ran.stdout.contains("left out"), "{}", ran.stdout);
    let out = machine.path("out");
    let found = find(&out, "program").expect("it is there");
    assert_eq!(found.mode() & 0o7777, 0o755);
    let plain = find(&out, "plain").expect("it is there");
    assert_eq!(plain.uid(), rustix::process::geteuid().as_raw());
    assert!(find(&out, "pipe").is_none() && find(&out, "device").is_none());
    let names = attributes(&out, "plain");
    assert!(!names.contains("security.") && !names.contains("system."), "{names}");
    assert_eq!(names.contains("user.note"), keeps_users);
    let ran = machine.say("restore latest --target out2 --untrusted --json").expect(0);
    let left = &ran.json()["untrusted"];
    assert_eq!(left["special_files"], 1 + u64::from(has_device), "{left}");
    assert_eq!(left["set_id_bits"], 1, "{left}");
    assert_eq!(left["attributes"], u64::from(has_capability), "{left}");
    // The same twice over what is there changes nothing.
    machine.say("restore latest --target out --untrusted --overwrite if-changed").expect(0);
    // And without the option it all comes back: the test would see it.
    machine.say("restore latest -q --target trusted").expect(0);
    let trusted = machine.path("trusted");
    assert!(find(&trusted, "pipe").is_some_and(|found| found.file_type().is_fifo()));
    assert_eq!(find(&trusted, "program").map(|found| found.mode() & 0o7777), Some(0o6755));
    if has_capability {
        assert!(attributes(&trusted, "plain").contains("security.capability"));
    }
}
