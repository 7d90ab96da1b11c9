//! `database detect`: what there is on this machine, and what to write for it.

use std::path::Path;

use crate::command::context::Context;
use crate::database::detect::{Found, look};
use crate::database::preset::Preset;
use crate::fault::{ExitCode, Fault};
use crate::ui::database::DatabaseFound;
use crate::ui::json::Message;
use crate::ui::output::printable;

/// Looks.
///
/// # Errors
/// None: what cannot be looked at is left out.
pub fn run(context: &Context<'_>) -> Result<ExitCode, Fault> {
    let findings = look(Path::new("/"));
    for found in &findings.found {
        let record = record(found);
        if context.ui.is_json() {
            context.ui.message(&Message::DatabaseFound(record));
            continue;
        }
        let line = format!("{:<11}{:<9}{}", record.preset, record.by, record.place);
        context.ui.result(&printable(&line));
        if !context.ui.is_quiet() {
            context.ui.result(&format!("  {}", record.note));
            for line in record.source.iter().flat_map(|source| source.lines()) {
                context.ui.result(&printable(&format!("    {line}")));
            }
        }
    }
    if findings.found.is_empty() {
        context
            .ui
            .note("nothing was found: no server listens here, and no usual folder has a database");
    }
    if findings.is_cut {
        context
            .ui
            .note("some folders are too large: not all were looked through for files of SQLite");
    }
    Ok(ExitCode::Ok)
}

fn record(found: &Found) -> DatabaseFound {
    let Found { preset, by, place } = found;
    let note = match (*preset, *by) {
        (Preset::Mongodb, _) => {
            "there is no preset for it yet: save what `mongodump --archive` prints as a [[source]] with \
             a command"
        }
        (Preset::Sqlite, _) => {
            "a plain copy of the file is not safe while something writes to it: dump it"
        }
        (_, "folder" | "process") => {
            "a plain backup of this folder is not safe while the server runs: dump its databases, and \
             leave the folder out"
        }
        _ => "it runs: dump its databases",
    };
    DatabaseFound {
        preset: preset.name(),
        by,
        place: place.clone(),
        source: source(found),
        note: note.to_owned(),
    }
}

/// The section for the configuration.
fn source(found: &Found) -> Option<String> {
    let Found { preset, by, place } = found;
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let head = |name: &str| format!("[[source]]\nname = {}\npreset = \"{preset}\"\n", quoted(name));
    match (*preset, *by) {
        (Preset::Mongodb, _) => None,
        (Preset::Sqlite, _) => {
            let stem = Path::new(place).file_stem()?.to_string_lossy();
            let list = quoted(place);
            Some(format!("{}databases = [{list}]", head(&stem.replace([',', '/'], "-"))))
        }
        (Preset::Postgresql, "socket") => {
            let (folder, port) = place.rsplit_once("/.s.PGSQL.")?;
            let server = quoted(&format!("{folder}:{port}"));
            Some(format!("{}server = {server}", head("postgresql")))
        }
        (_, "socket" | "port") => {
            Some(format!("{}server = {}", head(preset.name()), quoted(place)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_can_be_written_down() {
        for (preset, by, place, wanted) in [
            (Preset::Postgresql, "socket", "/run/postgresql/.s.PGSQL.5433", "/run/postgresql:5433"),
            (Preset::Mariadb, "socket", "/run/mysqld/mysqld.sock", "/run/mysqld/mysqld.sock"),
            (Preset::Sqlite, "file", "/srv/a \"b\".db", "/srv/a \"b\".db"),
        ] {
            let found = Found { preset, by, place: place.to_owned() };
            let text = source(&found).expect("a section");
            let table: toml::Table = toml::from_str(&text).expect("because it is TOML");
            let section = &table["source"][0];
            assert_eq!(section["preset"].as_str(), Some(preset.name()));
            let said = section.get("server").or_else(|| section["databases"].get(0));
            assert_eq!(said.and_then(toml::Value::as_str), Some(wanted));
        }
        let found = Found { preset: Preset::Postgresql, by: "folder", place: "/x".to_owned() };
        assert!(source(&found).is_none() && record(&found).note.contains("not safe"));
    }
}
