//! What the user sees: results on standard output, everything else on standard error.
//!
//! With `--json` both carry messages, one a line; `-q` keeps back progress and notes but never
//! problems or results; `-v` adds details. Colour is for the first word of an error on a
//! terminal, and only without `NO_COLOR`.

/// Where text goes, and what happens when it cannot go there.
pub mod output;
/// The terminal while a passphrase is typed.
pub mod hidden;
/// Signals.
pub mod cancel;
/// Permissions of a store.
pub mod access;
/// What commands report as JSON.
pub mod records;
pub mod changes;
pub mod keys;
pub mod clients;
pub mod consents;
/// What the commands report as JSON that decide what is kept.
pub mod retention;
/// What drills and evidence report as JSON.
pub mod proof;
/// What reports report as JSON.
pub mod report;
/// What the commands report as JSON that look after a machine.
pub mod upkeep;
/// Messages about machines.
pub mod machines;
/// Messages of `database`.
pub mod database;
/// Messages of what happens by itself.
pub mod night;
/// Messages of watching.
pub mod watch;
/// Message types of `--json`.
pub mod json;
/// Columns.
pub mod table;
/// How far an operation is, at one moment.
pub mod view;
/// Silent stores.
pub mod waiting;
/// How far an operation is, all the time.
pub mod progress;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use engine::base::path::escape;
use engine::base::time::Clock;
use serde::Serialize;

use crate::ui::cancel::Cancel;
use crate::ui::json::{ItemError, JsonPath, Message, Why};
use crate::ui::output::{Output, in_one_line, printable, printable_painted};
use crate::ui::progress::{Progress, Setup, Style};
use crate::ui::table::{Table, wrap};
use crate::ui::waiting::Speaker;

/// Spaces before the second line of a remark.
const HANG: usize = 2;

/// How much is said and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// Messages instead of text.
    pub json: bool,
    /// No progress and no notes.
    pub quiet: bool,
    /// 0, or how often `-v` was given.
    pub verbosity: u8,
    /// Colours are allowed, where there is a terminal.
    pub color: bool,
    /// Time between two drawings of progress, if the user said.
    pub progress_interval: Option<Duration>,
}

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// A heading.
    Bold,
    /// It does not count any more.
    Dim,
    /// Somebody should look.
    Warn,
    /// Something is missing or damaged.
    Bad,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Warn => "33",
            Self::Bad => "1;31",
        }
    }
}

/// The user's end of the program.
#[derive(Clone)]
pub struct Ui {
    settings: Settings,
    stdout: Output,
    stderr: Output,
    speaker: Speaker,
}

impl Ui {
    /// Puts results on `stdout` and everything else on `stderr`.
    #[must_use]
    pub fn new(settings: Settings, stdout: Output, stderr: Output) -> Self {
        Self { settings, stdout, stderr, speaker: Speaker::default() }
    }

    /// Whether results are to be printed as messages.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.settings.json
    }

    /// Whether only results and problems are wanted.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.settings.quiet
    }

    /// Whether details are wanted.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        self.settings.verbosity > 0
    }

    /// Whether nobody reads the results any more: a long list can stop here.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.stdout.is_closed()
    }

    /// How many columns of results a person sees; `None` if nothing needs to be cut.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        self.stdout.width()
    }

    /// A part of a result in a colour, where there are colours; its text is printable already.
    #[must_use]
    pub fn paint(&self, paint: Paint, text: &str) -> String {
        match self.settings.color && self.stdout.is_terminal() {
            true => format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code()),
            false => text.to_owned(),
        }
    }

    /// Standard output as a writer, for results that are bytes.
    #[must_use]
    pub fn stdout(&self) -> Output {
        self.stdout.clone()
    }

    /// Prints one line of the result; names in it need not be escaped.
    pub fn result(&self, line: &str) {
        match self.settings.color && self.stdout.is_terminal() {
            true => self.stdout.line_as_it_is(&printable_painted(line)),
            false => self.stdout.line(line),
        }
    }

    /// Prints a sentence of the result; on a terminal its lines break between words, and all but the
    /// first begin under column `hang`.
    pub fn prose(&self, line: &str, hang: usize) {
        for line in wrap(&printable(line), self.width(), hang) {
            self.stdout.line_as_it_is(&line);
        }
    }

    /// Prints a table as the result, cut to the width of a terminal.
    pub fn table(&self, table: &Table) {
        for line in table.lines_within(self.width()) {
            self.result(&line);
        }
    }

    /// Prints a message of the result and sends it off.
    pub fn message(&self, message: &Message<'_>) {
        self.stdout.line_as_it_is(&message.to_line());
        self.stdout.flush();
    }

    /// Prints a single JSON document as the result.
    ///
    /// # Errors
    /// If `document` has a map whose keys are not strings.
    pub fn document(&self, document: &impl Serialize) -> Result<(), serde_json::Error> {
        self.stdout.line_as_it_is(&serde_json::to_string(document)?);
        Ok(())
    }

    /// Tells a fact on standard error, unless quiet.
    pub fn note(&self, note: &str) {
        if self.settings.quiet {
            return;
        }
        if self.settings.json {
            self.stderr.line_as_it_is(&Message::Note { message: note }.to_line());
        } else {
            self.wrapped(&printable(&in_one_line(note)), HANG);
        }
    }

    /// A line for people on standard error, broken between words on a terminal.
    fn wrapped(&self, line: &str, hang: usize) {
        for line in wrap(line, self.stderr.width(), hang) {
            self.stderr.line_as_it_is(&line);
        }
    }

    /// Tells a detail on standard error if `-v` was given at least `level` times.
    pub fn detail(&self, level: u8, detail: &str) {
        if self.settings.verbosity >= level {
            self.note(detail);
        }
    }

    /// Tells on standard error that one item failed while the rest went on, also with `-q`.
    pub fn problem(&self, during: &str, item: &[u8], why: &str) {
        if self.settings.json {
            let path = JsonPath::new(item);
            let error =
                ItemError { error: Why { message: why }, during, item: path.path.clone(), path };
            self.stderr.line_as_it_is(&Message::Error(error).to_line());
        } else {
            let why = printable(&in_one_line(why));
            self.wrapped(&format!("{}: {during}: {why}", escape(item)), HANG);
        }
    }

    /// Prints why the command fails: as a message, or `lines` as text with the first word red.
    pub fn failure(&self, message: &Message<'_>, lines: &[String]) {
        if self.settings.json {
            self.stderr.line_as_it_is(&message.to_line());
            return;
        }
        let is_red = self.settings.color && self.stderr.is_terminal();
        for line in lines {
            let indent = &line[..line.len() - line.trim_start().len()];
            let safe = format!("{indent}{}", printable(&in_one_line(line)));
            // Under the first word behind `error: `, `cause: ` or `try: `.
            let hang = safe.find(": ").map_or(HANG, |at| at + 2);
            for safe in wrap(&safe, self.stderr.width(), hang) {
                match safe.strip_prefix("error:") {
                    Some(rest) if is_red => {
                        self.stderr.line_as_it_is(&format!("\u{1b}[1;31merror:\u{1b}[0m{rest}"));
                    }
                    _ => self.stderr.line_as_it_is(&safe),
                }
            }
        }
    }

    /// Begins to show how far an operation is; with `-v`, each path that changes too.
    #[must_use]
    pub fn progress(&self, clock: Arc<dyn Clock>, cancel: Cancel) -> Progress {
        self.progress_of_changes(clock, cancel, self.settings.verbosity > 0)
    }

    /// The same; `changes` says whether each path that changes is a line of the result.
    #[must_use]
    pub fn progress_of_changes(
        &self,
        clock: Arc<dyn Clock>,
        cancel: Cancel,
        changes: bool,
    ) -> Progress {
        let style = if self.settings.quiet {
            Style::Hidden
        } else if self.settings.json {
            Style::Json
        } else if self.stderr.is_terminal() {
            Style::Bar
        } else {
            Style::Lines
        };
        Progress::start(Setup {
            style,
            json: self.settings.json,
            quiet: self.settings.quiet,
            changes: changes && !self.settings.quiet,
            interval: self.settings.progress_interval.unwrap_or(style.default_interval()),
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
            clock,
            cancel,
            speaker: self.speaker.clone(),
        })
    }

    /// Whether all results so far have been taken; for what is shown once and never again.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.stdout.flush();
        self.stdout.is_open()
    }

    /// Sends off what is still in buffers.
    ///
    /// # Errors
    /// If results could not be written, for another reason than that nobody reads them.
    pub fn finish(&self) -> io::Result<()> {
        self.stdout.flush();
        self.stderr.flush();
        match self.stdout.take_failure() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}
