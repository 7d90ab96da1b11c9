//! What is promised, and what makes a success suspicious: `[objectives]` and `[suspicious]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::span::Span;

/// Objectives of all sources that state none of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Objectives {
    /// Recovery point objective: so much time of data may be lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Span>,
    /// Recovery time objective: so long may a restore take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rto: Option<Span>,
    /// Name of the tier, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
}

/// From where on a snapshot that was made without an error is not believed.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Suspicious {
    /// Whether it is looked at.
    pub enabled: bool,
    /// Files fewer by so many percent.
    pub files_fewer_percent: u8,
    /// Bytes more by this factor, or fewer.
    pub bytes_factor: f64,
    /// New data that does not become smaller, as a percentage of new data…
    pub incompressible_percent: u8,
    /// … if at least such a percentage of all data is new.
    pub rewritten_percent: u8,
}

impl Default for Suspicious {
    fn default() -> Self {
        Self {
            enabled: true,
            files_fewer_percent: 40,
            bytes_factor: 5.0,
            incompressible_percent: 97,
            rewritten_percent: 50,
        }
    }
}
