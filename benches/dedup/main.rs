//! What chunk profiles store: two versions of data, cut in several ways, deduplicated, compressed.
//!
//! ```text
//! cargo run --release -p system-benches --bin dedup -- FIRST SECOND
//! ```
//!
//! Each folder below `FIRST` that holds a kind of data is one row of the table: its files, in path
//! order, then those of the same folder below `SECOND`. With `--depth N`, kinds are the folders N
//! levels down; the default is 1.

mod scheme;
mod shelf;
mod kinds;

use std::io::Write;
use std::path::PathBuf;

use crate::kinds::{Kind, kinds};
use crate::scheme::Scheme;
use crate::shelf::Shelf;

/// One version stored after what is there already: bytes and chunks that came new.
fn add(shelf: &mut Shelf, scheme: &Scheme, files: &[PathBuf]) -> std::io::Result<()> {
    for file in files {
        let content = std::fs::read(file)?;
        let mut rest = content.as_slice();
        let cuts = scheme.for_file(&content);
        while !rest.is_empty() {
            let length = cuts.next(rest);
            shelf.add(&rest[..length]);
            rest = &rest[length..];
        }
    }
    shelf.flush();
    Ok(())
}

fn row(kind: &Kind, scheme: &Scheme) -> std::io::Result<String> {
    let mut shelf = Shelf::new();
    add(&mut shelf, scheme, &kind.first)?;
    let (first, first_chunks) = (shelf.stored_bytes, shelf.chunk_count);
    add(&mut shelf, scheme, &kind.second)?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Ok(format!(
        "| {} | {:.1} | {} | {:.2} | {:.2} | {first_chunks} |",
        kind.name,
        mib(kind.first_bytes),
        scheme.name(),
        mib(first),
        mib(shelf.stored_bytes - first),
    ))
}

fn main() -> std::io::Result<()> {
    let mut depth = 1;
    let mut folders = Vec::new();
    let mut words = std::env::args_os().skip(1);
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--depth") => {
                let value = words.next().and_then(|value| value.to_str()?.parse().ok());
                depth = value.ok_or_else(|| std::io::Error::other("--depth wants a number"))?;
            }
            _ => folders.push(PathBuf::from(word)),
        }
    }
    let [first, second] = folders.as_slice() else {
        return Err(std::io::Error::other("usage: dedup [--depth N] FIRST SECOND"));
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "| kind | MiB | cut | stored, MiB | second version adds, MiB | chunks |")?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    for kind in kinds(first, second, depth)? {
        for scheme in Scheme::all() {
            writeln!(out, "{}", row(&kind, &scheme)?)?;
        }
    }
    Ok(())
}
