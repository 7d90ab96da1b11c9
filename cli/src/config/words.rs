//! Recovery words as people keep them: on one line, on several, numbered, or in the kit itself.
//!
//! Words are told from a passphrase by their number and by the list that they come from. What
//! looks like them is judged here, before anything is stretched: the word that is not in the list
//! is named, with those that may have been meant.

use engine::crypt::error::CryptError;
use engine::crypt::phrase;
use zeroize::Zeroizing;

use crate::fault::Fault;

/// First line of a kit.
pub const KIT_TITLE: &str = "MAINSTAY RECOVERY KIT";
/// What stands above the words in a kit.
pub const KIT_WORDS: &str = "Recovery words:";
/// Words of a repository.
const WORD_COUNT: usize = 24;
/// Of 23 to 25 words, so many in the list make recovery words with a slip in them.
const KNOWN_LEAST: usize = 20;

/// The words in `text`, with single spaces between them: those of a kit, or all of a text that
/// looks like recovery words. `None` for anything else, which is a passphrase.
#[must_use]
pub fn gather(text: &str) -> Option<Zeroizing<String>> {
    if is_kit(text) {
        let text = unquoted(text);
        let (_, below) = text.split_once(KIT_WORDS)?;
        let lines = below.lines().skip_while(|line| line.trim().is_empty());
        let lines = lines.take_while(|line| !line.trim().is_empty());
        let words = join(lines.flat_map(str::split_whitespace));
        return (!words.is_empty()).then_some(words);
    }
    let text = unquoted(text);
    let words = join(text.split(is_between).filter(|word| !word.is_empty()));
    let count = words.split(' ').count();
    let known_count = words.split(' ').filter(|word| phrase::is_word(word)).count();
    let is_close = count.abs_diff(WORD_COUNT) <= 1 && known_count >= KNOWN_LEAST;
    is_close.then_some(words)
}

/// Whether it begins as a kit does.
#[must_use]
pub fn is_kit(text: &str) -> bool {
    text.trim_start_matches(is_before).starts_with(KIT_TITLE)
}

/// What stands before a line that a mail program has quoted.
fn is_before(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '>' | '\u{feff}')
}

/// The same text as before a mail program quoted it.
fn unquoted(text: &str) -> Zeroizing<String> {
    let lines: Vec<&str> = text.lines().map(|line| line.trim_start_matches(is_before)).collect();
    Zeroizing::new(lines.join("\n"))
}

/// The lines of a text as before a mail program quoted it.
#[must_use]
pub fn plain_lines(text: &str) -> Zeroizing<String> {
    unquoted(text)
}

/// What people write between words, lists with commas among it.
fn is_between(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, ',' | ';' | '-')
}

/// Words without the numbers before them; one of four letters stands for the word that begins so.
fn join<'a>(words: impl Iterator<Item = &'a str>) -> Zeroizing<String> {
    let is_number = |word: &str| {
        let digits = word.trim_end_matches(['.', ')', ':']);
        digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let whole = |word: &'a str| match phrase::is_word(word) {
        true => word,
        false => phrase::of_start(word).unwrap_or(word),
    };
    let words: Vec<&str> = words.filter(|word| !is_number(word)).map(whole).collect();
    Zeroizing::new(words.join(" "))
}

/// The recovery words, if the text has any; they belong together.
///
/// # Errors
/// A fault of the key that names the words which are not in the list, or says what else is wrong.
pub fn find(text: &str) -> Result<Option<Zeroizing<String>>, Fault> {
    let Some(words) = gather(text) else { return Ok(None) };
    match phrase::from_words(&words) {
        Ok(_) => Ok(Some(words)),
        Err(error) => Err(refuse(&words, &error)),
    }
}

fn refuse(words: &str, error: &CryptError) -> Fault {
    let unknown: Vec<(usize, &str)> =
        (1..).zip(words.split(' ')).filter(|(_, word)| !phrase::is_word(word)).collect();
    let Some((number, word)) = unknown.first() else {
        return match error {
            CryptError::PhraseChecksum => Fault::key(
                "the recovery words do not belong together: one is wrong, or two changed places",
            )
            .hint("compare each word and its place with the kit"),
            other => Fault::key(other.to_string()).hint("all 24 words of the kit are needed"),
        };
    };
    let more: Vec<_> =
        unknown.iter().skip(1).map(|(number, word)| format!("word {number} ({word:?})")).collect();
    let more =
        if more.is_empty() { String::new() } else { format!(", nor is {}", more.join(", ")) };
    let fault = Fault::key(format!(
        "word {number} of the recovery words, {word:?}, is not in the word list{more}"
    ));
    match phrase::near(word).as_slice() {
        [] => fault.hint("compare the words with the kit: each has a number there"),
        near => fault.hint(format!("perhaps it is {}", near.join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::crypt::secret::SecretKey;

    fn words() -> String {
        phrase::words(&SecretKey::new([0x5a; 32]))
    }

    fn found(text: &str) -> Option<String> {
        find(text).expect("nothing is wrong").map(|words| words.to_string())
    }

    #[test]
    fn words_are_taken_as_people_keep_them() {
        let words = words();
        let list: Vec<&str> = words.split(' ').collect();
        let lines: Vec<String> = list.chunks(6).map(|line| line.join("  ")).collect();
        let numbered: Vec<String> =
            (1..).zip(&list).map(|(n, word)| format!("{n}. {word}")).collect();
        let kit = format!(
            "{KIT_TITLE}\n\ncreated 2026-11-30 05:31 on host\n\n{KIT_WORDS}\n\n    {}\n    {}\n\n\
             How to restore:\n\n1. Install mainstay on any machine\n",
            numbered[..12].join(" "),
            numbered[12..].join(" ")
        );
        for text in [
            words.clone(),
            format!("{words}\n"),
            words.to_uppercase(),
            lines.join("\n"),
            lines.join("\r\n"),
            numbered.join("\n"),
            list.join(", "),
            list.join(";"),
            kit.clone(),
            format!("\u{feff}{kit}"),
            kit.lines().map(|line| format!("> {line}\n")).collect(),
            list.join("-"),
            list.iter().map(|word| format!("{} ", &word[..word.len().min(4)])).collect(),
        ] {
            assert_eq!(found(&text).map(|it| it.to_lowercase()), Some(words.clone()), "{text}");
        }
    }

    #[test]
    fn a_passphrase_is_no_phrase() {
        for text in ["correct horse battery staple", "", "12", "a\nb", &"zebra ".repeat(12)] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn each_slip_is_said_before_anything_is_stretched() {
        let words = words();
        let list: Vec<&str> = words.split(' ').collect();
        let with = |at: usize, word: &str| {
            let mut list = list.clone();
            list[at] = word;
            list.join(" ")
        };
        let said = |text: &str| find(text).map(|_| ()).expect_err(text).lines().join("\n");
        let wrong = said(&with(3, "zzzz"));
        assert!(wrong.contains("word 4") && wrong.contains("zzzz"), "{wrong}");
        let slip: String =
            list[0].chars().rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect();
        let near = said(&with(0, &format!("{slip}q")));
        assert!(near.contains(list[0]), "{near}");
        assert!(said(&with(0, list[1])).contains("belong together"));
        let short = list[..23].join(" ");
        assert!(said(&short).contains("23 words"), "{}", said(&short));
    }
}
