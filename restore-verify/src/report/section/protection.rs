//! Who can read and who can delete: encryption, key holders, other copies; retention and holds.

use engine::format::slot::Role;

use crate::evidence::event::{Act, Event};
use crate::report::calendar::{self, DAY_MS};
use crate::report::facts::Entry;
use crate::report::model::{Basis, Block, Cell, Figure, Section, Table, Tone, Value};
use crate::report::work::Work;

/// The section on protection.
#[must_use]
pub fn protection(work: &Work<'_>) -> Section {
    let figures = protection_figures(work);
    let blocks =
        vec![Block::Figures { figures }, Block::Table(keys_table(work)), Block::Table(acts(work))];
    Section {
        id: "protection",
        title: "Protection",
        lead: "How data are encrypted and who holds keys, as the repository shows it when this report \
               is made. Second copies of the store are not recorded in evidence."
            .to_owned(),
        blocks,
    }
}

fn protection_figures(work: &Work<'_>) -> Vec<Figure> {
    let facts = work.facts;
    let repository = || Basis::of([format!("repository:{}", facts.repository)]);
    let keys = |keep: &dyn Fn(Option<Role>) -> bool| {
        Basis::of(
            facts.keys.iter().filter(|key| keep(key.role)).map(|key| format!("key:{}", key.id)),
        )
    };
    let all = keys(&|_| true);
    let write_only = keys(&|role| matches!(role, Some(Role::Backup)));
    let readers = keys(&|role| matches!(role, Some(Role::Restore | Role::Verify | Role::Admin)));
    let gone =
        Basis::of(facts.gone.iter().chain(&facts.damaged).map(|id| format!("snapshot:{id}")));
    let gone_tone = if gone.count > 0 { Tone::Bad } else { Tone::Good };
    vec![
        Figure::new(
            "protect.cipher",
            "Encryption",
            Value::text(facts.cipher.as_str()),
            repository(),
        ),
        Figure::new("protect.keys", "Keys", Value::Count(all.count), all),
        Figure::new(
            "protect.write_only_keys",
            "Write-only keys",
            Value::Count(write_only.count),
            write_only,
        )
        .note("can back up and read nothing back"),
        Figure::new(
            "protect.readers",
            "Keys that read content",
            Value::Count(readers.count),
            readers,
        ),
        Figure::new("protect.gone", "Snapshots gone or damaged", Value::Count(gone.count), gone)
            .note("though nobody forgot them")
            .tone(gone_tone),
        Figure::new(
            "protect.lock",
            "Stores that lock objects",
            Value::known(facts.locks_objects, |is_locking| Value::Count(u64::from(is_locking))),
            repository(),
        )
        .note("as probed when the repository was made"),
        Figure::new("protect.second_copy", "Second copy", Value::NotRecorded, Basis::default()),
    ]
}

fn keys_table(work: &Work<'_>) -> Table {
    let mut table = Table::new(
        "keys",
        "Key holders at the time of this report",
        &[
            ("label", "Holder", 2.5),
            ("role", "Role", 1.2),
            ("kind", "Kind", 1.4),
            ("created", "Since", 1.5),
            ("id", "Id", 1.6),
        ],
        "There is no key.",
    );
    for key in &work.facts.keys {
        let cells = vec![
            Value::known(key.label.clone(), Value::Text).into(),
            Value::known(key.role, |role| Value::text(role.name())).into(),
            key.kind.into(),
            Value::known(key.created_ms, Value::Time).into(),
            key.id.as_str().into(),
        ];
        table.push(cells, Basis::of([format!("key:{}", key.id)]));
    }
    table
}

fn act_of(event: &Event) -> Option<(&'static str, &Act)> {
    match event {
        Event::Policy(act) => Some(("policy", act)),
        Event::KeyUse(act) => Some(("key use", act)),
        Event::Collection(act) => Some(("collection", act)),
        Event::Offboarding(act) => Some(("offboarding", act)),
        _ => None,
    }
}

fn acts(work: &Work<'_>) -> Table {
    let mut table = Table::new(
        "acts",
        "Changes of settings, use of keys, collections",
        &[
            ("time", "Time", 1.5),
            ("what", "What", 1.1),
            ("subject", "Subject", 1.6),
            ("action", "Action", 2.2),
            ("by", "By", 1.3),
            ("ticket", "Ticket", 1.2),
        ],
        "None is recorded in the period.",
    );
    table.printed_max = 30;
    let acts: Vec<_> =
        work.entries().filter_map(|entry| Some((entry, act_of(&entry.event)?))).collect();
    for (entry, (what, act)) in acts.into_iter().rev() {
        let cells: Vec<Cell> = vec![
            Value::Time(entry.at_ms).into(),
            what.into(),
            act.subject.as_str().into(),
            act.action.as_str().into(),
            entry.actor.as_str().into(),
            act.ticket.clone().map_or_else(|| "".into(), Cell::from),
        ];
        table.push(cells, Basis::of([entry.id.clone()]));
    }
    table
}

/// The section on retention and holds.
#[must_use]
pub fn retention(work: &Work<'_>) -> Section {
    let facts = work.facts;
    let period = work.period();
    let there: Vec<_> = facts
        .points
        .iter()
        .filter(|point| work.is_wanted(&point.system) && point.committed_ms < period.to_ms)
        .collect();
    let live = there.iter().filter(|point| !point.is_forgotten);
    let oldest = live.clone().min_by_key(|point| point.started_ms);
    let forgotten = there.iter().filter(|point| point.is_forgotten).count() as u64;
    let in_force = |hold: &&crate::report::facts::HoldFact| hold.released_ms.is_none();
    let holds = Basis::of(facts.holds.iter().filter(in_force).map(|it| format!("hold:{}", it.id)));
    let changes: Vec<&Entry> =
        work.entries().filter(|entry| matches!(entry.event, Event::Policy(_))).collect();
    let changes = Basis::of(changes.iter().map(|entry| entry.id.clone()));
    let snapshot = |point: Option<&&&crate::report::population::Point>| {
        Basis::of(point.map(|point| format!("snapshot:{}", point.snapshot)))
    };
    let reach = oldest.map(|it| (period.to_ms - it.started_ms).max(0) as u64 / DAY_MS);
    let figures = vec![
        Figure::new(
            "retention.snapshots",
            "Snapshots kept",
            Value::Count(live.count() as u64),
            Basis::default().by("confirmed snapshots that are not forgotten"),
        ),
        Figure::new(
            "retention.forgotten",
            "Forgotten, not yet collected",
            Value::Count(forgotten),
            Basis::default().by("snapshots with a tombstone whose record is still in the store"),
        ),
        Figure::new(
            "retention.oldest",
            "Oldest snapshot kept",
            Value::known(oldest.map(|it| it.started_ms), Value::Time),
            snapshot(oldest.as_ref()),
        ),
        Figure::new(
            "retention.reach_days",
            "Days that can be gone back",
            Value::known(reach, Value::Count),
            snapshot(oldest.as_ref()),
        ),
        Figure::new("retention.holds", "Holds in force", Value::Count(holds.count), holds),
        Figure::new(
            "retention.policy_changes",
            "Changes of policy",
            Value::Count(changes.count),
            changes,
        )
        .note("recorded in the period"),
    ];
    Section {
        id: "retention",
        title: "Retention and holds",
        lead:
            "What is kept, for how long, and what stays whatever the rules say. Erased files stay \
               in snapshots made before until those are forgotten and collected."
                .to_owned(),
        blocks: vec![Block::Figures { figures }, Block::Table(holds_table(work))],
    }
}

fn holds_table(work: &Work<'_>) -> Table {
    let mut table = Table::new(
        "holds",
        "Holds",
        &[
            ("since", "Since", 1.5),
            ("reason", "Reason", 3.0),
            ("snapshots", "Snapshots", 1.0),
            ("until", "Meant until", 1.4),
            ("state", "State", 1.4),
        ],
        "There is no hold.",
    );
    for hold in &work.facts.holds {
        let state = match (hold.released_ms, hold.until_ms) {
            (Some(at_ms), _) => Value::text(format!("released {}", calendar::day(at_ms))).into(),
            (None, Some(until)) if until < work.period().to_ms => {
                Cell::toned(Value::text("overdue"), Tone::Warn)
            }
            _ => Value::text("in force").into(),
        };
        let cells = vec![
            Value::Time(hold.at_ms).into(),
            hold.reason.as_str().into(),
            Value::Count(hold.snapshots).into(),
            hold.until_ms.map_or_else(|| "open".into(), |until| Value::Time(until).into()),
            state,
        ];
        table.push(cells, Basis::of([format!("hold:{}", hold.id)]));
    }
    table
}
