//! Evidence of commands that do something else: what they did goes into the chain of whoever may
//! sign it, and no command fails because it could not.

use engine::base::error::in_one_line;
use engine::base::time::Timestamp;
use engine::check::{CheckReport, ReadData};
use engine::format::slot::Role;
use engine::format::snapshot::Snapshot;
use engine::index::identity::writer_identity;
use engine::repo::keyring::Identity;
use engine::restore::RestoreReport;
use restore_verify::drill::close::{still_open, ticket_name};
use restore_verify::evidence::drill_event::{FINDINGS_MAX, Finding, Outcome, TEXT_MAX_BYTES};
use restore_verify::evidence::event::{Act, Check, Event, Remedy, RemedyStep, Restore, may_write};
use restore_verify::evidence::journal::{self, Noted};
use restore_verify::evidence::record::{Reference, Writer};
use restore_verify::evidence::remedy::{Case, cases};
use restore_verify::evidence::shelf::{Author, Shelf, millis};
use restore_verify::evidence::stamp::{self, Standing};
use restore_verify::evidence::writers::role_number;

use crate::command::authority;
use crate::command::context::Context;
use crate::command::open::Opened;
use crate::command::trouble;
use crate::fault::Fault;
use crate::units;

/// Writes an event; answers its record if it is in the store.
pub fn witness(opened: &Opened, event: &Event, context: &Context<'_>) -> Option<Reference> {
    let role = opened.repo.keys().role();
    let ui = context.ui;
    if !may_write(role_number(role), event.name()) {
        let name = event.name();
        ui.detail(1, &format!("the role {} signs no evidence of the event {name}", role.name()));
        return None;
    }
    if opened.is_fleeting() {
        ui.detail(1, "without a local index no evidence is written");
        return None;
    }
    let host = &context.around.host;
    let identity = match writer_identity(&opened.repo, &opened.index, host) {
        Ok(identity) => identity,
        Err(error) => {
            ui.note(&format!("no evidence of this is written: {}", in_one_line(&error)));
            return None;
        }
    };
    let actor = actor(context);
    let author = Author { identity: &identity, actor: &actor, host };
    match journal::note(&opened.repo, &opened.state, &author, event) {
        Ok(Noted::Written(at)) => {
            ui.detail(1, &format!("evidence {at}"));
            stamp_if_due(opened, &identity, context);
            Some(at)
        }
        Ok(Noted::Waiting { count, why }) => {
            let waiting = match count {
                1 => "1 record waits".to_owned(),
                more => format!("{more} records wait"),
            };
            ui.note(&format!(
                "evidence of this waits on this machine, and is written with the next \
                 ({waiting}): {why}"
            ));
            None
        }
        Err(error) => {
            ui.note(&format!("no evidence of this is written: {}", in_one_line(&error)));
            None
        }
    }
}

/// Who signs evidence here.
///
/// # Errors
/// Exit code 12 for keys whose evidence nobody would believe.
pub fn prover(opened: &Opened, context: &Context<'_>) -> Result<Identity, Fault> {
    let role = opened.repo.keys().role();
    if !matches!(role, Role::Verify | Role::Admin) {
        return Err(Fault::key(format!("the role {} writes no evidence", role.name()))
            .hint("`mainstay key add --role verify --to-key-file FILE` makes a key that does"));
    }
    writer_identity(&opened.repo, &opened.index, &context.around.host)
        .map_err(|error| trouble::index(&error))
}

/// The user, as the environment names him.
#[must_use]
pub fn actor(context: &Context<'_>) -> String {
    let name = ["USER", "LOGNAME"].iter().find_map(|name| context.around.text(name).ok().flatten());
    name.unwrap_or("unknown").to_owned()
}

/// Something was done to settings, snapshots, keys or stored data.
#[must_use]
pub fn act(
    subject: &str,
    action: &str,
    numbers: &[(&str, u64)],
    detail: &str,
    at: Timestamp,
) -> Act {
    let number = |(name, number): &(&str, u64)| {
        ((*name).to_owned(), i64::try_from(*number).unwrap_or(i64::MAX))
    };
    Act {
        subject: subject.to_owned(),
        action: action.to_owned(),
        numbers: numbers.iter().map(number).collect(),
        detail: shortened(detail),
        at_ms: Some(millis(at)),
        ..Act::default()
    }
}

/// What a check tests again, and for whom.
#[derive(Debug, Clone, Default)]
pub struct Retest {
    /// The finding.
    pub finding: Option<Reference>,
    /// The ticket.
    pub ticket: Option<String>,
}

/// A check of the whole repository; one that fails opens a ticket, one that tests a finding again,
/// looks as hard and passes closes it. Answers why the finding stays open although it passed.
pub fn checked(
    opened: &Opened,
    report: &CheckReport,
    read_data: ReadData,
    retest: &Retest,
    context: &Context<'_>,
) -> Vec<String> {
    let outcome = if report.is_sound() { Outcome::Passed } else { Outcome::Failed };
    let damage = report.damage.iter().flat_map(|(key, damage)| {
        damage.findings.iter().map(move |why| Finding {
            probe: "check".to_owned(),
            file: None,
            object: Some(key.clone()),
            is_doubt: false,
            why: shortened(why),
        })
    });
    let check = Check {
        snapshots: report.snapshots,
        packs: report.packs,
        pack_bytes: report.pack_bytes,
        bytes_read: report.bytes_read,
        damaged: report.damage.len() as u64,
        findings: damage.take(FINDINGS_MAX).collect(),
        duration_ms: report.duration_ms,
        started_ms: started_ms(report.duration_ms, context),
        outcome,
        method: match read_data {
            ReadData::None => "structure".to_owned(),
            ReadData::All => "all".to_owned(),
            ReadData::Part { part, of } => format!("part {part}/{of}"),
            ReadData::Bytes { .. } => "random".to_owned(),
        },
        packs_read: report.packs_read,
        hurt_paths: report.damage.values().map(|damage| damage.path_count).sum(),
        retest_of: retest.finding,
        ticket: retest.ticket.clone(),
    };
    let Some(at) = witness(opened, &Event::Check(check), context) else {
        let why = || vec!["no evidence of this check is written yet".to_owned()];
        return if retest.finding.is_some() { why() } else { Vec::new() };
    };
    let note = |finding, step, test| {
        let ticket = retest.ticket.clone().unwrap_or_else(|| ticket_name(finding));
        if step == RemedyStep::Opened {
            context.ui.detail(1, &format!("ticket {ticket} for the finding {at}"));
        }
        let remedy = Remedy { finding, ticket, step, retest: test, note: String::new() };
        witness(opened, &Event::Remedy(remedy), context);
    };
    match (outcome, retest.finding) {
        (Outcome::Failed, None) => note(at, RemedyStep::Opened, None),
        (Outcome::Passed, Some(finding)) => {
            let all = match Shelf::open(&opened.repo, &opened.state) {
                Ok(shelf) => cases(shelf.records()),
                Err(error) => return vec![in_one_line(&error)],
            };
            let is_closed = |case: &&Case| case.closed_by().is_some_and(|test| test.record == at);
            for case in all.iter().filter(is_closed) {
                note(case.finding, RemedyStep::Closed, Some(at));
            }
            return still_open(&all, finding, at);
        }
        _ => {}
    }
    Vec::new()
}

/// Why somebody restores.
#[derive(Debug, Clone, Copy)]
pub struct Purpose<'a> {
    /// In words.
    pub reason: Option<&'a str>,
    /// The ticket.
    pub ticket: Option<&'a str>,
    /// Whether everything in the snapshot was asked for.
    pub is_whole: bool,
}

/// Files of a snapshot came back.
pub fn restored(
    opened: &Opened,
    snapshot: &Snapshot,
    report: &RestoreReport,
    purpose: &Purpose<'_>,
    context: &Context<'_>,
) {
    let restore = Restore {
        snapshot: *snapshot.session.as_bytes(),
        system: snapshot.host.clone(),
        outcome: if report.problem_count == 0 { Outcome::Passed } else { Outcome::Failed },
        files: report.files,
        bytes: report.written_bytes,
        duration_ms: report.duration_ms,
        is_verified: report.verified_files > 0,
        reason: shortened(purpose.reason.unwrap_or_default()),
        ticket: purpose.ticket.map(str::to_owned),
        started_ms: started_ms(report.duration_ms, context),
        problems: report.problem_count,
        damaged: report.damage_count,
        is_whole: purpose.is_whole,
        snapshot_ms: millis(snapshot.started),
    };
    witness(opened, &Event::Restore(restore), context);
}

fn started_ms(duration_ms: u64, context: &Context<'_>) -> i64 {
    millis(context.around.clock.now()) - duration_ms as i64
}

/// Bodies are small: long words are cut.
fn shortened(words: &str) -> String {
    let end = (0..=TEXT_MAX_BYTES.min(words.len())).rev().find(|at| words.is_char_boundary(*at));
    words[..end.unwrap_or_default()].to_owned()
}

/// Asks for the time stamp of the day, if an authority is configured and one is due.
pub fn stamp_if_due(opened: &Opened, identity: &Identity, context: &Context<'_>) {
    let Ok(Some(url)) = authority::configured(context) else { return };
    let now_ms = millis(context.around.clock.now());
    let stamped = Shelf::open_end(&opened.repo, &opened.state, identity)
        .map_err(stamp::StampError::from)
        .and_then(|mut shelf| {
            let standing = stamp::standing(&shelf, Writer(*identity.client.as_bytes()))?;
            match standing.head.filter(|_| standing.is_due(now_ms)) {
                None => Ok(()),
                Some(head) => {
                    let actor = actor(context);
                    let author = Author { identity, actor: &actor, host: &context.around.host };
                    let ask = |request: &[u8]| authority::ask(&url, request);
                    let done = stamp::stamp(&mut shelf, &author, &url, head, &ask);
                    if done.is_err() {
                        context.ui.note(&untimestamped(&standing, context));
                    }
                    done.map(drop)
                }
            }
        });
    if let Err(error) = stamped {
        context.ui.note(&format!("{}; the next run asks again", in_one_line(&error)));
    }
}

/// In words, since when nothing of a chain is stamped.
#[must_use]
pub fn untimestamped(standing: &Standing, context: &Context<'_>) -> String {
    match standing.since_ms {
        None => "all evidence of this machine is time-stamped".to_owned(),
        Some(since_ms) => {
            let nanos = (since_ms.rem_euclid(1000) * 1_000_000) as u32;
            let since = Timestamp { seconds: since_ms.div_euclid(1000), nanos };
            let since = units::local_time(since, &context.around.time_zone);
            format!("evidence of this machine is untimestamped since {since}")
        }
    }
}

/// The finding that is tested again, and its ticket if none is given.
///
/// # Errors
/// If there is no such record, or evidence cannot be read.
pub fn find_retest(
    opened: &Opened,
    wanted: Option<&str>,
    ticket: Option<String>,
) -> Result<Retest, Fault> {
    let Some(wanted) = wanted else { return Ok(Retest { finding: None, ticket }) };
    let shelf = Shelf::open(&opened.repo, &opened.state)?;
    let finding = shelf.find(wanted)?.reference();
    let known = cases(shelf.records()).into_iter().find(|case| case.finding == finding);
    let known = known.and_then(|case| case.ticket().map(str::to_owned));
    Ok(Retest { finding: Some(finding), ticket: ticket.or(known) })
}

/// The finding that is named on the command line.
///
/// # Errors
/// If there is none, or evidence cannot be read.
pub fn find_record(opened: &Opened, wanted: Option<&str>) -> Result<Option<Reference>, Fault> {
    let Some(wanted) = wanted else { return Ok(None) };
    let shelf = Shelf::open(&opened.repo, &opened.state)?;
    Ok(Some(shelf.find(wanted)?.reference()))
}
