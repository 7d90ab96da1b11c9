//! Random bytes from the operating system; nothing else in the engine draws any.
//!
//! No generator of our own: a few dozen bytes per pack do not repay a state that could be copied
//! by a fork or a restored virtual machine. A system that cannot give random bytes cannot make a
//! key, so a failure ends the program rather than travelling through every caller.

/// Fills `bytes` with random bytes fit for keys and nonces.
///
/// # Panics
/// If the operating system has no random bytes to give.
pub fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("because every system this runs on has a random source");
}

/// `N` random bytes fit for keys and nonces.
///
/// # Panics
/// As [`fill`].
#[must_use]
pub fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ_and_every_byte_is_drawn() {
        assert_ne!(array::<32>(), array::<32>());
        let mut seen = [0_u8; 64];
        for _ in 0..32 {
            seen.iter_mut().zip(array::<64>()).for_each(|(all, byte)| *all |= byte);
        }
        assert!(seen.iter().all(|byte| *byte != 0));
    }
}
