//! What a misspelt name may mean.

/// Names that differ by more are others.
const LIKENESS_MIN: f64 = 0.8;

/// The name of a list that is most like what was written, if one is.
#[must_use]
pub fn of<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(written, name);
    let found = names.into_iter().map(|name| (likeness(name), name));
    let best = found.max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).map(|(_, name)| name)
}

/// The same for the message of a parser that names what was written and then all that it knows, each
/// between backticks. It only makes a hint.
#[must_use]
pub fn of_message(message: &str) -> Option<&str> {
    let mut names = message.split('`').skip(1).step_by(2);
    let written = names.next().filter(|_| message.contains("unknown"))?;
    of(written, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_like_one_name_is_that() {
        let message = "unknown field `exlude`, expected one of `name`, `paths`, `exclude`";
        assert_eq!(of_message(message), Some("exclude"));
        assert_eq!(of_message("unknown field `zzz`, expected one of `name`, `paths`"), None);
        assert_eq!(of_message("invalid type: `a`, expected `ab`"), None);
        assert_eq!(of("", ["a"]), None);
    }
}
