//! Messages with many fields, every optional one set.

use crate::ui::proof::{DrillFinding, DrillSummary};

pub(super) fn drill_summary() -> DrillSummary {
    let text = String::new;
    let finding = DrillFinding {
        probe: text(),
        path: Some(text()),
        path_hash: Some(text()),
        object: Some(text()),
        not_proved: false,
        why: text(),
    };
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
        findings: vec![finding],
        ticket: Some(text()),
    }
}
