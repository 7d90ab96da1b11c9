//! Commands around runs of borgmatic: single lists, and `commands:` of version 2.

use crate::translate::Work;
use crate::tree::{Node, Section, Value};

/// Lists of commands with their place here; the last two stood around everything.
const LISTS: [(&str, &str, Option<&str>); 7] = [
    ("before_backup", "before", None),
    ("after_backup", "after", None),
    ("before_actions", "before", Some("it ran before every action; here before backups")),
    ("after_actions", "finally", Some("it ran after every action; here after backups")),
    ("on_error", "failed", None),
    (
        "before_everything",
        "before",
        Some("it ran once before all files of borgmatic; here before backups of this one"),
    ),
    (
        "after_everything",
        "finally",
        Some("it ran once after all files of borgmatic; here after backups of this one"),
    ),
];

/// Lists around other actions, with the job here.
const OTHER: [(&str, &str); 8] = [
    ("before_prune", "prune"),
    ("after_prune", "prune"),
    ("before_compact", "prune"),
    ("after_compact", "prune"),
    ("before_check", "check"),
    ("after_check", "check"),
    ("before_extract", "restore"),
    ("after_extract", "restore"),
];

/// Translates them.
pub(super) fn translate(work: &mut Work<'_>, section: &mut Section) {
    for (name, when, words) in LISTS {
        if let Some(node) = section.take(name) {
            lines(work, &node, when, words);
        }
    }
    for (name, job) in OTHER {
        if let Some(node) = section.take(name) {
            let words = match job {
                "restore" => "nothing runs around a restore; write it into your script".to_owned(),
                job => {
                    format!("a hook around {job}: write it into [hooks] with jobs = [\"{job}\"]")
                }
            };
            work.untold_to_do(&node, &words);
        }
    }
    let Some(node) = section.take("commands") else { return };
    let Value::List(list) = node.value else {
        work.untold("", &node, "a list of commands was expected");
        return;
    };
    for node in list {
        command(work, node);
    }
}

fn lines(work: &mut Work<'_>, node: &Node, when: &'static str, words: Option<&str>) {
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
        if let Some(words) = words {
            work.report.changed(&place, words);
        }
        match PLACEHOLDERS.iter().any(|name| line.contains(name)) {
            true => work.report.to_do(
                &place,
                "it uses a placeholder of borgmatic, which hooks do not get; write it with MAINSTAY_OUTCOME and the like",
            ),
            false => work.hook(&place, &line, when),
        }
    }
}

/// What borgmatic puts into commands.
const PLACEHOLDERS: [&str; 7] = [
    "{configuration_filename}",
    "{repository}",
    "{repository_label}",
    "{error}",
    "{output}",
    "{log_file}",
    "${?}",
];

/// One of `commands:`.
fn command(work: &mut Work<'_>, node: Node) {
    let place = node.place.clone();
    if !matches!(node.value, Value::Table(_)) {
        work.untold("", &node, "a command with before, after and run was expected");
        return;
    }
    let mut section = node.section();
    let run = section.take("run");
    let (before, after) = (section.take("before"), section.take("after"));
    let when = section.take("when");
    let states = section.take("states");
    let is_about_backup = match when.as_ref().map(|node| node.texts()) {
        None => true,
        Some(texts) => {
            texts.is_some_and(|texts| texts.iter().any(|(_, action)| *action == "create"))
        }
    };
    let only_fails = states
        .as_ref()
        .and_then(Node::texts)
        .is_some_and(|texts| !texts.is_empty() && texts.iter().all(|(_, state)| *state == "fail"));
    let only_ends_well = states.as_ref().and_then(Node::texts).is_some_and(|texts| {
        !texts.is_empty() && texts.iter().all(|(_, state)| *state == "finish")
    });
    let point = before.as_ref().or(after.as_ref());
    let known = matches!(
        point.and_then(Node::text),
        Some(
            "action"
                | "repository"
                | "configuration"
                | "everything"
                | "dump_data_sources"
                | "error"
        )
    );
    let is_error = point.and_then(Node::text) == Some("error");
    let hook = match (before.is_some(), only_fails || is_error, only_ends_well) {
        _ if !known || !is_about_backup => None,
        (true, ..) => Some("before"),
        (false, true, _) => Some("failed"),
        (false, false, true) => Some("after"),
        (false, false, false) => Some("finally"),
    };
    match (&run, hook) {
        (Some(run), Some(hook)) => {
            lines(work, run, hook, None);
            for node in [&before, &after, &when, &states].into_iter().flatten() {
                node.leaves()
                    .iter()
                    .for_each(|place| work.report.same(place, &format!("hooks.{hook}")));
            }
            if point.and_then(Node::text) != Some("action") {
                let words = "hooks stand around the backup as a whole here";
                point.iter().for_each(|node| work.report.changed(&node.place, words));
            }
        }
        _ => {
            let words =
                "hooks stand around jobs here: write it into [hooks] with the job in `jobs`";
            for node in [&run, &before, &after, &when, &states].into_iter().flatten() {
                work.untold_to_do(node, words);
            }
        }
    }
    let _ = place;
    work.rest(section);
}
