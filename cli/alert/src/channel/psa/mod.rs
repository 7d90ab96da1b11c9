//! Ticket systems: one adapter each behind one contract.
//!
//! Before a ticket is opened it is looked for, so that a watcher that was killed, or has lost its state,
//! opens none twice. What cannot be appended because the ticket is closed or gone opens a new one that
//! names the old: nothing that should be told is lost to a ticket that nobody looks at.

/// ConnectWise PSA.
mod connectwise;
/// Autotask.
mod autotask;
/// HaloPSA.
mod halopsa;

use std::collections::BTreeMap;
use std::time::Duration;

use agent::config::alert::{Alert, ChannelKind};
use serde_json::Value;

use crate::channel::http::{Answer, Http, address};
use crate::channel::{ChannelError, setting};
use crate::deliver::{PATIENCE, Receiver, Refusal, Scope};
use crate::record::{EventKind, SUMMARY_MAX_CHARS, cut};
use crate::secret::Secret;
use crate::state::Due;

/// What a system says of a mistake is cut.
const WORDS_MAX_CHARS: usize = 200;

/// A ticket in words.
#[derive(Debug, Clone)]
struct Words {
    /// At most 100 characters.
    summary: String,
    /// For people.
    text: String,
    /// What it is found by.
    key: String,
    /// From 1 to 4.
    severity: u64,
    /// When it happened, in seconds since 1970.
    at_s: i64,
}

/// What a ticket system can do.
trait Desk {
    /// The open ticket of a key.
    fn find(&mut self, key: &str) -> Result<Option<String>, Refusal>;
    /// Opens a ticket, and answers its id.
    fn open(&mut self, words: &Words) -> Result<String, Refusal>;
    /// Adds a note to an open one.
    fn append(&mut self, id: &str, words: &Words) -> Result<(), Refusal>;
    /// Closes one.
    fn resolve(&mut self, id: &str, words: &Words) -> Result<(), Refusal>;
    /// The number of a thing by its name, as `ids` want it; nothing if it is not there.
    fn number(&mut self, what: &str, name: &str, known: &Ids) -> Result<Option<i64>, Refusal>;
}

/// Numbers of a ticket system, by what they are of.
type Ids = BTreeMap<String, i64>;

/// A ticket system as a channel.
pub(super) struct Psa {
    name: String,
    fallback: Option<String>,
    desk: Box<dyn Desk>,
}

/// Requests with what all of them carry.
struct Line {
    http: Http,
    base: String,
    headers: Vec<(&'static str, String)>,
}

impl Line {
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        let text = format!("{}{path}", self.base);
        let url = address(&text).map_err(Refusal::of_event)?;
        let mut headers = self.headers.clone();
        headers.push(("accept", "application/json".to_owned()));
        let body = body.map(|body| body.to_string().into_bytes());
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        read(&self.http.request(method, &url, &headers, body)?)
    }
}

/// The answer as JSON, or why there is none.
fn read(answer: &Answer) -> Result<Value, Refusal> {
    let scope = match answer.status {
        200..=299 => {
            if answer.body.is_empty() {
                return Ok(Value::Null);
            }
            // Half an answer: whether it is done is found out by looking for it.
            return serde_json::from_slice(&answer.body)
                .map_err(|_| Refusal::of_channel("its answer is cut or no JSON"));
        }
        400 | 403 | 404 | 405 | 409 | 410 | 422 => Scope::Event,
        _ => Scope::Channel,
    };
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let mut why = format!("status {}", answer.status);
    for words in mistakes(&said) {
        why.push_str(": ");
        why.push_str(&words);
    }
    let why = cut(&why.replace(char::is_control, " "), WORDS_MAX_CHARS);
    Err(Refusal { why, retry_after_s: answer.retry_after_s, scope })
}

/// What the systems say of a mistake, the field that is wrong among it.
fn mistakes(said: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut all = Vec::from_iter(text(&said["message"]).or_else(|| text(&said["error"])));
    for one in said["errors"].as_array().into_iter().flatten() {
        let field = one["field"].as_str().map(|field| format!("{field}: ")).unwrap_or_default();
        let words = text(one).or_else(|| text(&one["message"])).unwrap_or_default();
        all.push(format!("{field}{words}"));
    }
    all
}

/// The priority of a severity: its own (`priority-1` to `priority-4`), or that of all.
fn priority(ids: &Ids, severity: u64) -> Option<i64> {
    ids.get(&format!("priority-{severity}")).or_else(|| ids.get("priority")).copied()
}

/// An id, as a number or as text.
fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

impl Psa {
    pub(super) fn new(alert: &Alert) -> Result<Self, ChannelError> {
        let desk = desk(alert, true)?;
        Ok(Self { name: alert.name().to_owned(), fallback: alert.fallback.clone(), desk })
    }
}

/// The numbers of the names that a configuration has, looked up in its ticket system.
///
/// # Errors
/// [`ChannelError`] if the channel cannot be used, or a name is not there.
pub(super) fn look_up(alert: &Alert) -> Result<Ids, ChannelError> {
    let mut desk = desk(alert, false)?;
    let mut ids = alert.ids.clone();
    // A status belongs to its board: boards first.
    let mut names: Vec<_> = alert.names.iter().collect();
    names.sort_by_key(|(what, _)| what.starts_with("status"));
    for (what, name) in names {
        let found = desk
            .number(what, name, &ids)
            .map_err(|refusal| setting(alert, format!("{what}: {}", refusal.why)))?;
        let missing = || setting(alert, format!("there is no {what} with the name {name:?}"));
        ids.insert(what.clone(), found.ok_or_else(missing)?);
    }
    Ok(ids)
}

fn desk(alert: &Alert, is_complete: bool) -> Result<Box<dyn Desk>, ChannelError> {
    let base = alert.url.clone().unwrap_or_default().trim_end_matches('/').to_owned();
    let url = address(&base).map_err(|why| setting(alert, why))?;
    let patience = alert.timeout.map_or(PATIENCE, |span| Duration::from_secs(span.seconds()));
    let http = Http::new(&url, patience).map_err(|why| setting(alert, why))?;
    let path = alert.secret_file.0.first().ok_or_else(|| setting(alert, "says no secret-file"))?;
    let secret = Secret::read(path)
        .map_err(|source| ChannelError::Secret { channel: alert.name().to_owned(), source })?;
    let wanted: &[&str] = match alert.channel {
        ChannelKind::Connectwise => &connectwise::IDS,
        ChannelKind::Autotask => &autotask::IDS,
        _ => &halopsa::IDS,
    };
    if let Some(missing) = wanted.iter().find(|name| !alert.ids.contains_key(**name))
        && is_complete
    {
        let why = format!("`ids` has no {missing}: `mainstay alert setup` looks numbers up");
        return Err(setting(alert, why));
    }
    let line = Line { http, base, headers: Vec::new() };
    Ok(match alert.channel {
        ChannelKind::Connectwise => Box::new(connectwise::Connectwise::new(alert, line, &secret)),
        ChannelKind::Autotask => Box::new(autotask::Autotask::new(alert, line, &secret)),
        _ => Box::new(halopsa::Halo::new(alert, line, secret)),
    })
}

impl Psa {
    fn tell(&mut self, event: &Due) -> Result<Option<String>, Refusal> {
        let words = words(event);
        let known = match &event.remote {
            Some(id) => Some(id.clone()),
            None => self.desk.find(&event.key)?,
        };
        match (event.kind, known) {
            // Nobody knows of it: there is nothing to close.
            (EventKind::Resolved, None) => Ok(None),
            (EventKind::Resolved, Some(id)) => match self.desk.resolve(&id, &words) {
                // Somebody closed or deleted it: it is over either way.
                Err(refusal) if refusal.scope == Scope::Event => {
                    match self.desk.find(&event.key)? {
                        None => Ok(Some(id)),
                        Some(_) => Err(refusal),
                    }
                }
                done => done.map(|()| Some(id)),
            },
            // It was opened, and nobody heard the answer.
            (EventKind::Opened, Some(id)) if event.remote.is_none() => Ok(Some(id)),
            (_, Some(id)) => match self.desk.append(&id, &words) {
                Ok(()) => Ok(Some(id)),
                Err(refusal) if refusal.scope == Scope::Event => {
                    let text = format!("It goes on from ticket {id}. {}", words.text);
                    self.desk.open(&Words { text, ..words }).map(Some)
                }
                Err(refusal) => Err(refusal),
            },
            (_, None) => self.desk.open(&words).map(Some),
        }
    }
}

fn words(event: &Due) -> Words {
    let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
    let data = &body["data"];
    let line = |name: &str| data[name].as_str().unwrap_or_default();
    let what = line("event");
    let summary = format!("Backup {}: {}", line("client"), line("summary"));
    Words {
        summary: cut(&summary.replace(char::is_control, " "), SUMMARY_MAX_CHARS),
        text: format!(
            "{what}: {} ({}). {} Since {}, event {}, {}.",
            line("summary"),
            line("severity_name"),
            line("details"),
            line("since"),
            event.id,
            event.key
        ),
        key: event.key.clone(),
        severity: data["severity"].as_u64().unwrap_or(3),
        at_s: event.at_s,
    }
}

impl Receiver for Psa {
    fn name(&self) -> &str {
        &self.name
    }

    fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    fn is_digest(&self) -> bool {
        false
    }

    fn give(&mut self, events: &[Due], _now_s: i64) -> Result<Option<String>, Refusal> {
        let mut remote = None;
        for event in events {
            remote = self.tell(event)?.or(remote);
        }
        Ok(remote)
    }
}
