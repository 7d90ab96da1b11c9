//! Settings of a store as people leave them: with the line break of a file at their end.
//!
//! Most become parts of headers and URLs, where a stray byte would be a refused signature, or a
//! panic somewhere below. White space around a value is nobody's intention and goes; white space
//! and control characters within one are refused by the name of the setting.

/// Variables whose value may hold anything that text can: documents.
const DOCUMENTS: [&str; 1] = ["GOOGLE_SERVICE_ACCOUNT_KEY"];
/// Parts of the names of variables whose value is one word.
const WORDS: [&str; 9] =
    ["KEY", "SECRET", "TOKEN", "REGION", "ENDPOINT", "ACCOUNT", "BUCKET", "CLIENT_ID", "TENANT"];

/// The same variables with clean values.
///
/// # Errors
/// Why a value cannot be used, with the name of its setting and without the value.
pub(crate) fn clean(environment: &[(String, String)]) -> Result<Vec<(String, String)>, String> {
    let mut cleaned = Vec::with_capacity(environment.len());
    for (name, value) in environment {
        let upper = name.to_ascii_uppercase();
        let value = if DOCUMENTS.contains(&upper.as_str()) {
            value.clone()
        } else if upper.ends_with("_FILE") || !WORDS.iter().any(|part| upper.contains(part)) {
            line(name, value)?
        } else {
            word(name, value)?
        };
        cleaned.push((name.clone(), value));
    }
    Ok(cleaned)
}

/// A value without white space.
pub(crate) fn word(name: &str, value: &str) -> Result<String, String> {
    let value = line(name, value)?;
    match value.chars().find(|c| !c.is_ascii_graphic()) {
        None => Ok(value),
        Some(c) => Err(format!("{name} holds {}, which cannot be part of it", called(c))),
    }
}

fn line(name: &str, value: &str) -> Result<String, String> {
    let value = value.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    match value.chars().find(|c| c.is_control()) {
        None => Ok(value.to_owned()),
        Some(c) => Err(format!("{name} holds {}, which cannot be part of it", called(c))),
    }
}

fn called(c: char) -> String {
    match c {
        '\n' | '\r' => "a line break".to_owned(),
        ' ' => "a space".to_owned(),
        '\t' => "a tab".to_owned(),
        other => format!("the character U+{:04X}", u32::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(name: &str, value: &str) -> Result<String, String> {
        let cleaned = clean(&[(name.to_owned(), value.to_owned())])?;
        Ok(cleaned[0].1.clone())
    }

    #[test]
    fn white_space_around_goes_and_within_is_refused_by_name() {
        for value in ["us-east-1", "us-east-1\n", " us-east-1\r\n", "\u{feff}us-east-1\t"] {
            assert_eq!(one("AWS_REGION", value).as_deref(), Ok("us-east-1"));
        }
        for (name, value, words) in [
            ("AWS_ACCESS_KEY_ID", "AK\rID", "a line break"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2 x", "a space"),
            ("AWS_SESSION_TOKEN", "hunter2\u{a0}x", "U+00A0"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "ä", "U+00E4"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/a\nb", "a line break"),
        ] {
            let why = one(name, value).expect_err(name);
            assert!(why.contains(name) && why.contains(words), "{why}");
            assert!(!why.contains("hunter2"), "{why}");
        }
        let path = one("AWS_WEB_IDENTITY_TOKEN_FILE", "/my files/ä\n");
        assert_eq!(path.as_deref(), Ok("/my files/ä"));
        let document = "{\n \"a\": 1\n}\n";
        assert_eq!(one("GOOGLE_SERVICE_ACCOUNT_KEY", document).as_deref(), Ok(document));
    }

    proptest! {
        #[test]
        fn what_passes_is_safe_in_a_header(value in any::<String>()) {
            if let Ok(value) = one("AWS_ACCESS_KEY_ID", &value) {
                prop_assert!(value.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
