//! The rules, each a function from what was read to what is wrong with it.
//!
//! What belongs where is data at the top of this file: a new boundary is a new line in a table.

use std::collections::BTreeMap;

use crate::tidy::refer::{Form, Reference, References};
use crate::tidy::source::{Module, SourceFile, Unit};
use crate::tidy::{Rule, Violation};

/// Packages whose modules are floors. Tests of a floor may use all of that floor, whatever the
/// order within it; they may not reach above it.
const LAYERED: [&str; 6] =
    ["engine", "restore-verify", "cli/agent", "cli/alert", "cli/import", "cli"];

/// Modules at the root of `engine` that must not know of each other.
const OPERATIONS: [&str; 8] =
    ["backup", "restore", "check", "retain", "gc", "mount", "copy", "benchmark"];

/// Crates that exactly one place may name: crate, package, module at the root (none: anywhere
/// in the package).
const FOREIGN_CRATES: [(&str, &str, Option<&str>); 16] = [
    ("object_store", "engine", Some("store")),
    ("rusqlite", "engine", Some("index")),
    // A probe of users' databases; the index is a cache of ours and has no business there.
    ("rusqlite", "restore-verify", Some("probe")),
    // What this machine remembers of its nights.
    ("rusqlite", "cli/agent", Some("state")),
    // Files of users that are dumped and drilled.
    ("rusqlite", "cli", Some("database")),
    // What a watcher remembers of tickets and of what channels were told.
    ("rusqlite", "cli/alert", Some("state")),
    ("lettre", "cli/alert", Some("channel")),
    ("croner", "cli/agent", Some("calendar")),
    ("saphyr_parser", "cli/import", Some("read")),
    ("sd_notify", "cli", Some("night")),
    ("krilla", "restore-verify", Some("report")),
    ("maud", "restore-verify", Some("report")),
    ("skrifa", "restore-verify", Some("report")),
    ("clap", "cli", None),
    ("fuser", "cli", Some("command")),
    ("indicatif", "cli", None),
];

/// Pairs of floors of `engine` of which the first must not name the second although it stands
/// above it.
const APART: [(&str, &str); 1] = [("format", "crypt")];

/// Floors of `engine` without I/O and without `async`.
const PURE: [&str; 4] = ["base", "crypt", "chunk", "format"];

/// What a pure floor must not name.
const IMPURE_PATHS: [&[&str]; 4] = [&["std", "fs"], &["std", "net"], &["tokio"], &["futures"]];

/// Names that say nothing about what a module is for.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "misc", "helpers", "helper", "common"];

/// The most lines a file may have.
const FILE_LINES_MAX: usize = 500;

/// The most lines the file in the middle may have.
const MEDIAN_LINES_MAX: usize = 170;

/// Checks what can be seen of one file alone.
pub fn file(file: &SourceFile, violations: &mut Vec<Violation>) {
    let mut report = |line, rule, text: String| {
        violations.push(Violation { file: file.path.clone(), line, rule, text });
    };
    let first = file.text.lines().next().unwrap_or_default();
    if first.strip_prefix("//! ").is_none_or(|text| text.trim().is_empty()) {
        let text = "the first line must be `//!` and one sentence that says what this file is";
        report(1, Rule::MissingDoc, text.to_owned());
    }
    let lines = file.text.lines().count();
    if lines > FILE_LINES_MAX {
        let text = format!("{lines} lines: split the file so that none has over {FILE_LINES_MAX}");
        report(0, Rule::FileLength, text);
    }
}

/// Checks the length of the file in the middle, and returns it.
pub fn median(files: &[SourceFile], violations: &mut Vec<Violation>) -> usize {
    let mut lengths: Vec<usize> = files.iter().map(|file| file.text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    if median > MEDIAN_LINES_MAX {
        violations.push(Violation {
            file: ".".into(),
            line: 0,
            rule: Rule::MedianLength,
            text: format!(
                "half of all files have {median} lines or more: split the long ones until the \
                 middle is at {MEDIAN_LINES_MAX}"
            ),
        });
    }
    median
}

/// Checks the modules of one target against each other.
pub fn unit(unit: &Unit, violations: &mut Vec<Violation>) {
    let references: BTreeMap<&[String], References> = unit
        .modules
        .values()
        .map(|module| (module.path.as_slice(), References::of(&module.items)))
        .collect();
    let exports = exports(unit);
    for module in unit.modules.values() {
        let Some(found) = references.get(module.path.as_slice()) else { continue };
        let mut judge = Judge { unit, module, exports: &exports, violations };
        judge.name();
        found.names.iter().for_each(|reference| judge.reference(reference));
        judge.purity(&found.async_lines);
    }
}

/// Where the names that modules hand on come from: (module, name) to segments from the root.
type Exports = BTreeMap<(Vec<String>, String), Vec<String>>;

fn exports(unit: &Unit) -> Exports {
    let mut exports = Exports::new();
    for module in unit.modules.values() {
        for item in &module.items {
            let syn::Item::Use(item) = item else { continue };
            if matches!(item.vis, syn::Visibility::Inherited) {
                continue;
            }
            let found = References::of(&[syn::Item::Use(item.clone())]);
            for reference in found.names {
                let target = absolute(unit, module, &reference.segments);
                if let (Some(target), Some(name)) = (target, reference.segments.last()) {
                    exports.insert((module.path.clone(), name.clone()), target);
                }
            }
        }
    }
    exports
}

/// The segments from the root of the crate, or nothing if the name is of another crate or local.
fn absolute(unit: &Unit, module: &Module, segments: &[String]) -> Option<Vec<String>> {
    let mut base = module.path.clone();
    let mut rest = segments;
    match segments.first()?.as_str() {
        "crate" => {
            base.clear();
            rest = &segments[1..];
        }
        "self" => rest = &segments[1..],
        "super" => {
            while rest.first().is_some_and(|segment| segment == "super") {
                base.pop()?;
                rest = &rest[1..];
            }
        }
        first => {
            let child: Vec<String> = base.iter().cloned().chain([first.to_owned()]).collect();
            unit.modules.get(&child)?;
        }
    }
    Some(base.into_iter().chain(rest.iter().cloned()).collect())
}

struct Judge<'a> {
    unit: &'a Unit,
    module: &'a Module,
    exports: &'a Exports,
    violations: &'a mut Vec<Violation>,
}

impl Judge<'_> {
    fn report(&mut self, line: usize, rule: Rule, text: String) {
        let file = self.module.file.clone();
        self.violations.push(Violation { file, line, rule, text });
    }

    fn name(&mut self) {
        let Some(name) =
            self.module.path.last().filter(|name| EMPTY_NAMES.contains(&name.as_str()))
        else {
            return;
        };
        self.violations.push(Violation {
            file: self.module.declared_in.clone(),
            line: self.module.line,
            rule: Rule::ModuleName,
            text: format!("`{name}` says nothing: name the module after the one thing it is for"),
        });
    }

    fn reference(&mut self, reference: &Reference) {
        self.form(reference);
        if !LAYERED.contains(&self.unit.package.as_str()) {
            return;
        }
        self.foreign_crate(reference);
        self.impure_path(reference);
        let Some(target) = self.target(reference) else { return };
        let here = self.module.path.clone();
        let shared = here.iter().zip(&target).take_while(|(left, right)| left == right).count();
        let (Some(mine), Some(other)) = (here.get(shared), target.get(shared)) else { return };
        let is_test = self.module.is_test || reference.is_test;
        let in_engine = self.unit.package == "engine" && shared == 0;
        let line = reference.line;
        if in_engine && [mine, other].iter().all(|name| OPERATIONS.contains(&name.as_str())) {
            let text = format!(
                "operation `{mine}` names operation `{other}`: move what both need to a floor \
                 below them, or let the caller join the two"
            );
            self.report(line, Rule::Operation, text);
        } else if in_engine && APART.contains(&(mine.as_str(), other.as_str())) {
            let text = format!(
                "`{mine}` must not know `{other}`: take bytes instead, and join the two higher up"
            );
            self.report(line, Rule::Apart, text);
        } else if (shared == 0 || !is_test)
            && self.position(&target[..=shared]) > self.position(&here[..=shared])
        {
            let text = format!(
                "`{mine}` names `{other}`, which is declared below it: move this code to \
                 `{other}` or higher, or what it needs below `{mine}`"
            );
            self.report(line, Rule::Floor, text);
        }
    }

    fn position(&self, path: &[String]) -> usize {
        self.unit.modules.get(path).map_or(0, |module| module.position)
    }

    /// The module that a name leads to, through any re-exports.
    fn target(&self, reference: &Reference) -> Option<Vec<String>> {
        let mut whole = absolute(self.unit, self.module, &reference.segments)?;
        for _ in 0..8 {
            let depth = (0..=whole.len())
                .rev()
                .find(|depth| self.unit.modules.contains_key(&whole[..*depth]))?;
            let (module, rest) = whole.split_at(depth);
            let export =
                rest.first().and_then(|name| self.exports.get(&(module.to_vec(), name.clone())));
            match export {
                Some(from) => whole = from.iter().chain(&rest[1..]).cloned().collect(),
                None => return Some(module.to_vec()),
            }
        }
        None
    }

    fn form(&mut self, reference: &Reference) {
        let is_test = self.module.is_test || reference.is_test;
        let first = reference.segments.first().map(String::as_str);
        let whole_crate = reference.segments.len() == 1 && first == Some("crate");
        if reference.form == Form::Glob && (!is_test || whole_crate) {
            let text = format!("`use {}::*`: name what is used", reference.segments.join("::"));
            self.report(reference.line, Rule::GlobImport, text);
        }
        if first == Some("super") && !is_test {
            let text = "a path begins with `super`: write it from `crate`".to_owned();
            self.report(reference.line, Rule::SuperPath, text);
        }
    }

    fn foreign_crate(&mut self, reference: &Reference) {
        let Some(first) = reference.segments.first() else { return };
        let here = self.module.path.first().map(String::as_str);
        let homes: Vec<_> = FOREIGN_CRATES.iter().filter(|(name, ..)| first == name).collect();
        let is_at_home = homes.iter().any(|(_, package, place)| {
            self.unit.package == *package && (place.is_none() || *place == here)
        });
        if homes.is_empty() || is_at_home {
            return;
        }
        let home = |(_, package, place): &&(&str, &str, Option<&str>)| {
            place.map_or_else(|| format!("`{package}`"), |at| format!("`{package}::{at}`"))
        };
        let homes: Vec<String> = homes.iter().map(home).collect();
        let text = format!("only {} may name `{first}`: go through it", homes.join(" and "));
        self.report(reference.line, Rule::ForeignCrate, text);
    }

    fn is_pure(&self) -> bool {
        let floor = self.module.path.first().map(String::as_str).unwrap_or_default();
        self.unit.package == "engine" && PURE.contains(&floor)
    }

    fn impure_path(&mut self, reference: &Reference) {
        let impure = IMPURE_PATHS.iter().find(|path| {
            reference.segments.len() >= path.len()
                && reference.segments.iter().zip(path.iter()).all(|(left, right)| left == right)
        });
        if let Some(path) = impure.filter(|_| self.is_pure()) {
            let text = format!(
                "`{}` on a floor without I/O: take bytes and return bytes, and leave the I/O to \
                 a floor above",
                path.join("::")
            );
            self.report(reference.line, Rule::Pure, text);
        }
    }

    fn purity(&mut self, async_lines: &[usize]) {
        if self.is_pure() {
            for line in async_lines {
                let text = "async on a floor without I/O: async begins at `store`".to_owned();
                self.report(*line, Rule::Pure, text);
            }
        }
    }
}
