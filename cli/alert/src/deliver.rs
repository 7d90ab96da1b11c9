//! The queue, emptied: each channel by itself, each ticket in its order.

use std::time::Duration;

use crate::retry::{FALLBACK_AFTER, WAIT_MAX_S, next_s};
use crate::state::{ChannelState, Due, State, StateError};

/// Events that go into one digest.
const DIGEST_MAX: usize = 200;
/// A receiver that is down is asked again after so long for an event that is new.
const HOLD_MAX_S: i64 = 300;

/// Why a receiver does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For the log; without a secret, a path or a query of an address.
    pub why: String,
    /// After how many seconds it may be tried again, if the receiver said so.
    pub retry_after_s: Option<i64>,
    /// What it is about.
    pub scope: Scope,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This event.
    Event,
    /// Everything that goes to this receiver: it is down, busy or slow.
    Channel,
    /// This receiver wants nothing any more.
    Gone,
}

impl Refusal {
    /// Of one event.
    #[must_use]
    pub fn of_event(why: impl Into<String>) -> Self {
        Self { why: why.into(), retry_after_s: None, scope: Scope::Event }
    }

    /// Of everything that goes to this receiver.
    #[must_use]
    pub fn of_channel(why: impl Into<String>) -> Self {
        Self { why: why.into(), retry_after_s: None, scope: Scope::Channel }
    }
}

/// One that events can be given to.
pub trait Receiver {
    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// The channel that is told what this one does not take.
    fn fallback(&self) -> Option<&str>;

    /// Whether it takes many events as one message.
    fn is_digest(&self) -> bool;

    /// Gives it events, one unless it takes many. Answers the id that the ticket has there.
    ///
    /// # Errors
    /// [`Refusal`] if it does not have them for certain.
    fn give(&mut self, events: &[Due], now_s: i64) -> Result<Option<String>, Refusal>;
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// Events that a receiver has now.
    pub delivered: u64,
    /// Attempts that failed and come again.
    pub put_off: u64,
    /// Events that are not tried any more and that no fallback is told of; and why.
    pub lost: Vec<String>,
}

/// Delivers what is due. `clock` says the time, in seconds since 1970; `is_over` when to stop.
///
/// # Errors
/// [`StateError`] if the state fails; what was delivered and not noted is delivered once more.
pub fn deliver(
    state: &mut State,
    receivers: &mut [Box<dyn Receiver>],
    clock: &dyn Fn() -> i64,
    is_over: &dyn Fn() -> bool,
) -> Result<Delivered, StateError> {
    let mut came = Delivered::default();
    // A channel may be the fallback of one that comes after it.
    for _ in 0..2 {
        for receiver in receivers.iter_mut() {
            let mut one = One { state, receiver: receiver.as_mut(), clock, came: &mut came };
            one.empty(is_over)?;
        }
    }
    Ok(came)
}

struct One<'a> {
    state: &'a mut State,
    receiver: &'a mut dyn Receiver,
    clock: &'a dyn Fn() -> i64,
    came: &'a mut Delivered,
}

impl One<'_> {
    fn empty(&mut self, is_over: &dyn Fn() -> bool) -> Result<(), StateError> {
        let name = self.receiver.name().to_owned();
        let max = if self.receiver.is_digest() { DIGEST_MAX } else { 1 };
        while !is_over() {
            let now_s = (self.clock)();
            let channel = self.state.channel(&name)?;
            if let Some(why) = &channel.disabled {
                return self.hand_over(&name, why, now_s);
            }
            if channel.not_before_s > now_s && channel.not_before_s <= now_s + WAIT_MAX_S {
                return Ok(());
            }
            let mut due = self.state.due(&name, now_s, max)?;
            if self.receiver.is_digest() {
                due = self.with_later(&name, due)?;
            }
            if due.is_empty() {
                return Ok(());
            }
            match self.receiver.give(&due, now_s) {
                Ok(remote) => {
                    let now_s = (self.clock)();
                    for one in &due {
                        self.state.delivered(one, &name, remote.as_deref(), now_s)?;
                        self.came.delivered += 1;
                    }
                }
                Err(refusal) => {
                    if self.refused(&name, &due, &refusal)? != Scope::Event {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// A digest has everything of a ticket at once, in order.
    fn with_later(&self, name: &str, first: Vec<Due>) -> Result<Vec<Due>, StateError> {
        let mut all = Vec::new();
        for one in first {
            all.extend(self.state.due_of(name, &one.key)?);
        }
        all.sort_by_key(|one| one.event);
        all.truncate(DIGEST_MAX);
        Ok(all)
    }

    fn refused(&mut self, name: &str, due: &[Due], refusal: &Refusal) -> Result<Scope, StateError> {
        let now_s = (self.clock)();
        let fallback = self.receiver.fallback().map(str::to_owned);
        let mut wait_until_s = now_s;
        for one in due {
            let failed = one.failed + 1;
            let is_gone = refusal.scope == Scope::Gone;
            // What is gone may be put right, and replayed: it waits.
            let next = match is_gone {
                true => Some(now_s),
                false => next_s(now_s, failed, &one.id, refusal.retry_after_s),
            };
            let tell = fallback
                .as_deref()
                .filter(|_| is_gone || next.is_none() || failed >= FALLBACK_AFTER);
            let is_held = refusal.scope != Scope::Event;
            self.state.refused(one, name, &refusal.why, (next, is_held), tell, now_s)?;
            match next {
                Some(next) => {
                    self.came.put_off += 1;
                    wait_until_s = wait_until_s.max(next);
                }
                None if tell.is_none() => {
                    self.came.lost.push(format!("{name}: {} ({})", one.key, refusal.why));
                }
                None => {}
            }
        }
        match refusal.scope {
            Scope::Event => {}
            // One that is down is not asked once for each event, and soon enough for new ones.
            Scope::Channel => {
                let hold_s = refusal.retry_after_s.unwrap_or_default().clamp(0, WAIT_MAX_S);
                let not_before_s = wait_until_s.min(now_s + HOLD_MAX_S).max(now_s + hold_s);
                let held = ChannelState { disabled: None, not_before_s };
                self.state.set_channel(name, &held)?;
            }
            Scope::Gone => {
                self.state.set_channel(
                    name,
                    &ChannelState { disabled: Some(refusal.why.clone()), not_before_s: 0 },
                )?;
                if fallback.is_none() {
                    self.came.lost.push(format!("{name}: {}", refusal.why));
                }
            }
        }
        Ok(refusal.scope)
    }

    /// What waits for a channel that wants nothing any more goes to its fallback.
    fn hand_over(&mut self, name: &str, why: &str, now_s: i64) -> Result<(), StateError> {
        let fallback = self.receiver.fallback().map(str::to_owned);
        let waiting = self.state.due_unless(name, fallback.as_deref())?;
        match &fallback {
            Some(fallback) => {
                for one in waiting {
                    self.state.tell_instead(&one, fallback, now_s)?;
                }
            }
            None if !waiting.is_empty() => {
                let line = format!("{name}: {why}");
                if !self.came.lost.contains(&line) {
                    self.came.lost.push(line);
                }
            }
            None => {}
        }
        Ok(())
    }
}

/// How long a receiver may take if the configuration does not say.
pub const PATIENCE: Duration = Duration::from_secs(15);
