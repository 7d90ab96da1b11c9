//! ConnectWise, as strict as it is.

use std::collections::BTreeMap;

use agent::config::alert::ChannelKind;
use serde_json::{Value, json};

use crate::server::{Double, Reply, Request};
use crate::{Tickets, mistake};

const BOARD: i64 = 11;
const COMPANY: i64 = 250;
const NEW: i64 = 16;
const RESOLVED: i64 = 17;

#[derive(Default)]
pub(crate) struct Desk {
    tickets: BTreeMap<i64, Value>,
}

impl Desk {
    fn find(&self, request: &Request) -> Reply {
        let Some(condition) = request.query.get("conditions") else {
            return mistake(400, "conditions");
        };
        let Some(rest) = condition.strip_prefix("externalXRef=\"") else {
            return mistake(400, "x");
        };
        let Some((key, "and closedFlag=false")) = rest.split_once("\" ") else {
            return mistake(400, "conditions");
        };
        let found = self.tickets.values().rev();
        let found: Vec<_> = found
            .filter(|it| it["externalXRef"] == key && it["closedFlag"] == false)
            .take(1)
            .cloned()
            .collect();
        (200, found.into())
    }

    fn make(&mut self, mut ticket: Value) -> Reply {
        let summary = ticket["summary"].as_str().unwrap_or_default().chars().count();
        if !(1..=100).contains(&summary) {
            return mistake(400, "summary");
        }
        if ticket["board"]["id"] != BOARD || ticket["company"]["id"] != COMPANY {
            return mistake(400, "board or company");
        }
        if ticket["externalXRef"].as_str().is_none_or(|it| it.chars().count() > 100) {
            return mistake(400, "externalXRef");
        }
        let id = 1000 + self.tickets.len() as i64;
        ticket["id"] = id.into();
        ticket["closedFlag"] = false.into();
        ticket["notes"] = json!([]);
        if ticket["status"].is_null() {
            ticket["status"] = json!({ "id": NEW });
        }
        self.tickets.insert(id, ticket.clone());
        (201, ticket)
    }
}

impl Double for Desk {
    fn answer(&mut self, request: &Request) -> Reply {
        let login = "Basic dXNlcjpzM2NyZXQ=";
        if request.header("authorization") != login || request.header("clientid") != "vendor" {
            return (401, Value::Null);
        }
        let Some(path) = request.path.strip_prefix(Self::BASE) else { return (404, Value::Null) };
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let by_name = |name: &str, id: i64| {
            let wanted = request.query.get("conditions").map(String::as_str);
            let is_it = wanted == Some(&*format!("name=\"{name}\""));
            (200, if is_it { json!([{ "id": id, "name": name }]) } else { json!([]) })
        };
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["service", "tickets"]) => self.find(request),
            ("POST", ["service", "tickets"]) => self.make(request.body()),
            ("GET", ["company", "companies"]) => by_name("Acme", COMPANY),
            ("GET", ["service", "boards"]) => by_name("Alerts", BOARD),
            ("GET", ["service", "boards", "11", "statuses"]) => by_name("Resolved", RESOLVED),
            (method, ["service", "tickets", id, rest @ ..]) => {
                let id: i64 = id.parse().unwrap_or_default();
                let Some(ticket) = self.tickets.get_mut(&id) else { return (404, Value::Null) };
                match (method, rest) {
                    ("GET", []) => (200, ticket.clone()),
                    ("POST", ["notes"]) if ticket["closedFlag"] == true => mistake(400, "closed"),
                    ("POST", ["notes"]) => {
                        let note = request.body();
                        if note["text"].as_str().is_none_or(str::is_empty) {
                            return mistake(400, "text");
                        }
                        ticket["notes"].as_array_mut().expect("a list").push(note.clone());
                        (201, note)
                    }
                    ("PATCH", []) => {
                        let body = request.body();
                        let status = &body[0]["value"]["id"];
                        let is_right = body.is_array()
                            && body[0]["op"] == "replace"
                            && body[0]["path"] == "status"
                            && *status == RESOLVED;
                        if !is_right {
                            return mistake(400, "status");
                        }
                        ticket["status"] = json!({ "id": RESOLVED });
                        (200, ticket.clone())
                    }
                    _ => (405, Value::Null),
                }
            }
            _ => (404, Value::Null),
        }
    }
}

impl Tickets for Desk {
    const BASE: &'static str = "/v4_6_release/apis/3.0";
    const KIND: ChannelKind = ChannelKind::Connectwise;

    fn open(&self) -> Vec<i64> {
        let open = |it: &&Value| {
            it["closedFlag"] == false && it["status"]["id"].as_i64() != Some(RESOLVED)
        };
        self.tickets.values().filter(open).filter_map(|it| it["id"].as_i64()).collect()
    }

    fn close_all(&mut self) {
        self.tickets.values_mut().for_each(|it| it["closedFlag"] = true.into());
    }

    fn text(&self, id: i64) -> String {
        self.tickets[&id].to_string()
    }

    fn ids() -> Vec<(&'static str, i64)> {
        vec![("company", COMPANY), ("board", BOARD), ("status-resolved", RESOLVED)]
    }

    fn names() -> Vec<(&'static str, &'static str)> {
        vec![("company", "Acme"), ("board", "Alerts"), ("status-resolved", "Resolved")]
    }
}
