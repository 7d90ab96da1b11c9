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

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Rules and how they are applied. Values are texts in the form of the options of `forget`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
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
