//! One HTTP request: within a time limit, without redirects, and without a word of its address in errors.

use std::net::IpAddr;
use std::time::Duration;

use engine::base::time::{Clock, SystemClock};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use tokio::runtime::Runtime;
use url::{Host, Url};

use crate::deliver::{Refusal, Scope};

/// Of an answer no more is read.
const ANSWER_MAX_BYTES: usize = 1 << 20;
/// A connection that takes longer is none.
const CONNECT: Duration = Duration::from_secs(5);

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after_s: Option<i64>,
    /// Its beginning; all of it, if it came whole.
    pub(super) body: Vec<u8>,
}

/// Sends requests to one receiver.
pub(super) struct Http {
    runtime: Runtime,
    client: reqwest::Client,
}

/// An address that may be sent to: HTTPS, or plain HTTP on this machine alone.
pub(super) fn address(text: &str) -> Result<Url, String> {
    // What is wrong with it is not shown: it may hold a token.
    let url = Url::parse(text).map_err(|error| format!("its url is none: {error}"))?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    };
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err("its url holds a name or a password: they belong into a secret file".to_owned())
        }
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        "http" => Err("plain http is sent to this machine alone: write https://".to_owned()),
        other => Err(format!("its url begins with {other}: write https://")),
    }
}

impl Http {
    pub(super) fn new(url: &Url, patience: Duration) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot begin: {error}"))?;
        let mut builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(patience)
            .connect_timeout(CONNECT.min(patience))
            // A connection that lay idle for a round is no use any more.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")));
        if url.scheme() == "http" {
            // It is this machine: a proxy would carry it away.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(told)?;
        Ok(Self { runtime, client })
    }

    /// Sends a body, or asks without one.
    pub(super) fn send(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer, Refusal> {
        let method = if body.is_some() { "POST" } else { "GET" };
        self.request(method, url, headers, body)
    }

    /// The same with another method.
    pub(super) fn request(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer, Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| Refusal::of_event(format!("the header {name} cannot be sent")))?;
            value.set_sensitive(true);
            map.insert(HeaderName::from_static(name), value);
        }
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Refusal::of_event("there is no such method"))?;
        let request = self.client.request(method, url.clone());
        let request = match body {
            Some(body) => request.body(body),
            None => request,
        };
        self.runtime.block_on(async {
            let failed = |error: reqwest::Error| Refusal::of_channel(told(error));
            let mut answer = request.headers(map).send().await.map_err(failed)?;
            let status = answer.status().as_u16();
            let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after_s = wait.and_then(seconds);
            // Read to its end within bounds, so that the receiver can finish. One that breaks off is half.
            let mut body = Vec::new();
            while let Ok(Some(part)) = answer.chunk().await {
                body.extend_from_slice(&part);
                if body.len() > ANSWER_MAX_BYTES {
                    break;
                }
            }
            Ok(Answer { status, retry_after_s, body })
        })
    }
}

/// Seconds, or a date.
fn seconds(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.trim().parse::<i64>() {
        return Some(seconds.max(0));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some((at.as_second() - SystemClock::default().now().seconds).max(0))
}

/// What went wrong, without the address.
fn told(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let is_connect = error.is_connect();
    let error = error.without_url();
    let mut words = if is_connect { "cannot be reached".to_owned() } else { error.to_string() };
    let mut source = std::error::Error::source(&error);
    while let Some(deeper) = source {
        let text = deeper.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        source = deeper.source();
    }
    words
}

/// What a status means.
pub(super) fn judge(answer: &Answer) -> Result<(), Refusal> {
    let status = answer.status;
    let scope = match status {
        200..=299 => return Ok(()),
        410 => Scope::Gone,
        400 | 413 | 422 => Scope::Event,
        _ => Scope::Channel,
    };
    let why = match status {
        300..=399 => {
            format!("status {status}: it points elsewhere, and redirects are not followed")
        }
        410 => "status 410: it is gone, and nothing is sent any more".to_owned(),
        _ => format!("status {status}"),
    };
    Err(Refusal { why, retry_after_s: answer.retry_after_s, scope })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine_and_no_address_is_shown() {
        for good in
            ["https://example.com/x", "http://127.0.0.1:9/", "http://[::1]/", "http://localhost"]
        {
            assert!(address(good).is_ok(), "{good}");
        }
        for wrong in [
            "http://example.com/t0ken",
            "http://127.0.0.1.example.com/t0ken",
            "https://me:t0ken@example.com/",
            "ftp://example.com/t0ken",
            "t0ken",
        ] {
            let why = address(wrong).expect_err(wrong);
            assert!(!why.contains("t0ken"), "{why}");
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("-3"), Some(0));
        assert_eq!(seconds("Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        assert_eq!(seconds("soon"), None);
    }
}
