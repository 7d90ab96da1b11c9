//! Bundles of keys for roles, cut from the root secret.

use crate::crypt::hash::derive;
use crate::crypt::seal::{Suite, key_pair};
use crate::crypt::secret::SecretKey;
use crate::format::slot::{Bundle, EpochKeys, OlderKeys, Role};
use crate::repo::error::RepoError;
use crate::repo::keyring::{AdminKeys, CONTEXT_CHUNK_ID, CONTEXT_CUT, Identity, Keyring};
use crate::repo::ring::{DomainKeys, control_key, index_root, keeper_key, pair_seeds};

impl Keyring {
    /// The keys of one epoch for a role without the root secret.
    #[must_use]
    pub fn cut_epoch(admin: &AdminKeys, role: Role, (domain, epoch): (u32, u32)) -> EpochKeys {
        let index = DomainKeys::All(index_root(admin.root(), epoch));
        let index = match (role, &index) {
            (Role::Backup, all) => all.of(domain),
            (_, DomainKeys::All(key) | DomainKeys::One(_, key)) => Some(key.clone()),
        };
        let reads_tree = matches!(role, Role::Maintain | Role::Verify | Role::Restore);
        let reads_data = matches!(role, Role::Verify | Role::Restore);
        let (data, tree) = pair_seeds(admin.root(), epoch);
        EpochKeys {
            control: *control_key(admin.root(), epoch).expose(),
            keeper: (role == Role::Maintain).then(|| *keeper_key(admin.root(), epoch).expose()),
            index: index.map(|key| *key.expose()),
            data_secret: reads_data.then(|| *data.expose()),
            tree_secret: reads_tree.then(|| *tree.expose()),
        }
    }

    /// The bundle of `role` with the keys of one epoch, cut from the root secret. Roles that write
    /// need an identity.
    #[must_use]
    pub fn cut_bundle(
        admin: &AdminKeys,
        suite: Suite,
        role: Role,
        (domain, epoch): (u32, u32),
        identity: Option<&Identity>,
    ) -> Bundle {
        let material: [&[u8]; 1] = [admin.root().expose()];
        let admin_only = role == Role::Admin;
        let keys = (!admin_only).then(|| Self::cut_epoch(admin, role, (domain, epoch)));
        let writes = matches!(role, Role::Backup | Role::Maintain);
        let scoped = |context| match (role, DomainKeys::All(derive(context, &material))) {
            (Role::Backup, all) => all.of(domain).map(|key| *key.expose()),
            _ => Some(*derive(context, &material).expose()),
        };
        let (data, tree) = pair_seeds(admin.root(), epoch);
        let public = |seed: &SecretKey| writes.then(|| key_pair(suite, seed).1.to_bytes());
        Bundle {
            role,
            admin_key: admin.signing().public(),
            domain,
            epoch,
            root: admin_only.then(|| *admin.root().expose()),
            control: keys.as_ref().map(|keys| keys.control),
            index: keys.as_ref().and_then(|keys| keys.index),
            chunk_id: if admin_only { None } else { scoped(CONTEXT_CHUNK_ID) },
            cut: if writes { scoped(CONTEXT_CUT) } else { None },
            data_public: public(&data),
            tree_public: public(&tree),
            data_secret: keys.as_ref().and_then(|keys| keys.data_secret),
            tree_secret: keys.as_ref().and_then(|keys| keys.tree_secret),
            client: identity.map(|identity| identity.client),
            signing_seed: identity.map(|identity| *identity.signing.seed().expose()),
            keeper: keys.as_ref().and_then(|keys| keys.keeper),
            recipient: None,
            older: Vec::new(),
        }
    }

    /// The bundle of `role` with the keys of all epochs that are known.
    ///
    /// # Errors
    /// [`RepoError::Denied`] without the administrator's keys.
    pub fn cut_for(
        &self,
        role: Role,
        domain: u32,
        identity: Option<&Identity>,
    ) -> Result<Bundle, RepoError> {
        let admin = self.admin()?;
        let newest = self.control().1;
        let mut bundle = Self::cut_bundle(admin, self.suite(), role, (domain, newest), identity);
        if role != Role::Admin {
            let older = self.epochs().filter(|epoch| *epoch != newest);
            let keys = |epoch| Self::cut_epoch(admin, role, (domain, epoch));
            bundle.older = older.map(|epoch| OlderKeys { epoch, keys: keys(epoch) }).collect();
        }
        Ok(bundle)
    }
}
