//! `database`: dumps of databases, restores under a new name, drills that count rows.

/// Evidence of restores.
pub mod proof;
/// The dumps in a snapshot.
pub mod stored;
/// `database detect`
pub mod detect;
/// `database dump`
pub mod dump;
/// `database restore`
pub mod restore;
/// `database drill`
pub mod drill;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::args::database::{DatabaseArgs, DatabaseCommand, PlaceArgs};
use crate::command::context::Context;
use crate::config::secret::check_private;
use crate::config::surroundings::Surroundings;
use crate::database::server::Server;
use crate::fault::{ExitCode, Fault};
use crate::ui::cancel::Cancel;

/// How often it is shown that somebody still works.
const TICK: Duration = Duration::from_millis(100);

/// Does one of the things that can be done with databases.
///
/// # Errors
/// Whatever stops it.
pub fn run(args: &DatabaseArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let _patience = Patience::begin(&context.around.cancel);
    match &args.command {
        DatabaseCommand::Detect => detect::run(context),
        DatabaseCommand::Dump(args) => dump::run(args, context),
        DatabaseCommand::Restore(args) => restore::run(args, context),
        DatabaseCommand::Drill(args) => drill::run(args, context),
    }
}

/// The server that options name.
fn server(args: &PlaceArgs, around: &Surroundings) -> Result<Server, Fault> {
    let mut server = match &args.server {
        None => Server::default(),
        Some(text) => Server::parse(text)
            .map_err(|why| Fault::usage(format!("--server cannot be understood: {why}")))?,
    };
    server.login_file = args.login_file.clone();
    checked(server, around)
}

/// The same with its login file looked at: nobody else may read it.
fn checked(mut server: Server, around: &Surroundings) -> Result<Server, Fault> {
    if let Some(file) = server.login_file.take() {
        let file = around.absolute(&file);
        check_private(&file)?;
        server.login_file = Some(file);
    }
    Ok(server)
}

/// Folders for what only lives for a command, the best first: what is named, or else the usual ones.
fn scratch(given: Option<&PathBuf>, around: &Surroundings) -> Vec<PathBuf> {
    match given {
        Some(folder) => vec![around.absolute(folder)],
        None => {
            let named = around.variable("TMPDIR").map(PathBuf::from);
            named.into_iter().chain(["/tmp", "/var/tmp"].map(PathBuf::from)).collect()
        }
    }
}

/// Keeps the process from being ended at once by a signal: a private server and a half-made database
/// must be removed first. Tools end by themselves then, and with them whoever waits for them.
struct Patience {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Patience {
    fn begin(cancel: &Cancel) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, cancel) = (Arc::clone(&is_over), cancel.clone());
        let observer = cancel.observe();
        let thread = std::thread::spawn(move || {
            let _observer = observer;
            while !over.load(Ordering::Relaxed) {
                let _ = cancel.is_set();
                std::thread::sleep(TICK);
            }
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It has no result that could be lost.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
