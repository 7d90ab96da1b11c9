//! Operation: files come back out of a snapshot.
//!
//! One pass over the tree makes directories and collects the chunks of files into a bounded
//! window. A window is carried out block by block, while the next one is planned: each block is
//! fetched and decoded once, ranges of one pack are joined, and every chunk goes to all the places
//! that want it. Metadata of a file is set when its last byte is written, through the descriptor
//! that wrote it; that of a directory when everything below it is done.
//!
//! Nothing in a snapshot is believed: paths are checked by the tree, and the disk floor resolves
//! them below the target without following links.

pub mod error;
pub mod options;
mod links;
pub mod report;
mod file;
mod window;
mod execute;
mod place;
mod carry;
mod pass;
mod verify;
mod run;
mod entries;
pub mod read;

pub use entries::run_entries;
pub use error::RestoreError;
pub use options::{Overwrite, RestoreOptions};
pub use report::RestoreReport;
pub use run::run;
pub use window::WindowSize;
