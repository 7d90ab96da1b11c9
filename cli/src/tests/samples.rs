//! Messages with many fields, every optional one set.

use crate::ui::access::Policy;
use crate::ui::clients::{KeyRevoked, KeySucceeded};
use crate::ui::consents::ConsentRecord;
use crate::ui::database::{DatabaseDrillSummary, DatabaseFinding, DatabaseFound, DatabaseRestored};
use crate::ui::json::{BackupSummary, LeftOutRecord, Message, RestoreSummary, VerboseStatus};
use crate::ui::keys::{KeyAdded, KeyRecord};
use crate::ui::machines::{Invited, Joined, MachineRecord};
use crate::ui::night::{
    CheckRecord, ConfigRecord, EquivalentRecord, ImportRecord, OutcomeRecord, RecoveryPart,
    RemarkRecord, RunRecord, SlotRecord, StoredRecord, SystemRecord,
};
use crate::ui::proof::{DrillFinding, DrillSummary, ProbeConfinement, RotationSummary};
use crate::ui::records::{JsonPath, ProblemRecord, RootRecord};
use crate::ui::upkeep::{Benchmarked, CacheCleaned, Doctor, Mounted};

fn finding() -> DrillFinding {
    let text = String::new;
    DrillFinding {
        probe: text(),
        path: Some(text()),
        path_hash: Some(text()),
        object: Some(text()),
        not_proved: false,
        why: text(),
    }
}

/// One of each message of `database` and of configurations, and the heading that describes it.
pub(super) fn others() -> Vec<(&'static str, Message<'static>)> {
    let (back, drill) = (Box::new(database_restored()), Box::new(database_drill()));
    vec![
        ("`database_found`", Message::DatabaseFound(database_found())),
        ("`summary` of a database restore", Message::DatabaseRestored(back)),
        ("`summary` of a database drill", Message::DatabaseDrill(drill)),
        ("`outcome`", Message::Outcome(Box::new(outcome()))),
        ("`stored_configuration`", Message::StoredConfiguration(stored())),
        ("`configuration`", Message::Configuration(configuration())),
    ]
}

fn database_found() -> DatabaseFound {
    let text = String::new;
    DatabaseFound { preset: "p", by: "b", place: text(), source: Some(text()), note: text() }
}

fn database_restored() -> DatabaseRestored {
    let text = String::new;
    DatabaseRestored {
        snapshot_id: text(),
        source: text(),
        preset: text(),
        database: text(),
        new_name: text(),
        tables: 1,
        rows: 1,
        differences: Vec::new(),
        restore_seconds: 0.5,
    }
}

fn database_drill() -> DatabaseDrillSummary {
    let text = String::new;
    let finding =
        DatabaseFinding { database: text(), not_proved: true, why: text(), hint: Some(text()) };
    DatabaseDrillSummary {
        outcome: "pass",
        snapshot_id: text(),
        source: text(),
        preset: text(),
        hostname: text(),
        server_version: text(),
        drill_version: text(),
        databases_passed: 1,
        databases: 1,
        tables: 1,
        rows: 1,
        bytes_restored: 1,
        restore_seconds: 0.5,
        findings: vec![finding],
        evidence: Some(text()),
    }
}

pub(super) fn cleaned() -> CacheCleaned {
    CacheCleaned {
        folder: String::new(),
        dry_run: true,
        removed: Vec::new(),
        bytes_removed: 0,
        kept_count: 0,
    }
}

pub(super) fn mounted() -> Mounted {
    Mounted { folder: JsonPath::new(b"\xff"), snapshots_count: 0 }
}

pub(super) fn slot() -> SlotRecord {
    let text = String::new;
    SlotRecord { client: text(), job: text(), slot: text(), at: text(), after: Some(text()) }
}

pub(super) fn system() -> SystemRecord {
    SystemRecord {
        client: String::new(),
        system: String::new(),
        job: "backup",
        outcome: Some("ok"),
        reason: None,
        detail: None,
        running: false,
        last_success: None,
        snapshot: None,
        bytes: None,
        rpo_seconds: None,
        rpo_left_seconds: None,
        next: None,
        jobs: Vec::new(),
        program_version: "1",
    }
}

pub(super) fn outcome() -> OutcomeRecord {
    let text = || Some(String::new());
    OutcomeRecord {
        client: String::new(),
        name: String::new(),
        number: 1,
        host: text(),
        source: text(),
        job: String::new(),
        outcome: "ok",
        reason: text(),
        slot: text(),
        begun: String::new(),
        ended: String::new(),
        times: Some(1),
        snapshot: text(),
        files: Some(1),
        bytes: Some(1),
        stored_bytes: Some(1),
        program: text(),
    }
}

pub(super) fn stored() -> StoredRecord {
    let text = || Some(String::new());
    StoredRecord {
        client: String::new(),
        name: String::new(),
        number: 1,
        received: String::new(),
        host: text(),
        file: text(),
        text: text(),
    }
}

pub(super) fn recovery_part() -> RecoveryPart {
    let text = String::new;
    RecoveryPart {
        snapshot: text(),
        source: text(),
        stream: true,
        time: text(),
        entries: 1,
        bytes: 1,
        rto_seconds: Some(1),
    }
}

pub(super) fn invited() -> Invited {
    let text = || Some(String::new());
    Invited {
        client: String::new(),
        host: String::new(),
        until: String::new(),
        token: text(),
        token_file: text(),
    }
}

pub(super) fn joined() -> Joined {
    Joined {
        organisation: String::new(),
        host: String::new(),
        config_file: String::new(),
        key_file: String::new(),
        service: true,
    }
}

pub(super) fn machine() -> MachineRecord {
    let text = || Some(String::new());
    MachineRecord {
        client: String::new(),
        name: String::new(),
        role: "backup",
        hosts: Vec::new(),
        state: "joined",
        joined: Vec::new(),
        machines: Vec::new(),
        snapshots: 1,
        newest: text(),
        newest_time: text(),
    }
}

pub(super) fn imported() -> ImportRecord {
    let text = String::new;
    ImportRecord {
        from: "borgmatic",
        files: vec![text()],
        client: text(),
        output: Some(text()),
        text: text(),
        equivalent: vec![EquivalentRecord { file: text(), line: Some(1), key: text(), to: text() }],
        remarks: vec![RemarkRecord {
            kind: "changed",
            file: text(),
            line: Some(1),
            key: text(),
            message: text(),
        }],
    }
}

pub(super) fn run() -> RunRecord {
    let text = || "x".to_owned();
    RunRecord {
        client: text(),
        job: "backup",
        slot: text(),
        system: Some(text()),
        outcome: "failed",
        reason: Some("store"),
        detail: text(),
        snapshot: Some(text()),
    }
}

pub(super) fn check() -> CheckRecord {
    CheckRecord { state: "OK", systems: 1, complaints: Vec::new() }
}

pub(super) fn configuration() -> ConfigRecord {
    ConfigRecord {
        file: String::new(),
        valid: true,
        client: Some(String::new()),
        sources: Vec::new(),
        jobs: Vec::new(),
        remarks: Vec::new(),
    }
}

pub(super) fn consent() -> ConsentRecord {
    ConsentRecord {
        id: String::new(),
        deed: "release",
        subject: String::new(),
        packs: 0,
        client: String::new(),
        time: String::new(),
        until: String::new(),
        over: false,
        reason: String::new(),
    }
}

pub(super) fn benchmarked() -> Benchmarked {
    Benchmarked {
        repository: Some(String::new()),
        threads: 1,
        stages: Vec::new(),
        compression_ratio: 1.0,
        put_ms: Some(1.0),
        get_ms: Some(1.0),
        backup_bytes_per_second: Some(1.0),
        limited_by: Some("store"),
    }
}

pub(super) fn key_added(key: KeyRecord) -> KeyAdded {
    let (text, list) = (String::new, || vec![String::new()]);
    KeyAdded {
        key,
        key_file: Some(text()),
        client: Some(text()),
        hosts: list(),
        succeeds: list(),
        policy: Some(Policy { version: "v", statement: Vec::new() }),
    }
}

pub(super) fn succeeded() -> KeySucceeded {
    KeySucceeded { client: String::new(), succeeds: vec![String::new()] }
}

pub(super) fn revoked() -> KeyRevoked {
    KeyRevoked {
        client: String::new(),
        name: String::new(),
        dry_run: true,
        last_snapshot: Some(String::new()),
        last_evidence: Some(String::new()),
        snapshots_after: 1,
    }
}

pub(super) fn doctor() -> Doctor {
    Doctor { ok: true, looks: Vec::new(), next: Some(String::new()) }
}

pub(super) fn rotation_summary() -> Box<RotationSummary> {
    Box::new(RotationSummary {
        dry_run: false,
        packs_read: 1,
        bytes_read: 1,
        packs_failed: 0,
        packs_total: 1,
        bytes_total: 1,
        bytes_covered: 1,
        days: 28,
        packs_never_read: 0,
        oldest: Some(String::new()),
        bytes_short: 0,
        cost: 0.5,
        requests: 1,
        evidence: Some(String::new()),
        ticket: Some(String::new()),
        findings: vec![finding()],
    })
}

pub(super) fn drill_summary() -> DrillSummary {
    let text = String::new;
    DrillSummary {
        kind: "sample",
        outcome: "pass",
        level: 4,
        lacks: text(),
        evidence: text(),
        snapshot_id: text(),
        short_id: text(),
        hostname: text(),
        files_restored: 1,
        bytes_restored: 1,
        restore_seconds: 1.0,
        total_files: 1,
        total_bytes: 1,
        rpo_seconds: Some(1.0),
        estimated_seconds: Some(1.0),
        estimated_low_seconds: Some(1.0),
        estimated_high_seconds: Some(1.0),
        objective_breached: false,
        requests: 1,
        items_not_saved: 0,
        findings_count: 1,
        findings: vec![finding()],
        probe_confinement: Some(ProbeConfinement {
            landlock: 6,
            network: "loopback",
            processes_apart: true,
            memory_limited: true,
            gaps: vec!["none"],
        }),
        ticket: Some(text()),
        still_open: vec![text()],
    }
}

pub(super) fn backup_summary() -> BackupSummary {
    BackupSummary {
        dry_run: false,
        files_new: 0,
        files_changed: 0,
        files_unmodified: 0,
        dirs_new: 0,
        dirs_changed: 0,
        dirs_unmodified: 0,
        data_blobs: 0,
        tree_blobs: 0,
        data_added: 0,
        data_added_packed: 0,
        files_removed: 0,
        paths_removed: 0,
        bytes_removed: 0,
        files_vanished: 0,
        total_files_processed: 0,
        total_bytes_processed: 0,
        backup_start: String::new(),
        backup_end: String::new(),
        total_duration: 0.0,
        error_count: 0,
        snapshots_lost: 0,
        snapshot_id: Some(String::new()),
    }
}

pub(super) fn verbose_status() -> VerboseStatus {
    VerboseStatus {
        action: "new",
        item: String::new(),
        path: JsonPath::new(b"\xff"),
        size: 0,
        remark: Some("r"),
    }
}

pub(super) fn problem() -> ProblemRecord {
    let during = String::new();
    ProblemRecord { path: JsonPath::new(b"\xff"), during, message: String::new() }
}

pub(super) fn root() -> RootRecord {
    let led_to = Some(String::new());
    let path = JsonPath::new(b"\xff");
    RootRecord { path, led_to, state: "s", entries: 0, bytes: 0 }
}

pub(super) fn restore_summary() -> RestoreSummary {
    RestoreSummary {
        dry_run: false,
        seconds_elapsed: 0,
        total_files: 0,
        files_restored: 0,
        files_skipped: 0,
        files_deleted: 0,
        files_not_deleted: 0,
        total_bytes: 0,
        bytes_restored: 0,
        bytes_skipped: 0,
        error_count: 0,
        damage_count: 0,
        bytes_decoded: 0,
        bytes_fetched: 0,
        bytes_reused: 0,
        files_verified: 0,
        files_unread: 0,
        set_ids_lost: 0,
        unfinished: false,
        untrusted: Some(LeftOutRecord {
            special_files: 0,
            set_id_bits: 0,
            attributes: 0,
            inode_flags: 0,
        }),
    }
}
