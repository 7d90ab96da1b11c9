//! Where the tools of databases are on this machine, and whether they fit a server.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::database::preset::Preset;
use crate::database::program::Workshop;
use crate::database::version::{self, Maker, Version};
use crate::fault::{ExitCode, Fault};

/// Folders of programs that are not in everybody's `PATH`.
const MORE_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"];
/// Where packages put one folder per release of PostgreSQL, `*` being the release.
const POSTGRESQL_FOLDERS: [(&str, &str); 2] = [("/usr/lib/postgresql", "bin"), ("/usr", "bin")];

/// A program in the folders of `PATH` and in a few that users do not have there.
#[must_use]
pub fn in_path(workshop: &Workshop, name: &str) -> Option<PathBuf> {
    let path = workshop.variable("PATH").unwrap_or_default();
    let folders = std::env::split_paths(path).chain(MORE_FOLDERS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// Folders with programs of PostgreSQL by release, newest first.
#[must_use]
pub fn postgresql_folders() -> Vec<(u32, PathBuf)> {
    let mut found = Vec::new();
    for (parent, inner) in POSTGRESQL_FOLDERS {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let release = name.strip_prefix("pgsql-").unwrap_or(&name).parse::<u32>();
            let folder = entry.path().join(inner);
            if let (Ok(release), true) = (release, folder.is_dir()) {
                found.push((release, folder));
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| other.cmp(one));
    found
}

/// A tool of PostgreSQL, of any release.
///
/// # Errors
/// A fault that says what to install.
pub fn postgresql(workshop: &Workshop, name: &str) -> Result<PathBuf, Fault> {
    let newest = || postgresql_folders().into_iter().map(|(_, folder)| folder.join(name));
    let found = in_path(workshop, name).or_else(|| newest().find(|path| is_program(path)));
    found.ok_or_else(|| missing(name, "postgresql-client"))
}

/// A tool of the same release as another one: from the same folder, if it is there.
///
/// # Errors
/// A fault that says what to install.
pub fn beside(workshop: &Workshop, program: &Path, name: &str) -> Result<PathBuf, Fault> {
    let beside = program.with_file_name(name);
    if is_program(&beside) { Ok(beside) } else { postgresql(workshop, name) }
}

/// A tool of a release that fits a server: its own, or else a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitting {
    /// The tool.
    pub program: PathBuf,
    /// What it says of itself.
    pub said: String,
    /// Its version.
    pub version: Version,
}

/// `name` of a release that can talk to a server of version `server`: an older one refuses that, and
/// what a newer one writes an older server may not read.
///
/// # Errors
/// A fault that says what to install.
pub fn fitting(workshop: &Workshop, name: &str, server: Version) -> Result<Fitting, Fault> {
    let release = server.release(Maker::Postgresql);
    let first = in_path(workshop, name);
    let others = postgresql_folders().into_iter().map(|(_, folder)| folder.join(name));
    let mut best: Option<Fitting> = None;
    let mut oldest: Option<Version> = None;
    for program in first.into_iter().chain(others.filter(|path| is_program(path))) {
        let said = workshop.tool(&program).args(["--version"]).output(b"")?;
        let Some(version) = version::of_postgresql_tool(&said) else { continue };
        let own = version.release(Maker::Postgresql);
        let said = said.trim().to_owned();
        if own == release {
            return Ok(Fitting { program, said, version });
        }
        oldest = oldest.max(Some(own));
        let is_better = best.as_ref().is_none_or(|best| version < best.version);
        if own > release && is_better {
            best = Some(Fitting { program, said, version });
        }
    }
    match (best, oldest) {
        (Some(best), _) => Ok(best),
        (None, None) => Err(missing(name, "postgresql-client")),
        (None, Some(own)) => Err(Fault::new(
            ExitCode::Failed,
            "E_DATABASE",
            format!(
                "{name} is of version {own} and the server of version {release}: a client that is \
                 older than its server cannot dump it"
            ),
        )
        .hint(format!(
            "install the client of the server's version (package postgresql-client-{release}); it \
             is found in /usr/lib/postgresql/{release}/bin by itself"
        ))),
    }
}

/// A tool of MariaDB or MySQL.
///
/// # Errors
/// A fault that says what to install.
pub fn mysql(
    workshop: &Workshop,
    preset: Preset,
    own: &str,
    shared: &str,
) -> Result<PathBuf, Fault> {
    let names: &[&str] = if preset == Preset::Mysql { &[shared] } else { &[own, shared] };
    let package = if preset == Preset::Mysql { "default-mysql-client" } else { "mariadb-client" };
    let found = names.iter().find_map(|name| in_path(workshop, name));
    found.ok_or_else(|| missing(names[0], package))
}

/// That something has to be installed.
#[must_use]
pub fn missing(name: &str, package: &str) -> Fault {
    let words = format!("the program {name} is not on this machine");
    Fault::new(ExitCode::Failed, "E_DATABASE", words)
        .hint(format!("install it (package {package}), or put its folder into PATH"))
}
