//! Autotask, as strict as it is.

use std::collections::BTreeMap;

use agent::config::alert::ChannelKind;
use serde_json::{Value, json};

use crate::server::{Double, Reply, Request};
use crate::{Tickets, mistake};

const COMPANY: i64 = 12_345;
const QUEUE: i64 = 8;
const COMPLETE: i64 = 5;
/// Fields without which a ticket is not taken, in a PUT as well.
const NEEDED: [&str; 6] = ["companyID", "title", "status", "priority", "queueID", "dueDateTime"];

#[derive(Default)]
pub(crate) struct Desk {
    knows_no_patch: bool,
    tickets: BTreeMap<i64, Value>,
    notes: BTreeMap<i64, String>,
}

impl Desk {
    pub(crate) fn without_patch() -> Self {
        Self { knows_no_patch: true, ..Self::default() }
    }

    fn take(&mut self, id: i64, mut ticket: Value) -> Reply {
        if let Some(missing) = NEEDED.iter().find(|name| ticket[**name].is_null()) {
            return mistake(500, missing);
        }
        let title = ticket["title"].as_str().unwrap_or_default().chars().count();
        if ticket["companyID"] != COMPANY || ticket["queueID"] != QUEUE || title > 255 {
            return mistake(400, "companyID, queueID or title");
        }
        if ticket["status"] == COMPLETE && ticket["resolution"].as_str().is_none_or(str::is_empty) {
            return mistake(400, "resolution");
        }
        ticket["id"] = id.into();
        self.tickets.insert(id, ticket);
        (200, json!({ "itemId": id }))
    }

    fn query(&self, filter: &Value) -> Reply {
        let (by_key, by_status) = (&filter[0], &filter[1]);
        let is_right = by_key["field"] == "externalID"
            && by_key["op"] == "eq"
            && by_status["field"] == "status"
            && by_status["op"] == "noteq"
            && by_status["value"] == COMPLETE;
        if !is_right {
            return mistake(400, "filter");
        }
        let found = self.tickets.values();
        let found: Vec<_> = found
            .filter(|it| it["externalID"] == by_key["value"] && it["status"] != COMPLETE)
            .cloned()
            .collect();
        (200, json!({ "items": found }))
    }
}

impl Double for Desk {
    fn answer(&mut self, request: &Request) -> Reply {
        let is_known = request.header("apiintegrationcode") == "vendor"
            && request.header("username") == "user"
            && request.header("secret") == "s3cret"
            && request.header("authorization").is_empty();
        if !is_known {
            return (401, Value::Null);
        }
        let Some(path) = request.path.strip_prefix("/atservicesrest/v1.0/") else {
            return (404, Value::Null);
        };
        let body = request.body();
        let parts: Vec<&str> = path.split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["Companies", "query"]) => {
                let is_it = body["filter"][0]["value"] == "Acme";
                (
                    200,
                    json!({ "items": if is_it { json!([{ "id": COMPANY }]) } else { json!([]) } }),
                )
            }
            ("POST", ["Tickets", "query"]) => self.query(&body["filter"]),
            ("GET", ["Tickets", "entityInformation", "fields"]) => (
                200,
                json!({ "fields": [
                { "name": "queueID", "picklistValues": [{ "value": "8", "label": "Alerts" }] },
                { "name": "status", "picklistValues": [
                    { "value": "1", "label": "New" }, { "value": "5", "label": "Complete" }] },
                { "name": "subIssueType", "picklistValues": null },
            ] }),
            ),
            ("POST", ["Tickets"]) => self.take(500 + self.tickets.len() as i64, body),
            ("PATCH", ["Tickets"]) if self.knows_no_patch => (405, Value::Null),
            ("PATCH", ["Tickets"]) => {
                let id = body["id"].as_i64().unwrap_or_default();
                let Some(mut ticket) = self.tickets.get(&id).cloned() else {
                    return (404, Value::Null);
                };
                for (name, value) in body.as_object().into_iter().flatten() {
                    ticket[name] = value.clone();
                }
                self.take(id, ticket)
            }
            ("PUT", ["Tickets"]) => {
                let id = body["id"].as_i64().unwrap_or_default();
                // What is not sent is emptied.
                match self.tickets.contains_key(&id) && body["externalID"].is_string() {
                    true => self.take(id, body),
                    false => mistake(400, "id"),
                }
            }
            ("GET", ["Tickets", id]) => {
                let id = id.parse().unwrap_or_default();
                (200, json!({ "item": self.tickets.get(&id) }))
            }
            ("POST", ["Tickets", id, "Notes"]) => {
                let id: i64 = id.parse().unwrap_or_default();
                let is_open = self.tickets.get(&id).is_some_and(|it| it["status"] != COMPLETE);
                if !is_open || body["noteType"] != 1 || body["publish"] != 2 {
                    return mistake(400, "noteType");
                }
                self.notes
                    .entry(id)
                    .or_default()
                    .push_str(body["description"].as_str().unwrap_or("?"));
                (200, json!({ "itemId": 1 }))
            }
            _ => (404, Value::Null),
        }
    }
}

impl Tickets for Desk {
    const BASE: &'static str = "/atservicesrest";
    const KIND: ChannelKind = ChannelKind::Autotask;

    fn open(&self) -> Vec<i64> {
        let open = self.tickets.values().filter(|it| it["status"] != COMPLETE);
        open.filter_map(|it| it["id"].as_i64()).collect()
    }

    fn close_all(&mut self) {
        self.tickets.values_mut().for_each(|it| it["status"] = COMPLETE.into());
    }

    fn text(&self, id: i64) -> String {
        let notes = self.notes.get(&id).cloned().unwrap_or_default();
        format!("{} {notes}", self.tickets[&id])
    }

    fn ids() -> Vec<(&'static str, i64)> {
        vec![
            ("company", COMPANY),
            ("queue", QUEUE),
            ("priority", 3),
            ("priority-1", 4),
            ("status-new", 1),
            ("status-complete", COMPLETE),
            ("note-type", 1),
            ("publish", 2),
        ]
    }

    fn names() -> Vec<(&'static str, &'static str)> {
        vec![
            ("company", "Acme"),
            ("queue", "Alerts"),
            ("status-new", "New"),
            ("status-complete", "Complete"),
        ]
    }
}
