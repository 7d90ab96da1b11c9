//! Keys of S3 stores as the SDK of AWS finds them: variables, profiles, commands.
//!
//! Variables count before a profile, unless `AWS_PROFILE` names one and no key stands in them. A
//! profile gives keys, the command that prints some, or a role with a token file. Keys of a
//! profile are read again during a run: whoever renews them writes the file anew. What a profile
//! asks for and we cannot do is an error with its name, never a request without a key.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use engine::disk::child::child;
use engine::store::{AccessKeys, KeySource};
use serde::Deserialize;

use crate::config::credential::ending;
use crate::config::surroundings::Surroundings;
use crate::fault::Fault;

/// Keys of a file are read again after so long: often enough for those that last an hour.
const FILE_FRESH_MS: u64 = 60_000;
/// Keys that a command prints are renewed so long before they expire.
const BEFORE_EXPIRY_MS: u64 = 300_000;
/// No command prints more than this.
const OUTPUT_MAX_BYTES: u64 = 64 * 1024;

/// What was found.
#[derive(Default)]
pub struct Found {
    /// Settings in the form of variables, the weaker first.
    pub settings: Vec<(String, String)>,
    /// Where keys come from, if not from the settings.
    pub keys: Option<KeySource>,
}

/// Looks through the profile and the variables.
///
/// # Errors
/// A fault of usage for files that cannot be read, a profile that is not there, and one that asks
/// for what is not supported.
pub fn find(around: &Surroundings) -> Result<Found, Fault> {
    let variables = around.store_variables()?;
    let is_set = |name: &str| around.variable(name).is_some();
    let named = around.text("AWS_PROFILE")?.map(str::trim).filter(|name| !name.is_empty());
    let name = named.unwrap_or("default").to_owned();
    let files = files(around);
    let profile = read(&files, &name)?;
    if named.is_some() && profile.is_empty() {
        return Err(Fault::usage(format!(
            "the profile {name:?} that AWS_PROFILE names is in no file"
        ))
        .hint("look at ~/.aws/config and ~/.aws/credentials, or set AWS_SHARED_CREDENTIALS_FILE"));
    }
    let mut found = Found { settings: general(&profile), keys: None };
    let has_variables =
        is_set("AWS_ACCESS_KEY_ID") || (named.is_none() && is_set("AWS_WEB_IDENTITY_TOKEN_FILE"));
    if !has_variables {
        credentials(&profile, &name, files, around, &mut found)?;
    }
    let is_part_of_key =
        |name: &str| ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].contains(&name);
    // Half of one key and half of another make none.
    let kept = variables.into_iter().filter(|(name, _)| has_variables || !is_part_of_key(name));
    found.settings.extend(kept);
    Ok(found)
}

fn general(profile: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let pairs = [("region", "AWS_REGION"), ("endpoint_url", "AWS_ENDPOINT_URL")];
    let pairs = pairs.iter().filter_map(|(key, name)| Some((*name, profile.get(*key)?)));
    pairs.map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

fn credentials(
    profile: &BTreeMap<String, String>,
    name: &str,
    files: Vec<PathBuf>,
    around: &Surroundings,
    found: &mut Found,
) -> Result<(), Fault> {
    let has = |key: &str| profile.contains_key(key);
    if has("aws_access_key_id") {
        let name = name.to_owned();
        let source = move || {
            let profile = read(&files, &name).map_err(|fault| fault.message().to_owned())?;
            keys_of(&profile, &name)
        };
        source().map_err(Fault::usage)?;
        found.keys = Some(Arc::new(source));
        return Ok(());
    }
    if let Some(line) = profile.get("credential_process") {
        found.keys = Some(process(line, around)?);
        return Ok(());
    }
    if has("web_identity_token_file") && has("role_arn") {
        for (key, variable) in [
            ("web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE"),
            ("role_arn", "AWS_ROLE_ARN"),
            ("role_session_name", "AWS_ROLE_SESSION_NAME"),
        ] {
            let value = profile.get(key).map(|value| (variable.to_owned(), value.clone()));
            found.settings.extend(value);
        }
        return Ok(());
    }
    let unknown =
        ["role_arn", "sso_session", "sso_start_url", "login_session", "credential_source"]
            .into_iter()
            .find(|key| has(key));
    match unknown {
        None => Ok(()),
        Some(key) => Err(Fault::usage(format!(
            "the profile {name:?} gets its keys by {key}, which is not supported"
        ))
        .hint(format!(
            "in a profile of its own: credential_process = aws configure export-credentials \
             --profile {name} --format process"
        ))),
    }
}

fn keys_of(profile: &BTreeMap<String, String>, name: &str) -> Result<AccessKeys, String> {
    let get = |key: &str| {
        let value = profile.get(key).filter(|value| !value.is_empty());
        value.cloned().ok_or_else(|| format!("the profile {name:?} has no {key}"))
    };
    Ok(AccessKeys {
        id: get("aws_access_key_id")?,
        secret: get("aws_secret_access_key")?,
        token: profile.get("aws_session_token").cloned().filter(|token| !token.is_empty()),
        fresh_ms: Some(FILE_FRESH_MS),
    })
}

/// The files of profiles, the one that counts more last.
fn files(around: &Surroundings) -> Vec<PathBuf> {
    let home = around.variable("HOME").map(PathBuf::from);
    let usual =
        [("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];
    let one = |(variable, usual): (&str, &str)| {
        let given = around.variable(variable).map(|path| around.absolute(Path::new(path)));
        given.or_else(|| home.as_ref().map(|home| home.join(usual)))
    };
    usual.into_iter().filter_map(one).collect()
}

fn read(files: &[PathBuf], name: &str) -> Result<BTreeMap<String, String>, Fault> {
    let mut profile = BTreeMap::new();
    for path in files {
        match std::fs::read(path) {
            Ok(bytes) => parse(&String::from_utf8_lossy(&bytes), name, &mut profile),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Fault::usage(format!("cannot read {}", path.display())).because(&error));
            }
        }
    }
    Ok(profile)
}

/// Puts the settings of one profile into `profile`.
fn parse(text: &str, wanted: &str, profile: &mut BTreeMap<String, String>) {
    let mut is_wanted = false;
    for line in text.trim_start_matches('\u{feff}').lines() {
        // Settings nested below another one are indented; none of them is wanted.
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default().trim();
            let name = header.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
            is_wanted = name.unwrap_or(header).trim().trim_matches(['"', '\'']) == wanted;
            continue;
        }
        if !is_wanted || is_nested || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some((key, value)) = line.split_once('=') {
            let end = value.find(" #").or_else(|| value.find(" ;")).unwrap_or(value.len());
            let value = value[..end].trim().to_owned();
            profile.insert(key.trim().to_ascii_lowercase(), value);
        }
    }
}

/// What a command prints, by the rules of `credential_process`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

fn process(line: &str, around: &Surroundings) -> Result<KeySource, Fault> {
    let words = shlex::split(line).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(Fault::usage("credential_process is empty or has an open quote"));
    };
    let (program, arguments) = (program.clone(), arguments.to_vec());
    let (folder, variables) = (around.current_dir.clone(), around.variables.clone());
    let clock = Arc::clone(&around.clock);
    Ok(Arc::new(move || {
        let failed = |why: &str| format!("credential_process {program:?} {why}");
        let mut child = child(OsStr::new(&program), variables.clone())
            .args(&arguments)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&format!("cannot be run: {error}")))?;
        let mut text = String::new();
        let read =
            child.stdout.take().map(|pipe| pipe.take(OUTPUT_MAX_BYTES).read_to_string(&mut text));
        let status = child.wait().map_err(|error| failed(&format!("was lost: {error}")))?;
        if !status.success() {
            return Err(failed(&format!("failed: it {}", ending(status))));
        }
        read.transpose().map_err(|_| failed("prints something that is not UTF-8"))?;
        // What it printed holds a secret, so the error of the parser is not passed on.
        let printed: Printed =
            serde_json::from_str(&text).map_err(|_| failed("does not print the JSON of keys"))?;
        if printed.version != 1 {
            return Err(failed(&format!("prints version {}, not 1", printed.version)));
        }
        let fresh_ms = match &printed.expiration {
            None => None,
            Some(text) => {
                let ends: jiff::Timestamp =
                    text.parse().map_err(|_| failed("prints an Expiration that is no time"))?;
                let left_ms = (ends.as_second() - clock.now().seconds).saturating_mul(1000);
                Some(u64::try_from(left_ms).unwrap_or(0).saturating_sub(BEFORE_EXPIRY_MS).max(1000))
            }
        };
        Ok(AccessKeys {
            id: printed.access_key_id,
            secret: printed.secret_access_key,
            token: printed.session_token,
            fresh_ms,
        })
    }))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test need no sync")]
mod tests {
    use super::*;

    struct World {
        folder: tempfile::TempDir,
        around: Surroundings,
    }

    fn world(config: &str, credentials: &str, variables: &[(&str, &str)]) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(".aws")).expect("made");
        std::fs::write(folder.path().join(".aws/config"), config).expect("written");
        std::fs::write(folder.path().join(".aws/credentials"), credentials).expect("written");
        let mut around = Surroundings::isolated(variables);
        around.variables.insert("HOME".into(), folder.path().into());
        around.variables.insert("PATH".into(), "/usr/bin:/bin".into());
        World { folder, around }
    }

    fn keys(world: &World) -> AccessKeys {
        let found = find(&world.around).expect("found");
        found.keys.expect("there are keys")().expect("they can be read")
    }

    #[test]
    fn a_profile_is_found_in_both_files_and_both_spellings() {
        let config = "[default]\nregion = eu\ns3 =\n  region = no\n[profile \"work\"]\n\
                      endpoint_url = https://s3.example # ours\n";
        let credentials = "\u{feff}[default]\naws_access_key_id = A\naws_secret_access_key=B=\r\n\
                           [work]\naws_access_key_id=C\naws_secret_access_key=D\n\
                           aws_session_token=E\n";
        let world = world(config, credentials, &[]);
        let found = find(&world.around).expect("found");
        assert_eq!(found.settings, [("AWS_REGION".to_owned(), "eu".to_owned())]);
        assert_eq!(keys(&world).secret, "B=");
        let work = Surroundings { ..world.around.clone() };
        let mut work = World { folder: world.folder, around: work };
        work.around.variables.insert("AWS_PROFILE".into(), "work\n".into());
        let found = find(&work.around).expect("found");
        assert!(found.settings.contains(&("AWS_ENDPOINT_URL".into(), "https://s3.example".into())));
        assert_eq!((keys(&work).id, keys(&work).token), ("C".into(), Some("E".into())));
    }

    #[test]
    fn keys_that_are_written_anew_are_read_anew() {
        let credentials = "[default]\naws_access_key_id=A\naws_secret_access_key=B\n";
        let world = world("", credentials, &[]);
        let source = find(&world.around).expect("found").keys.expect("keys");
        let path = world.folder.path().join(".aws/credentials");
        std::fs::write(path, credentials.replace("=A", "=Z")).expect("written");
        assert_eq!(source().map(|keys| keys.id), Ok("Z".to_owned()));
    }

    #[test]
    fn variables_count_before_a_profile() {
        let credentials = "[default]\naws_access_key_id=A\naws_secret_access_key=B\n";
        let own = [("AWS_ACCESS_KEY_ID", "X"), ("AWS_SECRET_ACCESS_KEY", "Y")];
        let found = find(&world("", credentials, &own).around).expect("found");
        assert!(found.keys.is_none());
        assert_eq!(found.settings.len(), 2);
        // A token that a shell forgot does not belong to the key of a file.
        let token = [("AWS_SESSION_TOKEN", "old")];
        let found = find(&world("", credentials, &token).around).expect("found");
        assert!(found.keys.is_some() && found.settings.is_empty());
    }

    #[test]
    fn a_command_gives_keys_and_says_how_long_they_last() {
        let script = |json: &str| format!("[default]\ncredential_process = printf '%s' '{json}'\n");
        let good = "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hunter2\",\
                    \"SessionToken\":\"T\",\"Expiration\":\"2999-01-01T00:00:00Z\"}";
        let found = keys(&world(&script(good), "", &[]));
        assert_eq!((found.id.as_str(), found.token.as_deref()), ("A", Some("T")));
        assert!(found.fresh_ms.is_some_and(|ms| ms > 1_000_000));
        for bad in ["{}", "no", &good.replace(":1,", ":2,"), &good.replace("2999-01", "soon")] {
            let world = world(&script(bad), "", &[]);
            let source = find(&world.around).expect("found").keys.expect("a source");
            let why = source().expect_err(bad);
            assert!(why.contains("credential_process") && !why.contains("hunter2"), "{why}");
        }
        let world = world("[default]\ncredential_process = false\n", "", &[]);
        let source = find(&world.around).expect("found").keys.expect("a source");
        assert!(source().is_err_and(|why| why.contains("failed")));
    }

    #[test]
    fn what_a_profile_asks_for_and_we_cannot_do_is_said() {
        let fault = |config: &str, variables: &[(&str, &str)]| {
            let found = find(&world(config, "", variables).around).map(|_| ());
            found.expect_err(config).lines().join("\n")
        };
        assert!(fault("[default]\nsso_session = x\n", &[]).contains("sso_session"));
        let role = "[profile a]\nrole_arn = x\nsource_profile = b\n";
        assert!(fault(role, &[("AWS_PROFILE", "a")]).contains("role_arn"));
        assert!(fault("", &[("AWS_PROFILE", "none")]).contains("none"));
        let half = "[default]\naws_access_key_id = A\n";
        assert!(fault(half, &[]).contains("aws_secret_access_key"));
        // Nobody needs that profile.
        let own = [("AWS_ACCESS_KEY_ID", "X"), ("AWS_SECRET_ACCESS_KEY", "Y")];
        assert!(find(&world("[default]\nsso_session = x\n", "", &own).around).is_ok());
        let web = "[default]\nrole_arn = arn\nweb_identity_token_file = /t\n";
        let found = find(&world(web, "", &[]).around).expect("found");
        assert!(found.settings.contains(&("AWS_ROLE_ARN".into(), "arn".into())));
    }
}
