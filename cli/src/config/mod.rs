//! What the process gets from outside: environment, secrets, where the repository is.
//!
//! Precedence is flag, then environment, then the configuration file. A setting that is there but empty counts as not there;
//! one that cannot be understood is an error, never ignored.

/// Everything around the process: environment, streams, clock, terminal.
pub mod surroundings;
/// Recovery words as people keep them.
pub mod words;
/// Passphrases in memory, and what is asked of them.
pub mod secret;
/// Invitations as text.
pub mod token;
/// Where a recovery kit leads.
pub mod kit;
/// Where a passphrase or a key comes from.
pub mod credential;
/// Locations as people write them.
pub mod location;
/// Where the repository and the local state are.
pub mod repository;
/// Where the keys of S3 stores come from.
pub mod aws;
/// Rules of retention in a file.
pub mod policy;
/// What a misspelt name may mean.
pub mod nearest;
/// Limits of rates by the hours of the day.
pub mod bandwidth;
/// The file with options of every command.
pub mod file;
/// Variables in a file.
pub mod environment;
