//! A repository, whoever backs up into it and whoever restores from it, and the program as a
//! process.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use system_tests::scale;

use crate::tracer::{self, Ended, Fault, Traced};

const PASSPHRASE: &str = "correct horse battery staple";

/// A user without rights; `nobody` on most systems.
pub(crate) const NOBODY: u32 = 65534;

/// How a run ended and what it said.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    /// The exit code; nothing if a signal ended it.
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Whether it ended in a way that is always wrong.
    pub(crate) fn is_insane(&self) -> bool {
        matches!(self.exit, Some(101 | 134))
            || self.stderr.contains("panicked")
            || self.stderr.contains("E_BUG")
    }

    /// What it said, for people.
    pub(crate) fn show(&self) -> String {
        let lines = |text: &str| {
            text.lines().take(12).map(|line| format!("\n    {line}")).collect::<String>()
        };
        format!("exit {:?}{}{}", self.exit, lines(&self.stdout), lines(&self.stderr))
    }
}

/// A repository in a folder of its own, with one machine that saves as root, one as nobody, and one
/// that restores.
pub(crate) struct Machine {
    /// Holds everything; others may pass through it.
    pub(crate) folder: PathBuf,
    program: PathBuf,
    is_root: bool,
}

impl Machine {
    /// Makes the repository in an empty folder.
    pub(crate) fn create(folder: &Path) -> Self {
        let program = scale::text("MAINSTAY_TEST_PROGRAM")
            .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_victim")), PathBuf::from);
        let is_root = rustix::process::geteuid().is_root();
        let machine = Self { folder: folder.to_owned(), program, is_root };
        fs::create_dir_all(folder.join("tmp")).expect("a folder of ours");
        machine.must(&["init", "-q", "--no-probe", "--kdf-memory", "64MiB"], "first", PASSPHRASE);
        for (role, key) in [("admin", "admin.key"), ("restore", "restore.key")] {
            let words = ["key", "add", "-q", "--role", role, "--to-key-file", key];
            machine.must(&words, "first", PASSPHRASE);
        }
        if is_root {
            use std::os::unix::fs::PermissionsExt;
            let open = fs::Permissions::from_mode(0o755);
            fs::set_permissions(folder, open).expect("a folder of ours");
            chown(folder.join("tmp"), Some(NOBODY), Some(NOBODY)).expect("root may");
            fs::create_dir(folder.join("nobody")).expect("the place is free");
            fs::copy(folder.join("admin.key"), folder.join("nobody.key")).expect("a file of ours");
            for name in ["nobody", "nobody.key"] {
                chown(folder.join(name), Some(NOBODY), Some(NOBODY)).expect("root may");
            }
        }
        machine
    }

    fn must(&self, words: &[&str], state: &str, passphrase: &str) {
        let mut command = self.command(state, None);
        command.args(words).env("MAINSTAY_PASSWORD", passphrase);
        let ran = run(command);
        assert_eq!(ran.exit, Some(0), "{words:?}: {}", ran.show());
    }

    fn command(&self, state: &str, key: Option<&str>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("MAINSTAY_REPOSITORY", self.folder.join("repository"))
            .env("MAINSTAY_STATE_DIR", self.folder.join(state))
            .env("TMPDIR", self.folder.join("tmp"))
            .current_dir(&self.folder);
        if let Some(key) = key {
            command.env("MAINSTAY_KEY_FILE", self.folder.join(key));
        }
        command
    }

    /// Backs up a folder, as root or as somebody without rights; the snapshot's id.
    pub(crate) fn backup(&self, source: &Path, options: &[String], as_nobody: bool) -> String {
        let mut command = match as_nobody {
            true => self.command("nobody", Some("nobody.key")),
            false => self.command("saver", Some("admin.key")),
        };
        command.args(["backup", "-q", "--json", "--allow-empty"]).args(options).arg(source);
        if as_nobody {
            // What root stored since belongs to root.
            own_all(&self.folder.join("repository"));
            command.uid(NOBODY).gid(NOBODY);
        }
        let ran = run(command);
        let is_fine = ran.exit == Some(0) || (as_nobody && ran.exit == Some(3));
        assert!(is_fine, "the backup fails: {}", ran.show());
        let line = ran.stdout.lines().last().unwrap_or_default();
        let result: Value = serde_json::from_str(line).expect("the result of a backup");
        let snapshot = result.get("snapshot_id").and_then(Value::as_str);
        snapshot.expect("a backup names its snapshot").to_owned()
    }

    /// A restore: arguments as on the command line.
    pub(crate) fn restore(&self, arguments: &[String]) -> Command {
        let mut command = self.command("restorer", Some("restore.key"));
        command.arg("restore").args(arguments);
        command
    }

    /// Runs a restore under a tracer. Its changes below `watched` are counted.
    pub(crate) fn trace(&self, command: &Command, watched: &Path, fault: Fault) -> (Ran, Traced) {
        let names = ["stdout", "stderr"].map(|name| self.folder.join(name));
        let [stdout, stderr] =
            names.each_ref().map(|name| File::create(name).expect("a file of ours"));
        let traced = tracer::run(command, (stdout, stderr), watched, fault)
            .expect("a process can be traced here");
        let read = |name: &PathBuf| {
            String::from_utf8_lossy(&fs::read(name).unwrap_or_default()).into_owned()
        };
        let exit = match traced.ended {
            Ended::Exit(code) => Some(code),
            Ended::Signal(_) => None,
        };
        (Ran { exit, stdout: read(&names[0]), stderr: read(&names[1]) }, traced)
    }

    /// Whether scenes may have owners, mounts and readers without rights.
    pub(crate) fn is_root(&self) -> bool {
        self.is_root
    }
}

/// Runs to the end.
pub(crate) fn run(mut command: Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().expect("the program can be started");
    Ran {
        exit: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn own_all(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder of ours").flatten() {
        let path = entry.path();
        if path.is_dir() {
            own_all(&path);
        }
        chown(&path, Some(NOBODY), Some(NOBODY)).expect("root may");
    }
    chown(folder, Some(NOBODY), Some(NOBODY)).expect("root may");
}
