//! What an answer must be to be believed, and errors with the store's own words.
//!
//! The library sees an answer only after it was looked at here. A login page under status 200 is
//! neither a listing, nor an object, nor the receipt of an upload; a 404 from a web server does not
//! say that an object is absent. Requests for credentials are not ours to judge.

use std::time::Duration;

use futures::StreamExt;
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody};
use reqwest::Method;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderMap, LOCATION,
    RANGE,
};

use crate::base::limits::HTTP_ANSWER_MAX_BYTES;
use crate::store::cause::{Answered, NotBelieved, RefusedRedirect, TimedOut};
use crate::store::page::Asked;
use crate::store::wait::Heard;

/// What a request asks for.
#[derive(Debug)]
pub(crate) struct Question {
    listing: Option<Asked>,
    kind: Kind,
    /// The first byte of the part of an object that is asked for; `None` for all of it and for its end.
    starts_at: Option<u64>,
    is_part: bool,
    /// Whether the answer says what was stored: blocks of which Azure makes an object later have none.
    has_receipt: bool,
    /// Whether it goes to the store, with a signature, and not for credentials.
    pub(crate) is_ours: bool,
    /// Host and port.
    pub(crate) host: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Listing,
    Read,
    Write,
    Delete,
    Other,
}

impl Question {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        let listing = Asked::of_query(query).filter(|_| request.method() == Method::GET);
        let is_object = !query.contains("versioning") && !query.contains("object-lock");
        let kind = match (&listing, request.method()) {
            (Some(_), _) => Kind::Listing,
            (None, method) if method == Method::GET && is_object => Kind::Read,
            (None, method) if method == Method::PUT => Kind::Write,
            (None, method) if method == Method::DELETE => Kind::Delete,
            _ => Kind::Other,
        };
        let is_ours = request.headers().contains_key(AUTHORIZATION) || query.contains("sig=");
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("http") => 80,
            _ => 443,
        });
        let host = format!("{}:{port}", uri.host().unwrap_or_default());
        let range = request.headers().get(RANGE).and_then(|value| value.to_str().ok());
        let starts_at = range.and_then(first_byte);
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let is_block = pairs.any(|(name, value)| name == "comp" && value == "block");
        let (is_part, has_receipt) = (range.is_some(), kind == Kind::Write && !is_block);
        Self { listing, kind, starts_at, is_part, has_receipt, is_ours, host }
    }

    /// Passes on what is believed, bounded; the rest becomes errors.
    pub(crate) async fn judge(
        &self,
        response: HttpResponse,
        heard: &Heard,
    ) -> Result<HttpResponse, HttpError> {
        let status = response.status();
        if status.is_redirection() && status.as_u16() != 304 {
            return Err(unknown(redirect(&response)));
        }
        if self.kind == Kind::Read && status.is_success() {
            return match self.is_ours {
                true => self.check_object(response),
                false => Ok(response),
            };
        }
        let (parts, body) = response.into_parts();
        let bytes = self.collect(body, heard).await?;
        if status.is_success() {
            let bytes = self.check_success(status.as_u16(), bytes)?;
            if self.has_receipt && self.is_ours && !parts.headers.contains_key(ETAG) {
                let why = "it does not say what was stored (no ETag)".to_owned();
                return Err(self.disbelief("the receipt of an upload", why));
            }
            return Ok(HttpResponse::from_parts(parts, bytes.into()));
        }
        // What asks for credentials looks at these itself.
        let is_mapped = matches!(status.as_u16(), 304 | 401 | 403 | 404 | 409 | 412);
        if status.as_u16() == 304 || (is_mapped && !self.is_ours) {
            return Ok(HttpResponse::from_parts(parts, bytes.into()));
        }
        let foreign = foreign_type(&parts.headers).filter(|kind| *kind == PAGE);
        if let (404, Some(kind)) = (status.as_u16(), foreign) {
            return Err(self.disbelief("that of an object store", format!("404 with {kind}")));
        }
        Err(unknown(self.answered(status.as_u16(), &parts.headers, &bytes)))
    }

    /// Whether it can be the object, or the part of it, that was asked for; the library has no words for
    /// what it is instead.
    fn check_object(&self, response: HttpResponse) -> Result<HttpResponse, HttpError> {
        let headers = response.headers();
        if let Some(kind) = foreign_type(headers) {
            return Err(self.disbelief("an object", format!("it is {kind}")));
        }
        if !headers.contains_key(CONTENT_LENGTH) {
            return Err(self.disbelief("an object", "it comes without its length".to_owned()));
        }
        if !self.is_part {
            return Ok(response);
        }
        let part = "the part of an object that was asked for";
        if response.status().as_u16() != 206 {
            return Err(self.disbelief(part, "it is the whole of it".to_owned()));
        }
        let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
        let Some(found) = range.and_then(first_byte) else {
            return Err(self.disbelief(part, "it does not say which part it is".to_owned()));
        };
        match self.starts_at.filter(|wanted| *wanted != found) {
            Some(wanted) => {
                Err(self.disbelief(part, format!("it begins at byte {found} instead of {wanted}")))
            }
            None => Ok(response),
        }
    }

    /// The whole body, bounded, without long silences while the store has still to be known.
    async fn collect(&self, body: HttpResponseBody, heard: &Heard) -> Result<Vec<u8>, HttpError> {
        let mut pieces = body.bytes_stream();
        let mut bytes = Vec::new();
        loop {
            let next = match heard.stall_limit() {
                Some(limit) => tokio::time::timeout(limit, pieces.next())
                    .await
                    .map_err(|_| unanswered(&self.host, limit))?,
                None => pieces.next().await,
            };
            let Some(piece) = next.transpose()? else { return Ok(bytes) };
            if self.is_ours {
                heard.sign();
            }
            if bytes.len() + piece.len() > HTTP_ANSWER_MAX_BYTES {
                let why = std::io::Error::other("the answer of the store is too long");
                return Err(unknown(why));
            }
            bytes.extend_from_slice(&piece);
        }
    }

    /// The body as the library can read it.
    fn check_success(&self, status: u16, body: Vec<u8>) -> Result<Vec<u8>, HttpError> {
        match (self.kind, &self.listing) {
            (Kind::Listing, Some(asked)) if status == 200 => {
                asked.readable(body).map_err(|why| self.disbelief("a listing", why))
            }
            (Kind::Listing, _) => Err(self.disbelief("a listing", format!("status {status}"))),
            // "Accepted" is not "stored".
            (Kind::Write, _) if self.is_ours && !matches!(status, 200 | 201) => {
                Err(self.disbelief("the receipt of an upload", format!("status {status}")))
            }
            (Kind::Write, _) if self.is_ours && !body.is_empty() => {
                Err(self.disbelief("the receipt of an upload", about(&body)))
            }
            (Kind::Delete, _) if self.is_ours && !body.is_empty() => {
                Err(self.disbelief("the receipt of a deletion", about(&body)))
            }
            _ => Ok(body),
        }
    }

    fn disbelief(&self, expected: &'static str, why: String) -> HttpError {
        unknown(NotBelieved { host: self.host.clone(), expected, why })
    }

    fn answered(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Answered {
        let text = String::from_utf8_lossy(body);
        let header = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let first = |a: &str, b: String| if a.is_empty() { b } else { a.to_owned() };
        Answered {
            status,
            code: short(&first(element(&text, "Code"), header("x-ms-error-code")), 80),
            message: short(element(&text, "Message"), 400),
            region: short(&first(element(&text, "Region"), header("x-amz-bucket-region")), 80),
            date: short(&header(DATE.as_str()), 80),
            host: self.host.clone(),
        }
    }
}

/// How a page for people is called in errors.
const PAGE: &str = "a web page (text/html)";

/// A type of content that no object of ours has.
fn foreign_type(headers: &HeaderMap) -> Option<&'static str> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok())?;
    let kind = value.split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        "text/html" => Some(PAGE),
        "application/xml" | "text/xml" => Some("an XML document"),
        _ => None,
    }
}

/// Where the range of a request or of an answer begins: `bytes=5-9`, `bytes 5-9/100`.
fn first_byte(range: &str) -> Option<u64> {
    let rest = range.trim().strip_prefix("bytes")?;
    rest.trim_start_matches(['=', ' ']).split_once('-')?.0.parse().ok()
}

/// What came where nothing should.
fn about(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match element(&text, "Code") {
        "" => format!("it has {} bytes where there should be none", body.len()),
        code => format!("it is the error {}: {}", short(code, 80), element(&text, "Message")),
    }
}

fn redirect(response: &HttpResponse) -> RefusedRedirect {
    let header = |name: &str| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let target = match header(LOCATION.as_str()) {
        "" => "nowhere".to_owned(),
        target => short(target, 200),
    };
    let region = short(header("x-amz-bucket-region"), 80);
    RefusedRedirect { status: response.status().as_u16(), target, region }
}

fn unknown(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

/// The other side took a request and says nothing, or stops in the middle of its answer.
pub(crate) fn unanswered(host: &str, limit: Duration) -> HttpError {
    let late = TimedOut { host: host.to_owned(), ..TimedOut::after(limit) };
    HttpError::new(HttpErrorKind::Timeout, late)
}

/// What a stranger wrote, on one line and cut to a length.
fn short(text: &str, max_chars: usize) -> String {
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(max_chars).collect()
}

/// The text of the first element `name`; empty if there is none.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let Some((_, rest)) = xml.split_once(&format!("<{name}>")) else { return "" };
    rest.split_once("</").map_or("", |(text, _)| text)
}
