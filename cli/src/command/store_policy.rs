//! Permissions of a store as a policy that its operator can put in force.
//!
//! An identity policy in the language of AWS IAM, which Ceph, MinIO and others understand as well:
//! listing below the repository's prefix, and reading, adding and deleting what the key's commands
//! read, add and delete there. Short enough for a managed policy (6,144 characters).

use engine::repo::permits::{Holder, Permit, Right, permits};
use engine::store::location::Location;

use crate::ui::access::{Condition, Listed, Policy, Statement};

/// The least policy for `holder`; `None` if the location is not one of S3.
#[must_use]
pub fn s3(location: &Location, region: Option<&str>, holder: &Holder) -> Option<Policy> {
    let (bucket, prefix) = location.s3_place()?;
    let partition = match region {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let bucket = format!("arn:{partition}:s3:::{bucket}");
    let below = match prefix {
        "" => String::new(),
        prefix => format!("{}/", literally(prefix)),
    };
    let listing = Condition { string_like: Listed { prefix: vec![format!("{below}*")] } };
    let mut statement = vec![Statement {
        sid: "List",
        effect: "Allow",
        action: vec!["s3:ListBucket"],
        resource: vec![bucket.clone()],
        condition: (!below.is_empty()).then_some(listing),
    }];
    let all = permits(holder);
    for (sid, right, action) in [
        ("Read", Right::Get, "s3:GetObject"),
        ("Add", Right::Put, "s3:PutObject"),
        ("Delete", Right::Delete, "s3:DeleteObject"),
    ] {
        let of_right = all.iter().filter(|permit| permit.right == right);
        let resource = |permit: &Permit| {
            let end = if permit.is_whole { "" } else { "*" };
            format!("{bucket}/{below}{}{end}", permit.key)
        };
        let resource: Vec<_> = of_right.map(resource).collect();
        if !resource.is_empty() {
            let (effect, action) = ("Allow", vec![action]);
            statement.push(Statement { sid, effect, action, resource, condition: None });
        }
    }
    Some(Policy { version: "2012-10-17", statement })
}

/// A text in which nothing stands for anything else.
fn literally(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '*' | '?' | '$' => out.extend(['$', '{', letter, '}']),
            _ => out.push(letter),
        }
    }
    out
}
