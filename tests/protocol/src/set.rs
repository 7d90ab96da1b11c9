//! A set of at most sixteen things, as the bits of a number: states are made and hashed by the
//! million.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// A set of sessions, packs or chunks, which are counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Set(u16);

impl Set {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// Everything below `count`.
    #[must_use]
    pub fn below(count: usize) -> Self {
        Self(((1_u32 << count) - 1) as u16)
    }

    /// One thing.
    #[must_use]
    pub fn of(thing: usize) -> Self {
        Self(1 << thing)
    }

    /// Things that `is_in` says yes to.
    #[must_use]
    pub fn all(count: usize, is_in: impl Fn(usize) -> bool) -> Self {
        let mut set = Self::EMPTY;
        (0..count).filter(|thing| is_in(*thing)).for_each(|thing| set.insert(thing));
        set
    }

    /// Whether `thing` is in it.
    #[must_use]
    pub fn has(self, thing: usize) -> bool {
        self.0 >> thing & 1 == 1
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Puts `thing` in.
    pub fn insert(&mut self, thing: usize) {
        self.0 |= 1 << thing;
    }

    /// Takes `thing` out.
    pub fn remove(&mut self, thing: usize) {
        self.0 &= !(1 << thing);
    }

    /// The smallest thing in it.
    #[must_use]
    pub fn first(self) -> Option<usize> {
        (self.0 != 0).then(|| self.0.trailing_zeros() as usize)
    }

    /// The greatest thing in it.
    #[must_use]
    pub fn last(self) -> Option<usize> {
        self.0.checked_ilog2().map(|thing| thing as usize)
    }

    /// Everything in it, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..16).filter(move |thing| self.has(*thing))
    }
}

impl BitOr for Set {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Set {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Set {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Set {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Set;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set = Set::below(3) - Set::of(1);
        assert_eq!(set, Set::all(16, |thing| thing == 0 || thing == 2));
        assert_eq!((set.first(), set.last()), (Some(0), Some(2)));
        set.remove(0);
        set.insert(15);
        assert_eq!(set.iter().collect::<Vec<_>>(), [2, 15]);
        assert!(!set.is_empty() && (set & Set::of(3)).is_empty() && (set | Set::of(3)).has(3));
        assert_eq!((Set::EMPTY.first(), Set::EMPTY.last()), (None, None));
    }
}
