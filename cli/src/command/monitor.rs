//! `status --check`: one state for all systems, as monitors want it.
//!
//! The first line says nothing but the state wherever monitors compare it, and figures come after. What cannot
//! be read is a state, too: a monitor that hears an error of usage would take it for a breach.

use std::time::Duration;

use agent::health::{Complaint, Health, judge};
use agent::outcome::Outcome;
use agent::status::{JobStatus, SystemStatus};

use crate::args::night::{CheckFormat, ExitMap, StatusArgs};
use crate::command::context::Context;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::night::{CheckRecord, ComplaintRecord};
use crate::ui::output::printable;
use crate::units;

/// A system, the jobs of its configuration, and the zone that it is shown in.
pub(crate) type Standing = (SystemStatus, Vec<JobStatus>, jiff::tz::TimeZone);

/// Nagios reads no more than 4 KiB.
const FIGURES_MAX_BYTES: usize = 3000;

/// Answers the monitor.
pub(crate) fn answer(
    args: &StatusArgs,
    found: &[Standing],
    faults: &[Fault],
    now_s: i64,
    context: &Context<'_>,
) -> ExitCode {
    let (mut worst, mut complaints) = (Health::Ok, Vec::new());
    for (system, ..) in found {
        let (health, complaint) = judge(system, now_s);
        worst = worst.max(health);
        complaints.extend(complaint.map(|complaint| ComplaintRecord {
            client: system.client.clone(),
            system: system.system.clone(),
            state: health.name(),
            why: words(complaint),
        }));
    }
    for fault in faults {
        worst = worst.max(Health::Unknown);
        complaints.push(ComplaintRecord {
            client: String::new(),
            system: String::new(),
            state: Health::Unknown.name(),
            why: fault.message().to_owned(),
        });
    }
    if found.is_empty() && faults.is_empty() {
        worst = Health::Unknown;
    }
    let format = if context.ui.is_json() { CheckFormat::Json } else { args.format };
    print(format, worst, found, complaints, context);
    let usual = if format == CheckFormat::Datto { ExitMap::TWO } else { ExitMap::NAGIOS };
    exit(worst, args.exit_map.unwrap_or(usual))
}

fn exit(worst: Health, map: ExitMap) -> ExitCode {
    let code = match worst {
        Health::Ok => map.ok,
        Health::Warning => map.warn,
        Health::Unknown => map.unknown,
        Health::Critical => map.crit,
    };
    // Here they are numbers that a monitor agreed on, and mean what it says.
    match code {
        0 => ExitCode::Ok,
        1 => ExitCode::Failed,
        2 => ExitCode::Usage,
        _ => ExitCode::Partial,
    }
}

fn words(complaint: Complaint) -> String {
    let span = |seconds: i64| units::whole_duration(Duration::from_secs(seconds.unsigned_abs()));
    let ended = |outcome: Outcome| format!("the last backup is {}", outcome.name());
    match complaint {
        Complaint::Breached(by_s) => format!("its objective is breached by {}", span(by_s)),
        Complaint::Stale(for_s) => {
            format!(
                "a backup is due for {} and nothing begins it: is the agent there?",
                span(for_s)
            )
        }
        Complaint::Never => "it was never backed up".to_owned(),
        Complaint::Nothing(outcome) => {
            format!("there is nothing to restore from; {}", ended(outcome))
        }
        Complaint::Ended(outcome) => ended(outcome),
        Complaint::AtRisk(by_s) => {
            format!("its objective ends {} before the next backup", span(by_s))
        }
    }
}

fn line(complaint: &ComplaintRecord) -> String {
    let ComplaintRecord { client, system, state, why } = complaint;
    match client.is_empty() {
        true => format!("{state} {why}"),
        false => format!("{state} {client} {system}: {why}"),
    }
}

fn print(
    format: CheckFormat,
    worst: Health,
    found: &[Standing],
    complaints: Vec<ComplaintRecord>,
    context: &Context<'_>,
) {
    let (state, ui) = (worst.name(), context.ui);
    let well = found.len() - complaints.iter().filter(|it| !it.client.is_empty()).count();
    let counted = format!("{well} of {} well", units::counted(found.len() as u64, "system"));
    match format {
        CheckFormat::Json => ui.message(&Message::Check(CheckRecord {
            state,
            systems: found.len() as u64,
            complaints,
        })),
        CheckFormat::Plain => {
            ui.result(&format!("MAINSTAY: {state}"));
            ui.result(&counted);
            complaints.iter().for_each(|complaint| ui.result(&line(complaint)));
        }
        CheckFormat::Nagios => {
            ui.result(&format!("MAINSTAY {state} - {counted} | {}", figures(found)));
            // A bar would begin figures.
            complaints.iter().for_each(|it| ui.result(&line(it).replace('|', "/")));
        }
        CheckFormat::Datto => {
            let first = complaints.iter().max_by_key(|it| it.state == state).map(line);
            let text = first.unwrap_or_else(|| counted.clone());
            ui.result("<-Start Result->");
            ui.result(&format!("MAINSTAY={state}: {}", text.replace('=', "-")));
            ui.result("<-End Result->");
            ui.result("<-Start Diagnostic->");
            ui.result(&counted);
            complaints.iter().for_each(|complaint| ui.result(&line(complaint)));
            ui.result("<-End Diagnostic->");
        }
    }
}

/// What is left of each objective, in the form that plugins of Nagios have.
fn figures(found: &[Standing]) -> String {
    let mut text = String::new();
    for (system, ..) in found {
        let (Some(left_s), Some(rpo_s)) = (system.rpo_left_s, system.rpo_s) else { continue };
        let name = printable(&format!("{}/{}", system.client, system.system));
        let name = name.replace('\'', "''").replace(['=', '|'], "-");
        // Outside of the range from 0 it alerts.
        let figure = format!("'{name}'={left_s}s;;0:;;{rpo_s} ");
        if text.len() + figure.len() > FIGURES_MAX_BYTES {
            break;
        }
        text.push_str(&figure);
    }
    text.push_str(&format!("'systems'={}", found.len()));
    text
}
