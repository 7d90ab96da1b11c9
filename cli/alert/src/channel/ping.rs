//! Dead man's switches: somebody else says that the watcher does not look any more.
//!
//! A ping is no event: it says that a look began and how it ended, and the next one says it again.

use std::time::Duration;

use agent::config::alert::{Alert, ChannelKind, PingStyle};
use url::Url;

use crate::channel::http::{Http, address, judge};
use crate::channel::{ChannelError, setting};
use crate::record::cut;

/// A ping that takes longer holds up the look.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is said beside it.
const WORDS_MAX_CHARS: usize = 200;

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ping<'a> {
    /// A look begins.
    Start,
    /// It ended, and nothing is open.
    Success,
    /// It ended, and so much is open.
    Fail(&'a str),
}

/// One that is pinged.
pub struct Switch {
    name: String,
    style: PingStyle,
    url: Url,
    http: Http,
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Switch").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All channels that are pinged.
///
/// # Errors
/// [`ChannelError`] of the first that cannot be used.
pub fn switches(alerts: &[Alert]) -> Result<Vec<Switch>, ChannelError> {
    alerts.iter().filter(|alert| alert.channel == ChannelKind::Ping).map(Switch::new).collect()
}

impl Switch {
    fn new(alert: &Alert) -> Result<Self, ChannelError> {
        let url = match (&alert.url, alert.secret_file.0.first()) {
            (Some(url), _) => address(url),
            // Its address is its secret.
            (None, Some(path)) => {
                let secret = crate::secret::Secret::read(path).map_err(|source| {
                    ChannelError::Secret { channel: alert.name().to_owned(), source }
                })?;
                address(secret.expose())
            }
            (None, None) => Err("says no url".to_owned()),
        };
        let url = url.map_err(|why| setting(alert, why))?;
        let patience = alert.timeout.map_or(PATIENCE, |span| Duration::from_secs(span.seconds()));
        let http = Http::new(&url, patience).map_err(|why| setting(alert, why))?;
        let style = alert.style.unwrap_or_default();
        Ok(Self { name: alert.name().to_owned(), style, url, http })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says it.
    ///
    /// # Errors
    /// Why it was not heard, without its address.
    pub fn say(&self, ping: &Ping<'_>) -> Result<(), String> {
        let (url, body) = match self.style {
            PingStyle::Healthchecks => healthchecks(&self.url, ping),
            // It knows no beginning.
            PingStyle::UptimeKuma if *ping == Ping::Start => return Ok(()),
            PingStyle::UptimeKuma => (kuma(&self.url, ping), None),
        };
        let answer = self.http.send(&url, &[], body).map_err(|refusal| refusal.why)?;
        judge(&answer).map_err(|refusal| refusal.why)
    }
}

fn healthchecks(base: &Url, ping: &Ping<'_>) -> (Url, Option<Vec<u8>>) {
    let (end, words) = match ping {
        Ping::Start => ("/start", ""),
        Ping::Success => ("", ""),
        Ping::Fail(words) => ("/fail", *words),
    };
    let mut url = base.clone();
    let path = format!("{}{end}", base.path().trim_end_matches('/'));
    url.set_path(&path);
    (url, Some(cut(words, WORDS_MAX_CHARS).into_bytes()))
}

fn kuma(base: &Url, ping: &Ping<'_>) -> Url {
    let (status, words) = match ping {
        Ping::Fail(words) => ("down", *words),
        _ => ("up", "OK"),
    };
    let mut url = base.clone();
    // What was copied with its example values is sent with ours.
    url.set_query(None);
    url.query_pairs_mut()
        .append_pair("status", status)
        .append_pair("msg", &cut(words, WORDS_MAX_CHARS));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_both_services_publish() {
        let url = |text: &str| Url::parse(text).expect("it is one");
        let base = url("https://hc-ping.com/uuid");
        let asked = |ping| healthchecks(&base, &ping).0.to_string();
        assert_eq!(asked(Ping::Start), "https://hc-ping.com/uuid/start");
        assert_eq!(asked(Ping::Success), "https://hc-ping.com/uuid");
        assert_eq!(asked(Ping::Fail("x")), "https://hc-ping.com/uuid/fail");
        let by_name = url("https://hc-ping.com/key/name?create=1");
        let failed = healthchecks(&by_name, &Ping::Fail("x")).0;
        assert_eq!(failed.as_str(), "https://hc-ping.com/key/name/fail?create=1");
        let base = url("https://kuma.example/api/push/token?status=up&msg=OK&ping=");
        assert_eq!(
            kuma(&base, &Ping::Fail("2 open")).as_str(),
            "https://kuma.example/api/push/token?status=down&msg=2+open"
        );
    }
}
