//! Command lines of jobs: what somebody would type.

use std::ffi::OsString;

use agent::config::schedule::{Entry, JobKind};
use agent::config::source::Source;
use agent::plan::Plan;
use agent::span::Span;

/// A part of a run: its name and the words behind the options of every command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name within the run: that of the source for a backup.
    pub name: String,
    /// The words.
    pub words: Vec<OsString>,
}

/// A drill without a kind draws files.
const DRILL: &str = "sample";
/// The kind of drill that only sources with a preset have.
const DATABASE: &str = "database";
/// A report without a form is for a browser.
const FORMAT: &str = "html";

/// What a run consists of; `now` ends the names of reports.
#[must_use]
pub fn parts(plan: &Plan, job: JobKind, entry: &Entry, now: &str) -> Vec<Part> {
    let plain = |words: &[&str]| {
        let words = words.iter().map(OsString::from).collect();
        vec![Part { name: job.name().to_owned(), words }]
    };
    match job {
        JobKind::Backup => plan.sources.iter().map(|source| backup(plan, source)).collect(),
        JobKind::Forget => plain(&["forget"]),
        JobKind::Prune => plain(&["prune"]),
        JobKind::Check if entry.read_data => plain(&["check", "--read-data"]),
        JobKind::Check => match entry.rotate {
            Some(rotate) => plain(&["check", "--rotate", &days(rotate)]),
            None => plain(&["check"]),
        },
        JobKind::Drill => drills(plan, entry),
        JobKind::Report => reports(plan, entry, now),
    }
}

/// `check --rotate` counts in days.
fn days(span: Span) -> String {
    format!("{}d", span.seconds().div_ceil(86_400).max(1))
}

/// A dump of databases.
fn dump(plan: &Plan, source: &Source, preset: &str) -> Part {
    let mut words: Vec<OsString> = vec!["database".into(), "dump".into()];
    words.push(format!("--preset={preset}").into());
    words.push(format!("--source={}", source.name).into());
    words.push(format!("--host={}", plan.host).into());
    words.extend(source.tags.iter().map(|tag| OsString::from(format!("--tag={tag}"))));
    words.extend(source.server.iter().map(|it| OsString::from(format!("--server={it}"))));
    if let Some(file) = &source.login_file {
        let mut word = OsString::from("--login-file=");
        word.push(file);
        words.push(word);
    }
    words.push("--".into());
    // Behind the second one a name that begins with a dash is one.
    if preset != "sqlite" && !source.databases.is_empty() {
        words.push("--".into());
    }
    words.extend(source.databases.iter().map(OsString::from));
    Part { name: source.name.clone(), words }
}

fn backup(plan: &Plan, source: &Source) -> Part {
    if let Some(preset) = &source.preset {
        return dump(plan, source, preset);
    }
    let mut words: Vec<OsString> = vec!["backup".into()];
    // In one word, so that a value that begins with a dash is one.
    let mut option = |name: &str, value: OsString| {
        let mut word = OsString::from(format!("--{name}="));
        word.push(value);
        words.push(word);
    };
    option("host", OsString::from(&plan.host));
    option("tag", source.tag().into());
    for tag in &source.tags {
        option("tag", tag.into());
    }
    for pattern in &source.exclude {
        option("exclude", pattern.into());
    }
    for pattern in &source.iexclude {
        option("iexclude", pattern.into());
    }
    for file in &source.exclude_file {
        option("exclude-file", file.into());
    }
    for marker in &source.exclude_if_present {
        option("exclude-if-present", marker.into());
    }
    if let Some(size) = &source.exclude_larger_than {
        option("exclude-larger-than", size.into());
    }
    let flags = [
        ("--exclude-caches", source.exclude_caches),
        ("--one-file-system", source.one_file_system),
        ("--with-atime", source.with_atime),
        ("--allow-missing", source.allow_missing),
    ];
    let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
    words.extend(flags.map(|(name, _)| OsString::from(name)));
    match &source.command {
        None => {
            words.push("--".into());
            words.extend(source.paths.iter().map(OsString::from));
        }
        Some(command) => {
            let name = source.filename.as_ref().unwrap_or(&source.name).replace('/', "_");
            words.push(OsString::from(format!("--stdin-filename={name}")));
            words.extend(["--stdin-from-command".into(), "--".into()]);
            words.extend(command.0.iter().map(OsString::from));
        }
    }
    Part { name: source.name.clone(), words }
}

/// A drill in a private server.
fn database_drill(plan: &Plan, source: &Source) -> Part {
    let words = ["database", "drill", "latest"].map(OsString::from);
    let named = [format!("--source={}", source.name), format!("--host={}", plan.host)];
    let words = words.into_iter().chain(named.map(OsString::from)).collect();
    Part { name: format!("{DATABASE} {}", source.name), words }
}

/// Each kind of each source; without sources, of whatever is newest.
fn drills(plan: &Plan, entry: &Entry) -> Vec<Part> {
    let kinds = match entry.kinds.is_empty() {
        true => vec![DRILL.to_owned()],
        false => entry.kinds.clone(),
    };
    let drill = |kind: &str, source: Option<&Source>| {
        let mut words = vec!["drill".to_owned(), "latest".to_owned()];
        words.extend(["--kind".to_owned(), kind.to_owned()]);
        let (mut rpo, mut rto) = (plan.objectives.rpo, plan.objectives.rto);
        if let Some(source) = source {
            words.push(format!("--host={}", plan.host));
            words.push(format!("--tag={}", source.tag()));
            (rpo, rto) = (source.rpo.or(rpo), source.rto.or(rto));
        }
        for (name, span) in [("--rpo", rpo), ("--rto", rto)] {
            words.extend(span.into_iter().flat_map(|span| [name.to_owned(), span.to_string()]));
        }
        let name =
            source.map_or_else(|| kind.to_owned(), |source| format!("{kind} {}", source.name));
        Part { name, words: words.into_iter().map(OsString::from).collect() }
    };
    let of_databases = || plan.sources.iter().filter(|source| source.preset.is_some());
    let of_kind = |kind: &String| -> Vec<Part> {
        if kind == DATABASE {
            return of_databases().map(|source| database_drill(plan, source)).collect();
        }
        match plan.sources.as_slice() {
            [] => vec![drill(kind, None)],
            sources => sources.iter().map(|source| drill(kind, Some(source))).collect(),
        }
    };
    kinds.iter().flat_map(of_kind).collect()
}

fn reports(plan: &Plan, entry: &Entry, now: &str) -> Vec<Part> {
    let to = entry.to.clone().unwrap_or_default();
    let formats = match entry.format.is_empty() {
        true => FORMAT.to_owned(),
        false => entry.format.join(","),
    };
    let report = |kind: &String| {
        let mut words: Vec<OsString> = vec!["report".into(), kind.into()];
        words.push(OsString::from(format!("--client={}", plan.client)));
        words.extend(["--format".into(), OsString::from(&formats)]);
        for (name, span) in [("--rpo", plan.objectives.rpo), ("--rto", plan.objectives.rto)] {
            words.extend(span.into_iter().flat_map(|span| [name.into(), span.to_string().into()]));
        }
        let end = match entry.format.as_slice() {
            [] => format!(".{FORMAT}"),
            [only] => format!(".{only}"),
            _ => String::new(),
        };
        let plain = |one: char| if one.is_alphanumeric() { one } else { '-' };
        let client: String = plan.client.chars().map(plain).collect();
        // No file is overwritten, so the name has to be new.
        let file = to.join(format!("{client}-{kind}-{now}{end}"));
        words.extend(["--out".into(), file.into_os_string()]);
        Part { name: kind.clone(), words }
    };
    entry.kinds.iter().map(report).collect()
}
