//! The keys of a role, as types: what a role cannot do, its keyring holds no value for.
//!
//! Everything follows from one root secret by `derive_key` with a context of its own each; see
//! the table in `docs/FORMAT.md`. Role `backup` is given the keys of its own dedup domain and the
//! public halves only; reading roles are given the keys from which those of every domain follow.

use crate::base::id::ClientId;
use crate::crypt::hash::{ChunkIdKey, derive};
use crate::crypt::seal::{SealPublic, SealSecret, Suite, key_pair};
use crate::crypt::secret::SecretKey;
use crate::crypt::sign::SigningKey;
use crate::format::slot::{Bundle, Role};
use crate::repo::error::RepoError;
use crate::store::code::{CodeKeys, NameCodes};

const CONTEXT_ADMIN: &str = "mainstay v2 administrator signing key";
const CONTEXT_DATA: &str = "mainstay v2 key pair of file content";
const CONTEXT_TREE: &str = "mainstay v2 key pair of names and metadata";
const CONTEXT_CHUNK_ID: &str = "mainstay v2 chunk id keys";
const CONTEXT_CUT: &str = "mainstay v2 cut point keys";
const CONTEXT_INDEX: &str = "mainstay v2 index keys";
const CONTEXT_CONTROL: &str = "mainstay v2 control key of an epoch";
const CONTEXT_NAMES: &str = "mainstay v2 codes of names";
const CONTEXT_KEEPER: &str = "mainstay v2 codes of keepers in an epoch";
const CONTEXT_DOMAIN: &str = "mainstay v2 key of a dedup domain";
const CONTEXT_LOCAL: &str = "mainstay v2 key of local secrets";

/// The dedup domain that machines share when they trust each other.
pub const SHARED_DOMAIN: u32 = 0;

/// A key from which the key of each dedup domain follows, or the key of a single domain.
#[derive(Clone)]
pub enum DomainKeys {
    /// Keys of all domains.
    All(SecretKey),
    /// The key of one domain.
    One(u32, SecretKey),
}

impl DomainKeys {
    /// The key of `domain`, if this keyring may have it.
    #[must_use]
    pub fn of(&self, domain: u32) -> Option<SecretKey> {
        match self {
            Self::All(root) => {
                Some(derive(CONTEXT_DOMAIN, &[root.expose(), &domain.to_le_bytes()]))
            }
            Self::One(own, key) => (*own == domain).then(|| key.clone()),
        }
    }
}

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
    epoch: u32,
    control: SecretKey,
    keeper: Option<SecretKey>,
    index: DomainKeys,
    chunk_id: DomainKeys,
    write: Option<WriteKeys>,
    tree: Option<SealSecret>,
    data: Option<SealSecret>,
    identity: Option<Identity>,
    admin: Option<AdminKeys>,
}

impl Keyring {
    /// All keys that follow from the root secret, for a new or an opened repository.
    #[must_use]
    pub fn from_root(root: SecretKey, suite: Suite, domain: u32, epoch: u32) -> Self {
        let material: [&[u8]; 1] = [root.expose()];
        let signing = SigningKey::from_seed(&derive(CONTEXT_ADMIN, &material));
        let (data, data_public) = key_pair(suite, &derive(CONTEXT_DATA, &material));
        let (tree, tree_public) = key_pair(suite, &derive(CONTEXT_TREE, &material));
        let index = DomainKeys::All(derive(CONTEXT_INDEX, &material));
        let chunk_id = DomainKeys::All(derive(CONTEXT_CHUNK_ID, &material));
        let cut = DomainKeys::All(derive(CONTEXT_CUT, &material));
        let control = derive(CONTEXT_CONTROL, &[root.expose(), &epoch.to_le_bytes()]);
        let keeper = keeper_key(&root, epoch);
        let write = write_keys(domain, &chunk_id, &cut, &index, data_public, tree_public);
        let admin_key = signing.public();
        Self {
            role: Role::Admin,
            admin_key,
            epoch,
            control,
            keeper: Some(keeper),
            index,
            chunk_id,
            write,
            tree: Some(tree),
            data: Some(data),
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
            let keyring = Self::from_root(SecretKey::new(root), suite, bundle.domain, bundle.epoch);
            if keyring.admin_key != bundle.admin_key {
                return Err(RepoError::corrupt(key, "its root secret is of another repository"));
            }
            return Ok(keyring);
        }
        let missing = || RepoError::corrupt(key, "the bundle lacks keys of its role");
        let secret = |field: Option<[u8; 32]>| field.map(SecretKey::new).ok_or_else(missing);
        let domain_keys = |field: Option<[u8; 32]>| {
            secret(field).map(|key| match bundle.role {
                Role::Backup => DomainKeys::One(bundle.domain, key),
                _ => DomainKeys::All(key),
            })
        };
        let index = domain_keys(bundle.index)?;
        let chunk_id = domain_keys(bundle.chunk_id)?;
        let write = match (&bundle.data_public, &bundle.tree_public, bundle.cut) {
            (Some(data), Some(tree), Some(_)) => write_keys(
                bundle.domain,
                &chunk_id,
                &domain_keys(bundle.cut)?,
                &index,
                SealPublic::from_bytes(suite, data)?,
                SealPublic::from_bytes(suite, tree)?,
            ),
            _ => None,
        };
        let opener = |seed: Option<[u8; 32]>| seed.map(|s| key_pair(suite, &SecretKey::new(s)).0);
        let identity = match (bundle.client, bundle.signing_seed) {
            (Some(client), Some(seed)) => {
                Some(Identity { client, signing: SigningKey::from_seed(&SecretKey::new(seed)) })
            }
            _ => None,
        };
        Ok(Self {
            role: bundle.role,
            admin_key: bundle.admin_key,
            epoch: bundle.epoch,
            control: secret(bundle.control)?,
            keeper: bundle.keeper.map(SecretKey::new).filter(|_| bundle.role.collects()),
            index,
            chunk_id,
            write,
            tree: opener(bundle.tree_secret),
            data: opener(bundle.data_secret),
            identity,
            admin: None,
        })
    }

    /// The bundle of `role`, cut from the root secret. Roles that write need an identity.
    #[must_use]
    pub fn cut_bundle(
        admin: &AdminKeys,
        suite: Suite,
        role: Role,
        (domain, epoch): (u32, u32),
        identity: Option<&Identity>,
    ) -> Bundle {
        let material: [&[u8]; 1] = [admin.root.expose()];
        let all = |context| DomainKeys::All(derive(context, &material));
        let own = |context| all(context).of(domain).map(|key| *key.expose());
        let whole = |context| Some(*derive(context, &material).expose());
        let public = |context| Some(key_pair(suite, &derive(context, &material)).1.to_bytes());
        let reads_tree = matches!(role, Role::Maintain | Role::Verify | Role::Restore);
        let reads_data = matches!(role, Role::Verify | Role::Restore);
        let writes = matches!(role, Role::Backup | Role::Maintain);
        let scoped = |context| if role == Role::Backup { own(context) } else { whole(context) };
        let admin_only = role == Role::Admin;
        Bundle {
            role,
            admin_key: admin.signing.public(),
            domain,
            epoch,
            root: admin_only.then(|| *admin.root.expose()),
            control: (!admin_only).then(|| {
                *derive(CONTEXT_CONTROL, &[admin.root.expose(), &epoch.to_le_bytes()]).expose()
            }),
            index: if admin_only { None } else { scoped(CONTEXT_INDEX) },
            chunk_id: if admin_only { None } else { scoped(CONTEXT_CHUNK_ID) },
            cut: if writes { scoped(CONTEXT_CUT) } else { None },
            data_public: if writes { public(CONTEXT_DATA) } else { None },
            tree_public: if writes { public(CONTEXT_TREE) } else { None },
            data_secret: if reads_data { whole(CONTEXT_DATA) } else { None },
            tree_secret: if reads_tree { whole(CONTEXT_TREE) } else { None },
            client: identity.map(|identity| identity.client),
            signing_seed: identity.map(|identity| *identity.signing.seed().expose()),
            keeper: (role == Role::Maintain).then(|| *keeper_key(&admin.root, epoch).expose()),
            recipient: None,
        }
    }

    /// The role that opened the repository.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The administrator's public key that this keyring pins.
    #[must_use]
    pub fn admin_key(&self) -> &[u8; 32] {
        &self.admin_key
    }

    /// Key of control objects and its epoch.
    #[must_use]
    pub fn control(&self) -> (&SecretKey, u32) {
        (&self.control, self.epoch)
    }

    /// What names in the store end in.
    #[must_use]
    pub fn codes(&self) -> NameCodes {
        let names = derive(CONTEXT_NAMES, &[self.control.expose()]);
        NameCodes::new(CodeKeys { names, keeper: self.keeper.clone() }, Vec::new())
    }

    /// Key of footers and segments of a domain, if this role may have it.
    #[must_use]
    pub fn index_key(&self, domain: u32) -> Option<SecretKey> {
        self.index.of(domain)
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
        let keys = self.chunk_id.of(domain).zip(self.index.of(domain));
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

    /// Opens packs of names and metadata.
    ///
    /// # Errors
    /// [`RepoError::Denied`] for role backup.
    pub fn tree(&self) -> Result<&SealSecret, RepoError> {
        self.tree.as_ref().ok_or(self.denied("read the names in a snapshot"))
    }

    /// Opens packs of file content.
    ///
    /// # Errors
    /// [`RepoError::Denied`] for roles backup and maintain.
    pub fn data(&self) -> Result<&SealSecret, RepoError> {
        self.data.as_ref().ok_or(self.denied("read the content of files"))
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

fn keeper_key(root: &SecretKey, epoch: u32) -> SecretKey {
    derive(CONTEXT_KEEPER, &[root.expose(), &epoch.to_le_bytes()])
}

fn write_keys(
    domain: u32,
    chunk_id: &DomainKeys,
    cut: &DomainKeys,
    index: &DomainKeys,
    data: SealPublic,
    tree: SealPublic,
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
