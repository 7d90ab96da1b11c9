//! The HTTP connection below the cloud stores: no redirects, bounded answers, statuses as values.
//!
//! `object_store` with its stock connector follows up to ten redirects, reads error bodies and
//! listings without a bound, and hides the status of an answer in a text. This connector builds the
//! same `reqwest` client (rustls, the system's roots, HTTP/1.1) with a policy of its own and looks
//! at every answer before the library does. It also carries the probe's misbehaviour ([`Fault`]):
//! requests that are signed like any other and then cut, held back or changed on their way.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::ClientConfigKey;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::{Method, NoProxy, Proxy, redirect};

use crate::base::limits::{CONNECT_TIMEOUT_MS, HTTP_ANSWER_MAX_BYTES};
use crate::store::error::{HttpStatus, RefusedRedirect};
use crate::store::pace::Pace;

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
    pub(crate) proxy: Option<String>,
    pub(crate) no_proxy: Option<String>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let is_set = |key| options.get_config_value(&key).is_some_and(|value| value == "true");
        let builder = reqwest::Client::builder()
            .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(connect_timeout(options))
            .https_only(!is_set(ClientConfigKey::AllowHttp))
            .http1_only()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .no_proxy();
        let builder = match &self.proxy {
            Some(url) => {
                let proxy = Proxy::all(url).map_err(not_built)?;
                let excluded = self.no_proxy.as_deref().and_then(NoProxy::from_string);
                builder.proxy(proxy.no_proxy(excluded))
            }
            None => builder,
        };
        Ok(HttpClient::new(Transport { client: builder.build().map_err(not_built)? }))
    }
}

/// The library asks for one second where it looks for a metadata service that may not exist.
fn connect_timeout(options: &ClientOptions) -> Duration {
    let asked = options.get_config_value(&ClientConfigKey::ConnectTimeout);
    let asked_ms = asked
        .and_then(|text| text.strip_suffix('s').and_then(|seconds| seconds.parse::<u64>().ok()))
        .map_or(CONNECT_TIMEOUT_MS, |seconds| seconds.saturating_mul(1000));
    Duration::from_millis(asked_ms.min(CONNECT_TIMEOUT_MS))
}

fn not_built(error: reqwest::Error) -> object_store::Error {
    object_store::Error::Generic { store: "http", source: Box::new(error.without_url()) }
}

#[derive(Debug)]
struct Transport {
    client: reqwest::Client,
}

#[async_trait::async_trait]
impl HttpService for Transport {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let is_listing = query.contains("list-type=") || query.contains("comp=list");
        let streams = request.method() == Method::GET && !is_listing;
        let paced = request.extensions_mut().remove::<Paced>();
        let response = match (request.extensions_mut().remove::<Fault>(), paced) {
            (None, None) => HttpService::call(&self.client, request).await?,
            (None, Some(Paced(body, pace))) => {
                self.send_stream(request, reqwest::Body::wrap_stream(pace.pieces(body))).await?
            }
            (Some(fault), _) => self.call_badly(fault, request).await?,
        };
        judge(response, streams, is_listing).await
    }
}

impl Transport {
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

/// Passes on what the library has to see, bounded, and turns the rest into errors with a status.
async fn judge(
    response: HttpResponse,
    streams: bool,
    is_listing: bool,
) -> Result<HttpResponse, HttpError> {
    let status = response.status();
    if streams && status.is_success() {
        return Ok(response);
    }
    if status.is_redirection() && status.as_u16() != 304 {
        let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = target.unwrap_or("nowhere").chars().take(200).collect();
        let refused = RefusedRedirect { status: status.as_u16(), target };
        return Err(HttpError::new(HttpErrorKind::Unknown, refused));
    }
    let (parts, body) = response.into_parts();
    let bytes = collect_bounded(body).await?;
    // The library maps these itself for objects, and its credential providers look at them.
    let is_mapped = matches!(status.as_u16(), 304 | 401 | 403 | 404 | 409 | 412) && !is_listing;
    if status.is_success() || is_mapped {
        return Ok(HttpResponse::from_parts(parts, bytes.into()));
    }
    let text = String::from_utf8_lossy(&bytes);
    Err(HttpError::new(
        HttpErrorKind::Unknown,
        HttpStatus {
            status: status.as_u16(),
            code: element(&text, "Code").chars().take(80).collect(),
            message: element(&text, "Message").chars().take(400).collect(),
        },
    ))
}

async fn collect_bounded(body: HttpResponseBody) -> Result<Vec<u8>, HttpError> {
    let mut pieces = body.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if bytes.len() + piece.len() > HTTP_ANSWER_MAX_BYTES {
            let why = std::io::Error::other("the answer of the store is too long");
            return Err(HttpError::new(HttpErrorKind::Unknown, why));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The text of the first element `name`; empty if there is none.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let Some((_, rest)) = xml.split_once(&format!("<{name}>")) else { return "" };
    rest.split_once("</").map_or("", |(text, _)| text)
}

#[cfg(test)]
mod tests;
