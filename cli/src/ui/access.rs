//! Permissions of a store, in the language of AWS IAM.

use serde::Serialize;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    /// Of the language.
    pub version: &'static str,
    /// What is allowed.
    pub statement: Vec<Statement>,
}

/// Actions that are allowed with resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// A name for people.
    pub sid: &'static str,
    /// `Allow`.
    pub effect: &'static str,
    /// What may be done.
    pub action: Vec<&'static str>,
    /// With what.
    pub resource: Vec<String>,
    /// Under which condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// A condition on what is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Condition {
    /// Patterns of what a listing asks for.
    pub string_like: Listed,
}

/// What a listing may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Prefixes of keys.
    #[serde(rename = "s3:prefix")]
    pub prefix: Vec<String>,
}
