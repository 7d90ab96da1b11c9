//! How much of an open-ended test is run: a short form, unless the environment asks for more.
#![expect(clippy::disallowed_methods, reason = "how long to test is decided by who starts it")]

use std::io::Write;

/// The number in the variable `name`, or `short`.
///
/// # Panics
/// If the variable is set to something else.
#[must_use]
pub fn count(name: &str, short: u64) -> u64 {
    let number =
        |text: String| text.parse().map_err(|_| format!("{name} is {text:?}: not a number"));
    std::env::var(name).map_or(Ok(short), number).expect("a variable of the test")
}

/// What the variable `name` says, if it is set.
#[must_use]
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Says something on the way, or which case failed, whatever becomes of the output of a test.
pub fn tell(text: &str) {
    // Nobody may be listening any more; that is no failure of the test.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Numbers that follow from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    /// True once in `one_in` times.
    pub fn hits(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}
