//! A machine with the real program, a repository somewhere, and whatever a test plants around it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::hostile::place::{At, Place};

/// The passphrase of every repository here.
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

/// The machine; its folder goes with it.
pub(crate) struct Machine {
    pub(crate) folder: tempfile::TempDir,
    /// Where its repository is.
    pub(crate) place: Place,
}

/// What a run of the program said.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code();
        Self { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// The same, if it ended like this.
    pub(crate) fn expect(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "stdout: {stdout}\nstderr: {stderr}");
        self
    }

    /// The last line as a message.
    pub(crate) fn json(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).expect(&self.stdout)
    }
}

impl Machine {
    /// Without a repository, which would be in a folder.
    pub(crate) fn bare() -> Self {
        Self::bare_with(At::Folder)
    }

    /// With an empty repository in a folder.
    pub(crate) fn new() -> Self {
        Self::with(At::Folder)
    }

    /// Without a repository, which would be at such a place.
    pub(crate) fn bare_with(at: At) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::create_dir(folder.path().join("source")).expect("a folder");
        let place = Place::new(at, folder.path(), "repository");
        Self { folder, place }
    }

    /// With an empty repository at such a place.
    pub(crate) fn with(at: At) -> Self {
        let machine = Self::bare_with(at);
        machine.run(["init", "-q", "--no-probe", "--kdf-memory", "64MiB"]).expect(0);
        machine
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        system_tests::trees::put(&path, bytes);
        path
    }

    /// The program with these words, in the folder.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_victim"));
        command
            .args(words)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("MAINSTAY_STATE_DIR", self.path("state"))
            .env("MAINSTAY_PASSWORD", PASSPHRASE)
            .env("TMPDIR", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        self.place.point(&mut command);
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Ran {
        Self::output(&mut self.command(words))
    }

    pub(crate) fn output(command: &mut Command) -> Ran {
        Ran::of(&command.output().expect("the program can be started"))
    }

    /// As `run`, with words that a blank separates.
    pub(crate) fn say(&self, line: &str) -> Ran {
        self.run(line.split_ascii_whitespace())
    }

    /// As `output`, and an error if it is not over after a while.
    pub(crate) fn within(limit: Duration, command: &mut Command) -> Ran {
        // Files, not pipes: nobody reads while it runs, and it may have much to say.
        let said = [0, 1].map(|_| tempfile::NamedTempFile::new().expect("a file"));
        let [stdout, stderr] = said.each_ref().map(|file| file.reopen().expect("a file"));
        command.stdout(stdout).stderr(stderr);
        let mut child = command.spawn().expect("the program can be started");
        #[expect(clippy::disallowed_methods, reason = "the time that a person waits")]
        let began = Instant::now();
        let (mut is_late, mut is_over) = (false, false);
        while !is_late && !is_over {
            is_over = child.try_wait().expect("it is ours").is_some();
            std::thread::sleep(Duration::from_millis(10));
            is_late = began.elapsed() > limit;
        }
        if !is_over {
            child.kill().expect("it is ours");
        }
        let status = child.wait().expect("it is ours");
        let [stdout, stderr] = said.map(|file| {
            let bytes = std::fs::read(file.path()).expect("it can be read");
            String::from_utf8_lossy(&bytes).into_owned()
        });
        assert!(is_over, "it still runs after {limit:?}: {stderr}");
        Ran { code: status.code(), stdout, stderr }
    }
}

/// Whether a process with this word in its command line runs.
pub(crate) fn runs(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("there is a /proc");
    processes.flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|part| part == word.as_bytes())
    })
}

/// A file system object in a folder.
pub(crate) fn pipe(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().expect("there is mkfifo");
    assert!(status.success());
}
