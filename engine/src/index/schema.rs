//! The tables of the index, and how its file is recognised.
//!
//! The look-up table `chunk` holds 48 bits of each chunk id and the number of the chunk's record,
//! about 20 bytes a row, so that most of it fits into the page cache and an insert touches few
//! pages. The records with the full ids lie in `part`, 25 of them (1,000 bytes) to a row and so
//! four rows to a page, in the order of their pack. One copy of each id serves both directions: from
//! chunk to pack (compare the full id) and from pack to chunks (read its parts in order). A flipped
//! bit in either table can hide a chunk but never invent one, since the full id must match.

/// `MSTI` in the header of the file: a database of this program and no other.
pub(crate) const APPLICATION_ID: i32 = 0x4d53_5449;

/// Version of the tables below. Any other version is moved aside: a cache needs no migration.
pub(crate) const SCHEMA_VERSION: i32 = 3;

/// Records in one row of `part`: four rows fill a page of 4 KiB, and a look-up copies 1,000 bytes.
pub(crate) const PART_RECORDS: usize = 25;

/// Bytes of a page. Larger pages would write more for each scattered row.
pub(crate) const PAGE_BYTES: i64 = 4096;

/// Makes the tables. Row numbers of packs are never given twice (`AUTOINCREMENT`), not even after
/// the index was cleared, so a reader may keep what it once read about a pack.
pub(crate) const TABLES: &str = "
CREATE TABLE identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    repository BLOB NOT NULL,
    epoch BLOB NOT NULL
) STRICT;
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE segment (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE replaced_segment (name BLOB PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE closed_segment (
    name BLOB PRIMARY KEY NOT NULL,
    domain INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE pack (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name BLOB NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    domain INTEGER NOT NULL,
    standing INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    raw_bytes INTEGER NOT NULL,
    chunk_count INTEGER NOT NULL,
    first_part INTEGER NOT NULL,
    digest BLOB NOT NULL,
    footer BLOB NOT NULL,
    segment INTEGER NOT NULL,
    blocks BLOB NOT NULL
) STRICT;
CREATE TABLE dead_pack (name BLOB PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE generation (
    id BLOB PRIMARY KEY NOT NULL,
    exclusion INTEGER NOT NULL,
    packs BLOB NOT NULL
) STRICT;
CREATE TABLE past (number INTEGER NOT NULL, random BLOB NOT NULL, PRIMARY KEY (number, random))
STRICT, WITHOUT ROWID;
CREATE TABLE part (id INTEGER PRIMARY KEY, pack INTEGER NOT NULL, records BLOB NOT NULL) STRICT;
CREATE TABLE chunk (
    prefix INTEGER NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (prefix, record)
) STRICT, WITHOUT ROWID;
CREATE TABLE snapshot (
    session BLOB PRIMARY KEY NOT NULL,
    digest BLOB NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE TABLE client (id BLOB PRIMARY KEY NOT NULL, record BLOB NOT NULL) STRICT;
CREATE TABLE mark (key TEXT PRIMARY KEY, record BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE run (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    session BLOB NOT NULL UNIQUE,
    source TEXT NOT NULL,
    started_s INTEGER NOT NULL,
    started_ns INTEGER NOT NULL,
    finished_s INTEGER,
    finished_ns INTEGER,
    outcome TEXT,
    detail TEXT
) STRICT;
";

/// Tables whose content is decided by nothing else and that are small: checked at every open.
/// The others hold what is compared with full ids, or what the caller verifies anyway.
pub(crate) const SMALL_TABLES: [&str; 8] = [
    "identity",
    "setting",
    "segment",
    "closed_segment",
    "replaced_segment",
    "generation",
    "past",
    "run",
];

/// Every table, for a look at whether they are all there.
pub(crate) const ALL_TABLES: [&str; 15] = [
    "identity",
    "setting",
    "segment",
    "closed_segment",
    "replaced_segment",
    "dead_pack",
    "generation",
    "past",
    "pack",
    "part",
    "chunk",
    "snapshot",
    "client",
    "mark",
    "run",
];
