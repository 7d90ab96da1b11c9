//! Which files and packs are looked at, by rules that are public, and what that proves.

/// The drawing rule.
pub mod draw;
/// What draws without a failure say of all.
pub mod confidence;
/// Which packs are due.
pub mod coverage;
