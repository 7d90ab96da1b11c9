//! Names of databases and tables where they must be quoted: in SQL, in connection strings, as files.

use std::collections::BTreeSet;

/// Longest name of a file that is made from the name of a database, in bytes.
const FILE_NAME_MAX_BYTES: usize = 200;

/// An identifier in standard SQL: `"name"`.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// An identifier as MariaDB and MySQL quote it: `` `name` ``.
#[must_use]
pub fn backticked(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in PostgreSQL, whatever `standard_conforming_strings` says.
#[must_use]
pub fn literal(text: &str) -> String {
    format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A text in MariaDB and MySQL, whatever `sql_mode` says.
#[must_use]
pub fn hex_literal(text: &str) -> String {
    match text {
        "" => "''".to_owned(),
        text => {
            let digits = data_encoding::HEXLOWER.encode(text.as_bytes());
            format!("CONVERT(x'{digits}' USING utf8mb4)")
        }
    }
}

/// A connection string for a database: the tools take a plain name with `=` in it for one.
#[must_use]
pub fn connection(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A name for the file of a database: what no file name has becomes `%XX`; unique beside `taken`.
#[must_use]
pub fn file(database: &str, ending: &str, taken: &BTreeSet<String>) -> String {
    let mut stem = String::new();
    for one in database.chars() {
        let is_plain = !one.is_control() && one != '/' && one != '%';
        let is_hidden = one == '.' && stem.is_empty();
        if is_plain && !is_hidden {
            stem.push(one);
        } else {
            let mut bytes = [0; 4];
            for byte in one.encode_utf8(&mut bytes).bytes() {
                stem.push_str(&format!("%{byte:02X}"));
            }
        }
        if stem.len() > FILE_NAME_MAX_BYTES {
            break;
        }
    }
    let plain = format!("{stem}.{ending}");
    let numbered = (2..u32::MAX).map(|number| format!("{stem}-{number}.{ending}"));
    let mut all = std::iter::once(plain).chain(numbered);
    all.find(|name| !taken.contains(name)).unwrap_or_default()
}

/// Undoes the escapes of the batch mode of `mariadb` and `mysql`: `\n`, `\t`, `\0`, `\\`.
#[must_use]
pub fn unescaped(field: &str) -> String {
    let mut plain = String::with_capacity(field.len());
    let mut letters = field.chars();
    while let Some(one) = letters.next() {
        match one {
            '\\' => match letters.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some('0') => plain.push('\0'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            one => plain.push(one),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a quoted text back as a lexer does that knows doubled quotes alone.
    fn unquoted(text: &str, quote: char) -> Option<String> {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        let doubled = format!("{quote}{quote}");
        let alone = inner.replace(&doubled, "");
        (!alone.contains(quote)).then(|| inner.replace(&doubled, &quote.to_string()))
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(name in any::<String>()) {
            let (standard, ticked) = (identifier(&name), backticked(&name));
            prop_assert_eq!(unquoted(&standard, '"'), Some(name.clone()));
            prop_assert_eq!(unquoted(&ticked, '`'), Some(name.clone()));
        }

        #[test]
        fn a_text_in_hex_has_no_quote_of_its_own(text in any::<String>()) {
            let quoted = hex_literal(&text);
            prop_assert_eq!(quoted.matches('\'').count(), 2);
        }

        #[test]
        fn a_file_name_is_one(name in any::<String>(), other in any::<String>()) {
            let mut taken = BTreeSet::new();
            let first = file(&name, "sql", &taken);
            taken.insert(first.clone());
            let second = file(&other, "sql", &taken);
            prop_assert_ne!(&first, &second);
            for name in [first, second] {
                prop_assert!(!name.contains(['/', '\0']) && !name.starts_with('.') || name == ".sql");
                prop_assert!(name.len() < 250);
            }
        }

        #[test]
        fn escapes_of_batch_mode_come_back(text in any::<String>()) {
            let escaped = text
                .replace('\\', "\\\\")
                .replace('\n', "\\n")
                .replace('\t', "\\t")
                .replace('\0', "\\0");
            prop_assert_eq!(unescaped(&escaped), text);
        }
    }
}
