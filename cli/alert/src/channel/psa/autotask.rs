//! Autotask: the zone's `…/atservicesrest`, as it is given.

use agent::config::alert::Alert;
use serde_json::{Map, Value, json};

use crate::channel::psa::{Desk, Ids, Line, Words, id_of, priority};
use crate::deliver::Refusal;
use crate::record::rfc3339;
use crate::secret::Secret;

/// Numbers that it cannot do without.
pub(super) const IDS: [&str; 7] =
    ["company", "queue", "priority", "status-new", "status-complete", "note-type", "publish"];
/// Somebody should have looked by then.
const DUE_S: i64 = 86_400;

pub(super) struct Autotask {
    line: Line,
    ids: Ids,
}

impl Autotask {
    /// `user` is the API user, the secret its password, `client-id` the integration code.
    pub(super) fn new(alert: &Alert, mut line: Line, secret: &Secret) -> Self {
        line.headers.push(("apiintegrationcode", alert.client_id.clone().unwrap_or_default()));
        line.headers.push(("username", alert.user.clone().unwrap_or_default()));
        line.headers.push(("secret", secret.expose().to_owned()));
        line.base.push_str("/v1.0");
        Self { line, ids: alert.ids.clone() }
    }

    fn query(&self, entity: &str, filter: Value) -> Result<Option<Value>, Refusal> {
        let body = json!({ "MaxRecords": 1, "filter": filter });
        let found = self.line.call("POST", &format!("/{entity}/query"), Some(&body))?;
        Ok(found["items"].as_array().and_then(|all| all.first()).cloned())
    }

    fn ticket(&self, id: &str) -> Result<Value, Refusal> {
        let found = self.line.call("GET", &format!("/Tickets/{id}"), None)?;
        match &found["item"] {
            Value::Object(_) => Ok(found["item"].clone()),
            _ => Err(Refusal::of_event(format!("ticket {id} is gone"))),
        }
    }

    fn note(&self, id: &str, words: &Words) -> Result<(), Refusal> {
        let note = json!({
            "title": words.summary,
            "description": words.text,
            "noteType": self.ids.get("note-type"),
            "publish": self.ids.get("publish"),
        });
        self.line.call("POST", &format!("/Tickets/{id}/Notes"), Some(&note)).map(|_| ())
    }
}

impl Desk for Autotask {
    fn find(&mut self, key: &str) -> Result<Option<String>, Refusal> {
        let filter = json!([
            { "field": "externalID", "op": "eq", "value": key },
            { "field": "status", "op": "noteq", "value": self.ids.get("status-complete") },
        ]);
        Ok(self.query("Tickets", filter)?.and_then(|ticket| id_of(&ticket["id"])))
    }

    fn open(&mut self, words: &Words) -> Result<String, Refusal> {
        let mut ticket = json!({
            "companyID": self.ids.get("company"),
            "title": words.summary,
            "description": words.text,
            "queueID": self.ids.get("queue"),
            "priority": priority(&self.ids, words.severity),
            "status": self.ids.get("status-new"),
            "dueDateTime": rfc3339(words.at_s + DUE_S),
            "externalID": words.key,
        });
        for (name, field) in [("ticket-type", "ticketType"), ("source", "source")] {
            if let Some(id) = self.ids.get(name) {
                ticket[field] = (*id).into();
            }
        }
        let made = self.line.call("POST", "/Tickets", Some(&ticket))?;
        id_of(&made["itemId"]).ok_or_else(|| Refusal::of_channel("its answer has no id"))
    }

    fn append(&mut self, id: &str, words: &Words) -> Result<(), Refusal> {
        let status = self.ticket(id)?["status"].as_i64();
        if status.is_some() && status == self.ids.get("status-complete").copied() {
            return Err(Refusal::of_event(format!("ticket {id} is complete")));
        }
        self.note(id, words)
    }

    fn resolve(&mut self, id: &str, words: &Words) -> Result<(), Refusal> {
        let change = json!({
            "id": id.parse::<i64>().unwrap_or_default(),
            "status": self.ids.get("status-complete"),
            "resolution": words.text,
        });
        let patched = self.line.call("PATCH", "/Tickets", Some(&change));
        let Err(refusal) = patched else { return Ok(()) };
        if !refusal.why.starts_with("status 405") && !refusal.why.starts_with("status 404") {
            return Err(refusal);
        }
        // Some instances know no PATCH; PUT empties every field that it is not given.
        let mut whole: Map<String, Value> = match self.ticket(id)? {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        for (name, value) in change.as_object().into_iter().flatten() {
            whole.insert(name.clone(), value.clone());
        }
        self.line.call("PUT", "/Tickets", Some(&Value::Object(whole))).map(|_| ())
    }

    fn number(&mut self, what: &str, name: &str, _known: &Ids) -> Result<Option<i64>, Refusal> {
        let (entity, field) = match what {
            "company" => {
                let filter = json!([{ "field": "companyName", "op": "eq", "value": name }]);
                let found = self.query("Companies", filter)?;
                return Ok(found.and_then(|one| one["id"].as_i64()));
            }
            "queue" => ("Tickets", "queueID"),
            _ if what.starts_with("priority") => ("Tickets", "priority"),
            "status-new" | "status-complete" => ("Tickets", "status"),
            "ticket-type" => ("Tickets", "ticketType"),
            "source" => ("Tickets", "source"),
            "note-type" => ("TicketNotes", "noteType"),
            "publish" => ("TicketNotes", "publish"),
            _ => return Err(Refusal::of_event("there is nothing of this name to look up")),
        };
        let said = self.line.call("GET", &format!("/{entity}/entityInformation/fields"), None)?;
        let fields = said["fields"].as_array().into_iter().flatten();
        let values = fields.filter(|one| one["name"] == field);
        let mut values =
            values.flat_map(|one| one["picklistValues"].as_array().into_iter().flatten());
        let found = values.find(|one| one["label"] == name);
        Ok(found.and_then(|one| id_of(&one["value"])?.parse().ok()))
    }
}
