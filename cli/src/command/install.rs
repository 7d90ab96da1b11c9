//! `schedule install`: the unit of systemd for the agent.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use engine::disk::child::child;

use crate::args::night::InstallArgs;
use crate::command::context::Context;
use crate::fault::{ExitCode, Fault};
use crate::night::load;

/// The unit, with places for the program and its configuration.
const UNIT: &str = include_str!("../../../packaging/systemd/mainstay-agent.service");
/// Its name.
const NAME: &str = "mainstay-agent.service";
/// What the unit of the package says.
const PACKAGED_COMMAND: &str = "/usr/bin/mainstay agent --config /etc/mainstay/clients";

/// Writes the unit, and lets systemd start it.
///
/// # Errors
/// A fault of usage if the configuration makes no sense: an agent that cannot begin is not installed; a
/// local one if the unit cannot be written or systemd refuses it.
pub fn run(args: &InstallArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let files = load::files(context.global.config.as_deref(), context.around)?;
    let (_, faults) = load::all(&files, context.around);
    if let Some(fault) = faults.into_iter().next() {
        return Err(fault);
    }
    let config = match &context.global.config {
        Some(path) => context.around.absolute(path),
        None => files.first().cloned().unwrap_or_default(),
    };
    let program = std::fs::read_link(&context.around.program)
        .unwrap_or_else(|_| context.around.program.clone());
    let command = format!("{} agent --config {}", quoted(&program)?, quoted(&config)?);
    let unit = UNIT.replace(PACKAGED_COMMAND, &command);
    if args.print {
        context.ui.stdout().bytes(unit.as_bytes());
        return Ok(ExitCode::Ok);
    }
    let path = args.unit_dir.join(NAME);
    write(&path, &unit)?;
    context.ui.result(&format!("{} written", path.display()));
    if args.no_start {
        return Ok(ExitCode::Ok);
    }
    for words in [&["daemon-reload"][..], &["enable", "--now", NAME][..]] {
        systemctl(words, context)?;
    }
    context.ui.result("the agent runs, and begins with the system");
    Ok(ExitCode::Ok)
}

/// A path as a unit has it.
fn quoted(path: &Path) -> Result<String, Fault> {
    let text = path.to_str().ok_or_else(|| {
        Fault::usage(format!("{} is not UTF-8, which a unit cannot name", path.display()))
    })?;
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte));
    Ok(match is_plain {
        true => text.to_owned(),
        false => {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{}\"", text.replace('%', "%%").replace('$', "$$"))
        }
    })
}

/// Beside the old one first, so that there is always a whole one.
fn write(path: &Path, text: &str) -> Result<(), Fault> {
    let failed = |error: &std::io::Error| {
        Fault::local(format!("cannot write {}", path.display())).because(error)
    };
    let beside = path.with_extension("service.new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(&beside)
        .map_err(|error| failed(&error))?;
    file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
    file.sync_all().map_err(|error| failed(&error))?;
    std::fs::rename(&beside, path).map_err(|error| failed(&error))
}

fn systemctl(words: &[&str], context: &Context<'_>) -> Result<(), Fault> {
    let line = format!("systemctl {}", words.join(" "));
    let mut command = child(OsStr::new("systemctl"), context.around.variables.clone());
    let output = command.args(words).output().map_err(|error| {
        Fault::local(format!("cannot run {line}")).because(&error).hint(
            "the unit is written; without systemd let cron run `mainstay run --due` every few minutes",
        )
    })?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Fault::local(format!("{line} failed: {words}"))
                .hint("the unit is written; look at `systemctl status mainstay-agent`"))
        }
    }
}
