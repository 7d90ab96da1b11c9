//! A file with variables for what happens by itself: `NAME=value`, as systemd reads it.

use std::ffi::OsString;
use std::path::Path;

use crate::config::secret;
use crate::fault::Fault;

/// Reads the variables; blank lines and those that begin with `#` or `;` say nothing.
///
/// # Errors
/// A fault of usage for a line that is not understood, never with what stands in it; a refusal for a
/// file that others can read, because credentials are in it.
pub fn read(path: &Path) -> Result<Vec<(OsString, OsString)>, Fault> {
    secret::check_private(path)?;
    let unreadable = |error: &std::io::Error| {
        Fault::usage(format!("cannot read the environment file {}", path.display())).because(error)
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
    let text = secret::read_bounded(file).map_err(|error| unreadable(&error))?;
    let wrong = |line: usize, what: &str| {
        Fault::usage(format!("{}, line {}: {what}", path.display(), line + 1))
            .hint("write one NAME=value a line")
    };
    let text = std::str::from_utf8(&text).map_err(|_| wrong(0, "not UTF-8"))?;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(wrong(number, "no `=` in it"));
        };
        let name = name.trim();
        let is_name = !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return Err(wrong(number, "what stands before the `=` is no name of a variable"));
        }
        let value = value.trim();
        let value = match value.starts_with(['"', '\'']) {
            false => value.to_owned(),
            true => match shlex::split(value).as_deref() {
                Some([word]) => word.clone(),
                _ => return Err(wrong(number, "its quotes do not go around the whole value")),
            },
        };
        found.push((name.into(), value.into()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read_text(text: &str) -> Result<Vec<(OsString, OsString)>, Fault> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        read(file.path())
    }

    #[test]
    fn lines_are_names_and_values() {
        let text = "# keys\n\nAWS_ACCESS_KEY_ID=abc\n A = 'b c' \nE=\nF=a=b\n";
        let found = read_text(text).expect("understood");
        let expected = [("AWS_ACCESS_KEY_ID", "abc"), ("A", "b c"), ("E", ""), ("F", "a=b")];
        let expected = expected.map(|(name, value)| (name.into(), value.into()));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_wrong_is_named_without_the_secret() {
        for text in ["hunter2", "1A=hunter2", "A B=hunter2", "A='hunter2", "=hunter2"] {
            let fault = read_text(text).expect_err(text);
            assert!(fault.message().contains("line 1"), "{}", fault.message());
            assert!(!fault.message().contains("hunter2"), "{}", fault.message());
        }
    }
}
