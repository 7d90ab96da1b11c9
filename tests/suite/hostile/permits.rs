//! The policy that is printed for a key suffices for all that its role does, and for nothing else.
//!
//! A server in this process that puts policies in force stands for the store, and a real one; machines
//! come to it over the network, each with access keys of its own.

mod ceph;

use object_store::path::Path as Key;
use object_store::{Error, ObjectStoreExt};
use serde_json::Value;
use system_tests::double::Double;

use self::ceph::Ceph;
use super::machine::{Machine, Ran};
use super::place::{Server, wait};
use super::*;

/// Who puts policies in force.
enum Warden {
    /// A server in this process, which writes down what it denies.
    Double(Double),
    /// A real one.
    Ceph(Ceph),
}

struct Office {
    machine: Machine,
    warden: Warden,
    /// Below which all objects of the repository are.
    prefix: String,
}

impl Office {
    fn new(warden: Warden) -> Self {
        let prefix = match &warden {
            Warden::Double(_) => "acme".to_owned(),
            Warden::Ceph(ceph) => format!("acme/{}", ceph.run),
        };
        let office = Self { machine: Machine::bare(), warden, prefix };
        if let Warden::Ceph(ceph) = &office.warden {
            ceph.add_owner(&office.prefix);
        }
        office.machine.put("source/large", &random_bytes(1, 300_000));
        office.machine.put("source/small", b"inline");
        office.run("root", None, "init -q --no-probe --kdf-memory 64MiB").expect(0);
        office
    }

    /// The server with the access keys of that name.
    fn server(&self, access: &str) -> Server {
        let text = |text: &str| text.to_owned();
        match &self.warden {
            Warden::Double(double) => Server {
                endpoint: double.endpoint.clone(),
                bucket: text("bucket"),
                access: text(access),
                secret: text("secret"),
                region: text("eu-central-1"),
            },
            Warden::Ceph(ceph) => ceph.of(access),
        }
    }

    /// A command of whoever has these access keys, on a machine of its own.
    fn run(&self, access: &str, key: Option<&str>, line: &str) -> Ran {
        let mut command = self.machine.command(line.split_ascii_whitespace());
        let server = self.server(access);
        command
            .env("MAINSTAY_REPOSITORY", format!("s3://{}/{}", server.bucket, self.prefix))
            .env("MAINSTAY_STATE_DIR", self.machine.path(&format!("state of {access}")));
        server.point(&mut command);
        if let Some(key) = key {
            command.env_remove("MAINSTAY_PASSWORD").env("MAINSTAY_KEY_FILE", key);
        }
        Machine::output(&mut command)
    }

    /// A new key, and the policy that is printed with it in force; answers the client.
    fn add(&self, name: &str, options: &str) -> String {
        let line = format!("key add {options} --to-key-file {name}.key --print-policy s3");
        let printed = self.run("root", None, &line).expect(0).stdout;
        let policy: Value = serde_json::from_str(&printed).expect(&printed);
        let length = printed.chars().filter(|letter| !letter.is_whitespace()).count();
        assert!(length <= 6144, "a managed policy has at most 6,144 characters, not {length}");
        match &self.warden {
            Warden::Double(double) => double.with_guard(|guard| guard.set(name, &policy)),
            Warden::Ceph(ceph) => ceph.add(name, &policy),
        }
        let client = policy.to_string();
        client.split_once("/run/*/").map_or("", |(_, rest)| &rest[..16]).to_owned()
    }

    /// All these commands, each of which must end with 0.
    fn work(&self, name: &str, lines: &[&str]) {
        for line in lines {
            let key = self.machine.path(&format!("{name}.key"));
            let ran = self.run(name, key.to_str(), line);
            if let Warden::Double(double) = &self.warden {
                let denied = double.with_guard(|guard| std::mem::take(&mut guard.denied));
                assert_eq!(denied, [], "{name}: {line}");
            }
            assert_eq!(ran.code, Some(0), "{name}: {line}\n{}\n{}", ran.stdout, ran.stderr);
        }
    }

    /// What a policy allows and nobody asked for.
    fn unused(&self, name: &str) -> Vec<String> {
        let Warden::Double(double) = &self.warden else { return Vec::new() };
        let unused = double.with_guard(|guard| guard.unused(name));
        let short = |(action, resource): (String, String)| {
            let key = resource.split_once("/acme/").map_or(resource.as_str(), |(_, key)| key);
            format!("{} {key}", &action["s3:".len()..])
        };
        unused.into_iter().map(short).collect()
    }

    /// Whether an action with an object is allowed: by the rules, or because it is done.
    fn may(&self, name: &str, action: &str, key: &str) -> bool {
        if let Warden::Double(double) = &self.warden {
            let resource = format!("arn:aws:s3:::bucket/{}/{key}", self.prefix);
            return double.with_guard(|guard| guard.allows(name, action, &resource, ""));
        }
        let (own, root) = (self.server(name).client(), self.server("root").client());
        let key = Key::from(format!("{}/{key}", self.prefix));
        // Of what is not there nobody says that it may not be read.
        if action != "s3:PutObject" {
            wait(root.put(&key, "junk".into())).expect("it may all");
        }
        let done = match action {
            "s3:GetObject" => wait(own.get(&key)).map(drop),
            "s3:PutObject" => wait(own.put(&key, "junk".into())).map(drop),
            _ => wait(own.delete(&key)),
        };
        match done {
            Ok(()) => true,
            Err(Error::PermissionDenied { .. }) => false,
            Err(error) => unreachable!("{name} {action} {key}: {error}"),
        }
    }
}

#[test]
fn every_role_works_with_the_policy_that_is_printed_for_it() {
    every_role_works(&Office::new(Warden::Double(Double::start())));
}

/// With users of a real server, each with its policy, and requests past the program.
#[test]
fn every_role_works_with_its_policy_on_a_real_server() {
    let Some(ceph) = Ceph::named() else { return };
    let office = Office::new(Warden::Ceph(ceph));
    let web1 = every_role_works(&office);
    // What it has written itself it may write again, and not delete.
    let own = format!("data/{web1}0000/1");
    let (client, key) =
        (office.server("web1").client(), Key::from(format!("{}/{own}", office.prefix)));
    wait(client.put(&key, "again".into())).expect("it may");
    let denied = wait(client.delete(&key)).expect_err("it may not");
    assert!(matches!(denied, Error::PermissionDenied { .. }), "{denied}");
}

/// The work of each role, and what is denied it; answers the client `web1`.
fn every_role_works(office: &Office) -> String {
    let web1 = office.add("web1", "--role backup");
    let clients = [
        ("web1", web1.clone()),
        ("web2", office.add("web2", "--role backup --domain shared")),
        ("keeper", office.add("keeper", "--role maintain")),
        ("prover", office.add("prover", "--role verify")),
    ];
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
    for (name, client) in &clients {
        by_itself(office, name, client);
    }
    // Nothing else: no others' objects, no slots, no deleting.
    denies(office, &web1);
    // And of what is added and deleted, nothing that nobody asks for.
    for name in ["web1", "web2", "keeper", "prover"] {
        let mut unused = office.unused(name);
        // Records of collections are folded when there are sixteen, of runs 32 that are old.
        let rare =
            ["DeleteObject gc/*", "DeleteObject run/*", "DeleteObject fold/*", "PutObject fold/*"];
        unused.retain(|one| !one.starts_with("GetObject") && !rare.contains(&one.as_str()));
        assert_eq!(unused, [""; 0], "{name}");
    }
    web1
}

/// What a machine does that joined and runs jobs by itself.
fn by_itself(office: &Office, name: &str, client: &str) {
    let file = format!("{name}.toml");
    let text = format!("client = \"acme\"\n[schedule]\ncheck = \"daily\"\n# {name}\n");
    office.machine.put(&file, text.as_bytes());
    let claim = format!("machine claim {client} --machine {name}");
    let run = format!("run check --config {file}");
    office.work(name, &[&claim]);
    // A key that only saves may check nothing, and records that it failed.
    let key = office.machine.path(&format!("{name}.key"));
    office.run(name, key.to_str(), &run);
    office.work(name, &["outcomes"]);
}

/// Nothing is allowed but what was asked for.
fn denies(office: &Office, web1: &str) {
    let may = |name: &str, action: &str, key: &str| office.may(name, action, key);
    assert!(may("web1", "s3:PutObject", &format!("data/{web1}0000/1")));
    let foreign = "0".repeat(16);
    for name in ["web1", "web2", "prover", "reader"] {
        for folder in ["data", "tree", "index", "sess", "snap", "evidence", "gc", "keys", "slots"] {
            assert!(!may(name, "s3:PutObject", &format!("{folder}/{foreign}")), "{name} {folder}");
            assert!(!may(name, "s3:DeleteObject", &format!("{folder}/{web1}")), "{name} {folder}");
        }
        assert!(!may(name, "s3:PutObject", "config-00"));
        if matches!(office.warden, Warden::Double(_)) {
            assert!(!may(name, "s3:GetObject", "../another/config-00"));
        }
    }
    assert!(!may("web1", "s3:GetObject", &format!("data/{foreign}0000/1")));
    assert!(!may("web1", "s3:GetObject", &format!("keys/{foreign}")));
    for folder in ["keys", "clients", "slots", "epochs", "config-"] {
        assert!(!may("keeper", "s3:PutObject", &format!("{folder}/{foreign}")), "{folder}");
        assert!(!may("keeper", "s3:DeleteObject", &format!("{folder}/{foreign}")), "{folder}");
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
