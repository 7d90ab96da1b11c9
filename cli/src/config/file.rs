//! The configuration file: what would otherwise stand in front of every command.
//!
//! It holds options of every command under their own names, and no secrets: it says where they
//! are. A flag counts before a variable, a variable before the file. Relative paths in it begin at
//! its folder. An option that is not known is an error, because a misspelt one would be a backup
//! without it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::config::alert::{Alert, Watch, WatchedSystem};
use agent::config::check::Sections;
use agent::config::hook::Hooks;
use agent::config::promise::{Objectives, Suspicious};
use agent::config::schedule::{JobKind, Schedule};
use agent::config::source::Source;
use agent::plan::Plan;
use engine::disk::trust::{self, Purpose};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::bandwidth::Bandwidth;
use crate::config::location::names_a_kind;
use crate::config::nearest;
use crate::config::policy::Retention;
use crate::config::secret::distrusted;
use crate::config::surroundings::Surroundings;
use crate::fault::Fault;
use crate::units::{UnitError, parse_patience};

/// No configuration is longer; a wrong file is noticed before it fills memory.
const FILE_MAX_BYTES: u64 = 64 * 1024;

/// What a configuration file can hold; what is missing in it is missing here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConfigFile {
    /// `--repo`
    pub repo: Option<String>,
    /// `--password-file`
    pub password_file: Option<PathBuf>,
    /// `--password-command`
    pub password_command: Option<String>,
    /// `--key-file`
    pub key_file: Option<PathBuf>,
    /// `--endpoint`
    pub endpoint: Option<String>,
    /// `--connect-timeout`
    pub connect_timeout: Option<Patience>,
    /// `--allow-http`
    pub allow_http: bool,
    /// `--cache-dir`
    pub cache_dir: Option<PathBuf>,
    /// `--limit-upload`
    pub limit_upload: Option<NonZeroU32>,
    /// `--limit-download`
    pub limit_download: Option<NonZeroU32>,
    /// Limits that hold at some hours instead of those above.
    pub bandwidth: Vec<Bandwidth>,
    /// `--background`
    pub background: bool,
    /// Who stamps evidence.
    pub timestamp: Option<TimestampSection>,
    /// Rules of retention, for the commands that take any.
    pub retention: Option<Retention>,
    /// Set in what came back from a repository: hooks and commands stay off until a person has read them
    /// and takes this line out.
    #[serde(skip_serializing)]
    pub unconfirmed: bool,
    /// The organisation, as tickets and reports name it.
    #[serde(skip_serializing)]
    pub client: Option<String>,
    /// Name of this machine in snapshots; the system's otherwise.
    #[serde(skip_serializing)]
    pub host: Option<String>,
    /// Zone of calendars and windows, as `Europe/Berlin`; the system's otherwise.
    pub time_zone: Option<String>,
    /// File with variables (`NAME=value`) for what happens by itself, credentials of the store among them.
    #[serde(skip_serializing)]
    pub environment_file: Option<PathBuf>,
    /// What is promised.
    #[serde(skip_serializing)]
    pub objectives: Objectives,
    /// What is saved.
    #[serde(skip_serializing)]
    pub source: Vec<Source>,
    /// When things happen by themselves.
    #[serde(skip_serializing)]
    pub schedule: Option<Schedule>,
    /// What runs around them.
    #[serde(skip_serializing)]
    pub hooks: Hooks,
    /// What makes a success suspicious.
    #[serde(skip_serializing)]
    pub suspicious: Suspicious,
    /// Who is told when something is wrong.
    #[serde(skip_serializing)]
    pub alert: Vec<Alert>,
    /// Systems that there should be, for whoever watches.
    #[serde(skip_serializing)]
    pub system: Vec<WatchedSystem>,
    /// How clients are watched.
    #[serde(skip_serializing)]
    pub watch: Watch,
}

/// What a configuration asks for, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InForce {
    client: String,
    host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment_file: Option<String>,
    objectives: Objectives,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Schedule>,
    hooks: Hooks,
    suspicious: Suspicious,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<Retention>,
    source: Vec<Source>,
    watch: Watch,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<WatchedSystem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alert: Vec<Alert>,
}

/// A value of `--connect-timeout`, which TOML has as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Patience(pub Duration);

impl Serialize for Patience {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{}s", self.0.as_secs()))
    }
}

impl TryFrom<String> for Patience {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        parse_patience(&text).map(Self)
    }
}

/// The section `[timestamp]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TimestampSection {
    /// `--timestamp-url`
    pub url: Option<String>,
}

impl ConfigFile {
    /// Reads the file that `flag` or `MAINSTAY_CONFIG` names, or the first of the usual ones that is
    /// there; an empty configuration without any.
    /// What a variable says is taken out of it.
    ///
    /// # Errors
    /// A fault of usage if it cannot be read or understood, a refusal if others may write it.
    pub fn find(flag: Option<&Path>, around: &Surroundings) -> Result<Self, Fault> {
        let Some(path) = Self::locate(flag, around) else { return Ok(Self::default()) };
        let mut config = Self::read(&path)?;
        config.yield_to(around);
        Ok(config)
    }

    /// Reads the file at an absolute path, whatever variables say.
    ///
    /// # Errors
    /// As [`ConfigFile::find`].
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let mut config = Self::parse(&read(path)?, path)?;
        if let Some(name) = config.empty() {
            return Err(Fault::usage(format!("{}: {name} is empty", path.display()))
                .hint("write a value, or leave the line out"));
        }
        if config.unconfirmed && config.password_command.is_some() {
            let message = format!("{}: password-command is not confirmed", path.display());
            return Err(Fault::refused(message)
                .hint("read the file, and take the line `unconfirmed = true` out of it"));
        }
        config.begin_at(path.parent().unwrap_or(Path::new("/")));
        Ok(config)
    }

    /// Whether a text makes sense as a configuration; `shown` is how messages call it.
    ///
    /// # Errors
    /// A fault of usage that says what does not.
    pub fn understand(text: &str, shown: &Path) -> Result<Self, Fault> {
        let config = Self::parse(text, shown)?;
        let found = agent::config::check::problems(&config.sections());
        match found.is_empty() {
            true => Ok(config),
            false => {
                let all: Vec<_> = found.iter().map(ToString::to_string).collect();
                Err(Fault::usage(format!("{}: {}", shown.display(), all.join("; ")))
                    .hint("`mainstay config schema` shows what can stand there"))
            }
        }
    }

    /// Its options of every command and its rules as a file of their own, all paths absolute.
    ///
    /// # Errors
    /// A local fault if it cannot be written as TOML.
    pub fn options(&self) -> Result<String, Fault> {
        toml::to_string(self).map_err(|error| {
            Fault::local("the configuration cannot be written as TOML").because(&error)
        })
    }

    /// Everything that is in force, to be shown: what the file says, and what it leaves to this machine.
    #[must_use]
    pub fn in_force(&self, plan: &Plan) -> InForce {
        let path =
            |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        InForce {
            client: plan.client.clone(),
            host: plan.host.clone(),
            time_zone: plan.zone.iana_name().map(str::to_owned),
            repo: self.repo.clone(),
            endpoint: self.endpoint.clone(),
            key_file: path(&self.key_file),
            password_file: path(&self.password_file),
            password_command: self.password_command.clone(),
            retention: self.retention.clone(),
            environment_file: path(&self.environment_file),
            objectives: plan.objectives.clone(),
            schedule: self.schedule.clone(),
            hooks: plan.hooks.clone(),
            suspicious: plan.suspicious.clone(),
            source: plan.sources.clone(),
            watch: plan.watch.clone(),
            system: plan.systems.clone(),
            alert: plan.alerts.clone(),
        }
    }

    /// What it says of what happens by itself.
    #[must_use]
    pub fn sections(&self) -> Sections {
        Sections {
            client: self.client.clone(),
            host: self.host.clone(),
            time_zone: self.time_zone.clone(),
            objectives: self.objectives.clone(),
            sources: self.source.clone(),
            schedule: self.schedule.clone(),
            hooks: self.hooks.clone(),
            suspicious: self.suspicious.clone(),
            alerts: self.alert.clone(),
            systems: self.system.clone(),
            watch: self.watch.clone(),
            has_rules: self.retention.is_some(),
        }
    }

    /// Where it is read from, if there is one.
    #[must_use]
    pub fn locate(flag: Option<&Path>, around: &Surroundings) -> Option<PathBuf> {
        let named = flag.or_else(|| around.variable("MAINSTAY_CONFIG").map(Path::new));
        let usual = || around.usual_configs.iter().find(|path| path.exists()).cloned();
        named.map(|path| around.absolute(path)).or_else(usual)
    }

    /// Understands the text of a file; its paths stay as they are.
    ///
    /// # Errors
    /// A fault of usage with the line.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Fault> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let message = error
                .message()
                .replace("a nonzero u32", "a whole number of KiB per second, at least 1");
            let hint = match nearest::of_message(&message) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "`mainstay config schema` shows what can stand there".to_owned(),
            };
            Fault::usage(format!("{}, line {line}: {message}", path.display())).hint(hint)
        })
    }

    /// The first option that has no value.
    fn empty(&self) -> Option<&'static str> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.as_os_str().to_owned());
        let text = |text: &Option<String>| text.as_ref().map(OsString::from);
        let stamps = self.timestamp.as_ref().and_then(|section| text(&section.url));
        let all = [
            ("repo", text(&self.repo)),
            ("password-file", path(&self.password_file)),
            ("password-command", text(&self.password_command)),
            ("key-file", path(&self.key_file)),
            ("endpoint", text(&self.endpoint)),
            ("cache-dir", path(&self.cache_dir)),
            ("environment-file", path(&self.environment_file)),
            ("timestamp.url", stamps),
        ];
        let is_empty = |value: &OsString| value.as_encoded_bytes().trim_ascii().is_empty();
        all.iter().find(|(_, value)| value.as_ref().is_some_and(is_empty)).map(|(name, _)| *name)
    }

    fn begin_at(&mut self, folder: &Path) {
        let own = [
            &mut self.password_file,
            &mut self.key_file,
            &mut self.cache_dir,
            &mut self.environment_file,
        ];
        let of_sources = self.source.iter_mut();
        let of_sources =
            of_sources.flat_map(|source| source.paths.iter_mut().chain(&mut source.exclude_file));
        let report = self.schedule.as_mut().and_then(|all| all.entry_mut(JobKind::Report));
        let report = report.and_then(|entry| entry.to.as_mut());
        let secrets = self.alert.iter_mut().flat_map(|alert| alert.secret_file.0.iter_mut());
        for path in own.into_iter().flatten().chain(of_sources).chain(report).chain(secrets) {
            // An empty path is said to be one, not taken for the folder.
            if !path.as_os_str().is_empty() {
                *path = folder.join(&*path);
            }
        }
        if let Some(repo) = self.repo.as_mut().filter(|repo| !names_a_kind(repo)) {
            // Not UTF-8 only if the folder is not, and then the location could not be used either.
            *repo = folder.join(&*repo).to_string_lossy().into_owned();
        }
    }

    fn yield_to(&mut self, around: &Surroundings) {
        let is_set = |name| around.variable(name).is_some();
        if is_set("MAINSTAY_REPOSITORY") {
            self.repo = None;
        }
        if is_set("AWS_ENDPOINT_URL") {
            self.endpoint = None;
        }
        if is_set("MAINSTAY_STATE_DIR") {
            self.cache_dir = None;
        }
        if is_set("MAINSTAY_TIMESTAMP_URL") {
            self.timestamp = None;
        }
        // All of them are one setting: where passphrase or key come from.
        let secrets = ["", "_FILE", "_COMMAND", "_FD"].map(|end| format!("MAINSTAY_PASSWORD{end}"));
        if is_set("MAINSTAY_KEY_FILE") || secrets.iter().any(|name| is_set(name)) {
            (self.password_file, self.password_command, self.key_file) = (None, None, None);
        }
    }
}

fn read(path: &Path) -> Result<String, Fault> {
    let unreadable = |error: &std::io::Error| {
        Fault::usage(format!("cannot read the configuration file {}", path.display()))
            .because(error)
    };
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let found = file.metadata().map_err(|error| unreadable(&error))?;
    // It names a command that will be run, and where secrets are sent to.
    trust::judge(path, &found, Purpose::Instruction).map_err(|distrust| distrusted(&distrust))?;
    let mut text = String::new();
    file.take(FILE_MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    match text.len() as u64 > FILE_MAX_BYTES {
        true => Err(Fault::usage(format!("{} is longer than 64 KiB", path.display()))),
        false => Ok(text),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test need no sync")]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(text: &str, variables: &[(&str, &str)]) -> Result<ConfigFile, Fault> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        ConfigFile::find(Some(file.path()), &Surroundings::isolated(variables))
    }

    #[test]
    fn everything_can_be_set_and_paths_begin_at_the_file() {
        let text = "repo = 'backup'\npassword-file = '/etc/secret'\nendpoint = 'https://s3'\n\
                    allow-http = true\ncache-dir = 'state'\nlimit-upload = 500\nbackground = true\n\
                    connect-timeout = '1m'\n";
        let read = config(text, &[]).expect("understood");
        let folder = std::env::temp_dir();
        assert_eq!(read.repo.as_deref(), folder.join("backup").to_str());
        assert_eq!(read.password_file.as_deref(), Some(Path::new("/etc/secret")));
        assert_eq!(read.cache_dir, Some(folder.join("state")));
        assert_eq!(read.limit_upload.map(NonZeroU32::get), Some(500));
        assert!(read.allow_http && read.background);
        assert_eq!(read.connect_timeout, Some(Patience(Duration::from_secs(60))));
        let cloud = config("repo = 's3://bucket/prefix'", &[]).expect("understood");
        assert_eq!(cloud.repo.as_deref(), Some("s3://bucket/prefix"));
    }

    #[test]
    fn variables_count_before_the_file() {
        let text = "repo = 'x'\npassword-file = 'p'\nendpoint = 'https://s3'\nlimit-upload = 1";
        let variables = [("MAINSTAY_REPOSITORY", "y"), ("MAINSTAY_PASSWORD_FD", "3")];
        let read = config(text, &variables).expect("understood");
        assert_eq!((read.repo, read.password_file), (None, None));
        assert!(read.endpoint.is_some() && read.limit_upload.is_some());
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, line, words) in [
            ("\nrepository = 'x'", 2, "unknown field `repository`"),
            ("repo = 7", 1, "string"),
            ("a = ", 1, ""),
            ("limit-upload = 0", 1, "at least 1"),
            ("connect-timeout = '0s'", 1, "from 1s to 1h"),
            ("[retention]\nkeep-dayly = 3\n", 2, "keep-dayly"),
            ("[retension]\nkeep-daily = 3\n", 1, "retension"),
            ("keep-daily = 3\n", 1, "keep-daily"),
            ("[retention]\nkeep-daily = [3]\n", 2, ""),
            ("[retention]\nkeep-within = 3\n", 2, ""),
            ("[retention\n", 1, ""),
        ] {
            let fault = config(text, &[]).expect_err(text);
            let message = fault.message();
            assert!(message.contains(&format!(", line {line}: ")), "{message}");
            assert!(message.contains(words), "{message}");
            assert_eq!(fault.exit_code().code(), 2);
        }
        for (text, name) in [("repo = ' '", "repo"), ("[timestamp]\nurl = ''", "timestamp.url")] {
            let fault = config(text, &[]).expect_err(text);
            assert!(
                fault.message().ends_with(&format!(": {name} is empty")),
                "{}",
                fault.message()
            );
        }
        let missing = ConfigFile::find(Some(Path::new("/no/such")), &Surroundings::isolated(&[]));
        assert_eq!(missing.map_err(|fault| fault.code()), Err("E_USAGE"));
    }

    #[test]
    fn rules_are_numbers_and_words() {
        let text = "repo = 's3://b'\n[retention]\nkeep-last = 3\nkeep-daily = \"unlimited\"\n";
        let wanted = Retention {
            keep_last: Some("3".to_owned()),
            keep_daily: Some("unlimited".to_owned()),
            ..Retention::default()
        };
        assert_eq!(config(text, &[]).map(|file| file.retention), Ok(Some(wanted)));
    }

    #[test]
    fn a_usual_file_counts_if_none_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let (own, machine) = (folder.path().join("own.toml"), folder.path().join("machine.toml"));
        std::fs::write(&machine, "repo = '/machine'").expect("written");
        let mut around = Surroundings::isolated(&[]);
        around.usual_configs = vec![own.clone(), machine];
        let repo = |around: &Surroundings| ConfigFile::find(None, around).map(|file| file.repo);
        assert_eq!(repo(&around), Ok(Some("/machine".to_owned())));
        std::fs::write(&own, "repo = '/own'").expect("written");
        assert_eq!(repo(&around), Ok(Some("/own".to_owned())));
        let named = ConfigFile::find(Some(Path::new("/no/such")), &around);
        assert!(named.is_err(), "what is named counts alone");
    }

    #[test]
    fn nobody_else_may_write_it() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let open = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(file.path(), open).expect("it is ours");
        let read = ConfigFile::find(Some(file.path()), &Surroundings::isolated(&[]));
        assert_eq!(read.map_err(|fault| fault.code()), Err("E_REFUSED"));
    }
}
