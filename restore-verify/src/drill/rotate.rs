//! Packs in their turn: reads those that are due, authenticates every byte, remembers and records.

use std::collections::{BTreeMap, BTreeSet};

use engine::base::error::{Classified, ErrorClass, in_one_line};
use engine::base::id::PackId;
use engine::base::monitor::{Counter, Phase};
use engine::check;
use engine::index::{catalog, collections};
use engine::store::name::ObjectName;

use crate::drill::close::{close, open_ticket};
use crate::drill::findings::{About, Findings, Found};
use crate::drill::memory::Memory;
use crate::drill::options::{DrillError, Place};
use crate::drill::survey::list_packs;
use crate::evidence::event::{Event, Rotation};
use crate::evidence::merkle::RootBuilder;
use crate::evidence::record::Reference;
use crate::evidence::shelf::{Shelf, millis};
use crate::sample::coverage::{Budget, Pace, PackAge, Turn, covered, plan};

/// What a turn shall do.
#[derive(Debug, Clone, Copy)]
pub struct RotateOptions {
    /// Everything once within so many days.
    pub days: u32,
    /// Time until the next run, in milliseconds.
    pub interval_ms: u64,
    /// What it may use.
    pub budget: Budget,
}

/// What a turn did.
#[derive(Debug, Clone)]
pub struct RotateReport {
    /// What was recorded; `None` for a dry run.
    pub record: Option<Reference>,
    /// In numbers.
    pub rotation: Rotation,
    /// The ticket that was opened, if something failed.
    pub ticket: Option<String>,
    /// Bytes that the budget kept from their turn.
    pub short_bytes: u64,
    /// What it costs, in millionths.
    pub money_micros: u64,
    /// Findings.
    pub findings: Vec<Found>,
}

/// The packs that are due, without reading any.
///
/// # Errors
/// Those of the store and of local files.
pub fn due(place: &Place<'_>, options: &RotateOptions) -> Result<(Vec<PackAge>, Turn), DrillError> {
    let turns = Memory::open(place.state)?.pack_turns()?;
    let age = |(pack, bytes)| {
        let key = ObjectName::Pack(pack).key();
        let last_ms = turns.get(&key).copied();
        PackAge { key, bytes, last_ms }
    };
    let packs: Vec<PackAge> = list_packs(place.repo)?.into_iter().map(age).collect();
    let now_ms = millis(place.repo.clock().now());
    let pace = Pace { days: options.days, interval_ms: options.interval_ms, now_ms };
    let turn = plan(&packs, pace, &options.budget);
    Ok((packs, turn))
}

/// Reads the packs whose turn it is and records the outcome.
///
/// # Errors
/// If that cannot be recorded, and those of the store that end the run. Damage is a finding.
pub fn rotate(place: &Place<'_>, options: &RotateOptions) -> Result<RotateReport, DrillError> {
    place.repo.keys().data()?;
    let memory = Memory::open(place.state)?;
    let mut shelf = Shelf::open(place.repo, place.state)?;
    let requests = place.repo.store().usage().requests();
    let started_ms = millis(place.repo.clock().now());
    let indexed = indexed_packs(place)?;
    let (mut packs, mut turn) = due(place, options)?;
    add_missing(place, indexed, &mut packs, &mut turn)?;
    place.monitor.phase(&Phase {
        name: "reading packs",
        total_items: Some(turn.packs.len() as u64),
        total_bytes: Some(turn.bytes),
    });
    let mut findings = Findings::default();
    let mut turns = memory.pack_turns()?;
    let mut rows = read_turn(place, &mut packs, &turn, &mut turns, &mut findings);
    let there: BTreeSet<&str> = packs.iter().map(|pack| pack.key.as_str()).collect();
    turns.retain(|key, _| there.contains(key.as_str()));
    memory.set_pack_turns(&turns)?;
    let finished_ms = millis(place.repo.clock().now());
    let (covered_bytes, oldest_ms) = covered(&packs, options.days, finished_ms);
    rows.sort();
    let mut root = RootBuilder::default();
    for (key, bytes, is_good) in &rows {
        root.push(&[key.as_bytes(), &[0], &bytes.to_be_bytes(), &[u8::from(*is_good)]].concat());
    }
    let rotation = Rotation {
        packs: rows.len() as u64,
        bytes: rows.iter().map(|row| row.1).sum(),
        failed: rows.iter().filter(|row| !row.2).count() as u64,
        total_packs: packs.len() as u64,
        total_bytes: packs.iter().map(|pack| pack.bytes).sum(),
        covered_bytes,
        days: options.days,
        oldest_ms,
        requests: place.repo.store().usage().requests() - requests,
        results: root.root(),
        finding_count: findings.count(),
        findings: findings.for_evidence(),
        started_ms,
        finished_ms,
    };
    let record = shelf.append(&place.author, &Event::Rotation(rotation.clone()))?.reference();
    let ticket = match rotation.failed {
        0 => None,
        _ => Some(open_ticket(place, &mut shelf, record, None)?),
    };
    close(place, &mut shelf, &catalog::live(place.repo, place.index)?);
    Ok(RotateReport {
        record: Some(record),
        ticket,
        rotation,
        short_bytes: turn.short_bytes,
        money_micros: turn.money_micros,
        findings: findings.into_named(),
    })
}

/// Packs that the index knows, with their sizes.
fn indexed_packs(place: &Place<'_>) -> Result<Vec<(PackId, u64)>, DrillError> {
    let mut indexed = Vec::new();
    place.index.reader()?.for_each_pack(&mut |pack, stored_bytes| {
        indexed.push((pack, u64::from(stored_bytes)));
        true
    })?;
    Ok(indexed)
}

/// Packs that were indexed before the store was listed, are not there, and that no collector
/// deletes, have their turn now: reading them tells whether they are missing.
fn add_missing(
    place: &Place<'_>,
    indexed: Vec<(PackId, u64)>,
    packs: &mut Vec<PackAge>,
    turn: &mut Turn,
) -> Result<(), DrillError> {
    let there: BTreeSet<&str> = packs.iter().map(|pack| pack.key.as_str()).collect();
    let absent = indexed.into_iter().filter(|(pack, _)| {
        let key = ObjectName::Pack(*pack).key();
        !there.contains(key.as_str())
    });
    let absent: Vec<(PackId, u64)> = absent.collect();
    if absent.is_empty() {
        return Ok(());
    }
    let swept = collections::swept(place.repo, place.index, place.monitor)?;
    for (pack, bytes) in absent.into_iter().filter(|(pack, _)| !swept.contains(pack)) {
        turn.packs.push(packs.len());
        turn.bytes += bytes;
        packs.push(PackAge { key: ObjectName::Pack(pack).key(), bytes, last_ms: None });
    }
    Ok(())
}

/// A pack that was read: its key, its bytes, whether it is good.
type Row = (String, u64, bool);

/// Reads the packs of a turn, until the store or the user stops it.
fn read_turn(
    place: &Place<'_>,
    packs: &mut [PackAge],
    turn: &Turn,
    turns: &mut BTreeMap<String, i64>,
    findings: &mut Findings,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for index in &turn.packs {
        let pack = &mut packs[*index];
        if place.monitor.is_cancelled() {
            findings.doubt("rotation", About::Object("the run"), "it was interrupted");
            break;
        }
        let Some(ObjectName::Pack(id)) = ObjectName::parse(&pack.key) else { continue };
        match check::authenticate(place.repo, id) {
            Ok(()) => {
                let now_ms = millis(place.repo.clock().now());
                pack.last_ms = Some(now_ms);
                turns.insert(pack.key.clone(), now_ms);
                rows.push((pack.key.clone(), pack.bytes, true));
            }
            Err(error)
                if matches!(
                    error.class(),
                    ErrorClass::Corrupt | ErrorClass::Missing | ErrorClass::Unreadable
                ) =>
            {
                let why = match error.is_gone() {
                    true => "the pack is missing".to_owned(),
                    false => in_one_line(&error),
                };
                findings.fail("rotation", About::Object(&pack.key), why);
                pack.last_ms = None;
                turns.remove(&pack.key);
                rows.push((pack.key.clone(), pack.bytes, false));
            }
            Err(error) => {
                findings.error("rotation", About::Object(&pack.key), &error);
                break;
            }
        }
        place.monitor.add(Counter::Items, 1);
        place.monitor.add(Counter::Bytes, pack.bytes);
    }
    rows
}
