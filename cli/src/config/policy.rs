//! The section `[retention]` of a configuration file, as it stands there.
//!
//! ```toml
//! [retention]
//! keep-daily = 7
//! keep-monthly = "unlimited"
//! keep-within = "36h"
//! keep-tag = ["release,signed", "year-end"]
//! group-by = "host,paths"
//! time-zone = "Europe/Berlin"
//! ```

use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::fault::Fault;

/// A configuration is never larger: what is, is another file.
const FILE_MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    retention: Option<Retention>,
}

/// Rules and how they are applied. Values are texts in the form of the options of `forget`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Retention {
    /// `--keep-last`
    #[serde(deserialize_with = "number")]
    pub keep_last: Option<String>,
    /// `--keep-hourly`
    #[serde(deserialize_with = "number")]
    pub keep_hourly: Option<String>,
    /// `--keep-daily`
    #[serde(deserialize_with = "number")]
    pub keep_daily: Option<String>,
    /// `--keep-weekly`
    #[serde(deserialize_with = "number")]
    pub keep_weekly: Option<String>,
    /// `--keep-monthly`
    #[serde(deserialize_with = "number")]
    pub keep_monthly: Option<String>,
    /// `--keep-yearly`
    #[serde(deserialize_with = "number")]
    pub keep_yearly: Option<String>,
    /// `--keep-within`
    pub keep_within: Option<String>,
    /// `--keep-within-hourly`
    pub keep_within_hourly: Option<String>,
    /// `--keep-within-daily`
    pub keep_within_daily: Option<String>,
    /// `--keep-within-weekly`
    pub keep_within_weekly: Option<String>,
    /// `--keep-within-monthly`
    pub keep_within_monthly: Option<String>,
    /// `--keep-within-yearly`
    pub keep_within_yearly: Option<String>,
    /// `--keep-tag`, once for each
    pub keep_tag: Vec<String>,
    /// `--group-by`
    pub group_by: Option<String>,
    /// `--time-zone`
    pub time_zone: Option<String>,
    /// `--count-partial`
    pub count_partial: bool,
}

/// A number, or a word like `unlimited`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Digits(i64),
    Word(String),
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(match Number::deserialize(deserializer)? {
        Number::Digits(digits) => digits.to_string(),
        Number::Word(word) => word,
    }))
}

/// Reads the section of a configuration file.
///
/// # Errors
/// Exit code 2 for a file that cannot be read, has no such section or has an unknown key.
pub fn read(path: &Path) -> Result<Retention, Fault> {
    let shown = path.display();
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Fault::usage(format!("cannot use the configuration {shown}")).because(error)
    };
    let size = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if size > FILE_MAX_BYTES {
        return Err(Fault::usage(format!("{shown} is too large to be a configuration")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let file: File = toml::from_str(&text).map_err(|error| failed(&error))?;
    file.retention.ok_or_else(|| {
        Fault::usage(format!("the configuration {shown} has no section [retention]"))
            .hint("write [retention] and at least one rule, for example keep-daily = 7")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Retention, String> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        std::fs::write(file.path(), text).expect("it can be written");
        read(file.path()).map_err(|fault| fault.lines().join("\n"))
    }

    #[test]
    fn numbers_and_words_are_understood() {
        let read = read_text("[retention]\nkeep-last = 3\nkeep-daily = \"unlimited\"\n");
        let wanted = Retention {
            keep_last: Some("3".to_owned()),
            keep_daily: Some("unlimited".to_owned()),
            ..Retention::default()
        };
        assert_eq!(read, Ok(wanted));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, named) in [
            ("[retention]\nkeep-dayly = 3\n", "keep-dayly"),
            ("[retension]\nkeep-daily = 3\n", "retension"),
            ("keep-daily = 3\n", "keep-daily"),
            ("[retention]\nkeep-daily = [3]\n", "line 2"),
            ("[retention]\nkeep-within = 3\n", "line 2"),
            ("[retention\n", "line 1"),
            ("", "[retention]"),
        ] {
            let error = read_text(text).expect_err(text);
            assert!(error.contains(named), "{text:?}: {error}");
        }
        assert!(read(Path::new("/does/not/exist")).is_err());
    }
}
