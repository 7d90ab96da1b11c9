//! `version`: which program and which repository format.

use engine::format::envelope::VERSION;

use crate::args::program::VersionArgs;
use crate::command::context::Context;
use crate::fault::{ExitCode, Fault};
use crate::ui::json::{Message, Version};

/// Prints the version.
///
/// # Errors
/// None.
pub fn run(_args: &VersionArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        repository_format: VERSION,
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
    };
    if context.ui.is_json() {
        context.ui.message(&Message::Version(version));
    } else {
        context.ui.result(&format!(
            "mainstay {} (repository format {}, {} {})",
            version.version, version.repository_format, version.os, version.arch
        ));
    }
    Ok(ExitCode::Ok)
}
