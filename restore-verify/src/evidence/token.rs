//! RFC 3161: the request for a time stamp, and what a token says it is about.
//!
//! Only what binds a token to a record is read here. Whether the authority's signature is good is
//! asked of `openssl ts -verify`, which every auditor has and which knows certificates.

use sha2::{Digest, Sha256};

/// Object identifier of SHA-256, in DER.
const SHA256: [u8; 11] = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// Object identifier of the content type `TSTInfo`, in DER.
const TST_INFO: [u8; 13] =
    [0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// Longest response that is taken: a token with a few certificates has about 6 KiB, and it must
/// fit into a record.
pub const RESPONSE_MAX_BYTES: usize = 48 * 1024;

/// SHA-256, the hash that authorities agree on.
#[must_use]
pub fn imprint(signed: &[u8]) -> [u8; 32] {
    Sha256::digest(signed).into()
}

/// A question to an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The request, in DER.
    pub bytes: Vec<u8>,
    /// The number that the answer must bear.
    pub nonce: [u8; 8],
}

/// A request for a token over `imprint`, with the authority's certificates; the nonce keeps an
/// old answer from being taken for this one.
#[must_use]
pub fn request(imprint: &[u8; 32], mut nonce: [u8; 8]) -> Request {
    let algorithm = sequence(&[SHA256.as_slice(), &[0x05, 0x00]]);
    let hash = value(0x04, imprint);
    // Positive and without leading zeros: one spelling only.
    nonce[0] = (nonce[0] & 0x7f) | 0x40;
    let parts: [&[u8]; 4] = [
        &value(0x02, &[1]),
        &sequence(&[&algorithm, &hash]),
        &value(0x02, &nonce),
        &value(0x01, &[0xff]),
    ];
    Request { bytes: sequence(&parts), nonce }
}

/// What a response says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The hash that it is about.
    pub imprint: [u8; 32],
    /// When, as the authority writes it: `20261126120000Z`.
    pub time: String,
    /// The nonce of the request that it answers.
    pub nonce: Option<Vec<u8>>,
}

/// Reads a response.
///
/// # Errors
/// In words, if it holds no token over a SHA-256 hash.
pub fn read(response: &[u8]) -> Result<Token, String> {
    let (status, _) = inside(response, 0x30)
        .and_then(|(body, _)| inside(body, 0x30))
        .ok_or("it is no answer of a time stamp authority")?;
    let (code, _) = inside(status, 0x02).ok_or("it has no status")?;
    if !matches!(code, [0 | 1]) {
        return Err(format!("the authority refused, status {code:?}"));
    }
    let at = response
        .windows(TST_INFO.len())
        .position(|window| window == TST_INFO)
        .ok_or("it holds no token")?;
    let info = inside(&response[at + TST_INFO.len()..], 0xa0)
        .and_then(|(explicit, _)| inside(explicit, 0x04))
        .and_then(|(octets, _)| inside(octets, 0x30))
        .ok_or("its token cannot be read")?;
    token(info.0).ok_or_else(|| "its token is of another kind".to_owned())
}

fn token(info: &[u8]) -> Option<Token> {
    let (_version, rest) = inside(info, 0x02)?;
    let (_policy, rest) = inside(rest, 0x06)?;
    let (message, rest) = inside(rest, 0x30)?;
    let (algorithm, hash) = inside(message, 0x30)?;
    if !algorithm.starts_with(&SHA256) {
        return None;
    }
    let imprint = inside(hash, 0x04)?.0.try_into().ok()?;
    let (_serial, rest) = inside(rest, 0x02)?;
    let (time, mut rest) = inside(rest, 0x18)?;
    let time = String::from_utf8(time.to_vec()).ok()?;
    // Accuracy and ordering may stand before the nonce.
    for tag in [0x30, 0x01] {
        if let Some((_, after)) = inside(rest, tag) {
            rest = after;
        }
    }
    let nonce = inside(rest, 0x02).map(|(nonce, _)| nonce.to_vec());
    Some(Token { imprint, time, nonce })
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    // Everything written here is shorter than 128 bytes.
    [&[tag, content.len() as u8], content].concat()
}

/// Content of the value with `tag` at the front, and what follows it.
fn inside(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    (*found == tag).then_some(())?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_the_standard_says() {
        let Request { bytes, nonce } = request(&[0xab; 32], [0xff; 8]);
        assert_eq!(nonce, [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(bytes.len(), usize::from(bytes[1]) + 2);
        assert_eq!(bytes[..5], [0x30, 0x43, 0x02, 0x01, 0x01]);
        assert_eq!(&bytes[bytes.len() - 3..], [0x01, 0x01, 0xff]);
    }

    #[test]
    fn hostile_answers_are_refused() {
        assert_eq!(
            read(&[0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x02]),
            Err("the authority refused, status [2]".to_owned())
        );
        for bytes in [&b""[..], b"<html>", &[0x30, 0x84, 1, 1, 1, 1], &[0x30; 50]] {
            assert!(read(bytes).is_err());
        }
    }
}
