//! The real program as a process of its own, which can be killed at any moment.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Arguments of a collection that frees all it can at once.
pub(crate) const PRUNE: [&str; 8] =
    ["prune", "-q", "--grace", "0s", "--max-unused", "0%", "--confirm-mass-delete", "1000000"];

/// Arguments for forgetting these snapshots.
pub(crate) fn forgetting(snapshots: &[String]) -> Vec<&str> {
    let first = ["forget", "-q", "--confirm-mass-delete", "1000000"];
    first.into_iter().chain(snapshots.iter().map(String::as_str)).collect()
}

/// Fails if a collection would find anything to do.
pub(crate) fn assert_no_garbage(program: &Program) {
    let ran = program.run(PRUNE.iter().chain(&["--dry-run", "--json"]));
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let result = ran.result().unwrap_or_default();
    for what in ["packs_unneeded", "bytes_unused", "packs_repacked"] {
        assert_eq!(result.get(what), Some(&Value::from(0)), "{what} in {result:#}");
    }
}

const PASSPHRASE: &str = "correct horse battery staple";

/// A machine with a repository, both in folders of a test.
pub(crate) struct Program {
    /// Holds `repository`, `state`, `key` and whatever the test makes.
    pub(crate) folder: PathBuf,
    /// Where the state of this machine is.
    pub(crate) state: PathBuf,
    /// How it reaches the repository: variables of the environment.
    pub(crate) way: Vec<(&'static str, String)>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; `None` if it was killed.
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The result that was printed, if all of it was.
    pub(crate) fn result(&self) -> Option<Value> {
        let line = self.stdout.strip_suffix('\n')?.lines().last()?;
        serde_json::from_str(line).ok()
    }

    /// The snapshot that a backup reported.
    pub(crate) fn snapshot(&self) -> Option<String> {
        Some(self.result()?.get("snapshot_id")?.as_str()?.to_owned())
    }

    /// Fails the test if the program ended in a way that is always wrong.
    pub(crate) fn assert_sane(&self) {
        let is_sane = !matches!(self.exit, Some(101 | 134 | 20 | 25))
            && !self.stderr.contains("panicked")
            && !self.stderr.contains("E_BUG");
        assert!(is_sane, "{self:#?}");
    }
}

impl Program {
    /// A new repository below `folder`, with a key file so that nothing is derived from a
    /// passphrase again and again.
    pub(crate) fn create(folder: &Path) -> Self {
        let repository = folder.join("repository").display().to_string();
        Self::create_at(folder, vec![("MAINSTAY_REPOSITORY", repository)])
    }

    /// The same, with the repository somewhere else.
    pub(crate) fn create_at(folder: &Path, way: Vec<(&'static str, String)>) -> Self {
        let program = Self { folder: folder.to_owned(), state: folder.join("state"), way };
        let first = |arguments: &[&str]| {
            let mut command = program.command(arguments);
            command.env("MAINSTAY_PASSWORD", PASSPHRASE).env_remove("MAINSTAY_KEY_FILE");
            let ran = finish(command.spawn().expect("the program can be started"));
            assert_eq!(ran.exit, Some(0), "{ran:#?}");
        };
        first(&["init", "-q", "--no-probe", "--kdf-memory", "64MiB"]);
        first(&["key", "add", "--role", "admin", "--to-key-file", "key"]);
        program
    }

    /// Another machine of the same repository.
    pub(crate) fn another(&self, name: &str) -> Self {
        let (folder, way) = (self.folder.clone(), self.way.clone());
        Self { state: folder.join(name), folder, way }
    }

    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_victim"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.way.iter().map(|(name, value)| (name, value)))
            .env("MAINSTAY_STATE_DIR", &self.state)
            .env("MAINSTAY_KEY_FILE", self.folder.join("key"))
            .env("TMPDIR", &self.folder)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs to the end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        let ran = finish(self.command(arguments).spawn().expect("the program can be started"));
        ran.assert_sane();
        ran
    }

    /// Runs, and is killed after a while unless it has ended.
    pub(crate) fn run_and_kill<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        after: Duration,
    ) -> Ran {
        let mut child = self.command(arguments).spawn().expect("the program can be started");
        std::thread::sleep(after);
        // It may have ended already; then there is nothing to kill.
        let _ = child.kill();
        let ran = finish(child);
        ran.assert_sane();
        ran
    }
}

/// Waits for a process. What it prints is short, so that it never waits for us.
pub(crate) fn finish(mut child: Child) -> Ran {
    let read = |from: Option<&mut dyn Read>| {
        let mut bytes = Vec::new();
        from.map(|from| from.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let stdout = read(child.stdout.as_mut().map(|from| from as &mut dyn Read));
    let stderr = read(child.stderr.as_mut().map(|from| from as &mut dyn Read));
    let status = child.wait().expect("a child of this process");
    Ran { exit: status.code(), stdout, stderr }
}
