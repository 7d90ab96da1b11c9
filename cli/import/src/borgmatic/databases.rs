//! Databases that borgmatic dumps: each becomes a source whose command prints the dump.

use crate::draft::Source;
use crate::secret::is_secret_name;
use crate::translate::{Work, clean_name};
use crate::tree::{Node, Section, Value};

/// How one kind is dumped.
struct Dump {
    key: &'static str,
    program: &'static str,
    /// Before everything else.
    fixed: &'static [&'static str],
    /// Where a password belongs instead.
    password: &'static str,
    ending: &'static str,
}

const DUMPS: [Dump; 4] = [
    Dump {
        key: "postgresql_databases",
        program: "pg_dump",
        fixed: &["--no-password", "--clean", "--if-exists"],
        password: "pg_dump reads passwords from ~/.pgpass of the user of the agent, or from the file that PGPASSFILE names",
        ending: "dump",
    },
    Dump {
        key: "mariadb_databases",
        program: "mariadb-dump",
        fixed: &["--single-transaction", "--add-drop-database"],
        password: "mariadb-dump reads passwords from ~/.my.cnf of the user of the agent ([client], password=…)",
        ending: "sql",
    },
    Dump {
        key: "mysql_databases",
        program: "mysqldump",
        fixed: &["--single-transaction", "--add-drop-database"],
        password: "mysqldump reads passwords from ~/.my.cnf of the user of the agent ([client], password=…)",
        ending: "sql",
    },
    Dump {
        key: "mongodb_databases",
        program: "mongodump",
        fixed: &["--archive"],
        password: "mongodump reads passwords from a file that --config names",
        ending: "archive",
    },
];

/// Translates all of them.
pub(super) fn translate(work: &mut Work<'_>, section: &mut Section) {
    for dump in &DUMPS {
        each(work, section, dump.key, |work, one| database(work, dump, one));
    }
    each(work, section, "sqlite_databases", sqlite);
}

fn each(
    work: &mut Work<'_>,
    section: &mut Section,
    key: &str,
    mut translate: impl FnMut(&mut Work<'_>, Section),
) {
    let Some(node) = section.take(key) else { return };
    let Value::List(list) = node.value else {
        work.untold(key, &node, "a list of databases was expected");
        return;
    };
    for node in list {
        match node.value {
            Value::Table(_) => translate(work, node.section()),
            _ => work.untold(key, &node, "a database with its name was expected"),
        }
    }
}

fn database(work: &mut Work<'_>, dump: &Dump, mut one: Section) {
    let Some(name_node) = one.take("name") else {
        work.rest(one);
        return;
    };
    let Some(name) = work.text(&name_node) else {
        work.rest(one);
        return;
    };
    let is_all = name == "all";
    let is_postgres = dump.key.starts_with("postgresql");
    let mut words: Vec<String> = Vec::new();
    words.push(if is_all && is_postgres { "pg_dumpall" } else { dump.program }.to_owned());
    words.extend(dump.fixed.iter().map(|word| (*word).to_owned()));
    for (key, option) in [("hostname", "--host"), ("port", "--port"), ("username", "--username")] {
        let Some(node) = one.take(key) else { continue };
        let Some(text) = work.text(&node) else { continue };
        let option = if option == "--username"
            && dump.program.contains("dump")
            && !is_postgres
            && dump.program != "mongodump"
        {
            "--user"
        } else {
            option
        };
        work.report.same(&node.place, "source.command");
        words.push(format!("{option}={text}"));
    }
    if let Some(node) = one.take("format") {
        format(work, &node, is_postgres && !is_all, &mut words);
    } else if is_postgres && !is_all {
        words.push("--format=custom".to_owned());
    }
    if let Some(node) = one.take("options") {
        match node.text().and_then(shlex::split) {
            Some(more) if !work.is_secret(&more.join(" ")) => {
                work.report.same(&node.place, "source.command");
                words.extend(more);
            }
            _ => work.report.to_do(
                &node.place,
                "these options were not copied: they seem to hold a secret, or are no words",
            ),
        }
    }
    if let Some(node) = one.take("password") {
        work.report.say(crate::draft::Kind::Secret, &node.place, dump.password);
    }
    match (is_all, is_postgres, dump.program) {
        (true, true, _) | (true, _, "mongodump") => {}
        (true, ..) => words.push("--all-databases".to_owned()),
        (false, _, "mongodump") => words.push(format!("--db={name}")),
        (false, true, _) => words.push(name.clone()),
        (false, ..) => words.extend(["--databases".to_owned(), name.clone()]),
    }
    finish(work, &name_node, &name, dump.ending, words);
    leftovers(work, one);
}

fn format(work: &mut Work<'_>, node: &Node, takes_it: bool, words: &mut Vec<String>) {
    match (node.text(), takes_it) {
        (Some(form @ ("custom" | "tar" | "plain")), true) => {
            work.report.same(&node.place, "source.command");
            words.push(format!("--format={form}"));
        }
        (Some("directory"), true) => {
            work.report
                .changed(&node.place, "a folder cannot be printed: the form `custom` was taken");
            words.push("--format=custom".to_owned());
        }
        _ => work.untold("format", node, "the form of this dump is the usual one"),
    }
}

fn sqlite(work: &mut Work<'_>, mut one: Section) {
    let (name_node, path_node) = (one.take("name"), one.take("path"));
    let path = path_node.as_ref().and_then(|node| {
        let text = work.text(node)?;
        work.path(&node.place, &text)
    });
    let name = name_node.as_ref().and_then(|node| work.text(node));
    if let (Some(node), Some(path)) = (&path_node, path) {
        work.report.same(&node.place, "source.command");
        let name = name.unwrap_or_else(|| crate::script::stem(&path));
        let words = ["sqlite3", "-readonly", &path, ".dump"].map(str::to_owned).to_vec();
        finish(work, name_node.as_ref().unwrap_or(node), &name, "sql", words);
    } else if let Some(node) = &name_node {
        work.report.missing(&node.place, "a database without a path");
    }
    leftovers(work, one);
}

fn finish(work: &mut Work<'_>, node: &Node, name: &str, ending: &str, command: Vec<String>) {
    if work.copies_secret(&command.join(" ")) {
        work.secret(&node.place, "command");
        return;
    }
    work.report.same(&node.place, "source.command");
    let words = "the dump is what the command prints, saved as a snapshot of its own; look whether the user of the \
                 agent may make it";
    work.report.changed(&node.place, words);
    let clean = clean_name(name, "database");
    let file = clean.replace('/', "-");
    let source =
        Source { filename: Some(format!("{file}.{ending}")), command, ..Source::named(&clean) };
    work.add(source);
}

fn leftovers(work: &mut Work<'_>, one: Section) {
    for (name, node) in one.entries {
        let words = match name.as_str() {
            "pg_dump_command"
            | "mysql_dump_command"
            | "mariadb_dump_command"
            | "sqlite_command" => "look at the first word of `command`: this said another one",
            "container" => {
                "the command runs on this machine; write for example `docker exec` before it"
            }
            _ if name.starts_with("restore_")
                || name.ends_with("restore_command")
                || name == "psql_command" =>
            {
                "dumps are restored by hand: `mainstay dump SNAP FILE | …`"
            }
            _ => "there is nothing like it for a command",
        };
        match is_secret_name(&name) {
            true => work.secret(&node.place, &name),
            false => work.untold(&name, &node, words),
        }
    }
}
