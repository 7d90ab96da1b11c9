//! The kinds of databases that this program knows how to dump, restore and drill.

use std::fmt;

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preset {
    /// PostgreSQL: one file per database in the custom format, roles apart.
    Postgresql,
    /// MariaDB: one file of SQL per database, users apart.
    Mariadb,
    /// MySQL, with its own tools.
    Mysql,
    /// Files of SQLite.
    Sqlite,
    /// MongoDB.
    Mongodb,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Postgresql, Self::Mariadb, Self::Mysql, Self::Sqlite, Self::Mongodb];

    /// The word that users write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
            Self::Sqlite => "sqlite",
            Self::Mongodb => "mongodb",
        }
    }

    /// The preset of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// What people call it.
    #[must_use]
    pub const fn product(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Mariadb => "MariaDB",
            Self::Mysql => "MySQL",
            Self::Sqlite => "SQLite",
            Self::Mongodb => "MongoDB",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
