//! What a user sees when something is in the way, word for word.
//!
//! Each test tells a few situations on the real program; what it printed, its exit code and the
//! `code` of its JSON form are compared with a file in `suite/snapshots/`. A change of words shows
//! up there as a difference to be read: `INSTA_UPDATE=always` writes the new ones.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::place::{Place, noise, put, ran};

/// What was told so far.
struct Story<'a> {
    place: &'a Place,
    text: String,
}

impl<'a> Story<'a> {
    fn of(place: &'a Place) -> Self {
        Self { place, text: String::new() }
    }

    /// Runs a command that fails, as text and as JSON, and writes down what a user saw.
    fn tell(&mut self, situation: &str, arguments: &[&str]) {
        self.tell_with(situation, arguments, |_| {});
    }

    /// The same in a world that `change` makes different.
    fn tell_with(&mut self, situation: &str, arguments: &[&str], change: impl Fn(&mut Command)) {
        let run = |arguments: &[&str]| {
            let mut command = self.place.command(arguments);
            change(&mut command);
            ran(&mut command)
        };
        let seen = run(arguments);
        let (first, rest) = arguments.split_first().unwrap_or((&"--json", &[]));
        let json = run(&[&[*first, "--json"], rest].concat());
        assert_eq!(json.exit, seen.exit, "{situation}: {}", json.stderr);
        let lines = json.stderr.lines().rev();
        let mut messages = lines.map(|line| serde_json::from_str(line).unwrap_or_default());
        let fault = messages.find(|message: &Value| message["message_type"] == "exit_error");
        let fault = fault.unwrap_or_default();
        assert!(fault.is_null() || fault["exit_code"] == seen.exit, "{situation}: {fault}");
        let code = fault["code"].as_str().unwrap_or("no exit_error");
        self.text.push_str(&format!("# {situation}\n$ mainstay {}\n", arguments.join(" ")));
        self.text.extend(seen.stdout.lines().map(|line| format!("| {line}\n")));
        self.text.extend(seen.stderr.lines().map(|line| format!("{line}\n")));
        self.text.push_str(&format!("= {} {code}\n\n", seen.exit));
    }

    /// Compares with the file of this name; what differs from run to run is left out.
    fn ends_as(self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let folder = self.place.folder.path().to_string_lossy().into_owned();
        for (pattern, shown) in [
            (folder.as_str(), "[folder]"),
            (r"\b[0-9a-f]{16,}\b", "[id]"),
            (r"\b[0-9a-f]{8}\b", "[short]"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [^ ,;\n]+", "[time]"),
            (r"\b\d+(\.\d+)? ?(m|µ|n)?s\b", "[duration]"),
            (r"added +.*", "added [sizes]"),
            (r"folders +\d+ new", "folders [n] new"),
            (r"\d+\.\d+ bytes decoded", "[n] bytes decoded"),
            (r"process \d+", "process [pid]"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        ] {
            settings.add_filter(pattern, shown);
        }
        settings.bind(|| insta::assert_snapshot!(name, self.text));
    }
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// Writes a file whose permissions no secret needs to fear.
fn put_private(path: &Path, content: &[u8]) {
    put(path, content);
    allow(path, 0o600);
}

/// Makes a snapshot that is the same on every machine.
fn backup(place: &Place) {
    let line = ["backup", "-q", "-H", "desk", "--read-concurrency", "1", "source"];
    place.run(line).expect(0);
}

/// Changes one byte of a file of the repository, which nobody may write.
fn spoil(path: &Path, at: usize, to: impl Fn(u8) -> u8) {
    let mut bytes = std::fs::read(path).expect("it can be read");
    bytes[at] = to(bytes[at]);
    std::fs::remove_file(path).expect("it can be replaced");
    put(path, &bytes);
}

#[test]
fn passphrases_and_keys() {
    let place = Place::with_repository();
    backup(&place);
    let mut story = Story::of(&place);
    let without = |command: &mut Command| {
        command.env_remove("MAINSTAY_PASSWORD");
    };
    story.tell_with("the passphrase is another one", &["snapshots"], |command| {
        command.env("MAINSTAY_PASSWORD", "quite another one");
    });
    story.tell_with("nobody can be asked for the passphrase", &["snapshots"], without);
    story.tell_with("two sources at once", &["snapshots"], |command| {
        command.env("MAINSTAY_PASSWORD_COMMAND", "echo x");
    });
    put_private(&place.path("empty"), b"\n");
    story.tell("the file is empty", &["snapshots", "-p", "empty"]);
    put(&place.path("open"), b"correct horse battery staple\n");
    allow(&place.path("open"), 0o644);
    put_private(&place.path("kit0"), b"> MAINSTAY RECOVERY KIT\n>\n> created\n");
    story.tell("the file is a kit without words", &["snapshots", "-p", "kit0"]);
    story.tell("everybody can read the file", &["snapshots", "-p", "open"]);
    story.tell("the file is not there", &["snapshots", "-p", "nowhere"]);
    story.tell("the command fails", &["snapshots", "--password-command", "false"]);
    story.tell("the command is not there", &["snapshots", "--password-command", "/no/such"]);
    story.tell("the key file is not there", &["snapshots", "--key-file", "nowhere"]);
    put_private(&place.path("noise.key"), b"no key at all\n");
    story.tell("the key file is none", &["snapshots", "--key-file", "noise.key"]);
    story.tell("the key file is a folder", &["snapshots", "--key-file", "source"]);
    put_private(&place.path("kit"), b"MAINSTAY RECOVERY KIT\n");
    story.tell("the key file is the kit", &["snapshots", "--key-file", "kit"]);
    place.run(["key", "add", "--role", "backup", "--to-key-file", "web.key"]).expect(0);
    story.tell("the key file is given as a passphrase", &["snapshots", "-p", "web.key"]);
    place.run(["init", "-q", "-r", "other", "--no-probe", "--kdf-memory", "64MiB"]).expect(0);
    let line = ["snapshots", "-r", "other", "--key-file", "web.key"];
    story.tell_with("the key file is of another repository", &line, without);
    let line = ["snapshots", "--password-command", "echo 'x"];
    story.tell_with("the command has an open quote", &line, without);
    let part = place.latest("a.txt");
    let line = ["cat", &part, "--key-file", "web.key"];
    story.tell_with("the key may not read", &line, without);
    let line = ["key", "add", "--role", "backup", "--to-key-file", "web.key"];
    story.tell("the new key file is there already", &line);
    story.tell("no key slot is called that", &["key", "remove", "ffff"]);
    let line = ["init", "-r", "new", "--no-probe"];
    story.tell_with("a new passphrase is too short", &line, |command| {
        command.env("MAINSTAY_PASSWORD", "short");
    });
    std::fs::rename(place.path("repository/keys"), place.path("keys")).expect("it is ours");
    story.tell("all key slots are gone", &["snapshots"]);
    let line = ["backup", "source", "--key-file", "web.key"];
    story.tell_with("all key slots are gone, and a machine has a key file", &line, without);
    story.ends_as("passphrases_and_keys");
}

/// Answers every connection with "403 Forbidden", as an S3 server does.
fn a_server_that_denies() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 8192];
            // Whatever it was, the answer is the same.
            let _ = connection.read(&mut request);
            let body = "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>";
            let head = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length:";
            let _ = write!(connection, "{head} {}\r\n\r\n{body}", body.len());
        }
    });
    port
}

#[test]
fn places_of_repositories() {
    let place = Place::with_repository();
    let mut story = Story::of(&place);
    story.tell("nothing is there", &["snapshots", "-r", "nowhere"]);
    std::fs::create_dir(place.path("folder")).expect("a folder");
    story.tell("an empty folder is there", &["snapshots", "-r", "folder"]);
    story.tell_with("no place is given", &["snapshots"], |command| {
        command.env_remove("MAINSTAY_REPOSITORY");
    });
    story.tell("nobody knows this kind of place", &["snapshots", "-r", "sftp://host/path"]);
    let line = ["snapshots", "-r", "sftp://user@host/path"];
    story.tell("nobody knows this kind of place, with a user", &line);
    story.tell("a URL that names no folder", &["snapshots", "-r", "file://repository"]);
    story.tell("a bucket without a name", &["snapshots", "-r", "s3:///prefix"]);
    story.tell("a container without an account", &["snapshots", "-r", "az://box"]);
    story.tell_with(
        "two places at once",
        &["snapshots", "-r", "s3:s3.amazonaws.com/b"],
        |command| {
            command.env("AWS_ENDPOINT_URL", "https://minio.example");
        },
    );
    story.tell("a secret in the place", &["snapshots", "-r", "s3://key:secret@bucket/prefix"]);
    let line = ["snapshots", "-r", "s3://bucket", "--endpoint", "http://192.0.2.1:9000"];
    story.tell("plain HTTP to another machine", &line);
    let line = ["snapshots", "-r", "s3://bucket", "--endpoint", "s3.example.net"];
    story.tell("the endpoint is no URL", &line);
    let endpoint = format!("http://127.0.0.1:{}", a_server_that_denies());
    let line = ["snapshots", "-r", "s3://bucket/prefix", "--endpoint", &endpoint];
    story.tell("no credentials", &line);
    story.tell_with("the store denies access", &line, |command| {
        command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret");
    });
    story.tell("a repository is there already", &["init"]);
    story.tell("something else is there", &["init", "-r", "source", "--no-probe"]);
    put(&place.path("file"), b"");
    story.tell("the state folder is a file", &["snapshots", "--cache-dir", "file"]);
    story.ends_as("places_of_repositories");
}

#[test]
fn command_lines() {
    let place = Place::with_repository();
    backup(&place);
    let mut story = Story::of(&place);
    story.tell("an unknown option", &["snapshots", "--nonsense"]);
    story.tell("an unknown command", &["snapshot"]);
    story.tell("a command that is like another", &["forgit"]);
    story.tell(
        "a value that is like another",
        &["restore", "-t", "x", "--overwrite", "alway", "latest"],
    );
    story.tell("nothing to back up", &["backup"]);
    story.tell("no command for a stream", &["backup", "--stdin-from-command"]);
    story.tell("a time that is to come", &["ls", "latest", "--time", "-5d"]);
    story.tell("no tag", &["tag", "add", "", "latest"]);
    story.tell("snapshots that there are not", &["snapshots", "--tag", "nope"]);
    story
        .tell("a drill of a path that is not there", &["drill", "latest:/typo", "--kind", "paths"]);
    story.tell("a size nobody knows", &["backup", "source", "--exclude-larger-than", "10MB"]);
    story.tell("a part that cannot be", &["check", "--read-data-subset", "3/2"]);
    story.tell("options that contradict", &["backup", "source", "-f", "--parent", "latest"]);
    story.tell("a pattern without an end", &["backup", "source", "-e", "a[b"]);
    story.tell("no such snapshot name", &["ls", "newest"]);
    story.tell("no snapshot of this id", &["ls", "0123456789"]);
    story.tell("not so many snapshots", &["ls", "latest~7"]);
    story.tell("no snapshot of this host", &["ls", "latest", "--host", "elsewhere"]);
    story.tell("an option of another program", &["forget", "--unsafe-allow-remove-all"]);
    story.tell("a list as another program names it", &["backup", "--files-from0", "list"]);
    story.tell("a negative number", &["prune", "--max-repack-size", "-1"]);
    story.tell("a negative duration", &["prune", "--grace", "-1s"]);
    story.tell("minutes in a span", &["forget", "--keep-within", "1h30m"]);
    story.tell("units in no order", &["forget", "--keep-within", "30d1y"]);
    let hold = ["hold", "add", "latest", "--reason", "case", "--until"];
    for (situation, until) in [
        ("a hold until a day that is over", "2020-01-01"),
        ("a hold until now", "0d"),
        ("a hold for ages", "99999999999d"),
        ("a hold until nobody knows when", "later"),
    ] {
        story.tell(situation, &[&hold[..], &[until]].concat());
    }
    let long = "l".repeat(2_000);
    story.tell("a tag that is too long", &["backup", "source", "--tag", &long]);
    story.tell("a pattern that is open", &["find", "["]);
    story.tell("a pattern that takes back nothing", &["backup", "source", "-e", "!"]);
    story.tell("no rules to play", &["policy", "simulate"]);
    story.tell("no such evidence", &["evidence", "show", "999"]);
    story.tell("a demonstration of a file", &["demo", "source/a.txt"]);
    let folder = place.latest("sub");
    story.tell("the content of a folder", &["cat", &folder]);
    story.tell_with("a setting nobody understands", &["snapshots"], |command| {
        command.env("MAINSTAY_PROGRESS_FPS", "fast");
    });
    story.ends_as("command_lines");
}

#[test]
fn sources_of_backups() {
    let place = Place::with_repository();
    let mut story = Story::of(&place);
    story.tell("no snapshot yet", &["ls", "latest"]);
    backup(&place);
    story.tell("a source is missing", &["backup", "source", "not-there"]);
    story.tell("a file is named as a folder", &["backup", "source/a.txt/"]);
    story.tell("a list is missing", &["backup", "--files-from", "not-there"]);
    story.tell("the source is in the repository", &["backup", "repository/data"]);
    let state = std::fs::read_dir(place.path("state")).expect("a backup was made").flatten().next();
    let state = state.expect("there is one for the repository").path().display().to_string();
    story.tell("the source is the state folder", &["backup", &state]);
    let stream = ["backup", "--stdin-filename", "d.sql", "--stdin-from-command", "--"];
    story.tell("a command fails", &[&stream[..], &["false"]].concat());
    story.tell("a command is not there", &[&stream[..], &["/no/such"]].concat());
    let mut first = place.command(["backup", "-q", "--stdin"]);
    let mut first = first.stdin(Stdio::piped()).spawn().expect("the program can be started");
    place.wait_until_locked(&mut first);
    story.tell("another run is active", &["backup", "source"]);
    let mut input = first.stdin.take().expect("it was asked for");
    input.write_all(b"x").expect("somebody reads");
    drop(input);
    assert!(first.wait().expect("it ends").success());
    story.tell("a stream is empty", &["backup", "--stdin"]);
    story.tell("all is left out", &["backup", "source", "--exclude", "*"]);
    put(&place.path("list"), b"\n");
    put(&place.path("wide"), b"\xff\xfes\0o\0\n\0");
    story.tell("a list is in UTF-16", &["backup", "--files-from", "wide"]);
    let line = ["backup", "nowhere", "--allow-missing"];
    story.tell("nothing that is named is there", &line);
    story.tell("a list is empty", &["backup", "--files-from", "list"]);
    story.ends_as("sources_of_backups");
}

/// A file without permissions stops everybody but root, so root becomes nobody for this.
#[test]
fn what_a_user_may_not_touch() {
    let place = Place::empty();
    let is_root = place.folder.path().metadata().expect("it is there").uid() == 0;
    std::fs::create_dir(place.path("source")).expect("a folder");
    put(&place.path("source/open"), b"open");
    put(&place.path("source/closed"), b"closed");
    std::fs::hard_link(place.path("source/closed"), place.path("source/other")).expect("a link");
    allow(&place.path("source/closed"), 0o000);
    if is_root {
        allow(place.folder.path(), 0o777);
    }
    let nobody = |command: &mut Command| {
        if is_root {
            let mut dropped = Command::new("setpriv");
            dropped.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            dropped.arg(command.get_program()).args(command.get_args()).env_clear();
            let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
            dropped.envs(variables).current_dir(place.folder.path()).stdin(Stdio::null());
            *command = dropped;
        }
    };
    let mut version = place.command(["version"]);
    nobody(&mut version);
    // Without setpriv, or where nobody may not run the program, root cannot try this.
    if !version.output().is_ok_and(|output| output.status.success()) {
        return;
    }
    let mut init = place.command(["init", "-q", "--no-probe", "--kdf-memory", "64MiB"]);
    nobody(&mut init);
    ran(&mut init).expect(0);
    let mut story = Story::of(&place);
    story.tell_with("a file may not be read", &["backup", "source"], nobody);
    story.tell_with("the snapshot has only its name", &["cat", &place.latest("closed")], nobody);
    let line = ["restore", "latest", "-t", "back", "--include", "closed"];
    story.tell_with("only what the snapshot has the name of is included", &line, nobody);
    std::fs::create_dir(place.path("sealed")).expect("a folder");
    allow(&place.path("sealed"), 0o000);
    let line = ["backup", "source/open", "sealed/x"];
    story.tell_with("one of the paths cannot be looked at", &line, nobody);
    story.tell_with("no path can be looked at", &["backup", "sealed/x"], nobody);
    allow(&place.path("sealed"), 0o700);
    let repository = place.path("repository");
    allow(&repository.join("sess"), 0o500);
    story.tell_with("the repository may not be written", &["backup", "source"], nobody);
    allow(&repository, 0o000);
    story.tell_with("the repository may not be read", &["snapshots"], nobody);
    allow(&repository, 0o700);
    story.ends_as("what_a_user_may_not_touch");
}

#[test]
fn targets_of_restores() {
    let place = Place::with_repository();
    backup(&place);
    let mut story = Story::of(&place);
    let part = place.latest("");
    let missing = place.latest("nothing");
    story.tell("the target is not empty", &["restore", &part, "--target", "source"]);
    story.tell("the target is in the repository", &["restore", &part, "-t", "repository/x"]);
    put(&place.path("file"), b"");
    story.tell("the target is a file", &["restore", &part, "--target", "file"]);
    story.tell("the target is below a file", &["restore", &part, "-t", "file/x"]);
    std::os::unix::fs::symlink("/nowhere/at/all", place.path("astray")).expect("a link");
    story.tell("the target leads nowhere", &["restore", &part, "-t", "astray"]);
    story.tell("the target is the state folder", &["restore", &part, "-t", "state"]);
    let line = ["restore", &part, "-t", "fresh", "--include", "nomatch"];
    story.tell("nothing is included", &line);
    assert!(!place.path("fresh").exists(), "nothing was made");
    story.tell("the snapshot does not have it", &["restore", &missing, "--target", "t"]);
    story.tell("the file is not there", &["cat", &missing]);
    story.tell("it is a folder", &["cat", &part]);
    story.tell_with("standard output is full", &["ls", "latest"], |command| {
        let full = std::fs::File::options().write(true).open("/dev/full");
        command.stdout(full.expect("every Linux has it"));
    });
    std::fs::create_dir(place.path("small")).expect("a folder");
    if let Some(_mounted) = Mounted::at(&place.path("small")) {
        story.tell("the target is full", &["restore", &part, "--target", "small"]);
        story.ends_as("targets_of_restores");
    }
}

/// A file system of 64 KiB, as long as this lives.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    /// `None` where this user may not mount anything.
    fn at(path: &'a Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "mainstay-test"]).arg(path);
        mount.output().ok()?.status.success().then_some(Self(path))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // If it fails, the temporary folder cannot be removed either, and that is not hidden.
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn damage() {
    let place = Place::with_repository();
    put(&place.path("source/folder/d.bin"), &noise(400_000));
    backup(&place);
    let part = place.latest("");
    let pack = place.largest("data");
    let middle = pack.metadata().expect("it is there").len() as usize / 2;
    spoil(&pack, middle, |byte| byte ^ 1);
    let mut story = Story::of(&place);
    story.tell("a pack is damaged", &["check", "--read-data"]);
    story.tell(
        "files of a damaged pack",
        &["restore", &part, "-t", "target", "--overwrite", "always"],
    );
    story.tell("a file of a damaged pack", &["cat", &place.latest("folder/d.bin")]);
    std::fs::remove_file(&pack).expect("it is there");
    story.tell("a pack is gone", &["check"]);
    let record = place.largest("snap");
    let last = record.metadata().expect("it is there").len() as usize - 1;
    spoil(&record, last, |byte| byte ^ 1);
    story.tell("a snapshot record is damaged", &["snapshots", "--cache-dir", "fresh"]);
    let config = place.object("config-");
    let original = std::fs::read(&config).expect("it can be read");
    spoil(&config, 4, |version| version + 1);
    story.tell("a newer program made the repository", &["snapshots"]);
    spoil(&config, 4, |_| 1);
    story.tell("a program that was never released made the repository", &["snapshots"]);
    put(&config, &original);
    spoil(&config, original.len() - 1, |byte| byte ^ 1);
    story.tell("the configuration is damaged", &["snapshots"]);
    story.ends_as("damage");
}
