//! A key as 24 words that people can write down, read over a telephone and type in.
//!
//! BIP-39 with the English list: every word is told from all others by its first four letters, and
//! eight bits of checksum notice a slip. Only the encoding is used, not the derivation of wallets:
//! 24 words *are* the 256 bits, so nothing has to be stretched and nothing can be guessed.

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use crate::crypt::error::CryptError;
use crate::crypt::secret::SecretKey;

/// Words in a phrase.
const WORD_COUNT: usize = 24;
/// Letters that tell a word from all others.
const START_LETTERS: usize = 4;

/// The 24 words of `key`, in lower case with single spaces between them. As secret as the key.
#[must_use]
pub fn words(key: &SecretKey) -> String {
    Mnemonic::from_entropy_in(Language::English, key.expose())
        .expect("because 32 bytes are a length that the word list encodes")
        .to_string()
}

/// The key of 24 words in any case, with any white space between and around them.
///
/// # Errors
/// [`CryptError::PhraseLength`], [`CryptError::PhraseWord`] with the number of the first word that
/// is not in the list, or [`CryptError::PhraseChecksum`].
pub fn from_words(text: &str) -> Result<SecretKey, CryptError> {
    let text = Zeroizing::new(text.to_lowercase());
    let word_count = text.split_whitespace().count();
    if word_count != WORD_COUNT {
        return Err(CryptError::PhraseLength { word_count });
    }
    let phrase =
        Mnemonic::parse_in_normalized(Language::English, &text).map_err(|error| match error {
            bip39::Error::UnknownWord(index) => CryptError::PhraseWord { word_number: index + 1 },
            _ => CryptError::PhraseChecksum,
        })?;
    let (entropy, _) = phrase.to_entropy_array();
    let entropy = Zeroizing::new(entropy);
    let mut key = Zeroizing::new([0; SecretKey::LEN]);
    key.copy_from_slice(&entropy[..SecretKey::LEN]);
    Ok(SecretKey::new(*key))
}

/// Whether `word` is in the list, in any case.
#[must_use]
pub fn is_word(word: &str) -> bool {
    Language::English.find_word(&word.to_lowercase()).is_some()
}

/// The word of the list that begins with these four letters, in any case: no two begin alike.
#[must_use]
pub fn of_start(start: &str) -> Option<&'static str> {
    let start = Zeroizing::new(start.to_lowercase());
    let is_start = start.len() == START_LETTERS;
    let mut all = Language::English.word_list().iter().copied();
    all.find(|word| is_start && word.starts_with(start.as_str()))
}

/// Words of the list that one may have meant by `word`, at most three: those that differ in one
/// letter, or begin with the same four.
#[must_use]
pub fn near(word: &str) -> Vec<&'static str> {
    let word = word.to_lowercase();
    let start: String = word.chars().take(4).collect();
    let all = Language::English.word_list().iter().copied();
    let is_near = |one: &&str| {
        is_one_slip(one, &word) || (start.chars().count() == 4 && one.starts_with(&start))
    };
    all.filter(is_near).take(3).collect()
}

/// Whether two words differ by one letter: another one, one more, one less, or two swapped.
fn is_one_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let same = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[same..], &b[same..]);
    match (a, b) {
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([_, a @ ..], b) if a == b => true,
        (a, [_, b @ ..]) if a == b => true,
        ([x, y, a @ ..], [z, w, b @ ..]) => (x, y) == (w, z) && a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn failure(text: &str) -> Option<CryptError> {
        from_words(text).err()
    }

    #[test]
    fn case_and_white_space_do_not_matter() {
        let key = SecretKey::new([0x5a; 32]);
        let text = format!("\n\t{}  ", words(&key).to_uppercase().replace(' ', " \r\n  "));
        assert_eq!(from_words(&text).map(|found| *found.expose()), Ok([0x5a; 32]));
    }

    #[test]
    fn the_error_says_which_word_to_look_at() {
        let text = words(&SecretKey::new([0; 32]));
        assert_eq!(failure(""), Some(CryptError::PhraseLength { word_count: 0 }));
        let short = "abandon ".repeat(12);
        assert_eq!(failure(&short), Some(CryptError::PhraseLength { word_count: 12 }));
        let wrong = text.replacen("abandon", "abandn", 1);
        assert_eq!(failure(&wrong), Some(CryptError::PhraseWord { word_number: 1 }));
        let wrong = text.replace("art", "aart");
        assert_eq!(failure(&wrong), Some(CryptError::PhraseWord { word_number: 24 }));
        let swapped = text.replacen("abandon", "zoo", 1);
        assert_eq!(failure(&swapped), Some(CryptError::PhraseChecksum));
    }

    #[test]
    fn a_slip_leads_back_to_the_word() {
        for (slip, word) in [("abandn", "abandon"), ("zooo", "zoo"), ("aable", "able")] {
            assert!(!is_word(slip), "{slip}");
            assert!(near(slip).contains(&word), "{slip}: {:?}", near(slip));
        }
        assert!(near("abanxyz").contains(&"abandon"));
        assert_eq!(near("zzzz"), [""; 0]);
        assert!(is_word("Abandon") && !is_word("zzzz") && !is_word(""));
    }

    proptest! {
        #[test]
        fn one_letter_less_is_near(index in 0..2048_usize, cut in 0..8_usize) {
            let word = Language::English.word_list()[index];
            let slip: String =
                word.chars().enumerate().filter(|(n, _)| n != &cut).map(|(_, c)| c).collect();
            prop_assert!(is_one_slip(word, &slip) || slip == word);
        }

        #[test]
        fn words_bring_back_the_key(bytes: [u8; 32]) {
            let text = words(&SecretKey::new(bytes));
            prop_assert_eq!(text.split(' ').count(), 24);
            prop_assert_eq!(from_words(&text).map(|key| *key.expose()), Ok(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = from_words(&text);
        }
    }
}
