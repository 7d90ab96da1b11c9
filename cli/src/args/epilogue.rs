//! What stands at the end of a help text: examples, exit codes, environment.

use std::fmt::Write;

use crate::config::surroundings::VARIABLES;
use crate::fault::ExitCode;

/// Codes that any command can end with.
const ANY_COMMAND: [ExitCode; 3] = [ExitCode::Ok, ExitCode::Failed, ExitCode::Usage];
/// Codes that a command can end with once it opens a repository, beside those of any command.
const ANY_REPOSITORY: [ExitCode; 7] = [
    ExitCode::NoRepository,
    ExitCode::Key,
    ExitCode::Damage,
    ExitCode::Refused,
    ExitCode::Store,
    ExitCode::Newer,
    ExitCode::Interrupted,
];

/// Examples and exit codes of a command that needs no repository.
#[must_use]
pub fn plain(examples: &str) -> String {
    compose(examples, ANY_COMMAND.to_vec())
}

/// Examples and exit codes of a command that opens a repository; `more` are its own codes.
#[must_use]
pub fn with_repository(examples: &str, more: &[ExitCode]) -> String {
    let codes = ANY_COMMAND.iter().chain(&ANY_REPOSITORY).chain(more).copied();
    compose(examples, codes.collect())
}

fn compose(examples: &str, mut codes: Vec<ExitCode>) -> String {
    let mut text = String::from("Examples:\n");
    for line in examples.lines() {
        text.push_str(&format!("  {line}\n"));
    }
    codes.sort_by_key(|exit| exit.code());
    text.push('\n');
    text.push_str(&exit_codes(&codes));
    text
}

fn exit_codes(codes: &[ExitCode]) -> String {
    let mut text = String::from("Exit codes:");
    for exit in codes {
        let line = format!("\n  {:>3}  {}", exit.code(), exit.meaning());
        text.push_str(&line);
    }
    text
}

/// The environment and all exit codes, for the help of the program.
#[must_use]
pub fn program() -> String {
    let width = VARIABLES.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::from("Environment (a flag counts before its variable):");
    for (name, meaning) in VARIABLES {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {name:width$}  {meaning}");
    }
    text.push_str(
        "\n\nStores take their credentials from the usual AWS_…, GOOGLE_… and AZURE_… variables.",
    );
    text.push_str("\n\n");
    text.push_str(&exit_codes(&ExitCode::ALL));
    text.push_str("\n  A code that is not listed is a failure too.");
    text
}
