//! `key rotate`: new keys for everybody who is to read on.

use engine::repo::rotation::{Rotated, plan, rotate};
use engine::repo::slots::{ListedSlot, Standing};
use restore_verify::evidence::event::Event;

use crate::args::key::KeyRotateArgs;
use crate::command::context::Context;
use crate::command::open::{open, remember_epoch};
use crate::command::trouble;
use crate::command::witness::{act, witness};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::keys::{KeyRecord, KeysRotated};
use crate::ui::output::printable;
use crate::units;

/// Changes the keys of the repository.
///
/// # Errors
/// Exit code 12 if the given key is not an administrator's.
pub fn run(args: &KeyRotateArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let mut opened = open(context)?;
    let done = match args.dry_run {
        true => plan(&opened.repo),
        false => rotate(&mut opened.repo),
    };
    let done = done.map_err(|error| trouble::repo(&error))?;
    if !args.dry_run {
        // The next run keeps it as well: this only lets it notice a store that is put back at once.
        let _ = remember_epoch(&opened.repo, &opened.state);
        let detail = format!("epoch {}, for {}", done.epoch, counted(&done.given));
        let at = context.around.clock.now();
        witness(&opened, &Event::KeyUse(act("keys", "changed", &[], &detail, at)), context);
    }
    tell(&done, args.dry_run, context);
    Ok(ExitCode::Ok)
}

fn counted(slots: &[ListedSlot]) -> String {
    units::counted(slots.len() as u64, "key")
}

fn tell(done: &Rotated, dry_run: bool, context: &Context<'_>) {
    let Rotated { epoch, is_repeated, given, left_out } = done;
    if context.ui.is_json() {
        context.ui.message(&Message::KeysRotated(KeysRotated {
            dry_run,
            epoch: *epoch,
            given: given.iter().map(KeyRecord::of).collect(),
            left_out: left_out.iter().map(KeyRecord::of).collect(),
        }));
        return;
    }
    for slot in left_out {
        let key = KeyRecord::of(slot);
        let label = key.label.as_deref().unwrap_or("?");
        let id = key.id.get(..8).unwrap_or_default();
        let why = match slot.standing {
            Standing::Good => "its client was revoked",
            _ => key.state,
        };
        context
            .ui
            .note(&printable(&format!("{} {id} {label:?} gets no new keys: {why}", key.kind)));
    }
    if context.ui.is_quiet() {
        return;
    }
    let verb = match (dry_run, is_repeated) {
        (true, false) => "would begin",
        (false, false) => "began",
        (true, true) => "would announce again",
        (false, true) => "announced again",
    };
    context.ui.result(&format!("{verb} epoch {epoch} with new keys, for {}", counted(given)));
    context.ui.result(
        "  keys with the role admin make all later keys, removed ones too: against a stolen one only a \
         new repository helps",
    );
    if !dry_run {
        context.ui.result("  runs that are under way may still write with the old keys");
    }
}
