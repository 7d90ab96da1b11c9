//! The draft as TOML, with what a person should know as comments at its head.

use std::fmt::Write;

use crate::draft::{Draft, Entry, Hook, JOBS, Kind, Report, Source};

/// `config check` takes no longer file; the rest is for what people add.
const HEAD_MAX_BYTES: usize = 40 * 1024;

/// Writes everything.
pub(crate) fn render(draft: &Draft, report: &Report, from: &str) -> String {
    let mut text = head(report, from);
    line(&mut text, "client", &quoted(&draft.client));
    text.push_str(
        "# The new repository: make it with `mainstay init`, and give this machine a key of its own.\n",
    );
    match &draft.beside {
        Some(beside) => {
            let _ = writeln!(text, "# repo = {}", quoted(&beside.location));
            if let Some(endpoint) = &beside.endpoint {
                let _ = writeln!(text, "# endpoint = {}", quoted(endpoint));
            }
        }
        None => text.push_str("# repo = \"s3://BUCKET/PREFIX\"\n"),
    }
    text.push_str("# key-file = \"/etc/mainstay/machine.key\"\n");
    let limits = [("limit-upload", draft.limit_upload), ("limit-download", draft.limit_download)];
    for (name, limit) in limits {
        if let Some(limit) = limit {
            line(&mut text, name, &limit.to_string());
        }
    }
    if draft.background {
        line(&mut text, "background", "true");
    }
    for (name, value) in [("host", &draft.host), ("time-zone", &draft.time_zone)] {
        if let Some(value) = value {
            line(&mut text, name, &quoted(value));
        }
    }
    draft.sources.iter().for_each(|one| source(&mut text, one));
    schedule(&mut text, draft);
    retention(&mut text, draft);
    hooks(&mut text, draft);
    text
}

/// The remarks, each on a line.
fn head(report: &Report, from: &str) -> String {
    let mut text = format!("# Made by `mainstay config import` from {}.\n", one_line(from));
    let mut remarks: Vec<_> = report.remarks.iter().collect();
    remarks.sort_by_key(|remark| remark.kind);
    let mut last = None;
    for (number, remark) in remarks.iter().enumerate() {
        if text.len() > HEAD_MAX_BYTES {
            let rest = remarks.len() - number;
            let _ = writeln!(text, "# And {rest} more, which were shown when this was made.");
            break;
        }
        if last != Some(remark.kind) {
            last = Some(remark.kind);
            let heading = match remark.kind {
                Kind::ToDo => "For you to do:",
                Kind::Secret => "Secrets, which were not copied:",
                Kind::Changed => "Means something else here:",
                Kind::Missing => "Has no equivalent here:",
            };
            let _ = writeln!(text, "#\n# {heading}");
        }
        let place = match remark.place.line {
            0 => remark.place.key.clone(),
            line => format!("line {line}, {}", remark.place.key),
        };
        let _ = writeln!(text, "# * {}: {}", one_line(&place), one_line(&remark.words));
    }
    text.push('\n');
    text
}

fn source(text: &mut String, source: &Source) {
    text.push_str("\n[[source]]\n");
    line(text, "name", &quoted(&source.name));
    for (name, values) in [
        ("paths", &source.paths),
        ("command", &source.command),
        ("exclude", &source.exclude),
        ("iexclude", &source.iexclude),
        ("exclude-file", &source.exclude_file),
        ("exclude-if-present", &source.exclude_if_present),
        ("tags", &source.tags),
    ] {
        if !values.is_empty() {
            line(text, name, &list(values));
        }
    }
    let texts =
        [("filename", &source.filename), ("exclude-larger-than", &source.exclude_larger_than)];
    for (name, value) in texts {
        if let Some(value) = value {
            line(text, name, &quoted(value));
        }
    }
    for (name, is_set) in [
        ("exclude-caches", source.exclude_caches),
        ("one-file-system", source.one_file_system),
        ("with-atime", source.with_atime),
    ] {
        if is_set {
            line(text, name, "true");
        }
    }
}

fn schedule(text: &mut String, draft: &Draft) {
    text.push_str("\n[schedule]\n");
    for job in JOBS {
        if let Some(entry) = draft.schedule.get(job) {
            line(text, job, &entry_value(entry));
        }
    }
    if let Some(spread) = &draft.spread {
        line(text, "spread", &quoted(spread));
    }
}

fn entry_value(entry: &Entry) -> String {
    let mut parts = Vec::new();
    let after = entry.after.map(str::to_owned);
    for (name, value) in [
        ("calendar", &entry.calendar),
        ("after", &after),
        ("every", &entry.every),
        ("rotate", &entry.rotate),
    ] {
        if let Some(value) = value {
            parts.push((name, quoted(value)));
        }
    }
    if entry.read_data {
        parts.push(("read-data", "true".to_owned()));
    }
    match parts.as_slice() {
        [("calendar", value)] => value.clone(),
        parts => {
            let parts: Vec<_> =
                parts.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            format!("{{ {} }}", parts.join(", "))
        }
    }
}

fn retention(text: &mut String, draft: &Draft) {
    if draft.retention.is_empty() && draft.keep_tag.is_empty() {
        return;
    }
    text.push_str("\n[retention]\n");
    for (name, value) in &draft.retention {
        let value = match value.parse::<u32>() {
            Ok(number) => number.to_string(),
            Err(_) => quoted(value),
        };
        line(text, name, &value);
    }
    if !draft.keep_tag.is_empty() {
        line(text, "keep-tag", &list(&draft.keep_tag));
    }
}

fn hooks(text: &mut String, draft: &Draft) {
    if draft.hooks.values().all(Vec::is_empty) {
        return;
    }
    text.push_str("\n[hooks]\n");
    for name in ["before", "after", "failed", "finally"] {
        let Some(hooks) = draft.hooks.get(name).filter(|hooks| !hooks.is_empty()) else { continue };
        let hooks: Vec<_> = hooks.iter().map(hook).collect();
        line(text, name, &format!("[\n    {},\n]", hooks.join(",\n    ")));
    }
}

fn hook(hook: &Hook) -> String {
    let mut parts = vec![format!("run = {}", list(&hook.run))];
    if let Some(timeout) = &hook.timeout {
        parts.push(format!("timeout = {}", quoted(timeout)));
    }
    if let Some(word) = hook.on_failure {
        parts.push(format!("on-failure = {}", quoted(word)));
    }
    format!("{{ {} }}", parts.join(", "))
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name} = {value}");
}

fn list(values: &[String]) -> String {
    let values: Vec<_> = values.iter().map(|value| quoted(value)).collect();
    let whole = values.join(", ");
    match whole.len() > 90 {
        true => format!(
            "[{}]",
            values.iter().map(|one| format!("\n    {one},")).collect::<String>() + "\n"
        ),
        false => format!("[{whole}]"),
    }
}

/// A text as TOML has it, always on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Without anything that would end a comment.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
