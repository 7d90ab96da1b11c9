//! Key slots against the set that the administrator signed.
//!
//! A slot is read by its holder alone, and recovery words are used once in ten years, if ever. So a slot
//! that rotted is noticed here or on the day when nothing else is left.

use crate::base::error::in_one_line;
use crate::check::error::CheckError;
use crate::check::report::CheckReport;
use crate::format::slot::SlotKind;
use crate::repo::Repo;
use crate::repo::slot_sets;
use crate::repo::slots::{self, ListedSlot, Standing};
use crate::store::name::{ObjectName, prefix};

/// Slots without a signature that are reported.
const STRAYS_MAX: usize = 20;

/// Compares slots with the sets that are in force, and reads all of them. Announcements of new keys that
/// could not be read when the repository was opened are damage as well.
pub(super) fn check(repo: &Repo, report: &mut CheckReport) -> Result<(), CheckError> {
    let known = slot_sets::known(repo)?;
    for (key, error) in &known.unreadable {
        report.finding(key, in_one_line(error));
    }
    if !known.is_signed() {
        let why = "the store has no set of key slots that the administrator signed";
        report.finding(prefix::SLOT_SETS, why.to_owned());
    }
    for doubt in repo.doubts() {
        report.finding(&doubt.key, in_one_line(&doubt.error));
    }
    for slot in slots::list_by(repo, &known)? {
        report.records_read += 1;
        let key = ObjectName::Slot(slot.slot).key();
        match &slot.standing {
            Standing::Good => {}
            Standing::Changed => {
                let why = format!("this is not what was stored, and opens nothing: {}", of(&slot));
                report.finding(&key, why);
            }
            Standing::Missing => report.finding(&key, format!("it is missing: {}", of(&slot))),
            Standing::Unreadable(why) => report.finding(&key, format!("{why}: {}", of(&slot))),
            Standing::Removed => stray(report, key, "it was removed, and is there again"),
            Standing::Unlisted => stray(report, key, "no administrator has signed for it"),
        }
    }
    Ok(())
}

fn stray(report: &mut CheckReport, key: String, why: &'static str) {
    if report.stray_slots.len() < STRAYS_MAX {
        report.stray_slots.push((key, why));
    }
}

/// Whom a slot lets in.
fn of(slot: &ListedSlot) -> String {
    let kind = match slot.kind {
        Some(SlotKind::Passphrase) => "a passphrase",
        Some(SlotKind::Phrase) => "recovery words",
        Some(SlotKind::KeyFile) => "a key file",
        None => "a key",
    };
    let label = slot.about.as_ref().map(|about| format!(" {:?}", about.label)).unwrap_or_default();
    match slot.role {
        Some(role) => format!("the slot of {kind} with the role {}{label}", role.name()),
        None => format!("the slot of {kind}"),
    }
}
