//! Invitations as text: what a machine needs to join, in one word that can be pasted.

use data_encoding::BASE64URL_NOPAD;
use engine::base::id::ClientId;
use engine::crypt::hash;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::fault::Fault;

/// How each begins: what it is, and the version of what follows.
const HEAD: &str = "mainstay-invitation-1.";
/// Bytes of a hash at its end, by which one that was cut off or mistyped is noticed.
const CHECK_BYTES: usize = 8;
/// No token is longer.
pub const TOKEN_MAX_BYTES: usize = 128 * 1024;

/// What is in an invitation. It holds a key: whoever has it can make backups as this machine.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// The client that was enrolled for the machine; the invitation bears its id.
    pub id: String,
    /// The last second at which it can be taken.
    pub until_s: i64,
    /// The organisation.
    pub organisation: String,
    /// The host that its snapshots name.
    pub host: String,
    /// Location of the repository.
    pub repo: String,
    /// Endpoint of the store, if it is not the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whether that may be plain HTTP.
    #[serde(default)]
    pub allow_http: bool,
    /// The key file.
    pub key: Zeroizing<String>,
    /// Sources, schedule and all else of the configuration.
    pub template: String,
}

impl Invitation {
    /// The token.
    ///
    /// # Errors
    /// A local fault if it cannot be written as JSON.
    pub fn to_token(&self) -> Result<Zeroizing<String>, Fault> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Fault::local("the invitation cannot be written").because(&error))?;
        let mut bytes = Zeroizing::new(json);
        let check = hash::digest(&bytes);
        bytes.extend_from_slice(&check.as_bytes()[..CHECK_BYTES]);
        Ok(Zeroizing::new(format!("{HEAD}{}", BASE64URL_NOPAD.encode(&bytes))))
    }

    /// Reads a token; white space, which some programs break long words with, counts for nothing.
    ///
    /// # Errors
    /// A fault of usage that says what is wrong with it, and nothing of what is in it.
    pub fn from_token(text: &str) -> Result<Self, Fault> {
        let wrong = |why: &str| {
            Fault::usage(format!("this is not an invitation: {why}"))
                .hint("copy the whole token, from `mainstay-invitation` to its end")
        };
        if text.len() > TOKEN_MAX_BYTES {
            return Err(wrong("it is too long"));
        }
        let mut word = Zeroizing::new(String::with_capacity(text.len()));
        word.extend(text.chars().filter(|letter| !letter.is_whitespace()));
        let Some(body) = word.strip_prefix(HEAD) else {
            let is_newer = word.starts_with("mainstay-invitation-");
            return Err(match is_newer {
                true => wrong("it was made by a newer version of this program"),
                false => wrong("it does not begin as one"),
            });
        };
        let bytes = BASE64URL_NOPAD.decode(body.as_bytes());
        let bytes = Zeroizing::new(bytes.map_err(|_| wrong("a part of it is missing or changed"))?);
        let Some(end) = bytes.len().checked_sub(CHECK_BYTES) else {
            return Err(wrong("a part of it is missing or changed"));
        };
        let (json, check) = bytes.split_at(end);
        if hash::digest(json).as_bytes()[..CHECK_BYTES] != *check {
            return Err(wrong("a part of it is missing or changed"));
        }
        // What serde would say could quote the key.
        serde_json::from_slice(json)
            .map_err(|_| wrong("it has parts that this program does not know"))
    }

    /// The client that joins.
    ///
    /// # Errors
    /// A fault of usage if it is no id.
    pub fn client(&self) -> Result<ClientId, Fault> {
        ClientId::from_hex(&self.id).map_err(|_| Fault::usage("the invitation names no client"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn invitation(template: String) -> Invitation {
        Invitation {
            id: "00".repeat(8),
            until_s: 5,
            organisation: "acme".to_owned(),
            host: "web1".to_owned(),
            repo: "s3://bucket/acme".to_owned(),
            endpoint: None,
            allow_http: false,
            key: Zeroizing::new("secret".to_owned()),
            template,
        }
    }

    proptest! {
        #[test]
        fn tokens_come_back_and_a_changed_one_does_not(template in ".{0,80}", at: prop::sample::Index) {
            let whole = invitation(template);
            let token = whole.to_token().expect("it is written");
            let broken = format!("{}\n {}", &token[..30], &token[30..]);
            prop_assert!(Invitation::from_token(&broken).is_ok_and(|read| read == whole));
            let place = at.index(token.len());
            let mut changed = token.as_bytes().to_vec();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("letters");
            let said = Invitation::from_token(&changed).map(|_| ()).expect_err("it is changed");
            prop_assert!(!said.lines().join(" ").contains("secret"));
            prop_assert!(Invitation::from_token(&token[..place]).is_err());
        }

        #[test]
        fn nothing_drawn_is_a_panic(text in ".{0,200}") {
            let _ = Invitation::from_token(&text);
            let _ = Invitation::from_token(&format!("{HEAD}{text}"));
        }
    }
}
