//! When a delivery that failed is tried again.

/// What lies before each attempt after the one before, in seconds: published in `docs/WATCHING.md`.
pub const WAITS_S: [i64; 10] =
    [0, 5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];
/// After so many failed attempts the fallback channel is told as well.
pub const FALLBACK_AFTER: i64 = 3;
/// No receiver puts a delivery off for longer.
pub const WAIT_MAX_S: i64 = 24 * 3600;
/// What lies further ahead than any wait was written by a clock that ran ahead.
pub const AHEAD_MAX_S: i64 = WAIT_MAX_S + WAIT_MAX_S / 8;

/// When the next attempt is, after so many that failed; nothing if there is none. `id` spreads the
/// attempts of different events, `asked_s` is what the receiver asked for.
#[must_use]
pub fn next_s(now_s: i64, failed: i64, id: &str, asked_s: Option<i64>) -> Option<i64> {
    let wait_s = *WAITS_S.get(usize::try_from(failed).ok()?)?;
    let hash = blake3::hash(format!("{id}.{failed}").as_bytes());
    let share = i64::from(hash.as_bytes()[0]);
    // Up to a tenth later, always by as much for the same attempt.
    let wait_s = wait_s + wait_s * share / 2550;
    let asked_s = asked_s.unwrap_or_default().clamp(0, WAIT_MAX_S);
    Some(now_s.saturating_add(wait_s.max(asked_s)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_attempt_is_later_and_the_last_comes(
            id in "[a-z0-9]{8}", asked in proptest::option::of(-5_i64..200_000),
        ) {
            for failed in 0..20_i64 {
                match next_s(1000, failed, &id, asked) {
                    None => prop_assert!(failed >= 10),
                    Some(at_s) => {
                        let wait_s = at_s - 1000;
                        let table = WAITS_S[failed as usize];
                        prop_assert!(wait_s >= table);
                        prop_assert!(wait_s <= AHEAD_MAX_S);
                        if let Some(asked) = asked.filter(|asked| *asked <= WAIT_MAX_S) {
                            prop_assert!(wait_s >= asked);
                        }
                    }
                }
            }
        }
    }
}
