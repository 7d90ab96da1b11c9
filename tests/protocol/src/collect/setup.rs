//! What a run of the model consists of, and which rule it leaves out.

/// How often something may happen. Without bounds there would be no end of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// Crashes of clients.
    pub client_crashes: u8,
    /// Crashes of collectors.
    pub collector_crashes: u8,
    /// Requests that get no answer, and land at any later time, or twice.
    pub lost_requests: u8,
    /// Snapshots that are forgotten.
    pub forgets: u8,
    /// Generations that somebody tries to close.
    pub closes: u8,
    /// Sessions that somebody tries to fence.
    pub fences: u8,
    /// Copies of a chunk that somebody claims to have stored.
    pub forgeries: u8,
    /// How often the store is put back to a state that it had before.
    pub returns: u8,
    /// Records of generations that rot.
    pub rots: u8,
}

/// A claim to have stored a chunk, that must not count; each lacks one thing that a copy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forgery {
    /// A segment that nobody signed who may write.
    Unsigned,
    /// One of another dedup domain.
    OtherDomain,
    /// One of a session that never registered.
    Unregistered,
    /// One that says of a pack what the pack's own footer does not say, or of a pack that is not
    /// there as it is told.
    Untrue,
    /// One of a client that was revoked: whoever has its key stores wrong bytes under right ids, with a
    /// footer and a segment that are signed as they must be.
    Revoked,
}

impl Forgery {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::Unsigned, Self::OtherDomain, Self::Unregistered, Self::Untrue, Self::Revoked];

    /// The rules without which a client leaves out a chunk, or a collector deletes one, because of
    /// it. Machines of one dedup domain believe each other's segments when they deduplicate: what
    /// one of these lies about is not modelled.
    #[must_use]
    pub fn rules(self) -> &'static [Mutant] {
        match self {
            Self::Unsigned => &[Mutant::BelievesUnsigned],
            Self::OtherDomain => &[Mutant::RefersAcrossDomains, Mutant::CopiesAcrossDomains],
            Self::Unregistered => &[Mutant::CopiesOfUnknownSessions],
            Self::Untrue => &[Mutant::CopiesUnasked],
            Self::Revoked => &[Mutant::RefersToRevoked, Mutant::CopiesOfRevoked],
        }
    }
}

/// What the second client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// The same as the first.
    Backup,
    /// It never looks for chunks of others, so that chunks have several copies.
    Stranger,
    /// It copies chunks out of thin packs: it is no snapshot, and uploads what is there already.
    Repack,
    /// It brings a forgotten tree back as a new snapshot, and has nothing it could upload.
    Revive,
}

/// In which order the two parts of a generation's record are read: the announcements (condemn and
/// sweep), and the verdict (closed or void).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As a listing shows them.
    VerdictFirst,
    /// The other way round.
    VerdictLast,
}

/// How an owner learns of pins, which are registered in the same place as sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pins {
    /// From the listing of the barrier. Then only those tombstones count that the first mark saw:
    /// they are older than the listing.
    FromBarrier,
    /// From a listing of its own, after the tombstones were read.
    AfterTombs,
}

/// One rule that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// B2 before B1.
    RecordsBeforeRegistering,
    /// A client that was fenced commits what it has under a new name, and reads nothing again.
    RetryKeepsChoice,
    /// A client refers to what its previous snapshot refers to, without asking rule X.
    ParentIsTrusted,
    /// O3 is left out.
    NoBarrier,
    /// O3 goes on although a session is undecided.
    BarrierTimesOut,
    /// O4 is left out.
    NoSecondMark,
    /// O5 is left out.
    OthersIgnored,
    /// O5 looks at condemned packs, not at swept ones.
    OthersSweptIgnored,
    /// O5 before O2.
    OthersBeforeCondemn,
    /// O8 is left out.
    NoLookForClose,
    /// O8 before O7.
    LookForCloseBeforeSweep,
    /// O9 drops what any sweep names.
    TrimsEverySweep,
    /// Records go once their generation is done.
    RecordsRetired,
    /// A collector takes over the generation of one that crashed.
    GenerationTakenOver,
    /// A commit that the barrier saw under way is not remembered.
    CommitSeenOnceForgotten,
    /// A fence alone decides a session.
    FenceDecides,
    /// A close alone lets a generation exclude nothing.
    CloseDecides,
    /// K2 is left out.
    ClosedBlindly,
    /// A successor that sees both flags declares the generation void.
    VoidBySuccessor,
    /// Restore refuses what any sweep names.
    RestoreRefusesSwept,
    /// Pins come from the barrier, and tombstones from after it.
    PinsBeforeTombs,
    /// Who pins does not look for a tombstone afterwards.
    PinWithoutLook,
    /// Repacking deletes what it copied, without a generation.
    RepackDeletes,
    /// Who brings a tree back does not ask rule X.
    RevivesBlindly,
    /// Segments are believed, whoever wrote them.
    BelievesUnsigned,
    /// A client refers to chunks in packs of other dedup domains.
    RefersAcrossDomains,
    /// O6 counts copies in packs of other dedup domains.
    CopiesAcrossDomains,
    /// O6 counts copies of sessions that never registered.
    CopiesOfUnknownSessions,
    /// O6 counts a copy before its pack was asked.
    CopiesUnasked,
    /// A client refers to chunks in packs of a client that was revoked.
    RefersToRevoked,
    /// O6 counts copies of a client that was revoked.
    CopiesOfRevoked,
    /// Whoever does not know the code in a name passes it over, and does not look for new keys.
    StrangeNamesPassedOver,
    /// A collector uses new keys before they are announced.
    KeysUsedBeforeAnnounced,
    /// A client lists packs in a segment without a look whether they are still there.
    ListsUnlooked,
    /// A client commits without a look at the segments that it relies on.
    CommitsUnlooked,
    /// A client relies on what it knew, although segments that it knew are gone.
    LostSegmentsIgnored,
    /// A client reports a commit that the listing after it does not show.
    ReportsUnseen,
    /// What cannot be read is taken for what is not there.
    RottedIgnored,
    /// A generation is given up while its owner goes on.
    GivesUpRunning,
    /// Who reads that a generation was given up does not ask the store which packs there are.
    GivenUpTrusted,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 40] = [
        Self::RecordsBeforeRegistering,
        Self::RetryKeepsChoice,
        Self::ParentIsTrusted,
        Self::NoBarrier,
        Self::BarrierTimesOut,
        Self::NoSecondMark,
        Self::OthersIgnored,
        Self::OthersSweptIgnored,
        Self::OthersBeforeCondemn,
        Self::NoLookForClose,
        Self::LookForCloseBeforeSweep,
        Self::TrimsEverySweep,
        Self::RecordsRetired,
        Self::GenerationTakenOver,
        Self::CommitSeenOnceForgotten,
        Self::FenceDecides,
        Self::CloseDecides,
        Self::ClosedBlindly,
        Self::VoidBySuccessor,
        Self::RestoreRefusesSwept,
        Self::PinsBeforeTombs,
        Self::PinWithoutLook,
        Self::RepackDeletes,
        Self::RevivesBlindly,
        Self::BelievesUnsigned,
        Self::RefersAcrossDomains,
        Self::CopiesAcrossDomains,
        Self::CopiesOfUnknownSessions,
        Self::CopiesUnasked,
        Self::RefersToRevoked,
        Self::CopiesOfRevoked,
        Self::StrangeNamesPassedOver,
        Self::KeysUsedBeforeAnnounced,
        Self::ListsUnlooked,
        Self::CommitsUnlooked,
        Self::LostSegmentsIgnored,
        Self::ReportsUnseen,
        Self::RottedIgnored,
        Self::GivesUpRunning,
        Self::GivenUpTrusted,
    ];
}

/// What a run of the model consists of.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Chunks that there are.
    pub chunk_count: usize,
    /// Sessions that each client may open.
    pub session_count: usize,
    /// Collectors that work at the same time.
    pub collector_count: usize,
    /// Generations that each collector may own.
    pub generation_count: usize,
    /// How often things go wrong.
    pub budget: Budget,
    /// Whether records and snapshots are read one key at a time, so that they change meanwhile.
    pub is_fine: bool,
    /// In which order a record is read.
    pub order: Order,
    /// What the second client does.
    pub second: Second,
    /// Whether somebody restores under a pin.
    pub restores: bool,
    /// How owners learn of pins.
    pub pins: Pins,
    /// Whether clients also use what they read of the index in an earlier session.
    pub stale_index: bool,
    /// Whether segments lose, and restore refuses, what a finished sweep names.
    pub trims_done: bool,
    /// Whether a commit may be seen while it is under way, and then not be seen again.
    pub flickers: bool,
    /// Whether an administrator changes keys: from then on names have codes that machines which began
    /// before do not know.
    pub rotates: bool,
    /// Whether there is nothing in the store at the beginning, instead of a snapshot of everything.
    pub begins_empty: bool,
    /// The rule that is left out.
    pub mutant: Option<Mutant>,
}

impl Setup {
    /// One collector, nothing goes wrong but one forget, one close and one fence.
    pub const MILD: Self = Self {
        chunk_count: 1,
        session_count: 1,
        collector_count: 1,
        generation_count: 1,
        budget: Budget {
            client_crashes: 0,
            collector_crashes: 0,
            lost_requests: 0,
            forgets: 1,
            closes: 1,
            fences: 1,
            forgeries: 0,
            returns: 0,
            rots: 0,
        },
        is_fine: true,
        order: Order::VerdictFirst,
        second: Second::Backup,
        restores: false,
        pins: Pins::FromBarrier,
        stale_index: false,
        trims_done: false,
        flickers: false,
        rotates: false,
        begins_empty: false,
        mutant: None,
    };

    /// Sessions in all; the first one is that of a snapshot that is there from the beginning.
    #[must_use]
    pub fn sessions(&self) -> usize {
        1 + 2 * self.session_count
    }

    /// Generations in all.
    #[must_use]
    pub fn generations(&self) -> usize {
        self.collector_count * self.generation_count
    }

    /// Packs in all: each session has one for each chunk.
    #[must_use]
    pub fn packs(&self) -> usize {
        self.sessions() * self.chunk_count
    }

    /// The pack in which `session` puts `chunk`.
    #[must_use]
    pub fn pack(&self, session: usize, chunk: usize) -> usize {
        session * self.chunk_count + chunk
    }

    /// The chunk in `pack`.
    #[must_use]
    pub fn chunk(&self, pack: usize) -> usize {
        pack % self.chunk_count
    }

    /// The session that wrote `pack`.
    #[must_use]
    pub fn writer(&self, pack: usize) -> usize {
        pack / self.chunk_count
    }

    /// Whether this rule is left out.
    #[must_use]
    pub fn lacks(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}
