//! Ways of being wrong, each of which was met in the field with some store, proxy or network.

use crate::double::Kind;
use crate::double::http::{Manner, Reply, Request};

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it, and `reply` what it means")]
pub enum Wrong {
    LoginPage,
    ErrorUnder200,
    OtherRoot,
    OtherPrefix,
    CutXml,
    EmptyBody,
    Json,
    NoToken,
    MoreAnnounced,
    OtherKeys,
    Accepted202,
    NoContent204,
    Endless,
    Drip,
    ShortBody,
    Closed,
    Garbage,
    Redirect,
    NotModified,
    Forbidden,
    BadSignature,
    ExpiredToken,
    Skewed,
    NoBucket,
    PageUnder404,
    NoKeyUnderError404,
    InternalError,
    SlowDown,
    BadGateway,
    Quota,
    Archived,
    FlippedBit,
    WholeForPart,
    LostAnswer,
    OddSize,
    OddTime,
    NoEtag,
    OtherRange,
    /// Not among all: pages without objects, each of which says that there is another.
    PagesForEver,
    /// Not among all: it lasts as long as the client waits.
    Hang,
    /// Not among all: a status, with a code of S3.
    Status(u16, &'static str),
    /// Not among all: a listing that names each key twice.
    Twice,
}

impl Wrong {
    /// All of them but those that are said not to be.
    pub const ALL: [Self; 38] = [
        Self::LoginPage,
        Self::ErrorUnder200,
        Self::OtherRoot,
        Self::OtherPrefix,
        Self::CutXml,
        Self::EmptyBody,
        Self::Json,
        Self::NoToken,
        Self::MoreAnnounced,
        Self::OtherKeys,
        Self::Accepted202,
        Self::NoContent204,
        Self::Endless,
        Self::Drip,
        Self::ShortBody,
        Self::Closed,
        Self::Garbage,
        Self::Redirect,
        Self::NotModified,
        Self::Forbidden,
        Self::BadSignature,
        Self::ExpiredToken,
        Self::Skewed,
        Self::NoBucket,
        Self::PageUnder404,
        Self::NoKeyUnderError404,
        Self::InternalError,
        Self::SlowDown,
        Self::BadGateway,
        Self::Quota,
        Self::Archived,
        Self::FlippedBit,
        Self::WholeForPart,
        Self::LostAnswer,
        Self::OddSize,
        Self::OddTime,
        Self::NoEtag,
        Self::OtherRange,
    ];

    /// Whether the request has no effect.
    pub(crate) fn is_before_effect(self) -> bool {
        !matches!(
            self,
            // A receipt without a body is what a right one looks like: then it is one.
            Self::LostAnswer
                | Self::EmptyBody
                | Self::CutXml
                | Self::OtherPrefix
                | Self::OtherRoot
                | Self::NoToken
                | Self::MoreAnnounced
                | Self::OtherKeys
                | Self::Drip
                | Self::ShortBody
                | Self::FlippedBit
                | Self::WholeForPart
                | Self::OddSize
                | Self::OddTime
                | Self::NoEtag
                | Self::OtherRange
                | Self::PagesForEver
                | Self::Twice
        )
    }

    /// The wrong answer; `right` is what would have been right, if there was an effect.
    pub(crate) fn reply(self, request: &Request, right: Reply) -> Reply {
        let ok = |body: &str| Reply {
            headers: "etag: \"1\"\r\nlast-modified: Sat, 21 Nov 2026 10:00:00 GMT\r\n".to_owned(),
            body: body.as_bytes().to_vec(),
            ..Reply::status(200, "OK")
        };
        let page = |status, reason| Reply {
            headers: "content-type: text/html\r\n".to_owned(),
            body: b"<html><body>Please log in</body></html>".to_vec(),
            ..Reply::status(status, reason)
        };
        let manner = |manner| Reply { manner, ..Reply::status(200, "OK") };
        match self {
            Self::LoginPage => {
                Reply { headers: ok("").headers + "content-type: text/html\r\n", ..page(200, "OK") }
            }
            Self::ErrorUnder200 => ok("<Error><Code>InternalError</Code></Error>"),
            Self::EmptyBody => ok(""),
            Self::Json => ok("{\"objects\": []}"),
            Self::Accepted202 => Reply { status: 202, ..ok("") },
            Self::NoContent204 => Reply::status(204, "No Content"),
            Self::Endless => manner(Manner::Endless),
            Self::Closed | Self::LostAnswer => manner(Manner::Nothing),
            Self::Garbage => manner(Manner::Garbage),
            Self::Hang => manner(Manner::Hang),
            Self::Drip => Reply { manner: Manner::Drip, ..right },
            Self::ShortBody => Reply { manner: Manner::Short, ..right },
            Self::Redirect => Reply {
                headers: "location: http://127.0.0.1:9/x\r\n".to_owned(),
                ..Reply::status(307, "Temporary Redirect")
            },
            Self::NotModified => Reply::status(304, "Not Modified"),
            Self::Forbidden => Reply::error(403, "AccessDenied"),
            Self::BadSignature => Reply::error(403, "SignatureDoesNotMatch"),
            Self::ExpiredToken => Reply::error(400, "ExpiredToken"),
            Self::Skewed => Reply::error(403, "RequestTimeTooSkewed"),
            Self::NoBucket => Reply::error(404, "NoSuchBucket"),
            Self::PageUnder404 => page(404, "Not Found"),
            Self::NoKeyUnderError404 => Reply::error(404, "NoSuchUpload"),
            Self::InternalError => Reply::error(500, "InternalError"),
            Self::SlowDown => Reply::error(503, "SlowDown"),
            Self::BadGateway => page(502, "Bad Gateway"),
            Self::Quota => Reply::error(403, "QuotaExceeded"),
            Self::Archived => Reply::error(403, "InvalidObjectState"),
            Self::Status(status, code) => Reply::error(status, code),
            _ => self.spoiled(request, right),
        }
    }

    /// The right answer with one thing wrong in it.
    fn spoiled(self, request: &Request, right: Reply) -> Reply {
        match self {
            Self::Twice => twice(right),
            Self::OddSize => changed(right, "<Size>", "<Size>-"),
            Self::OddTime => changed(right, "<LastModified>", "<LastModified>yesterday, "),
            Self::NoEtag => Reply { headers: right.headers.replace("etag", "x-tag"), ..right },
            Self::OtherRange => {
                Reply { headers: right.headers.replace("bytes ", "bytes 1"), ..right }
            }
            Self::PagesForEver => Reply { body: pages_for_ever(request).into_bytes(), ..right },
            Self::OtherRoot => changed(right, "ListBucketResult", "ListAllMyBucketsResult"),
            Self::OtherPrefix => changed(right, "<Prefix>", "<Prefix>other/"),
            Self::NoToken => changed(right, "<IsTruncated>false", "<IsTruncated>true"),
            Self::MoreAnnounced => changed(right, "<KeyCount>", "<KeyCount>9"),
            Self::OtherKeys => changed(right, "<Key>", "<Key>other/"),
            Self::CutXml => {
                let half = right.body.len() / 2;
                Reply { body: right.body[..half].to_vec(), ..right }
            }
            Self::FlippedBit => {
                let mut body = right.body;
                if let Some(byte) = body.iter_mut().next_back() {
                    *byte ^= 1;
                }
                Reply { body, ..right }
            }
            Self::WholeForPart => {
                let is_part = right.status == 206 && request.kind() == Kind::Get;
                let status = if is_part { 200 } else { right.status };
                Reply { status, ..right }
            }
            _ => right,
        }
    }
}

fn changed(right: Reply, from: &str, to: &str) -> Reply {
    let text = String::from_utf8_lossy(&right.body).replace(from, to);
    Reply { body: text.into_bytes(), ..right }
}

/// A page without objects that leads to another one.
fn pages_for_ever(request: &Request) -> String {
    let asked = |name: &str| request.query.get(name).map(String::as_str).unwrap_or_default();
    let (prefix, token) = (asked("prefix"), asked("continuation-token"));
    let own = match token.is_empty() {
        true => String::new(),
        false => format!("<ContinuationToken>{token}</ContinuationToken>"),
    };
    format!(
        "<ListBucketResult><Prefix>{prefix}</Prefix>{own}<KeyCount>0</KeyCount>\
         <IsTruncated>true</IsTruncated>\
         <NextContinuationToken>{token}x</NextContinuationToken></ListBucketResult>"
    )
}

/// A page that names each object twice.
fn twice(right: Reply) -> Reply {
    let text = String::from_utf8_lossy(&right.body).into_owned();
    let mut body = String::new();
    for piece in text.split_inclusive("</Contents>") {
        body.push_str(piece);
        if let Some(at) = piece.find("<Contents>") {
            body.push_str(&piece[at..]);
        }
    }
    Reply { body: body.into_bytes(), ..right }
}

/// Which answers are wrong, and how.
#[derive(Debug, Clone)]
pub struct Rule {
    /// To requests of this kind.
    pub kind: Kind,
    /// And with this in their key.
    pub key: &'static str,
    /// How.
    pub wrong: Wrong,
    /// The first so many of them are right.
    pub after: u64,
    /// Then so many are wrong.
    pub times: u64,
}

impl Rule {
    /// Counts a request: how its answer is wrong.
    pub(crate) fn next(&mut self, kind: Kind, key: &str) -> Option<Wrong> {
        if kind != self.kind || !key.contains(self.key) {
            return None;
        }
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        let is_wrong = self.times > 0;
        self.times = self.times.saturating_sub(1);
        is_wrong.then_some(self.wrong)
    }
}
