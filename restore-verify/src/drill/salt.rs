//! Salted hashes of paths: evidence names files by them, and each can be shown by itself.
//!
//! Every path has a salt of its own, derived from a key of the drill that only holders of the
//! repository's keys can derive again. Showing the salt of one file proves its name and gives
//! nothing of the others away.

use engine::base::path::TreePath;
use engine::crypt::hash::{derive, mac};
use engine::crypt::secret::SecretKey;
use engine::repo::Repo;

use crate::evidence::record::Hash32;
use crate::evidence::table::path_hash;

/// Makes the salts of one drill.
#[derive(Clone)]
pub struct Salts {
    key: SecretKey,
}

impl Salts {
    /// The salts of the drill with this seed.
    #[must_use]
    pub fn new(repo: &Repo, seed: &Hash32) -> Self {
        // The first one: salts are told when keys have changed.
        let control = repo.keys().first_control();
        Self { key: derive("mainstay v2 salts of a drill", &[control.expose(), &seed.0]) }
    }

    /// The salt of a path.
    #[must_use]
    pub fn of(&self, path: &TreePath) -> [u8; 16] {
        let mut salt = [0; 16];
        salt.copy_from_slice(&mac(&self.key, path.key())[..16]);
        salt
    }

    /// The salted hash of a path.
    #[must_use]
    pub fn hash(&self, path: &TreePath) -> Hash32 {
        path_hash(&self.of(path), &path.to_slashes())
    }

    /// A number for a folder that says nothing of its name.
    #[must_use]
    pub fn folder(&self, path: &TreePath) -> [u8; 32] {
        let parent = path.parent().unwrap_or_default();
        mac(&self.key, &[b"folder\0".as_slice(), parent.key()].concat())
    }
}
