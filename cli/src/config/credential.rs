//! Where a passphrase or a key comes from: exactly one place, flags before environment.
//!
//! Two sources at the same level are an error: which of them was meant cannot be known, and the
//! wrong one looks like a wrong passphrase. A command is split into words as a shell does it, but
//! no shell runs: nothing in it is expanded.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use engine::disk::child::child;
use zeroize::Zeroizing;

use crate::config::secret::{self, Secret};
use crate::config::surroundings::Surroundings;
use crate::fault::Fault;
use crate::ui::hidden::{self, Hidden};

/// What the flags say about credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CredentialFlags {
    /// `--key-file`
    pub key_file: Option<PathBuf>,
    /// `--password-file`
    pub password_file: Option<PathBuf>,
    /// `--password-command`
    pub password_command: Option<String>,
}

/// One place that a credential can come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The key file of a machine.
    KeyFile(PathBuf),
    /// A file that holds the passphrase.
    File(PathBuf),
    /// A command that prints it.
    Command(String),
    /// The variable `MAINSTAY_PASSWORD`.
    Variable,
    /// An open descriptor.
    Descriptor(u32),
    /// A person at the terminal.
    Prompt,
}

/// What unlocks a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The key file of a machine; its permissions have been looked at.
    KeyFile(PathBuf),
    /// A passphrase.
    Passphrase(Secret),
}

/// Finds the one source that counts.
///
/// # Errors
/// A fault of usage for two sources at one level or a number that is none, a fault of the key if
/// there is no source and nobody to ask.
pub fn choose(flags: &CredentialFlags, around: &Surroundings) -> Result<Source, Fault> {
    let by_flag = [
        flags.key_file.clone().map(|path| ("--key-file", Source::KeyFile(path))),
        flags.password_file.clone().map(|path| ("--password-file", Source::File(path))),
        flags.password_command.clone().map(|line| ("--password-command", Source::Command(line))),
    ];
    if let Some(source) = only_one(by_flag)? {
        return Ok(source);
    }
    let path = |name| around.variable(name).map(PathBuf::from);
    let command = around.text("MAINSTAY_PASSWORD_COMMAND")?;
    let by_variable = [
        path("MAINSTAY_KEY_FILE").map(|path| ("MAINSTAY_KEY_FILE", Source::KeyFile(path))),
        around.variable("MAINSTAY_PASSWORD").map(|_| ("MAINSTAY_PASSWORD", Source::Variable)),
        path("MAINSTAY_PASSWORD_FILE").map(|path| ("MAINSTAY_PASSWORD_FILE", Source::File(path))),
        command.map(|line| ("MAINSTAY_PASSWORD_COMMAND", Source::Command(line.to_owned()))),
        descriptor(around)?.map(|fd| ("MAINSTAY_PASSWORD_FD", Source::Descriptor(fd))),
    ];
    if let Some(source) = only_one(by_variable)? {
        return Ok(source);
    }
    if around.has_person() {
        return Ok(Source::Prompt);
    }
    Err(Fault::key("no passphrase and no key file is given, and there is no terminal to ask at")
        .hint("use --password-file, --password-command or --key-file, or their variables"))
}

/// How a command ended.
pub(super) fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with exit status {code}"),
        None => "was killed by a signal".to_owned(),
    }
}

fn only_one<const N: usize>(
    sources: [Option<(&'static str, Source)>; N],
) -> Result<Option<Source>, Fault> {
    let mut given = sources.into_iter().flatten();
    let Some((first_name, source)) = given.next() else { return Ok(None) };
    match given.next() {
        None => Ok(Some(source)),
        Some((second_name, _)) => {
            Err(Fault::usage(format!("both {first_name} and {second_name} are given"))
                .hint("give only one place to take the passphrase or key from"))
        }
    }
}

fn descriptor(around: &Surroundings) -> Result<Option<u32>, Fault> {
    let Some(text) = around.text("MAINSTAY_PASSWORD_FD")? else { return Ok(None) };
    match text.parse::<u32>() {
        Ok(fd) if fd <= i32::MAX as u32 => Ok(Some(fd)),
        _ => Err(Fault::usage(format!(
            "MAINSTAY_PASSWORD_FD is {text:?}, which is not the number of a descriptor"
        ))
        .hint("write for example 3, and open it: mainstay … 3<secret")),
    }
}

/// Finds what unlocks the repository.
///
/// # Errors
/// As [`choose`] and [`read`].
pub fn find(flags: &CredentialFlags, around: &Surroundings) -> Result<Credential, Fault> {
    match choose(flags, around)? {
        Source::KeyFile(path) => {
            let path = around.absolute(&path);
            secret::check_private(&path)?;
            Ok(Credential::KeyFile(path))
        }
        source => read(&source, around).map(Credential::Passphrase),
    }
}

/// Finds the passphrase for a new repository: the same sources, but a person is asked twice.
///
/// # Errors
/// As [`choose`] and [`read`]; a fault of usage for a key file or a weak passphrase.
pub fn find_new(
    flags: &CredentialFlags,
    around: &Surroundings,
    weak_is_wanted: bool,
) -> Result<Secret, Fault> {
    let secret = match choose(flags, around)? {
        Source::KeyFile(_) => {
            return Err(Fault::usage("a new repository begins with a passphrase, not a key file")
                .hint("add key files afterwards with `mainstay key add --to-key-file FILE`"));
        }
        Source::Prompt => return ask_new(around, weak_is_wanted),
        source => read(&source, around)?,
    };
    secret.check_new(weak_is_wanted)?;
    Ok(secret)
}

/// Reads the passphrase from its source.
///
/// # Errors
/// A fault of the key if there is none to be had there, a refusal for a file that everybody can
/// read, a fault of usage for a key file.
pub fn read(source: &Source, around: &Surroundings) -> Result<Secret, Fault> {
    match source {
        Source::KeyFile(_) => Err(Fault::usage("a key file is given where a passphrase is needed")),
        Source::File(path) => secret::read_file(&around.absolute(path)),
        Source::Command(line) => run_command(line, around),
        Source::Variable => {
            use std::os::unix::ffi::OsStrExt;
            let value = around.variable("MAINSTAY_PASSWORD").unwrap_or_default();
            Secret::from_bytes(Zeroizing::new(value.as_bytes().to_vec()), "MAINSTAY_PASSWORD")
        }
        // Opening it by its name is the way to a descriptor that needs no unsafe code.
        Source::Descriptor(fd) => secret::read_file(&PathBuf::from(format!("/dev/fd/{fd}"))),
        Source::Prompt => ask(around, "passphrase of the repository: "),
    }
}

/// How often a person is asked.
const TRIES: usize = 3;

/// Asks a person twice for a new passphrase, and again if it will not do: what is wrong with it is
/// said before it is typed a second time.
///
/// # Errors
/// A fault of usage if none will do or the two differ, otherwise as [`read`].
pub fn ask_new(around: &Surroundings, weak_is_wanted: bool) -> Result<Secret, Fault> {
    let mut tried = 0;
    loop {
        tried += 1;
        let first = ask(around, "new passphrase: ")?;
        let checked = first.check_new(weak_is_wanted).and_then(|()| {
            match ask(around, "the same again: ")? == first {
                true => Ok(()),
                false => Err(Fault::usage("the two passphrases differ").hint("repeat the command")),
            }
        });
        match checked {
            Ok(()) => return Ok(first),
            Err(fault) if fault.code() == "E_USAGE" && tried < TRIES => {
                around.stderr.line(fault.message());
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// Asks a person again for the passphrase of a repository, which was wrong `tried` times; `None`
/// if nobody was asked, or often enough.
///
/// # Errors
/// As [`read`].
pub fn ask_again(
    flags: &CredentialFlags,
    around: &Surroundings,
    tried: usize,
) -> Result<Option<Secret>, Fault> {
    if tried >= TRIES || choose(flags, around)? != Source::Prompt {
        return Ok(None);
    }
    around.stderr.line("that is not the passphrase of this repository");
    hidden::forget_typed();
    ask(around, "passphrase of the repository: ").map(Some)
}

/// Asks a person, and again who only pressed a key.
fn ask(around: &Surroundings, question: &str) -> Result<Secret, Fault> {
    let mut tried = 0;
    loop {
        tried += 1;
        match ask_once(around, question) {
            Ok(Some(secret)) => return Ok(secret),
            Ok(None) if tried < TRIES => around.stderr.line("nothing was typed"),
            Ok(None) => {
                return Err(Fault::key("no passphrase was typed")
                    .hint("type it and press Enter, or use --password-file or --key-file"));
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// What was typed; `None` for nothing.
fn ask_once(around: &Surroundings, question: &str) -> Result<Option<Secret>, Fault> {
    // While somebody observes, Ctrl-C is an answer here, and the terminal gets its echo back.
    let _observer = around.cancel.observe();
    let silence = Hidden::begin();
    match (around.ask_hidden)(question) {
        Ok(answer) if answer.is_empty() => Ok(None),
        Ok(answer) => Secret::from_bytes(Zeroizing::new(answer.into_bytes()), "the terminal")
            .map(|secret| Some(secret.typed(silence))),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Err(Fault::interrupted()),
        Err(error) => {
            Err(Fault::key("cannot ask for the passphrase at the terminal").because(&error))
        }
    }
}

fn run_command(line: &str, around: &Surroundings) -> Result<Secret, Fault> {
    let words = shlex::split(line).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(Fault::usage("the password command is empty or has an open quote")
            .hint("write it as for a shell, in quotes as a whole: --password-command \"pass 'my backup'\""));
    };
    let failed = || Fault::key(format!("the password command {program:?} failed"));
    let mut child = child(OsStr::new(program), around.variables.clone())
        .args(arguments)
        .current_dir(&around.current_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed().because(&error))?;
    let bytes = match child.stdout.take() {
        // The pipe is closed after the last byte that counts: an endless printer ends by that.
        Some(pipe) => secret::read_bounded(pipe),
        None => Ok(Zeroizing::default()),
    };
    let status = child.wait().map_err(|error| failed().because(&error))?;
    let bytes = bytes.map_err(|error| failed().because(&error))?;
    if !status.success() && around.cancel.is_asked() {
        return Err(Fault::interrupted());
    }
    if bytes.len() <= engine::base::limits::PASSPHRASE_MAX_BYTES && !status.success() {
        return Err(failed().hint(format!("run it by hand; it {}", ending(status))));
    }
    Secret::from_bytes(bytes, "the password command")
}

#[cfg(test)]
mod tests;
