//! `evidence findings`, `note`, `runs`, `stamp`: what failed and what became of it, how backups ran,
//! and who else has seen that it was so then.

use engine::base::time::Timestamp;
use restore_verify::drill::close::ticket_name;
use restore_verify::evidence::event::{Event, Remedy, RemedyStep};
use restore_verify::evidence::record::Writer;
use restore_verify::evidence::remedy::{Case, State, cases};
use restore_verify::evidence::runs;
use restore_verify::evidence::shelf::{Author, Shelf, millis};
use restore_verify::evidence::stamp;

use crate::args::proof::NoteArgs;
use crate::command::authority;
use crate::command::context::Context;
use crate::command::open::{open, progress};
use crate::command::witness::{actor, prover, untimestamped};
use crate::fault::{ExitCode, Fault};
use crate::ui::output::printable;
use crate::ui::proof::{FindingRecord, FindingStep, FindingTest};
use crate::units;

/// Lists what failed.
///
/// # Errors
/// Those of the store.
pub fn list(only_open: bool, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let shelf = Shelf::open(&opened.repo, &opened.state)?;
    let mut found = cases(shelf.records());
    found.retain(|case| !only_open || case.state() != State::Closed);
    if context.ui.is_json() {
        let records: Vec<_> = found.iter().map(record).collect();
        context.ui.document(&records).map_err(|error| Fault::local(error.to_string()))?;
        return Ok(ExitCode::Ok);
    }
    for case in &found {
        tell(case, context);
    }
    if found.is_empty() {
        context.ui.note(if only_open { "no finding is open" } else { "there are no findings" });
    }
    Ok(ExitCode::Ok)
}

fn tell(case: &Case, context: &Context<'_>) {
    let line = |text: String| {
        let indent = text.len() - text.trim_start().len();
        context.ui.prose(&text, indent + 2);
    };
    let when = |at_ms| units::local_minute(time(at_ms), &context.around.time_zone);
    let system = if case.system.is_empty() { "the repository" } else { &case.system };
    let what = match case.breaches.as_slice() {
        [] => units::counted(case.finding_count, "finding"),
        breaches => {
            let names: Vec<&str> = breaches.iter().map(|breach| breach.name()).collect();
            format!("{} beyond its objective", names.join(" and "))
        }
    };
    line(format!(
        "{}  {}  {} of {system}: {what}, {}",
        case.finding,
        when(case.found_ms),
        case.event,
        case.state().name()
    ));
    for step in &case.steps {
        let note = if step.note.is_empty() { String::new() } else { format!(": {}", step.note) };
        line(format!(
            "  {}  ticket {} {} by {}{note}",
            when(step.at_ms),
            step.ticket,
            step.step.name(),
            step.actor
        ));
    }
    for test in &case.retests {
        let outcome = test.outcome.name();
        line(format!("  {}  test {}: {outcome}", when(test.at_ms), test.record));
        for why in &test.shortfalls {
            line(format!("    closes nothing: {why}"));
        }
    }
}

fn record(case: &Case) -> FindingRecord {
    FindingRecord {
        id: case.finding.to_string(),
        event: case.event.clone(),
        time: units::rfc3339(time(case.found_ms)),
        hostname: case.system.clone(),
        findings_count: case.finding_count,
        breaches: case.breaches.iter().map(|breach| breach.name()).collect(),
        state: case.state().name(),
        ticket: case.ticket().map(str::to_owned),
        steps: case
            .steps
            .iter()
            .map(|step| FindingStep {
                time: units::rfc3339(time(step.at_ms)),
                actor: step.actor.clone(),
                step: step.step.name(),
                ticket: step.ticket.clone(),
                note: step.note.clone(),
                evidence: step.record.to_string(),
            })
            .collect(),
        retests: case
            .retests
            .iter()
            .map(|test| FindingTest {
                time: units::rfc3339(time(test.at_ms)),
                outcome: test.outcome.name(),
                shortfalls: test.shortfalls.clone(),
                evidence: test.record.to_string(),
            })
            .collect(),
    }
}

fn time(at_ms: i64) -> Timestamp {
    let nanos = (at_ms.rem_euclid(1000) * 1_000_000) as u32;
    Timestamp { seconds: at_ms.div_euclid(1000), nanos }
}

/// Says something about a finding.
///
/// # Errors
/// If there is no such finding.
pub fn note(args: &NoteArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let _lock = opened.lock()?;
    let identity = prover(&opened, context)?;
    let mut shelf = Shelf::open(&opened.repo, &opened.state)?;
    let finding = shelf.find(&args.finding)?.reference();
    let all = cases(shelf.records());
    let Some(case) = all.iter().find(|case| case.finding == finding) else {
        return Err(Fault::usage(format!("the record {finding} says of nothing that it failed"))
            .hint("`mainstay evidence findings` lists what failed"));
    };
    let is_known = args.ticket.as_deref() == case.ticket();
    let (step, words) = match (&args.fixed, &args.words) {
        (Some(words), _) => (RemedyStep::Fixed, words.as_str()),
        (None, Some(words)) => (RemedyStep::Noted, words.as_str()),
        (None, None) if args.ticket.is_none() => {
            return Err(Fault::usage("nothing is said about the finding")
                .hint("give --ticket, --fixed or --words"));
        }
        (None, None) if is_known => (RemedyStep::Noted, ""),
        (None, None) => (RemedyStep::Opened, ""),
    };
    let known = || case.ticket().map_or_else(|| ticket_name(finding), str::to_owned);
    let ticket = args.ticket.clone().unwrap_or_else(known);
    let remedy =
        Remedy { finding, ticket: ticket.clone(), step, retest: None, note: words.to_owned() };
    let actor = args.actor.clone().unwrap_or_else(|| actor(context));
    let author = Author { identity: &identity, actor: &actor, host: &context.around.host };
    let at = shelf.append(&author, &Event::Remedy(remedy))?.reference();
    let mut all = cases(shelf.records());
    all.retain(|case| case.finding == finding);
    if context.ui.is_json() {
        let records: Vec<_> = all.iter().map(record).collect();
        context.ui.document(&records.first()).map_err(|error| Fault::local(error.to_string()))?;
    } else if !context.ui.is_quiet() {
        let words = format!("ticket {ticket} for {finding}: {}; evidence {at}", step.name());
        context.ui.result(&printable(&words));
        if step == RemedyStep::Fixed {
            context.ui.result(&format!("  `mainstay drill --retest {finding}` shows it"));
        }
    }
    Ok(ExitCode::Ok)
}

/// Records how many backups ran since the last time.
///
/// # Errors
/// Those of the store.
pub fn runs(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let _lock = opened.lock()?;
    let identity = prover(&opened, context)?;
    let monitor = progress(context);
    let catalog = opened.look(&monitor)?;
    drop(monitor);
    let actor = actor(context);
    let author = Author { identity: &identity, actor: &actor, host: &context.around.host };
    let mut shelf = Shelf::open(&opened.repo, &opened.state)?;
    let recorded = runs::record(&mut shelf, &opened.repo, &catalog, &opened.state, &author, 0)?;
    let Some(at) = recorded else { return Ok(ExitCode::Ok) };
    let record = shelf.find(&at.to_string())?;
    let event = Event::decode(&record.record.event, &record.record.body);
    let Ok(Event::BackupPopulation(population)) = event else { return Ok(ExitCode::Ok) };
    if context.ui.is_json() {
        let outcomes: serde_json::Map<String, serde_json::Value> = population
            .outcomes
            .iter()
            .map(|(name, count)| (name.clone(), (*count).into()))
            .collect();
        let summary = serde_json::json!({
            "evidence": at.to_string(),
            "from": units::rfc3339(time(population.from_ms)),
            "to": units::rfc3339(time(population.to_ms)),
            "runs": population.runs,
            "outcomes": outcomes,
            "root": population.root.to_string(),
        });
        context.ui.document(&summary).map_err(|error| Fault::local(error.to_string()))?;
    } else if !context.ui.is_quiet() {
        let outcomes: Vec<_> =
            population.outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let runs = units::counted(population.runs, "run");
        let words = format!("{runs} ({}), evidence {at}", outcomes.join(", "));
        context.ui.result(&words);
    }
    Ok(ExitCode::Ok)
}

/// Asks the time stamp authority now.
///
/// # Errors
/// Exit code 24 if it gives no time stamp.
pub fn stamp(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let Some(url) = authority::configured(context)? else {
        return Err(Fault::usage("no time stamp authority is configured")
            .hint("--timestamp-url URL, MAINSTAY_TIMESTAMP_URL, or [timestamp] url in the file"));
    };
    let opened = open(context)?;
    let identity = prover(&opened, context)?;
    let actor = actor(context);
    let author = Author { identity: &identity, actor: &actor, host: &context.around.host };
    let mut shelf = Shelf::open_end(&opened.repo, &opened.state, &identity)?;
    let standing = stamp::standing(&shelf, Writer(*identity.client.as_bytes()))?;
    let Some(head) = standing.head.filter(|_| standing.since_ms.is_some()) else {
        context.ui.note("nothing of this machine's evidence is without a time stamp");
        return Ok(ExitCode::Ok);
    };
    let ask = |request: &[u8]| authority::ask(&url, request);
    match stamp::stamp(&mut shelf, &author, &url, head, &ask) {
        Ok((at, token)) => {
            let now = millis(context.around.clock.now());
            context.ui.detail(1, &format!("asked at {}", units::rfc3339(time(now))));
            context.ui.result(&printable(&format!("{head} stamped {}, evidence {at}", token.time)));
            Ok(ExitCode::Ok)
        }
        Err(stamp::StampError::Shelf(error)) => Err(error.into()),
        Err(error) => Err(Fault::new(ExitCode::Store, "E_STORE", error.to_string())
            .hint(format!("{}; the next run asks again", untimestamped(&standing, context)))),
    }
}
