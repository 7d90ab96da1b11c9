//! What a report is made of, what it does not show, and how anybody verifies it.

use crate::report::calendar;
use crate::report::model::{Basis, Block, Figure, Section, Tone, Value};
use crate::report::work::Work;

/// The section.
#[must_use]
pub fn section(work: &Work<'_>) -> Section {
    let facts = work.facts;
    let first = facts.entries.first();
    let all = Basis {
        ids: Vec::new(),
        count: facts.entries.len() as u64,
        rule: Some("all records of all chains".to_owned()),
    };
    let is_good = facts.flaws.is_empty();
    let first_ms = facts.entries.iter().map(crate::report::facts::Entry::proved_ms).min();
    let kept = first_ms.map(|at_ms| (work.period().to_ms - at_ms).max(0) as u64 / calendar::DAY_MS);
    let stamped = crate::report::work::timestamped(facts);
    let figures = vec![
        Figure::new("evidence.records", "Signed records", Value::Count(all.count), all.clone()),
        Figure::new(
            "evidence.good",
            "Chains whole and signed",
            Value::text(if is_good { "yes" } else { "no" }),
            all.clone(),
        )
        .tone(if is_good { Tone::Good } else { Tone::Bad }),
        Figure::new(
            "evidence.flaws",
            "Flaws in chains",
            Value::Count(facts.flaws.len() as u64),
            all,
        )
        .tone(if is_good { Tone::Plain } else { Tone::Bad }),
        Figure::new(
            "evidence.kept_days",
            "Records reach back, days",
            Value::known(kept, Value::Count),
            Basis::of(first.map(|it| it.id.clone())),
        ),
        Figure::new(
            "evidence.timestamped",
            "Newest time stamp",
            Value::known(stamped.as_ref().map(|it| it.0), Value::Time),
            Basis::of(stamped.map(|it| it.1)),
        )
        .note("by an RFC 3161 authority"),
    ];
    let mut blocks = vec![Block::Figures { figures }];
    blocks.extend(words(work).into_iter().map(|text| Block::Text { text }));
    blocks.push(Block::Commands {
        lines: vec![
            "# the chains in the repository".to_owned(),
            "mainstay evidence verify".to_owned(),
            "# a bundle with this report in it, with the public key alone".to_owned(),
            format!("mainstay evidence verify BUNDLE --key {}", facts.fingerprint),
            "# an auditor's draw from all runs of the period".to_owned(),
            format!(
                "mainstay report sample --from {} --to {} --n 25 --seed SEED",
                calendar::rfc3339(work.period().from_ms),
                calendar::rfc3339(work.period().to_ms)
            ),
        ],
    });
    Section {
        id: "method",
        title: "Method, limits, verification",
        lead: "What this report is made of, what it does not show, and how to check it.".to_owned(),
        blocks,
    }
}

fn words(work: &Work<'_>) -> Vec<String> {
    let plan = &work.scope.plan;
    let stated = match (&plan.hash, plan.default == crate::report::plan::Promise::default()) {
        (Some(hash), _) => format!(
            "The list of systems that should be protected and their objectives are stated by whoever \
             made the report (BLAKE3 of the list: {hash}); nothing else is typed in."
        ),
        (None, false) => "Objectives are stated by whoever made the report; nothing else is typed \
                          in. Nobody stated which systems there should be."
            .to_owned(),
        (None, true) => "Nothing in this report is typed in. Nobody stated which systems there \
                         should be, nor objectives; where drills recorded objectives, those are used."
            .to_owned(),
    };
    vec![
        format!(
            "Figures are computed from signed, chained records of evidence and from confirmed \
             snapshots; each names the ids that it is from. {stated}"
        ),
        "A figure that evidence does not hold is \"not recorded\". The level of a system is the best \
         that a drill of the period supports, of those after its last failure; without a snapshot \
         that is young enough it is L0, whatever was proved before."
            .to_owned(),
        "Limits: a record says that restored bytes equal what was backed up and that probes found no \
         fault; whether the right things are backed up is another question. A run that left no \
         snapshot is known only where it is stated how often it is due. Times of records are the \
         writer's own, those of snapshots in the store the store's. Whoever holds a signing key can \
         write untrue records; he cannot change, remove or insert any unnoticed. All times are UTC."
            .to_owned(),
    ]
}
