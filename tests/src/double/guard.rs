//! Identity policies in the language of AWS IAM, put in force: what no statement allows is denied.
//!
//! As much of the language as policies of ours use; anything else in one is a failure of the test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::double::Kind;
use crate::double::http::Request;

/// Who may do what. Whoever has no policy may do everything.
#[derive(Debug, Default)]
pub struct Guard {
    policies: BTreeMap<String, Policy>,
    /// Requests that were denied: who, which action, with what.
    pub denied: Vec<(String, &'static str, String)>,
}

#[derive(Debug)]
struct Policy {
    statements: Vec<Statement>,
    used: BTreeSet<(String, String)>,
}

#[derive(Debug)]
struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    prefixes: Option<Vec<String>>,
}

impl Guard {
    /// Puts a policy in force for whoever signs with this access key.
    ///
    /// # Panics
    /// If it is no policy, or says what is not understood here.
    pub fn set(&mut self, access_key: &str, policy: &Value) {
        let fields = policy.as_object().expect("a policy is an object");
        let names: BTreeSet<_> = fields.keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["Statement", "Version"]), "{policy}");
        assert_eq!(policy["Version"], "2012-10-17");
        let statements = policy["Statement"].as_array().expect("an array");
        let statements = statements.iter().map(Statement::read).collect();
        self.policies.insert(access_key.to_owned(), Policy { statements, used: BTreeSet::new() });
    }

    /// Actions and resources of a policy that no request needed.
    #[must_use]
    pub fn unused(&self, access_key: &str) -> BTreeSet<(String, String)> {
        let Some(policy) = self.policies.get(access_key) else { return BTreeSet::new() };
        let pairs = policy.statements.iter().flat_map(|statement| {
            let action = statement.actions[0].clone();
            statement.resources.iter().map(move |resource| (action.clone(), resource.clone()))
        });
        pairs.filter(|pair| !policy.used.contains(pair)).collect()
    }

    /// Whether a policy allows an action with an object or, listing, with a bucket.
    pub fn allows(&mut self, access_key: &str, action: &str, resource: &str, listed: &str) -> bool {
        let Some(policy) = self.policies.get_mut(access_key) else { return true };
        let mut is_allowed = false;
        for statement in &policy.statements {
            let is_listed = statement
                .prefixes
                .as_ref()
                .is_none_or(|all| all.iter().any(|pattern| matches(pattern, listed)));
            if !statement.actions.iter().any(|one| one == action) || !is_listed {
                continue;
            }
            for pattern in statement.resources.iter().filter(|one| matches(one, resource)) {
                is_allowed = true;
                policy.used.insert((action.to_owned(), pattern.clone()));
            }
        }
        is_allowed
    }

    pub(super) fn lets_in(&mut self, kind: Kind, request: &Request) -> bool {
        let action = match kind {
            Kind::Get => "s3:GetObject",
            Kind::Put => "s3:PutObject",
            Kind::Delete => "s3:DeleteObject",
            Kind::List if request.query.contains_key("versioning") => "s3:GetBucketVersioning",
            Kind::List if request.query.contains_key("object-lock") => {
                "s3:GetBucketObjectLockConfiguration"
            }
            Kind::List => "s3:ListBucket",
        };
        let resource = match kind {
            Kind::List => format!("arn:aws:s3:::{}", request.bucket),
            _ => format!("arn:aws:s3:::{}/{}", request.bucket, request.key),
        };
        let listed = request.query.get("prefix").map(String::as_str).unwrap_or_default();
        let is_allowed = self.allows(&request.signer, action, &resource, listed);
        if !is_allowed {
            self.denied.push((request.signer.clone(), action, format!("{resource} {listed}")));
        }
        is_allowed
    }
}

impl Statement {
    fn read(value: &Value) -> Self {
        let texts = |value: &Value| -> Vec<String> {
            let items = value.as_array().expect("an array").iter();
            items.map(|item| item.as_str().expect("a text").to_owned()).collect()
        };
        for (name, value) in value.as_object().expect("a statement is an object") {
            match name.as_str() {
                "Sid" => assert!(value.as_str().is_some_and(is_alphanumeric), "{value}"),
                "Effect" => assert_eq!(value, "Allow"),
                "Action" | "Resource" => assert!(!texts(value).is_empty()),
                "Condition" => {
                    assert!(value["StringLike"]["s3:prefix"].is_array(), "{value}");
                    assert_eq!(value.as_object().map(serde_json::Map::len), Some(1));
                }
                other => assert!(other.is_empty(), "{other} is not understood"),
            }
        }
        let actions = texts(&value["Action"]);
        let known = [
            "s3:ListBucket",
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:GetBucketVersioning",
            "s3:GetBucketObjectLockConfiguration",
        ];
        assert!(actions.iter().all(|action| known.contains(&action.as_str())), "{actions:?}");
        let resources = texts(&value["Resource"]);
        assert!(resources.iter().all(|one| one.starts_with("arn:aws:s3:::")), "{resources:?}");
        let condition = value.get("Condition");
        let prefixes = condition.map(|all| texts(&all["StringLike"]["s3:prefix"]));
        Self { actions, resources, prefixes }
    }
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a text fits a pattern of IAM.
fn matches(pattern: &str, text: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix("${") {
        let (literal, rest) = rest.split_once('}').expect("a variable ends");
        return text.strip_prefix(literal).is_some_and(|text| matches(rest, text));
    }
    let mut letters = pattern.chars();
    match letters.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = letters.as_str();
            text.char_indices().any(|(at, _)| matches(rest, &text[at..])) || matches(rest, "")
        }
        Some('?') => {
            let mut text = text.chars();
            text.next().is_some() && matches(letters.as_str(), text.as_str())
        }
        Some(letter) => {
            text.strip_prefix(letter).is_some_and(|text| matches(letters.as_str(), text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_iam() {
        for (pattern, text, is_match) in [
            ("a/*", "a/b/c", true),
            ("a/*", "a/", true),
            ("a/*", "b/a/", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a${*}c", "a*c", true),
            ("a${*}c", "abc", false),
            ("*b", "aab", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), is_match, "{pattern} {text}");
        }
    }
}
