//! Configurations of restic, resticprofile and borgmatic as configurations of Mainstay.
//!
//! Files are read into trees, trees are translated into a draft, and the draft is written as TOML.
//! Whatever a translator takes out of a tree it must account for: as an equivalent or as a remark. What
//! it leaves in the tree becomes a remark. So nothing that somebody relied on goes without a word.
//! Values of secrets never leave the tree: only the names of their keys do.

/// Floor 1: trees of what files say.
pub mod tree;

/// Floor 2: texts to trees.
mod read;

/// Floor 2b: templates.
mod template;

/// Floor 3: which values are secret.
pub mod secret;

/// Floor 4: what will be written, and what is said about it.
pub mod draft;

/// Floor 5: the draft as TOML.
mod render;

/// Floor 6: patterns of Borg.
pub mod pattern;

/// Floor 7: what the translators have in common.
mod translate;

/// Floor 8: words of shells, and lines of scripts, crontabs and units.
mod shell;

/// Floor 9: options of restic.
mod restic;

/// Floor 10: scripts, environments, crontabs and units around restic.
mod script;

/// Floor 11: profiles of resticprofile.
mod resticprofile;

/// Floor 12: files of borgmatic.
mod borgmatic;

/// Floor 13: from files to a configuration.
pub mod import;
