//! Runs configurations of the model and prints what was found.
//!
//! `explore base|mutants|large [seconds for each [part of a name]]`
#![expect(clippy::print_stdout, reason = "this is what the program is for")]

use std::process::ExitCode;

use protocol_model::cases;
use protocol_model::run::Effort;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |at: usize| words.get(at).map(String::as_str);
    let (cases, must_hold) = match word(0) {
        Some("base") | None => (cases::base(), true),
        Some("mutants") => (cases::mutants(), false),
        Some("large") => (cases::large(), true),
        Some(other) => {
            println!("{other}: it is base, mutants or large");
            return ExitCode::from(2);
        }
    };
    let seconds_max = word(1).and_then(|word| word.parse().ok()).unwrap_or(600);
    let thread_count = std::thread::available_parallelism().map_or(1, usize::from);
    let effort = Effort { thread_count, seconds_max };
    let mut is_as_expected = true;
    for case in cases.iter().filter(|case| word(2).is_none_or(|part| case.name.contains(part))) {
        let began = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let outcome = case.run(effort);
        let ended = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let end = match (outcome.broken.is_empty(), outcome.is_exhausted) {
            (false, _) => "BROKEN",
            (true, true) => "holds, searched to the end",
            (true, false) => "holds as far as it was searched",
        };
        println!(
            "{:52} {:>10} states, depth {:>2}, {:>6.1} s: {end}",
            case.name,
            outcome.state_count,
            outcome.depth,
            (ended - began).as_secs_f64(),
        );
        for (promise, steps) in &outcome.broken {
            println!("    {promise}, after {} steps:", steps.len());
            steps.iter().for_each(|step| println!("        {step}"));
        }
        if must_hold && outcome.is_exhausted {
            outcome.unreached.iter().for_each(|what| println!("    never: {what}"));
        }
        is_as_expected &= outcome.broken.is_empty() == must_hold;
    }
    if is_as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
