//! Servers for tests, as a user without rights, and tools that lie.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::hostile::machine::{Machine, Ran};

const POSTGRESQL: &str = "/usr/lib/postgresql/15/bin";

/// A server, which ends with the test.
pub(super) struct Server {
    child: Child,
    pub(super) folder: tempfile::TempDir,
    is_postgresql: bool,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
        for _ in 0..200 {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Numbers of a user of the system.
fn user(name: &str) -> (u32, u32) {
    let table = std::fs::read_to_string("/etc/passwd").expect("users");
    let line = table.lines().find(|line| line.split(':').next() == Some(name)).expect(name);
    let fields: Vec<&str> = line.split(':').collect();
    (fields[2].parse().expect("a number"), fields[3].parse().expect("a number"))
}

/// A program of a server: servers refuse to run as root.
fn as_user(program: &str, name: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = user(name);
        command.uid(uid).gid(gid);
    }
    command
}

fn folder(name: &str) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("db").tempdir_in("/tmp").expect("a folder");
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = user(name);
        chown(folder.path(), Some(uid), Some(gid)).expect("it is ours");
    }
    folder
}

impl Server {
    pub(super) fn postgresql() -> Self {
        let folder = folder("postgres");
        let data = folder.path().join("data");
        let program = |name: &str| as_user(&format!("{POSTGRESQL}/{name}"), "postgres");
        let made = program("initdb")
            .args(["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-U", "postgres", "-D"])
            .arg(&data)
            .status();
        assert!(made.expect("initdb").success());
        let child = program("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-h", "", "-p", "5432", "-F", "-k"])
            .arg(folder.path())
            .spawn()
            .expect("postgres");
        let server = Self { child, folder, is_postgresql: true };
        server.wait();
        server
    }

    pub(super) fn mariadb() -> Self {
        let folder = folder("mysql");
        let data = format!("--datadir={}", folder.path().join("data").display());
        // A server that starts removes temporary tables of others from a folder that they share.
        let made = as_user("mariadb-install-db", "mysql")
            .env("TMPDIR", folder.path())
            .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
            .arg(&data)
            .status();
        assert!(made.expect("mariadb-install-db").success());
        let child = as_user("/usr/sbin/mariadbd", "mysql")
            .env("TMPDIR", folder.path())
            .args(["--no-defaults", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"])
            .arg(&data)
            .arg(format!("--socket={}", folder.path().join("s").display()))
            .arg(format!("--pid-file={}", folder.path().join("pid").display()))
            .spawn()
            .expect("mariadbd");
        let server = Self { child, folder, is_postgresql: false };
        server.wait();
        server
    }

    fn wait(&self) {
        for _ in 0..600 {
            if self.client("", "SELECT 1").status.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        unreachable!("the server does not start");
    }

    /// What `--server` says of it.
    pub(super) fn place(&self) -> String {
        match self.is_postgresql {
            true => format!("postgres@{}:5432", self.folder.path().display()),
            false => format!("root@{}", self.folder.path().join("s").display()),
        }
    }

    fn client(&self, database: &str, sql: &str) -> Output {
        let mut command = match self.is_postgresql {
            true => {
                let mut command = Command::new(format!("{POSTGRESQL}/psql"));
                command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
                let database = if database.is_empty() { "postgres" } else { database };
                command.env("PGHOST", self.folder.path()).env("PGPORT", "5432");
                command.env("PGUSER", "postgres").env("PGDATABASE", database);
                command
            }
            false => {
                let mut command = Command::new("mariadb");
                command.args(["--no-defaults", "-uroot", "-B", "-N"]);
                command.arg("--default-character-set=utf8mb4");
                command.arg(format!("--socket={}", self.folder.path().join("s").display()));
                command.arg(format!("--database={database}"));
                command
            }
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a client");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A client that cannot connect reads nothing.
        let _ = std::io::Write::write_all(&mut stdin, sql.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("a client")
    }

    /// What the server answers.
    pub(super) fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.client(database, sql);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// A machine with a repository, and this program with a server on it.
pub(super) fn database<'a>(machine: &Machine, words: impl IntoIterator<Item = &'a str>) -> Ran {
    machine.run(std::iter::once("database").chain(words))
}

/// Puts a tool before all others in a folder of its own.
pub(super) fn double(machine: &Machine, name: &str, script: &str) -> PathBuf {
    let path = machine.put(&format!("doubles/{name}"), format!("#!/bin/sh\n{script}\n").as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

/// The program with those tools before all others.
pub(super) fn with_doubles<'a>(machine: &Machine, words: impl IntoIterator<Item = &'a str>) -> Ran {
    let mut command = machine.command(std::iter::once("database").chain(words));
    let path =
        format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin", machine.path("doubles").display());
    Machine::output(command.env("PATH", path))
}

/// Processes whose command line names a folder.
pub(super) fn processes_in(folder: &Path) -> usize {
    let name = folder.to_string_lossy().into_owned();
    let lines = std::fs::read_dir("/proc").expect("processes").flatten();
    let lines = lines.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(&name)).count()
}

/// A folder that the user of a private server can come to.
pub(super) fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("sc").tempdir_in("/tmp").expect("a folder");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), mode).expect("it is ours");
    folder
}
