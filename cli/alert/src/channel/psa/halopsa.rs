//! HaloPSA: `POST /auth/token`, then `/api/…`, whose bodies are arrays.

use agent::config::alert::Alert;
use serde_json::{Value, json};
use url::Url;

use crate::channel::psa::{Desk, Ids, Line, Words, id_of, priority, read};
use crate::deliver::Refusal;
use crate::secret::Secret;

/// Numbers that it cannot do without.
pub(super) const IDS: [&str; 3] = ["client", "ticket-type", "status-resolved"];
/// The internal note that each instance begins with.
const OUTCOME: i64 = 7;
/// Tickets of a search that are looked at.
const CANDIDATES_MAX: usize = 20;

pub(super) struct Halo {
    line: Line,
    ids: Ids,
    user: String,
    secret: Secret,
    tenant: Option<String>,
    token: Option<String>,
}

impl Halo {
    /// `user` is the client id of the API application, the secret its secret.
    pub(super) fn new(alert: &Alert, line: Line, secret: Secret) -> Self {
        Self {
            line,
            ids: alert.ids.clone(),
            user: alert.user.clone().unwrap_or_default(),
            secret,
            tenant: alert.tenant.clone(),
            token: None,
        }
    }

    fn log_in(&mut self) -> Result<String, Refusal> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let mut url = Url::parse(&format!("{}/auth/token", self.line.base))
            .map_err(|_| Refusal::of_event("its url is none"))?;
        if let Some(tenant) = &self.tenant {
            url.query_pairs_mut().append_pair("tenant", tenant);
        }
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.user)
            .append_pair("client_secret", self.secret.expose())
            .append_pair("scope", "all")
            .finish();
        let headers = [("content-type", "application/x-www-form-urlencoded".to_owned())];
        let answer = self.line.http.request("POST", &url, &headers, Some(form.into_bytes()))?;
        // What it says of a login may repeat what it was given.
        let said = read(&answer).map_err(|refusal| Refusal {
            retry_after_s: refusal.retry_after_s,
            ..Refusal::of_channel(format!("no login: status {}", answer.status))
        })?;
        let token = said["access_token"].as_str().map(str::to_owned);
        let token = token.ok_or_else(|| Refusal::of_channel("no login: no token"))?;
        self.token = Some(token.clone());
        Ok(token)
    }

    /// With a token, and with a new one once if the old one is not good any more.
    fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        for is_last in [false, true] {
            let token = self.log_in()?;
            self.line.headers = vec![("authorization", format!("Bearer {token}"))];
            match self.line.call(method, path, body) {
                Err(refusal) if refusal.why.starts_with("status 401") && !is_last => {
                    self.token = None;
                }
                answer => return answer,
            }
        }
        Err(Refusal::of_channel("no login"))
    }

    fn act(&mut self, id: &str, words: &Words, status: Option<i64>) -> Result<(), Refusal> {
        let mut action = json!({
            "ticket_id": id.parse::<i64>().unwrap_or_default(),
            "outcome_id": self.ids.get("outcome").copied().unwrap_or(OUTCOME),
            "hiddenfromuser": true,
            "note_html": html(&words.text),
        });
        if let Some(status) = status {
            action["new_status"] = status.into();
        }
        self.call("POST", "/api/actions", Some(&json!([action]))).map(|_| ())
    }

    fn ticket(&mut self, id: &str) -> Result<Value, Refusal> {
        self.call("GET", &format!("/api/Tickets/{id}?includedetails=true"), None)
    }

    fn is_closed(&self, ticket: &Value) -> bool {
        let status = ticket["status_id"].as_i64();
        let is_resolved = status.is_some() && status == self.ids.get("status-resolved").copied();
        ticket["hasbeenclosed"] == true || is_resolved
    }
}

/// What a ticket is found by: nothing else of it is ours to fill.
fn reference(key: &str) -> String {
    format!("[{key}]")
}

fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<p>{text}</p>")
}

impl Desk for Halo {
    fn find(&mut self, key: &str) -> Result<Option<String>, Refusal> {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("search", key)
            .append_pair("open_only", "true")
            .finish();
        let found = self.call("GET", &format!("/api/Tickets?{query}"), None)?;
        let all = found["tickets"].as_array().or_else(|| found.as_array());
        let ids: Vec<String> = all
            .into_iter()
            .flatten()
            .filter_map(|ticket| id_of(&ticket["id"]))
            .take(CANDIDATES_MAX)
            .collect();
        // A search is not exact: the ticket itself says whose it is.
        let reference = html(&reference(key));
        let reference = reference.trim_start_matches("<p>").trim_end_matches("</p>");
        for id in ids {
            let ticket = self.ticket(&id)?;
            let says =
                |field: &str| ticket[field].as_str().is_some_and(|it| it.contains(reference));
            if (says("details_html") || says("details")) && !self.is_closed(&ticket) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn open(&mut self, words: &Words) -> Result<String, Refusal> {
        let mut ticket = json!({
            "summary": words.summary,
            "details_html": html(&format!("{} {}", words.text, reference(&words.key))),
            "tickettype_id": self.ids.get("ticket-type"),
            "client_id": self.ids.get("client"),
            "userlookup": { "id": -1, "lookupdisplay": "Enter Details Manually" },
            "donotapplytemplateintheapi": true,
        });
        if let Some(site) = self.ids.get("site") {
            ticket["site_id"] = (*site).into();
        }
        // Any other value than a number that it knows is refused.
        if let Some(priority) = priority(&self.ids, words.severity) {
            ticket["priority_id"] = priority.into();
        }
        let made = self.call("POST", "/api/Tickets", Some(&json!([ticket])))?;
        let one = made.as_array().and_then(|all| all.first()).unwrap_or(&made);
        id_of(&one["id"]).ok_or_else(|| Refusal::of_channel("its answer has no id"))
    }

    fn append(&mut self, id: &str, words: &Words) -> Result<(), Refusal> {
        let ticket = self.ticket(id)?;
        match self.is_closed(&ticket) {
            true => Err(Refusal::of_event(format!("ticket {id} is closed"))),
            false => self.act(id, words, None),
        }
    }

    fn resolve(&mut self, id: &str, words: &Words) -> Result<(), Refusal> {
        let status = self.ids.get("status-resolved").copied();
        self.act(id, words, status)
    }

    fn number(&mut self, what: &str, name: &str, _known: &Ids) -> Result<Option<i64>, Refusal> {
        let (path, list) = match what {
            "client" => ("/api/Client", "clients"),
            "site" => ("/api/Site", "sites"),
            "ticket-type" => ("/api/TicketType", "tickettypes"),
            _ if what.starts_with("priority") => ("/api/Priority", "priorities"),
            "outcome" => ("/api/Outcome", "outcomes"),
            "status-resolved" => ("/api/Status", "statuses"),
            _ => return Err(Refusal::of_event("there is nothing of this name to look up")),
        };
        let found = self.call("GET", path, None)?;
        let all = found[list].as_array().or_else(|| found.as_array());
        let found =
            all.into_iter().flatten().find(|one| one["name"] == name || one["outcome"] == name);
        Ok(found.and_then(|one| one["id"].as_i64().or_else(|| one["priorityid"].as_i64())))
    }
}
