//! HaloPSA, as strict as it is.

use std::collections::BTreeMap;

use agent::config::alert::ChannelKind;
use serde_json::{Value, json};

use crate::server::{Double, Reply, Request};
use crate::{Tickets, mistake};

const CLIENT: i64 = 12;
const TYPE: i64 = 1;
const RESOLVED: i64 = 9;

pub(crate) struct Desk {
    /// A token is good for so many calls.
    calls_of_a_token: u32,
    tokens: u32,
    calls: u32,
    tickets: BTreeMap<i64, Value>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { calls_of_a_token: u32::MAX, tokens: 0, calls: 0, tickets: BTreeMap::new() }
    }
}

impl Desk {
    pub(crate) fn with_short_tokens(calls: u32) -> Self {
        Self { calls_of_a_token: calls, ..Self::default() }
    }

    fn log_in(&mut self, request: &Request) -> Reply {
        let wanted = "grant_type=client_credentials&client_id=user&client_secret=s3cret&scope=all";
        if request.text != wanted {
            return (401, Value::Null);
        }
        self.tokens += 1;
        self.calls = 0;
        (200, json!({ "access_token": format!("t{}", self.tokens), "expires_in": 3600 }))
    }

    fn make(&mut self, body: &Value) -> Reply {
        let ticket = &body[0];
        if !body.is_array() || ticket["client_id"] != CLIENT || ticket["tickettype_id"] != TYPE {
            return mistake(400, "client_id");
        }
        if ticket["summary"].as_str().is_none_or(|it| it.is_empty() || it.chars().count() > 255) {
            return mistake(400, "summary");
        }
        if !ticket["priority_id"].is_null() && !ticket["priority_id"].is_number() {
            return mistake(400, "priority_id");
        }
        let id = 70 + self.tickets.len() as i64;
        let mut made = ticket.clone();
        made["id"] = id.into();
        made["hasbeenclosed"] = false.into();
        made["status_id"] = 1.into();
        made["actions"] = json!([]);
        self.tickets.insert(id, made.clone());
        (201, made)
    }

    fn act(&mut self, body: &Value) -> Reply {
        let action = &body[0];
        let id = action["ticket_id"].as_i64().unwrap_or_default();
        let Some(ticket) = self.tickets.get_mut(&id).filter(|_| body.is_array()) else {
            return mistake(400, "ticket_id");
        };
        if action["outcome_id"] != 7 {
            return (400, json!("An Outcome must be entered"));
        }
        if ticket["hasbeenclosed"] == true {
            return mistake(400, "closed");
        }
        ticket["actions"].as_array_mut().expect("a list").push(action.clone());
        if action["new_status"] == RESOLVED {
            ticket["status_id"] = RESOLVED.into();
            ticket["hasbeenclosed"] = true.into();
        }
        (201, action.clone())
    }
}

impl Double for Desk {
    fn answer(&mut self, request: &Request) -> Reply {
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        if (request.method.as_str(), parts.as_slice()) == ("POST", &["auth", "token"]) {
            return self.log_in(request);
        }
        self.calls += 1;
        let token = format!("Bearer t{}", self.tokens);
        if request.header("authorization") != token || self.calls > self.calls_of_a_token {
            return (401, Value::Null);
        }
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["api", "Tickets"]) => self.make(&request.body()),
            ("POST", ["api", "actions"]) => self.act(&request.body()),
            ("GET", ["api", "Tickets"]) => {
                // A search finds more than what was asked for, and closed ones as well.
                let all: Vec<_> =
                    self.tickets.values().map(|it| json!({ "id": it["id"] })).collect();
                (200, json!({ "record_count": all.len(), "tickets": all }))
            }
            ("GET", ["api", "Tickets", id]) => {
                let id = id.parse().unwrap_or_default();
                self.tickets.get(&id).map_or((404, Value::Null), |ticket| (200, ticket.clone()))
            }
            ("GET", ["api", "Client"]) => (
                200,
                json!({ "clients": [{ "id": 3, "name": "Other" }, { "id": CLIENT, "name": "Acme" }] }),
            ),
            ("GET", ["api", "TicketType"]) => (200, json!([{ "id": TYPE, "name": "Alert" }])),
            ("GET", ["api", "Status"]) => (200, json!([{ "id": RESOLVED, "name": "Resolved" }])),
            _ => (404, Value::Null),
        }
    }
}

impl Tickets for Desk {
    const BASE: &'static str = "";
    const KIND: ChannelKind = ChannelKind::Halopsa;

    fn open(&self) -> Vec<i64> {
        let open = self.tickets.values().filter(|it| it["hasbeenclosed"] == false);
        open.filter_map(|it| it["id"].as_i64()).collect()
    }

    fn close_all(&mut self) {
        self.tickets.values_mut().for_each(|it| it["hasbeenclosed"] = true.into());
    }

    fn text(&self, id: i64) -> String {
        self.tickets[&id].to_string()
    }

    fn ids() -> Vec<(&'static str, i64)> {
        vec![("client", CLIENT), ("ticket-type", TYPE), ("status-resolved", RESOLVED)]
    }

    fn names() -> Vec<(&'static str, &'static str)> {
        vec![("client", "Acme"), ("ticket-type", "Alert"), ("status-resolved", "Resolved")]
    }
}
