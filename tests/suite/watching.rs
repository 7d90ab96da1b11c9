//! Watching with the real program: breaches, tickets, and receivers that fail in every way.

mod receiver;

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::place::{Place, Ran, put};
use crate::watching::receiver::{Receiver, Reply};

const SHARED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The seed of 32 sevens.
const PRIVATE: &str = "whsk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn secret(place: &Place, name: &str, text: &str) {
    put(&place.path(name), text.as_bytes());
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path(name), mode).expect("it is ours");
}

/// A folder with one client whose objective is so short.
fn configure(place: &Place, rpo: &str, more: &str) {
    std::fs::create_dir_all(place.path("clients")).expect("a folder");
    let repository = place.path("repository");
    let text = format!(
        "client = \"acme\"\nrepo = \"{}\"\n[objectives]\nrpo = \"{rpo}\"\n{more}\n",
        repository.display()
    );
    put(&place.path("clients/acme.toml"), text.as_bytes());
}

fn webhook(place: &Place, receiver: &Receiver, more: &str) -> String {
    secret(place, "secret", SHARED);
    let url = receiver.url("/hook/t0ken");
    format!(
        "[[alert]]\nchannel = \"webhook\"\nurl = \"{url}\"\nsecret-file = \"../secret\"\n\
         timeout = \"1s\"\n{more}"
    )
}

fn call(place: &Place, words: &[&str]) -> Ran {
    place.run(words.iter().copied().chain(["--config", "clients"]))
}

fn watch(place: &Place) -> Vec<Value> {
    messages(&call(place, &["watch", "--once", "--json"]).expect(0))
}

fn messages(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a message")).collect()
}

fn tickets(place: &Place) -> Vec<Value> {
    messages(&call(place, &["ticket", "list", "--json"]).expect(0))
}

fn wait(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

#[test]
fn a_breach_is_told_once_with_both_signatures_and_recovery_resolves_it() {
    let (place, receiver) = (Place::with_repository(), Receiver::start(&[Reply::Status(204)]));
    secret(&place, "key", PRIVATE);
    let more =
        webhook(&place, &receiver, "").replace("\"../secret\"", "[\"../secret\", \"../key\"]");
    configure(&place, "1h", &more);
    place.backup();
    assert_eq!(watch(&place).len(), 1, "nothing but the summary: all is well");
    assert!(tickets(&place).is_empty() && receiver.heard().is_empty());
    configure(&place, "1s", &more);
    wait(3);
    let told = watch(&place);
    assert_eq!((told.len(), &told[0]["event"]), (2, &"opened".into()), "{told:#?}");
    assert_eq!(watch(&place).len(), 1, "it is told once");
    let open = tickets(&place);
    assert_eq!(open.len(), 1);
    assert_eq!((&open[0]["state"], &open[0]["seen"]), (&"open".into(), &2.into()));
    assert_eq!(open[0]["key"], told[0]["key"]);
    assert!(open[0]["remote"].is_object() && open[0]["opened"].is_string());
    configure(&place, "1h", &more);
    place.backup();
    assert_eq!(watch(&place)[0]["event"], "resolved");
    assert!(tickets(&place).is_empty());
    let heard = receiver.heard();
    let types: Vec<&str> = heard.iter().map(|one| one.kind()).collect();
    assert_eq!(types, ["condition.opened", "condition.resolved"]);
    for one in &heard {
        one.verify(SHARED, PRIVATE, &place);
        let data = &one.body()["data"];
        assert_eq!((&data["client"], &data["condition"]), (&"acme".into(), &"rpo-breached".into()));
        assert_eq!(data["severity"], 1);
    }
}

#[test]
fn what_a_receiver_does_not_take_comes_again_in_order_under_its_id() {
    let bad = [
        Reply::Status(500),
        Reply::Redirect,
        Reply::Cut,
        Reply::Slow(Duration::from_secs(3)),
        Reply::Status(401),
    ];
    for reply in bad {
        let (place, receiver) =
            (Place::with_repository(), Receiver::start(std::slice::from_ref(&reply)));
        let more = webhook(&place, &receiver, "");
        configure(&place, "1s", &more);
        place.backup();
        wait(2);
        let told = watch(&place);
        assert_eq!(told.last().expect("a summary")["waiting"], 1, "{reply:?}");
        // The breach is over before anybody heard of it: both are told, in this order.
        configure(&place, "1h", &more);
        assert_eq!(watch(&place).last().expect("a summary")["waiting"], 2, "{reply:?}");
        let log = call(&place, &["alert", "log"]).expect(0);
        assert!(!log.contains("t0ken") && !log.contains("whsec") && !log.contains("MfKQ"), "{log}");
        receiver.answer(&[Reply::Status(200)]);
        call(&place, &["alert", "replay"]).expect(0);
        assert_eq!(watch(&place).last().expect("a summary")["waiting"], 0, "{reply:?}");
        let heard = receiver.heard();
        let all: Vec<_> = heard.iter().map(|one| (one.kind().to_owned(), one.id())).collect();
        let ids: std::collections::BTreeSet<_> = all.iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), 2, "an id for each event: {all:?}");
        let firsts: Vec<&str> = all.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(firsts.last(), Some(&"condition.resolved"), "{firsts:?}");
        assert!(firsts.is_sorted(), "opened before resolved: {firsts:?}");
        assert!(heard.iter().all(|one| one.path == "/hook/t0ken"), "it follows no redirect");
        heard.iter().for_each(|one| one.verify(SHARED, "", &place));
    }
}

#[test]
fn a_receiver_may_ask_for_patience_or_say_farewell() {
    let (place, receiver) = (Place::with_repository(), Receiver::start(&[Reply::Busy(3)]));
    let more = webhook(&place, &receiver, "fallback = \"file\"\n")
        + "[[alert]]\nchannel = \"command\"\nname = \"file\"\nonly-as-fallback = true\n\
           run = [\"sh\", \"-c\", \"cat >>told; env >env\"]\n";
    configure(&place, "1s", &more);
    place.backup();
    wait(2);
    watch(&place);
    watch(&place);
    assert_eq!(receiver.heard().len(), 1, "it is not asked before its time");
    receiver.answer(&[Reply::Status(410)]);
    wait(5);
    watch(&place);
    watch(&place);
    assert_eq!(receiver.heard().len(), 2, "it is not asked any more");
    let told = std::fs::read_to_string(place.path("told")).expect("the fallback was told");
    let body: Value = serde_json::from_str(&told).expect("once");
    assert_eq!(body["type"], "condition.opened");
    let env = std::fs::read_to_string(place.path("env")).expect("it ran");
    assert!(!env.contains("MAINSTAY_PASSWORD") && !env.contains("correct horse"), "{env}");
}

#[test]
fn a_watcher_that_is_killed_tells_once_more_under_the_same_id() {
    let slow = Reply::Slow(Duration::from_secs(20));
    let (place, receiver) = (Place::with_repository(), Receiver::start(&[slow]));
    let more = webhook(&place, &receiver, "").replace("timeout = \"1s\"", "timeout = \"30s\"");
    configure(&place, "1s", &more);
    place.backup();
    wait(2);
    let mut command = place.command(["watch", "--once", "--config", "clients"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("begun");
    for _ in 0..200 {
        if !receiver.heard().is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert_eq!(receiver.heard().len(), 1);
    receiver.answer(&[Reply::Status(200)]);
    watch(&place);
    assert_eq!(tickets(&place).len(), 1);
    let ids: Vec<_> = receiver.heard().iter().map(|one| one.id()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1], "a receiver can tell that it is the same");
}

#[test]
fn two_watchers_at_once_open_one_ticket() {
    let (place, receiver) = (Place::with_repository(), Receiver::start(&[Reply::Status(200)]));
    configure(&place, "1s", &webhook(&place, &receiver, ""));
    place.backup();
    wait(2);
    let begin = || {
        let mut command = place.command(["watch", "--once", "--config", "clients"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("begun")
    };
    let all: Vec<_> = (0..3).map(|_| begin()).collect();
    for mut one in all {
        assert!(one.wait().expect("ended").success());
    }
    assert_eq!(tickets(&place).len(), 1);
    assert_eq!(receiver.heard().len(), 1);
}

#[test]
fn one_client_that_is_in_trouble_keeps_no_other_from_being_watched() {
    let place = Place::with_repository();
    configure(&place, "1h", "[[system]]\nhost = \"never-seen\"\n");
    place.backup();
    let lost = "client = \"lost\"\nrepo = \"/nonexistent/repository\"\n";
    put(&place.path("clients/lost.toml"), lost.as_bytes());
    let told = watch(&place);
    let mut found: Vec<_> = told.iter().filter_map(|one| one["condition"].as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["rpo-breached", "store-unreachable"], "{told:#?}");
    assert_eq!(told.last().expect("a summary")["unreachable"], 1);
    let key = "mainstay/acme/never-seen/rpo";
    let attention =
        || messages(&call(&place, &["status", "--attention", "--json"]).expect(0)).len();
    assert_eq!(attention(), 2);
    call(&place, &["ticket", "ack", key, "--note", "on its way"]).expect(0);
    assert_eq!(attention(), 1);
    let shown = messages(&call(&place, &["ticket", "show", key, "--json"]).expect(0));
    assert_eq!(shown[0]["state"], "acknowledged");
    assert_eq!(shown[0]["history"][1]["note"], "on its way");
    call(&place, &["ticket", "ack", "mainstay/x", "--note", "x"]).fails(2);
    // What is set wrong is said, and the others are watched all the same.
    put(&place.path("clients/wrong.toml"), b"client = \"w\"\n[[alert]]\nchanel = \"webhook\"\n");
    let ran = call(&place, &["watch", "--once", "--json"]);
    assert!(ran.stderr.contains("chanel"), "{}", ran.stderr);
    assert!(ran.fails(2).contains("wrong.toml"));
    let listed = call(&place, &["ticket", "list", "--json"]);
    assert_eq!(messages(&listed.stdout).len(), 2);
    assert!(listed.fails(2).contains("wrong.toml"));
}

#[test]
fn channels_are_tried_and_shown_without_their_secrets() {
    let (place, receiver) = (Place::with_repository(), Receiver::start(&[Reply::Status(200)]));
    let more = webhook(&place, &receiver, "");
    secret(&place, "secret", PRIVATE);
    configure(&place, "1h", &more);
    call(&place, &["alert", "test"]).expect(0);
    let types: Vec<_> = receiver.heard().iter().map(|one| one.kind().to_owned()).collect();
    assert_eq!(types, ["condition.opened", "condition.resolved"]);
    assert!(receiver.heard().iter().all(|one| one.body()["data"]["test"] == true));
    let shown = call(&place, &["alert", "setup"]).expect(0);
    assert!(shown.contains("whpk_") && !shown.contains("whsk_"), "{shown}");
    receiver.answer(&[Reply::Status(503)]);
    let said = call(&place, &["alert", "test"]).fails(1);
    assert!(said.contains("503") && !said.contains("t0ken"), "{said}");
    secret(&place, "secret", "hunter2hunter2");
    let said = call(&place, &["alert", "setup"]).fails(2);
    assert!(!said.contains("hunter2"), "{said}");
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(place.path("secret"), mode).expect("it is ours");
    let said = call(&place, &["watch", "--once"]).fails(2);
    assert!(said.contains("secret"), "{said}");
    for (wrong, why) in [("http://example.com/", "https"), ("https://u:p@example.com/", "password")]
    {
        let there = receiver.url("/hook/t0ken");
        configure(&place, "1h", &more.replace(&there, wrong));
        let said = call(&place, &["alert", "setup"]).fails(2);
        assert!(said.contains(why) && !said.contains("u:p"), "{said}");
    }
}

#[test]
fn a_switch_hears_of_each_look_and_mail_has_everything_at_once() {
    let (place, receiver) = (Place::with_repository(), Receiver::start(&[Reply::Status(200)]));
    let Some((mut server, port)) = receiver::mail_server(&place) else {
        assert!(!crate::place::is_complete(), "python3 has no package aiosmtpd");
        return;
    };
    let more = format!(
        "[[alert]]\nchannel = \"ping\"\nurl = \"{}\"\n[[alert]]\nchannel = \"mail\"\n\
         server = \"127.0.0.1:{port}\"\ntls = \"none\"\nfrom = \"Mainstay <m@example.com>\"\n\
         to = [\"a@example.com\", \"b@example.com\"]\n\
         [[system]]\nhost = \"one\"\n[[system]]\nhost = \"two\"\n",
        receiver.url("/ping/uuid")
    );
    configure(&place, "1h", &more);
    place.backup();
    assert_eq!(watch(&place).last().expect("a summary")["delivered"], 2);
    configure(&place, "1h", &more.replace("host", "retired = true\nhost"));
    assert_eq!(watch(&place).last().expect("a summary")["delivered"], 2);
    let paths: Vec<_> = receiver.heard().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["/ping/uuid/start", "/ping/uuid/fail", "/ping/uuid/start", "/ping/uuid"]);
    server.kill().expect("killed");
    server.wait().expect("gone");
    let mails = std::fs::read_to_string(place.path("mails")).expect("mail came");
    let mails: Vec<&str> = mails.split("=====\n").filter(|mail| !mail.is_empty()).collect();
    assert_eq!(mails.len(), 2, "one for each look: {mails:#?}");
    assert!(mails[0].contains("Subject: Mainstay: acme:") && mails[0].contains("and 1 more"));
    for word in ["OPENED critical acme: Nothing to restore from: one", "two", "To: a@example.com"] {
        assert!(mails[0].contains(word), "{word}: {}", mails[0]);
    }
    assert!(mails[1].contains("RESOLVED"), "{}", mails[1]);
}
