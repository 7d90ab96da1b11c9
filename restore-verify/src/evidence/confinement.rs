//! How the process was confined in which probes looked at restored files.

use minicbor::{Decode, Encode};

/// What of the network a probe can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Reach {
    /// Only itself.
    #[n(1)]
    Loopback,
    /// No TCP, by Landlock; other protocols could not be closed.
    #[n(2)]
    NoTcp,
    /// All that this machine reaches: it could not be closed.
    #[n(3)]
    Open,
    /// All that this machine reaches, as it was asked for.
    #[n(4)]
    Asked,
}

impl Reach {
    /// The word that people and programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::NoTcp => "no-tcp",
            Self::Open => "open",
            Self::Asked => "asked",
        }
    }
}

/// How probes were confined: a part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Confinement {
    /// Version of Landlock in force; 0 for none: then files were protected by permissions alone.
    #[n(0)]
    pub landlock: u8,
    /// The network.
    #[n(1)]
    pub reach: Reach,
    /// Whether other processes of this machine were out of sight.
    #[n(2)]
    pub processes_apart: bool,
    /// Whether limits of memory and of files were in force.
    #[n(3)]
    pub limited: bool,
}

impl Confinement {
    /// Nothing at all.
    pub const NONE: Self =
        Self { landlock: 0, reach: Reach::Open, processes_apart: false, limited: false };

    /// The weaker of two in every respect.
    #[must_use]
    pub fn weaker(self, other: Self) -> Self {
        let order = |reach: Reach| match reach {
            Reach::Loopback => 0,
            Reach::NoTcp => 1,
            Reach::Asked => 2,
            Reach::Open => 3,
        };
        Self {
            landlock: self.landlock.min(other.landlock),
            reach: std::cmp::max_by_key(self.reach, other.reach, |reach| order(*reach)),
            processes_apart: self.processes_apart && other.processes_apart,
            limited: self.limited && other.limited,
        }
    }

    /// What was not had although it was wanted, in words; empty if nothing.
    #[must_use]
    pub fn gaps(&self) -> Vec<&'static str> {
        let mut gaps = Vec::new();
        if self.landlock == 0 {
            gaps.push("this kernel has no Landlock, so probes could read and change files");
        }
        match self.reach {
            Reach::Open => gaps.push("the network could not be closed"),
            Reach::NoTcp => gaps.push("only TCP could be closed, not the whole network"),
            Reach::Loopback | Reach::Asked => {}
        }
        if !self.processes_apart {
            gaps.push("other processes were in sight");
        }
        if !self.limited {
            gaps.push("memory was not limited");
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weaker_wall_counts() {
        let good = Confinement {
            landlock: 6,
            reach: Reach::Loopback,
            processes_apart: true,
            limited: true,
        };
        assert!(good.gaps().is_empty());
        assert_eq!(good.clone().weaker(Confinement::NONE), Confinement::NONE);
        let asked = Confinement { reach: Reach::Asked, ..good.clone() };
        assert_eq!(good.weaker(asked.clone()), asked);
        assert_eq!(Confinement::NONE.gaps().len(), 4);
    }
}
