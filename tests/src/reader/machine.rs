//! Records about machines: revocations, runs, setups.

use crate::reader::cbor::Value;
use crate::reader::snapshot::Opening;
use crate::reader::{Repository, Result, disk, object};

impl Repository {
    /// Every record about a machine with its key, verified; of a setup, what is sealed in it.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn machine_records(&self) -> Result<Vec<(String, Value)>> {
        let mut found = Vec::new();
        for name in disk::keys_below(&self.folder, "clients")? {
            if let Some((client, _)) = name.split_once(".revoked-") {
                let record = self.signed(&name, 21, &self.keys.admin_key)?;
                require(&name, &record, 0, client.trim_start_matches("clients/"))?;
                record.field(1)?.time()?;
                found.push((name, record));
            }
        }
        for name in disk::keys_below(&self.folder, "run")? {
            let parts: Vec<&str> = name.split(['/', '-']).collect();
            let record = self.signed_by(&name, 22, parts[2])?;
            let hour = record.field(5)?.time()?.0.div_euclid(3600).max(0);
            let told = format!("{hour:08x}-{:08x}", record.field(1)?.uint()?);
            if told != format!("{}-{}", parts[1], parts[3]) {
                return Err(format!("{name} is the record of another run"));
            }
            found.push((name, record));
        }
        for name in disk::keys_below(&self.folder, "conf")? {
            let writer = name.split('/').nth(1).unwrap_or_default();
            let record = self.signed_by(&name, 23, writer)?;
            let opening = Opening { keys: &self.keys, repository: &self.id, name: &name };
            let opened = opening.open(record.field(3)?.bytes()?)?;
            found.push((name, opened));
        }
        Ok(found)
    }

    fn signed_by(&self, name: &str, kind: u8, client: &str) -> Result<Value> {
        let (_, voucher) = self.client_of(&format!("clients/{client}"))?;
        let record = self.signed(name, kind, &voucher.field(2)?.array()?)?;
        require(name, &record, 0, client)?;
        Ok(record)
    }

    fn signed(&self, name: &str, kind: u8, signer: &[u8; 32]) -> Result<Value> {
        let bytes = disk::read(&self.folder, name)?;
        object::open_control(&bytes, name, kind, &self.id, &self.keys, signer)
    }
}

fn require(name: &str, record: &Value, field: i128, wanted: &str) -> Result<()> {
    match disk::hex(record.field(field)?.bytes()?) == wanted {
        true => Ok(()),
        false => Err(format!("{name} is the record of another client")),
    }
}
