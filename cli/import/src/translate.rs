//! What the translators have in common: paths, patterns, calendars, rules, hooks, places of repositories.

use std::collections::BTreeMap;
use std::path::Path;

use crate::draft::{Beside, Draft, Hook, Kind, Report, Source};
use crate::pattern::{self, Style};
use crate::secret::{holds_credential, is_secret_name};
use crate::tree::{Node, Place, Section};

/// What the program knows and this crate does not.
pub trait Judge {
    /// Whether a calendar can be used, otherwise why not.
    ///
    /// # Errors
    /// Why not.
    fn calendar(&self, text: &str) -> Result<(), String>;
    /// Whether a pattern can be used.
    ///
    /// # Errors
    /// Why not.
    fn pattern(&self, text: &str) -> Result<(), String>;
    /// Whether a size can be used.
    ///
    /// # Errors
    /// Why not.
    fn size(&self, text: &str) -> Result<(), String>;
    /// Whether a span can be the spread of a schedule.
    ///
    /// # Errors
    /// Why not.
    fn spread(&self, text: &str) -> Result<(), String>;
    /// Whether a rule of retention can be used.
    ///
    /// # Errors
    /// Why not.
    fn rule(&self, name: &str, value: &str) -> Result<(), String>;
    /// The location of a repository in our form, and its endpoint.
    ///
    /// # Errors
    /// What to do instead; never with what stands in the location.
    fn location(&self, text: &str) -> Result<(String, Option<String>), String>;
    /// The text of a file that a configuration names.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &Path) -> Result<String, String>;
    /// Home folder of whoever asks, for `~`.
    fn home(&self) -> Option<String>;
}

/// A translation that goes on.
pub struct Work<'a> {
    /// What the program knows.
    pub judge: &'a dyn Judge,
    /// What will be written.
    pub draft: Draft,
    /// What is said about it.
    pub report: Report,
    /// Variables that may stand in texts; secrets are not among them.
    pub variables: BTreeMap<String, String>,
    /// Values that must not be copied, wherever they stand.
    pub secrets: Vec<String>,
}

/// The longest name of a source.
const NAME_MAX_CHARS: usize = 100;
/// A shorter secret would be found in every second word.
const SECRET_MIN_BYTES: usize = 4;

impl<'a> Work<'a> {
    /// Begins.
    pub fn new(judge: &'a dyn Judge) -> Self {
        let (draft, report) = (Draft::default(), Report::default());
        let (variables, secrets) = (BTreeMap::new(), Vec::new());
        Self { judge, draft, report, variables, secrets }
    }

    /// Notes all values under secret names, so that none is copied from another place.
    pub fn learn_secrets(&mut self, node: &Node) {
        use crate::tree::Value;
        match &node.value {
            Value::Table(table) => {
                for (name, node) in table {
                    match (is_secret_name(name), node.text()) {
                        (true, Some(text)) => self.learn(text),
                        _ => self.learn_secrets(node),
                    }
                }
            }
            Value::List(list) => list.iter().for_each(|node| self.learn_secrets(node)),
            Value::Null | Value::Text(_) => {}
        }
    }

    /// Notes one.
    pub fn learn(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() >= SECRET_MIN_BYTES && !secret.starts_with(['$', '{', '/']) {
            self.secrets.push(secret.to_owned());
        }
    }

    /// Whether something may not be copied: a secret of the file is in it, or it looks like one.
    pub(crate) fn is_secret(&self, text: &str) -> bool {
        holds_credential(text) || self.copies_secret(text)
    }

    /// Whether a secret of the file is in it.
    pub(crate) fn copies_secret(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| text.contains(secret.as_str()))
    }

    /// Says that a secret stays where it is, and how it comes to the new configuration.
    pub fn secret(&mut self, place: &Place, name: &str) {
        let lower = name.to_ascii_lowercase();
        let words = if lower.starts_with("aws")
            || lower.starts_with("azure")
            || lower.contains("account")
        {
            "credentials of a store belong into a file that only root reads; name it with environment-file"
        } else if lower.contains("restic_password") || lower.contains("encryption") {
            "the new repository gets a passphrase of its own; keep it in a file (password-file), or give this \
             machine a key (key-file)"
        } else {
            "keep it in a file that only root reads; name that with environment-file, or let the command read it"
        };
        self.report.say(Kind::Secret, place, words);
    }

    /// Everything that was not taken has no equivalent; secrets among it are named as such.
    pub fn rest(&mut self, section: Section) {
        for (name, node) in section.entries {
            self.untold(&name, &node, "there is nothing like it here");
        }
    }

    /// Says the same of everything below a node.
    pub fn untold(&mut self, name: &str, node: &Node, words: &str) {
        for leaf in node.leaves() {
            let last = leaf.key.rsplit('.').next().unwrap_or_default().to_owned();
            match is_secret_name(&last) || is_secret_name(name) {
                true => self.secret(&leaf, &last),
                false => self.report.missing(&leaf, words),
            }
        }
    }

    /// The same is to be done about everything below a node.
    pub fn untold_to_do(&mut self, node: &Node, words: &str) {
        for leaf in node.leaves() {
            self.report.to_do(&leaf, words);
        }
    }

    /// The texts of a node with their variables replaced; what cannot be is said.
    pub fn texts(&mut self, node: &Node) -> Vec<(Place, String)> {
        let Some(texts) = node.texts() else {
            self.report.missing_all(node, "a text or a list of texts was expected");
            return Vec::new();
        };
        if texts.is_empty() {
            self.report.missing(&node.place, "it says nothing");
        }
        let texts: Vec<_> =
            texts.into_iter().map(|(place, text)| (place.clone(), text.to_owned())).collect();
        texts
            .into_iter()
            .filter_map(|(place, text)| Some((place.clone(), self.expand(&place, &text)?)))
            .collect()
    }

    /// One text.
    pub fn text(&mut self, node: &Node) -> Option<String> {
        match self.texts(node).as_slice() {
            [(_, text)] => Some(text.clone()),
            [] => None,
            _ => {
                self.report.missing(&node.place, "one text was expected");
                None
            }
        }
    }

    /// Yes or no; anything else is said.
    pub fn flag(&mut self, node: &Node) -> Option<bool> {
        let flag = node.flag();
        if flag.is_none() {
            self.report.missing_all(node, "true or false was expected");
        }
        flag
    }

    /// Replaces `${NAME}` and `${NAME:-default}`.
    pub fn expand(&mut self, place: &Place, text: &str) -> Option<String> {
        let (mut done, mut rest) = (String::new(), text);
        while let Some(at) = rest.find("${") {
            done.push_str(&rest[..at]);
            if done.ends_with('\\') {
                done.pop();
                done.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            let Some(end) = rest[at..].find('}') else { break };
            let inner = &rest[at + 2..at + end];
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            let known = self.variables.get(name).map(String::as_str);
            let home = (name == "HOME").then(|| self.judge.home()).flatten();
            match known.map(str::to_owned).or(home).or(default.map(str::to_owned)) {
                Some(value) if !is_secret_name(name) => {
                    done.push_str(&value);
                    let words =
                        "variables are not replaced here: what this one means now was written";
                    self.report.changed(place, words);
                }
                _ => {
                    let words = "it holds a variable whose value is not known; write the value";
                    self.report.to_do(place, words);
                    return None;
                }
            }
            rest = &rest[at + end + 1..];
        }
        done.push_str(rest);
        if done.contains(['\u{e000}', '\u{e001}']) {
            self.report.to_do(place, "it holds a template action; write what it becomes");
            return None;
        }
        Some(done)
    }

    /// A path that is saved, absolute and without wildcards.
    pub fn path(&mut self, place: &Place, text: &str) -> Option<String> {
        let mut path = match (text, text.strip_prefix("~/"), self.judge.home()) {
            ("~", _, Some(home)) => {
                self.report.changed(place, "`~` is the home folder of whoever made this");
                home
            }
            (_, Some(rest), Some(home)) => {
                self.report.changed(place, "`~` is the home folder of whoever made this");
                format!("{}/{rest}", home.trim_end_matches('/'))
            }
            _ => text.to_owned(),
        };
        if path.starts_with('~') || path.contains(['$', '`']) {
            self.report
                .to_do(place, "what the shell makes of this path is not known; write the path");
            return None;
        }
        if path.trim().is_empty() || path.contains('\0') {
            self.report.missing(place, "it is no path");
            return None;
        }
        if let Some(at) = path.find(['*', '?', '[', '{']) {
            let end = path[..at].rfind('/').unwrap_or(0);
            if end == 0 {
                let words =
                    "paths have no wildcards here, and the folder above is `/`; name the paths";
                self.report.to_do(place, words);
                return None;
            }
            path.truncate(end);
            self.report.changed(place, "paths have no wildcards here: the whole folder is saved");
        }
        if !path.starts_with('/') {
            let words =
                "a relative path begins at the folder of the configuration; write it from the root";
            self.report.to_do(place, words);
        }
        Some(path)
    }

    /// Patterns as restic has them, which are ours.
    pub fn pattern(&mut self, place: &Place, text: &str, to: &str, list: &mut Vec<String>) {
        match self.judge.pattern(text) {
            _ if text.trim().is_empty() => self.report.missing(place, "an empty pattern"),
            Ok(()) => {
                self.report.same(place, to);
                list.push(text.to_owned());
            }
            Err(why) => self.report.to_do(place, format!("this pattern cannot be used: {why}")),
        }
    }

    /// A pattern of Borg.
    pub fn borg_pattern(&mut self, place: &Place, text: &str, style: Style) -> Vec<String> {
        let translated = match pattern::of_borg(text, style) {
            Ok(translated) => translated,
            Err(why) => {
                let words = format!("this pattern was left out, so more is saved: {why}");
                self.report.to_do(place, words);
                return Vec::new();
            }
        };
        if let Some(why) = translated.patterns.iter().find_map(|one| self.judge.pattern(one).err())
        {
            let words = format!("this pattern was left out, so more is saved: {why}");
            self.report.to_do(place, words);
            return Vec::new();
        }
        self.report.same(place, "source.exclude");
        if let Some(words) = translated.remark {
            self.report.changed(place, words);
        }
        translated.patterns
    }

    /// A calendar that can be used; otherwise it is said.
    pub fn calendar(&mut self, place: &Place, text: &str, job: &str) -> Option<String> {
        match self.judge.calendar(text) {
            Ok(()) => {
                self.report.same(place, &format!("schedule.{job}"));
                Some(text.to_owned())
            }
            Err(why) => {
                self.report.to_do(place, format!("this calendar cannot be used for {job}: {why}"));
                None
            }
        }
    }

    /// A rule of retention.
    pub fn rule(&mut self, place: &Place, name: &str, value: &str) {
        let value = if value == "-1" { "unlimited" } else { value };
        if value == "0" {
            self.report.missing(place, "0 keeps nothing, which is what no rule does");
            return;
        }
        if let Err(why) = self.judge.rule(name, value) {
            self.report.to_do(place, format!("{name} cannot be used: {why}"));
            return;
        }
        match self.draft.retention.iter().find(|(one, _)| one == name) {
            Some((_, old)) if old != value => {
                let words =
                    format!("{name} is {old} in another place; there is one section [retention]");
                self.report.changed(place, words);
            }
            Some(_) => self.report.same(place, &format!("retention.{name}")),
            None => {
                self.draft.retention.push((name.to_owned(), value.to_owned()));
                self.report.same(place, &format!("retention.{name}"));
            }
        }
    }

    /// A command around jobs, as a line that a shell read.
    pub fn hook(&mut self, place: &Place, line: &str, when: &'static str) {
        if self.is_secret(line) {
            let words = "the command seems to hold a secret and was not copied; put it into a script of its own";
            self.report.say(Kind::Secret, place, words);
            return;
        }
        let Some(run) = words_of(line) else {
            self.report.missing(place, "an empty command");
            return;
        };
        self.report.same(place, &format!("hooks.{when}"));
        let words = format!(
            "hooks.{when} stands around `backup`, gets MAINSTAY_ variables and no others of the old program, and \
             ends after 10m; read it before it runs"
        );
        self.report.changed(place, words);
        let hook = Hook { run, on_failure: None, timeout: None };
        let list = self.draft.hooks.entry(when).or_default();
        if !list.contains(&hook) {
            list.push(hook);
        }
    }

    /// The place of a repository, which stays what it is.
    pub fn repository(&mut self, place: &Place, text: &str) {
        if text.contains(['$', '\u{e000}']) {
            let words = "repositories of others are not read; make one with `mainstay init` in a place of its own";
            self.report.to_do(place, words);
            return;
        }
        match self.judge.location(text) {
            Ok((location, endpoint)) => {
                let location = location.trim_end_matches('/');
                let within = location.split_once("://").map_or(location, |(_, rest)| rest);
                let location = match location.contains("://") && !within.contains('/') {
                    true => format!("{location}/mainstay"),
                    false => format!("{location}-mainstay"),
                };
                let words = "repositories of others are not read; make one beside it with `mainstay init`, and take \
                     the `#` from the line repo";
                self.report.to_do(place, words);
                self.draft.beside.get_or_insert(Beside { location, endpoint });
            }
            Err(instead) => {
                let words = format!(
                    "repositories of others are not read, and there is no such store here; {instead}"
                );
                self.report.to_do(place, words);
            }
        }
    }

    /// Limits of rates in KiB per second.
    pub fn limit(&mut self, node: &Node, name: &'static str) {
        let Some(text) = self.text(node) else { return };
        match text.trim().parse::<u32>() {
            Ok(0) => self.report.missing(&node.place, "0 is no limit, which is the default"),
            Ok(limit) => {
                self.report.same(&node.place, name);
                match name {
                    "limit-upload" => self.draft.limit_upload = Some(limit),
                    _ => self.draft.limit_download = Some(limit),
                }
            }
            Err(_) => {
                self.report.missing(&node.place, "a whole number of KiB per second was expected")
            }
        }
    }

    /// Adds a source, its name made unique; one that saves nothing is left out.
    pub fn add(&mut self, mut source: Source) {
        if source.paths.is_empty() && source.command.is_empty() {
            return;
        }
        let name = clean_name(&source.name, "files");
        source.name = name.clone();
        let mut number = 2;
        while self.draft.sources.iter().any(|one| one.name == source.name) {
            source.name = format!("{name}-{number}");
            number += 1;
        }
        self.draft.sources.push(source);
    }
}

/// A name without what names cannot have.
pub(crate) fn clean_name(name: &str, otherwise: &str) -> String {
    let name: String = name
        .chars()
        .map(|letter| {
            if letter.is_control() || matches!(letter, ',' | '\u{e000}' | '\u{e001}') {
                '-'
            } else {
                letter
            }
        })
        .take(NAME_MAX_CHARS - 8)
        .collect();
    match name.trim() {
        "" => otherwise.to_owned(),
        name => name.to_owned(),
    }
}

/// The words of a line if it is a plain command, otherwise a shell with the line.
pub(crate) fn words_of(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    if line.is_empty() || line.contains('\0') {
        return None;
    }
    let for_shell = |one: char| "|&;<>()$`*?[]{}~!#=\n\\".contains(one);
    match shlex::split(line) {
        Some(words) if !line.contains(for_shell) && !words.is_empty() => Some(words),
        _ => Some(["sh", "-c", line].map(str::to_owned).to_vec()),
    }
}
