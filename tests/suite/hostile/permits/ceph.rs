//! Users and policies of a real object store of Ceph, made by its interfaces for administrators.

#![expect(clippy::print_stderr, reason = "a test that was not run says so")]

use std::process::Command;

use restore_verify::evidence::record::to_hex;
use restore_verify::evidence::token::imprint;
use serde_json::{Value, json};

use crate::hostile::place::{Server, fresh_name};

/// Names a server whose user may make users and policies.
const VARIABLE: &str = "MAINSTAY_TEST_S3_USERS";

/// The server, with users of this run.
pub(crate) struct Ceph {
    owner: Server,
    /// Part of all names of this run.
    pub(crate) run: String,
}

impl Ceph {
    /// The server, if there is one.
    pub(crate) fn named() -> Option<Self> {
        let owner = Server::named(VARIABLE);
        if owner.is_none() {
            eprintln!("not run: {VARIABLE} is not set");
        }
        Some(Self { owner: owner?, run: fresh_name() })
    }

    /// The server with the access keys of a user.
    pub(crate) fn of(&self, name: &str) -> Server {
        let (access, secret) = (self.user(name), format!("secret-of-{name}"));
        Server { access, secret, ..self.owner.clone() }
    }

    /// Whoever makes the repository: all that is below its prefix, as the policy of an administrator.
    /// The owner of a bucket alone could not read what others put there.
    pub(crate) fn add_owner(&self, prefix: &str) {
        let bucket = format!("arn:aws:s3:::{}", self.owner.bucket);
        let listing = json!({"StringLike": {"s3:prefix": [format!("{prefix}/*")]}});
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket],
                 "Condition": listing},
                {"Effect": "Allow", "Resource": [format!("{bucket}/{prefix}/*")],
                 "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]},
            ],
        });
        self.add("root", &policy);
    }

    /// A new user with this policy and no other right.
    pub(crate) fn add(&self, name: &str, policy: &Value) {
        let (user, Server { access, secret, .. }) = (self.user(name), self.of(name));
        // The client for HTTP signs a query as it stands: sorted.
        self.ask("PUT", &format!(
            "/admin/user?access-key={access}&display-name={user}&format=json&secret-key={secret}&uid={user}"
        ), "");
        let policy = percent_encoded(&policy.to_string());
        let action = "Action=PutUserPolicy&PolicyName=printed";
        self.ask("POST", "/", &format!("{action}&PolicyDocument={policy}&UserName={user}"));
    }

    fn user(&self, name: &str) -> String {
        format!("{name}-{}", self.run)
    }

    fn ask(&self, method: &str, place: &str, body: &str) {
        let Server { endpoint, access, secret, region, .. } = &self.owner;
        let hash = to_hex(&imprint(body.as_bytes()));
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "-X", method])
            .args(["--aws-sigv4", &format!("aws:amz:{region}:s3")])
            .args(["--user", &format!("{access}:{secret}")])
            .args(["-H", &format!("x-amz-content-sha256: {hash}"), "--data-binary", body]);
        let ran = curl.arg(format!("{endpoint}{place}")).output().expect("there is curl");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let failed = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{method} {place}: {said} {failed}");
    }
}

fn percent_encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}
