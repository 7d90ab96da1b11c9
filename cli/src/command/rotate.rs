//! `check --rotate`: every stored byte once within a period, a part with each run.

use engine::base::monitor::Monitor;
use restore_verify::drill::options::Place;
use restore_verify::drill::rotate::{RotateOptions, RotateReport, due, rotate};
use restore_verify::evidence::shelf::{Author, millis};
use restore_verify::sample::coverage::{Budget, PackAge, Prices, covered};

use crate::args::rotate::RotateArgs;
use crate::command::context::Context;
use crate::command::open::{Opened, progress};
use crate::command::witness::{actor, prover, stamp_if_due};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::output::printable;
use crate::ui::proof::{DrillFinding, RotationSummary};
use crate::units;

/// What 1,000 requests cost is what people know; one is what is counted.
const PRICED_REQUESTS: u64 = 1000;

/// Reads the packs whose turn it is.
///
/// # Errors
/// Exit code 20 if something is damaged or missing.
pub fn run(
    args: &RotateArgs,
    days: u32,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<ExitCode, Fault> {
    opened.require_content()?;
    let _lock = opened.lock()?;
    let identity = prover(opened, context)?;
    let monitor = progress(context);
    opened.refresh(&monitor)?;
    let actor = actor(context);
    let place = Place {
        repo: &opened.repo,
        index: &opened.index,
        state: &opened.state,
        author: Author { identity: &identity, actor: &actor, host: &context.around.host },
        monitor: &monitor as &dyn Monitor,
    };
    let options = RotateOptions {
        days,
        interval_ms: args.every.as_millis() as u64,
        budget: Budget {
            bytes: args.max_bytes,
            requests: args.max_requests,
            money_micros: args.max_cost,
            prices: Prices {
                request_micros: args.price_requests.div_ceil(PRICED_REQUESTS),
                gib_micros: args.price_gib,
            },
        },
    };
    if args.dry_run {
        let (packs, turn) = due(&place, &options)?;
        drop(monitor);
        let now_ms = millis(context.around.clock.now());
        let total_bytes = packs.iter().map(|pack| pack.bytes).sum();
        let (covered_bytes, oldest_ms) = covered(&packs, days, now_ms);
        show(
            &RotationSummary {
                dry_run: true,
                packs_read: turn.packs.len() as u64,
                bytes_read: turn.bytes,
                packs_failed: 0,
                packs_total: packs.len() as u64,
                bytes_total: total_bytes,
                bytes_covered: covered_bytes,
                days,
                packs_never_read: never(&packs),
                oldest: oldest_ms.map(time),
                bytes_short: turn.short_bytes,
                cost: turn.money_micros as f64 / 1e6,
                requests: turn.packs.len() as u64,
                evidence: None,
                ticket: None,
                findings: Vec::new(),
            },
            context,
        );
        return Ok(ExitCode::Ok);
    }
    let report = rotate(&place, &options)?;
    let (packs, _) = due(&place, &options)?;
    drop(monitor);
    stamp_if_due(opened, &identity, context);
    show(&summary(&report, never(&packs)), context);
    match report.rotation.failed {
        0 => Ok(ExitCode::Ok),
        failed => {
            let are = if failed == 1 { "is" } else { "are" };
            let message = format!("{} {are} damaged or missing", units::counted(failed, "pack"));
            Err(Fault::new(ExitCode::Damage, "E_CORRUPT", message)
                .hint("`mainstay check --read-data` says which paths they hurt"))
        }
    }
}

fn never(packs: &[PackAge]) -> u64 {
    packs.iter().filter(|pack| pack.last_ms.is_none()).count() as u64
}

fn time(at_ms: i64) -> String {
    let nanos = (at_ms.rem_euclid(1000) * 1_000_000) as u32;
    units::rfc3339(engine::base::time::Timestamp { seconds: at_ms.div_euclid(1000), nanos })
}

fn summary(report: &RotateReport, packs_never_read: u64) -> RotationSummary {
    let rotation = &report.rotation;
    let finding = |found: &restore_verify::drill::findings::Found| DrillFinding {
        probe: found.finding.probe.clone(),
        path: None,
        path_hash: None,
        object: found.finding.object.clone(),
        not_proved: found.finding.is_doubt,
        why: found.finding.why.clone(),
    };
    RotationSummary {
        dry_run: false,
        packs_read: rotation.packs,
        bytes_read: rotation.bytes,
        packs_failed: rotation.failed,
        packs_total: rotation.total_packs,
        bytes_total: rotation.total_bytes,
        bytes_covered: rotation.covered_bytes,
        days: rotation.days,
        packs_never_read,
        oldest: rotation.oldest_ms.map(time),
        bytes_short: report.short_bytes,
        cost: report.money_micros as f64 / 1e6,
        requests: rotation.requests,
        evidence: report.record.map(|at| at.to_string()),
        ticket: report.ticket.clone(),
        findings: report.findings.iter().map(finding).collect(),
    }
}

fn show(summary: &RotationSummary, context: &Context<'_>) {
    let ui = context.ui;
    if ui.is_json() {
        return ui.message(&Message::RotationSummary(Box::new(summary.clone())));
    }
    for finding in &summary.findings {
        let word = if finding.not_proved { "not proved" } else { "failed" };
        let object = finding.object.as_deref().unwrap_or_default();
        ui.result(&printable(&format!("{word}: {object}: {}", finding.why)));
    }
    if ui.is_quiet() {
        return;
    }
    let line = |name: &str, text: String| ui.result(&format!("  {name:<11}{text}"));
    let mut read = format!(
        "{}, {}",
        units::counted(summary.packs_read, "pack"),
        units::size(summary.bytes_read)
    );
    if summary.cost > 0.0 {
        read.push_str(&format!(", cost {:.6} by the prices given", summary.cost));
    }
    ui.result(&statement(summary));
    line(if summary.dry_run { "would read" } else { "read" }, read);
    if summary.bytes_short > 0 {
        let short = units::size(summary.bytes_short);
        line("short", format!("the budget keeps {short} from their turn: the pace is not kept"));
    }
    match (&summary.oldest, summary.packs_never_read) {
        (_, never @ 1..) => line("never read", units::counted(never, "pack")),
        (Some(oldest), 0) => line("oldest", format!("last read {oldest}")),
        (None, 0) => {}
    }
    if let Some(evidence) = &summary.evidence {
        line("evidence", evidence.clone());
    }
    if let Some(ticket) = &summary.ticket {
        line("ticket", printable(ticket));
    }
}

/// What the rotation shows, in one sentence.
fn statement(summary: &RotationSummary) -> String {
    let total = units::size(summary.bytes_total);
    let share = units::percent(summary.bytes_covered, summary.bytes_total);
    let failed = units::counted(summary.packs_failed, "pack");
    let days = units::counted(u64::from(summary.days), "day");
    match summary.bytes_covered >= summary.bytes_total {
        true => format!(
            "100 % of stored bytes ({total}) authenticated within {days}, {failed} failed now"
        ),
        false => format!(
            "{share} of stored bytes ({total}) authenticated within {days}, {failed} failed now"
        ),
    }
}
