//! The policy that is printed for a key suffices for all that its role does, and for nothing else.
//!
//! A server that puts policies in force stands for the store; machines come to it over the network,
//! each with access keys of its own.

use serde_json::Value;
use system_tests::double::Double;

use super::machine::{Machine, Ran};
use super::*;

const LOCATION: &str = "s3://bucket/acme";

struct Office {
    machine: Machine,
    double: Double,
}

impl Office {
    fn new() -> Self {
        let office = Self { machine: Machine::bare(), double: Double::start() };
        office.machine.put("source/large", &random_bytes(1, 300_000));
        office.machine.put("source/small", b"inline");
        office.run("root", None, "init -q --no-probe --kdf-memory 64MiB").expect(0);
        office
    }

    /// A command of whoever has these access keys, on a machine of its own.
    fn run(&self, access: &str, key: Option<&str>, line: &str) -> Ran {
        let mut command = self.machine.command(line.split_ascii_whitespace());
        command
            .env("MAINSTAY_REPOSITORY", LOCATION)
            .env("MAINSTAY_STATE_DIR", self.machine.path(&format!("state of {access}")))
            .env("AWS_ENDPOINT_URL", &self.double.endpoint)
            .env("AWS_ACCESS_KEY_ID", access)
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "eu-central-1");
        if let Some(key) = key {
            command.env_remove("MAINSTAY_PASSWORD").env("MAINSTAY_KEY_FILE", key);
        }
        Machine::output(&mut command)
    }

    /// A new key, and the policy that is printed with it in force; answers both client and policy.
    fn add(&self, name: &str, options: &str) -> (String, Value) {
        let line = format!("key add {options} --to-key-file {name}.key --print-policy s3");
        let printed = self.run("root", None, &line).expect(0).stdout;
        let policy: Value = serde_json::from_str(&printed).expect(&printed);
        let length = printed.chars().filter(|letter| !letter.is_whitespace()).count();
        assert!(length <= 6144, "a managed policy has at most 6,144 characters, not {length}");
        self.double.with_guard(|guard| guard.set(name, &policy));
        let client = policy.to_string();
        let client = client.split_once("/data/").map_or("", |(_, rest)| &rest[..16]).to_owned();
        (client, policy)
    }

    /// All these commands, each of which must end with 0.
    fn work(&self, name: &str, lines: &[&str]) {
        for line in lines {
            let key = self.machine.path(&format!("{name}.key"));
            let ran = self.run(name, key.to_str(), line);
            let denied = self.double.with_guard(|guard| std::mem::take(&mut guard.denied));
            assert_eq!(denied, [], "{name}: {line}");
            assert_eq!(ran.code, Some(0), "{name}: {line}\n{}\n{}", ran.stdout, ran.stderr);
        }
    }

    /// What a policy allows and nobody asked for.
    fn unused(&self, name: &str) -> Vec<String> {
        let unused = self.double.with_guard(|guard| guard.unused(name));
        let short = |(action, resource): (String, String)| {
            let key = resource.split_once("/acme/").map_or(resource.as_str(), |(_, key)| key);
            format!("{} {key}", &action["s3:".len()..])
        };
        unused.into_iter().map(short).collect()
    }
}

#[test]
fn every_role_works_with_the_policy_that_is_printed_for_it() {
    let office = Office::new();
    let (web1, _) = office.add("web1", "--role backup");
    office.add("web2", "--role backup --domain shared");
    office.add("keeper", "--role maintain");
    office.add("prover", "--role verify");
    office.add("reader", "--role restore");
    office.add("boss", "--role admin");
    for (seed, name) in [(2, "web1"), (3, "web2")] {
        office.work(name, &["backup source", "key test", "snapshots"]);
        // What the first snapshot has is garbage when that is forgotten.
        office.machine.put("source/large", &random_bytes(seed, 300_000));
        office.work(name, &["backup source", "index rebuild", "backup source"]);
    }
    office.work(
        "keeper",
        &[
            "backup source",
            "ls latest",
            "find large",
            "key list",
            "tag add kept latest",
            "hold add latest --reason audit",
            "forget --keep-last 1 --confirm-mass-delete 9",
            "prune --confirm-mass-delete 9 --grace 0s",
            "snapshots --all",
            "stats",
        ],
    );
    office.work(
        "prover",
        &["check", "drill latest", "restore latest --target proved", "evidence list", "key list"],
    );
    office.work(
        "reader",
        &["restore latest --target out", "ls latest", "check --read-data", "key list"],
    );
    office.work("boss", &["key list", "key test", "check --read-data"]);
    // Nothing else: no others' objects, no slots, no deleting.
    let may = |name: &str, action: &str, key: &str| {
        let resource = format!("arn:aws:s3:::bucket/acme/{key}");
        office.double.with_guard(|guard| guard.allows(name, action, &resource, ""))
    };
    assert!(may("web1", "s3:PutObject", &format!("data/{web1}0000/1")));
    let foreign = "0".repeat(16);
    for name in ["web1", "web2", "prover", "reader"] {
        for folder in ["data", "tree", "index", "sess", "snap", "evidence", "gc", "keys", "slots"] {
            assert!(!may(name, "s3:PutObject", &format!("{folder}/{foreign}")), "{name} {folder}");
            assert!(!may(name, "s3:DeleteObject", &format!("{folder}/{web1}")), "{name} {folder}");
        }
        assert!(!may(name, "s3:PutObject", "config-00"));
        assert!(!may(name, "s3:GetObject", "../another/config-00"));
    }
    assert!(!may("web1", "s3:GetObject", &format!("data/{foreign}0000/1")));
    assert!(!may("web1", "s3:GetObject", &format!("keys/{foreign}")));
    for folder in ["keys", "clients", "slots", "epochs", "config-"] {
        assert!(!may("keeper", "s3:PutObject", &format!("{folder}/{foreign}")), "{folder}");
        assert!(!may("keeper", "s3:DeleteObject", &format!("{folder}/{foreign}")), "{folder}");
    }
    // And of what is added and deleted, nothing that nobody asks for.
    for name in ["web1", "web2", "keeper", "prover"] {
        let mut unused = office.unused(name);
        // Records of collections are folded when there are sixteen.
        unused.retain(|one| !one.starts_with("GetObject") && one != "DeleteObject gc/*");
        assert_eq!(unused, [""; 0], "{name}");
    }
}

#[test]
fn a_policy_is_printed_for_places_in_s3_alone() {
    let machine = Machine::new();
    let line = "key add --role backup --to-key-file web1.key --print-policy s3";
    let refused = machine.say(line).expect(2);
    assert!(refused.stderr.contains("no place in S3"), "{}", refused.stderr);
    assert!(!machine.path("web1.key").exists(), "something was done all the same");
}
