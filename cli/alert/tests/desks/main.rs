//! Doubles of the three ticket systems on this machine, strict on purpose, and one life of a ticket in each.
//!
//! They refuse what the real ones refuse: titles that are too long, numbers that they do not know, bodies of
//! another shape, notes on closed tickets, calls without their headers.

mod server;
mod connectwise;
mod autotask;
mod halopsa;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use agent::config::alert::{Alert, ChannelKind, Several};
use alert::channel::receivers;
use alert::deliver::{Receiver, Refusal, Scope};
use alert::record::{EventKind, Finding, Severity, Standing, body, key};
use alert::state::Due;
use serde_json::Value;

use crate::server::{Double, Server, Trouble};

/// What every double can tell of its tickets.
pub(crate) trait Tickets: Double {
    /// Ids of tickets that are open.
    fn open(&self) -> Vec<i64>;
    /// Somebody closes all tickets by hand.
    fn close_all(&mut self);
    /// Everything that is written in a ticket.
    fn text(&self, id: i64) -> String;
    /// Where the base address ends.
    const BASE: &'static str;
    const KIND: ChannelKind;
    fn ids() -> Vec<(&'static str, i64)>;
    fn names() -> Vec<(&'static str, &'static str)>;
}

struct Life<D> {
    server: Server<D>,
    alert: Alert,
    receiver: Box<dyn Receiver>,
    _folder: tempfile::TempDir,
}

impl<D: Tickets + 'static> Life<D> {
    fn begin(double: D) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let mut file = std::fs::File::create(&path).expect("made");
        file.write_all(b"s3cret\n").expect("written");
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, mode).expect("it is ours");
        let server = Server::start(double);
        let own = |(name, id): (&str, i64)| (name.to_owned(), id);
        let alert = Alert {
            channel: D::KIND,
            url: Some(format!("http://127.0.0.1:{}{}", server.port, D::BASE)),
            user: Some("user".to_owned()),
            client_id: Some("vendor".to_owned()),
            secret_file: Several(vec![path]),
            ids: D::ids().into_iter().map(own).collect(),
            ..Alert::default()
        };
        let (mut made, errors) = receivers(std::slice::from_ref(&alert), &[]);
        assert!(errors.is_empty(), "{errors:?}");
        let receiver = made.pop().expect("one");
        Self { server, alert, receiver, _folder: folder }
    }

    fn tell(&mut self, kind: EventKind, remote: Option<&str>) -> Result<Option<String>, Refusal> {
        self.receiver.give(&[event(kind, remote)], 0)
    }

    fn with<T>(&self, look: impl FnOnce(&mut D) -> T) -> T {
        look(&mut self.server.double.lock().expect("nobody panics"))
    }

    fn open(&self) -> Vec<String> {
        self.with(|double| double.open()).iter().map(ToString::to_string).collect()
    }
}

fn event(kind: EventKind, remote: Option<&str>) -> Due {
    let finding = Finding {
        key: key("acme & <co>", "srv1/files", "rpo"),
        client: "acme & <co>".to_owned(),
        system: "srv1/files".to_owned(),
        condition: "rpo-breached".to_owned(),
        severity: Severity::Critical,
        since_s: 1_800_000_000,
        anchor: "a".to_owned(),
        summary: "RPO breached ".repeat(20),
        details: "The newest good snapshot is old.".to_owned(),
        last_good_s: None,
        rpo_s: None,
        rpo_left_s: None,
        snapshot: None,
        evidence: None,
    };
    let standing = Standing { kind, at_s: 1_800_000_000, state: "open", opened_s: 0, seen: 1 };
    Due {
        event: 1,
        id: "msg_1".to_owned(),
        ticket: 1,
        key: finding.key.clone(),
        kind,
        at_s: 1_800_000_000,
        body: body(&finding, standing).to_string(),
        failed: 0,
        remote: remote.map(str::to_owned),
    }
}

fn a_whole_life<D: Tickets + 'static>(double: D) {
    let mut life = Life::begin(double);
    // Nobody hears that it was opened: it is found, and not opened once more.
    life.server.make_trouble(Trouble::Cut("POST"));
    let _ = life.tell(EventKind::Opened, None);
    let id = life.tell(EventKind::Opened, None).expect("it is there").expect("an id");
    assert_eq!(life.open(), std::slice::from_ref(&id));
    let id = life.tell(EventKind::Opened, None).expect("it is there").expect("an id");
    assert_eq!(life.open(), std::slice::from_ref(&id), "a state that was lost opens no other");
    // Trouble is told as such, and nothing is done.
    for (status, scope) in [(500, Scope::Channel), (429, Scope::Channel)] {
        life.server.make_trouble(Trouble::Status("POST", status));
        let refusal = life.tell(EventKind::Repeated, Some(&id)).expect_err("refused");
        assert_eq!((refusal.scope, refusal.retry_after_s), (scope, Some(7)), "{refusal:?}");
        assert!(!refusal.why.contains("s3cret"));
    }
    life.tell(EventKind::Repeated, Some(&id)).expect("a note");
    let text: i64 = id.parse().expect("a number");
    assert!(life.with(|double| double.text(text)).contains("repeated:"));
    // Somebody closed it by hand though it is not over: a new one names it.
    life.with(D::close_all);
    let next = life.tell(EventKind::Escalated, Some(&id)).expect("told").expect("an id");
    assert_ne!(next, id);
    assert_eq!(life.open(), std::slice::from_ref(&next));
    let number: i64 = next.parse().expect("a number");
    assert!(life.with(|double| double.text(number)).contains(&format!("ticket {id}")));
    life.tell(EventKind::Resolved, Some(&next)).expect("over");
    assert!(life.open().is_empty());
    assert!(life.with(|double| double.text(number)).contains("resolved:"));
    // Once more is no mistake, and what nobody knows of is not opened to be closed.
    life.tell(EventKind::Resolved, None).expect("over");
    assert!(life.open().is_empty());
    // What breaks again is another ticket.
    let again = life.tell(EventKind::Opened, None).expect("told").expect("an id");
    assert!(again != next && life.open() == [again]);
}

fn names_are_looked_up<D: Tickets + 'static>(double: D) {
    let life = Life::begin(double);
    let own = |(what, name): (&str, &str)| (what.to_owned(), name.to_owned());
    let names = D::names().into_iter().map(own).collect();
    let asked = Alert { ids: Default::default(), names, ..life.alert.clone() };
    let found = alert::channel::look_up(&asked).expect("all are there");
    for (what, id) in D::ids().into_iter().filter(|(what, _)| asked.names.contains_key(*what)) {
        assert_eq!(found.get(what), Some(&id), "{what}");
    }
    let first = asked.names.keys().next().expect("one").clone();
    let wrong = [(first.clone(), "no such name".to_owned())].into();
    let error =
        alert::channel::look_up(&Alert { names: wrong, ids: life.alert.ids.clone(), ..asked })
            .expect_err("it is not there");
    assert!(error.to_string().contains(&first), "{error}");
    // Without its numbers a channel is not begun.
    let bare = Alert { ids: Default::default(), ..life.alert.clone() };
    let (_, errors) = receivers(&[bare], &[]);
    assert!(errors[0].to_string().contains("alert setup"), "{errors:?}");
}

/// The body of a mistake.
pub(crate) fn mistake(status: u16, field: &str) -> (u16, Value) {
    (
        status,
        serde_json::json!({ "message": "invalid", "errors": [{ "field": field, "message": "wrong" }] }),
    )
}

#[test]
fn connectwise_has_one_ticket_from_its_opening_to_its_end() {
    a_whole_life(connectwise::Desk::default());
}

#[test]
fn autotask_has_one_ticket_from_its_opening_to_its_end() {
    a_whole_life(autotask::Desk::default());
    // An instance that knows no PATCH loses no field of the ticket.
    a_whole_life(autotask::Desk::without_patch());
}

#[test]
fn halopsa_has_one_ticket_from_its_opening_to_its_end() {
    a_whole_life(halopsa::Desk::default());
    // Tokens end after a few calls.
    a_whole_life(halopsa::Desk::with_short_tokens(2));
}

#[test]
fn numbers_are_looked_up_by_their_names() {
    names_are_looked_up(connectwise::Desk::default());
    names_are_looked_up(autotask::Desk::default());
    names_are_looked_up(halopsa::Desk::default());
}
