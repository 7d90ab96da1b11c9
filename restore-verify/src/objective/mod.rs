//! Recovery objectives: what is attained, what is measured, what is estimated.

/// Recovery point: how much could be lost.
pub mod rpo;
/// Bytes of different things among many that repeat.
pub mod distinct;
/// Recovery time of everything, from restores of parts.
pub mod estimate;
/// The evidence level of a system.
pub mod level;
