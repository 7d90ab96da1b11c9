//! A bounded cache of decoded blocks, least recently used out first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::base::id::PackId;

/// Which block.
pub type BlockKey = (PackId, u32);

/// Keeps up to a number of bytes.
pub struct BlockCache {
    capacity_bytes: usize,
    held_bytes: usize,
    tick: u64,
    blocks: HashMap<BlockKey, (u64, Arc<Vec<u8>>)>,
    by_age: BTreeMap<u64, BlockKey>,
}

impl BlockCache {
    /// An empty cache of that size.
    #[must_use]
    pub fn new(capacity_bytes: usize) -> Self {
        Self {
            capacity_bytes,
            held_bytes: 0,
            tick: 0,
            blocks: HashMap::new(),
            by_age: BTreeMap::new(),
        }
    }

    /// The block, if it is there.
    pub fn get(&mut self, key: &BlockKey) -> Option<Arc<Vec<u8>>> {
        self.tick += 1;
        let (age, block) = self.blocks.get_mut(key)?;
        self.by_age.remove(age);
        self.by_age.insert(self.tick, *key);
        *age = self.tick;
        Some(Arc::clone(block))
    }

    /// Keeps a block, and drops old ones until all fit.
    pub fn insert(&mut self, key: BlockKey, block: Arc<Vec<u8>>) {
        if block.len() > self.capacity_bytes || self.blocks.contains_key(&key) {
            return;
        }
        self.tick += 1;
        self.held_bytes += block.len();
        self.by_age.insert(self.tick, key);
        self.blocks.insert(key, (self.tick, block));
        while self.held_bytes > self.capacity_bytes {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            if let Some((_, dropped)) = self.blocks.remove(&oldest) {
                self.held_bytes -= dropped.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{ClientId, Nonce8, PackKind, SessionId};

    fn key(block: u32) -> BlockKey {
        let session = SessionId::from_parts(ClientId::new([0; 8]), 0, Nonce8::new([0; 8]));
        let random = Nonce8::new([0; 8]);
        (PackId { kind: PackKind::Data, session, counter: 0, random }, block)
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = BlockCache::new(250);
        for block in 0..2 {
            cache.insert(key(block), Arc::new(vec![0; 100]));
        }
        assert!(cache.get(&key(0)).is_some());
        cache.insert(key(2), Arc::new(vec![0; 100]));
        assert!(cache.get(&key(1)).is_none());
        assert!(cache.get(&key(0)).is_some());
        cache.insert(key(3), Arc::new(vec![0; 251]));
        assert!(cache.get(&key(3)).is_none(), "larger than the cache");
    }
}
