//! The keys of a role, as types: what a role cannot do, its keyring holds no value for.
//!
//! Everything follows from one root secret by `derive_key` with a context of its own each; see
//! the table in `docs/FORMAT.md`. Role `backup` is given the keys of its own dedup domain and the
//! public halves only; reading roles are given the keys from which those of every domain follow.

use crate::base::id::ClientId;
use crate::crypt::hash::{ChunkIdKey, derive};
use crate::crypt::seal::{SealPublic, SealSecret, Suite};
use crate::crypt::secret::SecretKey;
use crate::crypt::sign::SigningKey;
use crate::format::slot::{Bundle, EpochKeys, Role};
use crate::repo::error::RepoError;
use crate::repo::ring::{DomainKeys, Ring, domain_keys, ring, ring_of_root, unknown};
use crate::store::code::{CodeKeys, NameCodes};

const CONTEXT_ADMIN: &str = "mainstay v2 administrator signing key";
pub(super) const CONTEXT_CHUNK_ID: &str = "mainstay v2 chunk id keys";
pub(super) const CONTEXT_CUT: &str = "mainstay v2 cut point keys";
const CONTEXT_NAMES: &str = "mainstay v2 codes of names";
const CONTEXT_LOCAL: &str = "mainstay v2 key of local secrets";

/// The dedup domain that machines share when they trust each other.
pub const SHARED_DOMAIN: u32 = 0;

/// What writing takes: public halves and the keys of the domain that is written to.
pub struct WriteKeys {
    /// Domain of everything written.
    pub domain: u32,
    /// Makes chunk ids.
    pub chunk_id: ChunkIdKey,
    /// Seeds the gear table.
    pub cut: SecretKey,
    /// Seals footers and segments.
    pub index: SecretKey,
    /// Seals packs of file content.
    pub data: SealPublic,
    /// Seals packs of names and metadata.
    pub tree: SealPublic,
}

/// Who signs what a client writes.
#[derive(Clone)]
pub struct Identity {
    /// The client.
    pub client: ClientId,
    /// Its key.
    pub signing: SigningKey,
}

/// What only the administrator has.
pub struct AdminKeys {
    root: SecretKey,
    signing: SigningKey,
}

impl AdminKeys {
    /// All other keys follow from it.
    pub(super) fn root(&self) -> &SecretKey {
        &self.root
    }

    /// Signs configurations and client records.
    #[must_use]
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// Seals secrets that stay on this machine.
    #[must_use]
    pub fn local(&self) -> SecretKey {
        derive(CONTEXT_LOCAL, &[self.root.expose()])
    }
}

/// All keys of the role that opened the repository.
pub struct Keyring {
    role: Role,
    admin_key: [u8; 32],
    suite: Suite,
    domain: u32,
    first: Ring,
    /// Later epochs, rising: the last one is written with.
    later: Vec<Ring>,
    /// Epochs whose announcements cannot be read, and whose keys are known all the same. They are only
    /// read with.
    doubtful: Vec<Ring>,
    chunk_id: DomainKeys,
    write: Option<WriteKeys>,
    identity: Option<Identity>,
    admin: Option<AdminKeys>,
}

impl Keyring {
    /// All keys that follow from the root secret, for a new or an opened repository; `epoch` is the
    /// only one that is known.
    #[must_use]
    pub fn from_root(root: SecretKey, suite: Suite, domain: u32, epoch: u32) -> Self {
        let material: [&[u8]; 1] = [root.expose()];
        let signing = SigningKey::from_seed(&derive(CONTEXT_ADMIN, &material));
        let chunk_id = DomainKeys::All(derive(CONTEXT_CHUNK_ID, &material));
        let cut = DomainKeys::All(derive(CONTEXT_CUT, &material));
        let (first, publics) = ring_of_root(&root, suite, epoch);
        let write = write_keys(domain, &chunk_id, &cut, &first.index, publics);
        let admin_key = signing.public();
        Self {
            role: Role::Admin,
            admin_key,
            suite,
            domain,
            first,
            later: Vec::new(),
            doubtful: Vec::new(),
            chunk_id,
            write,
            identity: None,
            admin: Some(AdminKeys { root, signing }),
        }
    }

    /// Takes the keys out of an opened bundle.
    ///
    /// # Errors
    /// [`RepoError::Corrupt`] with `key` if the bundle lacks what its role needs.
    pub fn from_bundle(bundle: &Bundle, suite: Suite, key: &str) -> Result<Self, RepoError> {
        if let (Role::Admin, Some(root)) = (bundle.role, bundle.root) {
            let keyring = Self::from_root(SecretKey::new(root), suite, bundle.domain, 0);
            if keyring.admin_key != bundle.admin_key {
                return Err(RepoError::corrupt(key, "its root secret is of another repository"));
            }
            return Ok(keyring);
        }
        let missing = || RepoError::corrupt(key, "the bundle lacks keys of its role");
        let secret = |field: Option<[u8; 32]>| field.map(SecretKey::new).ok_or_else(missing);
        let scope = (bundle.role, bundle.domain);
        let own = EpochKeys {
            control: bundle.control.ok_or_else(missing)?,
            keeper: bundle.keeper,
            index: bundle.index,
            data_secret: bundle.data_secret,
            tree_secret: bundle.tree_secret,
        };
        let mut rings = Vec::new();
        for older in &bundle.older {
            rings.push(ring(scope, suite, older.epoch, &older.keys).ok_or_else(missing)?);
        }
        rings.push(ring(scope, suite, bundle.epoch, &own).ok_or_else(missing)?);
        let is_rising = rings.is_sorted_by(|one, next| one.epoch < next.epoch);
        if !is_rising {
            return Err(RepoError::corrupt(key, "the epochs in the bundle are out of order"));
        }
        let index = domain_keys(scope, secret(bundle.index)?);
        let chunk_id = domain_keys(scope, secret(bundle.chunk_id)?);
        let write = match (&bundle.data_public, &bundle.tree_public, bundle.cut) {
            (Some(data), Some(tree), Some(cut)) => write_keys(
                bundle.domain,
                &chunk_id,
                &domain_keys(scope, SecretKey::new(cut)),
                &index,
                (SealPublic::from_bytes(suite, data)?, SealPublic::from_bytes(suite, tree)?),
            ),
            _ => None,
        };
        let identity = match (bundle.client, bundle.signing_seed) {
            (Some(client), Some(seed)) => {
                Some(Identity { client, signing: SigningKey::from_seed(&SecretKey::new(seed)) })
            }
            _ => None,
        };
        let mut rings = rings.into_iter();
        Ok(Self {
            role: bundle.role,
            admin_key: bundle.admin_key,
            suite,
            domain: bundle.domain,
            first: rings.next().ok_or_else(missing)?,
            later: rings.collect(),
            doubtful: Vec::new(),
            chunk_id,
            write,
            identity,
            admin: None,
        })
    }

    /// Goes over to a later epoch, whose keys follow from the root secret.
    ///
    /// # Errors
    /// [`RepoError::Denied`] without the administrator's keys.
    pub(super) fn enter_by_root(&mut self, epoch: u32) -> Result<(), RepoError> {
        let (ring, publics) = ring_of_root(&self.admin()?.root, self.suite, epoch);
        self.doubtful.retain(|doubtful| doubtful.epoch != epoch);
        self.go_over(ring, publics);
        Ok(())
    }

    /// Takes the keys of a later epoch to read with, which follow from the root secret.
    ///
    /// # Errors
    /// [`RepoError::Denied`] without the administrator's keys.
    pub(super) fn read_by_root(&mut self, epoch: u32) -> Result<(), RepoError> {
        self.doubtful.push(ring_of_root(&self.admin()?.root, self.suite, epoch).0);
        Ok(())
    }

    /// Goes over to a later epoch with the keys that were sealed to this holder. `None` if they are
    /// not those of its role.
    pub(super) fn enter(
        &mut self,
        epoch: u32,
        keys: &EpochKeys,
        publics: (SealPublic, SealPublic),
    ) -> Option<()> {
        let ring = ring((self.role, self.domain), self.suite, epoch, keys)?;
        self.go_over(ring, publics);
        Some(())
    }

    fn go_over(&mut self, ring: Ring, (data, tree): (SealPublic, SealPublic)) {
        if let (Some(write), Some(index)) = (&mut self.write, ring.index.of(self.domain)) {
            (write.index, write.data, write.tree) = (index, data, tree);
        }
        self.later.push(ring);
    }

    fn rings(&self) -> impl Iterator<Item = &Ring> {
        std::iter::once(&self.first).chain(&self.later)
    }

    fn newest(&self) -> &Ring {
        self.later.last().unwrap_or(&self.first)
    }

    fn ring_of(&self, epoch: u32) -> Option<&Ring> {
        self.rings().chain(&self.doubtful).find(|ring| ring.epoch == epoch)
    }

    /// The role that opened the repository.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The HPKE suite of everything sealed.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The administrator's public key that this keyring pins.
    #[must_use]
    pub fn admin_key(&self) -> &[u8; 32] {
        &self.admin_key
    }

    /// The key of control objects that is written with, and its epoch.
    #[must_use]
    pub fn control(&self) -> (&SecretKey, u32) {
        let newest = self.newest();
        (&newest.control, newest.epoch)
    }

    /// The key of control objects of an epoch, if that is known.
    #[must_use]
    pub fn control_of(&self, epoch: u32) -> Option<&SecretKey> {
        self.ring_of(epoch).map(|ring| &ring.control)
    }

    /// The first key of control objects, which stays when keys change.
    #[must_use]
    pub fn first_control(&self) -> &SecretKey {
        &self.first.control
    }

    /// All epochs that were announced, rising.
    pub fn epochs(&self) -> impl Iterator<Item = u32> {
        self.rings().map(|ring| ring.epoch)
    }

    /// What names in the store end in.
    #[must_use]
    pub fn codes(&self) -> NameCodes {
        let codes = |ring: &Ring| CodeKeys {
            epoch: ring.epoch,
            names: derive(CONTEXT_NAMES, &[ring.control.expose()]),
            keeper: ring.keeper.clone(),
        };
        let newest = codes(self.newest());
        let mut older: Vec<_> = self.rings().map(codes).collect();
        older.pop();
        older.reverse();
        older.extend(self.doubtful.iter().map(codes));
        NameCodes::new(newest, older)
    }

    /// Key of footers and segments of a domain that is written with, if this role may have it.
    #[must_use]
    pub fn index_key(&self, domain: u32) -> Option<SecretKey> {
        self.newest().index.of(domain)
    }

    /// The same of an epoch: `None` if the role may not have it, an error if the epoch is not known.
    ///
    /// # Errors
    /// [`RepoError::Newer`] with the object `key`.
    pub fn index_key_in(
        &self,
        epoch: u32,
        domain: u32,
        key: &str,
    ) -> Result<Option<SecretKey>, RepoError> {
        Ok(self.ring_of(epoch).ok_or_else(|| unknown(epoch, key))?.index.of(domain))
    }

    /// Key of chunk ids of a domain, if this role may have it.
    #[must_use]
    pub fn chunk_id_key(&self, domain: u32) -> Option<ChunkIdKey> {
        self.chunk_id.of(domain).map(|key| ChunkIdKey::new(&key))
    }

    /// What writing takes.
    ///
    /// # Errors
    /// [`RepoError::Denied`] for roles that cannot write.
    pub fn write(&self) -> Result<&WriteKeys, RepoError> {
        self.write.as_ref().ok_or(self.denied("back up"))
    }

    /// What writing to another dedup domain takes, for roles that know all domains. The cut point
    /// key is that of the own domain: chunks that are moved are not cut.
    ///
    /// # Errors
    /// [`RepoError::Denied`] for roles that cannot write, or not there.
    pub fn write_to(&self, domain: u32) -> Result<WriteKeys, RepoError> {
        let own = self.write()?;
        let keys = self.chunk_id.of(domain).zip(self.newest().index.of(domain));
        let (chunk_id, index) = keys.ok_or(self.denied("write to this dedup domain"))?;
        Ok(WriteKeys {
            domain,
            chunk_id: ChunkIdKey::new(&chunk_id),
            cut: own.cut.clone(),
            index,
            data: own.data.clone(),
            tree: own.tree.clone(),
        })
    }

    /// Opens packs of names and metadata that are written now.
    ///
    /// # Errors
    /// [`RepoError::Denied`] for role backup.
    pub fn tree(&self) -> Result<&SealSecret, RepoError> {
        self.newest().tree.as_ref().ok_or(self.denied("read the names in a snapshot"))
    }

    /// The same of an epoch, for the object `key`.
    ///
    /// # Errors
    /// [`RepoError::Denied`] for role backup; [`RepoError::Newer`] for an epoch that is not known.
    pub fn tree_in(&self, epoch: u32, key: &str) -> Result<&SealSecret, RepoError> {
        let ring = self.ring_of(epoch).ok_or_else(|| unknown(epoch, key))?;
        ring.tree.as_ref().ok_or(self.denied("read the names in a snapshot"))
    }

    /// Opens packs of file content that are written now.
    ///
    /// # Errors
    /// [`RepoError::Denied`] for roles backup and maintain.
    pub fn data(&self) -> Result<&SealSecret, RepoError> {
        self.newest().data.as_ref().ok_or(self.denied("read the content of files"))
    }

    /// The same of an epoch, for the object `key`.
    ///
    /// # Errors
    /// [`RepoError::Denied`] for roles backup and maintain; [`RepoError::Newer`] for an epoch that is
    /// not known.
    pub fn data_in(&self, epoch: u32, key: &str) -> Result<&SealSecret, RepoError> {
        let ring = self.ring_of(epoch).ok_or_else(|| unknown(epoch, key))?;
        ring.data.as_ref().ok_or(self.denied("read the content of files"))
    }

    /// Whether this role may delete what nobody needs.
    ///
    /// # Errors
    /// [`RepoError::Denied`] for roles backup, verify and restore.
    pub fn require_collector(&self) -> Result<(), RepoError> {
        match self.role.collects() {
            true => Ok(()),
            false => Err(self.denied("delete what no snapshot needs")),
        }
    }

    /// The identity in the bundle, if the role has one there.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The administrator's keys.
    ///
    /// # Errors
    /// [`RepoError::Denied`] for every other role.
    pub fn admin(&self) -> Result<&AdminKeys, RepoError> {
        self.admin.as_ref().ok_or(self.denied("manage keys"))
    }

    fn denied(&self, action: &'static str) -> RepoError {
        RepoError::Denied { role: self.role, action }
    }
}

fn write_keys(
    domain: u32,
    chunk_id: &DomainKeys,
    cut: &DomainKeys,
    index: &DomainKeys,
    (data, tree): (SealPublic, SealPublic),
) -> Option<WriteKeys> {
    Some(WriteKeys {
        domain,
        chunk_id: ChunkIdKey::new(&chunk_id.of(domain)?),
        cut: cut.of(domain)?,
        index: index.of(domain)?,
        data,
        tree,
    })
}
