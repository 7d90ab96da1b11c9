//! Drawn configurations: each name in them is translated or named, no secret is copied, nothing panics, and
//! what comes out is a configuration.

use std::rc::Rc;

use import::draft::{Kind, Report};
use import::import::{Input, Wanted, import};
use import::tree::{Node, Place, Value};
use proptest::prelude::*;
use proptest::sample::select;

use super::{examine, fixtures, known};

/// Names of borgmatic, resticprofile and nobody.
const NAMES: [&str; 46] = [
    "source_directories",
    "exclude_patterns",
    "patterns",
    "exclude_if_present",
    "one_file_system",
    "keep_daily",
    "keep_weekly",
    "keep_within",
    "checks",
    "before_backup",
    "on_error",
    "commands",
    "postgresql_databases",
    "sqlite_databases",
    "mariadb_databases",
    "healthchecks",
    "ntfy",
    "compression",
    "upload_rate_limit",
    "umask",
    "encryption_passphrase",
    "constants",
    "hooks",
    "name",
    "frequency",
    "path",
    "run",
    "after",
    "source",
    "exclude",
    "iexclude",
    "exclude-file",
    "exclude-larger-than",
    "tag",
    "host",
    "schedule",
    "run-before",
    "run-after-fail",
    "keep-last",
    "keep-within-daily",
    "prune",
    "read-data",
    "env",
    "password",
    "unheard-of",
    "global",
];
/// Values that mean something somewhere.
const VALUES: [&str; 26] = [
    "/srv",
    "/home/*/x",
    "~/a",
    "*.tmp",
    "- /a",
    "+ sh:/b/**",
    "R /opt",
    "re:x",
    "7",
    "0",
    "-1",
    "true",
    "false",
    "48H",
    "2 weeks",
    "repository",
    "data",
    "echo hello",
    "make && run",
    "daily",
    "*-*-* 01:30",
    "nonsense",
    "10M",
    "${HOME}/x",
    "${GONE}",
    "shop",
];
/// What every secret has in it.
const SECRET: &str = "hunter2";

fn leaf(name: &str) -> impl Strategy<Value = String> + use<> {
    match import::secret::is_secret_name(name) {
        true => "[a-z]{0,6}hunter2[a-z]{0,6}".boxed(),
        false => select(VALUES.to_vec()).prop_map(str::to_owned).boxed(),
    }
}

fn value(depth: u32) -> BoxedStrategy<serde_json::Value> {
    let texts = || select(VALUES.to_vec()).prop_map(serde_json::Value::from);
    let list = || proptest::collection::vec(texts(), 1..4).prop_map(serde_json::Value::from);
    match depth {
        0 => prop_oneof![4 => texts(), 1 => list()].boxed(),
        depth => prop_oneof![
            3 => texts(),
            3 => list(),
            2 => table(depth - 1),
            1 => proptest::collection::vec(table(depth - 1), 1..3).prop_map(serde_json::Value::from),
        ]
        .boxed(),
    }
}

fn table(depth: u32) -> BoxedStrategy<serde_json::Value> {
    let entry = select(NAMES.to_vec()).prop_flat_map(move |name| {
        let value = match import::secret::is_secret_name(name) {
            true => leaf(name).prop_map(serde_json::Value::from).boxed(),
            false => value(depth),
        };
        (Just(name.to_owned()), value)
    });
    proptest::collection::vec(entry, 1..7)
        .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect()))
        .boxed()
}

/// A configuration that saves something, with whatever else.
fn configuration() -> impl Strategy<Value = (bool, serde_json::Value)> {
    (any::<bool>(), table(2), table(2), table(1)).prop_map(|(is_borgmatic, one, two, three)| {
        let mut whole = match is_borgmatic {
            true => one,
            false => serde_json::json!({ "p": one, "base": two }),
        };
        if is_borgmatic {
            whole["source_directories"] = serde_json::json!(["/etc"]);
            whole["repositories"] = serde_json::json!([{ "path": "/mnt/borg", "label": "x" }]);
            whole["storage"] = three;
        } else {
            whole["p"]["inherit"] = "base".into();
            whole["p"]["backup"] = three;
            whole["p"]["backup"]["source"] = serde_json::json!(["/etc"]);
            whole["p"]["retention"] = serde_json::json!({ "after-backup": true, "keep-daily": 3 });
        }
        (is_borgmatic, whole)
    })
}

/// Places of all leaves, as the importer sees them.
fn leaves(whole: &serde_json::Value) -> Vec<Place> {
    fn node(value: &serde_json::Value) -> Node {
        let value = match value {
            serde_json::Value::Array(list) => Value::List(list.iter().map(node).collect()),
            serde_json::Value::Object(table) => {
                Value::Table(table.iter().map(|(name, one)| (name.clone(), node(one))).collect())
            }
            other => Value::Text(other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
        };
        Node { place: Place { file: Rc::from("x"), key: String::new(), line: 0 }, value }
    }
    let mut whole = node(whole);
    whole.settle(Place { file: Rc::from("x"), key: String::new(), line: 0 });
    whole.leaves()
}

/// Whether a place, one within it, or one around it of which all was said to be left out, is named.
fn is_told(report: &Report, key: &str) -> bool {
    let within = |told: &str| {
        told == key || told.strip_prefix(key).is_some_and(|rest| rest.starts_with(['[', '.']))
    };
    let around = |told: &str| key.strip_prefix(told).is_some_and(|rest| rest.starts_with('.'));
    report.equivalents.iter().any(|one| within(&one.place.key))
        || report.remarks.iter().any(|one| {
            within(&one.place.key) || (one.kind == Kind::Missing && around(&one.place.key))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn every_name_is_translated_or_named((is_borgmatic, whole) in configuration()) {
        let text = whole.to_string();
        let inputs = [Input { name: "x".to_owned(), folder: fixtures(), text: text.clone() }];
        known(|known| {
            let wanted = Wanted { client: Some("acme"), profile: (!is_borgmatic).then_some("p"), ..Wanted::default() };
                let imported = match import(&inputs, &wanted, known) {
                    Ok(imported) => imported,
                    Err(error) => return Err(TestCaseError::fail(format!("{error} of {text}"))),
                };
                if let Err(fault) = examine(&imported, known.around) {
                    return Err(TestCaseError::fail(format!("{} of {text}\n{}", fault.message(), imported.text)));
                }
                for leaf in leaves(&whole) {
                    prop_assert!(is_told(&imported.report, &leaf.key), "{} of {text}\n{}", leaf.key, imported.text);
                }
                prop_assert!(!imported.text.contains(SECRET), "{text}\n{}", imported.text);
                for remark in &imported.report.remarks {
                    prop_assert!(!remark.words.contains(SECRET), "{}", remark.words);
                }
                Ok(())
        })?;
    }

    #[test]
    fn whatever_the_bytes_there_is_an_answer(
        text in prop_oneof![
            "\\PC{0,200}",
            "([A-Z_]{1,12}=[a-z'\"$(){}|;& ]{0,12}\n){0,8}",
            "((restic|backup|forget|--exclude|-x|--keep-daily|'|\"|\\$\\(|`|\\||;|>|\\\\|[0-9*/]{1,2}|/srv| |\n){0,40})",
            "([ -]{0,3}[a-z_]{1,9}:( [&*!<][a-z<]{0,3}| \\[| \\{| [a-z]{0,4})?\n){0,12}",
            "(\\{\\{ ?(define \"x\"|template \"x\" \\.|end|\\.A|if) ?\\}\\}|a:|\n| ){0,16}",
            "(\\[(Unit|Timer)\\]|OnCalendar=|ExecStart=|[a-z ]{0,8}|\n){0,12}",
        ],
        ending in select(vec!["x.yaml", "x.toml", "x.json", "x", "x.timer"]),
    ) {
        let inputs = [Input { name: ending.to_owned(), folder: fixtures(), text }];
        known(|known| {
            if let Ok(imported) = import(&inputs, &Wanted::default(), known)
                && let Err(fault) = examine(&imported, known.around)
            {
                let words = format!("{} of {:?}\n{}", fault.message(), inputs[0].text, imported.text);
                return Err(TestCaseError::fail(words));
            }
            Ok(())
        })?;
    }
}
