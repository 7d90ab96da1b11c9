//! ConnectWise PSA (Manage): `…/v4_6_release/apis/3.0`.

use agent::config::alert::Alert;
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::channel::psa::{Desk, Ids, Line, Words, id_of, priority};
use crate::deliver::Refusal;
use crate::secret::Secret;

/// Numbers that it cannot do without.
pub(super) const IDS: [&str; 3] = ["company", "board", "status-resolved"];

pub(super) struct Connectwise {
    line: Line,
    ids: Ids,
}

impl Connectwise {
    /// `user` is `company+publicKey`, the secret the private key, `client-id` the vendor's number.
    pub(super) fn new(alert: &Alert, mut line: Line, secret: &Secret) -> Self {
        let login = format!("{}:{}", alert.user.as_deref().unwrap_or_default(), secret.expose());
        let basic = BASE64.encode(login.as_bytes());
        line.headers.push(("authorization", format!("Basic {basic}")));
        line.headers.push(("clientid", alert.client_id.clone().unwrap_or_default()));
        Self { line, ids: alert.ids.clone() }
    }

    fn first(&self, path: &str, condition: &str) -> Result<Option<Value>, Refusal> {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("conditions", condition)
            .append_pair("pageSize", "1")
            .finish();
        let found = self.line.call("GET", &format!("{path}?{query}"), None)?;
        Ok(found.as_array().and_then(|all| all.first()).cloned())
    }

    fn note(&self, id: &str, words: &Words, is_resolution: bool) -> Result<(), Refusal> {
        let note = json!({
            "text": words.text,
            "internalAnalysisFlag": !is_resolution,
            "detailDescriptionFlag": false,
            "resolutionFlag": is_resolution,
        });
        self.line.call("POST", &format!("/service/tickets/{id}/notes"), Some(&note)).map(|_| ())
    }
}

/// A text within a condition.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Desk for Connectwise {
    fn find(&mut self, key: &str) -> Result<Option<String>, Refusal> {
        let condition = format!("externalXRef={} and closedFlag=false", quoted(key));
        let found = self.first("/service/tickets", &condition)?;
        // One that we resolved may not be closed yet: boards have rules of their own.
        let resolved = self.ids.get("status-resolved").copied();
        let found =
            found.filter(|it| it["status"]["id"].as_i64() != resolved || resolved.is_none());
        Ok(found.and_then(|ticket| id_of(&ticket["id"])))
    }

    fn open(&mut self, words: &Words) -> Result<String, Refusal> {
        let mut ticket = json!({
            "summary": words.summary,
            "board": { "id": self.ids.get("board") },
            "company": { "id": self.ids.get("company") },
            "externalXRef": words.key,
            "initialDescription": words.text,
        });
        if let Some(status) = self.ids.get("status-new") {
            ticket["status"] = json!({ "id": status });
        }
        if let Some(priority) = priority(&self.ids, words.severity) {
            ticket["priority"] = json!({ "id": priority });
        }
        let made = self.line.call("POST", "/service/tickets", Some(&ticket))?;
        id_of(&made["id"]).ok_or_else(|| Refusal::of_channel("its answer has no id"))
    }

    fn append(&mut self, id: &str, words: &Words) -> Result<(), Refusal> {
        let ticket = self.line.call("GET", &format!("/service/tickets/{id}"), None)?;
        let resolved = self.ids.get("status-resolved").copied();
        let status = ticket["status"]["id"].as_i64();
        if ticket["closedFlag"] == true || (status.is_some() && status == resolved) {
            return Err(Refusal::of_event(format!("ticket {id} is closed")));
        }
        self.note(id, words, false)
    }

    fn resolve(&mut self, id: &str, words: &Words) -> Result<(), Refusal> {
        self.note(id, words, true)?;
        let status = json!({ "id": self.ids.get("status-resolved") });
        let change = json!([{ "op": "replace", "path": "status", "value": status }]);
        self.line.call("PATCH", &format!("/service/tickets/{id}"), Some(&change)).map(|_| ())
    }

    fn number(&mut self, what: &str, name: &str, known: &Ids) -> Result<Option<i64>, Refusal> {
        let path = match what {
            "company" => "/company/companies".to_owned(),
            "board" => "/service/boards".to_owned(),
            _ if what.starts_with("priority") => "/service/priorities".to_owned(),
            "status-new" | "status-resolved" => {
                let board = known.get("board").ok_or_else(|| {
                    Refusal::of_event("a status belongs to a board: say `board` too")
                })?;
                format!("/service/boards/{board}/statuses")
            }
            _ => return Err(Refusal::of_event("there is nothing of this name to look up")),
        };
        let found = self.first(&path, &format!("name={}", quoted(name)))?;
        Ok(found.and_then(|one| one["id"].as_i64()))
    }
}
