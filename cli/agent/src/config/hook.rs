//! What runs around jobs: `[hooks]`.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::schedule::JobKind;
use crate::config::words::CommandWords;
use crate::span::Span;

/// Commands around jobs, those of one list in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Hooks {
    /// Before it begins; if one fails, the job does not run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Hook>,
    /// After it ended without a failure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Hook>,
    /// After it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Hook>,
    /// At last, however it ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub finally: Vec<Hook>,
}

/// One command; written as a line alone or as a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(schema_with = "hook_schema")]
pub struct Hook {
    /// The command.
    pub run: CommandWords,
    /// It is ended after so long.
    pub timeout: Span,
    /// What its failure means.
    pub on_failure: OnFailure,
    /// The jobs that it stands around.
    pub jobs: Vec<JobKind>,
}

/// What the failure of a hook means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The job fails.
    #[default]
    Error,
    /// The job has a note.
    Warn,
    /// Nothing.
    Ignore,
}

/// A hook that takes longer hangs.
const TIMEOUT: Span = Span::of_seconds(600);

impl<'de> Deserialize<'de> for Hook {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(HookVisitor)
    }
}

struct HookVisitor;

impl<'de> Visitor<'de> for HookVisitor {
    type Value = Hook;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a command, or a table like { run = \"…\", timeout = \"5m\" }")
    }

    fn visit_str<E: Error>(self, line: &str) -> Result<Hook, E> {
        CommandWords::deserialize(serde::de::value::StrDeserializer::new(line)).map(Hook::of)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Hook, A::Error> {
        CommandWords::deserialize(SeqAccessDeserializer::new(list)).map(Hook::of)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Hook, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        let mut hook = Hook::of(table.run);
        hook.timeout = table.timeout.unwrap_or(hook.timeout);
        hook.on_failure = table.on_failure;
        hook.jobs = table.jobs.unwrap_or(hook.jobs);
        Ok(hook)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    /// The command.
    run: CommandWords,
    /// It is ended after so long; 10m otherwise.
    timeout: Option<Span>,
    /// What its failure means: error, warn or ignore.
    #[serde(default)]
    on_failure: OnFailure,
    /// The jobs that it stands around; backup otherwise.
    jobs: Option<Vec<JobKind>>,
}

impl Hook {
    fn of(run: CommandWords) -> Self {
        Self { run, timeout: TIMEOUT, on_failure: OnFailure::Error, jobs: vec![JobKind::Backup] }
    }
}

fn hook_schema(generator: &mut SchemaGenerator) -> Schema {
    let (line, table) =
        (generator.subschema_for::<CommandWords>(), generator.subschema_for::<Table>());
    json_schema!({ "description": "a command, or a table with more", "anyOf": [line, table] })
}
