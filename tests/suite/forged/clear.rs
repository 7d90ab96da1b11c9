//! Forged configurations, key slots and announcements: whatever is read before a key is at hand.

use bytes::Bytes;
use engine::base::id::{Nonce8, RepositoryId, SlotId};
use engine::base::time::Timestamp;
use engine::crypt::hash::{self, derive};
use engine::crypt::seal::Suite;
use engine::crypt::secret::SecretKey;
use engine::crypt::sign::SigningKey;
use engine::format::announcement::{EpochRecord, KnownSlot, SlotSet};
use engine::format::config::Config;
use engine::format::envelope::{VERSION, associated_data, encode_record};
use engine::format::slot::{KdfCost, Role, Slot, SlotAbout, SlotKind};
use engine::repo::keyring::Keyring;
use engine::repo::slots::{self, Wrapping};
use engine::store::ObjectName;
use system_tests::reader::cbor::Value;

use crate::forged::forger::{Forger, Way};
use crate::forged::grammar::{encode, mutate, noise, one_of, spoil, spoil_record};
use crate::forged::kinds::{Kind, Thief};
use crate::golden;

impl Forger<'_> {
    /// Anything but a control object.
    pub(super) fn other(&mut self, kind: Kind, way: Way) {
        match kind {
            Kind::Config => self.config(way),
            Kind::Slot => self.slot(way),
            Kind::SlotSet => self.slot_set(way),
            Kind::Epoch => self.epoch(way),
            Kind::Pack(kind) => self.pack(kind, way),
            Kind::Segment => self.segment(way),
            Kind::Control(_) => {}
        }
    }

    /// The key of the administrator, for who has it.
    fn clear_signer(&self) -> SigningKey {
        match self.tool.keys().admin() {
            Ok(admin) if self.who == Thief::Admin => admin.signing().clone(),
            _ => self.signing.clone(),
        }
    }

    /// A record as bytes, changed if that is the way.
    fn drawn(&mut self, record: &[u8], way: Way) -> Vec<u8> {
        if way != Way::Changed {
            return record.to_vec();
        }
        let mut value = Value::decode(record).expect("records are plain CBOR");
        mutate(&mut value, &self.pool, &mut self.chance);
        let mut bytes = encode(&value);
        if self.chance.hits(3) {
            spoil_record(&mut bytes, &mut self.chance);
        }
        bytes
    }

    fn framed(magic: &[u8; 4], record: &[u8]) -> Vec<u8> {
        [magic.as_slice(), &[VERSION], &(record.len() as u32).to_le_bytes(), record].concat()
    }

    fn config(&mut self, way: Way) {
        let random = noise(16, &mut self.chance).try_into().expect("16 bytes");
        let repository = RepositoryId::new(random);
        let name = ObjectName::Config(repository);
        let signer = self.clear_signer();
        let admin_key = match self.chance.hits(3) {
            true => *self.tool.keys().admin_key(),
            false => signer.public(),
        };
        let suite = self.tool.config().suite;
        let record = encode_record(&Config { repository, admin_key, suite, ..golden::config() });
        let record = self.drawn(&record, way);
        let mut bytes = Self::framed(b"MSTG", &record);
        let signature = signer.sign(&bytes);
        bytes.extend_from_slice(&signature);
        let mac = match self.who.role() {
            None => [7; 32],
            Some(_) => {
                let control = self.tool.keys().control().0;
                hash::mac(&derive("mainstay v2 configuration mac", &[control.expose()]), &bytes)
            }
        };
        bytes.extend_from_slice(&mac);
        self.put_clear(&name, bytes, way);
    }

    /// Puts up bytes, spoilt if that is the way.
    fn put_clear(&mut self, name: &ObjectName, mut bytes: Vec<u8>, way: Way) {
        if way == Way::Junk {
            match self.chance.hits(2) {
                true => bytes = self.nonsense().to_vec(),
                false => spoil(&mut bytes, &mut self.chance),
            }
        }
        self.add_raw(&name.key(), bytes);
    }

    fn slot(&mut self, way: Way) {
        let repository = self.tool.config().repository;
        let bundle = match self.tool.keys().admin() {
            Ok(admin) if self.who == Thief::Admin => {
                Keyring::cut_bundle(admin, Suite::X25519, Role::Admin, (0, 0), None)
            }
            _ => golden::bundle(),
        };
        let own = SecretKey::new([7; 32]);
        let control = match self.who.role() {
            None => &own,
            Some(_) => self.tool.keys().control().0,
        };
        let about = SlotAbout {
            role: *one_of(&Role::ALL, &mut self.chance),
            label: "forged".to_owned(),
            created: Timestamp::default(),
        };
        let wrapping = match self.chance.hits(2) {
            true => Wrapping::Phrase(&own),
            false => Wrapping::KeyFile(&own),
        };
        let mut slot =
            slots::wrap(repository, control, &about, &bundle, &wrapping).expect("it costs nothing");
        if self.chance.hits(3) {
            let memory_kib = *one_of(&[64 << 10, 256 << 10, 4 << 20], &mut self.chance);
            let passes = *one_of(&[2, 20], &mut self.chance);
            let cost = Some(KdfCost { memory_kib, passes, lanes: 1 });
            slot = Slot { kind: SlotKind::Passphrase, cost, salt: [7; 16], ..slot };
        }
        let mut bytes = slot.encode();
        if way == Way::Changed {
            let at = 5 + self.chance.below(55) as usize;
            bytes[at] = *one_of(&[0, 1, 2, 3, 0x7f, 0xff], &mut self.chance);
        }
        let name = match self.chance.hits(5) {
            true => ObjectName::Slot(SlotId::new(*self.nonce().as_bytes())),
            false => ObjectName::Slot(slot.slot),
        };
        self.put_clear(&name, bytes, way);
    }

    /// Slots of others under other hashes, removed, or left out.
    fn slot_set(&mut self, way: Way) {
        let number = *one_of(&[0, 1, 2, 9, u32::MAX], &mut self.chance);
        let is_of_set = |key: &&String| key.starts_with("slots/");
        let there: Vec<_> = self.keys().iter().filter(is_of_set).cloned().collect();
        let replaces = there.iter().filter_map(|key| match ObjectName::parse(key) {
            Some(ObjectName::SlotSet { number, random }) => Some((number, random)),
            _ => None,
        });
        let slots = self
            .tool
            .slot()
            .map(|slot| KnownSlot { slot, ..golden::history::slot_set().slots[0].clone() });
        let set = SlotSet {
            repository: self.tool.config().repository,
            number,
            replaces: replaces.collect(),
            slots: slots.into_iter().collect(),
            removed: self.tool.slot().into_iter().collect(),
            ..golden::history::slot_set()
        };
        let name = ObjectName::SlotSet { number, random: Nonce8::new(*self.nonce().as_bytes()) };
        let record = self.drawn(&encode_record(&set), way);
        self.announce(&name, b"MSTS", &record, way);
    }

    fn epoch(&mut self, way: Way) {
        let epoch = *one_of(&[0, 1, 2, 3, u32::MAX], &mut self.chance);
        let repository = self.tool.config().repository;
        let record = EpochRecord { repository, epoch, ..golden::history::epoch() };
        let record = self.drawn(&encode_record(&record), way);
        self.announce(&ObjectName::Epoch(epoch), b"MSTE", &record, way);
    }

    fn announce(&mut self, name: &ObjectName, magic: &[u8; 4], record: &[u8], way: Way) {
        let mut bytes = Self::framed(magic, record);
        let repository = self.tool.config().repository;
        let place = hash::digest(name.key().as_bytes());
        let front = associated_data("announcement", repository, place, &[]);
        let signature = self.clear_signer().sign(&[front.as_slice(), &bytes].concat());
        bytes.extend_from_slice(&signature);
        self.put_clear(name, Bytes::from(bytes).to_vec(), way);
    }
}
