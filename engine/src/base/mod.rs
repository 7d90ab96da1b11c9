//! Floor 1: values and rules that everything above shares; no I/O, nothing async.

pub mod limits;
pub mod bits;
pub mod error;
pub mod codec;
pub mod id;
pub mod path;
pub mod time;
pub mod monitor;
