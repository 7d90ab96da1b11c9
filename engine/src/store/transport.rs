//! The HTTP connection below the cloud stores: no redirects, bounded answers, statuses as values.
//!
//! `object_store` with its stock connector follows up to ten redirects, reads error bodies and
//! listings without a bound, and hides the status of an answer in a text. This connector builds the
//! same `reqwest` client (rustls, the system's roots, HTTP/1.1) with a policy of its own, and
//! `answer` looks at every answer before the library does. It also carries the probe's misbehaviour ([`Fault`]):
//! requests that are signed like any other and then cut, held back or changed on their way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::ClientConfigKey;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use reqwest::header::{AUTHORIZATION, DATE, HeaderValue};
use reqwest::{Proxy, Url, redirect};

use crate::base::limits::TRANSFER_MIN_BYTES_PER_S;
use crate::store::answer::{Question, unanswered};
use crate::store::pace::Pace;
use crate::store::proxy::{Proxies, shown};
use crate::store::unreachable;
use crate::store::wait::Heard;

/// Misbehaviour of a request that the probe asks for; travels as an extension of the request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Send these bytes, fewer than announced, then drop the connection.
    Cut(Bytes),
    /// Send the first half of the body, wait, send the rest.
    Hold(Bytes, Duration),
    /// Send this body under the signature of the right one.
    Swap(Bytes),
    /// Spoil the signature.
    BadSignature,
}

/// A body that goes out at a limited rate; travels as an extension of the request.
#[derive(Debug, Clone)]
pub(crate) struct Paced(pub(crate) Bytes, pub(crate) Pace);

/// Makes clients for `object_store`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connector {
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) heard: Arc<Heard>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let is_set = |key| options.get_config_value(&key).is_some_and(|value| value == "true");
        let builder = reqwest::Client::builder()
            .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(connect_timeout(options, self.heard.connect_ms()))
            .https_only(!is_set(ClientConfigKey::AllowHttp))
            .http1_only()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .no_proxy();
        let proxies = Arc::clone(&self.proxies);
        let builder = builder.proxy(Proxy::custom(move |url| proxies.of(url).cloned()));
        let client = builder.build().map_err(not_built)?;
        let (proxies, heard) = (Arc::clone(&self.proxies), Arc::clone(&self.heard));
        Ok(HttpClient::new(Transport { client, proxies, heard }))
    }
}

/// The library asks for one second where it looks for a metadata service that may not exist.
fn connect_timeout(options: &ClientOptions, most_ms: u64) -> Duration {
    let asked = options.get_config_value(&ClientConfigKey::ConnectTimeout);
    let asked_ms = asked
        .and_then(|text| text.strip_suffix('s').and_then(|seconds| seconds.parse::<u64>().ok()))
        .map_or(most_ms, |seconds| seconds.saturating_mul(1000));
    Duration::from_millis(asked_ms.min(most_ms))
}

fn not_built(error: reqwest::Error) -> object_store::Error {
    object_store::Error::Generic { store: "http", source: Box::new(error.without_url()) }
}

#[derive(Debug)]
struct Transport {
    client: reqwest::Client,
    proxies: Arc<Proxies>,
    heard: Arc<Heard>,
}

#[async_trait::async_trait]
impl HttpService for Transport {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let question = Question::of(&request);
        let url = Url::parse(&request.uri().to_string()).ok();
        let paced = request.extensions_mut().remove::<Paced>();
        let limit = self.answer_limit(&request, &question).filter(|_| paced.is_none());
        let asked = async {
            match (request.extensions_mut().remove::<Fault>(), paced) {
                (None, None) => HttpService::call(&self.client, request).await,
                (None, Some(Paced(body, pace))) => {
                    self.send_stream(request, reqwest::Body::wrap_stream(pace.pieces(body))).await
                }
                (Some(fault), _) => self.call_badly(fault, request).await,
            }
        };
        let response = match limit {
            Some(limit) => match tokio::time::timeout(limit, asked).await {
                Ok(response) => response,
                Err(_) => return Err(unanswered(&question.host, limit)),
            },
            None => asked.await,
        };
        let response = response.map_err(|error| {
            let proxy = url.as_ref().and_then(|url| self.proxies.of(url)).map(shown);
            unreachable::explain(error, &question.host, proxy, self.heard.connect_ms())
        })?;
        if question.is_ours {
            self.heard.speaks();
            if let Some(Ok(date)) = response.headers().get(DATE).map(HeaderValue::to_str) {
                self.heard.dated(date);
            }
        }
        let answer = question.judge(response, &self.heard).await?;
        if question.is_ours {
            self.heard.answered();
        }
        Ok(answer)
    }
}

impl Transport {
    /// How long the answer may take to begin, if that is less than what the request as a whole may
    /// take: whoever has never answered is not waited for for minutes. Of those that hand out
    /// credentials no question takes long.
    fn answer_limit(&self, request: &HttpRequest, question: &Question) -> Option<Duration> {
        let limit = match question.is_ours {
            true => self.heard.first_answer_limit(),
            false => Some(Duration::from_millis(self.heard.opening_ms())),
        }?;
        let body_bytes = request.body().content_length() as u64;
        Some(limit + Duration::from_millis(body_bytes * 1000 / TRANSFER_MIN_BYTES_PER_S))
    }

    async fn call_badly(
        &self,
        fault: Fault,
        mut request: HttpRequest,
    ) -> Result<HttpResponse, HttpError> {
        match fault {
            Fault::Swap(other) => {
                let (parts, _) = request.into_parts();
                let request = HttpRequest::from_parts(parts, HttpRequestBody::from(other));
                HttpService::call(&self.client, request).await
            }
            Fault::BadSignature => {
                if let Some(value) = request.headers_mut().get_mut(AUTHORIZATION) {
                    let mut spoiled = value.as_bytes().to_vec();
                    if let Some(last) = spoiled.last_mut() {
                        *last = if *last == b'0' { b'1' } else { b'0' };
                    }
                    if let Ok(spoiled) = HeaderValue::from_bytes(&spoiled) {
                        *value = spoiled;
                    }
                }
                HttpService::call(&self.client, request).await
            }
            Fault::Cut(head) => {
                let broken = Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
                let parts = stream::iter([Ok(head)]).chain(stream::once(async {
                    // The head must be on its way before the connection goes.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    broken
                }));
                self.send_stream(request, reqwest::Body::wrap_stream(parts)).await
            }
            Fault::Hold(body, wait) => {
                let rest = body.slice(body.len() / 2..);
                let head = body.slice(..body.len() / 2);
                let parts =
                    stream::iter([Ok::<_, std::io::Error>(head)]).chain(stream::once(async move {
                        tokio::time::sleep(wait).await;
                        Ok(rest)
                    }));
                self.send_stream(request, reqwest::Body::wrap_stream(parts)).await
            }
        }
    }

    async fn send_stream(
        &self,
        request: HttpRequest,
        body: reqwest::Body,
    ) -> Result<HttpResponse, HttpError> {
        let (parts, _) = request.into_parts();
        let url = reqwest::Url::parse(&parts.uri.to_string())
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut sent = reqwest::Request::new(parts.method, url);
        *sent.headers_mut() = parts.headers;
        *sent.body_mut() = Some(body);
        let interrupted =
            |error: reqwest::Error| HttpError::new(HttpErrorKind::Interrupted, error.without_url());
        let answer = self.client.execute(sent).await.map_err(interrupted)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await.map_err(interrupted)?;
        let mut response = HttpResponse::new(HttpResponseBody::from(bytes));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

#[cfg(test)]
mod tests;
