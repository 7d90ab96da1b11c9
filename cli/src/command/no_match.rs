//! Names in a `forget` that fit no snapshot: most are misspelt.
//!
//! A rule that keeps a tag which no snapshot has keeps nothing, and what it was to protect goes.
//! Names on the command line are refused; of those in a configuration, which may be meant for
//! snapshots to come, a note is made.

use std::collections::BTreeSet;

use crate::args::retention::ForgetArgs;
use crate::args::values::TagSet;
use crate::command::context::Context;
use crate::command::select::Choice;
use crate::fault::{ExitCode, Fault};

/// How many names are shown as those that there are.
const SHOWN_MAX: usize = 8;

/// Looks whether everything that is named fits a snapshot. `kept_tags` are those in force, from
/// the command line or from a configuration.
///
/// # Errors
/// Exit code 23 for a name on the command line that fits none.
pub fn check(
    args: &ForgetArgs,
    kept_tags: &[Vec<String>],
    choice: &Choice<'_>,
    context: &Context<'_>,
) -> Result<(), Fault> {
    let all = &choice.catalog.snapshots;
    if args.allow_no_match || all.is_empty() {
        return Ok(());
    }
    let has_tags = |tags: &[String]| {
        all.iter().any(|one| tags.iter().all(|tag| one.snapshot.tags.contains(tag)))
    };
    let tags = || all.iter().flat_map(|one| one.snapshot.tags.iter().cloned());
    let given = |sets: &[TagSet]| sets.iter().map(|set| set.0.clone()).collect::<Vec<_>>();
    if let Some(set) = given(&args.filter.tag).iter().find(|set| !has_tags(set)) {
        return Err(refuse("--tag", &set.join(","), tags()));
    }
    for host in &args.filter.host {
        if !all.iter().any(|one| one.snapshot.host == *host) {
            return Err(refuse("--host", host, all.iter().map(|one| one.snapshot.host.clone())));
        }
    }
    if !args.filter.path.is_empty() && choice.filtered().is_empty() {
        return Err(nothing("no snapshot meets all the conditions, --path among them")
            .hint("paths are absolute, as `mainstay snapshots` shows them; or --allow-no-match"));
    }
    let own = given(&args.keep.keep_tag);
    for set in kept_tags.iter().filter(|set| !has_tags(set)) {
        let name = set.join(",");
        if own.contains(set) {
            return Err(refuse("--keep-tag", &name, tags()));
        }
        context
            .ui
            .note(&format!("warning: keep-tag {name:?} of the configuration fits no snapshot"));
    }
    Ok(())
}

fn nothing(words: &str) -> Fault {
    Fault::new(ExitCode::Refused, "E_NO_MATCH", format!("{words}; nothing was forgotten"))
}

fn refuse(option: &str, name: &str, there: impl Iterator<Item = String>) -> Fault {
    let there: BTreeSet<String> = there.collect();
    let shown: Vec<_> = there.iter().take(SHOWN_MAX).map(|name| format!("{name:?}")).collect();
    let more = if there.len() > SHOWN_MAX { ", …" } else { "" };
    let hint = match shown.is_empty() {
        true => "no snapshot has a tag; if that is meant: --allow-no-match".to_owned(),
        false => format!("there are {}{more}; if it is meant: --allow-no-match", shown.join(", ")),
    };
    nothing(&format!("{option} {name:?} fits no snapshot")).hint(hint)
}
