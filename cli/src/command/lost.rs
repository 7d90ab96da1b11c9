//! Snapshots that this machine has seen and that the store does not have any more, though nobody forgot
//! them: it was put back to an earlier state, or has lost objects. Said wherever somebody relies on the
//! newest snapshot being the newest.

use engine::base::error::in_one_line;
use engine::base::id::SessionId;
use engine::repo::error::RepoError;

use crate::command::context::Context;
use crate::command::select::short_id;
use crate::fault::{ExitCode, Fault};

/// Ids that are named.
const NAMED_MAX: usize = 3;

/// In words, what is gone; nothing if nothing is.
fn words(lost: &[SessionId]) -> Option<String> {
    let mut newest = lost.to_vec();
    // Numbers of sessions order those of one client; among clients any order will do.
    newest.sort_by_key(|session| std::cmp::Reverse((session.sequence(), *session)));
    let ids: Vec<_> = newest.iter().take(NAMED_MAX).map(|session| short_id(*session)).collect();
    let more = if lost.len() > NAMED_MAX { ", …" } else { "" };
    let what = match lost.len() {
        0 => return None,
        1 => "1 snapshot is".to_owned(),
        count => format!("{count} snapshots are"),
    };
    let ids = ids.join(", ");
    Some(format!(
        "{what} gone from the store that this machine has seen and nobody forgot ({ids}{more}): the \
         store was put back to an earlier state, or has lost them"
    ))
}

/// Exit code 20 if a snapshot of the same client as `latest` was made after it and its record cannot be
/// used; what was asked for is done all the same. Of records of other clients nobody can say whose host
/// and paths they name, so they are only noted.
///
/// # Errors
/// If there is one.
pub fn judge_newer(
    damaged: &[(SessionId, RepoError)],
    latest: SessionId,
    context: &Context<'_>,
) -> Result<(), Fault> {
    let (own, others): (Vec<_>, Vec<_>) =
        damaged.iter().partition(|(session, _)| session.client() == latest.client());
    if let Some((session, error)) = others.first() {
        context.ui.note(&format!(
            "the record of snapshot {}{} cannot be used, so nobody can say whether it is newer: {}",
            short_id(*session),
            if others.len() > 1 { " and of others" } else { "" },
            in_one_line(error)
        ));
    }
    let newer = own.iter().find(|(session, _)| session.sequence() > latest.sequence());
    let Some((session, error)) = newer else { return Ok(()) };
    let message = format!(
        "snapshot {} is newer than {}, and its record cannot be used: {}",
        short_id(*session),
        short_id(latest),
        in_one_line(error)
    );
    Err(Fault::new(ExitCode::Damage, "E_CORRUPT", message)
        .hint("what was asked for is done; `mainstay check` shows everything that is affected"))
}

/// Says it as a note.
pub fn tell(lost: &[SessionId], context: &Context<'_>) {
    if let Some(words) = words(lost) {
        context.ui.note(&words);
    }
}

/// Refuses to choose by rules what goes while it is not known what there is: what a rule keeps depends on
/// what else it has to choose from.
///
/// # Errors
/// Exit code 23 if anything is gone.
pub fn require_none(lost: &[SessionId]) -> Result<(), Fault> {
    match words(lost) {
        None => Ok(()),
        Some(words) => Err(Fault::refused(format!("nothing was forgotten: {words}")).hint(
            "find out what happened to the store, then `mainstay index rebuild --accept-losses`; \
             snapshots that are named can be forgotten now",
        )),
    }
}

/// Exit code 20 if anything is gone; what was asked for is done all the same.
///
/// # Errors
/// If anything is gone.
pub fn judge(lost: &[SessionId]) -> Result<(), Fault> {
    match words(lost) {
        None => Ok(()),
        Some(words) => Err(Fault::new(ExitCode::Damage, "E_ROLLED_BACK", words).hint(
            "what was asked for is done. Find out what happened to the store, then `mainstay index \
             rebuild --accept-losses` on each machine, and `mainstay check`",
        )),
    }
}
