//! What every command gets beside its own options.

use engine::store::Limits;

use crate::args::global::GlobalArgs;
use crate::config::surroundings::Surroundings;
use crate::ui::Ui;

/// Borrowed for the time of one command.
pub struct Context<'a> {
    /// The user's end.
    pub ui: &'a Ui,
    /// The world around.
    pub around: &'a Surroundings,
    /// Options of every command.
    pub global: &'a GlobalArgs,
    /// How fast bytes may go to stores and come from them, all of them together.
    pub limits: Limits,
}
