//! Which way is gone with which data, and when that is found out.

use super::*;

const BLOCK_BYTES: usize = 1 << 20;

/// Numbers that look random and are the same each time.
fn noise(seed: u8) -> impl Iterator<Item = u64> {
    let mut reader = blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof();
    std::iter::repeat_with(move || {
        let mut number = [0; 8];
        reader.fill(&mut number);
        u64::from_le_bytes(number)
    })
}

/// Tokens of five bytes in any order: nothing else repeats, so short matches are all there is.
fn tokens(seed: u8) -> Vec<u8> {
    let tokens: Vec<u64> = noise(0).take(300).collect();
    noise(seed)
        .flat_map(|number| tokens[number as usize % tokens.len()].to_le_bytes().into_iter().take(5))
        .take(BLOCK_BYTES)
        .collect()
}

/// Words of few letters in any order: a match of five bytes says no more than its letters.
fn prose(seed: u8) -> Vec<u8> {
    let letters = b"aabcdeeefghiiklmnnooprsttuw    ";
    noise(seed).map(|number| letters[number as usize % letters.len()]).take(BLOCK_BYTES).collect()
}

fn squeezed(ways: &mut Ways, raw: &[u8]) -> Vec<u8> {
    let mut out = b"front".to_vec();
    assert!(ways.append(raw, &mut out));
    out.split_off(5)
}

/// What each of the two ways alone makes of it: of the level, and the quick one.
fn alone(raw: &[u8]) -> [Vec<u8>; 2] {
    [false, true].map(|is_quick| {
        let mut ways = Ways::of(Level::Auto).unwrap();
        ways.blocks_since_trial = 0;
        ways.take(is_quick);
        squeezed(&mut ways, raw)
    })
}

#[test]
fn the_quick_way_is_gone_unless_the_other_saves_what_is_worth_it() {
    for (name, first, second, is_quick) in
        [("tokens", tokens(1), tokens(2), false), ("prose", prose(1), prose(2), true)]
    {
        let mut ways = Ways::of(Level::Auto).unwrap();
        let [small, quick] = alone(&first);
        assert_eq!(!is_worth_it(quick.len(), small.len()), is_quick, "{name}");
        let expected = if is_quick { &quick } else { &small };
        assert!(
            squeezed(&mut ways, &first) == *expected,
            "the trial keeps the other output: {name}"
        );
        let expected = &alone(&second)[usize::from(is_quick)];
        assert!(squeezed(&mut ways, &second) == *expected, "and the next goes its way: {name}");
    }
}

#[test]
fn what_changes_is_found_out() {
    let blocks_until = |first: &[u8], second: &[u8], is_quick: bool| {
        let mut ways = Ways::of(Level::Auto).unwrap();
        squeezed(&mut ways, first);
        let expected = &alone(second)[usize::from(is_quick)];
        (1..100).find(|_| squeezed(&mut ways, second) == *expected).unwrap()
    };
    // Prose takes more room than the tokens before it: that is tried as soon as may be.
    assert_eq!(blocks_until(&tokens(1), &prose(1), true), TRIAL_SOONEST_BLOCKS + 1);
    // In the quick way tokens take as much as the prose before them: only the next turn shows it.
    assert_eq!(blocks_until(&prose(1), &tokens(1), false), TRIAL_EVERY_BLOCKS + 1);
}

#[test]
fn other_levels_and_short_blocks_know_one_way() {
    let short = &prose(1)[..TRIED_MIN_BYTES - 1];
    let mut ways = Ways::of(Level::Auto).unwrap();
    assert!(squeezed(&mut ways, short) == alone(short)[0]);
    assert!(squeezed(&mut ways, &prose(1)) == alone(&prose(1))[1]);
    for level in [Level::Fast, Level::Better, Level::Max] {
        let mut ways = Ways::of(level).unwrap();
        let raw = prose(1);
        let first = squeezed(&mut ways, &raw);
        assert!((1..3).all(|_| squeezed(&mut ways, &raw) == first), "{}", level.name());
    }
    assert!(Ways::of(Level::Off).is_none());
}
