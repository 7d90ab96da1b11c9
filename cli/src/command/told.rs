//! Evidence in words: one line that says what happened, as one would tell it.

use restore_verify::evidence::drill_event::Outcome;
use restore_verify::evidence::event::{Act, Event};

use crate::units;

/// One line that says what a record of this event is about.
#[must_use]
pub fn describe(name: &str, body: &[u8]) -> String {
    let counted = units::counted;
    match Event::decode(name, body) {
        Ok(Event::DrillBegun(begun)) => {
            format!("{} drill of {} begins", begun.kind.name(), begun.system)
        }
        Ok(Event::Drill(drill)) => format!(
            "{} drill of {} {} at level {}: {}{}",
            drill.kind.name(),
            drill.system,
            ended(drill.outcome),
            drill.level,
            counted(drill.files, "file"),
            some(drill.finding_count, "finding"),
        ),
        Ok(Event::Rotation(rotation)) => format!(
            "{} read in turn{}; {} of all bytes within {}",
            counted(rotation.packs, "pack"),
            match rotation.failed {
                0 => String::new(),
                failed => format!(", {} of them damaged or missing", units::count(failed)),
            },
            units::percent(rotation.covered_bytes, rotation.total_bytes),
            counted(u64::from(rotation.days), "day")
        ),
        Ok(Event::Remedy(remedy)) => {
            format!("ticket {} {}, about {}", remedy.ticket, remedy.step.name(), remedy.finding)
        }
        Ok(Event::Export(export)) if export.purpose.is_empty() => "evidence exported".to_owned(),
        Ok(Event::Export(export)) => format!("evidence exported: {}", export.purpose),
        Ok(Event::Check(check)) => format!(
            "check of {} {}{}, {} read",
            method(&check.method),
            ended(check.outcome),
            match check.damaged {
                0 => String::new(),
                1 => ": 1 object is damaged or missing".to_owned(),
                more => format!(": {} objects are damaged or missing", units::count(more)),
            },
            units::size(check.bytes_read)
        ),
        Ok(Event::Restore(restore)) => format!(
            "restore of {} {}: {}, {}",
            restore.system,
            ended(restore.outcome),
            counted(restore.files, "file"),
            units::size(restore.bytes)
        ),
        Ok(Event::BackupPopulation(runs)) => {
            let counts: Vec<_> =
                runs.outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
            format!("{}: {}", counted(runs.runs, "backup run"), counts.join(", "))
        }
        Ok(
            Event::Policy(act)
            | Event::KeyUse(act)
            | Event::Collection(act)
            | Event::Offboarding(act),
        ) => done(&act),
        Ok(Event::Timestamp(stamp)) => {
            format!("{} was stamped by {}", stamp.of, stamp.authority)
        }
        _ => name.to_owned(),
    }
}

const fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::NotProved => "proved nothing",
    }
}

/// What a check looked at.
fn method(name: &str) -> String {
    match name {
        "structure" => "the structure".to_owned(),
        "all" => "everything".to_owned(),
        "random" => "packs drawn at random".to_owned(),
        part => part.to_owned(),
    }
}

/// `, 2 findings`, or nothing for none.
fn some(number: u64, what: &str) -> String {
    match number {
        0 => String::new(),
        some => format!(", {}", units::counted(some, what)),
    }
}

/// What somebody did.
fn done(act: &Act) -> String {
    let number = |wanted: &str| {
        let found = act.numbers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, number)| u64::try_from(*number).unwrap_or(0))
    };
    let of = |name: &str, what: &str| number(name).map(|count| units::counted(count, what));
    let words = match (act.subject.as_str(), act.action.as_str()) {
        ("hold", "added") => of("holds", "hold")
            .zip(of("snapshots", "snapshot"))
            .map(|(holds, snapshots)| format!("{holds} added to {snapshots}")),
        ("hold", "released") => of("holds", "hold").map(|holds| {
            let gone = number("forgotten-snapshots").unwrap_or(0);
            let gone = match gone {
                0 => String::new(),
                gone => format!("; {} forgotten now", units::counted(gone, "snapshot")),
            };
            format!("{holds} released{gone}")
        }),
        ("snapshots", "forgot") => {
            of("snapshots", "snapshot").map(|snapshots| format!("{snapshots} forgotten"))
        }
        ("snapshots", action) => {
            of("snapshots", "snapshot").map(|snapshots| format!("{snapshots} {action}"))
        }
        ("tags", "changed") => {
            of("snapshots", "snapshot").map(|snapshots| format!("tags of {snapshots} changed"))
        }
        ("store", "collected") => Some(collected(&number)),
        _ => None,
    };
    words.unwrap_or_else(|| {
        let numbers: String =
            act.numbers.iter().map(|(name, count)| numbered(name, *count)).collect();
        format!("{} {}{numbers}", act.subject, act.action)
    })
}

/// What a `prune` did: all that is not nothing.
fn collected(number: &impl Fn(&str) -> Option<u64>) -> String {
    let part = |packs: &str, bytes: &str, what: &str| {
        let packs = number(packs).filter(|packs| *packs > 0)?;
        let size = number(bytes).map(|bytes| format!(" ({})", units::size(bytes)));
        Some(format!("{}{} {what}", units::counted(packs, "pack"), size.unwrap_or_default()))
    };
    let parts = [
        part("deleted-packs", "deleted-bytes", "deleted"),
        part("announced-packs", "announced-bytes", "announced"),
        part("repacked-packs", "", "rewritten"),
        part("refused-packs", "", "not let go of by the store"),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => "prune: there was nothing to free".to_owned(),
        false => format!("prune: {}", parts.join(", ")),
    }
}

/// A number by its name in the record: `, 1 forgotten snapshot`, `, 2.00 MiB of packs`.
fn numbered(name: &str, count: i64) -> String {
    let count = u64::try_from(count).unwrap_or(0);
    let words = name.replace('-', " ");
    match words.strip_suffix(" bytes") {
        Some(what) => format!(", {} of {what}s", units::size(count)),
        None => format!(", {}", units::counted(count, words.strip_suffix('s').unwrap_or(&words))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(subject: &str, action: &str, numbers: &[(&str, i64)]) -> String {
        let numbers = numbers.iter().map(|(name, count)| ((*name).to_owned(), *count));
        let event = Event::Policy(Act {
            subject: subject.to_owned(),
            action: action.to_owned(),
            numbers: numbers.collect(),
            ..Act::default()
        });
        describe(event.name(), &event.body())
    }

    #[test]
    fn what_was_done_reads_as_one_would_tell_it() {
        let holds =
            |holds, snapshots| act("hold", "added", &[("holds", holds), ("snapshots", snapshots)]);
        assert_eq!(holds(1, 1), "1 hold added to 1 snapshot");
        assert_eq!(holds(2, 3), "2 holds added to 3 snapshots");
        let released = [("holds", 1), ("forgotten-snapshots", 1)];
        assert_eq!(act("hold", "released", &released), "1 hold released; 1 snapshot forgotten now");
        assert_eq!(act("snapshots", "forgot", &[("snapshots", 1)]), "1 snapshot forgotten");
        assert_eq!(
            act("snapshots", "brought back", &[("snapshots", 1)]),
            "1 snapshot brought back"
        );
        assert_eq!(act("tags", "changed", &[("snapshots", 2)]), "tags of 2 snapshots changed");
        assert_eq!(act("key 5e6f7a8b", "added", &[]), "key 5e6f7a8b added");
        let pruned = [("packs", 9), ("deleted-packs", 1), ("deleted-bytes", 2048)];
        assert_eq!(act("store", "collected", &pruned), "prune: 1 pack (2.00 KiB) deleted");
        assert_eq!(act("store", "collected", &[("packs", 9)]), "prune: there was nothing to free");
        let left = [("packs", 1), ("pack-bytes", 2048)];
        assert_eq!(
            act("host web1", "destroyed", &left),
            "host web1 destroyed, 1 pack, 2.00 KiB of packs"
        );
        assert_eq!(describe("of a later version", b""), "of a later version");
    }
}
