//! Rows of drills as text: populations, results, and the proof of a single file.
//!
//! Plain CSV without quotes, since every field is a number or hexadecimal: ten lines of any
//! language read it.

use std::fmt::Write as _;

use crate::evidence::merkle::{RootBuilder, leaf, root_from_proof};
use crate::evidence::record::{Hash32, from_hex, to_hex};
use crate::sample::draw::Row;

/// First line of a population.
const POPULATION_HEAD: &str = "path_hash,size_bytes,stratum,fresh";
/// First line of results.
const RESULTS_HEAD: &str = "path_hash,size_bytes,expected,actual";

/// What a drill found of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultRow {
    /// Salted hash of its path.
    pub path: Hash32,
    /// Its size.
    pub size_bytes: u64,
    /// Hash of what the snapshot says that its content is.
    pub expected: Hash32,
    /// The same hash of what came back; zero if nothing did.
    pub actual: Hash32,
}

impl ResultRow {
    /// The row as it goes into the root of the results.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 104] {
        let mut bytes = [0; 104];
        bytes[..32].copy_from_slice(&self.path.0);
        bytes[32..40].copy_from_slice(&self.size_bytes.to_be_bytes());
        bytes[40..72].copy_from_slice(&self.expected.0);
        bytes[72..].copy_from_slice(&self.actual.0);
        bytes
    }

    /// Its line.
    #[must_use]
    pub fn to_line(&self) -> String {
        format!("{},{},{},{}\n", self.path, self.size_bytes, self.expected, self.actual)
    }
}

/// Salted hash of a path: what stands for it in evidence.
#[must_use]
pub fn path_hash(salt: &[u8; 16], path: &[u8]) -> Hash32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(salt).update(path);
    Hash32(*hasher.finalize().as_bytes())
}

/// A population as text.
#[must_use]
pub fn population_text(rows: &[Row]) -> String {
    let mut text = format!("{POPULATION_HEAD}\n");
    for row in rows {
        let Row { path, size_bytes, stratum, is_fresh } = row;
        let _ = writeln!(text, "{},{size_bytes},{stratum},{}", to_hex(path), u8::from(*is_fresh));
    }
    text
}

/// Results as text.
#[must_use]
pub fn results_text(rows: &[ResultRow]) -> String {
    let lines: String = rows.iter().map(ResultRow::to_line).collect();
    format!("{RESULTS_HEAD}\n{lines}")
}

/// What decides a sample, as text: the seed follows from the record before the beginning, from the
/// snapshot and from the generation.
#[must_use]
pub fn draw_text(begun: u32, snapshot: &[u8; 24], generation: u64, wanted: u64) -> String {
    format!(
        "begun {begun}\nsnapshot {}\ngeneration {generation}\nwanted {wanted}\n",
        to_hex(snapshot)
    )
}

/// Reads a population.
#[must_use]
pub fn read_population(text: &[u8]) -> Option<Vec<Row>> {
    fields::<4, _>(text, POPULATION_HEAD, |[path, size, stratum, fresh]| {
        Some(Row {
            path: Hash32::from_hex(path)?.0,
            size_bytes: number(size)?,
            stratum: number(stratum)?.try_into().ok()?,
            is_fresh: match fresh {
                "0" => false,
                "1" => true,
                _ => return None,
            },
        })
    })
}

/// Reads results.
#[must_use]
pub fn read_results(text: &[u8]) -> Option<Vec<ResultRow>> {
    fields::<4, _>(text, RESULTS_HEAD, |[path, size, expected, actual]| {
        Some(ResultRow {
            path: Hash32::from_hex(path)?,
            size_bytes: number(size)?,
            expected: Hash32::from_hex(expected)?,
            actual: Hash32::from_hex(actual)?,
        })
    })
}

/// A number in its one spelling.
fn number(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

fn fields<const N: usize, T>(
    text: &[u8],
    head: &str,
    read: impl Fn([&str; N]) -> Option<T>,
) -> Option<Vec<T>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next() != Some(head) {
        return None;
    }
    lines
        .map(|line| {
            let parts: Vec<&str> = line.split(',').collect();
            read(parts.try_into().ok()?)
        })
        .collect()
}

/// Root over the rows of results.
#[must_use]
pub fn results_root(rows: &[ResultRow]) -> Hash32 {
    let mut builder = RootBuilder::default();
    rows.iter().for_each(|row| builder.push(&row.to_bytes()));
    builder.root()
}

/// Root over the rows of a population.
#[must_use]
pub fn population_root(rows: &[Row]) -> Hash32 {
    let mut builder = RootBuilder::default();
    rows.iter().for_each(|row| builder.push(&row.to_bytes()));
    builder.root()
}

/// Shows one file of a drill and nothing of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProof {
    /// The drill, as `writer/number`.
    pub drill: String,
    /// The path as raw bytes.
    pub path: Vec<u8>,
    /// What the path was salted with.
    pub salt: [u8; 16],
    /// The row.
    pub row: ResultRow,
    /// Its place among the results.
    pub index: u64,
    /// How many results there are.
    pub count: u64,
    /// Hashes of the neighbours, from the bottom up.
    pub siblings: Vec<Hash32>,
}

impl FileProof {
    /// The proof as text, one fact a line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "drill {}\npath_hex {}\nsalt {}\nrow {}index {}\ncount {}\n",
            self.drill,
            to_hex(&self.path),
            to_hex(&self.salt),
            self.row.to_line(),
            self.index,
            self.count
        );
        for sibling in &self.siblings {
            let _ = writeln!(text, "sibling {sibling}");
        }
        text
    }

    /// Reads a proof.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let drill = field("drill")?.to_owned();
        let path = from_hex(field("path_hex")?)?;
        let salt = from_hex(field("salt")?)?.try_into().ok()?;
        let row_line = format!("{RESULTS_HEAD}\n{}\n", field("row")?);
        let row = *read_results(row_line.as_bytes())?.first()?;
        let (index, count) = (number(field("index")?)?, number(field("count")?)?);
        let sibling = |line: &str| Hash32::from_hex(line.strip_prefix("sibling ")?);
        let siblings = lines.map(sibling).collect::<Option<_>>()?;
        Some(Self { drill, path, salt, row, index, count, siblings })
    }

    /// The root that it leads to, if path and row belong together.
    #[must_use]
    pub fn root(&self) -> Option<Hash32> {
        if path_hash(&self.salt, &self.path) != self.row.path {
            return None;
        }
        root_from_proof(&self.row.to_bytes(), self.index, self.count, &self.siblings)
    }
}

/// Leaf hashes of results.
#[must_use]
pub fn result_leaves(rows: &[ResultRow]) -> Vec<Hash32> {
    rows.iter().map(|row| leaf(&row.to_bytes())).collect()
}
