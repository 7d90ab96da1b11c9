//! `database dump`: databases become a snapshot.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use engine::backup::{BackupOptions, Source};
use restore_verify::evidence::heads;

use crate::args::database::DatabaseDumpArgs;
use crate::command::backup::save;
use crate::command::context::Context;
use crate::command::database::{checked, scratch, server};
use crate::command::open::{Opened, open};
use crate::database::dump::{Dump, Producer, Rules};
use crate::database::manifest::{self, Database, Manifest};
use crate::database::mysql::{self, Mysql};
use crate::database::postgresql;
use crate::database::preset::Preset;
use crate::database::program::Workshop;
use crate::database::psql::Psql;
use crate::database::sqlite;
use crate::fault::{ExitCode, Fault};

/// Folder below the state of a repository with what the last dumps were of.
const FOLDER: &str = "databases";

/// Dumps.
///
/// # Errors
/// Whatever means that there is no snapshot: a server that cannot be reached, a tool that does not fit it,
/// a dump that is empty, not whole or shrunken.
pub fn run(args: &DatabaseDumpArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let looked = look(args, context)?;
    looked.notes.iter().for_each(|note| context.ui.note(note));
    let opened = open(context)?;
    let baseline = baseline(&opened, &args.source);
    let rules = Rules {
        allow_empty: args.allow_empty,
        allow_shrunken: args.allow_shrunken,
        // The first dump of a machine has nothing to be compared with.
        before: std::fs::read(&baseline).ok().and_then(|bytes| Manifest::parse(&bytes).ok()),
    };
    let manifest = Manifest {
        format: manifest::FORMAT,
        preset: args.preset.name().to_owned(),
        source: args.source.clone(),
        ..looked.manifest
    };
    let (dump, ending) = Dump::new(looked.producer, looked.databases, manifest, rules);
    let name = args.source.clone().into_bytes();
    let source = Source::Files { name, files: Box::new(dump) };
    let saved = save(source, &options(args, &opened, context), &opened, context);
    let mut ending = ending.lock().unwrap_or_else(PoisonError::into_inner);
    match (saved, ending.fault.take()) {
        (Err(_), Some(fault)) => Err(fault),
        (Err(fault), None) => Err(fault),
        (Ok(exit), _) => {
            let made = ending.manifest.take().filter(|_| !args.dry_run);
            if let Some(manifest) = made {
                tell(&manifest, context);
                keep(&baseline, &manifest, context);
            }
            Ok(exit)
        }
    }
}

struct Looked {
    producer: Box<dyn Producer>,
    databases: Vec<Database>,
    manifest: Manifest,
    notes: Vec<String>,
}

/// Looks at the server before a passphrase is asked for.
fn look(args: &DatabaseDumpArgs, context: &Context<'_>) -> Result<Looked, Fault> {
    let around = context.around;
    let workshop = Workshop::new(around);
    let mut server = server(&args.place, around)?;
    let words = |why: String| Fault::usage(format!("the words behind -- cannot be used: {why}"));
    match args.preset {
        Preset::Postgresql => {
            let names = server.take(args.preset, &args.words).map_err(words)?;
            let server = checked(server, around)?;
            let looked = postgresql::look(Psql::new(&workshop, &server)?, &names)?;
            Ok(Looked {
                producer: Box::new(looked.producer),
                databases: looked.databases,
                manifest: looked.manifest,
                notes: looked.notes,
            })
        }
        Preset::Mariadb | Preset::Mysql => {
            let names = server.take(args.preset, &args.words).map_err(words)?;
            let server = checked(server, around)?;
            let looked = mysql::look(Mysql::new(&workshop, args.preset, &server)?, &names)?;
            Ok(Looked {
                producer: Box::new(looked.producer),
                databases: looked.databases,
                manifest: looked.manifest,
                notes: looked.notes,
            })
        }
        Preset::Sqlite => {
            if args.words.is_empty() {
                return Err(Fault::usage("no file of SQLite is named")
                    .hint("name them behind --; `mainstay database detect` finds some"));
            }
            let files: Vec<PathBuf> =
                args.words.iter().map(|word| around.absolute(Path::new(word))).collect();
            let scratch = scratch(args.scratch.as_ref(), around);
            let scratch = scratch.first().map_or(Path::new("/tmp"), PathBuf::as_path);
            let (producer, databases, manifest) = sqlite::look(&files, scratch, &around.cancel)?;
            Ok(Looked { producer: Box::new(producer), databases, manifest, notes: Vec::new() })
        }
        Preset::Mongodb => Err(not_yet()),
    }
}

/// That MongoDB has to be dumped by hand.
pub fn not_yet() -> Fault {
    Fault::usage("the preset mongodb cannot dump, restore and drill yet").hint(
        "save what its own tool prints: mainstay backup --stdin-filename mongodb.archive \
         --stdin-from-command -- mongodump --archive",
    )
}

fn options(args: &DatabaseDumpArgs, opened: &Opened, context: &Context<'_>) -> BackupOptions {
    let mut tags = vec![format!("source={}", args.source), format!("database={}", args.preset)];
    for tag in args.tag.iter().flat_map(|set| &set.0) {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    BackupOptions {
        host: args.host.clone().unwrap_or_else(|| context.around.host.clone()),
        is_host_named: args.host.is_some(),
        tags,
        dry_run: args.dry_run,
        evidence: heads::known(&opened.state),
        ..BackupOptions::default()
    }
}

fn tell(manifest: &Manifest, context: &Context<'_>) {
    if context.ui.is_json() || context.ui.is_quiet() {
        return;
    }
    let line = |name: &str, text: String| context.ui.result(&format!("  {name:<10}{text}"));
    let counted = |number, what| crate::units::counted(number, what);
    for one in &manifest.databases {
        let rows = one.tables.iter().map(|table| table.rows_min).fold(0, u64::saturating_add);
        line(
            "database",
            format!(
                "{}: {}, {}, {}",
                crate::ui::output::printable(&one.name),
                counted(one.tables.len() as u64, "table"),
                counted(rows, "row"),
                crate::units::size(one.bytes)
            ),
        );
    }
}

/// The file with what the last dump of a source was of.
fn baseline(opened: &Opened, source: &str) -> PathBuf {
    let digest = engine::crypt::hash::digest(source.as_bytes()).to_string();
    opened.state.join(FOLDER).join(format!("{digest}.json"))
}

/// Without it the next dump is compared with nothing, which is worth a word and no failure.
fn keep(baseline: &Path, manifest: &Manifest, context: &Context<'_>) {
    let folder = baseline.parent().unwrap_or(baseline);
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        let mut part = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut part, &manifest.to_bytes())?;
        part.persist(baseline).map(drop).map_err(|error| error.error)
    });
    if let Err(error) = written {
        context.ui.note(&format!(
            "the next dump will not be compared with this one, which could not be noted: {error}"
        ));
    }
}
