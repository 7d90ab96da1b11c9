//! From the flags of every command to an opened repository with its local index.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use engine::base::id::RepositoryId;
use engine::base::monitor::Monitor;
use engine::base::path::escape;
use engine::disk::fleeting::FleetingFolder;
use engine::format::slot::Role;
use engine::index::catalog::{self, Catalog};
use engine::index::kept;
use engine::index::lock::StateLock;
use engine::index::marks::TagChanges;
use engine::index::refresh::refresh;
use engine::index::{Index, IndexError, OpenOutcome};
use engine::repo::Repo;
use engine::repo::error::RepoError;
use engine::repo::open::{KeyFile, Known, Unlock, open_knowing};
use engine::store::Store;
use engine::store::error::StoreError;
use engine::store::location::{Location, StoreOptions};
use zeroize::Zeroizing;

use crate::command::context::Context;
use crate::command::place::overlap;
use crate::command::trouble;
use crate::config::aws;
use crate::config::credential::{self, Credential};
use crate::config::repository::{Place, RepositoryFlags, resolve};
use crate::config::secret::{Secret, read_bounded};
use crate::config::surroundings::Surroundings;
use crate::config::words;
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
    fleeting: Option<FleetingFolder>,
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
    let states = match &fleeting {
        Some(folder) => folder.path(),
        None => place.states()?,
    };
    let state = state_folder(states, repo.config().repository);
    let opened = Index::open(&state, repo.config().repository, context.around.clock.now());
    let (index, outcome) = opened.map_err(|error| {
        let fault = trouble::index(&error);
        match error.obstacle() {
            Some(_) => fault,
            None => fault.hint("choose another state folder with --cache-dir"),
        }
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
    if let Some(slot) = repo.slot().filter(|slot| kept::slot(&state) != Some(*slot)) {
        // Only spares the next run the slots of others.
        let _ = kept::keep_slot(&state, slot);
    }
    remember_epoch(&repo, &state)?;
    let folder = location.local_path().map(Path::to_owned);
    Ok(Opened { repo, index, state, folder, fleeting })
}

/// Keeps the newest epoch that was seen. A store that is put back shows older keys, which somebody may
/// have who must not read any more; so this is kept, or the command ends.
///
/// # Errors
/// The state folder cannot be written.
pub fn remember_epoch(repo: &Repo, state: &Path) -> Result<(), Fault> {
    let newest = repo.keys().control().1;
    if newest > kept::epoch(state).unwrap_or_default() {
        kept::keep_epoch(state, newest).map_err(|error| trouble::index(&error))?;
    }
    Ok(())
}

/// A state folder that is gone when the run is.
fn temporary_state(around: &Surroundings) -> Result<FleetingFolder, Fault> {
    let parent = around.variable("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let parent = around.absolute(&parent);
    FleetingFolder::create(&parent, "mainstay-index-").map_err(|error| {
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
    if !context.global.no_index {
        // Said before a passphrase is asked for and stretched.
        place.states()?;
    }
    let flags = context.global.credential();
    let mut credential = credential::find(&flags, context.around)?;
    let mut tried = 0;
    let repo = loop {
        tried += 1;
        match unlock(&store, &credential, Some(&place), context) {
            Err(fault) if fault.exit_code() == ExitCode::Key => {
                match credential::ask_again(&flags, context.around, tried)? {
                    Some(secret) => credential = Credential::Passphrase(secret),
                    None => return Err(fault),
                }
            }
            unlocked => break unlocked?,
        }
    };
    Ok((repo, place, location))
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
    let clock = || context.around.clock.clone();
    let states = place.and_then(|it| it.state_dir.as_deref());
    let seen = |repository| kept::epoch(&state_folder(states?, repository));
    let secret = match credential {
        Credential::KeyFile(path) => {
            let key_file = read_key_file(path)?;
            let known = place
                .and_then(|it| it.state_dir.as_deref())
                .and_then(|states| kept::config(&state_folder(states, key_file.repository)));
            let known = Known { config: known, slot: None, epoch: Some(&seen) };
            let opened = open_knowing(store, clock(), &Unlock::KeyFile(&key_file), known);
            return opened.map(|repo| said(repo, context)).map_err(|error| {
                let fault = trouble::opening(&error);
                match error {
                    RepoError::WrongKey { slot_count: 0, .. } => fault.hint(
                        "this key was removed from the repository; `mainstay key add` makes a new \
                         one, with a passphrase or a key of role admin",
                    ),
                    _ => fault,
                }
            });
        }
        Credential::Passphrase(secret) => secret,
    };
    let last = |repository| kept::slot(&state_folder(states?, repository));
    let open = |unlock: &Unlock<'_>| {
        let known = Known { config: None, slot: Some(&last), epoch: Some(&seen) };
        open_knowing(store, clock(), unlock, known)
    };
    let opened = match words::find(secret.expose())? {
        Some(words) => open(&Unlock::Words(&words)),
        None => {
            let passphrase =
                |secret: &Secret| open(&Unlock::Passphrase(secret.expose().as_bytes()));
            match (passphrase(secret), secret.as_read()) {
                // Made with the very bytes that were read.
                (Err(RepoError::WrongKey { .. }), Some(as_read)) => passphrase(&as_read),
                (opened, _) => opened,
            }
        }
    };
    opened.map(|repo| said(repo, context)).map_err(|error| trouble::opening(&error))
}

/// Says with `-v` what was opened, and always what could be new keys.
fn said(repo: Repo, context: &Context<'_>) -> Repo {
    for doubt in repo.doubts() {
        let what = match doubt.is_gone {
            true => "announced new keys, and the store does not show it any more",
            false => "may announce new keys, and cannot be read",
        };
        let then = match repo.keys().role() {
            // The root secret has the new keys.
            Role::Admin => "nothing is written until that is settled",
            _ => "what was written since is not seen, and nothing is written until that is settled",
        };
        context.ui.note(&format!("{} {what}; {then}", doubt.key));
    }
    context.ui.detail(
        1,
        &format!(
            "repository {} at {}, opened with role {}",
            repo.config().repository,
            repo.store().describe(),
            repo.keys().role().name()
        ),
    );
    repo
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
    let mut place = resolve(flags, context.around)?;
    let location = Location::parse(&place.location).map_err(|error| {
        Fault::during(Doing::Work, &error).hint(
            "write a path, file:///PATH with three slashes, s3://BUCKET/PREFIX, gs://… or az://…",
        )
    })?;
    require_apart(&place, &location, context)?;
    let found = match place.location.starts_with("s3://") {
        true => aws::find(context.around)?,
        false => aws::Found { settings: context.around.store_variables()?, keys: None },
    };
    let setting = |wanted: &str| {
        let mut all = found.settings.iter().rev();
        all.find(|(name, _)| name == wanted).map(|(_, value)| value.trim().to_owned())
    };
    place.endpoint = place.endpoint.or_else(|| setting("AWS_ENDPOINT_URL"));
    place.region = place.region.or_else(|| setting("AWS_REGION"));
    let options = StoreOptions {
        endpoint: place.endpoint.clone(),
        region: place.region.clone(),
        allow_http: place.allow_http,
        environment: found.settings,
        keys: found.keys,
        limits: context.limits.clone(),
        opening_ms: context.global.connect_timeout.map(|patience| patience.as_millis() as u64),
        watch: context.ui.watch(&context.around.cancel),
    };
    let store = Store::open(&location, &options, create_missing).map_err(|error| {
        let fault = Fault::during(Doing::Find, &error);
        match error {
            StoreError::FolderMissing { .. } => fault.hint(
                "if it lies on a disk or a share, mount that; if it is new, `mainstay init` makes it",
            ),
            _ => fault,
        }
    })?;
    Ok((store, place, location))
}

/// The repository's folder holds objects alone, and the state of this machine none of them.
fn require_apart(place: &Place, location: &Location, context: &Context<'_>) -> Result<(), Fault> {
    let folders = location.local_path().zip(place.state_dir.as_deref());
    let Some((repository, states)) = folders.filter(|_| !context.global.no_index) else {
        return Ok(());
    };
    match overlap(repository, states) {
        false => Ok(()),
        true => Err(Fault::usage(format!(
            "the state folder {} and the repository {} lie in one another",
            shown(states),
            shown(repository)
        ))
        .hint("choose another state folder with --cache-dir or MAINSTAY_STATE_DIR")),
    }
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_bytes())
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
    if text.trim_start().starts_with(words::KIT_TITLE) || words::gather(&text).is_some() {
        let shown = path.display();
        return Err(Fault::key(format!("{shown} holds recovery words, and is no key file"))
            .hint(format!("they stand for a passphrase: --password-file {shown}")));
    }
    KeyFile::parse(&text).map_err(|error| match error {
        RepoError::KeyFile { why } => {
            Fault::key(format!("the key file {} cannot be used: {why}", path.display()))
                .hint("check the path: `mainstay key add --to-key-file FILE` makes such a file")
        }
        other => trouble::opening(&other),
    })
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
