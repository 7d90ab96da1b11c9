//! What a run of the model consists of, and which rule it leaves out.

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// Crashes of the client.
    pub crashes: u8,
    /// PUTs without an answer.
    pub lost_requests: u8,
    /// Sessions that somebody tries to fence.
    pub fences: u8,
    /// Objects of somebody without a key.
    pub forgeries: u8,
    /// Sessions in which the machine goes on twice from one state of its memory.
    pub clones: u8,
}

/// In which order a listing shows keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// In that of the keys: `.commit-` before `.fence-` and `.final-`.
    Sorted,
    /// The worst: flags first, commit last. Then a commit without `.ok` is looked at once more.
    Unsorted,
}

/// One rule that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// B5 without the look for a fence.
    ReportWithoutLook,
    /// F2 is left out.
    FinalWithoutLook,
    /// A client that starts again adopts a commit beside a fence.
    AdoptsDespiteFence,
    /// A client that starts again believes any object called `.ok`.
    AdoptsByName,
    /// Retention counts commits without looking for fences.
    CountsUnconfirmed,
    /// An unsorted listing is not repeated.
    OneUnsortedListing,
    /// A final counts whoever wrote it.
    ForgedFinalCounts,
    /// A confirmation counts whoever wrote it.
    ForgedConfirmCounts,
    /// A fence is stronger than a confirmation.
    FenceBeatsConfirm,
    /// B5 without the look for another commit.
    IgnoresTwin,
    /// A client that starts again adopts its commit beside another one.
    AdoptsDespiteTwin,
    /// Retention counts a commit that its client has not confirmed.
    CountsUnsettled,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 12] = [
        Self::ReportWithoutLook,
        Self::FinalWithoutLook,
        Self::AdoptsDespiteFence,
        Self::AdoptsByName,
        Self::CountsUnconfirmed,
        Self::OneUnsortedListing,
        Self::ForgedFinalCounts,
        Self::ForgedConfirmCounts,
        Self::FenceBeatsConfirm,
        Self::IgnoresTwin,
        Self::AdoptsDespiteTwin,
        Self::CountsUnsettled,
    ];
}

/// What a run of the model consists of.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Sessions that the client may open.
    pub session_count: usize,
    /// How often retention runs.
    pub retention_runs: u8,
    /// How often things go wrong.
    pub budget: Budget,
    /// How the store lists.
    pub listing: Listing,
    /// The rule that is left out.
    pub mutant: Option<Mutant>,
}

impl Setup {
    /// Two sessions, everything goes wrong once.
    pub const ONCE: Self = Self {
        session_count: 2,
        retention_runs: 1,
        budget: Budget { crashes: 1, lost_requests: 1, fences: 1, forgeries: 1, clones: 0 },
        listing: Listing::Sorted,
        mutant: None,
    };

    /// Whether this rule is left out.
    #[must_use]
    pub fn lacks(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}
