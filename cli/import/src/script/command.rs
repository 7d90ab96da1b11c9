//! One command of restic: its options, what it saves, which job it is.

use crate::draft::{Kind, Source};
use crate::restic::{self, FLAGS, SHORT, SHORT_FORGET};
use crate::script::{Asked, Gathered};
use crate::shell::{Command, Word};
use crate::translate::Work;
use crate::tree::{Node, Place, Value};

/// Options and paths of a command of restic.
pub(super) fn restic_words(
    work: &mut Work<'_>,
    gathered: &mut Gathered,
    place: &Place,
    words: &[Word],
    piped: Option<&Command>,
    calendar: Option<&str>,
    file: &str,
) {
    let (options, operands) = split_options(place, words);
    let command =
        operands.first().map(|node| node.text().unwrap_or_default().to_owned()).unwrap_or_default();
    let job = match command.as_str() {
        "backup" => "backup",
        "forget" => "forget",
        "prune" => "prune",
        "check" => "check",
        _ => {
            work.report.missing(place, "this command of restic is no job of a configuration");
            return;
        }
    };
    let mut asked = Asked {
        job,
        place: place.clone(),
        calendar: calendar.map(str::to_owned),
        file: file.to_owned(),
        with_prune: false,
        read_data: false,
    };
    let mut source = Source::named(if file.is_empty() { "files" } else { file });
    let mut is_command = false;
    for (name, node) in options {
        let name = name.as_str();
        let known = match (job, name) {
            ("forget", "prune") => {
                asked.with_prune = true;
                true
            }
            ("check", "read-data" | "read-data-subset") => {
                asked.read_data = name == "read-data";
                if !asked.read_data {
                    let words = "a check reads back a share by `rotate`: schedule.check = { …, rotate = \"28d\" }";
                    work.report.to_do(&node.place, words);
                }
                true
            }
            ("backup", "stdin" | "stdin-from-command") => {
                is_command = name == "stdin-from-command";
                work.report.same(&node.place, "source.command");
                true
            }
            ("backup", name) => restic::backup(work, &mut source, name, &node),
            ("forget", name) => restic::forget(work, name, &node),
            _ => false,
        };
        if !known && !restic::global(work, name, &node) {
            work.untold(name, &node, "there is nothing like this option here");
        }
    }
    if job == "backup" {
        saved(work, place, &mut source, &operands[1..], is_command, piped);
        work.add(source);
    }
    gathered.asked.push(asked);
}

/// What `backup` is to save: paths, or what a command prints.
fn saved(
    work: &mut Work<'_>,
    place: &Place,
    source: &mut Source,
    operands: &[Node],
    is_command: bool,
    piped: Option<&Command>,
) {
    if is_command {
        let words = operands.iter().filter_map(Node::text).map(str::to_owned).collect();
        stream(work, place, source, words);
    } else if let Some(piped) = piped {
        let words = piped.words.iter().map(|word| word.text.clone()).collect();
        if piped.is_piped || piped.words.iter().any(|word| word.is_unknown) {
            work.report
                .to_do(place, "what is piped into restic becomes `command` of a source; write it");
        } else {
            stream(work, place, source, words);
        }
    } else {
        for node in operands {
            let Some(path) = work.path(&node.place, node.text().unwrap_or_default()) else {
                continue;
            };
            work.report.same(&node.place, "source.paths");
            source.paths.push(path);
        }
    }
}

fn stream(work: &mut Work<'_>, place: &Place, source: &mut Source, words: Vec<String>) {
    if work.is_secret(&words.join(" ")) {
        let words = "the command seems to hold a secret and was not copied; put it into a script of its own";
        work.report.say(Kind::Secret, place, words);
        return;
    }
    if let Some(name) = &source.filename {
        source.name = name.clone();
    }
    source.command = words;
}

/// Options with their values, and the other words; unknown words become nodes that cannot be expanded.
fn split_options(place: &Place, words: &[Word]) -> (Vec<(String, Node)>, Vec<Node>) {
    let is_forget = words.iter().any(|word| word.text == "forget");
    let node = |key: &str, word: Option<&Word>, inline: Option<&str>| {
        let text = match (inline, word) {
            (_, Some(word)) if word.is_unknown => "${?}".to_owned(),
            (Some(text), _) => text.to_owned(),
            (None, Some(word)) => word.text.clone(),
            (None, None) => "true".to_owned(),
        };
        Node { place: place.below(key, place.line), value: Value::Text(text) }
    };
    let (mut options, mut operands) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    let mut only_operands = false;
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        if only_operands || text == "-" || !text.starts_with('-') {
            let key = if operands.is_empty() { "command" } else { "operand" };
            operands.push(node(key, Some(word), None));
        } else if text == "--" {
            only_operands = true;
        } else if let Some(long) = text.strip_prefix("--") {
            let (name, inline) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let is_flag = inline.is_none() && (FLAGS.contains(&name) || name == "verbose");
            let value = if is_flag || inline.is_some() {
                Some(word).filter(|one| one.is_unknown)
            } else {
                words.next()
            };
            options.push((name.to_owned(), node(&format!("--{name}"), value, inline)));
        } else {
            let mut letters = text[1..].chars();
            while let Some(letter) = letters.next() {
                let forget = SHORT_FORGET.iter().filter(|_| is_forget);
                let name = forget.chain(&SHORT).find(|(one, _)| *one == letter);
                let name = name.map_or_else(|| letter.to_string(), |(_, name)| (*name).to_owned());
                if FLAGS.contains(&name.as_str()) || name == "verbose" {
                    options.push((name.clone(), node(&format!("--{name}"), None, None)));
                    continue;
                }
                let rest: String = letters.by_ref().collect();
                let inline = (!rest.is_empty()).then_some(rest.trim_start_matches('='));
                let value = if inline.is_some() { None } else { words.next() };
                options.push((name.clone(), node(&format!("--{name}"), value, inline)));
            }
        }
    }
    (options, operands)
}
