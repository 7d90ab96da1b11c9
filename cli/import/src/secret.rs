//! Which values are secret: by the name of their key, and by what a command line looks like.

/// Parts of names whose values nobody should see.
const SECRET_NAMES: [&str; 14] = [
    "password",
    "passphrase",
    "passwd",
    "secret",
    "token",
    "access_key",
    "account_key",
    "api_key",
    "integration_key",
    "ping_key",
    "credentials",
    "authorization",
    "private_key",
    "headers",
];

/// Ends of names that only say where a secret is.
const POINTERS: [&str; 6] = ["_file", "_command", "passcommand", "_credentials_file", "_fd", "_id"];

/// Whether the value of a key is a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    if name.ends_with("access_key_id") {
        return true;
    }
    let points = POINTERS.iter().any(|end| name.ends_with(end));
    !points && SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Whether a command line or a URL seems to hold a secret: then it is not copied.
#[must_use]
pub fn holds_credential(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let with_user = lower.match_indices("://").any(|(at, _)| {
        let rest = &lower[at + 3..];
        let host = rest.split(['/', ' ', '"', '\'', '?']).next().unwrap_or_default();
        host.contains('@') && !host.starts_with('@')
    });
    let assigns = SECRET_NAMES.iter().any(|part| {
        let part = part.replace('_', "");
        let squeezed = lower.replace(['_', '-'], "");
        squeezed.match_indices(&part).any(|(at, _)| {
            let behind = &squeezed[at + part.len()..];
            let value = behind.trim_start_matches(|one: char| one.is_ascii_alphanumeric());
            value.starts_with(['=', ':', ' '])
                && !points_elsewhere(behind)
                && !squeezed[..at].ends_with("no")
        })
    });
    let is_client = |names: &[&str]| names.iter().any(|name| lower.contains(name));
    let by_option = (is_client(&["mysql", "maria", "sshpass"]) && is_followed(&lower, " -p"))
        || (is_client(&["curl", "wget"]) && is_followed(&lower, " -u "));
    let words = ["bearer ", "pgpass", "hc-ping.com/", "/ping/"];
    with_user || assigns || by_option || words.iter().any(|word| is_followed(&lower, word))
}

/// `password-file=…` and `password-command …` name a place, not a secret.
fn points_elsewhere(behind: &str) -> bool {
    ["file", "command", "fd"].iter().any(|end| behind.starts_with(end))
}

/// Whether something that is no blank follows the word: `-psecret`, but not `-p 5432`.
fn is_followed(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        text[at + word.len()..].chars().next().is_some_and(|one| !one.is_whitespace() && one != '-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_lines_with_secrets_are_known() {
        for name in ["RESTIC_PASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "api-key"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["RESTIC_PASSWORD_FILE", "password-command", "name", "encryption_passcommand"] {
            assert!(!is_secret_name(name), "{name}");
        }
        for line in [
            "curl https://joe:hunter2@host/x",
            "mysqldump -phunter2 shop",
            "curl -H 'Authorization: Bearer abc' https://x",
            "TOKEN=abc run",
            "notify --api-key=abc",
            "curl https://hc-ping.com/abc-def",
        ] {
            assert!(holds_credential(line), "{line}");
        }
        for line in [
            "pg_dump --no-password x",
            "pg_dump --no-password x",
            "sudo -u postgres pg_dump -Fc shop",
            "cp -pr /a /b",
            "systemctl stop app",
            "mkdir -p /srv",
            "x --password-file=/etc/x",
        ] {
            assert!(!holds_credential(line), "{line}");
        }
    }
}
