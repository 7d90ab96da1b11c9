//! `config import`: a configuration made of those of restic, resticprofile or borgmatic.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use agent::calendar::Calendar;
use agent::plan::{Machine, Plan};
use agent::span::Span;
use engine::disk::exclude::PathMatcher;
use import::draft::Report;
use import::import::{ImportError, Imported, Input, Judge, Origin, Wanted};

use crate::args::night::{ImportArgs, ImportFrom};
use crate::args::rules;
use crate::args::values::TagSet;
use crate::command::context::Context;
use crate::command::place::{PrivateFile, absolute};
use crate::config::file::ConfigFile;
use crate::config::location;
use crate::config::surroundings::Surroundings;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::night::{EquivalentRecord, ImportRecord, RemarkRecord};
use crate::units;

/// No configuration of another program is longer.
const FILE_MAX_BYTES: u64 = 1024 * 1024;
/// A longer spread would put jobs into another day.
const SPREAD_MAX_S: u64 = 86_400;

/// Reads, translates, and prints or writes what came of it.
///
/// # Errors
/// A fault of usage for what cannot be read or says nothing to back up.
pub fn run(args: &ImportArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let inputs: Vec<Input> =
        args.files.iter().map(|path| input(path, context.around)).collect::<Result<_, _>>()?;
    let wanted = Wanted {
        from: args.from.map(origin),
        client: args.client.as_deref(),
        profile: args.profile.as_deref(),
    };
    let known = Known { around: context.around };
    let imported = import::import::import(&inputs, &wanted, &known).map_err(|error| {
        if let ImportError::NoSource { report } = &error {
            tell(report, context);
        }
        fault(&error)
    })?;
    examine(&imported, context.around)?;
    let written = match &args.output {
        None => None,
        Some(path) => {
            let file = PrivateFile::create(absolute(path, context.around)?, "the configuration")?;
            Some(file.keep(imported.text.as_bytes())?.display().to_string())
        }
    };
    if context.ui.is_json() {
        let record = record(&inputs, &imported, written);
        context.ui.message(&Message::ImportedConfiguration(Box::new(record)));
        return Ok(ExitCode::Ok);
    }
    tell(&imported.report, context);
    match written {
        Some(path) => {
            let count = imported.report.remarks.len() as u64;
            let sources = units::counted(imported.draft.sources.len() as u64, "source");
            let remarks = units::counted(count, "remark");
            context.ui.result(&format!("{path}: {sources}, {remarks}"));
            context
                .ui
                .note(&format!("`mainstay config check --config {path}` says what comes next"));
        }
        None => imported.text.lines().for_each(|line| context.ui.result(line)),
    }
    Ok(ExitCode::Ok)
}

const fn origin(from: ImportFrom) -> Origin {
    match from {
        ImportFrom::ResticEnv => Origin::ResticEnv,
        ImportFrom::Resticprofile => Origin::Resticprofile,
        ImportFrom::Borgmatic => Origin::Borgmatic,
    }
}

fn input(path: &Path, around: &Surroundings) -> Result<Input, Fault> {
    let whole = around.absolute(path);
    let text = read(&whole).map_err(|why| {
        Fault::usage(format!("cannot read {}: {why}", path.display()))
            .hint("name a file with a configuration of restic, resticprofile or borgmatic")
    })?;
    let folder = whole.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Input { name: path.display().to_string(), folder, text })
}

/// The text of a file; a pipe or a device would never end.
fn read(path: &Path) -> Result<String, String> {
    let why = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "it is not there".to_owned(),
        kind => kind.to_string(),
    };
    if !path.metadata().map_err(why)?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(why)?;
    file.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(why)?;
    if bytes.len() as u64 > FILE_MAX_BYTES {
        return Err("it is longer than 1 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8")
    })
}

fn fault(error: &ImportError) -> Fault {
    let fault = Fault::usage(error.to_string());
    match error {
        ImportError::Unreadable { .. } => {
            fault.hint("--from says whose file it is, if that was not found out")
        }
        ImportError::Unknown(_) => fault.hint(
            "give a file with variables or commands of restic, profiles of resticprofile, or a file of borgmatic; \
             --from says whose it is",
        ),
        ImportError::NoProfile { names } if names.is_empty() => fault.hint("there are no profiles in it"),
        ImportError::NoProfile { names } | ImportError::Profiles { names } => {
            fault.hint(format!("take one with --profile: {}", names.join(", ")))
        }
        ImportError::Second(_) => fault.hint("make a configuration of each, one after the other"),
        ImportError::NoSource { .. } => {
            fault.hint("give the script, the crontab or the unit with the command that backs up, too")
        }
    }
}

/// What came of it must be a configuration.
fn examine(imported: &Imported, around: &Surroundings) -> Result<(), Fault> {
    let file = ConfigFile::parse(&imported.text, Path::new("the configuration"))?;
    let machine = Machine { host: around.host.clone(), zone: (**around.time_zone).clone() };
    Plan::make(&file.sections(), &machine).map(|_| ()).map_err(|problems| {
        let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Fault::usage(format!("what came of it makes no sense: {}", all.join("; ")))
            .hint("--client gives it a name; otherwise write it by hand")
    })
}

fn tell(report: &Report, context: &Context<'_>) {
    let mut remarks: Vec<_> = report.remarks.iter().collect();
    remarks.sort_by_key(|remark| remark.kind);
    for remark in remarks {
        let place = &remark.place;
        let line = if place.line == 0 { String::new() } else { format!(", line {}", place.line) };
        let (kind, file, key, words) = (remark.kind.word(), &place.file, &place.key, &remark.words);
        context.ui.note(&format!("{kind}: {file}{line}, {key}: {words}"));
    }
}

fn record(inputs: &[Input], imported: &Imported, output: Option<String>) -> ImportRecord {
    let line = |line: usize| (line > 0).then_some(line);
    let equivalent = imported.report.equivalents.iter().map(|one| EquivalentRecord {
        file: one.place.file.to_string(),
        line: line(one.place.line),
        key: one.place.key.clone(),
        to: one.to.clone(),
    });
    let remarks = imported.report.remarks.iter().map(|one| RemarkRecord {
        kind: one.kind.word(),
        file: one.place.file.to_string(),
        line: line(one.place.line),
        key: one.place.key.clone(),
        message: one.words.clone(),
    });
    ImportRecord {
        from: imported.from.name(),
        files: inputs.iter().map(|input| input.name.clone()).collect(),
        client: imported.draft.client.clone(),
        output,
        text: imported.text.clone(),
        equivalent: equivalent.collect(),
        remarks: remarks.collect(),
    }
}

/// What this program knows of its own forms.
struct Known<'a> {
    around: &'a Surroundings,
}

impl Judge for Known<'_> {
    fn calendar(&self, text: &str) -> Result<(), String> {
        Calendar::parse(text).map(|_| ()).map_err(|error| error.to_string())
    }

    fn pattern(&self, text: &str) -> Result<(), String> {
        PathMatcher::new(&[text.to_owned()], false).map(|_| ()).map_err(|error| error.to_string())
    }

    fn size(&self, text: &str) -> Result<(), String> {
        units::parse_size(text).map(|_| ()).map_err(|error| error.to_string())
    }

    fn spread(&self, text: &str) -> Result<(), String> {
        match Span::parse(text) {
            Err(error) => Err(error.to_string()),
            Ok(span) if span.seconds() > SPREAD_MAX_S => Err("it is longer than a day".to_owned()),
            Ok(_) => Ok(()),
        }
    }

    fn rule(&self, name: &str, value: &str) -> Result<(), String> {
        let words = |error: crate::args::values::ValueError| error.to_string();
        match name {
            "group-by" => rules::group_by(value).map(|_| ()).map_err(words),
            "keep-tag" => value.parse::<TagSet>().map(|_| ()).map_err(words),
            name if name.starts_with("keep-within") => {
                let span = value.parse::<engine::retain::span::Span>();
                span.map(|_| ()).map_err(|error| error.to_string())
            }
            _ => rules::count(value).map(|_| ()).map_err(words),
        }
    }

    fn location(&self, text: &str) -> Result<(String, Option<String>), String> {
        match location::understand(text) {
            Ok(understood) => Ok((understood.location, understood.endpoint)),
            Err(fault) => Err(fault.hint_words().unwrap_or("write another one").to_owned()),
        }
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        read(&self.around.absolute(path))
    }

    fn home(&self) -> Option<String> {
        self.around.variable("HOME").and_then(|home| home.to_str()).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests;
