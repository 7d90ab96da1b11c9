//! The whole program from arguments to exit code, in worlds made up for the purpose.

mod overview;
mod pages;
mod samples;
mod watched;

use std::io;

use engine::base::error::{Classified, ErrorClass};

use crate::command::Cli;
use crate::config::surroundings::{Surroundings, VARIABLES};
use crate::fault::{Doing, ExitCode, Fault};
use crate::run;
use crate::ui::json::{
    CheckSummary, ExitError, ItemError, JsonPath, Message, Status, Version, Why,
};
use crate::ui::keys::{KeyRecord, KeyRemoved, KeyTested, KeysRotated};
use crate::ui::output::{Captured, Output};
use crate::ui::records::{
    DemoStep, DemoSummary, ForgottenRecord, Freed, Initialized, Node, Probed, PruneSummary,
    Rebuilt, SnapshotRecord, SnapshotSummary, Stats, Unblocked,
};
use crate::ui::retention::{
    HoldAdded, HoldRecord, HoldReleased, Offboarded, TagsChanged, Undeleted,
};

struct Seen {
    exit: u8,
    stdout: String,
    stderr: String,
}

fn mainstay(line: &str, variables: &[(&str, &str)]) -> Seen {
    let mut around = Surroundings::isolated(variables);
    let (stdout, stdout_text) = Captured::output();
    let (stderr, stderr_text) = Captured::output();
    around.stdout = stdout;
    around.stderr = stderr;
    let arguments: Vec<_> =
        std::iter::once("mainstay").chain(line.split_whitespace()).map(Into::into).collect();
    let exit = run(&arguments, &around);
    Seen { exit, stdout: stdout_text.text(), stderr: stderr_text.text() }
}

#[test]
fn version_as_text_and_as_json() {
    let seen = mainstay("version", &[]);
    assert_eq!((seen.exit, seen.stderr.as_str()), (0, ""));
    assert!(seen.stdout.contains("repository format 2"), "{}", seen.stdout);
    let seen = mainstay("version --json", &[]);
    let value: serde_json::Value =
        serde_json::from_str(&seen.stdout).expect("because --json prints JSON");
    assert_eq!(value["message_type"], "version");
    assert_eq!(value["repository_format"], 2);
}

#[test]
fn help_is_a_result_and_names_environment_and_exit_codes() {
    let seen = mainstay("--help", &[]);
    assert_eq!((seen.exit, seen.stderr.as_str()), (0, ""));
    for word in ["MAINSTAY_PASSWORD_FD", "130  interrupted", "completions", "--repo"] {
        assert!(seen.stdout.contains(word), "{word} is missing in {}", seen.stdout);
    }
    assert!(!seen.stdout.contains('\u{1b}'));
}

#[test]
fn a_wrong_command_line_is_code_2_in_both_forms() {
    let seen = mainstay("version --nonsense", &[]);
    assert_eq!((seen.exit, seen.stdout.as_str()), (2, ""));
    assert!(seen.stderr.starts_with("error: "), "{}", seen.stderr);
    let seen = mainstay("version --json --nonsense", &[]);
    assert_eq!((seen.exit, seen.stdout.as_str()), (2, ""));
    let value: serde_json::Value =
        serde_json::from_str(&seen.stderr).expect("because errors are JSON too");
    assert_eq!(value["message_type"], "exit_error");
    assert_eq!(value["code"], "E_USAGE");
    assert_eq!(value["exit_code"], 2);
    assert_eq!(mainstay("", &[]).exit, 2);
    assert_eq!(mainstay("version -q -v", &[]).exit, 2);
}

#[test]
fn a_setting_that_cannot_be_understood_is_code_2() {
    let seen = mainstay("version", &[("MAINSTAY_PROGRESS_FPS", "fast")]);
    assert_eq!(seen.exit, 2);
    assert!(seen.stderr.contains("MAINSTAY_PROGRESS_FPS"), "{}", seen.stderr);
}

#[test]
fn every_shell_gets_a_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let seen = mainstay(&format!("completions {shell}"), &[]);
        assert_eq!(seen.exit, 0);
        assert!(seen.stdout.contains("mainstay"), "{shell}");
    }
}

#[test]
fn the_manual_has_a_page_per_command() {
    let seen = mainstay("man", &[]);
    assert!(seen.stdout.contains(".TH mainstay"), "{}", seen.stdout);
    let dir = tempfile::tempdir().expect("because the test has a temporary folder");
    let seen = mainstay(&format!("man --dir {}", dir.path().display()), &[]);
    assert_eq!(seen.exit, 0, "{}", seen.stderr);
    for page in ["mainstay.1", "mainstay-completions.1", "mainstay-man.1", "mainstay-version.1"] {
        assert!(dir.path().join(page).is_file(), "{page}");
    }
    let seen = mainstay("man --dir /does/not/exist", &[]);
    assert_eq!(seen.exit, 1);
    assert!(seen.stderr.contains("  cause: "), "{}", seen.stderr);
}

struct Failing(io::ErrorKind);

impl io::Write for Failing {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
    for (kind, exit, lines) in
        [(io::ErrorKind::BrokenPipe, 0, 0), (io::ErrorKind::StorageFull, 1, 3)]
    {
        let mut around = Surroundings::isolated(&[]);
        let (stderr, text) = Captured::output();
        around.stdout = Output::new(Failing(kind), false);
        around.stderr = stderr;
        let arguments = ["mainstay".into(), "completions".into(), "bash".into()];
        assert_eq!(run(&arguments, &around), exit);
        assert_eq!(text.text().lines().count(), lines, "{}", text.text());
    }
}

struct Panicking;

impl io::Write for Panicking {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        panic!("a mistake made for a test");
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_becomes_code_1_and_asks_for_a_report() {
    let mut around = Surroundings::isolated(&[]);
    let (stderr, text) = Captured::output();
    around.stdout = Output::new(Panicking, false);
    around.stderr = stderr;
    assert_eq!(run(&["mainstay".into(), "version".into()], &around), 1);
    assert!(text.text().contains("  try: report this"), "{}", text.text());
}

/// What users are promised.
const PROMISED: &str = include_str!("../../docs/INTERFACES.md");

#[derive(Debug, thiserror::Error)]
#[error("of a class")]
struct OfClass(ErrorClass);

impl Classified for OfClass {
    fn class(&self) -> ErrorClass {
        self.0
    }
}

#[test]
fn the_document_has_every_exit_code_error_code_and_variable() {
    for exit in ExitCode::ALL {
        let row = format!("| {} | {} |", exit.code(), exit.meaning());
        assert!(PROMISED.contains(&row), "{row}");
    }
    for (name, _) in VARIABLES {
        assert!(PROMISED.contains(&format!("| `{name}` | ")), "{name}");
    }
    for class in ErrorClass::ALL {
        for doing in [Doing::Find, Doing::Unlock, Doing::Work] {
            let fault = Fault::during(doing, &OfClass(class));
            let start = format!("| {} |", fault.exit_code().code());
            let row = PROMISED.lines().find(|line| line.starts_with(&start));
            let name = format!("`{}`", fault.code());
            assert!(row.is_some_and(|row| row.contains(&name)), "{class:?} {doing:?}");
        }
    }
}

/// One of each message with every optional field, and the heading that describes it.
fn samples() -> Vec<(&'static str, Message<'static>)> {
    let causes = Box::leak(Box::new(["why".to_owned()]));
    vec![
        ("`status`", Message::Status(status())),
        ("`verbose_status`", Message::VerboseStatus(samples::verbose_status())),
        ("`summary` of a backup", Message::BackupSummary(samples::backup_summary())),
        ("`summary` of a restore", Message::RestoreSummary(samples::restore_summary())),
        ("`summary` of a check", Message::CheckSummary(check_summary())),
        ("`summary` of a rotation", Message::RotationSummary(samples::rotation_summary())),
        ("`summary` of a drill", Message::DrillSummary(Box::new(samples::drill_summary()))),
        (
            "`error`",
            Message::Error(ItemError {
                error: Why { message: "m" },
                during: "reading",
                item: "i".to_owned(),
                path: JsonPath::new(b"\xff"),
            }),
        ),
        ("`note`", Message::Note { message: "m" }),
        ("`slot`", Message::Slot(samples::slot())),
        ("`system`", Message::System(Box::new(samples::system()))),
        ("`recovery_part`", Message::RecoveryPart(samples::recovery_part())),
        ("`invited`", Message::Invited(samples::invited())),
        ("`joined`", Message::Joined(samples::joined())),
        ("`machine`", Message::Machine(Box::new(samples::machine()))),
        ("`run`", Message::Run(samples::run())),
        ("`outcome`", Message::Outcome(Box::new(samples::outcome()))),
        ("`stored_configuration`", Message::StoredConfiguration(samples::stored())),
        ("`imported_configuration`", Message::ImportedConfiguration(Box::new(samples::imported()))),
        ("`check`", Message::Check(samples::check())),
        ("`condition`", Message::Condition(Box::new(watched::condition()))),
        ("`summary` of a look", Message::WatchSummary(watched::watched())),
        ("`ticket`", Message::Ticket(Box::new(watched::ticket()))),
        ("`delivery`", Message::Delivery(Box::new(watched::delivery()))),
        ("`channel`", Message::Channel(watched::channel())),
        ("`configuration`", Message::Configuration(samples::configuration())),
        (
            "`exit_error`",
            Message::ExitError(ExitError {
                code: "E_X",
                message: "m",
                causes,
                hint: Some("h"),
                exit_code: 1,
            }),
        ),
        (
            "`version`",
            Message::Version(Version { version: "1", repository_format: 1, os: "o", arch: "a" }),
        ),
    ]
}

/// One of each message of [`crate::ui::records`], in the same way.
fn record_samples() -> Vec<(&'static str, Message<'static>)> {
    let text = String::new;
    let some = || Some(String::new());
    let key = || KeyRecord {
        id: text(),
        kind: "k",
        role: Some("r"),
        label: some(),
        created: some(),
        state: "good",
    };
    let added = samples::key_added(key());
    let rotated = KeysRotated { dry_run: false, epoch: 1, given: Vec::new(), left_out: Vec::new() };
    let tested = KeyTested { key: key(), repository: text(), fingerprint: text() };
    let initialized = Initialized {
        id: text(),
        repository: text(),
        fingerprint: text(),
        recovery_words: some(),
        kit: some(),
    };
    let undeleted =
        Undeleted { original: text(), snapshot_id: text(), was_there: false, bytes_copied: 0 };
    let mut offboarded = Offboarded::new("", 0);
    offboarded.evidence = some();
    let released = HoldReleased { ids: Vec::new(), forgotten: Vec::new() };
    let tags = TagsChanged { snapshot_id: text(), before: Vec::new(), after: Vec::new() };
    let step = DemoStep { command: text(), exit_code: 0, duration: 0.0 };
    let demo = DemoSummary {
        ok: true,
        items_compared: 0,
        bytes_compared: 0,
        items_unreadable: 0,
        differences: Vec::new(),
    };
    let rebuilt =
        Rebuilt { segments_read: 0, segments_damaged: 0, packs_from_footers: 0, packs_count: 0 };
    let probed = Probed { repository: text(), safe: true, checks: Vec::new() };
    vec![
        ("`initialized`", Message::Initialized(initialized)),
        ("`probe`", Message::Probe(probed)),
        ("`benchmark`", Message::Benchmark(samples::benchmarked())),
        ("`key_added`", Message::KeyAdded(added)),
        ("`keys_rotated`", Message::KeysRotated(rotated)),
        ("`key_removed`", Message::KeyRemoved(KeyRemoved { key: key() })),
        ("`key_revoked`", Message::KeyRevoked(samples::revoked())),
        ("`key_succeeded`", Message::KeySucceeded(samples::succeeded())),
        ("`key_test`", Message::KeyTest(tested)),
        ("`cache_cleaned`", Message::CacheCleaned(samples::cleaned())),
        ("`mounted`", Message::Mounted(samples::mounted())),
        ("`doctor`", Message::Doctor(samples::doctor())),
        ("`snapshot`", Message::Snapshot(Box::new(snapshot()))),
        ("`node`", Message::Node(node())),
        ("`stats`", Message::Stats(stats())),
        ("`undeleted`", Message::Undeleted(undeleted)),
        ("`offboarded`", Message::Offboarded(offboarded)),
        ("`hold_added`", Message::HoldAdded(HoldAdded { hold: hold(), too_late: Vec::new() })),
        ("`approved`", Message::Approved(samples::consent())),
        ("`hold_released`", Message::HoldReleased(released)),
        ("`tags_changed`", Message::TagsChanged(tags)),
        ("`freed`", Message::Freed(Freed::default())),
        ("`summary` of a prune", Message::PruneSummary(pruned())),
        ("`unblocked`", Message::Unblocked(Unblocked { key: text(), way: text() })),
        ("`index_rebuilt`", Message::IndexRebuilt(rebuilt)),
        ("`demo_step`", Message::DemoStep(step)),
        ("`summary` of a demonstration", Message::DemoSummary(demo)),
    ]
}

fn hold() -> HoldRecord {
    HoldRecord {
        id: String::new(),
        reason: String::new(),
        client: String::new(),
        time: String::new(),
        until: Some(String::new()),
        overdue: false,
        selection: Some(String::new()),
        snapshots: Vec::new(),
        readable: true,
    }
}

fn snapshot() -> SnapshotRecord {
    SnapshotRecord {
        id: String::new(),
        short_id: String::new(),
        time: String::new(),
        made: "t".to_owned(),
        wrong_clock: Some("ahead"),
        doubt: Some("host"),
        line: Some(String::new()),
        parent: Some(String::new()),
        tree: Some(String::new()),
        paths: Vec::new(),
        paths_b64: Some(Vec::new()),
        hostname: String::new(),
        tags: Vec::new(),
        description: Some(String::new()),
        state: "s",
        problem_count: 0,
        client: String::new(),
        sequence: 0,
        program_version: String::new(),
        original: Some(String::new()),
        held_by: vec![String::new()],
        forgotten: Some(ForgottenRecord::default()),
        problems: vec![samples::problem()],
        roots: vec![samples::root()],
        summary: SnapshotSummary::default(),
    }
}

fn node() -> Node {
    Node {
        name: String::new(),
        kind: "k",
        path: JsonPath::new(b"\xff"),
        uid: 0,
        gid: 0,
        user: Some(String::new()),
        group: Some(String::new()),
        size: Some(0),
        mode: 0,
        permissions: String::new(),
        mtime: String::new(),
        ctime: String::new(),
        linktarget: Some(String::new()),
        inode: 0,
    }
}

fn pruned() -> PruneSummary {
    PruneSummary { generation: Some(String::new()), ..PruneSummary::default() }
}

fn stats() -> Stats {
    Stats {
        snapshots_count: 0,
        total_file_count: 0,
        total_restore_size: 0,
        total_blob_count: 0,
        total_uncompressed_size: 0,
        total_size: Some(0),
        packs_count: Some(0),
        dedup_ratio: Some(0.0),
        compression_ratio: Some(0.0),
        fragmentation: Some(0.0),
        requests: 0,
    }
}

fn status() -> Status {
    Status {
        phase: "p",
        seconds_elapsed: 0,
        seconds_remaining: Some(0),
        percent_done: 0.0,
        total_files: Some(0),
        files_done: 0,
        total_bytes: Some(0),
        bytes_done: 0,
        error_count: 0,
        current_files: Vec::new(),
    }
}

fn check_summary() -> CheckSummary {
    CheckSummary {
        num_errors: 0,
        broken_packs: Vec::new(),
        suggest_repair_index: false,
        suggest_prune: false,
        snapshots_checked: 0,
        packs_checked: 0,
        bytes_read: 0,
        damage: Vec::new(),
        foreign_keys: Vec::new(),
        stray_slots: Vec::new(),
    }
}

/// The names in the first column of the table below a heading.
fn promised_fields(heading: &str) -> Vec<String> {
    let start = format!("### {heading} (");
    let body = PROMISED.split("\n### ").find(|part| format!("### {part}").starts_with(&start));
    let rows = body.unwrap_or_default().lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let mut names: Vec<_> = cells
        .flat_map(|cell| cell.split(','))
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_document_has_every_field_of_every_message_and_no_other() {
    for (heading, message) in samples().into_iter().chain(record_samples()).chain(samples::others())
    {
        let value: serde_json::Value =
            serde_json::from_str(&message.to_line()).expect("because a message is JSON");
        let kind = value["message_type"].as_str().unwrap_or_default();
        assert!(heading.contains(&format!("`{kind}`")), "{heading} is {kind}");
        let fields = value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
        let mut fields: Vec<_> = fields.unwrap_or_default();
        fields.retain(|name| name != "message_type");
        fields.sort();
        assert_eq!(fields, promised_fields(heading), "{heading}");
    }
}

#[test]
fn the_document_has_every_command() {
    let command = <Cli as clap::CommandFactory>::command();
    for name in command.get_subcommands().map(clap::Command::get_name) {
        let is_there = ["`", " "].iter().any(|end| {
            PROMISED
                .lines()
                .any(|line| line.starts_with("| `") && line.contains(&format!("`{name}{end}")))
        });
        assert!(is_there, "{name}");
    }
}
