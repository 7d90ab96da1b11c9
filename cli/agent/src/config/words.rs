//! Words of a command, and values that are written as one text or as a list.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A program with its arguments. No shell is involved: nothing in it is expanded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CommandWords(pub Vec<String>);

impl<'de> Deserialize<'de> for CommandWords {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WordsVisitor).map(Self)
    }
}

impl JsonSchema for CommandWords {
    fn schema_name() -> Cow<'static, str> {
        "CommandWords".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a program with its arguments, as a list or as one line; no shell is involved",
            "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 }
            ]
        })
    }
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Vec<String>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a command, as one line or as a list of words")
    }

    fn visit_str<E: Error>(self, line: &str) -> Result<Vec<String>, E> {
        let words = shlex::split(line).ok_or_else(|| E::custom("a quote is not closed"))?;
        named(words)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<String>, A::Error> {
        named(Vec::deserialize(SeqAccessDeserializer::new(list))?)
    }
}

fn named<E: Error>(words: Vec<String>) -> Result<Vec<String>, E> {
    match words.first().is_some_and(|program| !program.trim().is_empty()) {
        true => Ok(words),
        false => Err(E::custom("a command without a program")),
    }
}
