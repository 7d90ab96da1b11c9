//! Patterns of Borg as patterns of ours.
//!
//! Borg matches whole paths from the root, with the leading `/` taken away; in `fm:`, the style of
//! `exclude_patterns`, `*` goes over slashes. Ours match component by component, and `**` stands for any
//! number of components. One pattern can so become several.

/// How Borg reads a pattern that does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `fm:`, of `exclude_patterns`.
    Fnmatch,
    /// `sh:`, of `patterns`.
    Shell,
    /// `pp:`, of roots.
    Prefix,
}

/// A translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// Patterns that together mean the same.
    pub patterns: Vec<String>,
    /// What is not quite the same.
    pub remark: Option<&'static str>,
}

/// More stars than this in one pattern would become too many patterns.
const STARS_MAX: usize = 3;

/// Translates a pattern.
///
/// # Errors
/// Why there is none.
pub fn of_borg(pattern: &str, usual: Style) -> Result<Translated, &'static str> {
    let (style, text) = match pattern.split_once(':') {
        Some(("fm", text)) => (Style::Fnmatch, text),
        Some(("sh", text)) => (Style::Shell, text),
        Some(("pp" | "pf", text)) => (Style::Prefix, text),
        Some(("re", _)) => return Err("a regular expression, which patterns cannot be here"),
        _ => (usual, pattern),
    };
    let path = text.trim_start_matches('/');
    if path.is_empty() {
        return Err("it leaves out everything");
    }
    if path.split('/').any(|name| name == "..") {
        return Err("`..` in it");
    }
    match style {
        Style::Prefix => {
            let path = path.trim_end_matches('/');
            Ok(Translated { patterns: vec![format!("/{}", literal(path))], remark: None })
        }
        Style::Shell => shell(path),
        Style::Fnmatch => fnmatch(path),
    }
}

/// A path that stands for itself.
#[must_use]
pub fn literal(path: &str) -> String {
    let mut text = String::new();
    for letter in path.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\' | '!') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

fn remark_of(path: &str) -> Option<&'static str> {
    match path.contains(['?', '[']) {
        true => Some("`?` and `[…]` stand for one byte of a name here, never for a `/`"),
        false => None,
    }
}

fn shell(path: &str) -> Result<Translated, &'static str> {
    let is_contents = path.ends_with('/');
    let mut names: Vec<String> = Vec::new();
    for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
        if name != "**" && name.contains("**") {
            return Err("`**` as a part of a name");
        }
        if name.contains(['{', '}']) {
            return Err("alternatives in braces");
        }
        names.push(name.replace('\\', "\\\\"));
    }
    if is_contents {
        names.push("*".to_owned());
    }
    if names.iter().all(|name| name == "**") {
        return Err("it leaves out everything");
    }
    let patterns = vec![format!("/{}", names.join("/"))];
    Ok(Translated { patterns, remark: remark_of(path) })
}

fn fnmatch(path: &str) -> Result<Translated, &'static str> {
    // What ends in a slash means what is within.
    let path = match path.ends_with('/') {
        true => format!("{path}*"),
        false => path.to_owned(),
    };
    let path = squeeze(&path).replace('\\', "\\\\");
    let names: Vec<&str> =
        path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    if names.iter().all(|name| *name == "*") {
        return Err("it leaves out everything");
    }
    // What one star stands for may go over a slash: then there are names before and behind it.
    let inner: usize = names.iter().map(|name| inner_stars(name).len()).sum();
    if inner > STARS_MAX {
        return Err("so many `*` that go over slashes");
    }
    let mut lines: Vec<Vec<String>> = vec![Vec::new()];
    let mut floats = false;
    for (number, name) in names.iter().enumerate() {
        let (is_first, is_last) = (number == 0, number + 1 == names.len());
        let mut next = Vec::new();
        for words in splits(name) {
            for line in &lines {
                let mut line = line.clone();
                let is_whole = words.len() == 1 && words[0] == "*";
                if words[0].starts_with('*') && !is_whole {
                    match is_first {
                        true => floats = true,
                        false => line.push("**".to_owned()),
                    }
                }
                for (at, word) in words.iter().enumerate() {
                    if at > 0 {
                        line.push("**".to_owned());
                    }
                    line.push(word.clone());
                }
                let ends = words.last().is_some_and(|word| word.ends_with('*'));
                if ends && !is_last {
                    line.push("**".to_owned());
                }
                next.push(line);
            }
        }
        lines = next;
    }
    let start = if floats { "" } else { "/" };
    let mut patterns: Vec<String> = lines
        .iter()
        .map(|line| {
            let text = format!("{start}{}", line.join("/"));
            if text.starts_with('!') { format!("\\{text}") } else { text }
        })
        .collect();
    patterns.dedup();
    Ok(Translated { patterns, remark: remark_of(&path) })
}

/// Two stars are as good as one where one goes over slashes.
fn squeeze(path: &str) -> String {
    let mut text = path.to_owned();
    while text.contains("**") {
        text = text.replace("**", "*");
    }
    text
}

/// Stars with something of the name on both sides.
fn inner_stars(name: &str) -> Vec<usize> {
    let stars = name.match_indices('*').map(|(at, _)| at);
    stars.filter(|at| *at > 0 && *at + 1 < name.len()).collect()
}

/// The name as one component, and split at each choice of inner stars.
fn splits(name: &str) -> Vec<Vec<String>> {
    let stars = inner_stars(name);
    let mut all = Vec::new();
    for choice in 0..1_usize << stars.len() {
        let (mut words, mut from) = (Vec::new(), 0);
        for (number, at) in stars.iter().enumerate() {
            if choice >> number & 1 == 1 {
                words.push(format!("{}*", &name[from..*at]));
                from = *at;
            }
        }
        words.push(name[from..].to_owned());
        all.push(words);
    }
    all
}
