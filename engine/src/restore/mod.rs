//! Operation: files come back out of a snapshot.
//!
//! One pass over the tree makes folders and collects the chunks of files into a bounded window. A
//! window is carried out block by block, while the next one is planned: each block is fetched and
//! decoded once, ranges of one pack are joined, and every chunk goes to all the places that want it.
//!
//! **A name of the target shows what was there before or what the snapshot has, never anything
//! between.** New things take shape aside and get their name when they are whole: a file when its
//! last byte is verified and its metadata set, a folder that was not there when everything below it
//! is done. A run that ends in between leaves the names as they are; the next one goes on with what
//! lies aside ([`journal`]).
//!
//! Nothing in a snapshot is believed: paths are checked by the tree, and the disk floor resolves
//! them below the target without following links.

pub mod error;
pub mod options;
mod way;
mod journal;
mod links;
pub mod untrusted;
pub mod report;
mod file;
mod ready;
mod window;
mod execute;
mod place;
mod folder;
mod matching;
mod reuse;
mod carry;
mod pass;
mod unlock;
mod stays;
mod settle;
mod kept;
mod fixed;
mod in_place;
mod extras;
mod space;
mod totals;
mod verify;
mod run;
mod entries;
pub mod read;

pub use entries::run_entries;
pub use error::RestoreError;
pub use options::{Overwrite, Pattern, RestoreOptions};
pub use report::RestoreReport;
pub use run::run;
pub use window::WindowSize;
