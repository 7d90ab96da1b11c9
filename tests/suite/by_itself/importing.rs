//! Configurations of other programs become ours, and run.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::by_itself::{messages, run, snapshots};
use crate::place::{Place, last_json, put};

const SCRIPT: &str = "#!/bin/sh\nexport RESTIC_REPOSITORY=s3:https://s3.example.net/bucket/web1\n\
                      export RESTIC_PASSWORD=hunter2-of-restic\n\
                      restic backup SOURCE --exclude '*.tmp' --exclude-caches --tag web\n\
                      restic forget --keep-daily 7 --prune\n";
const PROFILES: &str = "default:\n  repository: local:/mnt/restic\n  password-file: key\nweb:\n  inherit: default\n  \
                        env:\n    RESTIC_PASSWORD: hunter2-of-profile\n  backup:\n    source: SOURCE\n    exclude:\n      \
                        - '*.tmp'\n    schedule: '*-*-* 01:30'\n    run-before: mkdir -p WORK\n    \
                        run-after: touch WORK/hook\n  retention:\n    after-backup: true\n    keep-daily: 3\n";
const BORGMATIC: &str = "source_directories:\n    - SOURCE\nrepositories:\n    - path: ssh://u@host/./repo\n\
                         encryption_passphrase: hunter2-of-borg\nexclude_patterns:\n    - '*.tmp'\nkeep_daily: 7\n\
                         checks:\n    - name: repository\n      frequency: 2 weeks\n";

fn written(place: &Place, name: &str, text: &str) {
    let source = place.path("source").display().to_string();
    let work = place.path("work").display().to_string();
    put(&place.path(name), text.replace("SOURCE", &source).replace("WORK", &work).as_bytes());
}

/// What came of it makes sense, says when it runs, and saves what it was about.
#[test]
fn configurations_of_other_programs_are_checked_due_and_run() {
    for (name, text, more) in [
        ("backup.sh", SCRIPT, Some(("night.cron", "15 2 * * * /root/backup.sh\n"))),
        ("profiles.yaml", PROFILES, None),
        ("config.yaml", BORGMATIC, Some(("night.cron", "15 2 * * * root borgmatic\n"))),
    ] {
        let place = Place::with_repository();
        put(&place.path("source/kept"), b"kept");
        put(&place.path("source/left.tmp"), b"left");
        written(&place, name, text);
        let mut words = vec!["config", "import", name, "--client", "acme"];
        if let Some((name, text)) = more {
            put(&place.path(name), text.as_bytes());
            words.push(name);
        }
        let printed = place.run(words.clone()).expect(0);
        let told = last_json(&place.run(words.iter().copied().chain(["--json"])).expect(0));
        assert!(!printed.contains("hunter2") && !told.to_string().contains("hunter2"), "{told}");
        assert_eq!(told["text"], Value::from(printed));
        assert!(told["remarks"].as_array().is_some_and(|remarks| !remarks.is_empty()));
        words.extend(["--output", "acme.toml"]);
        place.run(words.clone()).expect(0);
        let mode = place.path("acme.toml").metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert!(place.run(words).fails(2).contains("exists already"));
        run(&place, &["config", "check"]).expect(0);
        let slots =
            messages(&run(&place, &["schedule", "next", "--json", "--count", "3"]).expect(0));
        let minute = if more.is_some() { ":15:00" } else { ":30:00" };
        assert!(slots[0]["at"].as_str().is_some_and(|at| at.contains(minute)), "{slots:?}");
        // What is left for a person: the place of the new repository.
        let text = std::fs::read_to_string(place.path("acme.toml")).expect("it is there");
        let text = text.replacen("client = ", "repo = \"repository\"\nclient = ", 1);
        put(&place.path("acme.toml"), text.as_bytes());
        run(&place, &["run", "backup"]).expect(0);
        assert_eq!(snapshots(&place), 1);
        let listed = place.run(["ls", "latest", "-R"]).expect(0);
        assert!(listed.contains("kept") && !listed.contains("left.tmp"), "{listed}");
        assert_eq!(place.path("work/hook").exists(), name == "profiles.yaml");
    }
}

#[test]
fn what_is_no_configuration_is_refused_and_nothing_is_written() {
    let place = Place::empty();
    put(&place.path("bad.yaml"), b"source_directories:\n  - a\n bad: [\n");
    put(&place.path("binary"), b"RESTIC_PASSWORD=\xff\n");
    put(&place.path("env"), b"RESTIC_REPOSITORY=/x\nRESTIC_PASSWORD=hunter2\n");
    for (name, words) in [
        ("bad.yaml", "bad.yaml, line 3: "),
        ("binary", "line 1 is not UTF-8"),
        ("env", "nothing in it says what is backed up"),
        ("gone", "cannot read gone"),
    ] {
        let told = place.run(["config", "import", name, "--output", "new.toml"]).fails(2);
        assert!(told.contains(words), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
        assert!(!place.path("new.toml").exists());
    }
}
