//! Locations as people write them, also those who come from another program.
//!
//! A word with a colon names a kind of store; it is that store or an error, and never a folder:
//! a backup into a new local folder `sftp:host` looks like one that is somewhere else. Forms of
//! restic are read where there is such a store here; for the others the error says what to type.

use crate::fault::Fault;

/// A location in our own form, and what else its text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    /// As `Location::parse` of the engine reads it; a path as it was given.
    pub location: String,
    /// The endpoint in it.
    pub endpoint: Option<String>,
    /// The region in it.
    pub region: Option<String>,
    /// Whether it names a host of Amazon, which is no endpoint of its own.
    pub is_amazon: bool,
}

/// Whether a location begins with the name of a kind of store. (`memory:` has no slashes; a folder
/// whose name has a colon is written `./name:`.)
#[must_use]
pub fn names_a_kind(location: &str) -> bool {
    location
        .find([':', '/'])
        .is_some_and(|at| at > 0 && location[at..].starts_with(':') && !location.starts_with('.'))
}

/// Reads a location.
///
/// # Errors
/// A fault of usage that says what to type instead, a refusal for credentials in it.
pub fn understand(given: &str) -> Result<Understood, Fault> {
    let text = given.trim_end_matches(['\n', '\r']);
    if text.chars().any(char::is_control) {
        return Err(Fault::usage("the location of the repository holds a control character"));
    }
    if !names_a_kind(text) {
        return Ok(plain(text));
    }
    let text = text.trim();
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    if !is_ssh_with_user(kind, text) {
        check_credentials(text)?;
    }
    match (kind.to_ascii_lowercase().as_str(), rest.strip_prefix("//")) {
        ("s3", Some(rest)) if is_host(rest.split('/').next().unwrap_or_default()) => s3(rest),
        ("memory", _) => Ok(plain(text)),
        (kind @ ("s3" | "gs" | "az" | "file"), Some(rest)) => {
            Ok(plain(&format!("{kind}://{rest}")))
        }
        ("s3", None) => s3(rest),
        ("gs", None) => bucket_and_path("gs", rest),
        ("azure", None) | ("az", None) => bucket_and_path("az", rest),
        ("azure", Some(rest)) => Ok(plain(&format!("az://{rest}"))),
        ("local" | "file", None) if !rest.is_empty() => Ok(plain(rest)),
        ("http" | "https", _) => Err(unknown("a URL of a web server").hint(
            "for an S3 store: -r s3://BUCKET/PREFIX --endpoint https://HOST, or \
             -r s3:https://HOST/BUCKET/PREFIX",
        )),
        ("b2", _) => Err(unknown("b2: of another program").hint(
            "B2 is reached as an S3 store: -r s3://BUCKET/PREFIX --endpoint \
             https://s3.REGION.backblazeb2.com, with an application key in AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY",
        )),
        ("sftp" | "ssh" | "scp", _) => Err(unknown("SFTP, which is not supported")
            .hint("use an S3 store, or mount the folder (sshfs) and give its path")),
        ("rest", _) => Err(unknown("a REST server of another program, which is not supported")
            .hint("use an S3 store beside it: -r s3://BUCKET/PREFIX --endpoint https://HOST")),
        ("rclone", _) => Err(unknown("rclone, which is not supported").hint(
            "`rclone serve s3 REMOTE:` makes an S3 store of it: -r s3://BUCKET/PREFIX --endpoint \
             http://127.0.0.1:8080; `mainstay probe` says whether it is safe",
        )),
        ("swift", _) => Err(unknown("Swift, which is not supported")
            .hint("most clusters speak S3 as well: -r s3://BUCKET/PREFIX --endpoint https://HOST")),
        _ => Err(foreign(kind)),
    }
}

fn plain(text: &str) -> Understood {
    Understood { location: text.to_owned(), endpoint: None, region: None, is_amazon: false }
}

fn unknown(what: &str) -> Fault {
    Fault::usage(format!("the location of the repository is {what}"))
}

fn foreign(kind: &str) -> Fault {
    if kind.contains('@') || kind.contains('.') {
        return unknown("on another machine by ssh, which is not supported")
            .hint("use an S3 store, or mount the folder (sshfs) and give its path");
    }
    let shown: String = kind.chars().take(40).collect();
    Fault::usage(format!("there is no kind of store called {shown:?}")).hint(format!(
        "write s3://BUCKET/PREFIX, gs://…, az://…, or a path; a folder of that name is ./{shown}:…"
    ))
}

/// `https://host/bucket/prefix`, `host/bucket/prefix`.
fn s3(rest: &str) -> Result<Understood, Fault> {
    let (scheme, rest, is_url) = match rest.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest, true),
        Some(_) => return Err(s3_form()),
        None => ("https", rest, false),
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_matches('/');
    // Behind a scheme stands a host, also one of a single word.
    let is_host = is_url || host.contains(['.', ':', '[']) || host == "localhost";
    if !is_host || host.is_empty() || path.is_empty() || rest.contains(['?', '#', ' ']) {
        return Err(s3_form());
    }
    if let Some((bucket, region)) = amazon(host) {
        let path = match bucket {
            Some(bucket) => format!("{bucket}/{path}"),
            None => path.to_owned(),
        };
        return Ok(Understood { region, is_amazon: true, ..plain(&format!("s3://{path}")) });
    }
    let endpoint = Some(format!("{scheme}://{host}"));
    Ok(Understood { endpoint, ..plain(&format!("s3://{path}")) })
}

/// Whether what stands in the place of a bucket can only be a host.
fn is_host(first: &str) -> bool {
    first.contains(':') || first.ends_with(".amazonaws.com")
}

fn s3_form() -> Fault {
    unknown("not one of an S3 store").hint(
        "write s3://BUCKET/PREFIX with --endpoint https://HOST, or s3:https://HOST/BUCKET/PREFIX",
    )
}

/// Bucket and region in a host of Amazon; `None` for hosts of others.
fn amazon(host: &str) -> Option<(Option<String>, Option<String>)> {
    let name = host.strip_suffix(".amazonaws.com")?;
    let (bucket, service) = match name.rsplit_once(".s3") {
        Some((bucket, rest)) => (Some(bucket.to_owned()), rest),
        None => (None, name.strip_prefix("s3")?),
    };
    let region = service.trim_start_matches(['.', '-']).trim_start_matches("dualstack.");
    Some((bucket, (!region.is_empty()).then(|| region.to_owned())))
}

/// `bucket:/prefix`.
fn bucket_and_path(scheme: &str, rest: &str) -> Result<Understood, Fault> {
    let (bucket, path) = rest.split_once(':').unwrap_or((rest, ""));
    if bucket.is_empty() || bucket.contains('/') {
        return Err(unknown(&format!("not one of a store of the kind {scheme}"))
            .hint(format!("write {scheme}://BUCKET/PREFIX")));
    }
    let path = path.trim_matches('/');
    Ok(plain(format!("{scheme}://{bucket}/{path}").trim_end_matches('/')))
}

/// Whether it is one of SSH with a user's name and no password: the name is no secret.
fn is_ssh_with_user(kind: &str, text: &str) -> bool {
    let user = authority(text).rsplit_once('@').map_or("", |(user, _)| user);
    ["sftp", "ssh", "scp"].iter().any(|one| kind.eq_ignore_ascii_case(one)) && !user.contains(':')
}

/// What stands between `://` and the next `/`, `?` or `#`.
pub(crate) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Refuses credentials in a URL.
///
/// # Errors
/// A refusal that does not repeat them.
pub(crate) fn check_credentials(url: &str) -> Result<(), Fault> {
    if !authority(url).contains('@') {
        return Ok(());
    }
    Err(Fault::refused("the location has credentials in it")
        .hint("give them in the environment or the provider's own files, and change them now"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<(String, String, String), u8> {
        let found = understand(text).map_err(|fault| fault.exit_code().code())?;
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        Ok((found.location, or_dash(found.endpoint), or_dash(found.region)))
    }

    #[test]
    fn forms_of_others_are_read_where_there_is_such_a_store() {
        for (text, location, endpoint, region) in [
            ("/srv/a:b", "/srv/a:b", "-", "-"),
            ("./sftp:x", "./sftp:x", "-", "-"),
            ("repo", "repo", "-", "-"),
            ("a/b:c", "a/b:c", "-", "-"),
            ("repo\n", "repo", "-", "-"),
            ("s3://b/p\r\n", "s3://b/p", "-", "-"),
            ("local:/srv/x", "/srv/x", "-", "-"),
            ("s3:https://host:9000/b/p/q/", "s3://b/p/q", "https://host:9000", "-"),
            ("s3:http://127.0.0.1:9000/b", "s3://b", "http://127.0.0.1:9000", "-"),
            ("s3:https://minio/b/p", "s3://b/p", "https://minio", "-"),
            ("s3:s3.example.net/b/p", "s3://b/p", "https://s3.example.net", "-"),
            ("s3:s3.amazonaws.com/b/p", "s3://b/p", "-", "-"),
            ("s3:s3.eu-west-1.amazonaws.com/b", "s3://b", "-", "eu-west-1"),
            ("s3:https://b.s3.eu-west-1.amazonaws.com/p", "s3://b/p", "-", "eu-west-1"),
            ("s3://s3.amazonaws.com/b/p", "s3://b/p", "-", "-"),
            ("s3://host:9000/b/p", "s3://b/p", "https://host:9000", "-"),
            ("s3://my.bucket.example/p", "s3://my.bucket.example/p", "-", "-"),
            ("gs:bucket:/p", "gs://bucket/p", "-", "-"),
            ("S3://b/P", "s3://b/P", "-", "-"),
            ("File:///srv/x", "file:///srv/x", "-", "-"),
            ("azure:box:/", "az://box", "-", "-"),
            ("azure:box:/p/q", "az://box/p/q", "-", "-"),
        ] {
            let expected = (location.to_owned(), endpoint.to_owned(), region.to_owned());
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_word_with_a_colon_is_a_store_or_an_error_with_a_way_out() {
        for text in [
            "b2:bucket",
            "b2:bucket:path",
            "sftp:user@host:/x",
            "sftp://host/x",
            "sftp://user@host/x",
            "SSH://user@host:22/x",
            "rest:http://h/",
            "rclone:remote:x",
            "swift:box:/",
            "user@host:/srv/backup",
            "host.example:/srv/backup",
            "my-nas:/srv",
            "my_nas:/srv",
            "C:\\backup",
            "c:/backup",
            "s4:x",
            "s3:",
            "s3:bucket/path",
            "s3:bucket",
            "s3:https://host",
            "s3:ftp://host/b",
            "gs:",
            "https://host/bucket",
            "local:",
        ] {
            let fault = understand(text).expect_err(text);
            assert_eq!(fault.exit_code().code(), 2, "{text}");
            assert!(fault.lines().iter().any(|line| line.starts_with("  try: ")), "{text}");
        }
        for text in [
            "sftp://u:hunter2@h/x",
            "rest:https://u:hunter2@h/",
            "s3:https://k:hunter2@h/b",
            "s3://k:hunter2@b",
        ] {
            let fault = understand(text).expect_err(text);
            assert_eq!(fault.exit_code().code(), 23, "{text}");
            assert!(!fault.lines().join("\n").contains("hunter2"));
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_for_a_path_has_no_kind(text in "[a-z0-9@._+-]{1,8}:[a-z:/@.]{0,12}") {
            if let Ok(found) = understand(&text) {
                let location = found.location;
                let is_path = !text.starts_with('.') && location == text && !text.contains("://");
                prop_assert!(!is_path || text.starts_with("memory:"), "{}", location);
            }
        }
    }
}
