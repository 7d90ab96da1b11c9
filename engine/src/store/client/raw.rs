//! Requests with free keys: what the public methods stand on, and what the probe needs besides.

use std::mem::take;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use object_store::PutPayload;

use crate::base::error::{Classified, ErrorClass};
use crate::store::bucket::BucketFacts;
use crate::store::client::{Held, Store, is_unreachable};
use crate::store::error::{StoreError, classify};
use crate::store::listing::Page;
use crate::store::retry::Backoff;
use crate::store::transport::Fault;
use crate::store::wait::Attempts;

impl Store {
    pub(crate) fn raw_put_new(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        if let Some(folder) = &self.link().backend.folder {
            folder.prepare(key)?;
        }
        let (mut backoff, attempts) = (Backoff::new(self.retry), Attempts::default());
        let mut is_renewed = false;
        self.wait_for(body.len(), &attempts, async {
            loop {
                let failed = match self.put_and_look(key, &body).await {
                    Err(error) if error.class() == ErrorClass::Transient => error,
                    Err(error) if self.renews(&error, &mut is_renewed) => continue,
                    other => return other,
                };
                self.pause(&mut backoff, &attempts, failed).await?;
            }
        })
    }

    /// One attempt to write, and a look at what is there if its outcome is not plain.
    async fn put_and_look(&self, key: &str, body: &Bytes) -> Result<(), StoreError> {
        let link = self.link();
        let mut create = link.creates();
        let failed = loop {
            match link.put_once(key, body.clone(), create, None).await {
                Ok(_) => return Ok(()),
                Err(StoreError::NotSupported { .. }) if create => {
                    link.plain_puts.store(true, Ordering::Relaxed);
                    create = false;
                }
                Err(error) => break error,
            }
        };
        if !matches!(failed.class(), ErrorClass::Conflict | ErrorClass::Transient) {
            return Err(failed);
        }
        // A store that has never answered does not say what came of it either. One whose answers are
        // not believed may.
        if link.backend.can_misbehave()
            && !link.backend.heard.has_answered()
            && !matches!(failed, StoreError::NotBelieved { .. })
            && is_unreachable(&failed)
        {
            return Err(failed);
        }
        match self.look(key, body).await? {
            Held::Same => link.backend.folder.as_ref().map_or(Ok(()), |folder| folder.sync(key)),
            Held::Other => Err(StoreError::Conflict { key: key.to_owned() }),
            Held::Nothing if failed.class() == ErrorClass::Conflict => {
                Err(StoreError::Inconsistent { key: key.to_owned() })
            }
            Held::Nothing => Err(failed),
        }
    }

    async fn look(&self, key: &str, body: &Bytes) -> Result<Held, StoreError> {
        match self.link().get_once(key, body.len() as u64, Vec::new()).await {
            Ok(held) if held == *body => Ok(Held::Same),
            Ok(_) | Err(StoreError::TooLarge { .. }) => Ok(Held::Other),
            Err(StoreError::NotFound { .. }) => Ok(Held::Nothing),
            Err(error) => Err(error),
        }
    }

    /// One write, not repeated and not looked after; the version if the bucket keeps versions.
    pub(crate) fn raw_put_once(
        &self,
        key: &str,
        body: Bytes,
        create: bool,
        fault: Option<Fault>,
    ) -> Result<Option<String>, StoreError> {
        if let Some(folder) = &self.link().backend.folder {
            folder.prepare(key)?;
        }
        self.block_on(self.link().put_once(key, body, create, fault))
    }

    pub(crate) fn raw_get(&self, key: &str, max_bytes: u64) -> Result<Bytes, StoreError> {
        self.raw_get_in(key, max_bytes, Vec::new()).map(Bytes::from)
    }

    /// As [`Store::raw_get`]; the first attempt reads into `room`.
    pub(super) fn raw_get_in(
        &self,
        key: &str,
        max_bytes: u64,
        mut room: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        self.check_folder()?;
        self.repeat_for(Some(key), || self.link().get_once(key, max_bytes, take(&mut room)))
    }

    pub(crate) fn raw_get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.raw_get_range_in(key, range, Vec::new()).map(Bytes::from)
    }

    /// As [`Store::raw_get_range`]; the first attempt reads into `room`.
    pub(super) fn raw_get_range_in(
        &self,
        key: &str,
        range: Range<u64>,
        mut room: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        self.check_folder()?;
        if range.is_empty() {
            return Ok(Vec::new());
        }
        self.repeat_for(Some(key), || self.link().range_once(key, range.clone(), take(&mut room)))
    }

    pub(crate) fn raw_get_tail(
        &self,
        key: &str,
        last_bytes: u64,
    ) -> Result<(Bytes, u64), StoreError> {
        self.check_folder()?;
        if last_bytes == 0 {
            return Ok((Bytes::new(), self.raw_size(key)?));
        }
        self.repeat_for(Some(key), || self.link().tail_once(key, last_bytes))
    }

    pub(crate) fn raw_size(&self, key: &str) -> Result<u64, StoreError> {
        self.repeat_for(Some(key), || self.link().size_once(key))
    }

    pub(crate) fn raw_delete(&self, key: &str) -> Result<(), StoreError> {
        self.check_folder()?;
        self.repeat(|| self.link().delete_and_look(key))
    }

    pub(crate) fn raw_page(
        &self,
        prefix: &str,
        token: Option<String>,
        max_keys: Option<usize>,
    ) -> Result<Page, StoreError> {
        self.repeat(|| self.link().page_once(prefix, token.clone(), max_keys))
    }

    /// Begins an upload in parts, sends one part, lets `look` see the store, then aborts.
    pub(crate) fn raw_abandoned_upload<T>(
        &self,
        key: &str,
        part: Bytes,
        look: impl FnOnce() -> T,
    ) -> Result<T, StoreError> {
        let path = self.link().backend.path(key);
        let objects = &self.link().backend.objects;
        let failed = |error| classify("writing", key, error);
        let begun = self.block_on(async {
            let mut upload = objects.put_multipart_opts(&path, Default::default()).await?;
            upload.put_part(PutPayload::from(part)).await?;
            Ok(upload)
        });
        let mut upload = begun.map_err(failed)?;
        let seen = look();
        self.block_on(upload.abort()).map_err(failed)?;
        Ok(seen)
    }

    /// What an S3 bucket says about itself; `None` for all other stores.
    pub(crate) fn raw_bucket_facts(&self) -> Option<BucketFacts> {
        let bucket = self.link().backend.bucket.as_ref()?;
        let wait = Duration::from_secs(30);
        let asked = async { tokio::time::timeout(wait, bucket.facts()).await.unwrap_or_default() };
        Some(self.block_on(asked))
    }

    /// Whether [`Fault`]s have an effect.
    pub(crate) fn raw_can_misbehave(&self) -> bool {
        self.link().backend.can_misbehave()
    }

    /// Whether the hash of each payload is part of its signature.
    pub(crate) fn raw_signs_payload(&self) -> bool {
        self.link().backend.bucket.is_some()
    }

    /// Whether pages come in the store's own order, not in ours.
    pub(crate) fn raw_has_pages(&self) -> bool {
        self.link().backend.pager.is_some()
    }

    /// Removes what a local store leaves of a folder once its files are deleted.
    pub(crate) fn raw_remove_empty(&self, folder_key: &str) {
        if let Some(folder) = &self.link().backend.folder {
            folder.remove_empty(folder_key);
        }
    }
}
