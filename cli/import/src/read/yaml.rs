//! YAML to a tree: anchors and merge keys are resolved, within a bound that bombs run into.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

use crate::read::{DEPTH_MAX, NODES_MAX, ReadError, bare};
use crate::tree::{Node, Value};

/// The key of a node that comes from another file.
pub(crate) const INCLUDED: &str = "!include";

/// How a tag's word and the node that carries it become another node.
pub(crate) type OnTag<'a> = dyn FnMut(&str, Node) -> Result<Node, ReadError> + 'a;

/// A list or a table that is not closed yet.
struct Open {
    line: usize,
    anchor: usize,
    tag: Option<String>,
    is_table: bool,
    list: Vec<Node>,
    /// The key whose value comes next.
    key: Option<(String, usize)>,
    table: Vec<(String, Node)>,
    merged: Vec<Node>,
}

struct Builder<'a, 'b> {
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
    on_tag: &'a mut OnTag<'b>,
}

/// Reads the first document; a second one is an error.
pub(crate) fn read(text: &str, on_tag: &mut OnTag<'_>) -> Result<Node, ReadError> {
    let mut builder =
        Builder { open: Vec::new(), anchors: BTreeMap::new(), nodes: 0, root: None, on_tag };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            ReadError::at(error.marker().line(), "this is no YAML: look at blanks and quotes here")
        })?;
        let line = span.start.line();
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(ReadError::at(line, "a second document begins here"));
                }
            }
            Event::Alias(anchor) => builder.alias(anchor, line)?,
            Event::Scalar(text, style, anchor, tag) => {
                let is_null = matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL")
                    && style == saphyr_parser::ScalarStyle::Plain;
                let value = match is_null {
                    true => Value::Null,
                    false => Value::Text(text.into_owned()),
                };
                let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix));
                builder.nodes += 1;
                builder.complete(bare(line, value), anchor, tag)?;
            }
            Event::SequenceStart(anchor, tag) => {
                builder.begin(line, anchor, tag.map(|tag| tag.suffix.clone()), false)?;
            }
            Event::MappingStart(anchor, tag) => {
                builder.begin(line, anchor, tag.map(|tag| tag.suffix.clone()), true)?;
            }
            Event::SequenceEnd | Event::MappingEnd => builder.end()?,
            _ => {}
        }
    }
    Ok(builder.root.unwrap_or_else(|| bare(1, Value::Null)))
}

impl Builder<'_, '_> {
    fn begin(
        &mut self,
        line: usize,
        anchor: usize,
        tag: Option<String>,
        is_table: bool,
    ) -> Result<(), ReadError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(ReadError::at(line, "it goes too deep"));
        }
        self.nodes += 1;
        let (list, table, merged) = (Vec::new(), Vec::new(), Vec::new());
        self.open.push(Open { line, anchor, tag, is_table, list, key: None, table, merged });
        Ok(())
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<(), ReadError> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(ReadError::at(line, "an alias of something that is not complete yet"));
        };
        self.nodes += size;
        let (node, _) = (node.clone(), size);
        self.complete(node, 0, None)
    }

    fn end(&mut self) -> Result<(), ReadError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.is_table {
            false => Value::List(open.list),
            true => {
                let (mut under, mut joins) = (Vec::new(), false);
                // Of several, the first counts most.
                for node in open.merged.into_iter().rev() {
                    joins |= node.place.key == INCLUDED;
                    if let Value::Table(entries) = node.value {
                        replace_all(&mut under, entries, joins);
                    }
                }
                replace_all(&mut under, open.table, joins);
                Value::Table(under)
            }
        };
        self.complete(bare(open.line, value), open.anchor, open.tag)
    }

    fn complete(
        &mut self,
        mut node: Node,
        anchor: usize,
        tag: Option<String>,
    ) -> Result<(), ReadError> {
        let line = node.place.line;
        if self.nodes > NODES_MAX {
            return Err(ReadError::at(line, "it holds too many values, aliases counted"));
        }
        if let Some(tag) = tag {
            let word = tag.trim_start_matches('!');
            node = (self.on_tag)(word, node)?;
            self.nodes += size(&node);
        }
        if anchor > 0 {
            let size = size(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        if !open.is_table {
            open.list.push(node);
            return Ok(());
        }
        match open.key.take() {
            None => match node.value {
                Value::Text(name) => open.key = Some((name, line)),
                Value::Null => open.key = Some((String::new(), line)),
                _ => return Err(ReadError::at(line, "a name that is a list or a table")),
            },
            Some((name, _)) if name == "<<" => match node.value {
                Value::List(list) => open.merged.extend(list),
                _ => open.merged.push(node),
            },
            Some((name, line)) => {
                if open.table.iter().any(|(one, _)| *one == name) {
                    return Err(ReadError::at(line, "this name stands here a second time"));
                }
                node.place.line = line;
                open.table.push((name, node));
            }
        }
        Ok(())
    }
}

/// As YAML merges: a name that both have is the upper one's, whole. What was included is joined with
/// what includes it, as borgmatic does: tables name by name, lists one behind the other.
fn replace_all(under: &mut Vec<(String, Node)>, over: Vec<(String, Node)>, joins: bool) {
    for (name, node) in over {
        match under.iter_mut().find(|(one, _)| *one == name) {
            None => under.push((name, node)),
            Some((_, old)) => match (&mut old.value, node.value) {
                (Value::Table(below), Value::Table(above)) if joins => {
                    replace_all(below, above, joins);
                }
                (Value::List(first), Value::List(second)) if joins => first.extend(second),
                (_, value) => *old = Node { place: node.place, value },
            },
        }
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Text(_) => 1,
        Value::List(list) => 1 + list.iter().map(size).sum::<usize>(),
        Value::Table(table) => 1 + table.iter().map(|(_, node)| size(node)).sum::<usize>(),
    }
}
