//! `counts.json`: what a dump is of, beside the dump in its snapshot. A restore goes by it and not by
//! today's configuration; a drill compares with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Its name in the folder of the source.
pub const FILE: &str = "counts.json";
/// The form that this program writes.
pub const FORMAT: u32 = 1;
/// No honest one is larger: a million tables.
pub const MAX_BYTES: u64 = 256 << 20;

/// Rows by schema and table.
pub type Rows = BTreeMap<(String, String), u64>;

/// What one run has dumped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The preset.
    pub preset: String,
    /// Name of the source.
    pub source: String,
    /// Version of the server in its own words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server_version: String,
    /// First and second number of it.
    #[serde(default)]
    pub server_release: (u32, u32),
    /// The tool that made the dump, with its version in its own words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tool_version: String,
    /// The file with roles or users, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<String>,
    /// How the server compares names of tables (`lower_case_table_names`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_case_table_names: Option<u8>,
    /// The databases.
    pub databases: Vec<Database>,
}

/// One database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name; of SQLite its path.
    pub name: String,
    /// Name of the file with its dump.
    pub file: String,
    /// `custom`, `sql` or `sqlite`: which program reads it.
    pub form: String,
    /// Size of that file.
    pub bytes: u64,
    /// Its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its encoding or character set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Its order of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collate: Option<String>,
    /// Its classes of letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctype: Option<String>,
    /// Where these come from: `c` the system, `i` ICU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The locale of ICU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icu_locale: Option<String>,
    /// Roles that own something in it or have rights there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Large objects.
    #[serde(default)]
    pub large_objects: u64,
    /// Rows of each table.
    pub tables: Vec<Table>,
}

/// Rows of a table while it was dumped: a range if they were not counted in the dump's transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its schema, where databases have some.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// Its name.
    pub name: String,
    /// At least so many.
    pub rows_min: u64,
    /// At most so many.
    pub rows_max: u64,
}

impl Table {
    /// As people write it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.schema.as_str() {
            "" => self.name.clone(),
            schema => format!("{schema}.{}", self.name),
        }
    }
}

impl Manifest {
    /// Reads one.
    ///
    /// # Errors
    /// In words, if it is none or is newer than this program.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match manifest.format {
            FORMAT => Ok(manifest),
            other => Err(format!("it has the form {other}, and this program reads form {FORMAT}")),
        }
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Tables of all databases.
    #[must_use]
    pub fn table_count(&self) -> u64 {
        self.databases.iter().map(|one| one.tables.len() as u64).sum()
    }

    /// Rows of all tables, at least.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        let rows = self.databases.iter().flat_map(|one| &one.tables).map(|table| table.rows_min);
        rows.fold(0, u64::saturating_add)
    }

    /// What shrank so much since `before` that it looks like a loss, in words.
    #[must_use]
    pub fn shrunken(&self, before: &Self) -> Vec<String> {
        let mut reasons = Vec::new();
        for old in &before.databases {
            let rows = |one: &Database| {
                one.tables.iter().map(|table| table.rows_min).fold(0, u64::saturating_add)
            };
            let Some(new) = self.databases.iter().find(|one| one.name == old.name) else {
                reasons.push(format!("the database {:?} is not there any more", old.name));
                continue;
            };
            if new.tables.is_empty() && !old.tables.is_empty() {
                let count = old.tables.len();
                reasons.push(format!("{:?} has no table any more, and had {count}", old.name));
            } else if rows(new) == 0 && rows(old) > 0 {
                reasons.push(format!("{:?} has no row any more, and had {}", old.name, rows(old)));
            } else if new.bytes < old.bytes / 2 && old.bytes >= SHRINK_FLOOR_BYTES {
                let (old_bytes, new_bytes) = (old.bytes, new.bytes);
                reasons.push(format!(
                    "the dump of {:?} has {new_bytes} bytes, and had {old_bytes}",
                    old.name
                ));
            }
        }
        reasons
    }
}

/// Dumps smaller than this may shrink: hardly anything in them is data.
const SHRINK_FLOOR_BYTES: u64 = 64 << 10;

/// How a database that came back differs from the one that was dumped, in words; `found` are rows by
/// schema and table.
#[must_use]
pub fn differences(wanted: &Database, found: &Rows, large_objects: u64) -> Vec<String> {
    let mut words = Vec::new();
    for table in &wanted.tables {
        let (low, high) = (table.rows_min, table.rows_max);
        let name = table.shown();
        let range = if low == high { low.to_string() } else { format!("{low} to {high}") };
        match found.get(&(table.schema.clone(), table.name.clone())) {
            None => words.push(format!("{name} is missing, and had {range} rows")),
            Some(rows) if !(low..=high).contains(rows) => {
                words.push(format!("{name} has {rows} rows, and had {range}"));
            }
            Some(_) => {}
        }
    }
    if large_objects != wanted.large_objects {
        words.push(format!(
            "there are {large_objects} large objects, and there were {}",
            wanted.large_objects
        ));
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tables() -> impl Strategy<Value = BTreeMap<(String, String), u64>> {
        proptest::collection::btree_map(("[a-c]{0,2}", "\\PC{1,6}"), 1_u64..1000, 1..8)
    }

    fn database(rows: &BTreeMap<(String, String), u64>) -> Database {
        let table = |((schema, name), rows): (&(String, String), &u64)| Table {
            schema: schema.clone(),
            name: name.clone(),
            rows_min: *rows,
            rows_max: *rows,
        };
        let tables = rows.iter().map(table).collect();
        Database { name: "d".to_owned(), bytes: 1 << 20, tables, ..Database::default() }
    }

    proptest! {
        #[test]
        fn every_missing_row_and_table_is_found(rows in tables(), at in any::<prop::sample::Index>()) {
            let wanted = database(&rows);
            prop_assert!(differences(&wanted, &rows, 0).is_empty());
            let key = rows.keys().nth(at.index(rows.len())).cloned().unwrap_or_default();
            let mut fewer = rows.clone();
            fewer.entry(key.clone()).and_modify(|rows| *rows -= 1);
            prop_assert_eq!(differences(&wanted, &fewer, 0).len(), 1);
            fewer.remove(&key);
            prop_assert_eq!(differences(&wanted, &fewer, 0).len(), 1);
            prop_assert_eq!(differences(&wanted, &rows, 1).len(), 1);
        }

        #[test]
        fn a_manifest_comes_back(rows in tables()) {
            let databases = vec![database(&rows)];
            let manifest = Manifest { format: FORMAT, databases, ..Manifest::default() };
            prop_assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest.clone()));
            prop_assert!(manifest.shrunken(&manifest).is_empty());
            let mut less = manifest.clone();
            less.databases[0].bytes /= 3;
            prop_assert_eq!(less.shrunken(&manifest).len(), 1);
            less.databases[0].tables.clear();
            prop_assert_eq!(less.shrunken(&manifest).len(), 1);
            less.databases.clear();
            prop_assert_eq!(less.shrunken(&manifest).len(), 1);
        }

        #[test]
        fn whatever_comes_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Manifest::parse(&bytes);
        }
    }
}
