//! Memory of packs, used again and again.
//!
//! A pack is built in a buffer of many MiB that is given up when the pack is stored. Fresh memory
//! of that size costs a page fault for every 4 KiB, each time: measured, a tenth of the system time
//! of a backup. The buffers of a run circulate instead: a finished pack takes its buffer along,
//! and whoever drops the last reference to its bytes gives it back.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Where buffers wait for their next pack. There are never more than packs at the same time.
#[derive(Debug, Clone, Default)]
pub struct PackBuffers {
    idle: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// A buffer in use; it goes back where it came from.
#[derive(Debug)]
pub struct PackBuffer {
    bytes: Vec<u8>,
    home: PackBuffers,
}

impl PackBuffers {
    /// An empty buffer, with memory if one was given back.
    #[must_use]
    pub fn take(&self) -> PackBuffer {
        let bytes = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        PackBuffer { bytes: bytes.unwrap_or_default(), home: self.clone() }
    }
}

impl Drop for PackBuffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

impl Deref for PackBuffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for PackBuffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for PackBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn memory_comes_back_when_the_last_reference_goes() {
        let buffers = PackBuffers::default();
        let mut buffer = buffers.take();
        buffer.extend_from_slice(&[7; 1000]);
        let memory = buffer.as_ptr();
        let bytes = Bytes::from_owner(buffer);
        let part = bytes.slice(10..20);
        drop(bytes);
        assert!(buffers.idle.lock().expect("no thread died").is_empty());
        drop(part);
        let again = buffers.take();
        assert!(again.is_empty() && again.as_ptr() == memory);
    }
}
