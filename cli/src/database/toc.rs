//! The table of contents of a dump in PostgreSQL's custom format, as `pg_restore --list` prints it.

/// What a dump says that it contains.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// How many entries it has, as it says itself.
    pub entries: u64,
    /// Lines of data of tables, as `schema table owner`: a name with blanks in it is not quoted, so
    /// nothing but the whole line can be compared.
    pub data: Vec<String>,
}

impl Contents {
    /// Reads the list; nothing if it is none.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        let entries = list
            .lines()
            .filter(|line| line.starts_with(';'))
            .find_map(|line| line.trim_start_matches([';', ' ']).strip_prefix("TOC Entries: "));
        let entries = entries?.trim().parse().ok()?;
        let data = list.lines().filter(|line| !line.starts_with(';'));
        let data = data.filter_map(|line| line.split_once(" TABLE DATA ").map(|(_, rest)| rest));
        Some(Self { entries, data: data.map(str::to_owned).collect() })
    }

    /// Whether the data of a table is in it.
    #[must_use]
    pub fn has(&self, schema: &str, table: &str) -> bool {
        // The tool writes a line break in a name as a blank.
        let plain = |name: &str| name.replace(['\n', '\r'], " ");
        let wanted = format!("{} {} ", plain(schema), plain(table));
        self.data.iter().any(|line| line.starts_with(&wanted))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIST: &str = ";\n; Archive created at 2026-11-30 01:30:00 UTC\n;     dbname: shop\n\
        ;     TOC Entries: 12\n;     Compression: 0\n;\n\
        215; 1259 16390 TABLE public orders postgres\n\
        3343; 0 16390 TABLE DATA public orders postgres\n\
        3344; 0 16395 TABLE DATA odd schema two words owner\n";

    #[test]
    fn tables_with_data_are_found() {
        let contents = Contents::parse(LIST).expect("a list");
        assert_eq!(contents.entries, 12);
        assert!(contents.has("public", "orders"));
        assert!(contents.has("odd schema", "two words"));
        assert!(!contents.has("public", "order"));
        assert!(Contents::parse("").is_none());
    }

    proptest! {
        #[test]
        fn whatever_comes_does_not_panic(list in any::<String>(), name in any::<String>()) {
            let contents = Contents::parse(&list).unwrap_or_default();
            let _ = contents.has(&name, &name);
        }
    }
}
