//! Evidence: signed, hash-chained records of what was proved, and verifying them anywhere.
//!
//! One chain for each writer; a record names the hash of the one before it and the heads of the
//! other chains that its writer had seen. What is below `copy` names only crates of cryptography
//! and of CBOR, and no module of the engine: an auditor's verifier needs no repository, no secret
//! and no network. `shelf` keeps chains in a repository.

/// One record.
pub mod record;
/// How probes were confined.
pub mod confinement;
/// The events of a drill.
pub mod drill_event;
/// What was agreed on and looked at, repairs, copies.
pub mod plan_event;
/// All events.
pub mod event;
/// A hash tree over rows.
pub mod merkle;
/// Whether a test closes a finding.
pub mod closing;
/// Findings on their way to their end.
pub mod remedy;
/// Runs of backups as rows.
pub mod population;
/// Whether a chain is whole.
pub mod chain;
/// Heads that are known from elsewhere.
pub mod known;
/// Files in one file, with one spelling.
pub mod container;
/// Writers that were revoked, and what of their chains counts.
pub mod revoked;
/// Rows of drills as text.
pub mod table;
/// RFC 3161: what a token says.
pub mod token;
/// What records claim, derived again.
pub mod claims;
/// What follows from signed roots.
pub mod derive;
/// A bundle against a public key.
pub mod verify;
/// What this machine has seen of chains.
pub mod copy;
/// Revocations and roles in a repository.
pub mod writers;
/// Chains in a repository.
pub mod shelf;
/// Heads of chains that snapshots name.
pub mod heads;
/// Events that commands write, now or later.
pub mod journal;
/// Runs of backups, from what the store holds.
pub mod runs;
/// Time stamps of others.
pub mod stamp;
/// A bundle in the making.
pub mod bundle;
