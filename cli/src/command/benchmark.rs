//! `benchmark`: what this machine can do, stage by stage, and what limits a backup.

use std::time::Duration;

use engine::benchmark::report::Limit;
use engine::benchmark::{
    self, BenchmarkError, BenchmarkOptions, BenchmarkReport, Stage, StageKind,
};
use engine::store::Store;

use crate::args::program::BenchmarkArgs;
use crate::command::backup::level;
use crate::command::context::Context;
use crate::command::open::{progress, store};
use crate::command::place::absolute;
use crate::command::trouble;
use crate::fault::{Doing, ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::table::{Align, Table};
use crate::ui::upkeep::{Benchmarked, BenchmarkedStage};
use crate::units;

/// Measures.
///
/// # Errors
/// Exit code 2 if there is nothing to read, 10 or 24 if the store cannot be used.
pub fn run(args: &BenchmarkArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let roots = args.paths.iter().map(|path| absolute(path, context.around));
    let options = BenchmarkOptions {
        roots: roots.collect::<Result<_, _>>()?,
        level: level(args.compression),
        workers: 0,
    };
    let flags = context.global.repository();
    let has_place =
        flags.repo.is_some() || context.around.variable("MAINSTAY_REPOSITORY").is_some();
    let store = match has_place {
        true => Some(store(context, &flags, false)?.0),
        false => None,
    };
    let monitor = progress(context);
    let report = benchmark::run(store.as_ref(), &options, &*context.around.clock, &monitor);
    drop(monitor);
    let report = report.map_err(|error| match &error {
        BenchmarkError::Disk(error) => trouble::disk(error),
        BenchmarkError::NoData => Fault::during(Doing::Work, &error)
            .hint("choose another folder, or none for data that is made up"),
        _ => Fault::during(Doing::Find, &error),
    })?;
    if context.ui.is_json() {
        let place = store.as_ref().map(|store| store.describe().to_owned());
        context.ui.message(&Message::Benchmark(record(&report, place)));
    } else {
        tell(&report, store.as_ref(), context);
    }
    Ok(ExitCode::Ok)
}

fn limited_by(limit: Limit) -> &'static str {
    match limit {
        Limit::Source => "source",
        Limit::Processor(_) => "processor",
        Limit::Store => "store",
    }
}

fn record(report: &BenchmarkReport, repository: Option<String>) -> Benchmarked {
    let stage = |stage: &Stage| BenchmarkedStage {
        name: stage.kind.name(),
        items: stage.items,
        bytes: stage.bytes,
        seconds: stage.took.as_secs_f64(),
    };
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let limit = report.limit();
    Benchmarked {
        repository,
        threads: report.workers,
        stages: report.stages.iter().map(stage).collect(),
        compression_ratio: report.compression_ratio,
        put_ms: report.put_latency.map(milliseconds),
        get_ms: report.get_latency.map(milliseconds),
        backup_bytes_per_second: limit.map(|(rate, _)| rate),
        limited_by: limit.map(|(_, limit)| limited_by(limit)),
    }
}

fn tell(report: &BenchmarkReport, store: Option<&Store>, context: &Context<'_>) {
    let ui = context.ui;
    let mut table =
        Table::new(&[("Stage", Align::Left), ("Speed", Align::Right), ("", Align::Left)]);
    for stage in &report.stages {
        let (speed, remark) = match stage.kind {
            StageKind::Walk => {
                let per_s = units::count(stage.items_per_s() as u64);
                (format!("{per_s}/s"), "files and folders looked at".to_owned())
            }
            StageKind::Compress => (
                units::rate(stage.bytes_per_s()),
                format!("{:.2} bytes become one", report.compression_ratio),
            ),
            StageKind::Store => (
                units::rate(stage.bytes_per_s()),
                format!("packs, durable in {}", store.map_or("", Store::describe)),
            ),
            StageKind::Read => {
                (units::rate(stage.bytes_per_s()), units::counted(stage.items, "file"))
            }
            _ => (units::rate(stage.bytes_per_s()), String::new()),
        };
        table.row([stage.kind.name(), &speed, &remark]);
    }
    for (name, latency) in [("write", report.put_latency), ("read", report.get_latency)] {
        if let Some(latency) = latency {
            let remark = "one small object, as a median".to_owned();
            table.row([name, &format!("{:.1} ms", latency.as_secs_f64() * 1000.0), &remark]);
        }
    }
    ui.table(&table);
    let Some((rate, limit)) = report.limit() else { return };
    let why = match limit {
        Limit::Source => "reading the source".to_owned(),
        Limit::Store => "storing packs".to_owned(),
        Limit::Processor(stage) => {
            format!("the processor ({} threads), most of all by {}", report.workers, stage.name())
        }
    };
    ui.result("");
    ui.result(&format!(
        "A first backup of such data can reach {}; it is limited by {why}.",
        units::rate(rate)
    ));
    if store.is_none() {
        context.ui.note("the store was not measured: no repository is given");
    }
}
