//! A folder with a repository, and the real program run in it as a user would.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

const PASSPHRASE: &str = "correct horse battery staple";

/// Folders of one test, with a repository unless the test wants none.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The text of standard output of a run that must have ended like this.
    pub(crate) fn expect(self, exit: i32) -> String {
        assert_eq!(self.exit, exit, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// The text of standard error of a run that must have ended like this.
    pub(crate) fn fails(self, exit: i32) -> String {
        assert_eq!(self.exit, exit, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stderr
    }
}

/// Whether everything that tests need must be there, as `tests/run` says: then none skips itself.
#[expect(clippy::disallowed_methods, reason = "tests take options from the environment")]
pub(crate) fn is_complete() -> bool {
    std::env::var_os("MAINSTAY_TEST_COMPLETE").is_some()
}

/// The last line as the message that it is.
pub(crate) fn last_json(text: &str) -> Value {
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).expect("the last line is a message")
}

impl Place {
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    pub(crate) fn with_repository() -> Self {
        let place = Self::empty();
        let printed = place.run(["init", "-q", "--no-probe", "--kdf-memory", "64MiB"]).expect(0);
        // The recovery words, which nothing else shows, and nothing besides.
        assert_eq!(printed.split_whitespace().count(), 48, "24 words with their numbers");
        std::fs::create_dir_all(place.path("source/folder")).expect("a folder");
        for (name, content) in
            [("a.txt", vec![b'a'; 100]), ("folder/b.bin", noise(300_000)), ("folder/c.txt", vec![])]
        {
            put(&place.path("source").join(name), &content);
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_victim"));
        command
            .args(arguments)
            .env_clear()
            .env("MAINSTAY_REPOSITORY", self.path("repository"))
            .env("MAINSTAY_STATE_DIR", self.path("state"))
            .env("MAINSTAY_PASSWORD", PASSPHRASE)
            .env("TMPDIR", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        ran(&mut self.command(arguments))
    }

    /// With a key file instead of the passphrase.
    pub(crate) fn run_with_key<'a>(&self, key: &'a str, arguments: &[&'a str]) -> Ran {
        let arguments = arguments.iter().copied().chain(["--key-file", key]);
        ran(self.command(arguments).env_remove("MAINSTAY_PASSWORD"))
    }

    pub(crate) fn backup(&self) -> Value {
        last_json(&self.run(["backup", "-q", "--json", "source"]).expect(0))
    }

    /// `latest:` and the absolute path of something in the source.
    pub(crate) fn latest(&self, name: &str) -> String {
        format!("latest:{}", self.path("source").join(name).display())
    }

    /// The object at the top of the repository whose name begins like this.
    pub(crate) fn object(&self, start: &str) -> PathBuf {
        let entries = std::fs::read_dir(self.path("repository")).expect("there is a repository");
        let mut paths = entries.map(|entry| entry.expect("it can be listed").path());
        let is_it = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
        };
        paths.find(is_it).expect("there is such an object")
    }

    /// Waits until this run holds the state folder.
    pub(crate) fn wait_until_locked(&self, run: &mut Child) {
        let own = run.id().to_string();
        let is_locked = || {
            let folders = std::fs::read_dir(self.path("state")).into_iter().flatten().flatten();
            let mut pids = folders.filter_map(|one| std::fs::read(one.path().join("lock")).ok());
            pids.any(|pid| pid.trim_ascii() == own.as_bytes())
        };
        for _ in 0..600 {
            if is_locked() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        unreachable!("the run did not begin within half a minute");
    }

    /// The largest object below a folder of the repository.
    pub(crate) fn largest(&self, below: &str) -> PathBuf {
        let mut found = Vec::new();
        add_files(&self.path("repository").join(below), &mut found);
        let size = |path: &PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
        found.into_iter().max_by_key(size).expect("there are objects")
    }
}

/// Runs it to its end.
pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("the program can be started");
    Ran {
        exit: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn add_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository").flatten() {
        match entry.path() {
            path if path.is_dir() => add_files(&path, found),
            path => found.push(path),
        }
    }
}

/// Makes a file.
pub(crate) fn put(path: &Path, content: &[u8]) {
    let mut file = std::fs::File::create(path).expect("a file can be made");
    file.write_all(content).expect("a file can be written");
}

/// Bytes that do not compress.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut reader = blake3::Hasher::new().finalize_xof();
    let mut bytes = vec![0; length];
    reader.fill(&mut bytes);
    bytes
}
