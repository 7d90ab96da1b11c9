//! Who is told when something is wrong: `[[alert]]`; and what is watched: `[[system]]`, `[watch]`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::words::CommandWords;
use crate::span::Span;

/// A kind of channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelKind {
    /// Standard Webhooks.
    #[default]
    Webhook,
    /// A program that gets each event on its standard input.
    Command,
    /// A dead man's switch that hears of each look.
    Ping,
    /// One mail with everything that is due.
    Mail,
    /// ConnectWise PSA.
    Connectwise,
    /// Autotask.
    Autotask,
    /// HaloPSA.
    Halopsa,
}

impl ChannelKind {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Command => "command",
            Self::Ping => "ping",
            Self::Mail => "mail",
            Self::Connectwise => "connectwise",
            Self::Autotask => "autotask",
            Self::Halopsa => "halopsa",
        }
    }

    /// Whether tickets are kept behind it.
    #[must_use]
    pub const fn is_ticket_system(self) -> bool {
        matches!(self, Self::Connectwise | Self::Autotask | Self::Halopsa)
    }
}

/// Whose addresses a ping has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PingStyle {
    /// `…/start`, `…`, `…/fail`
    #[default]
    Healthchecks,
    /// `…?status=up|down&msg=…`
    UptimeKuma,
}

/// How a mail server is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything is said.
    #[default]
    Starttls,
    /// None: to this machine alone.
    None,
}

impl MailTls {
    /// The usual port.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

/// How urgent something must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Least {
    /// Only what is critical.
    Critical,
    /// That and what is high.
    High,
    /// That and what is medium.
    Medium,
    /// Everything.
    Low,
}

/// One text, or a list of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Several<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SeveralVisitor(std::marker::PhantomData)).map(Self)
    }
}

struct SeveralVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SeveralVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a text or a list of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        T::deserialize(serde::de::value::StrDeserializer::new(text)).map(|one| vec![one])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list))
    }
}

impl<T> JsonSchema for Several<T> {
    fn schema_name() -> Cow<'static, str> {
        "Several".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a text or a list of texts",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

/// One channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Alert {
    /// Its kind.
    pub channel: ChannelKind,
    /// Its name, unique in the file; that of its kind otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a webhook or a ping: where it goes. Plain http only to this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// File with its secret, or several: of a webhook `whsec_…` or `whsk_…`, of mail the password, of a
    /// ping its address.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub secret_file: Several<PathBuf>,
    /// Of a command: the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<CommandWords>,
    /// Of a ping: whose addresses it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<PingStyle>,
    /// Of mail: host and port of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Of mail: how the server is spoken to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<MailTls>,
    /// Of mail and ticket systems: the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Of ConnectWise the client id, of Autotask the integration code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Of a hosted HaloPSA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Of a ticket system: its numbers for company, board, statuses and so on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ids: BTreeMap<String, i64>,
    /// The same by their names, which `alert setup` looks up.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// Of mail: from whom it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Of mail: to whom it goes.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub to: Several<String>,
    /// What is less urgent is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_severity: Option<Least>,
    /// An attempt is given up after so long; 15s otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// The channel that is told what this one does not take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// Whether it gets only what others do not take.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_as_fallback: bool,
}

fn is_empty<T>(several: &Several<T>) -> bool {
    several.0.is_empty()
}

impl Alert {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.channel.name())
    }

    /// From 1 (critical) to 4 (low): what is less urgent is not told.
    #[must_use]
    pub const fn least_severity(&self) -> u8 {
        match self.min_severity {
            Some(Least::Critical) => 1,
            Some(Least::High) => 2,
            Some(Least::Medium) => 3,
            Some(Least::Low) => 4,
            // A ticket that nobody has to do anything about is noise where tickets are counted.
            None if self.channel.is_ticket_system() => 3,
            None => 4,
        }
    }
}

/// A system that there should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WatchedSystem {
    /// Its machine, as snapshots name it.
    pub host: String,
    /// One of its sources; all that the machine has otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Name of its tier, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Recovery point objective, if it is not that of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Span>,
    /// Whether it is not watched any more, though its snapshots are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

/// How clients are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Watch {
    /// An open ticket that nobody acknowledged is told again after so long; 1d otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Span>,
    /// A store may take so long; 1m otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_timeout: Option<Span>,
    /// What was due so long ago and is not there is missed; 1h otherwise, and less for what is due more
    /// often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Span>,
    /// A watcher that did not look for so long says so; four times its usual pace otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_after: Option<Span>,
}
