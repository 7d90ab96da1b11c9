//! `policy`: what rules would do, without doing it.

use engine::base::time::Timestamp;
use engine::retain::gather::gather;
use engine::retain::plan::PlanOptions;
use engine::retain::simulate::{Day, dates, simulate};
use engine::retain::span::Span;

use crate::args::retention::{PolicyArgs, PolicyCommand, SimulateArgs};
use crate::command::context::Context;
use crate::command::open::open;
use crate::command::rules::{Rules, nothing_to_play, resolve};
use crate::command::select::{Choice, short_id};
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::ui::retention::{SimulatedDay, SimulatedSnapshot};
use crate::ui::table::{Align, Table};
use crate::units;

/// Planned backups of one source that a simulation plays at most: hours of eleven years.
const RUNS_MAX: usize = 100_000;
/// Snapshots that a row names.
const SHOWN_MAX: usize = 3;

/// Looks at what rules would do.
///
/// # Errors
/// Exit code 2 without rules.
pub fn run(args: &PolicyArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let PolicyCommand::Simulate(args) = &args.command;
    play(args, context)
}

fn play(args: &SimulateArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let gathered = gather(&opened.repo, &opened.index).map_err(|error| trouble::retain(&error))?;
    let choice = Choice::new(&gathered.catalog, &args.filter, context);
    choice.require_client()?;
    let find = |wanted: &_| choice.one(wanted).map(|one| one.snapshot.session);
    let rules = resolve(&args.keep, &find, context)?;
    if rules.policy.is_empty() {
        return Err(nothing_to_play());
    }
    let now = context.around.clock.now();
    let from = match &args.from {
        Some(text) => moment(text, &rules, |span| span.before(now, &rules.zone))?,
        None => now,
    };
    let until = moment(&args.until, &rules, |span| span.after(now, &rules.zone))?;
    let runs = dates(now, until, args.every, &rules.zone, RUNS_MAX);
    if runs.len() == RUNS_MAX {
        return Err(Fault::usage("there are too many runs until then")
            .hint("choose an earlier --until or a longer --every"));
    }
    let chosen: Vec<_> = choice.filtered().iter().map(|one| one.snapshot.session).collect();
    let mut existing = gathered.candidates.clone();
    existing.retain(|one| chosen.contains(&one.session));
    let options =
        PlanOptions { group_by: rules.group_by, zone: rules.zone.clone(), now, spare_newest: true };
    let mut days = simulate(&existing, &runs, from, &rules.policy, &options);
    if !args.all_days {
        let last = days.len().saturating_sub(1);
        let mut place = 0;
        days.retain(|day| {
            place += 1;
            !day.forgotten.is_empty() || place == last + 1
        });
    }
    show(&days, &rules, context)
}

/// A date, or the moment that `shift` finds for a span.
fn moment(
    text: &str,
    rules: &Rules,
    shift: impl FnOnce(Span) -> Timestamp,
) -> Result<Timestamp, Fault> {
    match text.parse::<Span>() {
        Ok(span) => Ok(shift(span)),
        Err(_) => units::parse_time(text, &rules.zone).map_err(|error| {
            Fault::usage(error.to_string())
                .hint("a date such as 2028-01-01, or a span such as 1y6m")
        }),
    }
}

fn show(days: &[Day], rules: &Rules, context: &Context<'_>) -> Result<ExitCode, Fault> {
    if context.ui.is_json() {
        let records: Vec<_> = days.iter().map(record).collect();
        context.ui.document(&records).map_err(|error| Fault::local("no JSON").because(&error))?;
        return Ok(ExitCode::Ok);
    }
    let mut table = Table::new(&[
        ("Day", Align::Left),
        ("Made", Align::Right),
        ("Live", Align::Right),
        ("Forgotten", Align::Right),
        ("Of", Align::Left),
    ]);
    for day in days {
        let date = |time| units::local_time(time, &rules.zone)[..10].to_owned();
        let mut names: Vec<_> = day
            .forgotten
            .iter()
            .take(SHOWN_MAX)
            .map(|one| match one.session {
                Some(session) => format!("{} ({})", date(one.made), short_id(session)),
                None => date(one.made),
            })
            .collect();
        match day.forgotten.len().checked_sub(SHOWN_MAX) {
            None | Some(0) => {}
            Some(more) => names.push(format!("and {more} more")),
        }
        table.row([
            date(day.time),
            units::count(day.made_count as u64),
            units::count(day.live_count as u64),
            units::count(day.forgotten.len() as u64),
            names.join(", "),
        ]);
    }
    if days.is_empty() {
        context.ui.note("nothing happens in that time");
    } else {
        context.ui.table(&table);
    }
    Ok(ExitCode::Ok)
}

fn record(day: &Day) -> SimulatedDay {
    SimulatedDay {
        time: units::rfc3339(day.time),
        made: day.made_count as u64,
        live: day.live_count as u64,
        forgotten: day
            .forgotten
            .iter()
            .map(|one| SimulatedSnapshot {
                id: one.session.map(|session| session.to_snapshot_hex()),
                hostname: one.host.clone(),
                time: units::rfc3339(one.made),
            })
            .collect(),
    }
}
