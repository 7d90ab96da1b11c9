//! Where the repository is, and where this machine keeps what it knows about it.
//!
//! A relative path is made absolute here, so that nothing below depends on the current folder.
//! Credentials never stand in a location: locations end up in logs, process lists and messages.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::config::location::{authority, check_credentials, names_a_kind, understand};
use crate::config::surroundings::Surroundings;
use crate::fault::Fault;

/// What the flags say about the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryFlags {
    /// `--repo`
    pub repo: Option<String>,
    /// `--endpoint`
    pub endpoint: Option<String>,
    /// `--allow-http`
    pub allow_http: bool,
    /// `--cache-dir`
    pub cache_dir: Option<PathBuf>,
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// An absolute path or a URL (`s3://bucket/prefix`, `file:///path`, …).
    pub location: String,
    /// Endpoint of an S3-compatible store, if not the provider's own.
    pub endpoint: Option<String>,
    /// Region, if one is set.
    pub region: Option<String>,
    /// Whether the endpoint may be plain HTTP.
    pub allow_http: bool,
    /// Folder of the local index and locks; absolute; may not exist yet. `None` if none is set:
    /// what keeps nothing needs none.
    pub state_dir: Option<PathBuf>,
}

impl Place {
    /// The folder of the local index.
    ///
    /// # Errors
    /// A fault of usage if there is none.
    pub fn states(&self) -> Result<&Path, Fault> {
        self.state_dir.as_deref().ok_or_else(no_state)
    }
}

/// Finds the repository and the local state, flags before environment.
///
/// # Errors
/// A fault of usage if no repository is given, a refusal for credentials in a location and for
/// plain HTTP to another machine.
pub fn resolve(flags: &RepositoryFlags, around: &Surroundings) -> Result<Place, Fault> {
    let given = match flags.repo.as_deref() {
        Some(repo) => Some(repo),
        None => around.text("MAINSTAY_REPOSITORY")?,
    };
    let Some(given) = given.filter(|text| !text.is_empty()) else {
        return Err(Fault::usage("no repository is given")
            .hint("use --repo LOCATION or set MAINSTAY_REPOSITORY"));
    };
    let understood = understand(given)?;
    let variable = |name| Ok::<_, Fault>(around.text(name)?.map(|text| text.trim().to_owned()));
    let flag = flags.endpoint.as_ref().map(|endpoint| endpoint.trim().to_owned());
    let endpoint = match (understood.endpoint, flag) {
        (Some(one), Some(other)) if one != other.trim_end_matches('/') => {
            return Err(Fault::usage("the location and --endpoint name two endpoints")
                .hint("give the endpoint once"));
        }
        (Some(one), _) | (None, Some(one)) => Some(one),
        (None, None) => match variable("AWS_ENDPOINT_URL_S3")? {
            Some(endpoint) => Some(endpoint),
            None => variable("AWS_ENDPOINT_URL")?,
        },
    };
    if let Some(other) = endpoint.as_ref().filter(|_| understood.is_amazon) {
        return Err(Fault::usage(format!(
            "the location names a host of Amazon, and another endpoint is set: {other}"
        ))
        .hint("write s3://BUCKET/PREFIX for that endpoint, or unset it (AWS_ENDPOINT_URL)"));
    }
    if let Some(endpoint) = &endpoint {
        check_endpoint(endpoint, flags.allow_http)?;
    }
    let region = match understood.region {
        Some(region) => Some(region),
        None => match variable("AWS_REGION")? {
            Some(region) => Some(region),
            None => variable("AWS_DEFAULT_REGION")?,
        },
    };
    Ok(Place {
        location: absolute_location(&understood.location, around)?,
        endpoint,
        region,
        allow_http: flags.allow_http,
        state_dir: find_state_dir(flags.cache_dir.as_deref(), around)?,
    })
}

/// Finds the folder of the local index: `--cache-dir`, `MAINSTAY_STATE_DIR`, `STATE_DIRECTORY`
/// (the first of its list), `XDG_STATE_HOME/mainstay`, `HOME/.local/state/mainstay`.
///
/// # Errors
/// A fault of usage if none of them is set, or one of the first three is not absolute but must be.
pub fn state_dir(flag: Option<&Path>, around: &Surroundings) -> Result<PathBuf, Fault> {
    find_state_dir(flag, around)?.ok_or_else(no_state)
}

fn no_state() -> Fault {
    Fault::usage("there is no folder for the local index")
        .hint("use --cache-dir or set MAINSTAY_STATE_DIR or HOME, or do without: --no-index")
}

fn find_state_dir(flag: Option<&Path>, around: &Surroundings) -> Result<Option<PathBuf>, Fault> {
    if let Some(path) = flag {
        return Ok(Some(around.absolute(path)));
    }
    if let Some(path) = around.variable("MAINSTAY_STATE_DIR") {
        return Ok(Some(around.absolute(Path::new(path))));
    }
    if let Some(list) = around.variable("STATE_DIRECTORY") {
        let first = list.as_bytes().split(|byte| *byte == b':').next().unwrap_or_default();
        let first = Path::new(OsStr::from_bytes(first)).to_owned();
        return match first.is_absolute() {
            true => Ok(Some(first)),
            false => Err(Fault::usage(format!(
                "STATE_DIRECTORY is {}, which is not an absolute path",
                first.display()
            ))),
        };
    }
    // The specification of these folders has relative values ignored.
    let absolute = |name| around.variable(name).map(Path::new).filter(|path| path.is_absolute());
    if let Some(parent) = absolute("XDG_STATE_HOME") {
        return Ok(Some(parent.join("mainstay")));
    }
    Ok(absolute("HOME").map(|home| home.join(".local/state/mainstay")))
}

fn absolute_location(given: &str, around: &Surroundings) -> Result<String, Fault> {
    if names_a_kind(given) {
        return Ok(given.to_owned());
    }
    let path = around.absolute(Path::new(given));
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Fault::usage("the path of the repository is not UTF-8")),
    }
}

fn check_endpoint(endpoint: &str, allow_http: bool) -> Result<(), Fault> {
    check_credentials(endpoint)?;
    let scheme = endpoint.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("https") => Ok(()),
        Some("http") if allow_http || is_loopback(authority(endpoint)) => Ok(()),
        Some("http") => {
            Err(Fault::refused(format!("the endpoint {endpoint} is plain HTTP to another machine"))
                .hint("use https, or say --allow-http if the network between is trusted"))
        }
        _ => Err(Fault::usage(format!("the endpoint {endpoint:?} is not a URL"))
            .hint("write for example https://s3.example.net")),
    }
}

/// Whether `host:port` is this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(variables: &[(&str, &str)]) -> Surroundings {
        let mut around = Surroundings::isolated(variables);
        around.current_dir = "/there".into();
        around
    }

    fn place(repo: &str, endpoint: &str, variables: &[(&str, &str)]) -> Result<Place, u8> {
        let flags = RepositoryFlags {
            repo: (!repo.is_empty()).then(|| repo.to_owned()),
            endpoint: (!endpoint.is_empty()).then(|| endpoint.to_owned()),
            cache_dir: Some("c".into()),
            ..RepositoryFlags::default()
        };
        resolve(&flags, &world(variables)).map_err(|fault| fault.exit_code().code())
    }

    #[test]
    fn locations_are_absolute_and_flags_come_first() {
        let variables = [("MAINSTAY_REPOSITORY", "s3://b/p")];
        let location = |repo| place(repo, "", &variables).map(|place| place.location);
        assert_eq!(location(""), Ok("s3://b/p".to_owned()));
        assert_eq!(location("repo"), Ok("/there/repo".to_owned()));
        assert_eq!(location("/r"), Ok("/r".to_owned()));
        assert_eq!(location("./a:b"), Ok("/there/./a:b".to_owned()));
        assert_eq!(location("memory:"), Ok("memory:".to_owned()));
        assert_eq!(place("", "", &[]), Err(2));
        assert_eq!(place("", "", &[("MAINSTAY_REPOSITORY", " ")]), Err(2));
        let padded = place("", "", &[("MAINSTAY_REPOSITORY", " repo \n")]);
        assert_eq!(padded.map(|place| place.location), Ok("/there/repo".to_owned()));
        let minio = [("AWS_ENDPOINT_URL", "https://minio.example")];
        assert_eq!(place("s3:s3.amazonaws.com/b/p", "", &minio), Err(2));
        assert!(place("s3:s3.amazonaws.com/b/p", "", &[]).is_ok());
        assert_eq!(location("s3://key:secret@host/b"), Err(23));
        assert_eq!(location("s3://bucket/a@b"), Ok("s3://bucket/a@b".to_owned()));
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for (endpoint, outcome) in [
            ("https://s3.example.net", Ok(())),
            ("http://localhost:9000", Ok(())),
            ("http://127.0.0.1", Ok(())),
            ("http://[::1]:9000/x", Ok(())),
            ("http://localhost.example.net", Err(23)),
            ("http://10.0.0.1", Err(23)),
            ("https://k:s@host", Err(23)),
            ("s3.example.net", Err(2)),
            ("ftp://x", Err(2)),
        ] {
            assert_eq!(place("s3://b", endpoint, &[]).map(|_| ()), outcome, "{endpoint}");
            let variable = [("AWS_ENDPOINT_URL", endpoint)];
            assert_eq!(place("s3://b", "", &variable).map(|_| ()), outcome, "{endpoint}");
        }
    }

    #[test]
    fn the_state_folder_has_five_homes_in_this_order() {
        let all = [
            ("MAINSTAY_STATE_DIR", "m"),
            ("STATE_DIRECTORY", "/var/lib/mainstay:/other"),
            ("XDG_STATE_HOME", "/xdg"),
            ("HOME", "/home/u"),
        ];
        let flag = state_dir(Some(Path::new("c")), &world(&all));
        assert_eq!(flag, Ok("/there/c".into()));
        for (skipped, path) in [
            (0, "/there/m"),
            (1, "/var/lib/mainstay"),
            (2, "/xdg/mainstay"),
            (3, "/home/u/.local/state/mainstay"),
        ] {
            assert_eq!(state_dir(None, &world(&all[skipped..])), Ok(path.into()));
        }
        let relative = [("XDG_STATE_HOME", "xdg"), ("HOME", "/h")];
        assert_eq!(state_dir(None, &world(&relative)), Ok("/h/.local/state/mainstay".into()));
        assert!(state_dir(None, &world(&[])).is_err());
        assert!(state_dir(None, &world(&[("STATE_DIRECTORY", "x")])).is_err());
    }
}
