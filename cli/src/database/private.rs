//! Servers of their own for a drill: on a socket in a folder that nobody else can enter, without network,
//! as a user of the system without rights, and gone with their data whatever happens.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::database::manifest::Manifest;
use crate::database::mysql::Mysql;
use crate::database::preset::Preset;
use crate::database::program::{Running, Tool, User, Workshop};
use crate::database::psql::{MAINTENANCE, Psql};
use crate::database::server::Server;
use crate::database::tools::{self, in_path, postgresql_folders};
use crate::database::version::Version;
use crate::fault::{ExitCode, Fault};

/// A server that has not begun to answer after so long does not.
const START_TICKS: u32 = 600;
const TICK: Duration = Duration::from_millis(100);
/// It gets so long to end when it is asked to.
const GRACE: Duration = Duration::from_secs(3);
/// Its superuser; roles of the dump have other names.
const SUPERUSER: &str = "mainstay_drill";
/// The kernel takes no longer path of a socket.
const SOCKET_PATH_MAX_BYTES: usize = 107;

/// A server. Dropped, it is gone.
pub struct Private {
    running: Option<Running>,
    folder: Option<TempDir>,
    /// How it is asked to end at once.
    end: Signal,
    /// Where it is.
    pub server: Server,
    /// What it says of itself.
    pub said: String,
}

impl Drop for Private {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal(self.end);
            running.wait(Some(GRACE));
            // Killed now, if it has not ended.
            drop(running);
        }
        if let Some(folder) = self.folder.take() {
            // The last of its processes may still write for a moment.
            let path = folder.keep();
            for _ in 0..20 {
                if std::fs::remove_dir_all(&path).is_ok() || !path.exists() {
                    return;
                }
                std::thread::sleep(TICK);
            }
        }
    }
}

/// That a drill cannot be carried out, which proves nothing either way.
#[must_use]
pub fn not_proved(words: String, hint: String) -> Fault {
    Fault::new(ExitCode::DrillFailed, "E_NOT_PROVED", words).hint(hint)
}

/// Whether a user of the system can come to a folder.
fn can_enter(folder: &Path, user: &User) -> bool {
    folder.ancestors().all(|one| {
        let Ok(metadata) = one.metadata() else { return false };
        let bit = match (metadata.uid() == user.uid, metadata.gid() == user.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        metadata.is_dir() && metadata.mode() & bit != 0
    })
}

/// A folder that only the user of the server can enter, in the first of these that it can come to.
fn folder(scratch: &[PathBuf], user: Option<&User>) -> Result<TempDir, Fault> {
    let mut possible = scratch.iter().filter(|it| user.is_none_or(|user| can_enter(it, user)));
    let Some(scratch) = possible.next() else {
        let names: Vec<String> = scratch.iter().map(|it| it.display().to_string()).collect();
        return Err(Fault::usage(format!(
            "the user of the private server cannot come to {}",
            names.join(", ")
        ))
        .hint("name a folder with --scratch that everybody can come to, like /var/tmp"));
    };
    let failed = |error: &std::io::Error| {
        Fault::local(format!("cannot make a folder in {}", scratch.display()))
            .because(error)
            .hint("name another one with --scratch")
    };
    let folder = tempfile::Builder::new().prefix("mainstay-drill-").tempdir_in(scratch);
    let folder = folder.map_err(|error| failed(&error))?;
    if let Some(user) = user {
        let (uid, gid) = (Some(user.uid), Some(user.gid));
        std::os::unix::fs::chown(folder.path(), uid, gid).map_err(|error| failed(&error))?;
    }
    let socket = folder.path().join("s/.s.PGSQL.5432");
    if socket.as_os_str().len() > SOCKET_PATH_MAX_BYTES {
        return Err(Fault::usage(format!("{} is too long for a socket", scratch.display()))
            .hint("name a folder with a shorter path with --scratch"));
    }
    Ok(folder)
}

/// Servers refuse to run as root.
fn server_user(names: &[&str]) -> Result<Option<User>, Fault> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    match names.iter().find_map(|name| User::find(name)) {
        Some(user) => Ok(Some(user)),
        None => Err(not_proved(
            "there is no user of the system that a private server could run as".to_owned(),
            format!("make the user {}, or run the drill as a user other than root", names[0]),
        )),
    }
}

/// A server that ends with this program even if that is killed, where the system has the tool for it.
fn tied(workshop: &Workshop, program: &Path, user: Option<&User>, end: &str) -> Tool {
    let Some(setpriv) = in_path(workshop, "setpriv") else {
        return workshop.tool(program).as_user(user);
    };
    let mut tool = workshop.tool(&setpriv).args([format!("--pdeathsig={end}")]);
    if let Some(user) = user {
        tool = tool.vars([("HOME", user.home.as_os_str())]);
        tool = tool.args([
            format!("--reuid={}", user.uid),
            format!("--regid={}", user.gid),
            "--clear-groups".to_owned(),
        ]);
    }
    tool.args(["--"]).args([program])
}

/// Programs of PostgreSQL that can read a dump of `release`: its own, or else newer ones.
fn postgresql_programs(workshop: &Workshop, release: u32) -> Result<PathBuf, Fault> {
    let has_server = |folder: &PathBuf| folder.join("initdb").is_file();
    let mut folders: Vec<(u32, PathBuf)> = postgresql_folders();
    folders.retain(|(_, folder)| has_server(folder));
    if let Some(initdb) = in_path(workshop, "initdb").and_then(|path| path.canonicalize().ok()) {
        let said = workshop.tool(&initdb).args(["--version"]).output(b"")?;
        let version = crate::database::version::of_postgresql_tool(&said);
        let folder = initdb.parent().map(Path::to_owned);
        folders.extend(version.zip(folder).map(|(version, folder)| (version.major, folder)));
    }
    let fits = folders.iter().filter(|(own, _)| *own >= release).min_by_key(|(own, _)| *own);
    fits.map(|(_, folder)| folder.clone()).ok_or_else(|| {
        let have: Vec<String> = folders.iter().map(|(own, _)| own.to_string()).collect();
        let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
        not_proved(
            format!(
                "the dump is of PostgreSQL {release}, and this machine has the server of no such version \
                 or newer (it has {have})"
            ),
            format!("install it (package postgresql-{release}), and repeat the drill"),
        )
    })
}

/// A private server of PostgreSQL, and how to talk to it.
///
/// # Errors
/// Exit code 21 if this machine has none that fits; a fault if it does not start.
pub fn postgresql(
    workshop: &Workshop,
    scratch: &[PathBuf],
    manifest: &Manifest,
) -> Result<(Private, Psql), Fault> {
    let programs = postgresql_programs(workshop, manifest.server_release.0)?;
    let user = server_user(&["postgres", "nobody"])?;
    let folder = folder(scratch, user.as_ref())?;
    let (data, sockets, log) =
        (folder.path().join("data"), folder.path().join("s"), folder.path().join("log"));
    let mkdir = workshop.tool(Path::new("mkdir")).as_user(user.as_ref());
    mkdir.args(["-m", "0700", "--"]).args([&sockets]).output(b"")?;
    // Temporary files of others may lie where this user cannot come to.
    let temporary = [("TMPDIR", folder.path().as_os_str().to_owned())];
    let initdb = workshop.tool(&programs.join("initdb")).as_user(user.as_ref());
    let initdb = initdb.vars(temporary.clone());
    initdb
        .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .args([format!("--username={SUPERUSER}"), format!("--pgdata={}", data.display())])
        .output(b"")?;
    let server = tied(workshop, &programs.join("postgres"), user.as_ref(), "QUIT");
    let server = server.vars(temporary);
    let server = server.args(["-D"]).args([&data]).args(["-k"]).args([&sockets]).args([
        "-h",
        "",
        "-p",
        "5432",
        "-F",
        "-c",
        "full_page_writes=off",
        "-c",
        "autovacuum=off",
        "-c",
        "max_locks_per_transaction=512",
        "-c",
        "maintenance_work_mem=128MB",
        "-c",
        "unix_socket_permissions=0700",
    ]);
    let log =
        File::create(&log).map_err(|error| Fault::local("cannot write a log").because(&error))?;
    let running = server.start(Stdio::null(), Stdio::from(log))?;
    let place = Server {
        socket: Some(sockets),
        user: Some(SUPERUSER.to_owned()),
        port: Some(5432),
        ..Server::default()
    };
    let mut private = Private {
        running: Some(running),
        folder: Some(folder),
        end: Signal::QUIT,
        server: place.clone(),
        said: String::new(),
    };
    // Whatever the environment says is about other servers.
    let variables =
        workshop.variables.iter().filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"PG"));
    let workshop = Workshop { variables: variables.cloned().collect(), ..workshop.clone() };
    let psql = Psql::new(&workshop, &place)?;
    wait(&private, || psql.ask(MAINTENANCE, "SELECT current_setting('server_version')"))
        .map(|lines| private.said = lines.into_iter().next().unwrap_or_default())?;
    Ok((private, psql))
}

/// Asks until it answers.
fn wait<T>(private: &Private, ask: impl Fn() -> Result<T, Fault>) -> Result<T, Fault> {
    let mut last = None;
    for _ in 0..START_TICKS {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(fault) if fault.exit_code() == ExitCode::Interrupted => return Err(fault),
            Err(fault) => last = Some(fault),
        }
        if private.running.as_ref().is_none_or(Running::has_ended) {
            break;
        }
        std::thread::sleep(TICK);
    }
    let words = last.map(|fault| format!(": {}", fault.message())).unwrap_or_default();
    Err(not_proved(
        format!("the private server does not start{words}"),
        "look whether there is room in the scratch folder, or name another one with --scratch"
            .to_owned(),
    ))
}

/// A private server of MariaDB or MySQL, and how to talk to it.
///
/// # Errors
/// Exit code 21 if this machine has none that fits; a fault if it does not start.
pub fn mysql(
    workshop: &Workshop,
    preset: Preset,
    scratch: &[PathBuf],
    manifest: &Manifest,
) -> Result<(Private, Mysql), Fault> {
    let (program, is_mariadb) = mysql_program(workshop, preset)?;
    let said = workshop.tool(&program).args(["--no-defaults", "--version"]).output(b"")?;
    require_release(&said, preset, manifest)?;
    let user = server_user(&["mysql", "nobody"])?;
    let folder = folder(scratch, user.as_ref())?;
    let (data, socket) = (folder.path().join("data"), folder.path().join("s"));
    let data_option = format!("--datadir={}", data.display());
    let install = match is_mariadb {
        true => {
            let found = ["mariadb-install-db", "mysql_install_db"]
                .iter()
                .find_map(|it| in_path(workshop, it));
            let install =
                found.ok_or_else(|| tools::missing("mariadb-install-db", "mariadb-server"))?;
            workshop.tool(&install).args([
                "--no-defaults",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ])
        }
        false => workshop.tool(&program).args(["--no-defaults", "--initialize-insecure"]),
    };
    let temporary = [("TMPDIR", folder.path().as_os_str().to_owned())];
    let install = install.as_user(user.as_ref()).vars(temporary.clone());
    install.args([&data_option]).output(b"")?;
    let server = tied(workshop, &program, user.as_ref(), "KILL").vars(temporary);
    let mut server = server.args([
        "--no-defaults",
        &data_option,
        &format!("--socket={}", socket.display()),
        &format!("--pid-file={}", folder.path().join("pid").display()),
        &format!("--secure-file-priv={}", data.display()),
        "--skip-networking",
        "--skip-log-bin",
        "--event-scheduler=OFF",
        "--local-infile=0",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--character-set-server=utf8mb4",
        crate::database::mysql::PACKET,
    ]);
    if let Some(case) = manifest.lower_case_table_names {
        server = server.args([format!("--lower-case-table-names={case}")]);
    }
    let running = server.start(Stdio::null(), Stdio::null())?;
    let place = Server { socket: Some(socket), user: Some("root".to_owned()), ..Server::default() };
    let mut private = Private {
        running: Some(running),
        folder: Some(folder),
        end: Signal::KILL,
        server: place.clone(),
        said: String::new(),
    };
    let variables = workshop
        .variables
        .iter()
        .filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"MYSQL_") && name != "HOME");
    let mut workshop = Workshop { variables: variables.cloned().collect(), ..workshop.clone() };
    // Nor what stands in the user's own file.
    workshop.variables.push(("HOME".into(), "/nonexistent".into()));
    let mysql = Mysql::new(&workshop, preset, &place)?;
    private.said = wait(&private, || mysql.version())?.2;
    Ok((private, mysql))
}

fn mysql_program(workshop: &Workshop, preset: Preset) -> Result<(PathBuf, bool), Fault> {
    let mariadb = in_path(workshop, "mariadbd").map(|path| (path, true));
    let mysql = in_path(workshop, "mysqld").map(|path| {
        let is_link = path.canonicalize().is_ok_and(|path| path.ends_with("mariadbd"));
        (path, is_link)
    });
    let (first, second) = match preset {
        Preset::Mysql => (mysql, mariadb),
        _ => (mariadb, mysql),
    };
    first.or(second).ok_or_else(|| {
        let package = if preset == Preset::Mysql { "mysql-server" } else { "mariadb-server" };
        not_proved(
            format!("the dump is of {}, and this machine has no server of it", preset.product()),
            format!("install it (package {package}), and repeat the drill"),
        )
    })
}

/// An older server may not know what is in the dump.
fn require_release(said: &str, preset: Preset, manifest: &Manifest) -> Result<(), Fault> {
    let Some((maker, own)) = crate::database::version::of_mysql_tool(said) else { return Ok(()) };
    let (major, minor) = manifest.server_release;
    let dumped = crate::database::version::of_mysql_server(&manifest.server_version);
    let needed = Version::new(major, minor);
    if dumped.is_none_or(|(of, _)| of != maker) || own >= needed {
        return Ok(());
    }
    Err(not_proved(
        format!(
            "the dump is of {} {needed}, and the server on this machine is {own}: an older one may not \
             know what is in it",
            preset.product()
        ),
        format!("install a server of version {needed} or newer, and repeat the drill"),
    ))
}
