//! `evidence`: signed records of what was proved: listed, shown, verified, exported.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use engine::base::path::TreePath;
use engine::base::time::Timestamp;
use engine::index::identity::known_identity;
use restore_verify::drill::options::Place;
use restore_verify::drill::reveal;
use restore_verify::drill::standing::compare_with_snapshots;
use restore_verify::evidence::bundle::{ExportOptions, export};
use restore_verify::evidence::chain::Flaw;
use restore_verify::evidence::container::{BUNDLE_MAX_BYTES, Files};
use restore_verify::evidence::drill_event::DrillKind;
use restore_verify::evidence::event::Event;
use restore_verify::evidence::journal;
use restore_verify::evidence::known::{self, KnownHead};
use restore_verify::evidence::record::{Reference, SignedRecord, Writer};
use restore_verify::evidence::shelf::{Author, Shelf, millis};
use restore_verify::evidence::stamp;
use restore_verify::evidence::verify::{Trust, Verified, verify};

use crate::args::proof::{EvidenceArgs, EvidenceCommand, ExportArgs};
use crate::command::authority;
use crate::command::context::Context;
use crate::command::evidence_lines;
use crate::command::finding;
use crate::command::open::{Opened, open, progress};
use crate::command::place::{PrivateFile, absolute};
use crate::command::told::describe;
use crate::command::witness::{actor, prover, untimestamped};
use crate::fault::{Doing, ExitCode, Fault};
use crate::ui::output::{printable, shortened};
use crate::ui::proof::{EvidenceRecord, EvidenceVerdict, Exported};
use crate::units;

/// Digits of a writer that a list shows; there are few writers.
const WRITER_DIGITS: usize = 8;

/// Does one of the things that can be done with evidence.
///
/// # Errors
/// Exit code 20 if something is wrong with it.
pub fn run(args: &EvidenceArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    match &args.command {
        EvidenceCommand::List => list(context),
        EvidenceCommand::Show { record } => show(record, context),
        EvidenceCommand::Verify { bundle: Some(bundle), key: Some(key), known_head } => {
            verify_bundle(bundle, key, known_head, context)
        }
        EvidenceCommand::Verify { known_head, .. } => verify_repository(known_head, context),
        EvidenceCommand::Findings { open } => finding::list(*open, context),
        EvidenceCommand::Note(args) => finding::note(args, context),
        EvidenceCommand::Runs => finding::runs(context),
        EvidenceCommand::Stamp => finding::stamp(context),
        EvidenceCommand::Export(args) => export_bundle(args, context),
    }
}

fn list(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let shelf = Shelf::open(&opened.repo, &opened.state)?;
    let records = shelf.records();
    if context.ui.is_json() {
        let records: Vec<_> = records.iter().map(|one| record(one)).collect();
        context.ui.document(&records).map_err(|error| Fault::local(error.to_string()))?;
    } else {
        let id = |one: &SignedRecord| match shelf.chains().len() {
            // As `show` and the options of `export` take it.
            1 => one.record.number.to_string(),
            _ => {
                let writer = one.reference().writer.to_string();
                format!("{}/{}", &writer[..WRITER_DIGITS.min(writer.len())], one.record.number)
            }
        };
        let width = records.iter().map(|one| id(one).len()).max().unwrap_or(0);
        for one in &records {
            let time = units::local_minute(time(one.record.at_ms), &context.around.time_zone);
            let text = describe(&one.record.event, &one.record.body);
            let line = format!("{:<width$}  {time}  {text}", id(one));
            context.ui.prose(&line, width + 2 + time.len() + 2);
        }
    }
    tell_late(&shelf.late(), context);
    judge(shelf.flaws(), context)
}

/// Says that there are records that count for nothing.
fn tell_late(late: &[&SignedRecord], context: &Context<'_>) {
    if let Some(first) = late.first() {
        let (count, first) = (units::counted(late.len() as u64, "record"), first.reference());
        context.ui.note(&format!(
            "{count} from after the revocation of the writer, first {first}: left out"
        ));
    }
}

fn show(wanted: &str, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let shelf = Shelf::open(&opened.repo, &opened.state)?;
    let one = shelf.find(&shortened(wanted)).map_err(|error| {
        Fault::during(Doing::Work, &error).hint("`mainstay evidence list` shows all")
    })?;
    if context.ui.is_json() {
        context.ui.document(&record(one)).map_err(|error| Fault::local(error.to_string()))?;
        return Ok(ExitCode::Ok);
    }
    let line = |name: &str, text: String| {
        context.ui.result(&printable(&format!("{name:<11}{text}")));
    };
    line("record", one.reference().to_string());
    line("hash", one.hash.to_string());
    line("previous", one.record.previous.to_string());
    line("time", units::local_time(time(one.record.at_ms), &context.around.time_zone));
    line("actor", format!("{} on {}", one.record.actor, one.record.host));
    line("program", one.record.program.clone());
    for head in &one.record.heads {
        line("saw", format!("{head} {}", head.hash));
    }
    line("event", one.record.event.clone());
    match Event::decode(&one.record.event, &one.record.body) {
        Ok(event) => evidence_lines::lines(&event, &context.around.time_zone)
            .into_iter()
            .for_each(|(name, text)| line(name, text)),
        Err(why) => line("body", why),
    }
    Ok(ExitCode::Ok)
}

fn verify_repository(known: &[KnownHead], context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    let shelf = Shelf::open(&opened.repo, &opened.state)?;
    let mut flaws = shelf.compare_with_store()?;
    flaws.extend(compare_with_snapshots(&shelf, &opened.catalog()?));
    let (records, late) = (shelf.records(), shelf.late());
    flaws.extend(known::compare(known, records.iter().copied()));
    if context.ui.is_json() {
        tell_verdict((&records, &late), &flaws, None, context)?;
    } else if flaws.is_empty() && !context.ui.is_quiet() {
        let chains = units::counted(shelf.chains().len() as u64, "chain");
        let records = units::counted(records.len() as u64, "record");
        context.ui.result(&format!("no flaw: {records} in {chains}"));
        for (reference, hash) in heads(shelf.records()) {
            context.ui.result(&format!("  ends with {reference}:{hash}"));
        }
    }
    tell_late(&late, context);
    tell_what_lacks(&shelf, &opened, context)?;
    judge(&flaws, context)
}

/// What is not wrong, and not yet as it should be: events that wait, and what nobody has stamped.
fn tell_what_lacks(shelf: &Shelf<'_>, opened: &Opened, context: &Context<'_>) -> Result<(), Fault> {
    match journal::waiting_count(&opened.state)? {
        0 => {}
        1 => context.ui.note("1 event waits on this machine to be written"),
        count => context.ui.note(&format!("{count} events wait on this machine to be written")),
    }
    if authority::configured(context)?.is_some()
        && let Ok(Some(own)) = known_identity(&opened.repo, &opened.index)
    {
        let standing = stamp::standing(shelf, Writer(*own.client.as_bytes()))?;
        context.ui.note(&untimestamped(&standing, context));
    }
    Ok(())
}

fn verify_bundle(
    bundle: &Path,
    key: &Trust,
    known: &[KnownHead],
    context: &Context<'_>,
) -> Result<ExitCode, Fault> {
    let path = context.around.absolute(bundle);
    let failed = |error: std::io::Error| {
        Fault::local(format!("cannot read {}", path.display())).because(&error)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&path).map_err(failed)?;
    file.take(BUNDLE_MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    let (verified, flaws) = match verify(&bytes, key, &[]) {
        Ok(verified) => {
            let flaws = known::compare(known, verified.records.iter());
            (Some(verified).filter(|_| flaws.is_empty()), flaws)
        }
        Err(flaws) => (None, flaws),
    };
    if context.ui.is_json() {
        let records: Vec<_> = verified.iter().flat_map(|found| &found.records).collect();
        let late: Vec<_> = verified.iter().flat_map(|found| &found.late).collect();
        tell_verdict((&records, &late), &flaws, verified.as_ref(), context)?;
    } else if let Some(verified) = verified.as_ref().filter(|_| !context.ui.is_quiet()) {
        tell_bundle(verified, context);
    }
    judge(&flaws, context)
}

fn tell_bundle(verified: &Verified, context: &Context<'_>) {
    let line = |text: String| context.ui.result(&printable(&text));
    let records = units::counted(verified.records.len() as u64, "record");
    line(format!("complete and without a flaw: {records}"));
    for (writer, vouched) in &verified.writers {
        line(format!("  writer {writer}: {}", vouched.name));
        for ending in verified.endings.of(*writer) {
            let at = Timestamp { seconds: ending.at_seconds, nanos: 0 };
            let at = units::local_time(at, &context.around.time_zone);
            line(format!("    revoked {at}: {}", ending.reason));
        }
        let late = verified.late.iter().filter(|one| one.record.writer == *writer);
        match late.count() {
            0 => {}
            1 => line("    1 record from after that counts for nothing".to_owned()),
            count => line(format!("    {count} records from after that count for nothing")),
        }
    }
    for (reference, hash) in heads(&verified.records) {
        line(format!("  ends with {reference}:{hash}"));
    }
    for place in &verified.samples_drawn {
        line(format!("  sample of {place}: drawn again, the same files"));
    }
    for (place, count) in &verified.populations {
        line(format!("  runs of {place}: all {count} are those that were signed"));
    }
    for path in &verified.files_proved {
        line(format!("  came back: {}", engine::base::path::escape(path)));
    }
    for (at, time) in &verified.timestamps {
        line(format!(
            "  {at} was seen by a time stamp authority at {time}; openssl ts -verify asks it"
        ));
    }
    if let Some(export) = verified.export {
        let purpose = match verified.purpose.as_str() {
            "" => String::new(),
            purpose => format!(": {purpose}"),
        };
        line(format!("  exported as {export}{purpose}"));
    }
}

fn heads<'a>(records: impl IntoIterator<Item = &'a SignedRecord>) -> BTreeMap<String, String> {
    let mut newest: BTreeMap<String, Reference> = BTreeMap::new();
    for one in records {
        let at = one.reference();
        let kept = newest.entry(at.writer.to_string()).or_insert(at);
        if kept.number < at.number {
            *kept = at;
        }
    }
    newest.into_values().map(|at| (at.to_string(), at.hash.to_string())).collect()
}

fn tell_verdict(
    (records, late): (&[&SignedRecord], &[&SignedRecord]),
    flaws: &[Flaw],
    verified: Option<&Verified>,
    context: &Context<'_>,
) -> Result<(), Fault> {
    let proved = verified.map(|found| found.files_proved.as_slice()).unwrap_or_default();
    let verdict = EvidenceVerdict {
        good: flaws.is_empty(),
        records: records.len() as u64,
        heads: heads(records.iter().copied()),
        after_revocation: late.iter().map(|one| one.reference().to_string()).collect(),
        samples_drawn: verified.map(|found| found.samples_drawn.clone()).unwrap_or_default(),
        files_proved: proved.iter().map(|path| engine::base::path::escape(path)).collect(),
        flaws: flaws.iter().map(ToString::to_string).collect(),
    };
    context.ui.document(&verdict).map_err(|error| Fault::local(error.to_string()))
}

fn judge(flaws: &[Flaw], context: &Context<'_>) -> Result<ExitCode, Fault> {
    if flaws.is_empty() {
        return Ok(ExitCode::Ok);
    }
    if !context.ui.is_json() {
        for flaw in flaws {
            context.ui.result(&printable(&format!("wrong: {flaw}")));
        }
    }
    let message = match flaws.len() {
        1 => "the evidence has 1 flaw".to_owned(),
        count => format!("the evidence has {count} flaws"),
    };
    Err(Fault::new(ExitCode::Damage, "E_EVIDENCE", message)
        .hint("nothing in it can be relied on; request a fresh copy from its source"))
}

/// A file that goes into a bundle, and its name there.
fn added(path: &Path, context: &Context<'_>) -> Result<(String, Vec<u8>), Fault> {
    let path = context.around.absolute(path);
    let failed = |error: std::io::Error| {
        Fault::local(format!("cannot read {}", path.display())).because(&error)
    };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        Fault::usage(format!("{} has no name for a bundle", path.display()))
            .hint("give it a name of letters and digits")
    })?;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&path).map_err(failed)?;
    file.take(BUNDLE_MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok((format!("reports/{name}"), bytes))
}

fn export_bundle(args: &ExportArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let to = absolute(&args.to, context.around)?;
    let opened = open(context)?;
    let _lock = opened.lock()?;
    let identity = prover(&opened, context)?;
    let file = PrivateFile::create(to, "the bundle")?;
    let monitor = progress(context);
    let actor = actor(context);
    let author = Author { identity: &identity, actor: &actor, host: &context.around.host };
    let place = Place {
        repo: &opened.repo,
        index: &opened.index,
        state: &opened.state,
        author,
        monitor: &monitor,
    };
    let mut shelf = Shelf::open(&opened.repo, &opened.state)?;
    judge(shelf.flaws(), context)?;
    let waiting = journal::write_waiting(&mut shelf, &opened.state, &identity, None);
    if let Err(error) = waiting {
        context.ui.note(&format!("evidence still waits on this machine: {error}"));
    }
    let mut files = beside(args, &opened, &place, &shelf, context)?;
    for path in &args.add {
        let (name, bytes) = added(path, context)?;
        if files.insert(name.clone(), bytes).is_some() {
            return Err(Fault::usage(format!("two files would be {name} in the bundle")));
        }
    }
    let now_ms = millis(context.around.clock.now());
    let from_ms = args.within.map(|within| now_ms - within.as_millis() as i64);
    let state = Some(opened.state.clone());
    let options = ExportOptions { from_ms, purpose: args.purpose.clone(), files, state };
    let made = export(&mut shelf, &opened.repo, &author, &options)?;
    drop(monitor);
    let path = file.keep(&made.bytes)?;
    let shown = path.display().to_string();
    if context.ui.is_json() {
        let exported = Exported {
            file: shown,
            bytes: made.bytes.len() as u64,
            records: made.record_count,
            closing: made.closing.to_string(),
            closing_hash: made.closing.hash.to_string(),
            fingerprint: opened.repo.fingerprint(),
        };
        context.ui.document(&exported).map_err(|error| Fault::local(error.to_string()))?;
    } else if !context.ui.is_quiet() {
        context.ui.result(&format!(
            "wrote {shown}: {}",
            units::counted(made.record_count as u64, "record")
        ));
        context.ui.result(&format!(
            "  verify it anywhere: mainstay evidence verify {shown} --key {}",
            opened.repo.fingerprint()
        ));
        context.ui.result("  send the key separately from the bundle");
    }
    Ok(ExitCode::Ok)
}

/// Samples and single files that go into a bundle.
fn beside(
    args: &ExportArgs,
    opened: &Opened,
    place: &Place<'_>,
    shelf: &Shelf<'_>,
    context: &Context<'_>,
) -> Result<Files, Fault> {
    let mut files = Files::new();
    let mut drills = Vec::new();
    for wanted in &args.drill {
        drills.push(shelf.find(wanted)?.reference());
    }
    if args.drill.is_empty() {
        drills.extend(newest_sample(shelf));
    }
    if !drills.is_empty() {
        opened.refresh(place.monitor)?;
        let catalog = opened.catalog()?;
        for at in drills {
            if let Some(why) = reveal::add_drill(place, shelf, &catalog, at, &mut files)? {
                context.ui.note(&format!("of the drill {at}: {why}"));
            }
        }
    }
    for wanted in &args.file {
        let bytes = wanted.as_bytes();
        let split = bytes.iter().position(|byte| *byte == b':');
        let (record, path) = split.map(|at| (&bytes[..at], &bytes[at + 1..])).ok_or_else(|| {
            Fault::usage("--file is RECORD:PATH").hint("for example: --file 12:/etc/fstab")
        })?;
        let at = shelf.find(&String::from_utf8_lossy(record))?.reference();
        let path = TreePath::from_slashes(path).map_err(|error| Fault::usage(error.to_string()))?;
        reveal::add_file(place, shelf, at, &path, &mut files)?;
    }
    Ok(files)
}

fn newest_sample(shelf: &Shelf<'_>) -> Option<Reference> {
    let is_sample = |one: &&SignedRecord| {
        let event = Event::decode(&one.record.event, &one.record.body);
        matches!(event, Ok(Event::Drill(drill)) if drill.kind == DrillKind::Sample)
    };
    shelf.records().into_iter().rev().find(is_sample).map(SignedRecord::reference)
}

fn record(one: &SignedRecord) -> EvidenceRecord {
    EvidenceRecord {
        id: one.reference().to_string(),
        hash: one.hash.to_string(),
        previous: one.record.previous.to_string(),
        time: units::rfc3339(time(one.record.at_ms)),
        actor: one.record.actor.clone(),
        host: one.record.host.clone(),
        program: one.record.program.clone(),
        event: one.record.event.clone(),
        text: describe(&one.record.event, &one.record.body),
    }
}

fn time(at_ms: i64) -> Timestamp {
    let nanos = at_ms.rem_euclid(1000) as u32 * 1_000_000;
    Timestamp { seconds: at_ms.div_euclid(1000), nanos }
}
