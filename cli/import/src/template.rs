//! Templates of Go, which resticprofile fills in before it reads a file: names are marked, definitions put
//! in, and what would have to be computed is an error.

use std::collections::BTreeMap;

use crate::read::ReadError;

/// Around an action that only stands for a text.
const OPEN: char = '\u{e000}';
/// Behind it.
const CLOSE: char = '\u{e001}';
/// Definitions within definitions.
const DEPTH_MAX: usize = 8;
/// What becomes of a text.
const GROWN_MAX_BYTES: usize = 4 * crate::read::TEXT_MAX_BYTES;

/// Replaces every action.
///
/// # Errors
/// With the line of an action that would have to be computed.
pub(crate) fn resolve(text: &str) -> Result<String, ReadError> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let mut definitions = BTreeMap::new();
    let without = take_definitions(text, &mut definitions)?;
    fill(&without, &definitions, 0)
}

/// Takes `{{ define "x" }}…{{ end }}` out; lines stay where they were.
fn take_definitions(text: &str, found: &mut BTreeMap<String, String>) -> Result<String, ReadError> {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, action, behind)) = next(rest) {
        let Some(name) = named(action, "define") else {
            done.push_str(&rest[..rest.len() - behind.len()]);
            rest = behind;
            continue;
        };
        done.push_str(before);
        let line = line_of(&done);
        let mut at = behind;
        let mut length = 0;
        let body_end = loop {
            let Some((before, action, after)) = next(at) else {
                return Err(ReadError::at(line, "a definition that does not end"));
            };
            length += before.len();
            if action == "end" {
                break length;
            }
            length = behind.len() - after.len();
            at = after;
            if length > behind.len() {
                return Err(ReadError::at(line, "a definition that does not end"));
            }
        };
        let body = &behind[..body_end];
        found.insert(name, body.to_owned());
        let (_, _, after) = next(&behind[body_end..])
            .ok_or_else(|| ReadError::at(line, "a definition that does not end"))?;
        let taken = &behind[..behind.len() - after.len()];
        done.extend(taken.matches('\n'));
        rest = after;
    }
    done.push_str(rest);
    Ok(done)
}

fn fill(
    text: &str,
    definitions: &BTreeMap<String, String>,
    depth: usize,
) -> Result<String, ReadError> {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, action, behind)) = next(rest) {
        done.push_str(before);
        let line = line_of(&done);
        if done.len() > GROWN_MAX_BYTES || depth > DEPTH_MAX {
            return Err(ReadError::at(line, "its templates grow too large"));
        }
        let word = action.split_whitespace().next().unwrap_or_default();
        if let Some(name) = named(action, "template") {
            let body = definitions
                .get(&name)
                .ok_or_else(|| ReadError::at(line, "this template is not defined here"))?;
            done.push_str(&fill(body, definitions, depth + 1)?);
        } else if action.starts_with("/*") {
            // A comment.
        } else if word.starts_with(['.', '$', '"']) && !action.contains('\n') {
            done.push(OPEN);
            done.extend(action.chars().filter(|letter| !matches!(letter, '"' | '\'' | '\\')));
            done.push(CLOSE);
        } else {
            let words =
                "a template that would have to be computed; give the file as it is after that";
            return Err(ReadError::at(line, words));
        }
        rest = behind;
    }
    done.push_str(rest);
    Ok(done)
}

/// What stands before the next action, the action, and what stands behind.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let from = text.find("{{")?;
    let to = from + text[from..].find("}}")?;
    let action = text[from + 2..to].trim_matches('-').trim();
    Some((&text[..from], action, &text[to + 2..]))
}

fn named(action: &str, word: &str) -> Option<String> {
    let rest = action.strip_prefix(word)?.trim_start().strip_prefix('"')?;
    Some(rest.split('"').next()?.to_owned())
}

fn line_of(text: &str) -> usize {
    text.matches('\n').count() + 1
}
