//! `hold`: what stays whatever happens.

use engine::base::id::{HoldId, SessionId};
use engine::base::time::Timestamp;
use engine::format::mark::Hold;
use engine::index::marks::{self, Marks};
use engine::repo::marks::require_may_mark;
use engine::retain::hold::{HoldRequest, add, overdue, release};
use jiff::tz::TimeZone;
use restore_verify::evidence::event::Event;

use crate::args::filter::FilterArgs;
use crate::args::retention::{HoldAddArgs, HoldArgs, HoldCommand, HoldReleaseArgs};
use crate::command::clock;
use crate::command::context::Context;
use crate::command::open::{Opened, open};
use crate::command::select::{Choice, short_id};
use crate::command::trouble;
use crate::command::witness::{act, witness};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::output::shortened;
use crate::ui::retention::{HoldAdded, HoldRecord, HoldReleased};
use crate::ui::table::{Align, Table};
use crate::units;

/// Snapshots that a table names for one hold.
const SHOWN_MAX: usize = 2;
/// How to say when.
const WHEN: &str = "a date to come such as 2036-01-01, or a time from now such as 90d";
/// Digits of a hold's id that people see; `hold release` takes them.
const SHORT_DIGITS: usize = 8;

/// Does what is wanted with holds.
///
/// # Errors
/// Exit code 12 if the key does not allow it, 2 for a hold that is not there.
pub fn run(args: &HoldArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    match &args.command {
        HoldCommand::Add(args) => put(args, &opened, context),
        HoldCommand::List(_) => list(&opened, context),
        HoldCommand::Release(args) => end(args, &opened, context),
    }
}

fn put(args: &HoldAddArgs, opened: &Opened, context: &Context<'_>) -> Result<ExitCode, Fault> {
    require_may_mark(&opened.repo, "hold snapshots").map_err(|error| trouble::repo(&error))?;
    if args.snapshots.is_empty() && args.filter == FilterArgs::default() {
        return Err(Fault::usage("nothing says which snapshots to hold")
            .hint("name snapshots, or say --host, --tag or --path"));
    }
    let zone = &context.around.time_zone;
    let now = context.around.clock.now();
    let until = args.until.as_deref().map(|text| reminder(text, now, zone)).transpose()?;
    let catalog = opened.catalog()?;
    clock::require(&args.filter, opened, &catalog, context)?;
    let choice = Choice::new(&catalog, &args.filter, context);
    let chosen = choice.several(&args.snapshots)?;
    let snapshots: Vec<SessionId> = chosen.iter().map(|one| one.snapshot.session).collect();
    if snapshots.is_empty() {
        return Err(Fault::usage("no snapshot meets the conditions"));
    }
    let selection = args.snapshots.is_empty().then(|| filter_words(&args.filter));
    let request = HoldRequest {
        host: &context.around.host,
        snapshots: &snapshots,
        reason: &args.reason,
        until,
        selection: selection.as_deref(),
    };
    let report = add(&opened.repo, &opened.index, &request).map_err(|e| trouble::retain(&e))?;
    let numbers = [("holds", report.holds.len() as u64), ("snapshots", snapshots.len() as u64)];
    let done = act("hold", "added", &numbers, &args.reason, now);
    witness(opened, &Event::Policy(done), context);
    for hold in &report.holds {
        if context.ui.is_json() {
            let late = report.too_late.iter().filter(|one| hold.snapshots.contains(one));
            context.ui.message(&Message::HoldAdded(HoldAdded {
                hold: record(hold, context),
                too_late: late.map(SessionId::to_snapshot_hex).collect(),
            }));
        } else if !context.ui.is_quiet() {
            let kept = units::counted(hold.snapshots.len() as u64, "snapshot");
            let verb = if report.too_late.is_empty() { "keeps" } else { "names" };
            context.ui.result(&format!("hold {} {verb} {kept}", hold.hold));
        }
    }
    match report.too_late.first() {
        None => Ok(ExitCode::Ok),
        Some(one) => {
            let which = match report.too_late.len() {
                1 => format!(
                    "snapshot {} was forgotten before the hold was there, and is",
                    short_id(*one)
                ),
                count => format!(
                    "{count} of the snapshots, {} among them, were forgotten before the hold was \
                     there, and are",
                    short_id(*one)
                ),
            };
            // A collector may be about to take what it needs.
            Err(Fault::refused(format!("{which} not protected"))
                .hint("bring it back with `mainstay undelete ID`, and hold what that makes"))
        }
    }
}

/// When a hold should be released: a point in time, or how long from now.
fn reminder(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, Fault> {
    let until = match units::parse_duration(text) {
        Ok(span) => {
            Timestamp { seconds: now.seconds.saturating_add_unsigned(span.as_secs()), ..now }
        }
        Err(_) => units::parse_time(text, zone)
            .map_err(|error| Fault::usage(error.to_string()).hint(WHEN))?,
    };
    if until <= now {
        return Err(Fault::usage(format!("--until {text} is over already")).hint(WHEN));
    }
    // What no calendar writes down could not be shown again.
    if units::rfc3339(until).starts_with('@') {
        return Err(Fault::usage("--until lies beyond the year 9999")
            .hint("leave it out: a hold stays until it is released"));
    }
    Ok(until)
}

fn filter_words(filter: &FilterArgs) -> String {
    let hosts = filter.host.iter().map(|host| format!("host {host}"));
    let tags = filter.tag.iter().map(|tags| format!("tags {}", tags.0.join(",")));
    let paths = filter.path.iter().map(|path| format!("path {}", path.display()));
    hosts.chain(tags).chain(paths).collect::<Vec<_>>().join(", ")
}

fn read(opened: &Opened) -> Result<Marks, Fault> {
    marks::read(&opened.repo, &opened.index).map_err(|error| trouble::index(&error))
}

fn record(hold: &Hold, context: &Context<'_>) -> HoldRecord {
    let now = context.around.clock.now();
    HoldRecord {
        id: hold.hold.to_string(),
        reason: hold.reason.clone(),
        client: hold.by.to_string(),
        time: units::rfc3339(hold.at),
        until: hold.until.map(units::rfc3339),
        overdue: hold.until.is_some_and(|until| until <= now),
        selection: hold.selection.clone(),
        snapshots: hold.snapshots.iter().map(SessionId::to_snapshot_hex).collect(),
        readable: true,
    }
}

fn unreadable(hold: HoldId) -> HoldRecord {
    HoldRecord {
        id: hold.to_string(),
        reason: String::new(),
        client: String::new(),
        time: String::new(),
        until: None,
        overdue: false,
        selection: None,
        snapshots: Vec::new(),
        readable: false,
    }
}

fn list(opened: &Opened, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let marks = read(opened)?;
    if context.ui.is_json() {
        let readable = marks.holds.values().map(|hold| record(hold, context));
        let damaged = marks.damaged.iter().map(|(hold, _)| unreadable(*hold));
        let records: Vec<_> = readable.chain(damaged).collect();
        context.ui.document(&records).map_err(|error| Fault::local("no JSON").because(&error))?;
    } else {
        table(&marks, context);
    }
    match marks.obstacle() {
        None => Ok(ExitCode::Ok),
        Some(why) => Err(Fault::new(ExitCode::Damage, "E_CORRUPT", why).hint(
            "nothing is collected until this is settled; \
             `mainstay hold release ID` puts a hold out of the way that nobody can read",
        )),
    }
}

fn short(hold: HoldId) -> String {
    let mut id = hold.to_string();
    id.truncate(SHORT_DIGITS);
    id
}

fn table(marks: &Marks, context: &Context<'_>) {
    let (zone, now) = (&context.around.time_zone, context.around.clock.now());
    let until = |until: Option<Timestamp>| match until {
        None => "no end".to_owned(),
        Some(until) if until <= now => format!("{}, which is over", units::local_day(until, zone)),
        Some(until) => units::local_day(until, zone),
    };
    let columns = ["ID", "Since", "Until", "Snapshots", "Why"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for hold in marks.holds.values() {
        let mut names: Vec<_> =
            hold.snapshots.iter().take(SHOWN_MAX).map(|one| short_id(*one)).collect();
        match hold.snapshots.len().checked_sub(SHOWN_MAX) {
            None | Some(0) => {}
            Some(more) => names.push(format!("and {more} more")),
        }
        table.row([
            short(hold.hold),
            units::local_day(hold.at, zone),
            until(hold.until),
            names.join(" "),
            hold.reason.clone(),
        ]);
    }
    for (hold, _) in &marks.damaged {
        table.row([&short(*hold), "?", "?", "?", "it cannot be read"]);
    }
    if table.row_count() > 0 {
        context.ui.table(&table);
    }
    match table.row_count() {
        0 => context.ui.note("no holds"),
        1 => context.ui.note("1 hold"),
        count => context.ui.note(&format!("{count} holds")),
    }
}

fn end(args: &HoldReleaseArgs, opened: &Opened, context: &Context<'_>) -> Result<ExitCode, Fault> {
    require_may_mark(&opened.repo, "release holds").map_err(|error| trouble::repo(&error))?;
    let marks = read(opened)?;
    let holds = match args.overdue {
        true => overdue(&marks, context.around.clock.now()),
        false => args.holds.iter().map(|id| find(&marks, id)).collect::<Result<_, _>>()?,
    };
    let (repo, index) = (&opened.repo, &opened.index);
    if args.overdue {
        // Only here a clock ends a hold, so somebody else's is asked too.
        engine::retain::clocks::require_agreement(repo).map_err(|e| trouble::retain(&e))?;
    }
    let report = release(repo, index, &context.around.host, &holds, &args.reason)
        .map_err(|error| trouble::retain(&error))?;
    let now = context.around.clock.now();
    let numbers =
        [("holds", holds.len() as u64), ("forgotten-snapshots", report.forgotten.len() as u64)];
    let done = act("hold", "released", &numbers, &args.reason, now);
    witness(opened, &Event::Policy(done), context);
    if context.ui.is_json() {
        context.ui.message(&Message::HoldReleased(HoldReleased {
            ids: holds.iter().map(HoldId::to_string).collect(),
            forgotten: report.forgotten.iter().map(SessionId::to_snapshot_hex).collect(),
        }));
        return Ok(ExitCode::Ok);
    }
    if !context.ui.is_quiet() {
        holds.iter().for_each(|hold| context.ui.result(&format!("released {hold}")));
    }
    match report.forgotten.len() {
        0 => {}
        1 => context.ui.note("1 snapshot that it held is forgotten now"),
        count => context.ui.note(&format!("{count} snapshots that it held are forgotten now")),
    }
    Ok(ExitCode::Ok)
}

/// The hold that is meant by the first digits of its id.
///
/// # Errors
/// A fault of usage if there is none or more than one.
pub fn find(marks: &Marks, wanted: &str) -> Result<HoldId, Fault> {
    let wanted = wanted.to_ascii_lowercase();
    let known = marks.holds.keys().chain(marks.damaged.iter().map(|(hold, _)| hold));
    let matching: Vec<_> = known.filter(|hold| hold.to_string().starts_with(&wanted)).collect();
    match matching.as_slice() {
        [hold] => Ok(**hold),
        [] => Err(Fault::usage(format!("there is no hold {}", shortened(&wanted)))
            .hint("`mainstay hold list` shows all")),
        several => {
            Err(Fault::usage(format!("{wanted} is the beginning of {} holds", several.len()))
                .hint("`mainstay hold list` shows all"))
        }
    }
}
