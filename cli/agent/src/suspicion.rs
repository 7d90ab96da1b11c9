//! Suspicious success: a snapshot that was made without an error and is not to be believed.
//!
//! A mount that is missing, a dump that is empty and a ransomware night all end with exit code 0. What a
//! source has become is compared with what it was the nights before. Every reason is said with its
//! numbers, so that whoever reads it can decide in a moment.

#[cfg(test)]
mod tests;

use crate::config::promise::Suspicious;
use crate::state::Facts;

/// So many snapshots before are looked at.
pub const HISTORY: u32 = 14;
/// Fewer say nothing about what is usual.
const HISTORY_MIN: usize = 2;
/// Sources with fewer files change by large shares every day.
const FILES_MIN: u64 = 20;
/// Sources with fewer bytes do too.
const BYTES_MIN: u64 = 1 << 20;
/// A filter that is new may take out that share of all files.
const FILTER_PERCENT: u64 = 10;
/// So many new names say something about their endings…
const RENAMED_MIN: u64 = 30;
/// … if they are such a share of all files, in percent…
const RENAMED_OF_ALL_PERCENT: u64 = 20;
/// … and such a share of them ends alike, in percent.
const RENAMED_ALIKE_PERCENT: u64 = 80;

/// How names have changed since the last snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Names that are new.
    pub added: u64,
    /// Names that are gone.
    pub removed: u64,
    /// The most frequent ending of the new ones.
    pub ending: String,
    /// How many of the new ones have it.
    pub added_with_ending: u64,
    /// How many of those that are gone have it.
    pub removed_with_ending: u64,
}

/// Whether so much has changed that names are worth a look.
#[must_use]
pub fn wants_names(history: &[Facts], now: &Facts) -> bool {
    let Some(last) = history.first() else { return false };
    now.removed_files >= RENAMED_MIN
        && now.removed_files * 100 >= last.files * RENAMED_OF_ALL_PERCENT / 2
}

/// Everything that is odd about a snapshot; `history` are the ones before it, the newest first.
#[must_use]
pub fn reasons(
    history: &[Facts],
    now: &Facts,
    names: Option<&Names>,
    rules: &Suspicious,
) -> Vec<String> {
    if !rules.enabled || history.len() < HISTORY_MIN {
        return Vec::new();
    }
    let mut found = Vec::new();
    let Some(last) = history.first() else { return found };
    found.extend(fewer_files(last, now, rules));
    found.extend(other_size(history, now, rules));
    found.extend(rewritten(last, now, rules));
    found.extend(new_filter(last, now));
    found.extend(names.and_then(|names| renamed(last, names)));
    found
}

fn fewer_files(last: &Facts, now: &Facts, rules: &Suspicious) -> Option<String> {
    let share = 100 - u64::from(rules.files_fewer_percent.min(100));
    (last.files >= FILES_MIN && now.files * 100 <= last.files * share)
        .then(|| format!("{} files, {} the time before", now.files, last.files))
}

fn other_size(history: &[Facts], now: &Facts, rules: &Suspicious) -> Option<String> {
    let mut sizes: Vec<u64> = history.iter().map(|facts| facts.bytes).collect();
    sizes.sort_unstable();
    let usual = sizes.get(sizes.len() / 2).copied()?;
    let last = history.first()?.bytes;
    let words = || format!("{} bytes, {usual} are usual", now.bytes);
    if now.bytes == 0 && usual > 0 {
        return Some(words());
    }
    if usual.max(now.bytes) < BYTES_MIN || last == 0 || usual == 0 {
        return None;
    }
    // What has become usual by and by is compared with yesterday, what jumps with all before.
    let (now, usual, last) = (now.bytes as f64, usual as f64, last as f64);
    let factor = rules.bytes_factor;
    let is_more = now >= usual * factor && now >= last * factor;
    let is_less = now * factor <= usual && now * factor <= last;
    (is_more || is_less).then(words)
}

/// Old content that was replaced by what no longer becomes smaller: what encrypting in place looks like.
fn rewritten(last: &Facts, now: &Facts, rules: &Suspicious) -> Option<String> {
    let grown = now.bytes.saturating_sub(last.bytes);
    let rewritten = now.new_bytes.saturating_sub(grown);
    let is_much = last.bytes >= BYTES_MIN
        && rewritten as f64 * 100.0 >= last.bytes as f64 * f64::from(rules.rewritten_percent);
    let is_incompressible = now.stored_bytes as f64 * 100.0
        >= now.new_bytes as f64 * f64::from(rules.incompressible_percent);
    (is_much && is_incompressible).then(|| {
        format!(
            "{rewritten} of {} bytes were replaced, and what replaced them cannot be compressed",
            last.bytes
        )
    })
}

fn new_filter(last: &Facts, now: &Facts) -> Option<String> {
    let is_new = last.filter != now.filter;
    let is_much = last.files >= FILES_MIN
        && now.removed_files * 100 >= last.files * FILTER_PERCENT
        && now.files < last.files;
    (is_new && is_much).then(|| {
        format!(
            "what is left out was changed, and {} of {} files are gone",
            now.removed_files, last.files
        )
    })
}

fn renamed(last: &Facts, names: &Names) -> Option<String> {
    let is_much = names.added >= RENAMED_MIN
        && names.added * 100 >= last.files * RENAMED_OF_ALL_PERCENT
        && names.removed * 2 >= names.added;
    let is_alike = names.added_with_ending * 100 >= names.added * RENAMED_ALIKE_PERCENT
        && !names.ending.is_empty()
        && names.removed_with_ending * 10 <= names.added_with_ending;
    (is_much && is_alike).then(|| {
        format!(
            "{} of {} new names end in .{}, and {} names are gone",
            names.added_with_ending, names.added, names.ending, names.removed
        )
    })
}
