//! From facts to a report: which sections each kind has, and what stands on its first page.

use std::collections::BTreeSet;

use engine::repo::PROGRAM;

use crate::report::calendar;
use crate::report::facts::Facts;
use crate::report::model::{
    Basis, Block, Named, PRINTED_IDS, Report, SCHEMA, Section, Signature, Tone,
};
use crate::report::section::{
    coverage, drills, matrix, method, performance, protection, remedies, storage, verification,
};
use crate::report::system::RECOVERABLE_LEVEL;
use crate::report::work::{Work, timestamped};

/// What a report is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Can it be restored?
    Recoverability,
    /// Everything, with the controls of frameworks.
    Compliance,
    /// Were objectives kept?
    Sla,
    /// A quarter or a year in review: trends, growth, forecast.
    Qbr,
    /// What an insurer asks.
    Insurer,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 5] =
        [Self::Recoverability, Self::Compliance, Self::Sla, Self::Qbr, Self::Insurer];

    /// The word that people and programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recoverability => "recoverability",
            Self::Compliance => "compliance",
            Self::Sla => "sla",
            Self::Qbr => "qbr",
            Self::Insurer => "insurer",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Recoverability => "Recoverability report",
            Self::Compliance => "Compliance report",
            Self::Sla => "Service level report",
            Self::Qbr => "Business review",
            Self::Insurer => "Insurer's annex",
        }
    }

    /// Days that a report of this kind is about if nothing else is said.
    #[must_use]
    pub const fn days(self) -> u64 {
        match self {
            Self::Recoverability | Self::Sla => 30,
            Self::Compliance | Self::Qbr | Self::Insurer => 365,
        }
    }

    const fn sections(self) -> &'static [&'static str] {
        match self {
            Self::Recoverability => &[
                "coverage",
                "performance",
                "verification",
                "drills",
                "restores",
                "incidents",
                "method",
            ],
            Self::Compliance => &[
                "coverage",
                "performance",
                "verification",
                "drills",
                "restores",
                "protection",
                "retention",
                "incidents",
                "access",
                "controls",
                "storage",
                "method",
            ],
            Self::Sla => &["coverage", "performance", "drills", "restores", "incidents", "method"],
            Self::Qbr => &[
                "coverage",
                "trends",
                "performance",
                "drills",
                "restores",
                "incidents",
                "storage",
                "method",
            ],
            Self::Insurer => &["answers", "coverage", "method"],
        }
    }
}

/// Who makes a report, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// Whose data.
    pub client: String,
    /// The machine on which it is made.
    pub host: String,
    /// When, in milliseconds since 1970.
    pub made_ms: i64,
}

/// Makes a report.
///
/// # Errors
/// In words, if the embedded table of controls is not what it should be; a test reads it.
pub fn report(kind: Kind, work: &Work<'_>, cover: &Cover) -> Result<Report, String> {
    let facts = work.facts;
    let mut all = vec![
        coverage::section(work),
        storage::trends(work),
        performance::section(work),
        verification::section(work),
        drills::drills(work),
        drills::restores(work),
        protection::protection(work),
        protection::retention(work),
        remedies::incidents(work),
        remedies::access(work),
        storage::storage(work),
        method::section(work),
    ];
    let controls = matrix::compliance(work, &all)?;
    let answers = matrix::insurer(work, &all)?;
    all.extend([controls, answers]);
    let mut sections = Vec::new();
    for wanted in kind.sections() {
        sections.extend(all.iter().position(|it| it.id == *wanted).map(|at| all.swap_remove(at)));
    }
    let systems: Vec<String> = work.systems.iter().map(|system| system.name.clone()).collect();
    let (headline, tone) = headline(work);
    Ok(Report {
        schema: SCHEMA,
        kind: kind.name(),
        title: kind.title().to_owned(),
        client: cover.client.clone(),
        repository: facts.repository.clone(),
        fingerprint: facts.fingerprint.clone(),
        period: work.period(),
        made: calendar::rfc3339(cover.made_ms.div_euclid(1000) * 1000),
        program: PROGRAM.to_owned(),
        host: cover.host.clone(),
        scope_hash: scope_hash(work, &systems),
        systems,
        signature: signature(facts),
        headline,
        tone,
        evidence: named(facts, &sections),
        sections,
    })
}

/// Everything in one line.
fn headline(work: &Work<'_>) -> (String, Tone) {
    let total = work.systems.len();
    let good = work.systems.iter().filter(|it| it.level >= RECOVERABLE_LEVEL).count();
    let open = work.incidents.iter().filter(|one| !one.is_closed()).count();
    let unprotected = work.systems.iter().filter(|it| it.is_unprotected()).count();
    let findings = match work.incidents.len() {
        0 => "no finding".to_owned(),
        1 if open == 0 => "1 finding, closed".to_owned(),
        1 => "1 finding, open".to_owned(),
        count if open == 0 => format!("{count} findings, all closed"),
        count => format!("{count} findings, {open} of them open"),
    };
    let mut text =
        format!("{good} of {total} systems recoverable at L{RECOVERABLE_LEVEL}+, {findings}");
    if unprotected > 0 {
        text.push_str(&format!(", {unprotected} unprotected"));
    }
    let flaws = work.facts.flaws.len();
    if flaws > 0 {
        text.push_str(&format!(". The evidence is not whole: {flaws} flaws"));
    }
    let is_bad = unprotected > 0 || flaws > 0 || total == 0;
    let tone = match (is_bad, good == total && open == 0) {
        (true, _) => Tone::Bad,
        (false, true) => Tone::Good,
        (false, false) => Tone::Warn,
    };
    (text, tone)
}

fn signature(facts: &Facts) -> Signature {
    let stamped = timestamped(facts).map(|it| calendar::rfc3339(it.0));
    let records = facts.entries.len() as u64;
    let chains = facts.heads.len() as u64;
    let mut text = match (facts.flaws.len(), records) {
        (0, 0) => "There is no signed record yet.".to_owned(),
        (0, _) => format!(
            "{} signed records in {} are whole: none is changed, missing or inserted.",
            calendar::count(records),
            if chains == 1 { "1 chain".to_owned() } else { format!("{chains} chains") }
        ),
        (flaws, _) => format!(
            "{flaws} things are wrong with the {} signed records: do not rely on this report.",
            calendar::count(records)
        ),
    };
    text.push_str(match stamped {
        Some(_) => " A time stamp authority has seen records of it.",
        None => " No time stamp authority has seen them.",
    });
    let heads = facts.heads.iter().map(|at| (at.to_string(), at.hash.to_string()));
    Signature {
        chains_good: facts.flaws.is_empty(),
        records,
        chains,
        flaws: facts.flaws.clone(),
        heads: heads.collect(),
        timestamped: stamped,
        text,
    }
}

/// Repository, period, systems, what is stated: what a report is about.
fn scope_hash(work: &Work<'_>, systems: &[String]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |text: &str| {
        hasher.update(text.as_bytes());
        hasher.update(&[0]);
    };
    add(&work.facts.repository);
    add(&calendar::rfc3339(work.period().from_ms));
    add(&calendar::rfc3339(work.period().to_ms));
    add(work.scope.plan.hash.as_deref().unwrap_or_default());
    systems.iter().for_each(|system| add(system));
    hasher.finalize().to_hex().to_string()
}

/// The records that the printed parts name, by time.
fn named(facts: &Facts, sections: &[Section]) -> Vec<Named> {
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    for block in sections.iter().flat_map(|section| &section.blocks) {
        match block {
            Block::Figures { figures } => {
                figures.iter().for_each(|it| extend(&mut wanted, &it.evidence))
            }
            Block::Table(table) => {
                table.printed().iter().for_each(|it| extend(&mut wanted, &it.evidence))
            }
            Block::Chart(chart) => extend(&mut wanted, &chart.evidence),
            Block::Text { .. } | Block::Commands { .. } => {}
        }
    }
    let name = |entry: &crate::report::facts::Entry| Named {
        id: entry.id.clone(),
        time: calendar::rfc3339(entry.at_ms),
        event: entry.event.name().to_owned(),
        hash: entry.reference.hash.to_string(),
    };
    facts.entries.iter().filter(|entry| wanted.contains(entry.id.as_str())).map(name).collect()
}

/// Ids that are printed beside a figure or a row; see [`PRINTED_IDS`].
fn extend<'b>(wanted: &mut BTreeSet<&'b str>, basis: &'b Basis) {
    wanted.extend(basis.ids.iter().take(PRINTED_IDS).map(String::as_str));
}
