//! What a dry run says against what the run then did.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::between::Whole;
use crate::look::Seen;
use crate::scene::{Overwrite, Part, Scene, TARGET};

/// The words for what becomes of a path.
const CREATED: &str = "new";
const CONTENT: &str = "modified";
const METADATA: &str = "metadata";
const KIND: &str = "kind";
const REMOVED: &str = "removed";

/// How what a dry run printed differs from what the run did. `since` is when the test began.
pub(crate) fn faults(scene: &Scene, whole: &Whole, stdout: &str, since: i64) -> Vec<String> {
    if matches!(scene.order.part, Part::FileAs(_)) {
        return Vec::new();
    }
    let said = said(stdout);
    let done = done(whole, since);
    let mut faults = Vec::new();
    for (path, action) in &done {
        match said.get(path) {
            Some(word) if word == action => {}
            // Without reading it nobody knows that the bytes are the same.
            Some(word) if word == CONTENT && *action == METADATA => {
                let pair = whole.before.get(path).zip(whole.after.get(path));
                let is_same = |(before, after): (&Seen, &Seen)| {
                    before.facts.mtime == after.facts.mtime
                        && before.facts.inode == after.facts.inode
                        && scene.order.overwrite != Overwrite::Always
                };
                if pair.is_some_and(is_same) {
                    faults.push(format!("{path}: has its time, and the dry run says {word:?}"));
                }
            }
            Some(word) => {
                faults.push(format!("{path}: is {action:?}, and the dry run says {word:?}"))
            }
            // Another name of a file that is named.
            None if *action == METADATA && has_named_twin(whole, path, &said) => {}
            None => faults.push(format!("{path}: is {action:?}, and the dry run does not name it")),
        }
    }
    for (path, word) in said.iter().filter(|(path, _)| !done.contains_key(*path)) {
        let (before, after) = (whole.before.get(path), whole.after.get(path));
        // What is replaced by its equal may be named.
        let is_rewritten = match (before, after) {
            (Some(before), Some(after)) => !after.is_untouched(before),
            _ => false,
        };
        if !is_rewritten && path != TARGET {
            faults.push(format!("{path}: the dry run says {word:?}, and nothing became of it"));
        }
    }
    faults
}

/// Whether a name of the same file is said to get other metadata.
fn has_named_twin(whole: &Whole, path: &str, said: &BTreeMap<String, String>) -> bool {
    let inode = |path: &str| whole.before.get(path).map(|seen| seen.facts.inode);
    said.iter().any(|(other, word)| word == METADATA && inode(other) == inode(path))
}

/// Paths below the arena, each with the word for it.
fn said(stdout: &str) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    for line in stdout.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("message_type") == "verbose_status" {
            let path = format!("{TARGET}{}", text("path"));
            said.insert(path.trim_end_matches('/').to_owned(), text("action").to_owned());
        }
    }
    said
}

/// What really became of each path below the target that is not as it was.
fn done(whole: &Whole, since: i64) -> BTreeMap<String, &'static str> {
    let mut done = BTreeMap::new();
    for path in whole.before.0.keys().chain(whole.after.0.keys()) {
        if !path.starts_with(&format!("{TARGET}/")) {
            continue;
        }
        let word = match (whole.before.get(path), whole.after.get(path)) {
            (None, Some(_)) => CREATED,
            (Some(_), None) => REMOVED,
            (Some(before), Some(after)) if before.facts.kind != after.facts.kind => KIND,
            (Some(before), Some(after)) if !before.has_content_of(after) => CONTENT,
            (Some(before), Some(after)) if has_other_meta(before, after, since) => METADATA,
            _ => continue,
        };
        done.insert(path.clone(), word);
    }
    done
}

/// A time of this test is not one of the snapshot: names came or went in the folder.
fn has_other_meta(before: &Seen, after: &Seen, since: i64) -> bool {
    let differing = before.differing_meta(after);
    differing.iter().any(|what| *what != "mtime" || after.facts.mtime.0 < since)
}
