//! Configurations of one file, or of all files of a folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use agent::config::hook::Hooks;
use agent::plan::{Machine, Plan};
use engine::base::path::escape;

use crate::config::environment;
use crate::config::file::ConfigFile;
use crate::config::repository::state_dir;
use crate::config::surroundings::Surroundings;
use crate::fault::Fault;

/// The folder that is looked into if no file is named and none of the usual ones is there.
const USUAL_FOLDER: &str = "/etc/mainstay/clients";

/// One organisation on this machine.
#[derive(Debug, Clone)]
pub struct Organisation {
    /// Its file.
    pub path: PathBuf,
    /// What the file says.
    pub file: ConfigFile,
    /// What has to be done.
    pub plan: Plan,
    /// Variables that its jobs get beside those of this process.
    pub environment: Vec<(OsString, OsString)>,
    /// The folder of what is remembered of it.
    pub state: PathBuf,
}

/// The files that are meant, whether or not they make sense.
///
/// # Errors
/// A fault of usage if there is none, or the folder cannot be read.
pub fn files(flag: Option<&Path>, around: &Surroundings) -> Result<Vec<PathBuf>, Fault> {
    let found = ConfigFile::locate(flag, around);
    let usual = Path::new(USUAL_FOLDER);
    let path = match found {
        Some(path) => path,
        None if usual.is_dir() => usual.to_owned(),
        None => {
            return Err(Fault::usage("there is no configuration")
                .hint("name one: --config FILE, or a folder with one for each organisation"));
        }
    };
    if !path.is_dir() {
        return Ok(vec![path]);
    }
    let unreadable = |error: &std::io::Error| {
        Fault::usage(format!("cannot read the folder {}", path.display())).because(error)
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(|error| unreadable(&error))? {
        let file = entry.map_err(|error| unreadable(&error))?.path();
        let is_hidden = file.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
        if file.extension().is_some_and(|end| end == "toml") && !is_hidden {
            files.push(file);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(Fault::usage(format!("there is no .toml file in {}", path.display()))
            .hint("write one for each organisation")),
        false => Ok(files),
    }
}

/// Reads one file.
///
/// # Errors
/// A fault of usage that names everything that makes no sense in it; a refusal if others may write it.
pub fn one(path: &Path, around: &Surroundings) -> Result<Organisation, Fault> {
    let file = ConfigFile::read(path)?;
    let machine = Machine { host: around.host.clone(), zone: (**around.time_zone).clone() };
    let mut plan = Plan::make(&file.sections(), &machine).map_err(|problems| {
        let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Fault::usage(format!("{}: {}", path.display(), all.join("; ")))
            .hint("`mainstay config schema` shows what can stand there")
    })?;
    if file.unconfirmed {
        plan.hooks = Hooks::default();
    }
    let environment = match &file.environment_file {
        Some(named) if !named.exists() => {
            let (file, named) = (path.display(), named.display());
            return Err(Fault::usage(format!("{file}: environment-file {named} is not there")));
        }
        Some(named) => environment::read(named)?,
        None => Vec::new(),
    };
    let state = state_folder(&file, &plan, around)?;
    Ok(Organisation { path: path.to_owned(), file, plan, environment, state })
}

/// Reads all files. A file that makes no sense keeps nobody else from its night.
#[must_use]
pub fn all(files: &[PathBuf], around: &Surroundings) -> (Vec<Organisation>, Vec<Fault>) {
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    let mut taken: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for path in files {
        match one(path, around) {
            Err(fault) => faults.push(fault),
            Ok(organisation) => match taken.get(&organisation.state) {
                Some(other) => faults.push(twice(other, path)),
                None => {
                    taken.insert(organisation.state.clone(), path.clone());
                    good.push(organisation);
                }
            },
        }
    }
    (good, faults)
}

/// Two files say what to do for one client: everything would run twice.
#[must_use]
pub fn twice(one: &Path, other: &Path) -> Fault {
    let (one, other) = (one.display(), other.display());
    Fault::usage(format!("{one} and {other} name the same client and repository"))
        .hint("put everything for one client into one file")
}

/// Client and repository have a folder of their own, whatever the file is called.
fn state_folder(file: &ConfigFile, plan: &Plan, around: &Surroundings) -> Result<PathBuf, Fault> {
    let root = state_dir(file.cache_dir.as_deref(), around)?;
    let location = file
        .repo
        .clone()
        .or_else(|| around.variable("MAINSTAY_REPOSITORY").map(|value| escape(value.as_bytes())));
    let mut text = plan.client.clone();
    text.push('\0');
    text.push_str(&location.unwrap_or_default());
    let plain =
        |one: char| if one.is_ascii_alphanumeric() { one.to_ascii_lowercase() } else { '-' };
    let name: String = plan.client.chars().take(32).map(plain).collect();
    let hash = engine::crypt::hash::digest(text.as_bytes());
    let digits = data_encoding::HEXLOWER.encode(&hash.as_bytes()[..4]);
    Ok(root.join("agent").join(format!("{name}-{digits}")))
}

impl Organisation {
    /// The file of what is remembered.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.state.join("agent.sqlite")
    }

    /// The process that has its state, as far as can be seen without disturbing it.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.state.join("lock")).ok()?;
        let pid: u32 = text.trim().parse().ok()?;
        Path::new("/proc").join(pid.to_string()).exists().then_some(pid)
    }

    /// The file that its jobs are started with.
    #[must_use]
    pub fn job_file(&self) -> PathBuf {
        self.state.join("job.toml")
    }

    /// Writes the file that its jobs are started with: what was read is in force until something else
    /// that makes sense is read, whatever becomes of the file of the organisation meanwhile.
    ///
    /// # Errors
    /// A local fault if it cannot be written.
    pub fn put_in_force(&self) -> Result<(), Fault> {
        let (path, beside) = (self.job_file(), self.state.join("job.toml.new"));
        let failed = |error: &std::io::Error| {
            Fault::local(format!("cannot write {}", path.display())).because(error)
        };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&beside).map_err(|error| failed(&error))?;
        let text = self.file.options()?;
        file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
        file.sync_all().map_err(|error| failed(&error))?;
        std::fs::rename(&beside, &path).map_err(|error| failed(&error))
    }

    /// The environment of its jobs: what its file says counts before what this process was given, for
    /// else one variable would send all organisations into one repository.
    #[must_use]
    pub fn variables(&self, around: &Surroundings) -> BTreeMap<OsString, OsString> {
        let mut all = around.variables.clone();
        all.extend(self.environment.iter().cloned());
        let mut drop = vec!["MAINSTAY_CONFIG", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];
        if self.file.repo.is_some() {
            drop.push("MAINSTAY_REPOSITORY");
        }
        if self.file.endpoint.is_some() {
            drop.push("AWS_ENDPOINT_URL");
        }
        if self.file.cache_dir.is_some() {
            drop.push("MAINSTAY_STATE_DIR");
        }
        let has_secret = self.file.key_file.is_some()
            || self.file.password_file.is_some()
            || self.file.password_command.is_some();
        if has_secret {
            drop.extend(["MAINSTAY_KEY_FILE", "MAINSTAY_PASSWORD", "MAINSTAY_PASSWORD_FILE"]);
            drop.extend(["MAINSTAY_PASSWORD_COMMAND", "MAINSTAY_PASSWORD_FD"]);
        }
        for name in drop {
            all.remove(std::ffi::OsStr::new(name));
        }
        all
    }
}
