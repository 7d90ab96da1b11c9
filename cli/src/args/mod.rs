//! The command line as types: global options, and one struct for the options of each command.
//!
//! Names and letters are those of restic wherever the meaning is the same, because fingers and
//! scripts know them. Values are checked while they are parsed, so that a mistake is reported
//! before anything is opened. Only this floor and the commands know clap.

/// Values with a form of their own: sizes, snapshots, subsets.
pub mod values;
/// Points in time.
pub mod moment;
/// The end of every help text.
pub mod epilogue;
/// Options of every command.
pub mod global;
/// Which snapshots.
pub mod filter;
/// Deeds with a reason.
pub mod deed;
/// `check --rotate`.
pub mod rotate;
/// `init`, `probe`, `check`, `stats`, `index`.
pub mod repository;
/// `prune`, `unblock`.
pub mod collect;
/// `backup`.
pub mod backup;
/// `restore`.
pub mod restore;
/// `recover`.
pub mod recover;
/// `key`.
pub mod key;
/// Rules of retention.
pub mod rules;
/// `snapshots`, `ls`, `find`, `cat`.
pub mod look;
/// `diff`, `history`, `timeline`.
pub mod compare;
/// `dump`.
pub mod dump;
/// `mount`.
pub mod mount;
/// `forget`, `undelete`, `offboard`, `hold`, `tag`, `policy`.
pub mod retention;
/// `database`.
pub mod database;
/// `agent`, `run`, `schedule`, `status`, `config`.
pub mod night;
/// `machine`.
pub mod machine;
/// `outcomes`.
pub mod outcomes;
/// `watch`, `ticket`, `alert`.
pub mod watch;
/// The help of the program as a whole.
pub mod overview;
/// `approve`.
pub mod approve;
/// `drill`, `evidence`.
pub mod proof;
/// `report`.
pub mod report;
/// `demo`, `completions`, `man`, `version`.
pub mod program;

/// Values that are empty.
pub mod empty;
/// Command lines of other programs.
pub mod habits;

#[cfg(test)]
mod tests;
