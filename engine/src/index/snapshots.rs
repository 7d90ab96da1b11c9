//! Records that are kept at hand: snapshots, clients, settings.
//!
//! Their bytes are the caller's: it verified them when it read them from the store, and decodes
//! them again. The digest tells whether the object in the store is still the one that was kept.

use std::collections::HashSet;

use rusqlite::OptionalExtension;

use crate::base::id::{ClientId, Digest, SessionId};
use crate::index::database::Index;
use crate::index::error::IndexError;

impl Index {
    /// Keeps the record of a snapshot with the digest of its object; replaces an older one.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn put_snapshot(
        &self,
        session: SessionId,
        digest: Digest,
        record: &[u8],
    ) -> Result<(), IndexError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO snapshot (session, digest, record) VALUES (?1, ?2, ?3)",
                (session.as_bytes(), digest.as_bytes(), record),
            )?;
            Ok(())
        })
    }

    /// The kept record of a snapshot and the digest of its object.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn snapshot(&self, session: SessionId) -> Result<Option<(Digest, Vec<u8>)>, IndexError> {
        self.read(|connection| {
            let sql = "SELECT digest, record FROM snapshot WHERE session = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let kept = statement
                .query_row([session.as_bytes()], |row| Ok((Digest::new(row.get(0)?), row.get(1)?)));
            Ok(kept.optional()?)
        })
    }

    /// The snapshots whose records are kept.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn kept_snapshots(&self) -> Result<HashSet<SessionId>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT session FROM snapshot")?;
            let rows = statement.query_map((), |row| Ok(SessionId::new(row.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Drops the records of all snapshots but these: the others are gone from the store.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn drop_snapshots_except(&self, kept: &HashSet<SessionId>) -> Result<(), IndexError> {
        let gone: Vec<_> = self.kept_snapshots()?.difference(kept).copied().collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut delete = transaction.prepare("DELETE FROM snapshot WHERE session = ?1")?;
            for session in &gone {
                delete.execute([session.as_bytes()])?;
            }
            Ok(())
        })
    }

    /// Keeps the record of a client; replaces an older one.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn put_client(&self, client: ClientId, record: &[u8]) -> Result<(), IndexError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO client (id, record) VALUES (?1, ?2)",
                (client.as_bytes(), record),
            )?;
            Ok(())
        })
    }

    /// The kept record of a client.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn client(&self, client: ClientId) -> Result<Option<Vec<u8>>, IndexError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT record FROM client WHERE id = ?1")?;
            Ok(statement.query_row([client.as_bytes()], |row| row.get(0)).optional()?)
        })
    }

    /// The kept records of all clients.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn kept_clients(&self) -> Result<Vec<(ClientId, Vec<u8>)>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id, record FROM client")?;
            let row = |row: &rusqlite::Row<'_>| Ok((ClientId::new(row.get(0)?), row.get(1)?));
            Ok(statement.query_map((), row)?.collect::<Result<_, _>>()?)
        })
    }

    /// The value of a setting.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails or is damaged.
    pub fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, IndexError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
            Ok(statement.query_row([name], |row| row.get(0)).optional()?)
        })
    }

    /// Sets a setting. It is on the disk when this returns: a sequence number that was forgotten
    /// in a power failure would be given twice.
    ///
    /// # Errors
    /// [`IndexError::Database`] if the database fails.
    pub fn set_setting(&self, name: &str, value: &[u8]) -> Result<(), IndexError> {
        self.write_durably(|transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)",
                (name, value),
            )?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::sample::{empty, session};

    #[test]
    fn records_are_kept_replaced_and_dropped() {
        let (_folder, index) = empty();
        let digest = |byte| Digest::new([byte; 32]);
        for byte in 1..=4 {
            index.put_snapshot(session(byte), digest(byte), &[byte; 5_000]).unwrap();
        }
        index.put_snapshot(session(2), digest(9), b"").unwrap();
        assert_eq!(index.snapshot(session(2)).unwrap(), Some((digest(9), Vec::new())));
        index.drop_snapshots_except(&[session(1), session(2), session(7)].into()).unwrap();
        assert_eq!(index.kept_snapshots().unwrap(), [session(1), session(2)].into());
        assert_eq!(index.snapshot(session(3)).unwrap(), None);
        assert_eq!(index.snapshot(session(1)).unwrap(), Some((digest(1), vec![1; 5_000])));

        let client = session(1).client();
        assert_eq!(index.client(client).unwrap(), None);
        index.put_client(client, b"one").unwrap();
        index.put_client(client, b"two").unwrap();
        assert_eq!(index.client(client).unwrap().as_deref(), Some(&b"two"[..]));

        assert_eq!(index.setting("sequence").unwrap(), None);
        index.set_setting("sequence", &[1]).unwrap();
        index.set_setting("sequence", &[2]).unwrap();
        assert_eq!(index.setting("sequence").unwrap().as_deref(), Some(&[2][..]));
    }
}
