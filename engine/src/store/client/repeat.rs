//! Requests that are repeated: after which errors, for how long, and until whose fault is plain.

use crate::base::error::{Classified, ErrorClass};
use crate::base::limits::{
    RETRY_OF_ONE_OBJECT, RETRY_OF_ONE_SILENT_OBJECT, STORE_OPENING_MS, UPLOAD_SILENT_BYTES_PER_S,
};
use crate::store::backend::Backend;
use crate::store::cause::{Answered, NoConnection, NoKeys, Obstacle, TimedOut};
use crate::store::client::Store;
use crate::store::error::StoreError;
use crate::store::retry::{Backoff, RetrySettings};
use crate::store::wait::Attempts;

/// What stores call keys whose time is over.
const OLD_KEYS: [&str; 5] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "InvalidToken",
    "RequestExpired",
];

/// Whether the other side could not be spoken to at all, or is not a store.
pub(crate) fn is_unreachable(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable { source, .. } => {
            source.is::<NoConnection>() || source.is::<NoKeys>() || source.is::<TimedOut>()
        }
        StoreError::NotBelieved { .. } => true,
        _ => false,
    }
}

/// Whether the store is away, or asks to be left alone: both pass.
fn is_outage(error: &StoreError) -> bool {
    let StoreError::Unavailable { source, .. } = error else { return false };
    match source.downcast_ref::<Answered>() {
        Some(answer) => matches!(answer.status, 400 | 408 | 425 | 429 | 502..=504),
        None => source.is::<NoConnection>(),
    }
}

/// Whether the attempt was waited for until its time was over: another would take as long again.
fn is_silence(error: &StoreError) -> bool {
    let StoreError::Unavailable { source, .. } = error else { return false };
    let lost = source.downcast_ref::<NoConnection>();
    source.is::<TimedOut>() || lost.is_some_and(|lost| lost.obstacle == Obstacle::Silence)
}

impl Store {
    /// Repeats `attempt` while its error is transient and the settings allow it.
    pub(super) fn repeat<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.repeat_for(None, attempt)
    }

    /// The same for reading the object `key`, until it is plain that the store fails at this one alone.
    pub(super) fn repeat_for<T, F>(
        &self,
        key: Option<&str>,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let (mut backoff, attempts) = (Backoff::new(self.retry), Attempts::default());
        let mut is_renewed = false;
        self.wait_for(0, &attempts, async {
            loop {
                match attempt().await {
                    Err(error) if error.class() == ErrorClass::Transient => {
                        if let Some(key) = key
                            && backoff.failed_count() + 1 >= self.attempts_at_one(&error)
                            && self.link().fails_alone(key, &error).await
                        {
                            return Err(error.of_this_object());
                        }
                        self.pause(&mut backoff, &attempts, error).await?;
                    }
                    Err(error) if self.renews(&error, &mut is_renewed) => {}
                    Err(error) if error.is_refusal() => {
                        let is_alone = match key {
                            Some(key) => self.link().fails_alone(key, &error).await,
                            None => false,
                        };
                        return Err(if is_alone { error.of_this_object() } else { error });
                    }
                    other => return other,
                }
            }
        })
    }

    /// After so many attempts to read one object another is asked for.
    fn attempts_at_one(&self, error: &StoreError) -> u32 {
        let StoreError::Unavailable { source, .. } = error else {
            return match error {
                StoreError::NotBelieved { .. } => RETRY_OF_ONE_OBJECT,
                _ => self.retry.max_attempts,
            };
        };
        match source.downcast_ref::<Answered>() {
            Some(answer) if matches!(answer.status, 409 | 500) => RETRY_OF_ONE_OBJECT,
            None if source.is::<TimedOut>() => RETRY_OF_ONE_SILENT_OBJECT,
            // The line may be bad, or the store busy.
            _ => self.retry.max_attempts,
        }
    }

    pub(super) async fn pause(
        &self,
        backoff: &mut Backoff,
        attempts: &Attempts,
        error: StoreError,
    ) -> Result<(), StoreError> {
        let Backend { heard, .. } = &self.link().backend;
        let is_remote = self.link().backend.can_misbehave();
        let is_opening = is_remote && !heard.has_answered() && is_unreachable(&error);
        // Whoever wants to wait for longer is not stopped by a number of attempts, and a store that has
        // answered before may be back in minutes.
        let is_longer = match is_opening {
            true => heard.opening_ms() > STORE_OPENING_MS,
            false => is_remote && is_outage(&error) && self.retry == RetrySettings::default(),
        };
        let next = backoff.next_wait().or_else(|| is_longer.then(|| backoff.longest_wait()));
        let Some(wait) = next else { return Err(error) };
        if is_opening {
            let again_ms = if is_silence(&error) { heard.connect_ms() } else { 0 };
            if backoff.is_past(heard.opening_ms().saturating_sub(again_ms), wait) {
                heard.gave_up();
                return Err(error);
            }
        } else if is_longer && backoff.is_past(heard.outage_ms(), wait) {
            return Err(error);
        }
        attempts.failed(&error);
        self.link().meter.retry();
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Whether a refusal may be over with keys that are read again: once for each request.
    pub(super) fn renews(&self, error: &StoreError, is_renewed: &mut bool) -> bool {
        let StoreError::Denied { source, .. } = error else { return false };
        let code = source.downcast_ref::<Answered>().map_or("", |answer| answer.code.as_str());
        let Some(keys) = &self.link().backend.keys else { return false };
        if !OLD_KEYS.contains(&code) || std::mem::replace(is_renewed, true) {
            return false;
        }
        keys.expire();
        true
    }

    /// Runs a request to its end, or until the user wants to stop.
    pub(super) fn wait_for<T>(
        &self,
        upload_bytes: usize,
        attempts: &Attempts,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let link = self.link();
        let patience_ms = upload_bytes as u64 * 1000 / UPLOAD_SILENT_BYTES_PER_S;
        self.block_on(link.backend.heard.watched(patience_ms, attempts, work))
    }
}
