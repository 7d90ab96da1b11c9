//! Versions of servers and tools, read from what they say of themselves.

use std::fmt;

/// Who made a server or a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// PostgreSQL.
    Postgresql,
    /// MariaDB.
    Mariadb,
    /// MySQL, or something that says nothing else.
    Mysql,
}

/// A version, as far as it decides who can read what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
}

impl Version {
    /// From its two numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// The release as its makers count: `15` of PostgreSQL, `9.6` of old ones, `10.11` of MariaDB.
    #[must_use]
    pub fn release(self, maker: Maker) -> Self {
        match maker {
            Maker::Postgresql if self.major >= 10 => Self { major: self.major, minor: 0 },
            _ => self,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            0 => write!(f, "{}", self.major),
            minor => write!(f, "{}.{minor}", self.major),
        }
    }
}

/// From `server_version_num`: 150013, or 90624 of old servers.
#[must_use]
pub fn of_number(number: u32) -> Version {
    match number {
        0..100_000 => Version::new(number / 10_000, number / 100 % 100),
        number => Version::new(number / 10_000, number % 10_000),
    }
}

/// From what `pg_dump --version` prints: `pg_dump (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)`.
#[must_use]
pub fn of_postgresql_tool(printed: &str) -> Option<Version> {
    let (_, behind) = printed.split_once("(PostgreSQL)")?;
    first_version(behind)
}

/// From what `mariadb-dump --version` or `mysqldump --version` prints, of which there are three forms:
/// `mysqldump  Ver 10.19 Distrib 10.11.11-MariaDB, for …`, `mariadb-dump from 11.4.2-MariaDB, client
/// 10.19 for …`, and `mysqldump  Ver 8.0.36 for Linux on …`.
#[must_use]
pub fn of_mysql_tool(printed: &str) -> Option<(Maker, Version)> {
    let maker = if printed.contains("MariaDB") { Maker::Mariadb } else { Maker::Mysql };
    let behind = ["Distrib ", " from ", "Ver "]
        .iter()
        .find_map(|word| printed.split_once(word).map(|(_, behind)| behind))?;
    Some((maker, first_version(behind)?))
}

/// From `SELECT VERSION()`: `10.11.11-MariaDB-0+deb12u1`, `8.0.36`; servers that hide behind an old
/// number say `5.5.5-10.11.11-MariaDB`.
#[must_use]
pub fn of_mysql_server(said: &str) -> Option<(Maker, Version)> {
    let maker = if said.contains("MariaDB") { Maker::Mariadb } else { Maker::Mysql };
    let plain = said.strip_prefix("5.5.5-").filter(|_| maker == Maker::Mariadb).unwrap_or(said);
    Some((maker, first_version(plain)?))
}

fn first_version(text: &str) -> Option<Version> {
    let begin = text.find(|one: char| one.is_ascii_digit())?;
    let digits = |text: &str| text.find(|one: char| !one.is_ascii_digit()).unwrap_or(text.len());
    let text = &text[begin..];
    let (major, rest) = text.split_at(digits(text));
    let minor = rest.strip_prefix('.').map_or("", |rest| &rest[..digits(rest)]);
    Some(Version::new(major.parse().ok()?, minor.parse().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_tools_and_servers_say_is_read() {
        let debian = "pg_dump (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)";
        assert_eq!(of_postgresql_tool(debian), Some(Version::new(15, 13)));
        assert_eq!(of_postgresql_tool("pg_dump (PostgreSQL) 17beta1"), Some(Version::new(17, 0)));
        assert_eq!(of_postgresql_tool("command not found"), None);
        assert_eq!(of_number(150_013).release(Maker::Postgresql).to_string(), "15");
        assert_eq!(of_number(90_624).release(Maker::Postgresql).to_string(), "9.6");
        let maria = |major, minor| Some((Maker::Mariadb, Version::new(major, minor)));
        let old = "mysqldump  Ver 10.19 Distrib 10.11.11-MariaDB, for debian-linux-gnu (x86_64)";
        assert_eq!(of_mysql_tool(old), maria(10, 11));
        let new = "mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)";
        assert_eq!(of_mysql_tool(new), maria(11, 4));
        let mysql = "mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)";
        assert_eq!(of_mysql_tool(mysql), Some((Maker::Mysql, Version::new(8, 0))));
        assert_eq!(of_mysql_server("5.5.5-10.11.11-MariaDB-1:10.11"), maria(10, 11));
        assert_eq!(of_mysql_server("8.0.36"), Some((Maker::Mysql, Version::new(8, 0))));
    }

    proptest! {
        #[test]
        fn numbers_come_back_and_nothing_panics(
            major in 0_u32..1000, minor in 0_u32..1000, noise in any::<String>(),
        ) {
            let printed = format!("pg_dump (PostgreSQL) {major}.{minor} (noise)");
            prop_assert_eq!(of_postgresql_tool(&printed), Some(Version::new(major, minor)));
            let said = format!("{major}.{minor}.7-MariaDB");
            prop_assert_eq!(of_mysql_server(&said), Some((Maker::Mariadb, Version::new(major, minor))));
            let _ = (of_postgresql_tool(&noise), of_mysql_tool(&noise), of_mysql_server(&noise));
        }
    }
}
