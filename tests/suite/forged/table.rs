//! The table in `docs/FORGED.md` against what was noticed.

use std::collections::BTreeMap;
use std::path::Path;

use crate::forged::honest::Effects;
use crate::forged::kinds::{Kind, Thief};

/// What stands in a cell where nothing was noticed.
const NOTHING: &str = "–";

/// What a cell says: what must be noticed, and what else may be, because ids are drawn anew each time and
/// their order decides about it.
struct Cell {
    must: Effects,
    may: Effects,
}

/// The cells of a column by the form of the key, as the document has them.
fn documented(who: Thief) -> BTreeMap<String, Cell> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FORGED.md");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut found = BTreeMap::new();
    let mut column = None;
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if cells.first() == Some(&"key") {
            column = cells.iter().position(|cell| *cell == who.title());
            continue;
        }
        let key = cells[0].strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
        if let (Some(key), Some(column)) = (key, column)
            && let Some(cell) = cells.get(column)
        {
            found.insert(key.to_owned(), read(cell));
        }
        if line.is_empty() {
            column = None;
        }
    }
    found
}

fn read(cell: &str) -> Cell {
    let (mut must, mut may) = (Effects::new(), Effects::new());
    for word in cell.split(',').map(str::trim).filter(|word| *word != NOTHING) {
        match word.strip_prefix('(').and_then(|word| word.strip_suffix(')')) {
            Some(word) => may.insert(word.to_owned()),
            None => must.insert(word.to_owned()),
        };
    }
    Cell { must, may }
}

fn written(effects: &Effects) -> String {
    let all: Vec<&str> = effects.iter().map(String::as_str).collect();
    if all.is_empty() { NOTHING.to_owned() } else { all.join(", ") }
}

/// Everything that was noticed must stand in the document; with the usual draw the two are the same.
pub(super) fn compare(who: Thief, cells: &BTreeMap<Kind, Effects>, is_exact: bool) {
    let documented = documented(who);
    let differs = |(kind, found): &(&Kind, &Effects)| {
        let Some(Cell { must, may }) = documented.get(kind.form()) else { return true };
        let is_missing = is_exact && !must.is_subset(found);
        is_missing || found.iter().any(|it| !must.contains(it) && !may.contains(it))
    };
    let wrong = cells.iter().filter(differs);
    let lines: Vec<String> =
        wrong.map(|(kind, found)| format!("`{}` | {}", kind.form(), written(found))).collect();
    assert!(
        lines.is_empty(),
        "the column {:?} of docs/FORGED.md should say:\n{}",
        who.title(),
        lines.join("\n")
    );
}
