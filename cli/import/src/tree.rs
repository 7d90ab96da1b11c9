//! Trees of what files say, each node with the place that it comes from.

use std::rc::Rc;

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named.
    pub file: Rc<str>,
    /// Names down to it, as `backup.source`; of a list `hooks[1]`.
    pub key: String,
    /// Line of the file, from 1; 0 if it is not known.
    pub line: usize,
}

impl Place {
    /// The place of something within it.
    #[must_use]
    pub fn below(&self, name: &str, line: usize) -> Self {
        let key = match self.key.as_str() {
            "" => name.to_owned(),
            key => format!("{key}.{name}"),
        };
        Self { file: Rc::clone(&self.file), key, line }
    }

    /// The place of a member of a list.
    #[must_use]
    pub fn member(&self, number: usize, line: usize) -> Self {
        Self { file: Rc::clone(&self.file), key: format!("{}[{number}]", self.key), line }
    }
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What stands there.
    pub value: Value,
}

/// What a file can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A text, a number or a truth value, as it is written.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Names with their values, in the order of the file.
    Table(Vec<(String, Node)>),
}

impl Node {
    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text, or a list of texts; `None` for anything else.
    #[must_use]
    pub fn texts(&self) -> Option<Vec<(&Place, &str)>> {
        match &self.value {
            Value::Null => Some(Vec::new()),
            Value::Text(text) => Some(vec![(&self.place, text.as_str())]),
            Value::List(list) => {
                list.iter().map(|node| Some((&node.place, node.text()?))).collect()
            }
            Value::Table(_) => None,
        }
    }

    /// Yes or no.
    #[must_use]
    pub fn flag(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" | "" => Some(false),
            _ => None,
        }
    }

    /// Gives it and everything below it places below `place`.
    pub fn settle(&mut self, place: Place) {
        match &mut self.value {
            Value::List(list) => {
                for (number, node) in list.iter_mut().enumerate() {
                    node.settle(place.member(number, node.place.line));
                }
            }
            Value::Table(table) => {
                for (name, node) in table {
                    node.settle(place.below(name, node.place.line));
                }
            }
            Value::Null | Value::Text(_) => {}
        }
        self.place = place;
    }

    /// The places of everything in it that holds no further names: texts, and lists of texts as one.
    #[must_use]
    pub fn leaves(&self) -> Vec<Place> {
        let mut found = Vec::new();
        self.collect_leaves(&mut found);
        found
    }

    fn collect_leaves(&self, found: &mut Vec<Place>) {
        match &self.value {
            Value::Table(table) if !table.is_empty() => {
                table.iter().for_each(|(_, node)| node.collect_leaves(found));
            }
            Value::List(list) if self.texts().is_none() => {
                list.iter().for_each(|node| node.collect_leaves(found));
            }
            _ => found.push(self.place.clone()),
        }
    }

    /// Its names as a section to take values out of; of what is no table, one without a name, so that it
    /// is not lost.
    #[must_use]
    pub fn section(self) -> Section {
        match self.value {
            Value::Table(entries) => Section { place: self.place, entries },
            Value::Null => Section { place: self.place, entries: Vec::new() },
            value => {
                let place = self.place.clone();
                let node = Self { place: self.place, value };
                Section { place, entries: vec![(String::new(), node)] }
            }
        }
    }
}

/// A table that values are taken out of; what is left at the end was not understood.
#[derive(Debug, Clone)]
pub struct Section {
    /// Where it stands.
    pub place: Place,
    /// What has not been taken yet.
    pub entries: Vec<(String, Node)>,
}

impl Section {
    /// Takes the value of a name; one that says nothing counts as not there.
    #[must_use]
    pub fn take(&mut self, name: &str) -> Option<Node> {
        let at = self.entries.iter().position(|(one, _)| one == name)?;
        Some(self.entries.remove(at).1)
    }

    /// Whether a name is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(one, _)| one == name)
    }
}

/// Lays `over` on `under`: what both have comes from `over`, tables are joined. What is covered up is
/// handed back.
pub fn lay_over(
    under: &mut Vec<(String, Node)>,
    over: Vec<(String, Node)>,
    covered: &mut Vec<Node>,
) {
    for (name, node) in over {
        match under.iter_mut().find(|(one, _)| *one == name) {
            None => under.push((name, node)),
            Some((_, old)) => match (&mut old.value, node.value) {
                (Value::Table(below), Value::Table(above)) => lay_over(below, above, covered),
                (_, value) => {
                    let new = Node { place: node.place, value };
                    covered.push(std::mem::replace(old, new));
                }
            },
        }
    }
}
