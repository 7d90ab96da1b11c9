//! One run from its slot to its outcome: hooks, parts, what is suspicious, hooks again.

use std::ffi::OsString;

use agent::config::hook::Hook;
use agent::config::schedule::{Entry, JobKind};
use agent::config::source::Source;
use agent::night::{End, Night, Order};
use agent::outcome::{Outcome, Reason, Verdict};
use agent::state::Facts;
use agent::suspicion::{self, Names};
use jiff::Timestamp;
use serde_json::Value;

use crate::config::surroundings::Surroundings;
use crate::fault::Fault;
use crate::night::child::{self, Call, ChildEnd};
use crate::night::hook;
use crate::night::line::{self, Part};
use crate::night::load::Organisation;
use crate::night::verdict;
use crate::units;

/// Runs before, whose snapshots are not taken for that of one that was cut off.
const KNOWN_MAX: u32 = 100;

/// What hooks are told of a run that goes on later, and `--json` says.
pub const PUT_OFF: &str = "put-off";

/// Something that has ended, to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The organisation.
    pub client: String,
    /// The job.
    pub job: JobKind,
    /// Its slot.
    pub slot_s: i64,
    /// The system, for a source of a backup; nothing for the run as a whole.
    pub system: Option<String>,
    /// How it ended; nothing if it was put off.
    pub verdict: Option<Verdict>,
    /// The snapshot that it made.
    pub snapshot: Option<String>,
    /// What that holds.
    pub facts: Option<Facts>,
    /// Whether its detail was told before.
    pub is_repeated: bool,
}

/// Everything that a run needs beside its order.
pub struct Errand<'a> {
    /// Whose.
    pub organisation: &'a Organisation,
    /// The world around.
    pub around: &'a Surroundings,
    /// Takes what has ended.
    pub tell: &'a dyn Fn(&News),
    /// Whether everything stops.
    pub is_stopped: &'a dyn Fn() -> bool,
}

/// Carries out a run that was taken, and writes down how it ended; `None` if it was put off.
///
/// # Errors
/// A local fault if the state fails or this program cannot be started.
pub fn perform(
    errand: &Errand<'_>,
    night: &mut Night,
    order: &Order,
) -> Result<Option<Verdict>, Fault> {
    let now_s = || errand.around.clock.now().seconds;
    let is_over =
        || (errand.is_stopped)() || order.until_s.is_some_and(|until_s| now_s() >= until_s);
    let verdict = around_hooks(errand, night, order, &is_over)?;
    let end = verdict.map_or(End::PutOff, End::Done);
    let verdict = night.end(order, &end, now_s())?;
    (errand.tell)(&News {
        client: night.plan().client.clone(),
        job: order.job,
        slot_s: order.slot_s,
        system: None,
        is_repeated: order.job == JobKind::Backup
            && verdict.as_ref().is_some_and(|it| it.reason != Some(Reason::Hook)),
        verdict: verdict.clone(),
        snapshot: None,
        facts: None,
    });
    Ok(verdict)
}

fn around_hooks(
    errand: &Errand<'_>,
    night: &mut Night,
    order: &Order,
    is_over: &dyn Fn() -> bool,
) -> Result<Option<Verdict>, Fault> {
    let hooks = night.plan().hooks.clone();
    let variables = |outcome: &str, reason: &str| hook_variables(errand, order, outcome, reason);
    let run = |list, outcome: &str, reason: &str, is_over: &dyn Fn() -> bool| {
        hook::run(list, order.job, &variables(outcome, reason), &*errand.around.clock, is_over)
    };
    let before = run(&hooks.before, "", "", is_over);
    let mut notes = before.notes;
    let done = match before.failure {
        Some(_) if is_over() => None,
        _ if before.skip.is_some() => {
            let words = before.skip.clone().unwrap_or_default();
            Some(Verdict::new(Outcome::Skipped, Reason::Hook, words))
        }
        Some(words) => Some(Verdict::new(Outcome::Failed, Reason::Hook, words)),
        None => parts(errand, night, order, is_over)?,
    };
    let Some(mut verdict) = done else {
        // What was prepared before is cleaned up, also if the job goes on later.
        run(&hooks.finally, PUT_OFF, "", &|| false);
        return Ok(None);
    };
    let last: &[Hook] = match verdict.outcome {
        Outcome::Failed => &hooks.failed,
        Outcome::Skipped => &[],
        _ => &hooks.after,
    };
    for list in [last, &hooks.finally] {
        let reason = verdict.reason.map_or("", Reason::name);
        // These clean up: they run to their end also when everything stops.
        let end = run(list, verdict.outcome.name(), reason, &|| false);
        notes.extend(end.notes);
        let failure = end.failure.or(end.skip);
        if let Some(words) = failure.filter(|_| verdict.outcome != Outcome::Failed) {
            verdict = Verdict::new(Outcome::Failed, Reason::Hook, words);
        }
    }
    if verdict.outcome == Outcome::Ok && !notes.is_empty() {
        let detail = notes.join("; ");
        verdict = Verdict { outcome: Outcome::OkWithNotes, reason: Some(Reason::Hook), detail };
    }
    Ok(Some(verdict))
}

fn hook_variables(
    errand: &Errand<'_>,
    order: &Order,
    outcome: &str,
    reason: &str,
) -> Vec<(OsString, OsString)> {
    let plan = &errand.organisation.plan;
    let mut all = errand.organisation.variables(errand.around);
    let slot = units::rfc3339(engine::base::time::Timestamp { seconds: order.slot_s, nanos: 0 });
    for (name, value) in [
        ("MAINSTAY_CLIENT", plan.client.as_str()),
        ("MAINSTAY_HOST", plan.host.as_str()),
        ("MAINSTAY_JOB", order.job.name()),
        ("MAINSTAY_SLOT", slot.as_str()),
        ("MAINSTAY_OUTCOME", outcome),
        ("MAINSTAY_REASON", reason),
    ] {
        all.insert(name.into(), value.into());
    }
    all.into_iter().collect()
}

fn parts(
    errand: &Errand<'_>,
    night: &mut Night,
    order: &Order,
    is_over: &dyn Fn() -> bool,
) -> Result<Option<Verdict>, Fault> {
    let clock = || errand.around.clock.now().seconds;
    let plan = night.plan().clone();
    let entry = plan.job(order.job).map_or_else(Entry::default, |job| job.entry.clone());
    let stamp = Timestamp::from_second(clock()).unwrap_or_default();
    let stamp = stamp.to_zoned(plan.zone.clone()).strftime("%Y-%m-%d-%H%M%S").to_string();
    let all = line::parts(&plan, order.job, &entry, &stamp);
    for part in all.iter().filter(|part| !order.done.contains(&part.name)) {
        if is_over() {
            return Ok(None);
        }
        night.begin_part(order, &part.name, clock())?;
        let source = plan.sources.iter().find(|source| source.name == part.name);
        let source = source.filter(|_| order.job == JobKind::Backup);
        let Some(made) = one(errand, night, order, (part, source), is_over)? else {
            return Ok(None);
        };
        let snapshot = made.snapshot.as_deref();
        night.end_part(order, &part.name, &made.verdict, (snapshot, made.facts), clock())?;
        if source.is_some() {
            (errand.tell)(&News {
                client: plan.client.clone(),
                job: order.job,
                slot_s: order.slot_s,
                system: Some(format!("{}/{}", plan.host, part.name)),
                verdict: Some(made.verdict),
                snapshot: made.snapshot,
                facts: made.facts,
                is_repeated: false,
            });
        }
    }
    let rows = night.state().parts(order.run)?;
    let verdicts = rows.iter().filter(|row| all.iter().any(|part| part.name == row.source));
    Ok(Some(Verdict::worst(verdicts.filter_map(|row| row.verdict.as_ref()))))
}

/// What one part came to.
struct Made {
    verdict: Verdict,
    snapshot: Option<String>,
    facts: Option<Facts>,
}

fn one(
    errand: &Errand<'_>,
    night: &Night,
    order: &Order,
    (part, source): (&Part, Option<&Source>),
    is_over: &dyn Fn() -> bool,
) -> Result<Option<Made>, Fault> {
    if let Some(source) = source.filter(|_| order.is_resumed)
        && let Some(made) = left_behind(errand, night, source, order.taken_s)?
    {
        return Ok(Some(made));
    }
    if errand.organisation.file.unconfirmed && source.is_some_and(|it| it.command.is_some()) {
        let words = "its command came from the repository and is not confirmed: read the \
                     configuration, and take the line `unconfirmed = true` out";
        let verdict = Verdict::new(Outcome::Failed, Reason::Settings, words);
        return Ok(Some(Made { verdict, snapshot: None, facts: None }));
    }
    let end = call(errand, &part.words, false, is_over)?;
    let Some(mut verdict) = verdict::of(&end) else { return Ok(None) };
    if verdict.reason == Some(Reason::Interrupted) && is_stopped_too(is_over) {
        return Ok(None);
    }
    let text =
        |summary: &Value| summary.get("snapshot_id").and_then(Value::as_str).map(str::to_owned);
    let snapshot = end.summary.as_ref().and_then(text);
    let mut facts = None;
    if let (Some(source), Some(summary)) = (source, &end.summary) {
        let now = verdict::facts(summary, filter_hash(source));
        if verdict.outcome.is_good() && snapshot.is_some() {
            verdict = suspect(errand, night, source, (&now, snapshot.as_deref()), verdict)?;
        }
        facts = Some(now);
    }
    Ok(Some(Made { verdict, snapshot, facts }))
}

fn call(
    errand: &Errand<'_>,
    words: &[OsString],
    wants_output: bool,
    is_over: &dyn Fn() -> bool,
) -> Result<ChildEnd, Fault> {
    let organisation = errand.organisation;
    let call = Call {
        program: &errand.around.program,
        config: &organisation.job_file(),
        variables: &organisation.variables(errand.around),
        words,
        clock: &*errand.around.clock,
        wants_output,
    };
    child::run(call, is_over)
}

/// Whether the signal that ended a process came to this one as well.
fn is_stopped_too(is_over: &dyn Fn() -> bool) -> bool {
    (0..10).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        is_over()
    })
}

/// The snapshot of an attempt that was killed before it could say so.
fn left_behind(
    errand: &Errand<'_>,
    night: &Night,
    source: &Source,
    since_s: i64,
) -> Result<Option<Made>, Fault> {
    // Two runs can begin within a second: what is written down was made by another.
    let known = night.state().ended_parts(&source.name, KNOWN_MAX)?;
    let known: Vec<String> = known.into_iter().filter_map(|part| part.snapshot).collect();
    Ok(unknown_snapshot(errand, source, since_s, &known))
}

/// The newest snapshot of a source that began since an instant and that nothing is known of.
fn unknown_snapshot(
    errand: &Errand<'_>,
    source: &Source,
    since_s: i64,
    known: &[String],
) -> Option<Made> {
    let plan = &errand.organisation.plan;
    let now_s = errand.around.clock.now().seconds;
    let (host, tag) = (format!("--host={}", plan.host), format!("--tag={}", source.tag()));
    let words = ["snapshots", &host, &tag].map(OsString::from);
    let end = call(errand, &words, true, &|| false).ok()?;
    let list: Vec<Value> = serde_json::from_slice(&end.output).ok()?;
    let newest = list.iter().filter_map(|snapshot| {
        let began: Timestamp = snapshot.get("time")?.as_str()?.parse().ok()?;
        let is_known = snapshot.get("id").and_then(Value::as_str);
        let is_known = is_known.is_some_and(|id| known.iter().any(|one| one == id));
        if is_known {
            return None;
        }
        // What a clock made that ran ahead says nothing of this night.
        (since_s..=now_s).contains(&began.as_second()).then_some((began, snapshot))
    });
    let (_, snapshot) = newest.max_by_key(|(began, _)| *began)?;
    let words = "made by an attempt that was cut off";
    let is_partial = snapshot.get("state").and_then(Value::as_str) == Some("partial");
    let verdict = match is_partial {
        true => Verdict::new(Outcome::Partial, Reason::Unreadable, words),
        false => Verdict { outcome: Outcome::OkWithNotes, reason: None, detail: words.to_owned() },
    };
    let id = snapshot.get("id").and_then(Value::as_str).map(str::to_owned);
    Some(Made { verdict, snapshot: id, facts: None })
}

/// A hash of what is left out, to see that it changed.
fn filter_hash(source: &Source) -> i64 {
    let text = format!(
        "{:?}",
        (
            &source.exclude,
            &source.iexclude,
            &source.exclude_file,
            &source.exclude_if_present,
            &source.exclude_larger_than,
            source.exclude_caches,
            source.one_file_system,
        )
    );
    let digest = engine::crypt::hash::digest(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    i64::from_le_bytes(first)
}

/// Compares a good snapshot with those before it.
fn suspect(
    errand: &Errand<'_>,
    night: &Night,
    source: &Source,
    (now, snapshot): (&Facts, Option<&str>),
    verdict: Verdict,
) -> Result<Verdict, Fault> {
    let before = night.state().good_parts(&source.name, suspicion::HISTORY)?;
    let history: Vec<Facts> = before.iter().filter_map(|part| part.facts).collect();
    let last = before.first().and_then(|part| part.snapshot.clone());
    let names = match (&last, snapshot) {
        (Some(last), Some(snapshot)) if suspicion::wants_names(&history, now) => {
            names(errand, last, snapshot)
        }
        _ => None,
    };
    let rules = &night.plan().suspicious;
    let reasons = suspicion::reasons(&history, now, names.as_ref(), rules);
    if reasons.is_empty() {
        return Ok(verdict);
    }
    let mut words = reasons.join("; ");
    for (tags, id) in [("suspicious", snapshot), ("last-good", last.as_deref())] {
        let Some(id) = id else { continue };
        if !mark(errand, tags, id) {
            words.push_str(&format!("; {id:.8} could not be marked {tags}"));
        }
    }
    Ok(Verdict::new(Outcome::Suspicious, Reason::Change, words))
}

/// The suspicious one gets a tag, the last good one is held.
fn mark(errand: &Errand<'_>, what: &str, id: &str) -> bool {
    let words: Vec<OsString> = match what {
        "suspicious" => ["tag", "add", what, id].map(OsString::from).to_vec(),
        _ => {
            let reason = "the last one before a suspicious snapshot";
            ["hold", "add", id, "--reason", reason].map(OsString::from).to_vec()
        }
    };
    call(errand, &words, false, &|| false).is_ok_and(|end| end.code == Some(0))
}

/// How names changed between two snapshots; nothing if this key may not see them.
fn names(errand: &Errand<'_>, before: &str, after: &str) -> Option<Names> {
    let words = ["diff", before, after].map(OsString::from);
    let end = call(errand, &words, true, &|| false).ok().filter(|end| end.code == Some(0))?;
    let mut names = Names::default();
    let mut endings = std::collections::BTreeMap::<String, (u64, u64)>::new();
    for line in end.output.split(|byte| *byte == b'\n') {
        let Ok(change) = serde_json::from_slice::<Value>(line) else { continue };
        let text = |name: &str| change.get(name).and_then(Value::as_str);
        let Some(path) = text("path").filter(|path| !path.ends_with('/')) else { continue };
        let name = path.rsplit('/').next().unwrap_or_default();
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_owned();
        let count = endings.entry(ending).or_default();
        match text("modifier") {
            Some("+") => (names.added, count.0) = (names.added + 1, count.0 + 1),
            Some("-") => (names.removed, count.1) = (names.removed + 1, count.1 + 1),
            _ => {}
        }
    }
    let most = endings.into_iter().max_by_key(|(_, (added, _))| *added)?;
    (names.ending, (names.added_with_ending, names.removed_with_ending)) = most;
    Some(names)
}
