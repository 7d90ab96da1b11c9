//! Databases on this machine: what listens, which data folders there are, which files are of SQLite.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::database::preset::Preset;
use crate::database::sqlite::MAGIC;

/// Folders that servers make their sockets in.
const SOCKET_FOLDERS: [&str; 5] =
    ["run/postgresql", "tmp", "run/mysqld", "var/lib/mysql", "run/mariadb"];
/// Folders that servers keep their data in, `*` being any name.
const DATA_FOLDERS: [(&str, Preset); 5] = [
    ("var/lib/postgresql/*/*", Preset::Postgresql),
    ("var/lib/pgsql/*/data", Preset::Postgresql),
    ("var/lib/pgsql/data", Preset::Postgresql),
    ("var/lib/mysql", Preset::Mariadb),
    ("var/lib/mongodb", Preset::Mongodb),
];
/// Folders below which programs keep files of SQLite, and how deep.
const SQLITE_FOLDERS: [(&str, u32); 4] = [("var/lib", 3), ("srv", 4), ("opt", 4), ("home", 4)];
/// Endings that files of SQLite have.
const SQLITE_ENDINGS: [&str; 5] = ["db", "sqlite", "sqlite3", "db3", "s3db"];
/// Entries that are looked at: the rest is said not to have been.
const ENTRIES_MAX: usize = 200_000;
/// Files of SQLite that are listed.
const FILES_MAX: usize = 200;
/// Ports that servers listen on.
const PORTS: [(u16, Preset); 3] =
    [(5432, Preset::Postgresql), (3306, Preset::Mariadb), (27017, Preset::Mongodb)];

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The preset for it.
    pub preset: Preset,
    /// `socket`, `port`, `process`, `folder` or `file`.
    pub by: &'static str,
    /// Where.
    pub place: String,
}

/// What was found, in order, and whether everything was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What was found.
    pub found: BTreeSet<Found>,
    /// Whether some folders were too large to look through.
    pub is_cut: bool,
}

/// Looks below `root`, which is `/` but for tests.
#[must_use]
pub fn look(root: &Path) -> Findings {
    let mut findings = Findings::default();
    sockets(root, &mut findings);
    for name in ["tcp", "tcp6"] {
        let table = std::fs::read_to_string(root.join("proc/net").join(name)).unwrap_or_default();
        for port in listening_ports(&table) {
            let known = PORTS.iter().filter(|(known, _)| *known == port);
            findings.found.extend(known.map(|(port, preset)| Found {
                preset: *preset,
                by: "port",
                place: format!("127.0.0.1:{port}"),
            }));
        }
    }
    let table = std::fs::read_to_string(root.join("proc/net/unix")).unwrap_or_default();
    for place in listening_sockets(&table) {
        let name = place.rsplit('/').next().unwrap_or_default();
        let preset = of_socket(name);
        findings.found.extend(preset.map(|preset| Found { preset, by: "socket", place }));
    }
    processes(root, &mut findings);
    for (pattern, preset) in DATA_FOLDERS {
        for folder in expand(root, pattern).into_iter().filter(|it| is_data_folder(it, preset)) {
            findings.found.insert(Found { preset, by: "folder", place: shown(root, &folder) });
        }
    }
    let mut left = ENTRIES_MAX;
    for (folder, depth) in SQLITE_FOLDERS {
        files(root, &root.join(folder), depth, &mut left, &mut findings);
    }
    findings
}

fn shown(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    Path::new("/").join(below).display().to_string()
}

fn sockets(root: &Path, findings: &mut Findings) {
    for folder in SOCKET_FOLDERS {
        for entry in std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
            let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(preset) = of_socket(&name).filter(|_| is_socket) else { continue };
            findings.found.insert(Found {
                preset,
                by: "socket",
                place: shown(root, &entry.path()),
            });
        }
    }
}

/// The preset of a socket by its name.
fn of_socket(name: &str) -> Option<Preset> {
    match name {
        "mysqld.sock" | "mysql.sock" | "mariadb.sock" => Some(Preset::Mariadb),
        name if name.starts_with("mongodb-") && name.ends_with(".sock") => Some(Preset::Mongodb),
        name => {
            let port = name.strip_prefix(".s.PGSQL.")?;
            port.parse::<u16>().ok().map(|_| Preset::Postgresql)
        }
    }
}

/// Ports on which something listens, from `/proc/net/tcp`.
#[must_use]
pub fn listening_ports(table: &str) -> Vec<u16> {
    let port = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let local = fields.nth(1)?;
        // Two fields on is the state, and 0A is that of a listener.
        let is_listening = fields.nth(1)? == "0A";
        let (_, port) = local.rsplit_once(':')?;
        u16::from_str_radix(port, 16).ok().filter(|_| is_listening)
    };
    table.lines().skip(1).filter_map(port).collect()
}

/// Paths of sockets on which something listens, from `/proc/net/unix`.
#[must_use]
pub fn listening_sockets(table: &str) -> Vec<String> {
    let path = |line: &str| {
        // Number, references, protocol, flags, type, state and inode stand before it; a socket that
        // accepts connections has a flag.
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_listening = fields.get(3) == Some(&"00010000");
        let begin = line.find('/').filter(|_| is_listening)?;
        Some(line[begin..].to_owned())
    };
    table.lines().filter_map(path).collect()
}

fn processes(root: &Path, findings: &mut Findings) {
    for entry in std::fs::read_dir(root.join("proc")).into_iter().flatten().flatten() {
        let is_process = entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let Some((preset, place, socket)) = of_command_line(&line).filter(|_| is_process) else {
            continue;
        };
        findings.found.insert(Found { preset, by: "process", place });
        let socket = socket.filter(|place| place.starts_with('/'));
        findings.found.extend(socket.map(|place| Found { preset, by: "socket", place }));
    }
}

/// The preset of a server by its command line, its data folder, and its socket if that is said.
fn of_command_line(line: &[u8]) -> Option<(Preset, String, Option<String>)> {
    let words: Vec<String> = line
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let program = words.first()?.rsplit('/').next()?;
    let preset = match program {
        "postgres" | "postmaster" => Preset::Postgresql,
        "mariadbd" | "mysqld" => Preset::Mariadb,
        "mongod" => Preset::Mongodb,
        _ => return None,
    };
    let option = |names: [&str; 3]| {
        words.iter().enumerate().find_map(|(at, word)| {
            names.iter().find_map(|name| match word.strip_prefix(name)? {
                "" => words.get(at + 1).cloned(),
                rest => Some(rest.strip_prefix('=').unwrap_or(rest).to_owned()),
            })
        })
    };
    let folder = option(["-D", "--datadir", "--dbpath"]);
    let socket = option(["--socket", "--unix-socket", "-S"]).filter(|_| preset == Preset::Mariadb);
    Some((preset, folder.unwrap_or_else(|| "its usual folder".to_owned()), socket))
}

fn is_data_folder(folder: &Path, preset: Preset) -> bool {
    let marks: &[&str] = match preset {
        Preset::Postgresql => &["PG_VERSION"],
        Preset::Mongodb => &["WiredTiger"],
        _ => &["ibdata1", "mysql"],
    };
    marks.iter().any(|mark| folder.join(mark).exists())
}

fn expand(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    for part in pattern.split('/') {
        found = match part {
            "*" => {
                let inside = found.iter().flat_map(std::fs::read_dir).flatten().flatten();
                inside.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
            }
            part => found.into_iter().map(|path| path.join(part)).collect(),
        };
    }
    found
}

fn files(root: &Path, folder: &Path, depth: u32, left: &mut usize, findings: &mut Findings) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if *left == 0 || findings.found.len() >= FILES_MAX {
            findings.is_cut = true;
            return;
        }
        *left -= 1;
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        // Links lead elsewhere, or in circles.
        if kind.is_dir() && depth > 0 {
            files(root, &path, depth - 1, left, findings);
        } else if kind.is_file() && has_ending(&path) && is_sqlite(&path) {
            let place = shown(root, &path);
            findings.found.insert(Found { preset: Preset::Sqlite, by: "file", place });
        }
    }
}

fn has_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    SQLITE_ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

fn is_sqlite(path: &Path) -> bool {
    let mut begin = [0; 16];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *MAGIC
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn listeners_and_servers_are_known() {
        let table = "  sl  local_address rem_address   st\n\
            0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000 101\n\
            1: 0100007F:0CEA 0100007F:1538 01 00000000:00000000 00:00000000 00000000 101\n";
        assert_eq!(listening_ports(table), [5432]);
        let line = b"/usr/lib/postgresql/15/bin/postgres\0-D\0/var/lib/x\0";
        assert_eq!(
            of_command_line(line),
            Some((Preset::Postgresql, "/var/lib/x".to_owned(), None))
        );
        let line = b"/usr/sbin/mariadbd\0--datadir=/data\0--socket=/s\0";
        let wanted = (Preset::Mariadb, "/data".to_owned(), Some("/s".to_owned()));
        assert_eq!(of_command_line(line), Some(wanted));
        let table = "Num RefCount Protocol Flags Type St Inode Path\n\
            0: 00000002 00000000 00010000 0001 01 4711 /run/x y/.s.PGSQL.5432\n\
            0: 00000003 00000000 00000000 0001 03 4712 /run/x y/.s.PGSQL.5432\n";
        assert_eq!(listening_sockets(table), ["/run/x y/.s.PGSQL.5432"]);
        assert_eq!(of_command_line(b"postgres: writer"), None);
        assert_eq!(of_socket(".s.PGSQL.5433"), Some(Preset::Postgresql));
        assert_eq!(of_socket(".s.PGSQL.5433.lock"), None);
    }

    #[test]
    fn a_made_up_machine_is_looked_through() {
        let root = tempfile::tempdir().expect("a folder");
        let put = |path: &str, content: &[u8]| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            let mut file = File::create(path).expect("a file");
            std::io::Write::write_all(&mut file, content).expect("a file");
        };
        put("var/lib/postgresql/15/main/PG_VERSION", b"15\n");
        put("var/lib/app/state.db", b"SQLite format 3\0 and so on");
        put("var/lib/app/other.db", b"something else that is long");
        put("var/lib/app/state.txt", b"SQLite format 3\0 and so on");
        let found = look(root.path()).found;
        let places: Vec<&str> = found.iter().map(|one| one.place.as_str()).collect();
        assert_eq!(places, ["/var/lib/postgresql/15/main", "/var/lib/app/state.db"]);
    }

    proptest! {
        #[test]
        fn whatever_comes_does_not_panic(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let _ = (listening_ports(&text), listening_sockets(&text));
            let _ = (of_command_line(&bytes), of_socket(&text));
        }
    }
}
