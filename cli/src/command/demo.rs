//! `demo`: the whole round on the user's own files, without leaving a trace.
//!
//! Every step is a command line that the user could type, run as such; only the comparison at the
//! end is done by code of its own, which knows nothing of the engine.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::base::path::escape;
use restore_verify::compare::{Comparison, compare};

use crate::args::program::DemoArgs;
use crate::command::context::Context;
use crate::command::place::absolute;
use crate::config::surroundings::Surroundings;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::output::Captured;
use crate::ui::records::{DemoStep, DemoSummary};
use crate::units;

/// What is backed up if the user does not say: it is on nearly every system.
const USUAL_FOLDER: &str = "/usr/share/doc";
/// Opens a repository that lives as long as the command.
const PASSPHRASE: &str = "only for this demonstration";

/// Runs a command line, the name of the program left out, in a world of its own.
pub type RunLine<'a> = &'a dyn Fn(&[OsString], &Surroundings) -> ExitCode;

/// Shows everything, with the commands run by `run_line`.
///
/// # Errors
/// Exit code 1 if a command failed or the restored files differ.
pub fn run(
    args: &DemoArgs,
    context: &Context<'_>,
    run_line: RunLine<'_>,
) -> Result<ExitCode, Fault> {
    let source = source(args, context)?;
    let temporary = context.around.variable("TMPDIR").unwrap_or(OsStr::new("/tmp"));
    let work = tempfile::Builder::new()
        .prefix("mainstay-demo-")
        .tempdir_in(temporary)
        .map_err(|error| Fault::local("cannot make a temporary folder").because(&error))?;
    let outcome = Demo { context, run_line, work: work.path() }.show(&source);
    let removed = work.close();
    let exit = outcome?;
    removed.map_err(|error| Fault::local("cannot remove the temporary folder").because(&error))?;
    if !context.ui.is_json() && !context.ui.is_quiet() {
        context.ui.result("");
        context.ui.result("Everything made for this demonstration was removed.");
    }
    Ok(exit)
}

fn source(args: &DemoArgs, context: &Context<'_>) -> Result<PathBuf, Fault> {
    let path = match &args.path {
        Some(path) => absolute(path, context.around)?,
        None if Path::new(USUAL_FOLDER).is_dir() => PathBuf::from(USUAL_FOLDER),
        None => context.around.current_dir.clone(),
    };
    let path = path
        .canonicalize()
        .map_err(|error| Fault::usage(format!("cannot find {}", path.display())).because(&error))?;
    match path.is_dir() {
        true => Ok(path),
        false => Err(Fault::usage(format!("{} is not a folder", path.display()))
            .hint("name a folder, or none: the demonstration then chooses one")),
    }
}

struct Demo<'a> {
    context: &'a Context<'a>,
    run_line: RunLine<'a>,
    work: &'a Path,
}

impl Demo<'_> {
    fn show(&self, source: &Path) -> Result<ExitCode, Fault> {
        let shown = escape(source.as_os_str().as_bytes());
        self.say_prose(&format!("This backs up {shown}, restores it elsewhere and compares."), 0);
        self.say("Nothing in that folder is changed.");
        let target = self.work.join("restored");
        let path = source.as_os_str();
        let mut part = OsString::from("latest:");
        part.push(path);
        let steps: [(&str, Vec<&OsStr>); 7] = [
            (
                "a repository, with a passphrase from the environment",
                words(["init", "-q", "--kdf-memory", "64M"]),
            ),
            ("the first backup", [&words(["backup"])[..], &[path]].concat()),
            (
                "again: only what changed is read and stored",
                [&words(["backup"])[..], &[path]].concat(),
            ),
            ("what there is", words(["snapshots"])),
            ("every byte in the store, authenticated", words(["check", "--read-data"])),
            (
                "everything back, into another folder",
                [&words(["restore"])[..], &[&part, OsStr::new("--target"), target.as_os_str()]]
                    .concat(),
            ),
            ("what that took", words(["stats"])),
        ];
        let mut missed = false;
        for (title, line) in steps {
            let exit = self.step(title, &line)?;
            match exit {
                ExitCode::Ok => {}
                // What this user cannot read is neither backed up nor compared.
                ExitCode::Partial => missed = true,
                exit => return self.failed(&line, exit),
            }
        }
        let started = self.context.around.clock.monotonic();
        let comparison = compare(source, &target)
            .map_err(|error| Fault::local("cannot compare the folders").because(&error))?;
        let took = self.context.around.clock.monotonic().saturating_sub(started);
        Ok(self.conclude(&comparison, took, missed))
    }

    fn step(&self, title: &str, line: &[&OsStr]) -> Result<ExitCode, Fault> {
        let context = self.context;
        let command = shown_line(line);
        self.say("");
        self.say(&format!("# {title}"));
        self.say_prose(&format!("$ {command}"), 4);
        let mut around = Surroundings::isolated(&[("MAINSTAY_PASSWORD", PASSPHRASE)]);
        for (name, folder) in
            [("MAINSTAY_REPOSITORY", "repository"), ("MAINSTAY_STATE_DIR", "state")]
        {
            around.variables.insert(name.into(), self.work.join(folder).into_os_string());
        }
        let (stdout, result) = Captured::output();
        let (stderr, words) = Captured::output();
        around.stdout = stdout;
        // A person sees the progress of long steps; nobody else needs it.
        let has_viewer =
            context.around.stderr.is_terminal() && !context.ui.is_json() && !context.ui.is_quiet();
        around.stderr = if has_viewer { context.around.stderr.clone() } else { stderr };
        around.clock = context.around.clock.clone();
        around.time_zone = context.around.time_zone.clone();
        around.host = context.around.host.clone();
        around.cancel = context.around.cancel.clone();
        let started = around.clock.monotonic();
        let mut arguments = vec![OsString::from("mainstay")];
        arguments.extend(line.iter().map(OsString::from));
        let exit = (self.run_line)(&arguments, &around);
        let took = around.clock.monotonic().saturating_sub(started);
        if context.ui.is_json() {
            context.ui.message(&Message::DemoStep(DemoStep {
                command,
                exit_code: exit.code(),
                duration: took.as_secs_f64(),
            }));
        }
        for text in [result.text(), words.text()] {
            text.lines().for_each(|line| self.say_prose(&format!("    {line}"), 8));
        }
        self.say(&format!("  {} ({})", exit.meaning(), units::duration(took)));
        match exit {
            ExitCode::Interrupted => Err(Fault::interrupted()),
            exit => Ok(exit),
        }
    }

    fn failed(&self, line: &[&OsStr], exit: ExitCode) -> Result<ExitCode, Fault> {
        let message = format!("`{}` failed: {}", shown_line(line), exit.meaning());
        Err(Fault::local(message).hint("run it by hand with -v, or on another folder"))
    }

    fn conclude(&self, comparison: &Comparison, took: Duration, missed: bool) -> ExitCode {
        let ok = comparison.differences.is_empty();
        if self.context.ui.is_json() {
            self.context.ui.message(&Message::DemoSummary(DemoSummary {
                ok,
                items_compared: comparison.items,
                bytes_compared: comparison.bytes,
                items_unreadable: comparison.unreadable,
                differences: comparison.differences.clone(),
            }));
        }
        let result = |text: &str| {
            if !self.context.ui.is_json() {
                self.context.ui.result(text);
            }
        };
        self.say("");
        self.say("# names, content, permissions and times, compared with the originals");
        result(&format!(
            "{} ({}) compared in {}: {}",
            units::counted(comparison.items, "item"),
            units::size(comparison.bytes),
            units::duration(took),
            if ok { "all are equal" } else { "THERE ARE DIFFERENCES" }
        ));
        for difference in &comparison.differences {
            result(&format!("  {difference}"));
        }
        if !ok {
            result(
                "A file that somebody changed meanwhile differs too: repeat it on a quiet folder.",
            );
        }
        if missed || comparison.unreadable > 0 {
            self.say("What you may not read was neither backed up nor compared.");
        }
        if ok { ExitCode::Ok } else { ExitCode::Failed }
    }

    /// The same for what may be wider than a terminal.
    fn say_prose(&self, text: &str, hang: usize) {
        let ui = self.context.ui;
        if !ui.is_json() && !ui.is_quiet() {
            ui.prose(text, hang);
        }
    }

    fn say(&self, text: &str) {
        let ui = self.context.ui;
        if !ui.is_json() && !ui.is_quiet() {
            ui.result(text);
        }
    }
}

fn words<const N: usize>(words: [&'static str; N]) -> Vec<&'static OsStr> {
    words.map(OsStr::new).to_vec()
}

/// The command as one would type it, safe to be shown.
fn shown_line(line: &[&OsStr]) -> String {
    let words = line.iter().map(|word| {
        let text = escape(word.as_bytes());
        shlex::try_quote(&text).map(|quoted| quoted.into_owned()).unwrap_or(text)
    });
    std::iter::once("mainstay".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
