//! Records about machines: revocations, runs, setups; history; announcements.

use std::collections::{BTreeMap, BTreeSet};

use crate::reader::cbor::Value;
use crate::reader::epoch::announced;
use crate::reader::key::hash;
use crate::reader::snapshot::Opening;
use crate::reader::{Repository, Result, disk, object};

impl Repository {
    /// Every record about a machine with its key, verified; of a setup, what is sealed in it.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn machine_records(&self) -> Result<Vec<(String, Value)>> {
        let mut found = Vec::new();
        for name in self.coded_below("clients")? {
            if let Some((client, _)) = name.split_once(".revoked-") {
                let record = self.signed(&name, 21, &self.keys.admin_key)?;
                require(&name, &record, 0, client.trim_start_matches("clients/"))?;
                record.field(1)?.time()?;
                found.push((name, record));
            }
        }
        for name in self.coded_below("run")? {
            let parts: Vec<&str> = name.split(['/', '-']).collect();
            let record = self.signed_by(&name, 22, parts[2])?;
            let hour = record.field(5)?.time()?.0.div_euclid(3600).max(0);
            let told = format!("{hour:08x}-{:08x}", record.field(1)?.uint()?);
            if told != format!("{}-{}", parts[1], parts[3]) {
                return Err(format!("{name} is the record of another run"));
            }
            found.push((name, record));
        }
        for name in self.coded_below("conf")? {
            let writer = name.split('/').nth(1).unwrap_or_default();
            let record = self.signed_by(&name, 23, writer)?;
            let epoch = object::epoch_of(&self.read_coded(&name)?)?;
            let opening = Opening { keys: &self.keys, repository: &self.id, name: &name, epoch };
            let opened = opening.open(record.field(3)?.bytes()?)?;
            found.push((name, opened));
        }
        Ok(found)
    }

    /// Every record of an invitation, of folded history, of a copy, of a lock with its key, verified.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn history_records(&self) -> Result<Vec<(String, Value)>> {
        let mut found = Vec::new();
        // Folder, kind, field that is in the key, field that says who signs, and from which byte.
        for (top, kind, place, by) in
            [("join", 24, 0, 1), ("fold", 25, 1, 0), ("copied", 26, 0, 0), ("lock", 27, 1, 0)]
        {
            for name in self.coded_below(top)? {
                let bytes = self.read_coded(&name)?;
                // Who signs stands in the record: it is opened once to look, and once to verify.
                let seen = object::peek_control(&bytes, &name, kind, &self.id, &self.keys)?;
                let writer = disk::hex(seen.field(by)?.bytes()?.get(..8).unwrap_or_default());
                let record = {
                    let (_, voucher) = self.client_of(&format!("clients/{writer}"))?;
                    let role = voucher.field(3)?.uint()?;
                    let may = kind == 24 || matches!(role, 2 | 5) || (kind == 26 && role == 1);
                    if !may {
                        return Err(format!("{name} is signed by somebody who may not write it"));
                    }
                    self.signed(&name, kind, &voucher.field(2)?.array()?)?
                };
                let told = match record.field(place)? {
                    Value::Bytes(bytes) => disk::hex(bytes),
                    number => format!("{:08x}", number.uint()?),
                };
                if !name.starts_with(&format!("{top}/{told}-")) {
                    return Err(format!("{name} is another record"));
                }
                found.push((name, record));
            }
        }
        Ok(found)
    }

    /// Every set of key slots and every record of an epoch with its key, verified.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn announcements(&self) -> Result<Vec<(String, Value)>> {
        let mut found = Vec::new();
        for (top, magic) in [("slots", b"MSTS"), ("epochs", b"MSTE")] {
            let names = match top {
                "slots" => disk::keys_below(&self.folder, top)?,
                _ => self.coded_below(top)?,
            };
            for name in names {
                let bytes = match top {
                    "slots" => disk::read(&self.folder, &name)?,
                    _ => self.read_coded(&name)?,
                };
                let record = announced(&bytes, magic, &name, &self.id, &self.keys.admin_key)?;
                found.push((name, record));
            }
        }
        Ok(found)
    }

    /// Key and role of every slot in the sets that are in force, each with its hash verified, and the
    /// keys of those that were removed.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn signed_slots(&self) -> Result<(BTreeMap<String, u64>, BTreeSet<String>)> {
        let sets: Vec<_> = self.announcements()?;
        let sets: Vec<_> = sets.iter().filter(|(name, _)| name.starts_with("slots/")).collect();
        let (mut replaced, mut removed) = (BTreeSet::new(), BTreeSet::new());
        for (_, set) in &sets {
            for old in set.optional(3).map_or(Ok(&[][..]), Value::items)? {
                let [number, random] = old.items()? else { return Err("no pair".to_owned()) };
                let random = disk::hex(&random.array::<8>()?);
                replaced.insert(format!("slots/{:08x}-{random}", number.uint()?));
            }
            for slot in set.optional(5).map_or(Ok(&[][..]), Value::items)? {
                removed.insert(format!("keys/{}", disk::hex(&slot.array::<8>()?)));
            }
        }
        let mut slots = BTreeMap::new();
        for (_, set) in sets.iter().filter(|(name, _)| !replaced.contains(name)) {
            for slot in set.field(4)?.items()? {
                let name = format!("keys/{}", disk::hex(&slot.field(0)?.array::<8>()?));
                if removed.contains(&name) {
                    continue;
                }
                if hash(&disk::read(&self.folder, &name)?) != slot.field(1)?.array::<32>()? {
                    return Err(format!("{name} is not what was signed"));
                }
                slots.insert(name, slot.field(3)?.uint()?);
            }
        }
        Ok((slots, removed))
    }

    fn signed_by(&self, name: &str, kind: u8, client: &str) -> Result<Value> {
        let (_, voucher) = self.client_of(&format!("clients/{client}"))?;
        let record = self.signed(name, kind, &voucher.field(2)?.array()?)?;
        require(name, &record, 0, client)?;
        Ok(record)
    }

    fn signed(&self, name: &str, kind: u8, signer: &[u8; 32]) -> Result<Value> {
        let bytes = self.read_coded(name)?;
        object::open_control(&bytes, name, kind, &self.id, &self.keys, signer)
    }
}

fn require(name: &str, record: &Value, field: i128, wanted: &str) -> Result<()> {
    match disk::hex(record.field(field)?.bytes()?) == wanted {
        true => Ok(()),
        false => Err(format!("{name} is the record of another client")),
    }
}
