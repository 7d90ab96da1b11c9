//! Complete listings by any prefix, whatever the store offers for it.
//!
//! Remote stores are asked page by page with the exact prefix, so `snap/<sid>.` costs one request
//! and each page is repeated on its own. A local folder is walked. Everything else only knows
//! folders; there the folder of the prefix is listed and filtered, deeper folders only where the
//! prefix leads into them.

use futures::TryStreamExt;
use object_store::list::PaginatedListOptions;
use object_store::path::Path as KeyPath;
use object_store::{ListResult, ObjectMeta};

use crate::base::limits::LIST_MAX_OBJECTS;
use crate::base::time::Timestamp;
use crate::store::error::{StoreError, classify};
use crate::store::listed::Listed;
use crate::store::meter::RequestKind;
use crate::store::odd_key::unmarked;
use crate::store::request::{Link, time_limit, timed};
use crate::store::walk;

/// One page and the token of the next.
pub(crate) struct Page {
    pub(crate) objects: Vec<Listed>,
    pub(crate) next: Option<String>,
}

impl Link {
    /// One page, in the store's own order, of at most `max_keys` objects if that is given.
    /// Without a pager all is one page.
    pub(crate) async fn page_once(
        &self,
        prefix: &str,
        page_token: Option<String>,
        max_keys: Option<usize>,
    ) -> Result<Page, StoreError> {
        self.meter.request(RequestKind::List);
        if let Some(folder) = &self.backend.folder {
            let (root, whole) = (folder.root().to_owned(), prefix.to_owned());
            let walked = tokio::task::spawn_blocking(move || walk::list(&root, &whole)).await;
            let objects = walked.map_err(|error| StoreError::Local {
                action: "listing",
                key: prefix.to_owned(),
                source: std::io::Error::other(error),
            })??;
            return Ok(Page { objects, next: None });
        }
        let Some(pager) = &self.backend.pager else {
            return Ok(Page { objects: self.list_folder(prefix).await?, next: None });
        };
        let whole = match self.backend.root.is_empty() {
            true => prefix.to_owned(),
            false => format!("{}/{prefix}", self.backend.root),
        };
        let options = PaginatedListOptions { page_token, max_keys, ..Default::default() };
        let request = pager.list_paginated(Some(&whole), options);
        let page = timed("listing", prefix, time_limit(0), request).await?;
        let objects = page.result.objects.iter().filter_map(|meta| {
            let listed = self.listed(meta, prefix)?;
            let key = unmarked(&listed.key);
            // Programs that show a bucket as folders put an object at the location itself.
            (!key.is_empty()).then_some(Listed { key, ..listed })
        });
        Ok(Page { objects: objects.collect(), next: page.page_token })
    }

    async fn list_folder(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let (folder, is_whole) = match prefix.rsplit_once('/') {
            Some((folder, name)) => (Some(self.backend.path(folder)), name.is_empty()),
            None if self.backend.root.is_empty() => (None, prefix.is_empty()),
            None => (Some(self.backend.path("")), prefix.is_empty()),
        };
        let mut found = Vec::new();
        if is_whole {
            self.list_below(folder.as_ref(), prefix, &mut found).await?;
        } else {
            let request = self.backend.objects.list_with_delimiter(folder.as_ref());
            let ListResult { objects, common_prefixes, .. } =
                request.await.map_err(|error| classify("listing", prefix, error))?;
            found.extend(objects.iter().filter_map(|meta| self.listed(meta, prefix)));
            for deeper in &common_prefixes {
                if self.backend.key(deeper).is_some_and(|key| key.starts_with(prefix)) {
                    self.list_below(Some(deeper), prefix, &mut found).await?;
                }
            }
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    async fn list_below(
        &self,
        folder: Option<&KeyPath>,
        prefix: &str,
        found: &mut Vec<Listed>,
    ) -> Result<(), StoreError> {
        let mut objects = self.backend.objects.list(folder);
        let failed = |error| classify("listing", prefix, error);
        while let Some(meta) = objects.try_next().await.map_err(failed)? {
            if found.len() >= LIST_MAX_OBJECTS {
                return Err(StoreError::EndlessListing { prefix: prefix.to_owned() });
            }
            found.extend(self.listed(&meta, prefix));
        }
        Ok(())
    }

    fn listed(&self, meta: &ObjectMeta, prefix: &str) -> Option<Listed> {
        let key = self.backend.key(&meta.location).filter(|key| key.starts_with(prefix))?;
        let modified = Timestamp {
            seconds: meta.last_modified.timestamp(),
            nanos: meta.last_modified.timestamp_subsec_nanos().min(999_999_999),
        };
        let key = key.to_owned();
        Some(Listed { key, name: None, is_object: true, size_bytes: meta.size, modified })
    }
}
