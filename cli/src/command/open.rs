//! From the flags of every command to an opened repository with its local index.

use std::path::{Path, PathBuf};

use engine::base::id::RepositoryId;
use engine::base::monitor::Monitor;
use engine::crypt::phrase;
use engine::format::slot::Role;
use engine::index::catalog::{self, Catalog};
use engine::index::kept;
use engine::index::lock::StateLock;
use engine::index::marks::TagChanges;
use engine::index::refresh::refresh;
use engine::index::{Index, IndexError, OpenOutcome};
use engine::repo::Repo;
use engine::repo::open::{KeyFile, Unlock, open_knowing};
use engine::store::Store;
use engine::store::location::{Location, StoreOptions, parse_aws_profile};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::command::context::Context;
use crate::command::trouble;
use crate::config::credential::{self, Credential};
use crate::config::repository::{Place, RepositoryFlags, resolve};
use crate::config::secret::read_bounded;
use crate::config::surroundings::Surroundings;
use crate::fault::{Doing, ExitCode, Fault};
use crate::ui::progress::Progress;

/// A repository and what this machine keeps of it.
pub struct Opened {
    /// The repository, unlocked.
    pub repo: Repo,
    /// The local index.
    pub index: Index,
    /// Folder of the index.
    pub state: PathBuf,
    /// The folder of the repository, if it is one.
    pub folder: Option<PathBuf>,
    /// Removes the state folder at the end, if it is only for this run.
    fleeting: Option<TempDir>,
}

impl Opened {
    /// Whether the state folder is gone when this run is.
    #[must_use]
    pub fn is_fleeting(&self) -> bool {
        self.fleeting.is_some()
    }

    /// Holds the state folder for this run alone.
    ///
    /// # Errors
    /// Exit code 11 if another run holds it, 2 if it is only for this run.
    pub fn lock(&self) -> Result<StateLock, Fault> {
        if self.fleeting.is_some() {
            return Err(Fault::usage("this command needs its index the next time: not --no-index")
                .hint("say with --cache-dir where it may be kept"));
        }
        StateLock::acquire(&self.state).map_err(|error| {
            let fault = trouble::index(&error);
            match error {
                IndexError::Busy { .. } => fault,
                _ => fault.hint("choose another state folder with --cache-dir"),
            }
        })
    }

    /// Reads what is new in the store into the index.
    ///
    /// # Errors
    /// Those of the store and of the index.
    pub fn refresh(&self, monitor: &dyn Monitor) -> Result<(), Fault> {
        refresh(&self.repo, &self.index, monitor).map_err(|error| trouble::index(&error))?;
        Ok(())
    }

    /// All snapshots, and then whatever is new in the store read into the index. In this order: a
    /// snapshot that is committed meanwhile refers to what the index does not know yet.
    ///
    /// # Errors
    /// Those of the store and of the index.
    pub fn look(&self, monitor: &dyn Monitor) -> Result<Catalog, Fault> {
        self.catalog_and(|| self.refresh(monitor))
    }

    /// All snapshots, forgotten ones apart, with the tags in force.
    ///
    /// # Errors
    /// Those of the store and of the index.
    pub fn catalog(&self) -> Result<Catalog, Fault> {
        self.catalog_and(|| Ok(()))
    }

    /// All snapshots, and `then` whatever must come after they were listed.
    fn catalog_and(&self, then: impl FnOnce() -> Result<(), Fault>) -> Result<Catalog, Fault> {
        let failed = |error| trouble::index(&error);
        std::thread::scope(|scope| {
            // Tags can be read beside all that: nothing else depends on them.
            let changes = scope.spawn(|| TagChanges::read(&self.repo, &self.index));
            let mut catalog = catalog::live(&self.repo, &self.index).map_err(failed)?;
            then()?;
            let changes = changes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            catalog.apply(&changes.map_err(failed)?);
            Ok(catalog)
        })
    }

    /// Whether the key may read names.
    ///
    /// # Errors
    /// Exit code 12 if its role does not allow it.
    pub fn require_names(&self) -> Result<(), Fault> {
        self.repo.keys().tree().map(|_| ()).map_err(|error| trouble::repo(&error))
    }

    /// Whether the key may read the content of files.
    ///
    /// # Errors
    /// Exit code 12 if its role does not allow it.
    pub fn require_content(&self) -> Result<(), Fault> {
        self.repo.keys().data().map(|_| ()).map_err(|error| trouble::repo(&error))
    }
}

/// Begins to show progress.
#[must_use]
pub fn progress(context: &Context<'_>) -> Progress {
    context.ui.progress(context.around.clock.clone(), context.around.cancel.clone())
}

/// Opens repository and index.
///
/// # Errors
/// Exit codes 2, 10, 12, 20, 23, 24, 25 for what is in the way.
pub fn open(context: &Context<'_>) -> Result<Opened, Fault> {
    let (repo, place, location) = repository(context)?;
    let fleeting = match context.global.no_index {
        true => Some(temporary_state(context.around)?),
        false => None,
    };
    let states = fleeting.as_ref().map_or(place.state_dir.as_path(), TempDir::path);
    let state = state_folder(states, repo.config().repository);
    let opened = Index::open(&state, repo.config().repository, context.around.clock.now());
    let (index, outcome) = opened.map_err(|error| {
        trouble::index(&error).hint("choose another state folder with --cache-dir")
    })?;
    if let OpenOutcome::Replaced { moved_to, why } = outcome {
        context.ui.note(&format!(
            "the local index was replaced ({why}) and is read again from the store; the old file \
             is {}",
            moved_to.display()
        ));
    }
    if kept::config(&state).as_ref() != Some(repo.config_object()) {
        // Only saves the next run a request.
        let _ = kept::keep_config(&state, repo.config_object());
    }
    let folder = location.local_path().map(Path::to_owned);
    Ok(Opened { repo, index, state, folder, fleeting })
}

/// A state folder that is gone when the run is.
fn temporary_state(around: &Surroundings) -> Result<TempDir, Fault> {
    let parent = around.variable("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let parent = around.absolute(&parent);
    tempfile::Builder::new().prefix("mainstay-").tempdir_in(&parent).map_err(|error| {
        Fault::local(format!("cannot make a folder in {}", parent.display()))
            .because(&error)
            .hint("set TMPDIR to a folder with room, or leave --no-index out")
    })
}

/// Where this machine keeps what it knows of a repository.
fn state_folder(states: &Path, repository: RepositoryId) -> PathBuf {
    states.join(repository.to_string())
}

/// Opens a repository without its local index.
///
/// # Errors
/// As [`open`].
pub fn repository(context: &Context<'_>) -> Result<(Repo, Place, Location), Fault> {
    let (store, place, location) = store(context, &context.global.repository(), false)?;
    let credential = credential::find(&context.global.credential(), context.around)?;
    Ok((unlock(&store, &credential, Some(&place), context)?, place, location))
}

/// Opens the repository in a store; `place` is where a configuration may be known from.
///
/// # Errors
/// As [`open`].
pub fn unlock(
    store: &Store,
    credential: &Credential,
    place: Option<&Place>,
    context: &Context<'_>,
) -> Result<Repo, Fault> {
    let (key_file, words);
    let mut known = None;
    let unlock = match credential {
        Credential::Passphrase(secret) => match recovery_words(secret.expose()) {
            Some(found) => {
                words = found;
                Unlock::Words(&words)
            }
            None => Unlock::Passphrase(secret.expose().as_bytes()),
        },
        Credential::KeyFile(path) => {
            key_file = read_key_file(path)?;
            known = place
                .and_then(|it| kept::config(&state_folder(&it.state_dir, key_file.repository)));
            Unlock::KeyFile(&key_file)
        }
    };
    let repo = open_knowing(store, context.around.clock.clone(), &unlock, known)
        .map_err(|error| trouble::opening(&error))?;
    context.ui.detail(
        1,
        &format!(
            "repository {} at {}, opened with role {}",
            repo.config().repository,
            repo.store().describe(),
            repo.keys().role().name()
        ),
    );
    Ok(repo)
}

/// Opens the store alone; `create_missing` makes the folder of a local one.
///
/// # Errors
/// Exit code 2 for a location that cannot be, 10 for a folder that is not there.
pub fn store(
    context: &Context<'_>,
    flags: &RepositoryFlags,
    create_missing: bool,
) -> Result<(Store, Place, Location), Fault> {
    let place = resolve(flags, context.around)?;
    let location = Location::parse(&place.location)?;
    let options = StoreOptions {
        endpoint: place.endpoint.clone(),
        region: None,
        allow_http: place.allow_http,
        limits: context.limits.clone(),
        environment: environment(&place, context.around)?,
    };
    let store = Store::open(&location, &options, create_missing)
        .map_err(|error| Fault::during(Doing::Find, &error))?;
    Ok((store, place, location))
}

/// The recovery words, if a passphrase consists of them; they may be numbered as in the kit. The
/// words hold a checksum, so a passphrase of other words is not taken for them.
#[must_use]
pub fn recovery_words(passphrase: &str) -> Option<Zeroizing<String>> {
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let words: Vec<&str> = passphrase.split_whitespace().filter(|word| !is_number(word)).collect();
    let words = Zeroizing::new(words.join(" "));
    phrase::from_words(&words).is_ok().then_some(words)
}

/// Reads a key file, whose permissions have been looked at.
///
/// # Errors
/// Exit code 12 if it cannot be read or is none.
pub fn read_key_file(path: &Path) -> Result<KeyFile, Fault> {
    let unreadable = |error: &std::io::Error| {
        Fault::key(format!("cannot read the key file {}", path.display())).because(error)
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
    let bytes = read_bounded(file).map_err(|error| unreadable(&error))?;
    let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    KeyFile::parse(&text).map_err(|error| trouble::opening(&error))
}

/// What the role of a key allows, for people.
#[must_use]
pub fn allows(role: Role) -> &'static str {
    match role {
        Role::Backup => "make backups; it can read nothing back",
        Role::Maintain => {
            "list, find, forget, hold and make backups; it cannot read the content of files"
        }
        Role::Verify => "list, find, check and restore; it cannot make backups",
        Role::Restore => "list, find and restore; it cannot make backups",
        Role::Admin => "do everything",
    }
}

/// Settings of the store: the profile of the user, then the environment, which counts more.
fn environment(place: &Place, around: &Surroundings) -> Result<Vec<(String, String)>, Fault> {
    let variables = around.store_variables();
    if !place.location.starts_with("s3://") {
        return Ok(variables);
    }
    let mut settings = aws_profile(around)?;
    if around.variable("AWS_ACCESS_KEY_ID").is_some() {
        // Half of one key and half of another make none.
        settings.retain(|(name, _)| !is_part_of_key(name));
    }
    settings.extend(variables);
    Ok(settings)
}

fn is_part_of_key(name: &str) -> bool {
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].contains(&name)
}

fn aws_profile(around: &Surroundings) -> Result<Vec<(String, String)>, Fault> {
    let named = around.text("AWS_PROFILE")?;
    let profile = named.unwrap_or("default");
    let home = around.variable("HOME").map(PathBuf::from);
    let mut settings = Vec::new();
    for (variable, usual) in
        [("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")]
    {
        let given = around.variable(variable).map(|path| around.absolute(Path::new(path)));
        let Some(path) = given.or_else(|| home.as_ref().map(|home| home.join(usual))) else {
            continue;
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => settings.extend(parse_aws_profile(&text, profile)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Fault::local(format!("cannot read {}", path.display()))
                    .because(&error)
                    .exit(ExitCode::Usage));
            }
        }
    }
    match named {
        Some(name) if settings.is_empty() => {
            Err(Fault::usage(format!("the profile {name:?} that AWS_PROFILE names is in no file")))
        }
        _ => Ok(settings),
    }
}
