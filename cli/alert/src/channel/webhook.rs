//! Webhooks as Standard Webhooks 1.0.0 has them.

use std::time::Duration;

use agent::config::alert::Alert;
use url::Url;

use crate::channel::http::{Http, address, judge};
use crate::channel::{ChannelError, setting};
use crate::deliver::{PATIENCE, Receiver, Refusal};
use crate::secret::Secret;
use crate::sign::{Signer, signature, signers};
use crate::state::Due;

pub(super) struct Webhook {
    name: String,
    fallback: Option<String>,
    url: Url,
    signers: Vec<Signer>,
    http: Http,
}

impl Webhook {
    pub(super) fn new(alert: &Alert) -> Result<Self, ChannelError> {
        let url =
            address(alert.url.as_deref().unwrap_or_default()).map_err(|why| setting(alert, why))?;
        let mut signing = Vec::new();
        for path in &alert.secret_file.0 {
            let channel = alert.name().to_owned();
            let secret =
                Secret::read(path).map_err(|source| ChannelError::Secret { channel, source })?;
            let wrong = |why| setting(alert, format!("{}: {why}", path.display()));
            signing.extend(signers(&secret).map_err(wrong)?);
        }
        let patience = alert.timeout.map_or(PATIENCE, |span| Duration::from_secs(span.seconds()));
        let http = Http::new(&url, patience).map_err(|why| setting(alert, why))?;
        let (name, fallback) = (alert.name().to_owned(), alert.fallback.clone());
        Ok(Self { name, fallback, url, signers: signing, http })
    }
}

impl Receiver for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    fn is_digest(&self) -> bool {
        false
    }

    fn give(&mut self, events: &[Due], now_s: i64) -> Result<Option<String>, Refusal> {
        for event in events {
            let body = event.body.as_bytes();
            let headers = [
                ("content-type", "application/json".to_owned()),
                ("webhook-id", event.id.clone()),
                // Of this attempt: a receiver refuses what was signed long ago.
                ("webhook-timestamp", now_s.to_string()),
                ("webhook-signature", signature(&self.signers, &event.id, now_s, body)),
            ];
            judge(&self.http.send(&self.url, &headers, Some(body.to_vec()))?)?;
        }
        Ok(None)
    }
}
