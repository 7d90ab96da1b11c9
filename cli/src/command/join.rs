//! `machine join`: from a token to a machine that saves itself every night.

use std::ffi::OsString;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use agent::config::schedule::JobKind;
use zeroize::Zeroizing;

use crate::args::global::GlobalArgs;
use crate::args::machine::JoinArgs;
use crate::args::night::{InstallArgs, RunArgs};
use crate::command::context::Context;
use crate::command::place::PrivateFile;
use crate::command::{install, run as running};
use crate::config::token::{Invitation, TOKEN_MAX_BYTES};
use crate::fault::{ExitCode, Fault};
use crate::night::child::{self, Call};
use crate::night::load::{self, Organisation};
use crate::ui::json::Message;
use crate::ui::machines::Joined;
use crate::units;

/// Folder of units.
const UNITS: &str = "/etc/systemd/system";
/// Beginnings of the names of variables that the agent needs as this process has them.
const KEPT: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// Joins.
///
/// # Errors
/// Exit code 2 for a token that is none or a machine that has joined already, 23 for an invitation that
/// was taken or is over; whatever keeps the first backup or the agent from beginning.
pub fn run(args: &JoinArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let invitation = Invitation::from_token(&token(args, context)?)?;
    let now = context.around.clock.now();
    if now.seconds > invitation.until_s {
        let until = engine::base::time::Timestamp { seconds: invitation.until_s, nanos: 0 };
        let at = units::local_time(until, &context.around.time_zone);
        return Err(Fault::refused(format!("this invitation was good until {at}"))
            .hint("ask for another, and look at the clock of this machine"));
    }
    let folder = context.around.absolute(&args.config_dir);
    let laid = lay(&invitation, &folder, context)?;
    let organisation = load::one(&laid.config, context.around)?;
    claim(&invitation, &organisation, laid.is_found, context)?;
    let (config_file, key_file) = laid.keep();
    let mut outcome = Ok(ExitCode::Ok);
    if !args.no_backup {
        let job = RunArgs { job: Some(JobKind::Backup), due: false };
        outcome = with_config(&config_file, context, |context| running::run(&job, context));
    }
    let mut service = Ok(ExitCode::Ok);
    if !args.no_service {
        let how = InstallArgs { print: false, unit_dir: PathBuf::from(UNITS), no_start: false };
        service = with_config(&folder, context, |context| install::run(&how, context));
    }
    let (config_file, key_file) =
        (config_file.display().to_string(), key_file.display().to_string());
    let (organisation, host) = (invitation.organisation.clone(), invitation.host.clone());
    if context.ui.is_json() {
        let service = !args.no_service && service.is_ok();
        context.ui.message(&Message::Joined(Joined {
            organisation,
            host,
            config_file,
            key_file,
            service,
        }));
    } else {
        context
            .ui
            .result(&format!("{host} has joined {organisation}; {config_file} says what it does"));
    }
    match (outcome, service) {
        (Err(first), Err(second)) => {
            first.print(context.ui);
            Err(second)
        }
        (Err(fault), _) | (_, Err(fault)) => Err(fault),
        (Ok(code), Ok(_)) => Ok(code),
    }
}

/// The same world with another `--config`.
fn with_config(
    config: &Path,
    context: &Context<'_>,
    work: impl FnOnce(&Context<'_>) -> Result<ExitCode, Fault>,
) -> Result<ExitCode, Fault> {
    let global = GlobalArgs { config: Some(config.to_owned()), ..context.global.clone() };
    let limits = context.limits.clone();
    work(&Context { ui: context.ui, around: context.around, global: &global, limits })
}

fn token(args: &JoinArgs, context: &Context<'_>) -> Result<Zeroizing<String>, Fault> {
    use std::io::Read;
    let no_text = || Fault::usage("the token is not text");
    if let Some(path) = &args.token_file {
        let path = context.around.absolute(path);
        let unreadable = |error: &std::io::Error| {
            Fault::usage(format!("cannot read the token in {}", path.display())).because(error)
        };
        let file = std::fs::File::open(&path).map_err(|error| unreadable(&error))?;
        let mut text = Zeroizing::new(String::with_capacity(TOKEN_MAX_BYTES + 1));
        let read = file.take(TOKEN_MAX_BYTES as u64 + 1).read_to_string(&mut text);
        read.map_err(|error| unreadable(&error))?;
        return Ok(text);
    }
    match args.token.as_deref() {
        Some("-") => {
            let mut text = Zeroizing::new(String::with_capacity(TOKEN_MAX_BYTES + 1));
            let mut input = context.around.stdin.lock().map_err(|_| no_text())?;
            let read = (&mut *input).take(TOKEN_MAX_BYTES as u64 + 1).read_to_string(&mut text);
            read.map_err(|error| no_text().because(&error))?;
            Ok(text)
        }
        Some(token) => Ok(Zeroizing::new(token.to_owned())),
        None => match context.around.variable("MAINSTAY_TOKEN") {
            Some(token) => Ok(Zeroizing::new(token.to_str().ok_or_else(no_text)?.to_owned())),
            None => Err(Fault::usage("there is no token")
                .hint("give it as an argument, with --token-file, or in MAINSTAY_TOKEN")),
        },
    }
}

/// Files that were written, and are taken away again unless the machine has joined.
struct Laid {
    config: PathBuf,
    key: PathBuf,
    all: Vec<PathBuf>,
    /// Whether an earlier join that was cut off wrote them.
    is_found: bool,
}

impl Laid {
    fn keep(mut self) -> (PathBuf, PathBuf) {
        self.all.clear();
        (self.config.clone(), self.key.clone())
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        for path in &self.all {
            // What cannot be removed opens nothing that was not given up.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn lay(invitation: &Invitation, folder: &Path, context: &Context<'_>) -> Result<Laid, Fault> {
    let mut made = std::fs::DirBuilder::new();
    made.recursive(true).mode(0o700).create(folder).map_err(|error| {
        Fault::local(format!("cannot make {}", folder.display())).because(&error)
    })?;
    let plain = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_lowercase(),
        false => '-',
    };
    let name: String = invitation.organisation.chars().take(64).map(plain).collect();
    let place = |end: &str| folder.join(format!("{name}.{end}"));
    // A join that was cut off is gone on with: only its token has that key.
    let there = |end: &str| std::fs::read(place(end)).unwrap_or_default();
    let is_ours = there("key") == invitation.key.as_bytes();
    match (place("toml").is_file(), there("toml").is_empty()) {
        (true, false) if is_ours => {
            let (config, key) = (place("toml"), place("key"));
            return Ok(Laid { config, key, all: Vec::new(), is_found: true });
        }
        // It was cut off before anything was in them.
        (true, true) if is_ours || there("key").is_empty() => {
            for end in ["env", "key", "toml"] {
                let _ = std::fs::remove_file(place(end));
            }
        }
        _ => {}
    }
    let there = |fault: Fault| {
        fault.hint(format!(
            "this machine has joined that organisation before: `mainstay run backup --config {0}` goes on \
             with it; to join anew, move {0} and the key beside it away",
            place("toml").display()
        ))
    };
    let new = |end: &str, what: &str| PrivateFile::create(place(end), what).map_err(there);
    let (config, key) = (new("toml", "the configuration")?, new("key", "the key file")?);
    let environment = environment(context)?;
    let mut head = vec![
        ("client", invitation.organisation.clone()),
        ("repo", invitation.repo.clone()),
        ("host", invitation.host.clone()),
        ("key-file", format!("{name}.key")),
    ];
    head.extend(invitation.endpoint.clone().map(|endpoint| ("endpoint", endpoint)));
    let (all, is_found) = (Vec::new(), false);
    let mut laid = Laid { config: place("toml"), key: place("key"), all, is_found };
    laid.all.push(key.keep(invitation.key.as_bytes())?);
    if !environment.is_empty() {
        let file = new("env", "the credentials")?;
        laid.all.push(file.keep(environment.as_bytes())?);
        head.push(("environment-file", format!("{name}.env")));
    }
    let mut text = String::from("# Written by `mainstay machine join`.\n");
    for (name, value) in head {
        text.push_str(&format!("{name} = {}\n", toml::Value::from(value)));
    }
    if invitation.allow_http {
        text.push_str("allow-http = true\n");
    }
    text.push_str(&invitation.template);
    laid.all.push(config.keep(text.as_bytes())?);
    Ok(laid)
}

/// Credentials of the store that this process was given, as lines of an environment file.
fn environment(context: &Context<'_>) -> Result<Zeroizing<String>, Fault> {
    let mut text = Zeroizing::new(String::new());
    for (name, value) in &context.around.variables {
        let Some(name) = name.to_str().filter(|name| KEPT.iter().any(|it| name.starts_with(it)))
        else {
            continue;
        };
        let plain = value.to_str().filter(|value| !value.contains(['\n', '"', '\\', '\0']));
        let Some(value) = plain else {
            return Err(Fault::usage(format!(
                "{name} has letters that no file of variables can hold"
            ))
            .hint("write it into the environment-file of the configuration by hand"));
        };
        text.push_str(&format!("{name}=\"{value}\"\n"));
    }
    Ok(text)
}

/// Says in the repository that the invitation was taken: a process as those of jobs, so that what opens
/// the repository now is what opens it every night.
fn claim(
    invitation: &Invitation,
    organisation: &Organisation,
    is_again: bool,
    context: &Context<'_>,
) -> Result<(), Fault> {
    let words = ["machine", "claim", &invitation.client()?.to_string(), "--machine"];
    let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
    words.push(OsString::from(&context.around.host));
    words.extend(is_again.then(|| OsString::from("--again")));
    let observer = context.around.cancel.observe();
    let call = Call {
        program: &context.around.program,
        config: &organisation.path,
        variables: &organisation.variables(context.around),
        words: &words,
        clock: &*context.around.clock,
        wants_output: false,
    };
    let end = child::run(call, &|| context.around.cancel.is_set())?;
    drop(observer);
    if end.code == Some(0) {
        return Ok(());
    }
    if end.is_stopped {
        return Err(Fault::interrupted());
    }
    Err(end.fault(""))
}
