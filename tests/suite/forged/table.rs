//! The table in `docs/FORGED.md` against what was noticed.

use std::collections::BTreeMap;
use std::path::Path;

use crate::forged::honest::Effects;
use crate::forged::kinds::{Kind, Thief};

/// What stands in a cell where nothing was noticed.
const NOTHING: &str = "–";

/// The cells of a column by the form of the key, as the document has them.
fn documented(who: Thief) -> BTreeMap<String, Effects> {
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

fn read(cell: &str) -> Effects {
    cell.split(',').map(str::trim).filter(|it| *it != NOTHING).map(str::to_owned).collect()
}

fn written(effects: &Effects) -> String {
    let all: Vec<&str> = effects.iter().map(String::as_str).collect();
    if all.is_empty() { NOTHING.to_owned() } else { all.join(", ") }
}

/// Everything that was noticed must stand in the document; with the usual draw the two are the same.
pub(super) fn compare(who: Thief, cells: &BTreeMap<Kind, Effects>, is_exact: bool) {
    let documented = documented(who);
    let differs = |(kind, found): &(&Kind, &Effects)| match documented.get(kind.form()) {
        Some(allowed) if is_exact => *found != allowed,
        Some(allowed) => !found.is_subset(allowed),
        None => true,
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
