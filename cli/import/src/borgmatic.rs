//! Files of borgmatic, flat or in sections, with their constants, patterns, checks, hooks and databases.

/// How often what is checked.
mod checks;
/// What is dumped.
mod databases;
/// What is left out.
mod filters;
/// Commands around runs.
mod hooks;

use crate::draft::{Entry, Source};
use crate::script::due;
use crate::translate::Work;
use crate::tree::{Node, Place, Section, Value};

/// Sections of the older form.
const SECTIONS: [&str; 6] = ["location", "storage", "retention", "consistency", "output", "hooks"];

/// What is known to have no equivalent, and why that may not matter.
const UNNEEDED: [(&str, &str); 34] = [
    ("compression", "everything is compressed"),
    (
        "encryption_passcommand",
        "the new repository gets its own passphrase (password-command) or a key-file",
    ),
    ("archive_name_format", "a snapshot has its host, its time and the name of its source"),
    ("match_archives", "a snapshot has its host, its time and the name of its source"),
    ("prefix", "a snapshot has its host, its time and the name of its source"),
    ("remote_path", "there is no program on the other side"),
    ("local_path", "there is one program"),
    ("ssh_command", "stores are not reached by ssh"),
    ("remote_rate_limit", "limit-upload and limit-download limit rates"),
    ("chunker_params", "chunks are cut by the format"),
    ("files_cache", "what did not change is found by itself"),
    ("lock_wait", "a job that finds another one running is tried again by itself"),
    ("retries", "schedule.attempts says how often a job is tried"),
    ("retry_wait", "schedule.retry-after says when a job is tried again"),
    ("umask", "a local repository is for its owner alone"),
    ("checkpoint_interval", "a run that is stopped goes on where it was by itself"),
    ("checkpoint_volume", "a run that is stopped goes on where it was by itself"),
    ("borg_base_directory", "the local state is in one folder (cache-dir)"),
    ("borg_config_directory", "the local state is in one folder (cache-dir)"),
    ("borg_cache_directory", "the local state is in one folder (cache-dir)"),
    ("borg_security_directory", "the local state is in one folder (cache-dir)"),
    ("borg_keys_directory", "keys are in the repository, sealed"),
    ("borgmatic_source_directory", "what commands print is saved without a folder for it"),
    ("user_runtime_directory", "what commands print is saved without a folder for it"),
    ("working_directory", "paths are written from the root here; look at those of the source"),
    ("color", "NO_COLOR turns colours off"),
    ("verbosity", "`-v` says more"),
    ("syslog_verbosity", "the journal has what the agent says"),
    ("log_file", "the journal has what the agent says"),
    ("statistics", "a run always says what it did"),
    ("list_details", "`-v` says more"),
    (
        "source_directories_must_exist",
        "a path that is not there always ends a run; allow-missing allows it",
    ),
    ("relocated_repo_access_is_ok", "a repository is known by its id, wherever it lies"),
    ("unknown_unencrypted_repo_access_is_ok", "every repository is encrypted"),
];

/// Services that are told how runs end.
const MONITORS: [&str; 13] = [
    "healthchecks",
    "cronitor",
    "cronhub",
    "pagerduty",
    "ntfy",
    "pushover",
    "uptime_kuma",
    "zabbix",
    "apprise",
    "loki",
    "sentry",
    "pingbetter",
    "telegram",
];

/// Whether a table looks like one of borgmatic.
pub(crate) fn is_one(top: &[(String, Node)]) -> bool {
    top.iter().any(|(name, node)| {
        name == "source_directories"
            || (name == "repositories" && !matches!(node.value, Value::Table(_)))
            || name.ends_with("_databases")
            || name == "patterns"
            || (name == "location" && matches!(node.value, Value::Table(_)))
    })
}

/// Translates a file.
pub(crate) fn translate(work: &mut Work<'_>, top: Section) {
    let mut section = flat(top);
    constants(work, &mut section);
    let mut source = Source::named("files");
    if let Some(node) = section.take("source_directories") {
        for (place, text) in work.texts(&node) {
            saved(work, &mut source, &place, &text);
        }
    }
    repositories(work, &mut section);
    filters::translate(work, &mut source, &mut section);
    for (name, to) in
        [("upload_rate_limit", "limit-upload"), ("remote_upload_rate_limit", "limit-upload")]
    {
        if let Some(node) = section.take(name) {
            work.limit(&node, to);
        }
    }
    if let Some(node) = section.take("upload_buffer_size") {
        work.untold("", &node, "buffers are not set here");
    }
    work.add(source);
    databases::translate(work, &mut section);
    retention(work, &mut section);
    checks::translate(work, &mut section);
    hooks::translate(work, &mut section);
    for (name, node) in section.entries {
        let words = match UNNEEDED.iter().find(|(one, _)| *one == name) {
            Some((_, words)) => format!("not needed: {words}"),
            None if MONITORS.contains(&name.as_str()) => {
                "services are told by a hook here: `after` and `failed` of [hooks], with a script that calls this one; \
                 `mainstay status --check` answers monitors that ask"
                    .to_owned()
            }
            None => "there is nothing like it here".to_owned(),
        };
        match MONITORS.contains(&name.as_str()) {
            // All of it can be a secret: whoever knows the address can say that everything is well.
            true => {
                node.leaves().iter().for_each(|place| work.report.missing(place, words.clone()))
            }
            false => work.untold(&name, &node, &words),
        }
    }
}

/// The older form put what is flat today into sections.
fn flat(top: Section) -> Section {
    let (mut entries, mut within) = (Vec::new(), Vec::new());
    for (name, node) in top.entries {
        match node.value {
            Value::Table(inner) if SECTIONS.contains(&name.as_str()) => within.extend(inner),
            _ => entries.push((name, node)),
        }
    }
    // A name that stands in both counts where it stands today; the other one is left, and named.
    entries.extend(within);
    Section { place: top.place, entries }
}

/// `{name}` in texts is replaced, as borgmatic does before anything else.
fn constants(work: &mut Work<'_>, section: &mut Section) {
    let Some(node) = section.take("constants") else { return };
    let mut known: Vec<(String, Option<String>)> = Vec::new();
    for (name, node) in node.section().entries {
        if name.is_empty() {
            work.untold("constants", &node, "names with values were expected");
            continue;
        }
        if crate::secret::is_secret_name(&name) {
            work.secret(&node.place, &name);
            known.push((name, None));
            continue;
        }
        match node.text() {
            Some(text) => {
                known.push((name, Some(text.to_owned())));
                work.report
                    .changed(&node.place, "constants are not there here: its value was put in");
            }
            None => work.untold("", &node, "a constant that is no text was not put in"),
        }
    }
    for (_, node) in &mut section.entries {
        put_in(node, &known);
    }
}

fn put_in(node: &mut Node, known: &[(String, Option<String>)]) {
    match &mut node.value {
        Value::Text(text) => {
            for (name, value) in known {
                // A secret is not put in: what holds it is said not to be known.
                let value = value.as_deref().unwrap_or("${?}");
                *text = text.replace(&format!("{{{name}}}"), value);
            }
        }
        Value::List(list) => list.iter_mut().for_each(|node| put_in(node, known)),
        Value::Table(table) => table.iter_mut().for_each(|(_, node)| put_in(node, known)),
        Value::Null => {}
    }
}

fn saved(work: &mut Work<'_>, source: &mut Source, place: &Place, text: &str) {
    if let Some(path) = work.path(place, text) {
        work.report.same(place, "source.paths");
        if !source.paths.contains(&path) {
            source.paths.push(path);
        }
    }
}

fn repositories(work: &mut Work<'_>, section: &mut Section) {
    let Some(node) = section.take("repositories") else { return };
    let Value::List(list) = node.value else {
        work.untold("", &node, "a list of repositories was expected");
        return;
    };
    let mut seen = 0;
    for node in list {
        let path = match node.value {
            Value::Table(_) => {
                let mut one = node.section();
                let path = one.take("path");
                for (name, node) in one.entries {
                    work.untold(&name, &node, "it belongs to a repository of Borg");
                }
                path
            }
            _ => Some(node),
        };
        let Some(path) = path else { continue };
        seen += 1;
        match path.text().map(str::to_owned) {
            None => work.untold("", &path, "one location was expected"),
            Some(_) if seen > 1 => work.report.to_do(
                &path.place,
                "a configuration has one repository; write a second file for another one",
            ),
            Some(text) => work.repository(&path.place, &text),
        }
    }
}

fn retention(work: &mut Work<'_>, section: &mut Section) {
    let mut cascades = None;
    for (name, to) in [
        ("keep_within", "keep-within"),
        ("keep_last", "keep-last"),
        ("keep_hourly", "keep-hourly"),
        ("keep_daily", "keep-daily"),
        ("keep_weekly", "keep-weekly"),
        ("keep_monthly", "keep-monthly"),
        ("keep_yearly", "keep-yearly"),
    ] {
        let Some(node) = section.take(name) else { continue };
        let Some(text) = work.text(&node) else { continue };
        let text = text.trim().replace('H', "h");
        if to == "keep-within" && text.ends_with(['S', 'M']) {
            work.report.to_do(
                &node.place,
                "seconds and minutes are not kept here; write hours: `keep-within = \"1h\"`",
            );
            continue;
        }
        work.rule(&node.place, to, &text);
        if !matches!(to, "keep-within" | "keep-last" | "keep-hourly" | "keep-daily") {
            cascades.get_or_insert(node.place.clone());
        }
    }
    if let Some(place) = cascades.filter(|_| work.draft.retention.len() > 1) {
        let words = "each rule counts for itself here, while Borg counts only what no shorter rule has kept: so the \
                     same numbers reach less far back; raise this one if that matters";
        work.report.changed(&place, words);
    }
    if work.draft.retention.is_empty() {
        return;
    }
    due(work, "forget", Some(Entry::after("backup")), &section.place.clone());
    due(work, "prune", Some(Entry::after("forget")), &section.place.clone());
}
