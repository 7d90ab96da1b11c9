//! From files to a configuration: what they are, who translates them, and what is missing at the end.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::draft::{Draft, Entry, Report};
use crate::read::{self, ReadError, TEXT_MAX_BYTES, bare};
use crate::render::render;
use crate::resticprofile::{self, ProfileError};
use crate::script::{self, Gathered, stem};
use crate::translate::clean_name;
use crate::tree::{Node, Place, Value, lay_over};
use crate::{borgmatic, template};

pub use crate::translate::{Judge, Work};

/// Whose configuration it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Environments, scripts, crontabs and units around restic.
    ResticEnv,
    /// resticprofile.
    Resticprofile,
    /// borgmatic.
    Borgmatic,
}

impl Origin {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResticEnv => "restic-env",
            Self::Resticprofile => "resticprofile",
            Self::Borgmatic => "borgmatic",
        }
    }
}

/// A file that is read.
#[derive(Debug, Clone)]
pub struct Input {
    /// As it was named.
    pub name: String,
    /// The folder that it lies in.
    pub folder: PathBuf,
    /// What it says.
    pub text: String,
}

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// Whose it is, if that is not to be found out.
    pub from: Option<Origin>,
    /// The name of the organisation.
    pub client: Option<&'a str>,
    /// A profile or a group of resticprofile.
    pub profile: Option<&'a str>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Whose it was.
    pub from: Origin,
    /// The configuration, as TOML.
    pub text: String,
    /// What it holds.
    pub draft: Draft,
    /// What was translated, and what a person should know.
    pub report: Report,
}

/// Why there is no configuration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be understood.
    #[error("{file}{}: {why}", line_words(*line))]
    Unreadable {
        /// Which.
        file: String,
        /// Its line; 0 if it is not known.
        line: usize,
        /// Why; never with what stands there.
        why: String,
    },
    /// No file is a configuration of the three.
    #[error("{0}: this is no configuration of restic, resticprofile or borgmatic")]
    Unknown(String),
    /// No profile is meant.
    #[error("no profile of that name says what is saved")]
    NoProfile {
        /// Those that there are.
        names: Vec<String>,
    },
    /// The profiles have different repositories.
    #[error("these profiles have repositories of their own, so they are several configurations")]
    Profiles {
        /// Which.
        names: Vec<String>,
    },
    /// More than one configuration of borgmatic.
    #[error("{0}: a second configuration of borgmatic")]
    Second(String),
    /// Nothing is saved by it.
    #[error("nothing in it says what is backed up")]
    NoSource {
        /// What was said until then.
        report: Box<Report>,
    },
}

fn line_words(line: usize) -> String {
    if line == 0 { String::new() } else { format!(", line {line}") }
}

/// What is proposed if nothing says when.
const USUAL_CALENDAR: &str = "01:30";
/// Files that include others, one below the other.
const INCLUDES_MAX: usize = 8;

enum Content {
    Tree(Node),
    Lines,
}

/// Makes a configuration of files.
///
/// # Errors
/// [`ImportError`], never with a value that stands in the files.
pub fn import(
    inputs: &[Input],
    wanted: &Wanted<'_>,
    judge: &dyn Judge,
) -> Result<Imported, ImportError> {
    let mut work = Work::new(judge);
    let mut trees: Vec<(Rc<str>, Node)> = Vec::new();
    let mut gathered = Gathered::default();
    let mut lines: Vec<(Rc<str>, &str)> = Vec::new();
    let mut origin = wanted.from;
    for input in inputs {
        let name: Rc<str> = Rc::from(clean_file(&input.name).as_str());
        let (content, found) = content(input, wanted.from, judge)?;
        origin = match (origin, found) {
            (None | Some(Origin::ResticEnv), Origin::Resticprofile | Origin::Borgmatic)
                if wanted.from.is_none() =>
            {
                Some(found)
            }
            (None, found) => Some(found),
            (origin, _) => origin,
        };
        match content {
            Content::Tree(mut node) => {
                node.settle(Place {
                    file: Rc::clone(&name),
                    key: String::new(),
                    line: node.place.line,
                });
                work.learn_secrets(&node);
                trees.push((name, node));
            }
            Content::Lines => lines.push((name, &input.text)),
        }
    }
    for (name, text) in lines {
        script::read(&mut work, &mut gathered, &name, text).map_err(|line| {
            ImportError::Unreadable {
                file: name.to_string(),
                line,
                why: "this line of a unit is not understood".to_owned(),
            }
        })?;
    }
    let origin = origin.unwrap_or(Origin::ResticEnv);
    script::schedule(&mut work, &gathered);
    work.variables.retain(|name, _| !matches!(name.as_str(), "PATH"));
    translate(&mut work, origin, trees, wanted)?;
    finish(&mut work, inputs, wanted)?;
    let names: Vec<_> = inputs.iter().map(|input| clean_file(&input.name)).collect();
    let text = render(&work.draft, &work.report, &names.join(", "));
    Ok(Imported { from: origin, text, draft: work.draft, report: work.report })
}

fn clean_file(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

fn translate(
    work: &mut Work<'_>,
    origin: Origin,
    trees: Vec<(Rc<str>, Node)>,
    wanted: &Wanted<'_>,
) -> Result<(), ImportError> {
    match origin {
        Origin::ResticEnv => {
            if let Some((name, _)) = trees.into_iter().next() {
                return Err(ImportError::Unknown(name.to_string()));
            }
            Ok(())
        }
        Origin::Borgmatic => {
            for (number, (name, node)) in trees.into_iter().enumerate() {
                if number > 0 {
                    return Err(ImportError::Second(name.to_string()));
                }
                borgmatic::translate(work, node.section());
            }
            Ok(())
        }
        Origin::Resticprofile => {
            let (mut entries, mut covered) = (Vec::new(), Vec::new());
            let mut place = Place { file: Rc::from(""), key: String::new(), line: 0 };
            for (_, node) in trees {
                place = node.place.clone();
                lay_over(&mut entries, node.section().entries, &mut covered);
            }
            for node in covered {
                work.untold("", &node, "a later file says something else");
            }
            let top = Node { place, value: Value::Table(entries) }.section();
            resticprofile::translate(work, top, wanted.profile).map_err(|error| match error {
                ProfileError::Unknown(names) => ImportError::NoProfile { names },
                ProfileError::Several(names) => ImportError::Profiles { names },
                ProfileError::Inherit(place, why) => ImportError::Unreadable {
                    file: place.file.to_string(),
                    line: place.line,
                    why: format!("the profile {} {why}", place.key),
                },
            })
        }
    }
}

/// Reads a file as what it seems to be.
fn content(
    input: &Input,
    from: Option<Origin>,
    judge: &dyn Judge,
) -> Result<(Content, Origin), ImportError> {
    let unreadable = |error: ReadError| ImportError::Unreadable {
        file: clean_file(&input.name),
        line: error.line,
        why: error.why,
    };
    if input.text.len() > TEXT_MAX_BYTES {
        return Err(unreadable(ReadError::at(0, "it is longer than 1 MiB")));
    }
    if let Some(at) = input.text.find('\0') {
        let line = input.text[..at].matches('\n').count() + 1;
        return Err(unreadable(ReadError::at(line, "this is no text")));
    }
    if from == Some(Origin::ResticEnv) || is_lines(&input.text) {
        return Ok((Content::Lines, Origin::ResticEnv));
    }
    let tree = tree(input, judge);
    let top = match &tree {
        Ok(Node { value: Value::Table(entries), .. }) => entries.as_slice(),
        _ => &[],
    };
    let found = match (from, borgmatic::is_one(top), resticprofile::is_one(top)) {
        (Some(from), ..) => Some(from),
        (None, true, _) => Some(Origin::Borgmatic),
        (None, false, true) => Some(Origin::Resticprofile),
        (None, false, false) => None,
    };
    match (tree, found) {
        (Ok(node), Some(found)) if matches!(node.value, Value::Table(_)) => {
            Ok((Content::Tree(node), found))
        }
        (Ok(node), Some(_)) => {
            Err(unreadable(ReadError::at(node.place.line, "it holds no names with values")))
        }
        (Err(error), _) => Err(unreadable(error)),
        (Ok(_), None) => Err(ImportError::Unknown(clean_file(&input.name))),
    }
}

/// Whether a text is made of lines of a shell, a crontab or a unit.
fn is_lines(text: &str) -> bool {
    if text.starts_with("#!") {
        return true;
    }
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let (mut fitting, mut others) = (0_usize, 0_usize);
    let mut is_toml = false;
    for line in lines {
        let bare = line.strip_prefix("export ").unwrap_or(line);
        let assigns = bare.split_once('=').is_some_and(|(name, _)| crate::shell::is_name(name));
        if matches!(line, "[Unit]" | "[Service]" | "[Timer]" | "[Install]") {
            return true;
        }
        is_toml |= line.starts_with('[') || line.ends_with(['{', ':']);
        let runs = ["restic ", "borgmatic", "resticprofile", "set -", "exec "]
            .iter()
            .any(|it| line.contains(it))
            && !line.contains(": ");
        match assigns || runs || script::cron_line(line).is_some() {
            true => fitting += 1,
            false => others += 1,
        }
    }
    fitting > 0 && fitting >= others && !is_toml
}

fn tree(input: &Input, judge: &dyn Judge) -> Result<Node, ReadError> {
    let text = input.text.trim_start_matches('\u{feff}');
    let text = template::resolve(text)?;
    let ending =
        Path::new(&input.name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if text.trim_start().starts_with('{') {
        return read::json(&text);
    }
    let is_toml = match ending {
        "toml" | "conf" => true,
        "yaml" | "yml" => false,
        _ => text.lines().map(str::trim).any(|line| line.starts_with('[') && line.ends_with(']')),
    };
    if is_toml { read::toml(&text) } else { yaml(&text, &input.folder, judge, 0) }
}

fn yaml(text: &str, folder: &Path, judge: &dyn Judge, depth: usize) -> Result<Node, ReadError> {
    read::yaml::read(text, &mut |tag, node| {
        let line = node.place.line;
        match tag {
            "include" => {
                if depth >= INCLUDES_MAX {
                    return Err(ReadError::at(line, "files include each other"));
                }
                let names: Vec<String> = node
                    .texts()
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(_, name)| name.to_owned())
                    .collect();
                let mut whole = bare(line, Value::Null);
                // The first of several counts most.
                for name in names.iter().rev() {
                    let path = folder.join(name);
                    let text = judge.read(&path).map_err(|why| {
                        ReadError::at(
                            line,
                            format!("the file that is included here cannot be read ({why})"),
                        )
                    })?;
                    let inner = path.parent().unwrap_or(folder);
                    let node = yaml(&text, inner, judge, depth + 1).map_err(|error| {
                        let words = format!(
                            "in the file that is included here, line {}: {}",
                            error.line, error.why
                        );
                        ReadError::at(line, words)
                    })?;
                    match (&mut whole.value, node.value) {
                        (Value::Table(under), Value::Table(over)) => {
                            lay_over(under, over, &mut Vec::new());
                        }
                        (_, value) => whole.value = value,
                    }
                }
                whole.place.key = read::yaml::INCLUDED.to_owned();
                Ok(whole)
            }
            _ => Ok(node),
        }
    })
}

/// What makes the draft whole.
fn finish(work: &mut Work<'_>, inputs: &[Input], wanted: &Wanted<'_>) -> Result<(), ImportError> {
    let name = inputs.first().map_or("", |input| input.name.as_str());
    let place =
        Place { file: Rc::from(clean_file(name).as_str()), key: "client".to_owned(), line: 0 };
    if work.draft.sources.is_empty() {
        return Err(ImportError::NoSource { report: Box::new(std::mem::take(&mut work.report)) });
    }
    work.draft.client = match wanted.client {
        Some(client) => client.to_owned(),
        None => {
            work.report.to_do(
                &place,
                "the organisation is named after the file; write its name as tickets have it",
            );
            clean_name(&stem(name), "client")
        }
    };
    if !work.draft.schedule.contains_key("backup") {
        let place = Place { key: "schedule.backup".to_owned(), ..place.clone() };
        let words = format!(
            "nothing that was given says when it runs: {USUAL_CALENDAR} is a proposal; give the crontab or the timer, too"
        );
        work.report.to_do(&place, words);
        work.draft.schedule.insert("backup", Entry::at(USUAL_CALENDAR));
    }
    let place = Place { key: "schedule.forget".to_owned(), ..place };
    let has_rules = !work.draft.retention.is_empty() || !work.draft.keep_tag.is_empty();
    if work.draft.schedule.contains_key("forget") && !has_rules {
        work.draft.schedule.remove("forget");
        work.report.to_do(&place, "there are no rules to forget by, so nothing is forgotten");
    }
    if !work.draft.schedule.contains_key("forget")
        && work.draft.schedule.get("prune").is_some_and(|entry| entry.after == Some("forget"))
    {
        work.draft.schedule.remove("prune");
    }
    if work.draft.schedule.contains_key("forget") || work.draft.schedule.contains_key("prune") {
        let words = "forgetting and pruning need a key that may do so; where machines must not, take these lines out \
                     and let another machine do it";
        work.report.to_do(&place, words);
    }
    Ok(())
}
