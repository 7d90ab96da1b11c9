//! One look at one client, from its store to its channels.

use std::path::PathBuf;
use std::time::Duration;

use agent::config::alert::Alert;
use agent::span::Span;
use alert::channel::ping::{Ping, Switch, switches};
use alert::channel::{ChannelError, receivers, routes};
use alert::deliver::{Delivered, deliver};
use alert::record::{Finding, Severity, key};
use alert::secret::SecretError;
use alert::state::{Change, Judged, State};
use engine::index::IndexError;
use engine::index::lock::StateLock;
use restore_verify::fleet::condition::{Condition, Urgency};
use restore_verify::fleet::judge::{judge, unreachable};
use restore_verify::fleet::promise::Watcher;

use crate::command::context::Context;
use crate::command::trouble;
use crate::command::watch::look::look;
use crate::command::watch::promises::promises;
use crate::fault::{ExitCode, Fault};
use crate::night::load::Organisation;

/// An open ticket is told again after so long, if the configuration does not say.
const REPEAT_S: i64 = 86_400;
/// A store may take so long, if the configuration does not say.
const STORE: Duration = Duration::from_secs(60);
/// Another watcher of the same client on this machine is waited for so long.
const LOCK: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(100);
/// A watcher without a known pace was off if it did not look for so long.
const OFF_MIN_S: i64 = 3600;
/// So many times its usual pace.
const OFF_FACTOR: i64 = 4;
/// From so many looks on there is a usual pace.
const LOOKS_MIN: usize = 4;

/// What a look at one client came to.
#[derive(Debug, Default)]
pub(crate) struct RoundEnd {
    /// Tickets that changed.
    pub(crate) changes: Vec<Change>,
    /// What channels were told.
    pub(crate) delivered: Delivered,
    /// Tickets that are not resolved.
    pub(crate) open: u64,
    /// Deliveries that wait.
    pub(crate) waiting: u64,
    /// Whether its store could not be read.
    pub(crate) is_unreachable: bool,
    /// What could not be done.
    pub(crate) faults: Vec<Fault>,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
}

/// The folder of what a watcher remembers of a client.
#[must_use]
pub(crate) fn folder(organisation: &Organisation) -> PathBuf {
    organisation.state.join("watch")
}

/// The file in it.
#[must_use]
pub(crate) fn state_file(organisation: &Organisation) -> PathBuf {
    folder(organisation).join("watch.sqlite")
}

/// Holds the state of a client for this process alone.
///
/// # Errors
/// Exit code 11 if another process holds it for long.
pub(crate) fn hold(organisation: &Organisation, context: &Context<'_>) -> Result<StateLock, Fault> {
    let clock = context.around.clock.as_ref();
    let (folder, begun) = (folder(organisation), clock.monotonic());
    let waited = || clock.monotonic().saturating_sub(begun);
    loop {
        match StateLock::acquire(&folder) {
            Ok(lock) => return Ok(lock),
            Err(IndexError::Busy { .. }) if waited() < LOCK => std::thread::sleep(TICK),
            Err(IndexError::Busy { pid, .. }) => {
                let client = &organisation.plan.client;
                let who = pid.map_or("another process".to_owned(), |pid| format!("process {pid}"));
                return Err(Fault::new(
                    ExitCode::Busy,
                    "E_BUSY",
                    format!("{who} watches {client} just now"),
                )
                .hint("one watcher for each client and machine is enough"));
            }
            Err(error) => return Err(trouble::index(&error)),
        }
    }
}

/// Looks at one client and tells whoever wants to know.
///
/// # Errors
/// What keeps tickets from being kept at all; everything else is in the answer.
pub(crate) fn round(organisation: &Organisation, context: &Context<'_>) -> Result<RoundEnd, Fault> {
    let _held = hold(organisation, context)?;
    let mut state = State::open(&state_file(organisation)).map_err(|error| state_fault(&error))?;
    let mut end = RoundEnd::default();
    let plan = &organisation.plan;
    let clock = || context.around.clock.now().seconds;
    let pings = match switches(&plan.alerts) {
        Ok(pings) => pings,
        Err(error) => {
            end.faults.push(channel_fault(&error));
            Vec::new()
        }
    };
    say(&pings, &Ping::Start, &mut end);
    let patience = plan.watch.store_timeout;
    let patience = patience.map_or(STORE, |span| Duration::from_secs(span.seconds()));
    let found = look(organisation, patience, context);
    if let Err(fault) = &found
        && fault.exit_code() == ExitCode::Interrupted
    {
        return Err(fault.clone());
    }
    let now_s = clock();
    let looks = state.looks().map_err(|error| state_fault(&error))?;
    let watcher = Watcher { now_s, was_off: was_off(&looks, plan.watch.stale_after, now_s) };
    let (conditions, judged) = match found {
        Ok(facts) => {
            let spread = organisation.file.schedule.as_ref().and_then(|all| all.spread);
            let names_host = organisation.file.host.is_some();
            let promises = promises(plan, spread, names_host, now_s);
            (judge(&facts, &promises, watcher), Judged::All)
        }
        Err(fault) => {
            end.is_unreachable = true;
            let day = now_s.div_euclid(86_400);
            let conditions = unreachable(fault.message(), &format!("day {day}"), watcher);
            // What a store does is a condition; what is set wrong here is somebody's to put right.
            if !matches!(fault.exit_code(), ExitCode::Store | ExitCode::NoRepository) {
                end.faults.push(fault);
            }
            (conditions, Judged::FoundOnly)
        }
    };
    let findings: Vec<Finding> =
        conditions.into_iter().map(|condition| finding(&plan.client, condition)).collect();
    let repeat_s = plan.watch.repeat.map_or(REPEAT_S, Span::seconds_i64);
    let routes = routes(&plan.alerts);
    end.changes = state
        .take(&findings, judged, &routes, repeat_s, now_s)
        .map_err(|error| state_fault(&error))?;
    tell(&mut state, organisation, &mut end, context)?;
    let open = state.tickets(false).map_err(|error| state_fault(&error))?;
    end.open = open.len() as u64;
    end.waiting = state.waiting().map_err(|error| state_fault(&error))?;
    match open.first() {
        None => say(&pings, &Ping::Success, &mut end),
        Some(worst) => {
            let words = format!("{} open: {}", open.len(), worst.finding.summary);
            say(&pings, &Ping::Fail(&words), &mut end);
        }
    }
    Ok(end)
}

/// Delivers what is due.
fn tell(
    state: &mut State,
    organisation: &Organisation,
    end: &mut RoundEnd,
    context: &Context<'_>,
) -> Result<(), Fault> {
    let (mut receivers, errors) = make(&organisation.plan.alerts, organisation, context);
    end.faults.extend(errors);
    let clock = || context.around.clock.now().seconds;
    let is_over = || context.around.cancel.is_asked();
    end.delivered =
        deliver(state, &mut receivers, &clock, &is_over).map_err(|error| state_fault(&error))?;
    for lost in &end.delivered.lost {
        let client = &organisation.plan.client;
        let fault = Fault::new(ExitCode::Failed, "E_ALERT", format!("{client}: not told: {lost}"));
        end.faults.push(fault.hint("put the channel right, then `mainstay alert replay`"));
    }
    Ok(())
}

/// The receivers of channels, and those that cannot be used.
pub(crate) fn make(
    alerts: &[Alert],
    organisation: &Organisation,
    context: &Context<'_>,
) -> (Vec<Box<dyn alert::deliver::Receiver>>, Vec<Fault>) {
    let variables: Vec<_> = organisation.variables(context.around).into_iter().collect();
    let (receivers, errors) = receivers(alerts, &variables);
    (receivers, errors.iter().map(channel_fault).collect())
}

fn say(pings: &[Switch], ping: &Ping<'_>, end: &mut RoundEnd) {
    for one in pings {
        if let Err(why) = one.say(ping) {
            end.notes.push(format!("the ping {:?} was not heard: {why}", one.name()));
        }
    }
}

fn was_off(looks: &[i64], stale_after: Option<Span>, now_s: i64) -> Option<(i64, i64)> {
    let last_s = looks.iter().copied().find(|at_s| *at_s <= now_s)?;
    let most_s = match stale_after {
        Some(span) => span.seconds_i64(),
        None if looks.len() < LOOKS_MIN => return None,
        None => {
            let mut gaps: Vec<i64> = looks.windows(2).map(|pair| pair[0] - pair[1]).collect();
            gaps.sort_unstable();
            OFF_MIN_S.max(gaps[gaps.len() / 2].saturating_mul(OFF_FACTOR))
        }
    };
    (now_s - last_s > most_s).then_some((last_s, now_s))
}

fn finding(client: &str, condition: Condition) -> Finding {
    Finding {
        key: key(client, &condition.system, condition.kind.family()),
        client: client.to_owned(),
        condition: condition.kind.name().to_owned(),
        severity: match condition.kind.urgency() {
            Urgency::Critical => Severity::Critical,
            Urgency::High => Severity::High,
            Urgency::Medium => Severity::Medium,
            Urgency::Low => Severity::Low,
        },
        system: condition.system,
        since_s: condition.since_s,
        anchor: condition.anchor,
        summary: condition.summary,
        details: condition.details,
        last_good_s: condition.last_good_s,
        rpo_s: condition.rpo_s,
        rpo_left_s: condition.rpo_left_s,
        snapshot: condition.snapshot,
        evidence: condition.evidence,
    }
}

/// The state of a watcher cannot be used.
pub(crate) fn state_fault(error: &alert::state::StateError) -> Fault {
    let newer = matches!(error, alert::state::StateError::Newer { .. });
    let fault = match newer {
        true => Fault::new(ExitCode::Newer, "E_NEWER", error.to_string()),
        false => Fault::local(error.to_string()),
    };
    match std::error::Error::source(error) {
        Some(source) => fault.because(source),
        None => fault,
    }
}

/// A channel cannot be used.
pub(crate) fn channel_fault(error: &ChannelError) -> Fault {
    let fault = Fault::usage(error.to_string());
    let fault = match std::error::Error::source(error) {
        Some(source) => fault.because(source),
        None => fault,
    };
    if let ChannelError::Secret { source: SecretError::Distrusted(distrust), .. } = error {
        return fault.hint(distrust.remedy());
    }
    fault.hint("put [[alert]] right, then `mainstay alert test`; what it is not told waits")
}
