//! Machines that join: with one line, once, in time.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::by_itself::messages;
use crate::place::{Place, Ran, put, ran};

fn invite(place: &Place, words: &[&str]) -> String {
    let always = ["machine", "invite", "--organisation", "Acme Ltd.", "--path"];
    let source = place.path("source").display().to_string();
    let all = always.iter().copied().chain([source.as_str()]).chain(words.iter().copied());
    place.run(all).expect(0).trim().to_owned()
}

/// A machine of its own: it has nothing but the token.
fn join(place: &Place, machine: &str, token: &str) -> Ran {
    let folder = place.path(machine);
    std::fs::create_dir_all(&folder).expect("a folder");
    let config = folder.join("etc").display().to_string();
    let mut command = place.command(["machine", "join", "--no-service", "--config-dir", &config]);
    command.env_remove("MAINSTAY_PASSWORD").env_remove("MAINSTAY_REPOSITORY");
    command.env("MAINSTAY_TOKEN", token).env("MAINSTAY_STATE_DIR", folder.join("state"));
    ran(&mut command)
}

fn machines(place: &Place) -> Vec<Value> {
    messages(&place.run(["machine", "list", "--json"]).expect(0))
}

/// The machine of that name: whoever invites is a client, too.
fn machine(place: &Place, name: &str) -> Value {
    let is_it = |one: &Value| one["name"] == name;
    machines(place).into_iter().find(is_it).expect("it is listed")
}

#[test]
fn one_line_and_a_machine_has_its_first_snapshot() {
    let place = Place::with_repository();
    let token = invite(&place, &["--host", "web1"]);
    assert!(token.starts_with("mainstay-invitation-1.") && !token.contains(['\n', ' ']));
    assert_eq!(machine(&place, "web1")["state"], "not used yet");
    let said = join(&place, "one", &token).expect(0);
    assert!(said.contains("web1/files: backup ok") && said.contains("web1 has joined"), "{said}");
    let listed = place.run(["snapshots", "--json", "--host", "web1"]).expect(0);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    let config = place.path("one/etc/acme-ltd-.toml");
    let mode = |name: &str| {
        place.path(name).metadata().expect("it is there").permissions().mode() & 0o7777
    };
    assert_eq!(mode("one/etc"), 0o700);
    assert_eq!((mode("one/etc/acme-ltd-.toml"), mode("one/etc/acme-ltd-.key")), (0o600, 0o600));
    let config = config.display().to_string();
    place.run(["config", "check", "--config", &config]).expect(0);
    let joined = machine(&place, "web1");
    assert_eq!((&joined["state"], &joined["snapshots"]), (&"joined".into(), &1.into()));
    // Again with the same files, as after a join that was cut off: it goes on. With another token, and on
    // another machine: neither gets in, and nothing stays behind.
    join(&place, "one", &token).expect(0);
    assert_eq!(machine(&place, "web1")["state"], "joined");
    let another = invite(&place, &["--host", "web7"]);
    let again = join(&place, "one", &another).fails(2);
    assert!(again.contains("joined that organisation before"), "{again}");
    place.run(["config", "check", "--config", &config]).expect(0);
    let other = join(&place, "two", &token).fails(23);
    assert!(other.contains("was taken at"), "{other}");
    let left: Vec<_> = std::fs::read_dir(place.path("two/etc")).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(machine(&place, "web1")["state"], "joined");
    // A machine that is ended makes nothing that counts.
    place.run(["machine", "revoke", "web1", "--reason", "sold"]).expect(0);
    assert_eq!(machine(&place, "web1")["state"], "revoked");
    let mut late = place.command(["run", "backup", "--config", &config]);
    late.env("MAINSTAY_STATE_DIR", place.path("one/state")).env_remove("MAINSTAY_PASSWORD");
    ran(&mut late).fails(12);
}

#[test]
fn a_token_that_is_over_cut_off_or_for_nobody_is_refused() {
    let place = Place::with_repository();
    let token = invite(&place, &["--host", "web1", "--expires", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let said = join(&place, "one", &token).fails(23);
    assert!(said.contains("was good until"), "{said}");
    let token = invite(&place, &["--host", "web1"]);
    for wrong in
        [&token[..token.len() - 9], "x", "mainstay-invitation-2.AAAA", "mainstay-invitation-1.????"]
    {
        let said = join(&place, "one", wrong).fails(2);
        assert!(said.contains("not an invitation"), "{said}");
        assert!(!said.contains(&token[40..60]), "a part of it is shown: {said}");
    }
    assert!(!place.path("one/etc").exists());
    // The store is away: nothing stays behind, and the token can still be used.
    std::fs::rename(place.path("repository"), place.path("away")).expect("it is there");
    join(&place, "one", &token).fails(10);
    std::fs::rename(place.path("away"), place.path("repository")).expect("it is there");
    join(&place, "one", &token).expect(0);
    // Whoever cannot make keys cannot invite.
    let place = Place::with_repository();
    place.run(["key", "add", "--role", "backup", "--to-key-file", "k"]).expect(0);
    let words = ["machine", "invite", "--host", "a", "--organisation", "b"];
    place.run_with_key("k", &words).fails(12);
    put(&place.path("t.toml"), b"client = \"x\"\n");
    let said = place.run(words.iter().chain(&["--template", "t.toml"])).fails(2);
    assert!(said.contains("client comes from the invitation"), "{said}");
    put(&place.path("t.toml"), b"[schedule]\nbakcup = \"daily\"\n");
    let said = place.run(words.iter().chain(&["--template", "t.toml"])).fails(2);
    assert!(said.contains("did you mean `backup`?"), "{said}");
    put(&place.path("t.toml"), b"[[source]]\nname = \"a\"\npaths = [\"/nowhere\"]\n");
    place.run(words.iter().chain(&["--template", "t.toml", "--output", "token"])).expect(0);
    let mode = place.path("token").metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

/// Two machines that take one token at the same time: at most one of them goes on, and it shows.
#[test]
fn of_two_that_join_at_once_at_most_one_goes_on() {
    let place = Place::with_repository();
    for round in 0..3 {
        let token = invite(&place, &["--host", &format!("web{round}")]);
        let ends: Vec<i32> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2)
                .map(|number| {
                    let (place, token) = (&place, &token);
                    scope.spawn(move || join(place, &format!("{round}-{number}"), token).exit)
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
        });
        let joined = ends.iter().filter(|exit| **exit == 0).count();
        assert!(joined <= 1 && ends.iter().all(|exit| [0, 23].contains(exit)), "{ends:?}");
        let one = machine(&place, &format!("web{round}"));
        assert!(joined == 1 || one["state"] == "joined twice", "{one}");
    }
}
