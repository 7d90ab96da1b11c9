//! Texts to trees: YAML, TOML and JSON, bounded in size and depth.

/// YAML, with anchors and tags.
pub(crate) mod yaml;

use std::rc::Rc;

use toml::de::{DeTable, DeValue};

use crate::tree::{Node, Place, Value};

/// No configuration is longer.
pub(crate) const TEXT_MAX_BYTES: usize = 1024 * 1024;
/// No configuration has more nodes, aliases counted where they stand.
pub(crate) const NODES_MAX: usize = 50_000;
/// No configuration goes deeper.
pub(crate) const DEPTH_MAX: usize = 64;

/// Why a text is no tree; never with what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadError {
    /// Line, from 1; 0 if it is not known.
    pub line: usize,
    /// Why.
    pub why: String,
}

impl ReadError {
    /// An error at a line.
    pub(crate) fn at(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into() }
    }
}

/// A node whose place has only a line yet.
pub(crate) fn bare(line: usize, value: Value) -> Node {
    Node { place: Place { file: Rc::from(""), key: String::new(), line }, value }
}

/// Reads JSON; its lines are not known.
pub(crate) fn json(text: &str) -> Result<Node, ReadError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        ReadError::at(error.line(), "this is no JSON: something is missing or too much here")
    })?;
    let mut nodes = 0;
    of_json(value, &mut nodes)
}

fn of_json(value: serde_json::Value, nodes: &mut usize) -> Result<Node, ReadError> {
    *nodes += 1;
    if *nodes > NODES_MAX {
        return Err(ReadError::at(0, "it holds too many values"));
    }
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => Value::Text(flag.to_string()),
        serde_json::Value::Number(number) => Value::Text(number.to_string()),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(list) => {
            let list = list.into_iter().map(|one| of_json(one, nodes));
            Value::List(list.collect::<Result<_, _>>()?)
        }
        serde_json::Value::Object(table) => {
            let table = table.into_iter().map(|(name, one)| Ok((name, of_json(one, nodes)?)));
            Value::Table(table.collect::<Result<_, _>>()?)
        }
    };
    Ok(bare(0, value))
}

/// Reads TOML.
pub(crate) fn toml(text: &str) -> Result<Node, ReadError> {
    let lines = Lines::of(text);
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(0, |span| lines.number(span.start));
        ReadError::at(line, "this is no TOML: something is missing or too much here")
    })?;
    let mut nodes = 0;
    Ok(bare(1, of_table(table.get_ref(), &lines, &mut nodes)?))
}

fn of_table(table: &DeTable<'_>, lines: &Lines, nodes: &mut usize) -> Result<Value, ReadError> {
    // The table is sorted by name; the file is not.
    let mut sorted: Vec<_> = table.iter().collect();
    sorted.sort_by_key(|(name, _)| name.span().start);
    let mut entries = Vec::new();
    for (name, value) in sorted {
        let line = lines.number(name.span().start);
        entries.push((name.get_ref().to_string(), of_toml(value.get_ref(), line, lines, nodes)?));
    }
    Ok(Value::Table(entries))
}

fn of_toml(
    value: &DeValue<'_>,
    line: usize,
    lines: &Lines,
    nodes: &mut usize,
) -> Result<Node, ReadError> {
    *nodes += 1;
    if *nodes > NODES_MAX {
        return Err(ReadError::at(line, "it holds too many values"));
    }
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(flag) => Value::Text(flag.to_string()),
        DeValue::Integer(number) => Value::Text(number.to_string()),
        DeValue::Float(number) => Value::Text(number.to_string()),
        DeValue::Datetime(moment) => Value::Text(moment.to_string()),
        DeValue::Array(list) => {
            let list = list
                .iter()
                .map(|one| of_toml(one.get_ref(), lines.number(one.span().start), lines, nodes));
            Value::List(list.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => of_table(table, lines, nodes)?,
    };
    Ok(bare(line, value))
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn number(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }
}
