//! What a recovery kit says beside its words: where the repository is, and which one it is.

use std::path::Path;

use zeroize::Zeroizing;

use crate::config::secret::read_bounded;
use crate::config::words::{is_kit, plain_lines};
use crate::fault::Fault;

/// What stands for an endpoint that is the provider's own, and for a region that is not set.
const NONE: [&str; 2] = ["that of the provider", "not set"];

/// The lines of a kit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kit {
    /// Location of the repository.
    pub location: Option<String>,
    /// Endpoint of the store, if it is not the provider's own.
    pub endpoint: Option<String>,
    /// Region, if one was set.
    pub region: Option<String>,
    /// Fingerprint of the repository.
    pub fingerprint: Option<String>,
}

impl Kit {
    /// Reads the file.
    ///
    /// # Errors
    /// A fault of the key if it cannot be read or is no kit.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let shown = path.display();
        let unreadable = |error: &dyn std::error::Error| {
            let message = format!("cannot read the kit {shown}: {error}");
            Fault::key(message)
                .hint("name the file that `mainstay init --kit` wrote, or a copy of it")
        };
        let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
        let bytes = read_bounded(file).map_err(|error| unreadable(&error))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| unreadable(&error))?;
        if !is_kit(text) {
            return Err(Fault::key(format!("{shown} is not a recovery kit")).hint(
                "its first line is MAINSTAY RECOVERY KIT; with the words alone say --repo and \
                       --password-file, and use `restore`",
            ));
        }
        Ok(Self::parse(text))
    }

    fn parse(text: &str) -> Self {
        let mut kit = Self::default();
        let lines: Zeroizing<String> = plain_lines(text);
        for line in lines.lines() {
            let Some((name, value)) = line.trim().split_once(char::is_whitespace) else { continue };
            let value = Some(value.trim().to_owned()).filter(|it| !NONE.contains(&it.as_str()));
            let place = match name {
                "repository" => &mut kit.location,
                "endpoint" => &mut kit.endpoint,
                "region" => &mut kit.region,
                "fingerprint" => &mut kit.fingerprint,
                _ => continue,
            };
            // The first is that of the head.
            if place.is_none() {
                *place = value;
            }
        }
        kit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_kit_is_read_quoted_or_not() {
        let text = "MAINSTAY RECOVERY KIT\n\nrepository   s3://bucket/a b\nendpoint     that of the \
                    provider\nregion       eu-1\nid           77\nfingerprint  12 34\n\nRecovery words:\n";
        let kit = Kit {
            location: Some("s3://bucket/a b".to_owned()),
            endpoint: None,
            region: Some("eu-1".to_owned()),
            fingerprint: Some("12 34".to_owned()),
        };
        assert_eq!(Kit::parse(text), kit);
        let quoted: String = text.lines().map(|line| format!("> {line}\r\n")).collect();
        assert_eq!(Kit::parse(&quoted), kit);
        assert_eq!(Kit::parse("MAINSTAY RECOVERY KIT\nrepository"), Kit::default());
    }
}
