//! Options of `database`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, Subcommand, ValueEnum};

use crate::args::epilogue;
use crate::args::filter::FilterArgs;
use crate::args::values::{self, Selector, TagSet};
use crate::database::preset::Preset;
use crate::fault::ExitCode;

/// Dump databases into snapshots, restore them under a new name, prove that they come back
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct DatabaseArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DatabaseCommand,
}

/// What can be done with databases.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum DatabaseCommand {
    /// Find servers, data folders and SQLite files of this machine, and say what to write into the
    /// configuration
    Detect,
    /// Make a snapshot of databases, with the rows of each table counted
    Dump(Box<DatabaseDumpArgs>),
    /// Restore a database under a new name; nothing that is there is changed
    Restore(Box<DatabaseRestoreArgs>),
    /// Restore into a private server and compare the rows of each table with those that were dumped
    Drill(Box<DatabaseDrillArgs>),
}

/// Make a snapshot of databases, with the rows of each table counted
///
/// The tools of the server are used, of a version that fits it. A dump that is empty, not whole, or much
/// smaller than the one before fails, and no snapshot is made. Without names all databases are dumped,
/// each into a file of its own; files of SQLite must be named. Behind -- stand names, and options of psql
/// or mariadb that say where the server is. Passwords come from a file, never from the command line.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay database dump --preset postgresql --source shop -- shop\n\
     mainstay database dump --preset mariadb --source web --server backup@/run/mysqld/mysqld.sock \
     --login-file /etc/mainstay/web.cnf\n\
     mainstay database dump --preset sqlite --source app -- /var/lib/app/app.db",
    &[ExitCode::Busy],
))]
pub struct DatabaseDumpArgs {
    /// The kind of database
    #[arg(long, value_enum, value_name = "PRESET")]
    pub preset: Preset,

    /// Name of the source: the folder in the snapshot, and its tag source=NAME
    #[arg(long, value_name = "NAME", value_parser = source_name)]
    pub source: String,

    /// Where the server is.
    #[command(flatten)]
    pub place: PlaceArgs,

    /// Host name of the snapshot, if not this machine's
    #[arg(short = 'H', long, value_name = "HOST", value_parser = values::host)]
    pub host: Option<String>,

    /// More tags of the snapshot (a,b; may be repeated)
    #[arg(long, value_name = "TAG[,TAG…]")]
    pub tag: Vec<TagSet>,

    /// Make a snapshot although there is no table
    #[arg(long)]
    pub allow_empty: bool,

    /// Make a snapshot although tables, rows or half of the bytes are gone since the last dump
    #[arg(long)]
    pub allow_shrunken: bool,

    /// Store nothing; say what would be stored
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Folder for the copy of a SQLite file [default: that of temporary files]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,

    /// Names of databases or paths of SQLite files; options of psql or mariadb that say where the server
    /// is
    #[arg(value_name = "ARGS", last = true)]
    pub words: Vec<OsString>,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct PlaceArgs {
    /// The server: [USER@]HOST[:PORT], [USER@]/SOCKET, or "host=… port=… user=…"
    #[arg(long, value_name = "SERVER")]
    pub server: Option<String>,

    /// File of mode 0600 with the password: as .pgpass, or with a section [client]
    #[arg(long, value_name = "FILE")]
    pub login_file: Option<PathBuf>,
}

/// Restore a database under a new name; nothing that is there is changed
///
/// Into the server that the tools find by themselves, or that --server names. What cannot be restored
/// wholly leaves nothing behind. Of SQLite the new name is the path of a file.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay database restore latest --source shop --as shop_tuesday\n\
     mainstay database restore 4f0c2a11 --source shop --database orders --as orders --server /run/postgresql",
    &[ExitCode::Damage, ExitCode::Refused],
))]
pub struct DatabaseRestoreArgs {
    /// Which snapshot
    #[arg(value_name = "SNAP")]
    pub snapshot: Selector,

    /// Name of the source
    #[arg(long, value_name = "NAME", value_parser = source_name)]
    pub source: String,

    /// Name that the database gets; it must not be there
    #[arg(long = "as", value_name = "NEWNAME")]
    pub new_name: String,

    /// Which database of the snapshot, if it has several
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,

    /// Where the server is.
    #[command(flatten)]
    pub place: PlaceArgs,

    /// Everything belongs to whoever restores it, and nobody else has rights
    #[arg(long, conflicts_with = "create_roles")]
    pub no_owner: bool,

    /// Make roles that are missing, without login and password
    #[arg(long)]
    pub create_roles: bool,

    /// What `latest` means.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Restore into a private server and compare the rows of each table with those that were dumped
///
/// The server has no network and a socket in a folder of its own, runs as a user without rights if this
/// is root, and is gone afterwards with its data. Functions and triggers that are in the dump run in it.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay database drill latest --source shop\n\
     mainstay database drill latest --source shop --scratch /srv/scratch --json",
    &[ExitCode::DrillFailed],
))]
pub struct DatabaseDrillArgs {
    /// Which snapshot
    #[arg(value_name = "SNAP")]
    pub snapshot: Selector,

    /// Name of the source
    #[arg(long, value_name = "NAME", value_parser = source_name)]
    pub source: String,

    /// Only this database of the snapshot
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,

    /// Folder for the private server [default: that of temporary files]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,

    /// What `latest` means.
    #[command(flatten)]
    pub filter: FilterArgs,
}

impl ValueEnum for Preset {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// A name that is a tag and the name of a folder.
fn source_name(text: &str) -> Result<String, String> {
    let is_bad = |one: char| one.is_control() || one == '/' || one == ',';
    match text {
        "" | "." | ".." => Err("it is no name".to_owned()),
        text if text.contains(is_bad) => {
            Err("it has a slash, a comma or control characters in it".to_owned())
        }
        text if text.trim() != text => Err("it begins or ends with a space".to_owned()),
        text => values::label(text).map_err(|error| error.to_string()),
    }
}
