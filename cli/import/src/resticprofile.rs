//! Profiles of resticprofile: which are meant, what they inherit, and what their sections say.

/// Which profiles.
mod choice;

use std::collections::BTreeSet;

use crate::draft::{Entry, Source};
use crate::restic;
use crate::resticprofile::choice::{choose, profiles_of, repository_of, resolve};
use crate::script::due;
use crate::translate::{Work, clean_name, words_of};
use crate::tree::{Node, Place, Section, Value};

/// Why nothing could be made of profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProfileError {
    /// There is no such profile or group; those that there are.
    Unknown(Vec<String>),
    /// Several that cannot be one configuration.
    Several(Vec<String>),
    /// A profile inherits from itself, or from one that is not there.
    Inherit(Place, &'static str),
}

/// Whether a table looks like one of resticprofile.
pub(crate) fn is_one(top: &[(String, Node)]) -> bool {
    let is_profile = |node: &Node| match &node.value {
        Value::Table(entries) => entries.iter().any(|(name, _)| {
            matches!(
                name.as_str(),
                "backup" | "repository" | "retention" | "password-file" | "inherit"
            )
        }),
        _ => false,
    };
    top.iter().any(|(name, node)| {
        (name == "profiles" && matches!(node.value, Value::Table(_))) || is_profile(node)
    })
}

/// Translates the profiles that are meant.
pub(crate) fn translate(
    work: &mut Work<'_>,
    top: Section,
    wanted: Option<&str>,
) -> Result<(), ProfileError> {
    let mut top = top;
    let mut profiles = profiles_of(&mut top);
    let groups = top.take("groups");
    let chosen = choose(&profiles, groups.as_ref(), wanted)?;
    let mut resolved = Vec::new();
    let mut used = BTreeSet::new();
    for name in &chosen {
        resolved.push(resolve(work, &profiles, name, &mut used)?);
    }
    let repositories: BTreeSet<_> = resolved.iter().map(repository_of).collect();
    if repositories.len() > 1 {
        return Err(ProfileError::Several(chosen));
    }
    if let Some(global) = top.take("global") {
        global_section(work, global.section());
    }
    if let Some(groups) = groups {
        let words = "a configuration has all its sources; --profile with the name of a group takes its profiles";
        work.untold("groups", &groups, words);
    }
    for entry in &mut top.entries {
        if entry.0 == "includes" {
            work.untold_to_do(&entry.1, "give these files to the import, too");
            entry.1.value = Value::Table(Vec::new());
        } else if entry.0 == "version" {
            work.report.missing(&entry.1.place, "the form of the file was understood by it");
            entry.1.value = Value::Table(Vec::new());
        }
    }
    top.entries.retain(|(name, _)| name != "includes" && name != "version");
    work.rest(top);
    profiles.retain(|(name, _)| !used.contains(name));
    for (name, node) in &profiles {
        let words = format!(
            "this profile was not chosen: --profile {} makes a configuration of it",
            clean_name(name, "?")
        );
        work.report.missing(&node.place, words);
    }
    for (name, section) in chosen.iter().zip(resolved) {
        profile(work, name, section);
    }
    Ok(())
}

fn global_section(work: &mut Work<'_>, mut section: Section) {
    if let Some(node) = section.take("priority") {
        match node.text() {
            Some("low" | "idle" | "background" | "Low" | "Idle" | "Background") => {
                work.draft.background = true;
                work.report.same(&node.place, "background");
            }
            _ => work.untold("priority", &node, "there is `background`, and how it is without it"),
        }
    }
    for (name, node) in section.entries {
        work.untold(&name, &node, "a setting of the program resticprofile itself");
    }
}

/// One profile with everything it says.
fn profile(work: &mut Work<'_>, name: &str, mut section: Section) {
    let mut source = Source::named(name);
    for (option, when) in HOOKS {
        if let Some(node) = section.take(option) {
            hooks(work, &node, when);
        }
    }
    if let Some(node) = section.take("env") {
        environment(work, node.section());
    }
    for (part, job) in
        [("retention", "forget"), ("forget", "forget"), ("prune", "prune"), ("check", "check")]
    {
        if let Some(node) = section.take(part) {
            match node.value {
                Value::Table(_) => job_section(work, part, job, node.section()),
                _ => work.untold(part, &node, "a section was expected"),
            }
        }
    }
    // Options for all commands of the profile count where a section does not say otherwise.
    let common: Vec<(String, Node)> = ["host", "tag", "one-file-system"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), section.take(name)?)))
        .collect();
    match section.take("backup") {
        Some(node) if matches!(node.value, Value::Table(_)) => {
            let mut backup_section = node.section();
            for (name, node) in common {
                if backup_section.has(&name) {
                    work.untold(&name, &node, "the section backup says something else");
                } else {
                    backup_section.entries.push((name, node));
                }
            }
            backup(work, &mut source, backup_section);
        }
        Some(node) => work.untold("backup", &node, "a section was expected"),
        None => common
            .iter()
            .for_each(|(name, node)| work.untold(name, node, "there is no section backup")),
    }
    work.add(source);
    for (name, node) in section.entries {
        match name.as_str() {
            "copy" => work.untold(
                &name,
                &node,
                "copies into another repository are not made by themselves yet",
            ),
            "snapshots" | "restore" | "mount" | "ls" | "find" | "stats" | "dump" | "diff"
            | "cache" | "unlock" | "init" | "rewrite" | "tag" | "cat" | "list" | "key" => {
                work.untold(&name, &node, "options of a command that nothing runs by itself");
            }
            "status-file" | "prometheus-save-to-file" | "prometheus-push" | "prometheus-labels" => {
                work.untold(
                    &name,
                    &node,
                    "`mainstay status --json` and `status --check` say where each system stands",
                );
            }
            "description" => work.untold(&name, &node, "write it as a comment"),
            _ if restic::global(work, &name, &node) => {}
            _ => work.untold(&name, &node, "there is nothing like it here"),
        }
    }
}

/// Hooks with their names here.
const HOOKS: [(&str, &str); 4] = [
    ("run-before", "before"),
    ("run-after", "after"),
    ("run-after-fail", "failed"),
    ("run-finally", "finally"),
];

fn hooks(work: &mut Work<'_>, node: &Node, when: &'static str) {
    let Some(lines) = node.texts() else {
        work.untold("", node, "a command or a list of commands was expected");
        return;
    };
    if lines.is_empty() {
        work.report.missing(&node.place, "it says nothing");
    }
    let lines: Vec<_> =
        lines.into_iter().map(|(place, line)| (place.clone(), line.to_owned())).collect();
    for (place, line) in lines {
        match line.contains('\u{e000}') {
            true => work.report.to_do(&place, "it holds a template action; write what it becomes"),
            false => work.hook(&place, &line, when),
        }
    }
}

fn environment(work: &mut Work<'_>, section: Section) {
    for (name, node) in section.entries {
        if name.is_empty() {
            work.untold("env", &node, "names with values were expected");
            continue;
        }
        let upper = name.to_ascii_uppercase();
        match node.text().map(str::to_owned) {
            Some(text) => {
                let value = crate::shell::Word { text, ..crate::shell::Word::default() };
                let key = node.place.key.clone();
                let before = work.report.clone();
                crate::script::assignment(work, &node.place, &upper, &value);
                rename(work, &before, &upper, &key);
            }
            None => work.untold(&upper, &node, "one value was expected"),
        }
    }
}

/// Gives what was said of a variable the place where it stands here.
fn rename(work: &mut Work<'_>, before: &crate::draft::Report, name: &str, key: &str) {
    for remark in &mut work.report.remarks[before.remarks.len()..] {
        if remark.place.key == name {
            remark.place.key = key.to_owned();
        }
    }
    for equivalent in &mut work.report.equivalents[before.equivalents.len()..] {
        if equivalent.place.key == name {
            equivalent.place.key = key.to_owned();
        }
    }
}

fn backup(work: &mut Work<'_>, source: &mut Source, mut section: Section) {
    for (option, when) in HOOKS {
        if let Some(node) = section.take(option) {
            hooks(work, &node, when);
        }
    }
    if let Some(node) = section.take("source") {
        for (place, text) in work.texts(&node) {
            if let Some(path) = work.path(&place, &text) {
                work.report.same(&place, "source.paths");
                source.paths.push(path);
            }
        }
    }
    if let Some(node) = section.take("stdin-command") {
        stream(work, source, &node);
    }
    let entry = schedule(work, &mut section, "backup");
    let place = section.place.clone();
    due(work, "backup", entry, &place);
    for (name, node) in section.entries {
        match name.as_str() {
            "check-before" | "check-after" => {
                if work.flag(&node) == Some(true) {
                    work.report.same(&node.place, "schedule.check");
                    if name == "check-before" {
                        work.report.changed(&node.place, "the check comes after the backup here");
                    }
                    due(work, "check", None, &node.place);
                } else {
                    work.report.missing(&node.place, "there is no check then");
                }
            }
            "stdin" => work.untold(
                &name,
                &node,
                "what is piped in becomes `command` of a source; write it",
            ),
            "source-base" | "source-relative" => {
                work.untold_to_do(
                    &node,
                    "paths are written from the root here; look at those of the source",
                );
            }
            "no-error-on-warning" => {
                work.untold(
                    &name,
                    &node,
                    "a run in which something could not be saved is `partial`, never ok",
                );
            }
            "extended-status" => work.untold(&name, &node, "`mainstay status --json` says it all"),
            _ if restic::backup(work, source, &name, &node) => {}
            _ if restic::global(work, &name, &node) => {}
            _ => work.untold(&name, &node, "there is nothing like it here"),
        }
    }
}

fn stream(work: &mut Work<'_>, source: &mut Source, node: &Node) {
    let lines = work.texts(node);
    match lines.as_slice() {
        [(place, line)] => match words_of(line) {
            _ if work.is_secret(line) => work.secret(place, "command"),
            Some(words) => {
                work.report.same(place, "source.command");
                source.command = words;
            }
            None => work.report.missing(place, "an empty command"),
        },
        _ => lines.iter().for_each(|(place, _)| {
            work.report
                .to_do(place, "the output of several commands: write one `command` for the source");
        }),
    }
}

/// When a section is due, and what belongs to that.
fn schedule(work: &mut Work<'_>, section: &mut Section, job: &str) -> Option<Entry> {
    let node = section.take("schedule");
    let mut at = None;
    match node {
        None => {}
        Some(node) if matches!(node.value, Value::Table(_)) => {
            let mut table = node.section();
            at = table.take("at");
            for (name, node) in table.entries {
                work.untold(&name, &node, "a setting of the scheduler that resticprofile used");
            }
        }
        Some(node) => at = Some(node),
    }
    for (name, words) in SCHEDULING {
        if let Some(node) = section.take(name) {
            work.untold(name, &node, words);
        }
    }
    let node = at?;
    let mut found = None;
    for (place, text) in work.texts(&node) {
        if found.is_some() {
            let words =
                format!("{job} has one calendar here; put this one together with the first");
            work.report.to_do(&place, words);
            continue;
        }
        found = work.calendar(&place, &text, job);
    }
    found.map(|text| Entry::at(&text))
}

/// What stands around schedules.
const SCHEDULING: [(&str, &str); 11] = [
    ("schedule-permission", "the agent runs as the user of its unit"),
    ("schedule-log", "the journal has what the agent says"),
    ("schedule-priority", "`background = true` steps back"),
    ("schedule-lock-mode", "one job of a repository runs at a time, and the next one waits"),
    ("schedule-lock-wait", "a job that finds another one running is tried again by itself"),
    (
        "schedule-ignore-on-battery",
        "schedule.on-battery = \"skip\" or \"defer\" does it for all jobs",
    ),
    ("schedule-ignore-on-battery-less-than", "schedule.min-charge does it for all jobs"),
    ("schedule-after-network-online", "a store that is not there yet is tried again"),
    ("schedule-hide-window", "Windows is not supported"),
    ("schedule-capture-environment", "environment-file has the variables"),
    ("schedule-env-capture", "environment-file has the variables"),
];

/// The sections `retention`, `forget`, `prune` and `check`.
fn job_section(work: &mut Work<'_>, part: &str, job: &'static str, mut section: Section) {
    for (option, _) in HOOKS {
        if let Some(node) = section.take(option) {
            let words =
                format!("a hook around {job}: write it into [hooks] with jobs = [\"{job}\"]");
            work.untold_to_do(&node, &words);
        }
    }
    let mut is_on = part != "retention";
    for name in ["after-backup", "before-backup"] {
        if let Some(node) = section.take(name) {
            match work.flag(&node) {
                Some(true) => {
                    is_on = true;
                    work.report.same(&node.place, "schedule.forget");
                    if name == "before-backup" {
                        work.report.changed(&node.place, "forgetting comes after the backup here");
                    }
                }
                _ => work.report.missing(&node.place, "nothing is forgotten then"),
            }
        }
    }
    let entry = schedule(work, &mut section, job);
    let place = section.place.clone();
    let is_scheduled = entry.is_some();
    let mut read_data = false;
    let mut prunes = false;
    for (name, node) in section.entries {
        match (job, name.as_str()) {
            ("forget", "prune") => {
                prunes = work.flag(&node) == Some(true);
                work.report.same(&node.place, "schedule.prune");
            }
            ("check", "read-data") => {
                read_data = work.flag(&node) == Some(true);
                work.report.same(&node.place, "schedule.check.read-data");
            }
            ("check", "read-data-subset") => work.report.to_do(
                &node.place,
                "a check reads back a share by `rotate`: schedule.check = { …, rotate = \"28d\" }",
            ),
            ("forget" | "prune", option) if restic::forget(work, option, &node) => {}
            (_, option) if restic::global(work, option, &node) => {}
            _ => work.untold(&name, &node, "there is nothing like it here"),
        }
    }
    // A section without a schedule holds options for runs by hand.
    if is_scheduled || (part == "retention" && is_on) {
        due(work, job, entry, &place);
        if let Some(entry) = work.draft.schedule.get_mut(job).filter(|_| job == "check") {
            entry.read_data |= read_data;
        }
        if prunes {
            due(work, "prune", Some(Entry::after("forget")), &place);
        }
    } else if job == "check" {
        work.report
            .changed(&place, "without a schedule it was for runs by hand, and so it is here");
    }
}
