//! Mail: everything that is due goes into one message.

use std::fmt::Write;
use std::time::Duration;

use agent::config::alert::{Alert, MailTls};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};
use serde_json::Value;

use crate::channel::{ChannelError, setting};
use crate::deliver::{PATIENCE, Receiver, Refusal};
use crate::record::cut;
use crate::secret::Secret;
use crate::state::Due;

/// A subject beyond that is cut.
const SUBJECT_MAX_CHARS: usize = 150;

pub(super) struct Mail {
    name: String,
    fallback: Option<String>,
    from: Mailbox,
    to: Vec<Mailbox>,
    transport: SmtpTransport,
}

impl Mail {
    pub(super) fn new(alert: &Alert) -> Result<Self, ChannelError> {
        let mailbox = |text: &str| {
            text.parse::<Mailbox>()
                .map_err(|error| setting(alert, format!("{text:?} is no address: {error}")))
        };
        let from = mailbox(alert.from.as_deref().unwrap_or_default())?;
        let to = alert.to.0.iter().map(|text| mailbox(text)).collect::<Result<Vec<_>, _>>()?;
        let server = alert.server.as_deref().unwrap_or_default();
        let tls = alert.tls.unwrap_or_default();
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) => {
                let wrong = |_| setting(alert, format!("{server:?}: the port is no number"));
                (host, port.parse::<u16>().map_err(wrong)?)
            }
            None => (server, tls.port()),
        };
        if tls == MailTls::None && !is_here(host) {
            return Err(setting(alert, "mail without TLS is sent on this machine alone"));
        }
        let parameters = || {
            TlsParameters::new(host.to_owned())
                .map_err(|error| setting(alert, format!("TLS cannot be used: {error}")))
        };
        let patience = alert.timeout.map_or(PATIENCE, |span| Duration::from_secs(span.seconds()));
        let mut builder = SmtpTransport::builder_dangerous(host)
            .port(port)
            .timeout(Some(patience))
            .tls(match tls {
                MailTls::None => Tls::None,
                MailTls::Starttls => Tls::Required(parameters()?),
                MailTls::Tls => Tls::Wrapper(parameters()?),
            });
        if let Some(user) = &alert.user {
            let Some(path) = alert.secret_file.0.first() else {
                return Err(setting(alert, "says a user and no secret-file"));
            };
            let secret = Secret::read(path).map_err(|source| ChannelError::Secret {
                channel: alert.name().to_owned(),
                source,
            })?;
            builder =
                builder.credentials(Credentials::new(user.clone(), secret.expose().to_owned()));
        }
        let (name, fallback) = (alert.name().to_owned(), alert.fallback.clone());
        Ok(Self { name, fallback, from, to, transport: builder.build() })
    }

    fn message(&self, events: &[Due]) -> Result<Message, String> {
        let (subject, text) = digest(events);
        let mut builder = Message::builder().from(self.from.clone()).subject(subject);
        for one in &self.to {
            builder = builder.to(one.clone());
        }
        // The same message whenever the same events are sent once more.
        let ids: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
        let hash = blake3::hash(ids.join(" ").as_bytes()).to_hex();
        let domain = self.from.email.domain();
        builder = builder.message_id(Some(format!("<{}@{domain}>", &hash[..32])));
        builder.body(text).map_err(|error| error.to_string())
    }
}

fn is_here(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Subject and text: the most urgent first, one paragraph for each event.
fn digest(events: &[Due]) -> (String, String) {
    let mut all: Vec<(u64, &Due, Value)> = Vec::new();
    for event in events {
        let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
        let data = body.get("data").cloned().unwrap_or_default();
        let is_over = data["event"] == "resolved";
        let rank = data["severity"].as_u64().unwrap_or(4) + if is_over { 10 } else { 0 };
        all.push((rank, event, data));
    }
    all.sort_by_key(|(rank, event, _)| (*rank, event.event));
    // A line break would begin another header, or another paragraph.
    let line = |data: &Value, name: &str| {
        data[name].as_str().unwrap_or_default().replace(|one: char| one.is_control(), " ")
    };
    let mut text = String::new();
    for (_, event, data) in &all {
        let severity = line(data, "severity_name");
        let what = line(data, "event");
        let _ = writeln!(
            text,
            "{} {} {}: {}\n  {}",
            what.to_uppercase(),
            severity,
            line(data, "client"),
            line(data, "summary"),
            line(data, "details"),
        );
        let since = line(data, "since");
        let _ = writeln!(text, "  since {since}, ticket {}, event {}\n", event.key, event.id);
    }
    let first = all.first().map(|(_, _, data)| {
        format!("{}: {} ({})", line(data, "client"), line(data, "summary"), line(data, "event"))
    });
    let more = match all.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let subject = format!("Mainstay: {}{more}", cut(&first.unwrap_or_default(), SUBJECT_MAX_CHARS));
    (subject, text)
}

impl Receiver for Mail {
    fn name(&self) -> &str {
        &self.name
    }

    fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    fn is_digest(&self) -> bool {
        true
    }

    fn give(&mut self, events: &[Due], _now_s: i64) -> Result<Option<String>, Refusal> {
        let message = self.message(events).map_err(Refusal::of_event)?;
        match self.transport.send(&message) {
            Ok(_) => Ok(None),
            // What a server says of a login may repeat what it was given.
            Err(error) if error.is_permanent() => {
                let code = error.status().map(|code| code.to_string()).unwrap_or_default();
                Err(Refusal::of_channel(format!("the mail server refused it: {code}")))
            }
            Err(error) if error.is_timeout() => {
                Err(Refusal::of_channel("the mail server did not answer in time"))
            }
            Err(error) => Err(Refusal::of_channel(format!("the mail server: {error}"))),
        }
    }
}
