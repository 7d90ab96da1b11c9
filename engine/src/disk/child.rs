//! Programs that this one starts: the one place that says what they get of it.
//!
//! A child gets the environment but for what unlocks repositories and stores: a dump program, a hook or
//! a command that prints a passphrase has no use for them, and whatever it starts, logs or crashes into
//! would have them too. What names a place stays: `AWS_PROFILE`, `AWS_REGION`, proxies.
//!
//! Descriptors are closed for all children at once: those that this program opens close by themselves,
//! and those that it was given are marked when it starts.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

/// Variables of this program that hold a secret or lead to one.
const OWN: [&[u8]; 2] = [b"MAINSTAY_PASSWORD", b"MAINSTAY_KEY_FILE"];
/// Beginnings of the names of variables of stores.
const STORES: [&[u8]; 5] = [b"AWS_", b"AZURE_", b"GOOGLE_", b"GCP_", b"GCS_"];
/// Words in such a name that say that it is a secret, or where one is.
const WORDS: [&[u8]; 9] = [
    b"KEY",
    b"SECRET",
    b"TOKEN",
    b"CREDENTIAL",
    b"PASSWORD",
    b"SAS",
    b"SERVICE_ACCOUNT",
    b"CERTIFICATE",
    b"AUTH",
];

/// A command whose environment is `variables` without the secrets among them.
#[must_use]
pub fn child(
    program: &OsStr,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(variables.into_iter().filter(|(name, _)| !is_secret(name)));
    command
}

/// Whether a variable of this name unlocks a repository or a store.
#[must_use]
pub fn is_secret(name: &OsStr) -> bool {
    let name = name.as_bytes().to_ascii_uppercase();
    let has = |word: &&[u8]| name.windows(word.len()).any(|part| part == *word);
    OWN.iter().any(|own| name.starts_with(own))
        || (STORES.iter().any(|store| name.starts_with(store)) && WORDS.iter().any(has))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_behind_and_places_go_along() {
        for secret in [
            "MAINSTAY_PASSWORD",
            "MAINSTAY_PASSWORD_FILE",
            "MAINSTAY_PASSWORD_COMMAND",
            "MAINSTAY_PASSWORD_FD",
            "MAINSTAY_KEY_FILE",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "aws_secret_access_key",
            "AWS_SESSION_TOKEN",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_SHARED_CREDENTIALS_FILE",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GOOGLE_SERVICE_ACCOUNT_KEY",
            "GOOGLE_SERVICE_ACCOUNT",
            "AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_SAS_KEY",
            "AZURE_CLIENT_SECRET",
            "AZURE_FEDERATED_TOKEN_FILE",
        ] {
            assert!(is_secret(OsStr::new(secret)), "{secret}");
        }
        for place in [
            "PATH",
            "HOME",
            "PGPASSWORD",
            "MAINSTAY_REPOSITORY",
            "AWS_PROFILE",
            "AWS_REGION",
            "AWS_CONFIG_FILE",
            "AWS_ENDPOINT_URL",
            "AZURE_STORAGE_ACCOUNT_NAME",
            "HTTPS_PROXY",
            "",
        ] {
            assert!(!is_secret(OsStr::new(place)), "{place}");
        }
        let variables = [("A", "1"), ("MAINSTAY_PASSWORD", "x")].map(|(n, v)| (n.into(), v.into()));
        let printed = child(OsStr::new("/usr/bin/env"), variables).output().unwrap();
        assert_eq!(printed.stdout, b"A=1\n");
    }
}
