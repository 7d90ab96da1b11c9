//! Why nothing could be measured.

use crate::base::error::{Classified, ErrorClass};
use crate::disk::error::DiskError;
use crate::store::error::StoreError;

/// Errors of a measurement.
#[derive(Debug, thiserror::Error)]
pub enum BenchmarkError {
    /// The data cannot be read at all.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no data to measure with.
    #[error("there is no file with content that can be read")]
    NoData,
    /// Somebody asked to stop.
    #[error("the measurement was interrupted")]
    Interrupted,
}

impl Classified for BenchmarkError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Disk(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::NoData => ErrorClass::Usage,
            Self::Interrupted => ErrorClass::Interrupted,
        }
    }
}
