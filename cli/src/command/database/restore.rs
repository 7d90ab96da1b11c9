//! `database restore`: a database of a snapshot, under a new name.

use std::time::Duration;

use restore_verify::evidence::drill_event::Outcome;

use crate::args::database::DatabaseRestoreArgs;
use crate::command::context::Context;
use crate::command::database::dump::not_yet;
use crate::command::database::proof::{Facts, record};
use crate::command::database::server;
use crate::command::database::stored::Stored;
use crate::command::open::{Opened, open};
use crate::command::select::short_id;
use crate::database::manifest::Database;
use crate::database::mysql::Mysql;
use crate::database::preset::Preset;
use crate::database::program::Workshop;
use crate::database::psql::Psql;
use crate::database::put_back::{self, Back, Owners};
use crate::fault::{ExitCode, Fault};
use crate::ui::database::DatabaseRestored;
use crate::ui::json::Message;
use crate::ui::output::printable;
use crate::units;

/// Restores.
///
/// # Errors
/// Exit code 23 if the name is taken or roles are missing, 20 if what came back differs from what was
/// dumped.
pub fn run(args: &DatabaseRestoreArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_content()?;
    let stored = Stored::find(&opened, &args.snapshot, (&args.source, &args.filter), context)?;
    let databases = stored.databases(args.database.as_ref())?;
    let [database] = databases.as_slice() else {
        return Err(Fault::usage(format!(
            "the snapshot has several databases: {}",
            stored.names()
        ))
        .hint("say which one with --database NAME"));
    };
    let began = context.around.clock.monotonic();
    let back = put(args, (&opened, &stored, database), context)?;
    let time = context.around.clock.monotonic().saturating_sub(began);
    back.notes.iter().for_each(|note| context.ui.note(note));
    tell(args, (&stored, database), (&back, time), context);
    let facts = Facts {
        outcome: if back.differences.is_empty() { Outcome::Passed } else { Outcome::Failed },
        databases: 1,
        bytes: database.bytes,
        differences: back.differences.len() as u64,
        time,
        is_whole: stored.manifest.databases.len() == 1,
        words: format!("a database was restored, and {} rows were counted", rows(&back)),
    };
    record(&opened, &stored.snapshot, facts, context);
    match back.differences.first() {
        None => Ok(ExitCode::Ok),
        Some(first) => Err(Fault::new(
            ExitCode::Damage,
            "E_DIFFERS",
            format!(
                "{:?} is there and differs from what was dumped in {}: {first}",
                args.new_name,
                units::counted(back.differences.len() as u64, "place")
            ),
        )
        .hint("look at it before anybody uses it; `mainstay database drill` shows which snapshots are whole")),
    }
}

fn put(
    args: &DatabaseRestoreArgs,
    (opened, stored, database): (&Opened, &Stored, &Database),
    context: &Context<'_>,
) -> Result<Back, Fault> {
    let around = context.around;
    let workshop = Workshop::new(around);
    let server = server(&args.place, around)?;
    let mut content = |output: &mut dyn std::io::Write| stored.write(opened, database, output);
    let owners = match (args.no_owner, args.create_roles) {
        (true, _) => Owners::Mine,
        (false, true) => Owners::Made,
        (false, false) => Owners::Kept,
    };
    match stored.preset {
        Preset::Postgresql => {
            let psql = Psql::new(&workshop, &server)?;
            let what = (&stored.manifest, database);
            put_back::postgresql(&psql, what, &args.new_name, owners, &mut content)
        }
        Preset::Mariadb | Preset::Mysql => {
            let server = Mysql::new(&workshop, stored.preset, &server)?;
            put_back::mysql(&server, database, &args.new_name, &mut content)
        }
        Preset::Sqlite => {
            let new = around.absolute(args.new_name.as_ref());
            put_back::sqlite(database, &new, &mut content)
        }
        Preset::Mongodb => Err(not_yet()),
    }
}

fn rows(back: &Back) -> u64 {
    back.rows.values().copied().fold(0, u64::saturating_add)
}

fn tell(
    args: &DatabaseRestoreArgs,
    (stored, database): (&Stored, &Database),
    (back, time): (&Back, Duration),
    context: &Context<'_>,
) {
    if context.ui.is_json() {
        return context.ui.message(&Message::DatabaseRestored(Box::new(DatabaseRestored {
            snapshot_id: stored.snapshot.session.to_snapshot_hex(),
            source: args.source.clone(),
            preset: stored.manifest.preset.clone(),
            database: database.name.clone(),
            new_name: args.new_name.clone(),
            tables: back.rows.len() as u64,
            rows: rows(back),
            differences: back.differences.clone(),
            restore_seconds: time.as_secs_f64(),
        })));
    }
    for words in &back.differences {
        context.ui.result(&printable(&format!("differs: {words}")));
    }
    if !context.ui.is_quiet() {
        let line = format!(
            "{} of {} is back as {} in {}: {}, {}",
            database.name,
            short_id(stored.snapshot.session),
            args.new_name,
            units::duration(time),
            units::counted(back.rows.len() as u64, "table"),
            units::counted(rows(back), "row"),
        );
        context.ui.result(&printable(&line));
    }
}
