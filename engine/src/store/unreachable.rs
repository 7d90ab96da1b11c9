//! Connections that did not come about, in one sentence each.
//!
//! The libraries nest five errors, of which the innermost says what happened and the outermost only
//! that a request failed. Names, ports, proxies and certificates are what people get wrong, so each
//! has words of its own.

use std::error::Error as StdError;
use std::io::ErrorKind;

use object_store::client::{HttpError, HttpErrorKind};

use crate::store::cause::{NoConnection, Obstacle};

/// Puts one sentence in the place of a chain. `target` and `proxy` are host and port.
/// A connection may take `connect_ms` to come about.
pub(crate) fn explain(
    error: HttpError,
    target: &str,
    proxy: Option<String>,
    connect_ms: u64,
) -> HttpError {
    let kind = error.kind();
    let (obstacle, detail) = find(&error, kind, proxy.is_some(), connect_ms);
    HttpError::new(kind, NoConnection { target: target.to_owned(), proxy, obstacle, detail })
}

fn find(
    error: &HttpError,
    kind: HttpErrorKind,
    has_proxy: bool,
    connect_ms: u64,
) -> (Obstacle, String) {
    let first: &(dyn StdError + 'static) = error;
    let chain: Vec<_> = std::iter::successors(Some(first), |error| (*error).source()).collect();
    let texts: Vec<String> = chain.iter().map(|error| error.to_string()).collect();
    let says = |words: &str| texts.iter().any(|text| text.to_lowercase().contains(words));
    let innermost = texts.last().map(|text| shortened(text)).unwrap_or_default();
    let io = chain.iter().rev().find_map(|error| error.downcast_ref::<std::io::Error>());
    let io_kind = io.map(std::io::Error::kind);
    let plain = |obstacle, words: &str| (obstacle, words.to_owned());
    if says("dns error") || says("failed to lookup") {
        let whose = if has_proxy { "the name of the proxy" } else { "this name" };
        return (Obstacle::Name, format!("{whose} has no address (DNS: {innermost})"));
    }
    if has_proxy && io_kind == Some(ErrorKind::ConnectionRefused) {
        return plain(
            Obstacle::Proxy,
            "the proxy refuses connections, nothing listens on its port",
        );
    }
    if says("tunnel") || says("proxy auth") {
        return (Obstacle::Proxy, format!("the proxy refuses it ({innermost})"));
    }
    if says("corrupt message") || says("invalidcontenttype") {
        return plain(Obstacle::Tls, "it does not speak TLS on this port");
    }
    if says("certificate") || says("tls") || says("handshake") {
        return (Obstacle::Tls, format!("TLS failed ({})", tls_words(&innermost.to_string())));
    }
    match io_kind {
        Some(ErrorKind::ConnectionRefused) => {
            return plain(Obstacle::Refused, "connection refused, nothing listens on this port");
        }
        Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
            return (Obstacle::NoRoute, format!("no way leads there ({innermost})"));
        }
        _ => {}
    }
    match kind {
        HttpErrorKind::Timeout => {
            let seconds = connect_ms.div_ceil(1000);
            (Obstacle::Silence, format!("no answer within {seconds} s"))
        }
        HttpErrorKind::Connect => (Obstacle::NoRoute, innermost),
        _ => (Obstacle::Broken, format!("the connection broke off ({innermost})")),
    }
}

/// Certificates list all their names.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(DETAIL_MAX_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}

const DETAIL_MAX_CHARS: usize = 160;

/// What is wrong with a certificate: the library has the names of its own types for that.
fn tls_words(innermost: &str) -> String {
    let known = [
        ("UnknownIssuer", "nobody that this machine trusts has signed the certificate"),
        ("CaUsedAsEndEntity", "the certificate is that of an authority, not of a server"),
        ("NotValidForName", "the certificate is for another name"),
        ("NotValidYet", "the certificate is not valid yet, or the clock of this machine is behind"),
        ("Expired", "the certificate has expired, or the clock of this machine is ahead"),
        ("Revoked", "the certificate is revoked"),
        ("BadSignature", "the signature of the certificate is wrong"),
        ("BadEncoding", "the certificate cannot be read"),
        ("HandshakeFailure", "the two sides know no common way of encryption"),
        ("ProtocolVersion", "the other side speaks an old version of TLS only"),
    ];
    match known.into_iter().find(|(name, _)| innermost.contains(name)) {
        Some((_, words)) => words.to_owned(),
        None if innermost.contains("invalid peer certificate") => {
            "the certificate is not accepted".to_owned()
        }
        None => innermost.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_told_of_in_words() {
        for (innermost, words) in [
            ("invalid peer certificate: UnknownIssuer", "trusts"),
            ("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))", "authority"),
            ("invalid peer certificate: Other(OtherError(Odd))", "not accepted"),
            ("certificate expired: verification time 5 (UNIX)", "certificate expired"),
        ] {
            let told = tls_words(innermost);
            assert!(told.contains(words) && !told.contains("Other("), "{told}");
        }
    }
}
