//! Every kind of object by the form of its key, and who forges.

use engine::base::id::PackKind;
use engine::format::envelope::ControlKind;
use engine::format::slot::Role;
use engine::store::ObjectName;

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Config,
    Slot,
    SlotSet,
    Epoch,
    Pack(PackKind),
    Segment,
    Control(ControlKind),
}

impl Kind {
    /// All kinds, in the order of the table of keys in `docs/FORMAT.md`.
    pub(super) fn all() -> Vec<Self> {
        let front = [Self::Config, Self::Slot, Self::SlotSet, Self::Epoch];
        let packs = [Self::Pack(PackKind::Data), Self::Pack(PackKind::Tree), Self::Segment];
        let control = ControlKind::ALL.map(Self::Control);
        front.into_iter().chain(packs).chain(control).collect()
    }

    /// The kind of a name.
    pub(super) fn of(name: &ObjectName) -> Self {
        use ControlKind as It;
        Self::Control(match name {
            ObjectName::Config(_) => return Self::Config,
            ObjectName::Slot(_) => return Self::Slot,
            ObjectName::SlotSet { .. } => return Self::SlotSet,
            ObjectName::Epoch(_) => return Self::Epoch,
            ObjectName::Pack(pack) => return Self::Pack(pack.kind),
            ObjectName::Segment(_) => return Self::Segment,
            ObjectName::Client(_) => It::Client,
            ObjectName::Revoked(..) => It::Revocation,
            ObjectName::Session(_) => It::Session,
            ObjectName::Commit(..) => It::Commit,
            ObjectName::Confirm(_) => It::Confirm,
            ObjectName::Fence(..) => It::Fence,
            ObjectName::Final(..) => It::Final,
            ObjectName::Tomb(..) => It::Tomb,
            ObjectName::Hold(_) => It::Hold,
            ObjectName::Release(..) => It::Release,
            ObjectName::Tags(..) => It::Tags,
            ObjectName::Consent(_) => It::Consent,
            ObjectName::Condemn(_) => It::Condemn,
            ObjectName::Sweep(_) => It::Sweep,
            ObjectName::Void(_) => It::Void,
            ObjectName::Done(_) => It::Done,
            ObjectName::Close(..) => It::Close,
            ObjectName::Closed(..) => It::Closed,
            ObjectName::Past { .. } => It::Base,
            ObjectName::Run { .. } => It::Run,
            ObjectName::Conf { .. } => It::Conf,
            ObjectName::Join(..) => It::Join,
            ObjectName::Fold { .. } => It::Fold,
            ObjectName::Copied(..) => It::Copied,
            ObjectName::Lock { .. } => It::Lock,
            ObjectName::Evidence { .. } => It::Evidence,
        })
    }

    /// The form of its key, as `docs/FORMAT.md` has it.
    pub(super) fn form(self) -> &'static str {
        use ControlKind as It;
        match self {
            Self::Config => "config-R",
            Self::Slot => "keys/L",
            Self::SlotSet => "slots/N-X",
            Self::Epoch => "epochs/E",
            Self::Pack(PackKind::Data) => "data/S/N-X",
            Self::Pack(PackKind::Tree) => "tree/S/N-X",
            Self::Segment => "index/S/N-X",
            Self::Control(kind) => match kind {
                It::Client => "clients/C",
                It::Revocation => "clients/C.revoked-X",
                It::Session => "sess/S",
                It::Commit => "snap/S.commit-X",
                It::Confirm => "snap/S.ok",
                It::Fence => "snap/S.fence-X",
                It::Final => "snap/S.final-X",
                It::Tomb => "tomb/S-X",
                It::Hold => "hold/D",
                It::Release => "hold/D.release-X",
                It::Tags => "tag/S-X",
                It::Consent => "consent/X",
                It::Condemn => "gc/G.condemn",
                It::Sweep => "gc/G.sweep",
                It::Void => "gc/G.void",
                It::Done => "gc/G.done",
                It::Close => "gc/G.close-X",
                It::Closed => "gc/G.closed-X",
                It::Base => "gc/past-N-X",
                It::Run => "run/H/C-N-X",
                It::Conf => "conf/C/N-X",
                It::Join => "join/I-X",
                It::Fold => "fold/N-X",
                It::Copied => "copied/S-X",
                It::Lock => "lock/N-X",
                It::Evidence => "evidence/C/N",
            },
        }
    }
}

/// Who forges, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thief {
    /// The right to add objects, and no key.
    Stranger,
    /// A key of role backup with a dedup domain of its own.
    OwnDomain,
    /// A key of role backup in the shared domain.
    Backup,
    /// A key of role verify.
    Verify,
    /// A key of role restore, with a client that the administrator enrolled.
    Restore,
    /// A key of role maintain.
    Maintain,
    /// The root secret.
    Admin,
    /// The store itself: no key, but it can overwrite.
    Store,
}

impl Thief {
    pub(super) const ALL: [Self; 8] = [
        Self::Stranger,
        Self::OwnDomain,
        Self::Backup,
        Self::Verify,
        Self::Restore,
        Self::Maintain,
        Self::Admin,
        Self::Store,
    ];

    /// The head of its column.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Stranger => "no key",
            Self::OwnDomain => "backup, own domain",
            Self::Backup => "backup",
            Self::Verify => "verify",
            Self::Restore => "restore",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
            Self::Store => "the store",
        }
    }

    /// The role of its key.
    pub(super) fn role(self) -> Option<Role> {
        match self {
            Self::Stranger | Self::Store => None,
            Self::OwnDomain | Self::Backup => Some(Role::Backup),
            Self::Verify => Some(Role::Verify),
            Self::Restore => Some(Role::Restore),
            Self::Maintain => Some(Role::Maintain),
            Self::Admin => Some(Role::Admin),
        }
    }

    /// Whether it may forget snapshots and have them collected.
    pub(super) fn may_forget(self) -> bool {
        self.role().is_some_and(Role::collects)
    }

    /// The dedup domain that it writes to.
    pub(super) fn domain(self) -> u32 {
        if self == Self::OwnDomain { 7 } else { 0 }
    }
}
