//! Scripts, environments, crontabs and units around restic (and around resticprofile and borgmatic, of
//! which they say when those run).

/// Commands of restic.
mod command;

use std::rc::Rc;

use crate::draft::{Entry, Source};
use crate::restic;
use crate::secret::is_secret_name;
use crate::shell::{self, Command, Word};
use crate::translate::Work;
use crate::tree::{Node, Place, Value};

/// A calendar, and what it starts.
#[derive(Debug, Clone)]
pub(crate) struct Timed {
    /// Where it stands.
    pub place: Place,
    /// The calendar.
    pub calendar: String,
    /// Name without folders and ending of the script or unit that it starts; empty if it starts the
    /// program itself.
    pub starts: String,
}

/// What a program is asked for.
#[derive(Debug, Clone)]
struct Asked {
    job: &'static str,
    place: Place,
    /// Of its own line in a crontab.
    calendar: Option<String>,
    /// Name of the script or unit that it stands in.
    file: String,
    with_prune: bool,
    read_data: bool,
}

/// Everything that is gathered from such files.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    asked: Vec<Asked>,
    timed: Vec<Timed>,
}

/// Programs of which a line says when they run.
const WRAPPERS: [&str; 2] = ["borgmatic", "resticprofile"];
/// Words of cron that stand for a calendar, as cron means them: its week begins on Sunday.
const CRON_WORDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Reads one file.
pub(crate) fn read(
    work: &mut Work<'_>,
    gathered: &mut Gathered,
    file: &Rc<str>,
    text: &str,
) -> Result<(), usize> {
    let stem = stem(file);
    let is_unit = text
        .lines()
        .any(|line| matches!(line.trim(), "[Unit]" | "[Service]" | "[Timer]" | "[Install]"));
    for (number, line) in shell::lines(text) {
        let place = Place { file: Rc::clone(file), key: format!("line {number}"), line: number };
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if is_unit {
            unit_line(work, gathered, &place, line, &stem)?;
            continue;
        }
        match cron_line(line) {
            Some((calendar, command)) => {
                let calendar = match CRON_WORDS.iter().find(|(word, _)| *word == calendar) {
                    Some((_, fields)) => (*fields).to_owned(),
                    None => calendar,
                };
                cron(work, gathered, &place, &calendar, &command);
            }
            None => shell_line(work, gathered, &place, line, None, &stem),
        }
    }
    Ok(())
}

/// Name without folders and ending.
pub(crate) fn stem(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    let stem = base.rsplit_once('.').map_or(base, |(stem, _)| stem);
    if stem.is_empty() { base.to_owned() } else { stem.to_owned() }
}

/// The calendar and the command of a line of a crontab.
pub(crate) fn cron_line(line: &str) -> Option<(String, String)> {
    if line.starts_with('@') {
        let (word, command) = line.split_once(char::is_whitespace)?;
        return Some((word.to_owned(), command.trim().to_owned()));
    }
    let is_field = |word: &&str| {
        let first = word.chars().next().unwrap_or('x');
        let names = [
            "mon", "tue", "wed", "thu", "fri", "sat", "sun", "jan", "feb", "mar", "apr", "may",
            "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ];
        let lower = word.to_ascii_lowercase();
        let is_name = names.iter().any(|name| lower.starts_with(name));
        (first.is_ascii_digit() || first == '*' || is_name)
            && word.chars().all(|one| one.is_ascii_alphanumeric() || "*,-/#L".contains(one))
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    if words.len() < 6 || !words[..5].iter().all(is_field) {
        return None;
    }
    let mut rest = line;
    for _ in 0..5 {
        rest = rest.trim_start();
        rest = &rest[rest.find(char::is_whitespace)?..];
    }
    Some((words[..5].join(" "), rest.trim().to_owned()))
}

fn cron(
    work: &mut Work<'_>,
    gathered: &mut Gathered,
    place: &Place,
    calendar: &str,
    command: &str,
) {
    if calendar == "@reboot" {
        work.report.missing(
            place,
            "at each start of the machine; what was missed is made up for by itself",
        );
        return;
    }
    // In files of the system the name of a user stands first.
    let first = command.split_whitespace().next().unwrap_or_default();
    let is_user = first == "root"
        || (shell_name(first)
            && !is_program(first)
            && command[first.len()..].trim_start().starts_with('/'));
    let command = if is_user { command[first.len()..].trim_start() } else { command };
    shell_line(work, gathered, place, command, Some(calendar), "");
}

fn shell_name(word: &str) -> bool {
    word.bytes().all(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    })
}

fn is_program(word: &str) -> bool {
    let base = word.rsplit('/').next().unwrap_or(word);
    base == "restic" || WRAPPERS.contains(&base)
}

fn shell_line(
    work: &mut Work<'_>,
    gathered: &mut Gathered,
    place: &Place,
    line: &str,
    calendar: Option<&str>,
    file: &str,
) {
    let Some(commands) = shell::commands(line, &work.variables) else {
        work.report.to_do(place, "a quote is not closed in this line, so it was not read");
        return;
    };
    let has_program = |command: &Command| command.words.iter().any(|word| is_program(&word.text));
    let names_program = commands.iter().any(has_program);
    let mut before: Option<Command> = None;
    for command in commands {
        for (name, value) in &command.assigns {
            assignment(work, place, name, value);
        }
        if command.words.is_empty() {
            continue;
        }
        // `nice -n 19 ionice -c3 restic …`
        let at = command.words.iter().position(|word| is_program(&word.text));
        match at {
            Some(at) if command.words[at].text.ends_with("restic") => {
                let words = &command.words[at + 1..];
                let piped = before.take().filter(|_| command.is_piped);
                command::restic_words(work, gathered, place, words, piped.as_ref(), calendar, file);
            }
            Some(_) => {
                if let Some(calendar) = calendar {
                    let (place, calendar) = (place.clone(), calendar.to_owned());
                    gathered.timed.push(Timed { place, calendar, starts: String::new() });
                } else {
                    work.report
                        .missing(place, "the program that this starts is told by its own file");
                }
            }
            None if calendar.is_some() && !names_program => {
                let starts = stem(&command.words[0].text);
                let calendar = calendar.unwrap_or_default().to_owned();
                gathered.timed.push(Timed { place: place.clone(), calendar, starts });
            }
            None => other(work, place, &command),
        }
        before = Some(command);
    }
}

/// What is no command of restic.
fn other(work: &mut Work<'_>, place: &Place, command: &Command) {
    let program = command.words[0].text.rsplit('/').next().unwrap_or_default();
    let is_plain = !command.words[0].is_unknown && program.len() < 30 && shell_name(program);
    let name = if is_plain { program } else { "a command" };
    let words = format!(
        "{name} is not restic and was not copied; what has to run around a backup belongs into [hooks]"
    );
    work.report.missing(place, words);
}

/// A variable that is set.
pub(crate) fn assignment(work: &mut Work<'_>, place: &Place, name: &str, value: &Word) {
    let place = Place { key: name.to_owned(), ..place.clone() };
    if is_secret_name(name) {
        work.learn(&value.text);
        work.secret(&place, name);
        return;
    }
    let node = Node { place: place.clone(), value: Value::Text(value.text.clone()) };
    if value.is_unknown {
        work.report.to_do(&place, "what a shell makes of this value is not known");
        return;
    }
    match name {
        "RESTIC_REPOSITORY"
        | "RESTIC_REPOSITORY_FILE"
        | "RESTIC_PASSWORD_FILE"
        | "RESTIC_PASSWORD_COMMAND"
        | "RESTIC_CACHE_DIR"
        | "RESTIC_COMPRESSION"
        | "RESTIC_PACK_SIZE"
        | "RESTIC_READ_CONCURRENCY"
        | "RESTIC_KEY_HINT"
        | "RESTIC_CACERT" => {
            let option = name.trim_start_matches("RESTIC_").to_ascii_lowercase().replace('_', "-");
            restic::global(work, &option, &node);
        }
        "RESTIC_HOST" => {
            restic::backup(work, &mut Source::default(), "host", &node);
        }
        "CRON_TZ" | "TZ" => zone(work, &place, &value.text),
        "RESTIC_PROGRESS_FPS" => work.report.missing(&place, "MAINSTAY_PROGRESS_FPS is the same"),
        _ if name.starts_with("AWS_")
            || name.starts_with("AZURE_")
            || name.starts_with("GOOGLE_") =>
        {
            work.report.to_do(
                &place,
                "stores take this variable here, too: put it into the environment-file",
            );
        }
        _ if ["B2_", "ST_", "OS_", "RCLONE_", "RESTIC_"]
            .iter()
            .any(|start| name.starts_with(start)) =>
        {
            work.report.missing(&place, "nothing reads this variable here");
        }
        _ => work.report.missing(&place, "its value was put in where lines of this file name it"),
    }
    if matches!(name, "PATH" | "MAILTO" | "SHELL") {
        return;
    }
    work.variables.insert(name.to_owned(), value.text.clone());
}

fn zone(work: &mut Work<'_>, place: &Place, name: &str) {
    // A calendar with a zone at its end says whether there is such a zone.
    match work.judge.calendar(&format!("01:30 {name}")) {
        Ok(()) if !name.contains(char::is_whitespace) => {
            work.report.same(place, "time-zone");
            work.draft.time_zone = Some(name.to_owned());
        }
        _ => work.report.to_do(place, "there is no such time zone"),
    }
}

fn unit_line(
    work: &mut Work<'_>,
    gathered: &mut Gathered,
    place: &Place,
    line: &str,
    stem: &str,
) -> Result<(), usize> {
    if line.starts_with('[') {
        return Ok(());
    }
    let (name, value) = line.split_once('=').ok_or(place.line)?;
    let (name, value) = (name.trim(), value.trim());
    let place = &Place { key: name.to_owned(), ..place.clone() };
    match name {
        "Environment" => {
            for word in shlex::split(value).ok_or(place.line)? {
                let Some((name, value)) = word.split_once('=') else { continue };
                let value = Word { text: value.to_owned(), ..Word::default() };
                assignment(work, place, name, &value);
            }
        }
        "EnvironmentFile" => {
            work.report
                .to_do(place, "give this file to the import, too, if it has variables of restic");
        }
        "ExecStart" | "ExecStartPre" | "ExecStartPost" | "ExecStopPost" => {
            let command = value.trim_start_matches(['-', '@', ':', '+', '!']);
            let names_program = command.split_whitespace().any(is_program);
            match name {
                _ if names_program => shell_line(work, gathered, place, command, None, stem),
                "ExecStart" => {
                    let words =
                        "the script that this starts is not read; give it to the import, too";
                    work.report.to_do(place, words);
                }
                "ExecStartPre" => work.hook(place, command, "before"),
                "ExecStartPost" => work.hook(place, command, "after"),
                _ => work.hook(place, command, "finally"),
            }
        }
        "OnCalendar" => gathered.timed.push(Timed {
            place: place.clone(),
            calendar: value.to_owned(),
            starts: stem.to_owned(),
        }),
        "RandomizedDelaySec" => {
            let span =
                if value.parse::<u64>().is_ok() { format!("{value}s") } else { value.to_owned() };
            let span = span.replace("min", "m").replace("hour", "h").replace("sec", "s");
            match work.judge.spread(&span) {
                Ok(()) => {
                    work.report.same(place, "schedule.spread");
                    work.report
                        .changed(place, "the offset is the same every night here, and not drawn");
                    work.draft.spread = Some(span);
                }
                Err(why) => work.report.to_do(place, why),
            }
        }
        "Persistent" => {
            work.report.missing(place, "not needed: what was missed is always made up for once");
        }
        "Nice" | "IOSchedulingClass" | "CPUSchedulingPolicy" => {
            work.draft.background = true;
            work.report.same(place, "background");
        }
        _ => work.report.missing(
            place,
            "it belongs to the old unit; `mainstay schedule install` writes a new one",
        ),
    }
    Ok(())
}

/// Calendars and commands together: when each job is due.
pub(crate) fn schedule(work: &mut Work<'_>, gathered: &Gathered) {
    for asked in &gathered.asked {
        let started = gathered.timed.iter().find(|timed| {
            asked.calendar.is_none() && !asked.file.is_empty() && timed.starts == asked.file
        });
        let found = match (&asked.calendar, started) {
            (Some(calendar), _) => Some((asked.place.clone(), calendar.clone())),
            (None, Some(timed)) => Some((timed.place.clone(), timed.calendar.clone())),
            (None, None) => None,
        };
        // What stands in one script or line with a backup runs after it.
        let follows = asked.job != "backup"
            && gathered.asked.iter().any(|one| {
                let is_one_script = !one.file.is_empty() && one.file == asked.file;
                one.job == "backup" && (is_one_script || one.place == asked.place)
            });
        let entry = match found {
            Some((place, text)) if !follows => {
                work.calendar(&place, &text, asked.job).map(|text| Entry::at(&text))
            }
            _ => None,
        };
        work.report.same(&asked.place, &format!("schedule.{}", asked.job));
        due(work, asked.job, entry, &asked.place);
        if let Some(entry) = work.draft.schedule.get_mut(asked.job) {
            entry.read_data |= asked.read_data;
        }
        if asked.with_prune {
            due(work, "prune", Some(Entry::after("forget")), &asked.place);
        }
    }
    for timed in &gathered.timed {
        let is_wrapper =
            timed.starts.is_empty() || WRAPPERS.iter().any(|name| timed.starts.contains(name));
        let is_used =
            gathered.asked.iter().any(|asked| asked.file == timed.starts && !asked.file.is_empty());
        if is_used {
            continue;
        }
        if is_wrapper {
            let entry =
                work.calendar(&timed.place, &timed.calendar, "backup").map(|text| Entry::at(&text));
            due(work, "backup", entry, &timed.place);
        } else {
            let words = "what this starts is not read; give its script to the import, too";
            work.report.to_do(&timed.place, words);
        }
    }
}

/// Notes when a job is due; without a calendar of its own it follows the backup.
pub(crate) fn due(work: &mut Work<'_>, job: &'static str, entry: Option<Entry>, place: &Place) {
    let entry = match (entry, job) {
        (Some(entry), _) => entry,
        (None, "backup") => return,
        (None, _) => Entry::after("backup"),
    };
    match work.draft.schedule.get(job) {
        None => {
            work.draft.schedule.insert(job, entry);
        }
        Some(old) if *old != entry => {
            let words = format!(
                "{job} is due at another time already; a configuration has one entry for it"
            );
            work.report.changed(place, words);
        }
        Some(_) => {}
    }
}
