//! Checks of borgmatic, with how often each is due.

use crate::draft::Entry;
use crate::translate::Work;
use crate::tree::{Node, Section, Value};

/// Translates `checks`.
pub(super) fn translate(work: &mut Work<'_>, section: &mut Section) {
    for name in ["check_last", "check_repositories"] {
        if let Some(node) = section.take(name) {
            work.untold(name, &node, "a check is of the whole repository");
        }
    }
    let Some(node) = section.take("checks") else { return };
    let Value::List(list) = node.value else {
        work.untold("", &node, "a list of checks was expected");
        return;
    };
    for node in list {
        let place = node.place.clone();
        let mut one = match node.value {
            Value::Table(_) => node.section(),
            _ => Section { place: place.clone(), entries: vec![("name".to_owned(), node)] },
        };
        let name = one.take("name");
        let frequency = one.take("frequency");
        let every = frequency.as_ref().and_then(|node| frequency_of(work, node));
        if let Some(node) = &name {
            check(work, node, every, frequency.as_ref());
        } else if let Some(node) = frequency {
            work.untold("", &node, "a check without a name");
        }
        for (name, node) in one.entries {
            work.untold(&name, &node, "how much of a check is done is not limited by this here");
        }
    }
}

fn check(work: &mut Work<'_>, node: &Node, every: Option<Frequency>, frequency: Option<&Node>) {
    let mut entry = Entry::after("backup");
    match every {
        Some(Frequency::Never) => {
            work.report.missing(&node.place, "a check that never runs");
            return;
        }
        Some(Frequency::Days(days)) => entry.every = Some(format!("{days}d")),
        Some(Frequency::Always) | None => {}
    }
    match node.text() {
        Some("disabled") => work.report.missing(&node.place, "nothing is checked then"),
        Some(name @ ("repository" | "archives" | "data")) => {
            entry.read_data = name == "data";
            work.report.same(&node.place, "schedule.check");
            if let Some(old) = work.draft.schedule.get_mut("check") {
                if old.read_data == entry.read_data && old.every == entry.every {
                    return;
                }
                // Structure is checked each time; all data in the time that was asked for.
                if entry.read_data != old.read_data {
                    let (slow, fast) =
                        if entry.read_data { (&entry, &*old) } else { (&*old, &entry) };
                    let rotate = slow.every.clone().unwrap_or_else(|| "1d".to_owned());
                    let merged = Entry {
                        every: fast.every.clone(),
                        rotate: Some(rotate),
                        ..Entry::after("backup")
                    };
                    *old = merged;
                    let words = "one check does both: the whole structure each time, and all data once within `rotate`";
                    work.report.changed(&node.place, words);
                    return;
                }
                work.report.changed(
                    &node.place,
                    "one check does it, as often as the first one here asks for",
                );
                return;
            }
            work.draft.schedule.insert("check", entry);
        }
        Some("extract" | "spot") => {
            let words = "restoring is tried by drills here: schedule.drill = { after = \"backup\", every = \"7d\" }";
            work.report.to_do(&node.place, words);
            if let Some(frequency) = frequency {
                work.report.to_do(&frequency.place, words);
            }
        }
        _ => work.untold("", node, "there is no such check here"),
    }
}

enum Frequency {
    Always,
    Never,
    Days(u64),
}

/// `2 weeks`, `always`, `1 month`.
fn frequency_of(work: &mut Work<'_>, node: &Node) -> Option<Frequency> {
    let text = work.text(node)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let found = match words.as_slice() {
        ["always"] => Some(Frequency::Always),
        ["never"] => Some(Frequency::Never),
        [unit] => days(1, unit),
        [number, unit] => number.parse().ok().and_then(|number| days(number, unit)),
        _ => None,
    };
    match found {
        Some(_) => work.report.same(&node.place, "schedule.check.every"),
        None => work
            .report
            .to_do(&node.place, "how often is not understood; write `every` of schedule.check"),
    }
    if text.contains("month") || text.contains("year") {
        work.report.changed(&node.place, "a month has 30 days here, a year 365");
    }
    found
}

fn days(number: u64, unit: &str) -> Option<Frequency> {
    let each = match unit.trim_end_matches('s') {
        "hour" => {
            return (1..=87_840).contains(&number).then_some(Frequency::Days(number.div_ceil(24)));
        }
        "day" | "daily" => 1,
        "week" | "weekly" => 7,
        "month" | "monthly" => 30,
        "year" | "yearly" => 365,
        _ => return None,
    };
    let days = number.checked_mul(each)?;
    (1..=3660).contains(&days).then_some(Frequency::Days(days))
}
