//! `outcomes`: how jobs of all machines ended, from the store.

use std::path::Path;

use agent::state::State;
use engine::format::machine::{Configuration, RunCounter, RunOutcome, RunRecord};
use engine::format::slot::Role;
use engine::index::clients::Clients;
use engine::index::identity::writer_identity;
use engine::index::{clients, outcomes, setups};

use crate::args::moment::Moment;
use crate::args::outcomes::OutcomesArgs;
use crate::command::context::Context;
use crate::command::night::in_words;
use crate::command::open::{Opened, open};
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::night::record;
use crate::ui::json::Message;
use crate::ui::night::OutcomeRecord;
use crate::ui::table::{Align, Table};
use crate::units;

/// What is shown if nothing says since when.
const SINCE: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

/// Lists outcomes, or records those of this machine.
///
/// # Errors
/// Exit code 20 if a record cannot be read; the others are listed all the same.
pub fn run(args: &OutcomesArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    match &args.record {
        Some(folder) => tell_store(args, folder, &opened, context),
        None => list(args, &opened, context),
    }
}

fn list(args: &OutcomesArgs, opened: &Opened, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let now = context.around.clock.now();
    let since = args.since.clone().unwrap_or(Moment::Ago(SINCE));
    let since = since.resolve(now, &context.around.time_zone);
    let claims = opened.catalog()?.claims;
    let found = outcomes::read(&opened.repo, &claims, since);
    let found = found.map_err(|error| trouble::index(&error))?;
    let clients = claims.clients();
    let all = found.folded.iter().map(|run| unfolded(run.clone())).chain(found.runs);
    let wanted = |run: &RunRecord| {
        let is_host = |host: &String| run.host.as_ref() == Some(host);
        let is_bad = !matches!(run.outcome, RunOutcome::Ok | RunOutcome::OkWithNotes);
        run.begun >= since
            && (args.host.is_empty() || args.host.iter().any(is_host))
            && args.job.is_none_or(|job| run.job == job.name())
            && (!args.failed || is_bad)
    };
    let mut all: Vec<RunRecord> = all.filter(wanted).collect();
    all.sort_by_key(|run| (run.begun, run.client, run.number));
    match context.ui.is_json() {
        true => all.iter().for_each(|run| {
            context.ui.message(&Message::Outcome(Box::new(shown(run, clients))));
        }),
        false if all.is_empty() => context.ui.note("nothing is recorded of that time"),
        false => table(&all, clients, context),
    }
    if found.refused > 0 {
        let count = units::counted(found.refused, "record");
        let words = "of clients that were revoked before, or about hosts of others";
        context.ui.note(&format!("passed over: {count} {words}"));
    }
    for (key, why) in &found.unreadable {
        context.ui.problem("reading", key.as_bytes(), why);
    }
    match found.unreadable.len() as u64 {
        0 => Ok(ExitCode::Ok),
        count => {
            let message = format!("{} cannot be read", units::counted(count, "run record"));
            Err(Fault::new(ExitCode::Damage, "E_CORRUPT", message)
                .hint("`mainstay check` says what is damaged; snapshots do not depend on these"))
        }
    }
}

fn unfolded(run: engine::format::history::FoldedRun) -> RunRecord {
    RunRecord {
        client: run.client,
        number: run.record.number,
        job: run.job,
        outcome: run.outcome,
        reason: None,
        begun: run.begun,
        ended: run.ended,
        slot: None,
        session: None,
        requests: 0,
        sent_bytes: 0,
        received_bytes: 0,
        counters: Vec::new(),
        configuration: None,
        program: String::new(),
        previous: None,
        host: run.host,
        source: run.source,
        due: None,
        times: None,
    }
}

fn shown(run: &RunRecord, clients: &Clients) -> OutcomeRecord {
    let counter = |name: &str| {
        let is_it = |counter: &&RunCounter| counter.name == name;
        run.counters.iter().find(is_it).map(|counter| counter.value)
    };
    OutcomeRecord {
        client: run.client.to_string(),
        name: clients.get(run.client).map(|client| client.name.clone()).unwrap_or_default(),
        number: run.number,
        host: run.host.clone(),
        source: run.source.clone(),
        job: run.job.clone(),
        outcome: run.outcome.name(),
        reason: run.reason.clone(),
        slot: run.due.map(units::rfc3339),
        begun: units::rfc3339(run.begun),
        ended: units::rfc3339(run.ended),
        times: run.times,
        snapshot: run.session.map(|session| session.to_snapshot_hex()),
        files: counter("files"),
        bytes: counter("bytes"),
        stored_bytes: counter("stored-bytes"),
        program: Some(run.program.clone()).filter(|program| !program.is_empty()),
    }
}

fn table(all: &[RunRecord], clients: &Clients, context: &Context<'_>) {
    let mut table = Table::new(&[
        ("began", Align::Left),
        ("system", Align::Left),
        ("job", Align::Left),
        ("outcome", Align::Left),
        ("took", Align::Right),
        ("stored", Align::Right),
    ]);
    for run in all {
        let record = shown(run, clients);
        let host = record.host.unwrap_or(record.name);
        let system = match &record.source {
            Some(source) => format!("{host}/{source}"),
            None => host,
        };
        let mut outcome = in_words(record.outcome, record.reason.as_deref());
        if let Some(times) = run.times.filter(|times| *times > 1) {
            outcome.push_str(&format!(", {times} times"));
        }
        let took = run.ended.seconds.saturating_sub(run.begun.seconds);
        let took = std::time::Duration::from_secs(u64::try_from(took).unwrap_or_default());
        table.row([
            units::local_time(run.begun, &context.around.time_zone),
            system,
            run.job.clone(),
            outcome,
            units::whole_duration(took),
            record.stored_bytes.map(units::size).unwrap_or_default(),
        ]);
    }
    table.lines().iter().for_each(|line| context.ui.result(line));
}

/// Records what the agent's state has and the store has not.
fn tell_store(
    args: &OutcomesArgs,
    folder: &Path,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<ExitCode, Fault> {
    let host = args.host.first().unwrap_or(&context.around.host);
    let mut state = State::open(&folder.join("agent.sqlite"))?;
    let (repo, index) = (&opened.repo, &opened.index);
    let identity =
        writer_identity(repo, index, &context.around.host).map_err(|e| trouble::index(&e))?;
    let clients = clients::read(repo, index).map_err(|error| trouble::index(&error))?;
    let hosts = clients.get(identity.client).map(|client| client.hosts.clone()).unwrap_or_default();
    // What a client says of a host that it may not name counts for nothing.
    let host = match hosts.first().filter(|_| !hosts.contains(host)) {
        Some(own) => own,
        None => host,
    };
    let text = args.setup.as_ref().and_then(|path| std::fs::read(path).ok());
    let configuration = text.as_deref().map(record::configuration);
    let program = format!("mainstay {}", env!("CARGO_PKG_VERSION"));
    loop {
        let runs = state.unrecorded(record::BATCH)?;
        if runs.is_empty() {
            break;
        }
        let (mut records, mut lasts) = (Vec::new(), Vec::new());
        for run in &runs {
            for one in record::records(run, &state.parts(run.number)?, host, &program) {
                records.push(RunRecord { configuration, slot: repo.slot(), ..one });
            }
            lasts.push((records.len(), run.number));
        }
        let mut recorded = 0;
        let told = outcomes::record(repo, index, &identity, records, &mut |place| {
            recorded = place + 1;
        });
        // What was recorded before it failed is not recorded again.
        for (_, run) in lasts.iter().filter(|(last, _)| *last <= recorded) {
            state.mark_recorded(*run)?;
        }
        told.map_err(|error| trouble::index(&error))?;
    }
    if let (Some(text), Some(path)) = (text, &args.setup) {
        let hash = record::setup_hash(&text);
        if state.setting(record::SETUP)?.as_ref() != Some(&hash) {
            // A key that only verifies cannot seal anything, and its machine has nothing to lose.
            if repo.keys().role() != Role::Verify {
                let setup = setup(&text, path, host, &program, context);
                setups::put(repo, index, &identity, &setup).map_err(|e| trouble::index(&e))?;
            }
            state.put_setting(record::SETUP, &hash)?;
        }
    }
    Ok(ExitCode::Ok)
}

fn setup(
    text: &[u8],
    path: &Path,
    host: &str,
    program: &str,
    context: &Context<'_>,
) -> Configuration {
    let zone = context.around.time_zone.iana_name().unwrap_or_default().to_owned();
    let file = String::from_utf8_lossy(text).into_owned();
    let schedule = file
        .parse::<toml::Table>()
        .ok()
        .and_then(|table| table.get("schedule").and_then(|part| toml::to_string(part).ok()));
    let facts = [
        ("host", host.to_owned()),
        ("file", path.display().to_string()),
        ("program", program.to_owned()),
        ("time-zone", zone),
    ];
    Configuration {
        file,
        schedule: schedule.unwrap_or_default(),
        facts: facts.map(|(name, value)| (name.to_owned(), value)).to_vec(),
    }
}
