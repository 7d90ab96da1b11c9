//! The body of a record of evidence, line by line: a name and what it is.

use engine::base::time::Timestamp;
use jiff::tz::TimeZone;
use restore_verify::evidence::drill_event::{Drill, DrillBegun, Finding};
use restore_verify::evidence::event::{Act, BackupPopulation, Check, Event, Restore, Rotation};

use crate::units;

/// Names and values, in the order in which they are read.
pub type Lines = Vec<(&'static str, String)>;

/// What an event says, for people; what is not set has no line. Times are shown for `zone`.
#[must_use]
pub fn lines(event: &Event, zone: &TimeZone) -> Lines {
    let body = Body { zone, lines: Vec::new() };
    match event {
        Event::DrillBegun(begun) => body.drill_begun(begun),
        Event::Drill(drill) => body.drill(drill),
        Event::Rotation(rotation) => body.rotation(rotation),
        Event::Check(check) => body.check(check),
        Event::Restore(restore) => body.restore(restore),
        Event::BackupPopulation(runs) => body.population(runs),
        Event::Policy(act)
        | Event::KeyUse(act)
        | Event::Collection(act)
        | Event::Offboarding(act) => body.act(act),
        Event::Remedy(remedy) => body
            .text("ticket", &remedy.ticket)
            .text("step", remedy.step.name())
            .text("finding", remedy.finding)
            .some("retest", remedy.retest.as_ref())
            .text("note", &remedy.note),
        Event::Timestamp(stamp) => body
            .text("of", stamp.of)
            .text("authority", &stamp.authority)
            .text("response", units::size(stamp.response.len() as u64)),
        Event::Export(export) => {
            let body = body.text("purpose", &export.purpose).text("files", export.files);
            export.segments.iter().fold(body, |body, one| {
                let part = format!("{}, records {} to {}", one.writer, one.first, one.last);
                body.text("chain", part)
            })
        }
        // Nothing writes the others; programs of a later version may.
        other => body.text("body", units::size(other.body().len() as u64)),
    }
    .lines
}

/// Lines that are being written.
struct Body<'a> {
    zone: &'a TimeZone,
    lines: Lines,
}

impl Body<'_> {
    /// A line, unless there is nothing to say.
    fn text(mut self, name: &'static str, value: impl ToString) -> Self {
        let value = value.to_string();
        if !value.is_empty() {
            self.lines.push((name, value));
        }
        self
    }

    fn some(self, name: &'static str, value: Option<&impl ToString>) -> Self {
        self.text(name, value.map(ToString::to_string).unwrap_or_default())
    }

    fn time(self, name: &'static str, at_ms: i64) -> Self {
        let nanos = at_ms.rem_euclid(1000) as u32 * 1_000_000;
        let time = Timestamp { seconds: at_ms.div_euclid(1000), nanos };
        let text = units::local_time(time, self.zone);
        self.text(name, text)
    }

    fn of(self, name: &'static str, part: u64, all: u64) -> Self {
        self.text(name, format!("{part} of {all}"))
    }

    fn bytes_of(self, part: u64, all: u64) -> Self {
        self.text("bytes", format!("{} of {}", units::size(part), units::size(all)))
    }

    fn duration(self, name: &'static str, millis: u64) -> Self {
        self.text(name, units::duration(std::time::Duration::from_millis(millis)))
    }

    fn findings(self, count: u64, first: &[Finding]) -> Self {
        let body = self.text("findings", units::count(count));
        first.iter().fold(body, |body, one| {
            let what = match (&one.object, &one.file) {
                (Some(object), _) => format!(" {object}"),
                (None, Some(file)) => format!(" file {file}"),
                (None, None) => String::new(),
            };
            let doubt = if one.is_doubt { " (not proved)" } else { "" };
            body.text("finding", format!("{}{what}: {}{doubt}", one.probe, one.why))
        })
    }

    fn drill_begun(self, begun: &DrillBegun) -> Self {
        let body = self
            .text("kind", begun.kind.name())
            .text("snapshot", hex(&begun.snapshot))
            .text("system", &begun.system)
            .some("seed", begun.seed.as_ref())
            .text("generation", begun.generation)
            .text("wanted", units::counted(begun.wanted, "file"));
        let body = match &begun.population {
            Some(all) => body.text(
                "drawn from",
                format!(
                    "{}, {}, {} not drilled yet, root {}",
                    units::counted(all.files, "file"),
                    units::size(all.bytes),
                    units::count(all.fresh),
                    all.root
                ),
            ),
            None => body,
        };
        let expected = begun.expected.map(|least| {
            format!(
                "at least {}, {}, as {}",
                units::counted(least.files, "file"),
                units::size(least.bytes),
                least.from.words()
            )
        });
        body.some("expected", expected.as_ref())
            .text("restored", if begun.discards { "verified and dropped" } else { "to a folder" })
            .text("skipped", begun.skipped.join(", "))
            .some("command", begun.command.as_ref())
            .some("retest of", begun.retest_of.as_ref())
            .some("ticket", begun.ticket.as_ref())
    }

    fn drill(self, drill: &Drill) -> Self {
        let body = self
            .text("begun", drill.begun)
            .text("kind", drill.kind.name())
            .text("snapshot", hex(&drill.snapshot))
            .text("system", &drill.system)
            .time("made", drill.snapshot_ms)
            .text("outcome", drill.outcome.name())
            .text("level", format!("L{}", drill.level))
            .text("lacks", &drill.lacks)
            .time("started", drill.started_ms)
            .time("finished", drill.finished_ms)
            .duration("restore", drill.restore_ms)
            .of("files", drill.files, drill.total_files)
            .bytes_of(drill.bytes, drill.total_bytes)
            .text("results", format!("{}, root {}", drill.result_count, drill.results));
        let body = drill.probes.iter().fold(body, |body, one| {
            let counts = [(one.passed, "passed"), (one.failed, "failed")];
            let counts = counts.map(|(count, how)| format!("{count} {how}")).join(", ");
            body.text("probe", format!("{}: {counts}, {} not proved", one.probe, one.not_proved))
        });
        let body = body
            .findings(drill.finding_count, &drill.findings)
            .duration("rpo", drill.rpo_ms)
            .some("rpo goal", drill.rpo_target_ms.map(millis).as_ref())
            .some("rto goal", drill.rto_target_ms.map(millis).as_ref())
            .some("retest of", drill.retest_of.as_ref())
            .some("ticket", drill.ticket.as_ref());
        let body = drill.retested.iter().fold(body, |body, one| {
            let what = format!("{} file {}: {}", one.probe, one.file, one.outcome.name());
            body.text("retested", what)
        });
        let confined = drill.confinement.as_ref().map(|how| {
            let or = |is_so, yes, no| if is_so { yes } else { no };
            format!(
                "network {}, Landlock {}, {}, {}",
                how.reach.name(),
                how.landlock,
                or(how.processes_apart, "processes apart", "processes in sight"),
                or(how.limited, "limits in force", "no limits")
            )
        });
        body.some("probes ran", confined.as_ref())
    }

    fn rotation(self, rotation: &Rotation) -> Self {
        let body = self
            .time("started", rotation.started_ms)
            .time("finished", rotation.finished_ms)
            .of("packs", rotation.packs, rotation.total_packs)
            .bytes_of(rotation.bytes, rotation.total_bytes)
            .text("failed", rotation.failed)
            .text(
                "covered",
                format!(
                    "{} within {}",
                    units::size(rotation.covered_bytes),
                    units::counted(u64::from(rotation.days), "day")
                ),
            )
            .text("results", rotation.results);
        body.findings(rotation.finding_count, &rotation.findings)
    }

    fn check(self, check: &Check) -> Self {
        self.text("looked at", &check.method)
            .text("outcome", check.outcome.name())
            .time("started", check.started_ms)
            .duration("took", check.duration_ms)
            .text("snapshots", check.snapshots)
            .text("packs", format!("{}, {}", check.packs, units::size(check.pack_bytes)))
            .text("read", format!("{}, {} whole", units::size(check.bytes_read), check.packs_read))
            .text("hurt paths", check.hurt_paths)
            .findings(check.damaged, &check.findings)
            .some("retest of", check.retest_of.as_ref())
            .some("ticket", check.ticket.as_ref())
    }

    fn restore(self, restore: &Restore) -> Self {
        self.text("snapshot", hex(&restore.snapshot))
            .text("system", &restore.system)
            .text("outcome", restore.outcome.name())
            .time("made", restore.snapshot_ms)
            .time("started", restore.started_ms)
            .duration("took", restore.duration_ms)
            .text("files", restore.files)
            .text("bytes", units::size(restore.bytes))
            .text("asked for", if restore.is_whole { "everything" } else { "a part" })
            .text("verified", if restore.is_verified { "yes" } else { "no" })
            .text("problems", format!("{}, {} by damage", restore.problems, restore.damaged))
            .text("reason", &restore.reason)
            .some("ticket", restore.ticket.as_ref())
    }

    fn population(self, runs: &BackupPopulation) -> Self {
        let body = self
            .time("from", runs.from_ms)
            .time("to", runs.to_ms)
            .text("runs", runs.runs)
            .text("root", runs.root);
        runs.outcomes
            .iter()
            .fold(body, |body, (name, count)| body.text("ended", format!("{count} {name}")))
    }

    fn act(self, act: &Act) -> Self {
        let body = self
            .text("subject", &act.subject)
            .text("action", &act.action)
            .some("before", act.before.as_ref())
            .some("after", act.after.as_ref());
        let body = act.numbers.iter().fold(body, |body, (name, number)| {
            body.text("number", format!("{number} {}", name.replace('-', " ")))
        });
        let body = body.text("detail", &act.detail).some("ticket", act.ticket.as_ref());
        match act.at_ms {
            Some(at_ms) => body.time("done", at_ms),
            None => body,
        }
    }
}

fn millis(millis: u64) -> String {
    units::duration(std::time::Duration::from_millis(millis))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_reads_as_names_and_values() {
        let event = Event::KeyUse(Act {
            subject: "key 5e6f7a8b".to_owned(),
            action: "added".to_owned(),
            numbers: vec![("deleted-packs".to_owned(), 2)],
            at_ms: Some(0),
            ..Act::default()
        });
        let lines = lines(&event, &TimeZone::UTC);
        let shown: Vec<_> = lines.iter().map(|(name, text)| format!("{name}={text}")).collect();
        assert_eq!(shown[..3], ["subject=key 5e6f7a8b", "action=added", "number=2 deleted packs"]);
        assert!(shown[3].starts_with("done=1970-01-01"), "{shown:?}");
        assert_eq!(shown.len(), 4, "what is not set has no line: {shown:?}");
    }
}
