//! What became of runs, told to the store: by one more process of this program, as everything that has
//! to do with a repository.

use std::ffi::OsString;

use crate::fault::Fault;
use crate::night::child::{self, Call};
use crate::night::perform::Errand;
use agent::config::schedule::JobKind;
use agent::outcome::{Outcome, Verdict};
use agent::state::{PartRow, RunRow, State, StateError};
use engine::base::id::{ClientId, Digest, SessionId};
use engine::base::time::Timestamp;
use engine::crypt::hash;
use engine::format::machine::{RunCounter, RunOutcome, RunRecord};

/// Runs that one process records.
pub const BATCH: u32 = 200;
/// Under this name the state keeps the hash of the configuration that the store has.
pub const SETUP: &str = "setup";

/// Whether there is something that the store does not know.
///
/// # Errors
/// [`StateError`] if the state fails.
pub fn is_due(errand: &Errand<'_>, state: &State) -> Result<bool, StateError> {
    if !state.unrecorded(1)?.is_empty() {
        return Ok(true);
    }
    let known = state.setting(SETUP)?;
    let now = std::fs::read(&errand.organisation.path).ok().map(|text| setup_hash(&text));
    Ok(now.is_some() && now != known)
}

/// What the state keeps of a configuration.
#[must_use]
pub fn setup_hash(text: &[u8]) -> String {
    hash::digest(text).to_string()
}

/// Records everything that the store does not know.
///
/// # Errors
/// What kept it from that; it stays to be recorded.
pub fn record(errand: &Errand<'_>) -> Result<(), Fault> {
    let organisation = errand.organisation;
    let mut words: Vec<OsString> = ["outcomes", "--record"].map(OsString::from).to_vec();
    words.push(organisation.state.clone().into());
    words.push(format!("--host={}", organisation.plan.host).into());
    words.extend(["--setup".into(), organisation.path.clone().into_os_string()]);
    let call = Call {
        program: &errand.around.program,
        config: &organisation.job_file(),
        variables: &organisation.variables(errand.around),
        words: &words,
        clock: &*errand.around.clock,
        wants_output: false,
    };
    let end = child::run(call, errand.is_stopped)?;
    if end.code == Some(0) || end.is_stopped {
        return Ok(());
    }
    let client = &organisation.plan.client;
    Err(end.fault(&format!("{client}: the store was not told how jobs ended: ")))
}

/// The records of one run: one for each source of a backup, one for any other job.
#[must_use]
pub fn records(run: &RunRow, parts: &[PartRow], host: &str, program: &str) -> Vec<RunRecord> {
    let mut records = Vec::new();
    if run.job == JobKind::Backup {
        for part in parts {
            let Some(verdict) = &part.verdict else { continue };
            let ended_s = part.ended_s.unwrap_or(part.began_s);
            let mut record = bare(run, verdict, (part.began_s, ended_s), host, program);
            record.source = Some(part.source.clone());
            record.session = part.snapshot.as_deref().and_then(session);
            record.counters = counters(part);
            records.push(record);
        }
    }
    let Some(verdict) = &run.verdict else { return records };
    let said = Verdict::worst(parts.iter().filter_map(|part| part.verdict.as_ref()));
    // What hooks made of a backup that was good itself is said of the run as a whole.
    if records.is_empty() || verdict.outcome > said.outcome {
        let ended_s = run.ended_s.unwrap_or(run.taken_s);
        let span = (run.began_s.unwrap_or(run.taken_s), ended_s);
        records.push(bare(run, verdict, span, host, program));
    }
    records
}

fn bare(
    run: &RunRow,
    verdict: &Verdict,
    (began_s, ended_s): (i64, i64),
    host: &str,
    program: &str,
) -> RunRecord {
    RunRecord {
        client: ClientId::new([0; 8]),
        number: 0,
        job: run.job.name().to_owned(),
        outcome: outcome(verdict.outcome),
        reason: verdict.reason.map(|reason| reason.name().to_owned()),
        begun: at(began_s),
        ended: at(ended_s),
        slot: None,
        session: None,
        requests: 0,
        sent_bytes: 0,
        received_bytes: 0,
        counters: Vec::new(),
        configuration: None,
        program: program.to_owned(),
        previous: None,
        host: Some(host.to_owned()),
        source: None,
        due: Some(at(run.slot_s)),
        times: u32::try_from(run.slots).ok().filter(|_| run.attempts == 0),
    }
}

fn outcome(outcome: Outcome) -> RunOutcome {
    match outcome {
        Outcome::Ok => RunOutcome::Ok,
        Outcome::OkWithNotes => RunOutcome::OkWithNotes,
        Outcome::Skipped => RunOutcome::Skipped,
        Outcome::Partial => RunOutcome::Partial,
        Outcome::Suspicious => RunOutcome::Suspicious,
        Outcome::Missed => RunOutcome::Missed,
        Outcome::Failed => RunOutcome::Failed,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

/// The snapshot that was made: state has its id as people see it.
fn session(text: &str) -> Option<SessionId> {
    SessionId::from_snapshot_hex(text).ok()
}

fn counters(part: &PartRow) -> Vec<RunCounter> {
    let Some(facts) = part.facts else { return Vec::new() };
    let all = [
        ("files", facts.files),
        ("bytes", facts.bytes),
        ("new-bytes", facts.new_bytes),
        ("stored-bytes", facts.stored_bytes),
        ("removed-files", facts.removed_files),
    ];
    all.map(|(name, value)| RunCounter { name: name.to_owned(), value }).to_vec()
}

/// The hash of a configuration as a record names it.
#[must_use]
pub fn configuration(text: &[u8]) -> Digest {
    hash::digest(text)
}
