//! Access keys that change while a run lasts.
//!
//! A file of credentials is written anew by whoever renews them, and a process hands out keys for
//! an hour. The caller knows how to read them; this reads them again when their time is over, and
//! when the store says that it is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

use crate::base::time::{Clock, SystemClock};
use crate::store::cause::{Keys, NoKeys};

/// Keys of an S3 store.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeys {
    /// Its name; no secret.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// The token of keys that expire.
    pub token: Option<String>,
    /// How long they are believed before they are read again; `None` until the store refuses them.
    pub fresh_ms: Option<u64>,
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AccessKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Reads keys where they are kept; an error is in words for the user.
pub type KeySource = Arc<dyn Fn() -> Result<AccessKeys, String> + Send + Sync>;

/// Keys that are read again.
pub(crate) struct RenewedKeys {
    source: KeySource,
    clock: SystemClock,
    held: Mutex<Option<Held>>,
}

struct Held {
    credential: Arc<AwsCredential>,
    until_ms: Option<u64>,
}

impl RenewedKeys {
    pub(crate) fn new(source: KeySource) -> Self {
        Self { source, clock: SystemClock::default(), held: Mutex::default() }
    }

    /// Forgets them: the store refuses them.
    pub(crate) fn expire(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn now_ms(&self) -> u64 {
        self.clock.monotonic().as_millis() as u64
    }
}

impl fmt::Debug for RenewedKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RenewedKeys").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl CredentialProvider for RenewedKeys {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let failed = |why: String| object_store::Error::Unauthenticated {
            path: "credentials".to_owned(),
            source: Box::new(NoKeys { why, keys: Keys::S3 }),
        };
        if let Some(held) = self.held.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
            && held.until_ms.is_none_or(|until| self.now_ms() < until)
        {
            return Ok(Arc::clone(&held.credential));
        }
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || source()).await;
        let keys = read.map_err(|lost| failed(lost.to_string()))?.map_err(failed)?;
        let word = |name, value: &str| crate::store::settings::word(name, value).map_err(failed);
        let credential = Arc::new(AwsCredential {
            key_id: word("the access key id", &keys.id)?,
            secret_key: word("the secret access key", &keys.secret)?,
            token: match &keys.token {
                Some(token) => Some(word("the session token", token)?),
                None => None,
            },
        });
        let until_ms = keys.fresh_ms.map(|fresh_ms| self.now_ms() + fresh_ms);
        let held = Held { credential: Arc::clone(&credential), until_ms };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(credential)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn counted(fresh_ms: Option<u64>) -> RenewedKeys {
        let count = AtomicU64::new(0);
        RenewedKeys::new(Arc::new(move || {
            let id = format!("key{}\n", count.fetch_add(1, Ordering::Relaxed));
            Ok(AccessKeys { id, secret: "hunter2".to_owned(), token: None, fresh_ms })
        }))
    }

    fn id(keys: &RenewedKeys) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(keys.get_credential()).expect("there are keys").key_id.clone()
    }

    #[test]
    fn keys_are_read_again_when_their_time_is_over() {
        let lasting = counted(None);
        assert_eq!((id(&lasting), id(&lasting)), ("key0".to_owned(), "key0".to_owned()));
        lasting.expire();
        assert_eq!(id(&lasting), "key1");
        let brief = counted(Some(0));
        assert_eq!((id(&brief), id(&brief)), ("key0".to_owned(), "key1".to_owned()));
    }

    #[test]
    fn nothing_shows_the_secret() {
        let keys = AccessKeys {
            id: "a".to_owned(),
            secret: "hunter2".to_owned(),
            token: Some("hunter3".to_owned()),
            fresh_ms: None,
        };
        assert!(!format!("{keys:?} {:?}", counted(None)).contains("hunter"));
    }
}
