//! What time it is by the store's clock.

use bytes::Bytes;

use crate::base::id::encode_hex;
use crate::base::time::Timestamp;
use crate::store::client::Store;
use crate::store::error::StoreError;

impl Store {
    /// The time at which the store receives an object now, by its own clock. Writes an empty one
    /// among the objects of probes, looks, and deletes it; where that is not allowed, it stays.
    ///
    /// # Errors
    /// Those of the store.
    pub fn time_of_store(&self) -> Result<Timestamp, StoreError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| StoreError::Local {
            action: "drawing a random name for",
            key: "probe".to_owned(),
            source: std::io::Error::other(error.to_string()),
        })?;
        let key = format!("probe-{}", encode_hex(&random));
        self.raw_put_new(&key, Bytes::from_static(b"what time is it"))?;
        let mut modified = None;
        let listed = self.list_each(&key, &mut |object| {
            modified = Some(object.modified);
            false
        });
        // A store that lets nobody delete keeps some bytes; the time is known all the same.
        let _ = self.raw_delete(&key);
        listed?;
        modified.ok_or(StoreError::Inconsistent { key })
    }
}
