//! A machine that is gone: with the kit, and nothing else of it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::Value;

use system_tests::trees::put;

use crate::place::{Place, Ran, ran};

/// Somebody with the kit on a new machine: no state, no passphrase, no location.
fn recover(place: &Place, words: &[&str]) -> Ran {
    let all = ["recover", "--kit", "kit"].iter().chain(words);
    let mut command = place.command(all);
    command.env_remove("MAINSTAY_PASSWORD").env_remove("MAINSTAY_REPOSITORY");
    command.env("MAINSTAY_STATE_DIR", place.path("new state"));
    ran(&mut command)
}

fn with_kit() -> Place {
    let place = Place::empty();
    let line = ["init", "-q", "--no-probe", "--kdf-memory", "64MiB", "--kit", "kit"];
    place.run(line).expect(0);
    put(&place.path("source/etc/hosts"), b"127.0.0.1 localhost\n");
    put(&place.path("source/srv/data"), b"old\n");
    std::fs::set_permissions(place.path("source/srv/data"), std::fs::Permissions::from_mode(0o640))
        .expect("it is ours");
    place
}

fn below(place: &Place, name: &str) -> std::path::PathBuf {
    let whole = place.path(name).canonicalize().expect("it is there");
    place.path("back").join(whole.strip_prefix("/").expect("it is absolute"))
}

#[test]
fn a_machine_comes_back_with_all_its_sources_and_its_configuration() {
    let place = with_kit();
    let text = "client = \"acme\"\nrepo = \"repository\"\nhost = \"web1\"\n\
         [[source]]\nname = \"files\"\npaths = [\"source/srv\"]\nrto = \"8h\"\n\
         [[source]]\nname = \"config\"\npaths = [\"source/etc\"]\nrto = \"1h\"\n\
         [[source]]\nname = \"db\"\ncommand = \"echo rows\"\nfilename = \"shop.sql\"\nrto = \"2h\"\n\
         [hooks]\nafter = [\"true\"]\n";
    put(&place.path("acme.toml"), text.as_bytes());
    place.run(["run", "backup", "--config", "acme.toml"]).expect(0);
    put(&place.path("source/srv/data"), b"new\n");
    place.run(["run", "backup", "--config", "acme.toml"]).expect(0);
    // A narrower one of before brings nothing that the newer ones do not bring.
    let planned = recover(&place, &["--target", "back", "--dry-run", "--json"]).expect(0);
    let planned: Vec<Value> =
        planned.lines().map(|line| serde_json::from_str(line).expect("a message")).collect();
    let sources: Vec<_> = planned.iter().map(|part| part["source"].clone()).collect();
    assert_eq!(sources, ["config", "db", "files"], "the most urgent first");
    assert!(!place.path("back").exists());
    std::fs::create_dir_all(place.path("back/lost+found")).expect("a folder");
    recover(&place, &["--target", "back", "--verify"]).expect(0);
    let data = below(&place, "source/srv/data");
    assert_eq!(std::fs::read(&data).expect("it came back"), b"new\n");
    assert_eq!(data.metadata().expect("it is there").mode() & 0o7777, 0o640);
    let hosts = below(&place, "source/etc/hosts");
    assert_eq!(std::fs::read(&hosts).expect("it came back"), b"127.0.0.1 localhost\n");
    let stream = place.path("back/recovered-streams/shop.sql");
    assert_eq!(std::fs::read(stream).expect("it came back"), b"rows\n");
    let config = below(&place, "acme.toml");
    let config = std::fs::read_to_string(config).expect("it came back");
    assert!(config.contains("unconfirmed = true") && config.contains("rto = \"1h\""), "{config}");
    // Where a recovery is finished none is begun, nor where something else is.
    let said = recover(&place, &["--target", "back"]).fails(23);
    assert!(said.contains("is not empty") && !said.contains("--overwrite"), "{said}");
    assert!(!place.path("back/.mainstay-recovering").exists());
    // One that was cut off between two sources is given again as it was.
    put(&place.path("again/.mainstay-recovering"), b"web1");
    let half = place.path("again").join(hosts.strip_prefix(place.path("back")).expect("below"));
    put(&half, b"half");
    recover(&place, &["--target", "again", "--verify"]).expect(0);
    assert_eq!(std::fs::read(half).expect("it came back"), b"127.0.0.1 localhost\n");
    assert!(!place.path("again/.mainstay-recovering").exists());
}

#[test]
fn which_machine_and_which_repository_is_said_or_asked() {
    let place = with_kit();
    recover(&place, &["--target", "back"]).fails(2);
    for host in ["web1", "web2"] {
        place.run(["backup", "-q", "source", "--host", host]).expect(0);
    }
    let said = recover(&place, &["--target", "back"]).fails(2);
    assert!(said.contains("web1, web2") && said.contains("--host"), "{said}");
    let said = recover(&place, &["--target", "back", "--host", "web3"]).fails(2);
    assert!(said.contains("no snapshot of the host web3"), "{said}");
    recover(&place, &["--target", "back", "--host", "web2"]).expect(0);
    assert!(below(&place, "source/etc/hosts").exists());
    // A kit with another fingerprint, a file that is no kit, and none.
    let kit = std::fs::read_to_string(place.path("kit")).expect("it is there");
    let changed: Vec<String> = kit
        .lines()
        .map(|line| match line.strip_prefix("fingerprint") {
            Some(_) => "fingerprint  0000 0000".to_owned(),
            None => line.to_owned(),
        })
        .collect();
    put(&place.path("other"), kit.as_bytes());
    put(&place.path("kit"), changed.join("\n").as_bytes());
    let said = recover(&place, &["--target", "more", "--host", "web1"]).fails(23);
    assert!(said.contains("fingerprint"), "{said}");
    put(&place.path("kit"), b"hello\n");
    let said = recover(&place, &["--target", "more"]).fails(12);
    assert!(said.contains("not a recovery kit"), "{said}");
    std::fs::remove_file(place.path("kit")).expect("it is there");
    recover(&place, &["--target", "more"]).fails(12);
    assert!(!place.path("more").exists());
}
