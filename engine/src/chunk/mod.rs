//! Floor 3: where content is cut, and how blocks are compressed.
//!
//! Both work on slices that the caller holds; nothing here reads, allocates per chunk or knows a
//! format. Cut points decide what deduplicates against what was stored years ago, so they are part
//! of the format: pinned version of the crate, golden vectors, and a second implementation in the
//! tests that is too simple to be wrong.

pub mod gear;
pub mod profile;
pub mod cut;
pub mod level;
mod ways;
pub mod squeeze;
