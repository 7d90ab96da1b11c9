//! Messages with many fields, every optional one set.

use crate::ui::proof::{DrillFinding, DrillSummary, RotationSummary};

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

pub(super) fn rotation_summary() -> RotationSummary {
    RotationSummary {
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
    }
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
        findings_count: 1,
        findings: vec![finding()],
        ticket: Some(text()),
    }
}
