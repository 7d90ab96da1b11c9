//! `cache`: what this machine keeps of repositories and can read again.

use engine::base::path::escape;
use engine::index::IndexError;
use engine::index::clean::{CacheFolder, caches, remove};

use crate::args::repository::{CacheArgs, CacheCleanArgs, CacheCommand};
use crate::command::context::Context;
use crate::command::trouble;
use crate::config::repository::state_dir;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::upkeep::{CacheCleaned, CleanedFolder};
use crate::units;

/// Does what is wanted with caches.
///
/// # Errors
/// If the state folder cannot be listed, or something in it cannot be removed.
pub fn run(args: &CacheArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let CacheCommand::Clean(args) = &args.command;
    clean(args, context)
}

fn clean(args: &CacheCleanArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let states = state_dir(context.global.cache_dir.as_deref(), context.around)?;
    let all = caches(&states).map_err(|error| trouble::index(&error))?;
    let now = context.around.clock.now();
    let (old, used): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|cache| now.since(cache.used) >= args.older_than);
    let mut cleaned = CacheCleaned {
        folder: states.display().to_string(),
        dry_run: args.dry_run,
        removed: Vec::new(),
        bytes_removed: 0,
        kept_count: used.len() as u64,
    };
    let mut failed = None;
    for cache in &old {
        match if args.dry_run { Ok(()) } else { remove(cache) } {
            Ok(()) => {
                cleaned.bytes_removed += cache.bytes;
                cleaned.removed.push(CleanedFolder {
                    repository: name(cache),
                    bytes: cache.bytes,
                    used: units::rfc3339(cache.used),
                });
            }
            Err(error @ IndexError::Busy { .. }) => {
                cleaned.kept_count += 1;
                context.ui.note(&error.to_string());
            }
            Err(error) => failed = failed.or(Some(trouble::index(&error))),
        }
    }
    show(&cleaned, &old, context);
    failed.map_or(Ok(ExitCode::Ok), Err)
}

fn show(cleaned: &CacheCleaned, old: &[CacheFolder], context: &Context<'_>) {
    let ui = context.ui;
    if ui.is_json() {
        ui.message(&Message::CacheCleaned(cleaned.clone()));
        return;
    }
    if ui.is_quiet() && !cleaned.dry_run {
        return;
    }
    let verb = if cleaned.dry_run { "would remove" } else { "removed" };
    for gone in &cleaned.removed {
        let used = old.iter().find(|cache| name(cache) == gone.repository).map(|cache| cache.used);
        let used = used.map(|used| units::local_minute(used, &context.around.time_zone));
        ui.result(&format!(
            "{verb} the index of repository {}, {}, last used {}",
            gone.repository,
            units::size(gone.bytes),
            used.unwrap_or_default()
        ));
    }
    match cleaned.removed.is_empty() {
        true => ui.result(&format!("nothing to remove in {}", cleaned.folder)),
        false => ui.result(&format!("{verb} {}", units::size(cleaned.bytes_removed))),
    }
}

/// The id of the repository.
fn name(cache: &CacheFolder) -> String {
    let name = cache.folder.file_name().unwrap_or_default();
    escape(name.as_encoded_bytes())
}
