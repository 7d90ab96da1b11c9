//! How hard blocks are compressed.

/// How hard to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Level {
    /// Not at all.
    Off,
    /// zstd 1: a fifth faster on text than the default, for 5 to 8 % more bytes.
    Fast,
    /// zstd 3, or a quicker way of looking for matches where that saves next to nothing.
    #[default]
    Auto,
    /// zstd 7: worth it when the network is the limit.
    Better,
    /// zstd 15: for archives written once.
    Max,
}

impl Level {
    /// All levels, from fast to small.
    pub const ALL: [Self; 5] = [Self::Off, Self::Fast, Self::Auto, Self::Better, Self::Max];

    /// The level's name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Fast => "fast",
            Self::Auto => "auto",
            Self::Better => "better",
            Self::Max => "max",
        }
    }

    /// The level of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    pub(super) const fn zstd_level(self) -> Option<i32> {
        match self {
            Self::Off => None,
            Self::Fast => Some(1),
            Self::Auto => Some(3),
            Self::Better => Some(7),
            Self::Max => Some(15),
        }
    }
}
