//! Decoders of evidence: records, events, bundles, tables and time stamps.

use restore_verify::evidence::event::Event;
use restore_verify::evidence::population::{read_runs, runs_text};
use restore_verify::evidence::record::{Record, Reference, SIGNATURE_BYTES, SignedRecord, encode};
use restore_verify::evidence::table::{FileProof, read_population, read_results, results_text};
use restore_verify::evidence::verify::{Trust, verify};
use restore_verify::evidence::{container, token};

use crate::fuzz::{Decoder, exact, round};

/// All of them.
pub const ALL: &[Decoder] = &[
    ("evidence record", record),
    ("signed evidence", signed),
    ("event", event),
    ("bundle of evidence", bundle),
    ("container", |bytes| {
        exact(
            bytes,
            |bytes| container::read(bytes).ok(),
            |files| container::write(files).unwrap_or_default(),
        )
    }),
    ("time stamp", |bytes| token::read(bytes).is_ok()),
    ("runs", |bytes| exact(bytes, read_runs, |rows| runs_text(rows).into_bytes())),
    ("population", |bytes| read_population(bytes).is_some()),
    ("results", |bytes| exact(bytes, read_results, |rows| results_text(rows).into_bytes())),
    ("proof of a file", |bytes| {
        let Some(proof) = FileProof::from_text(bytes) else { return false };
        let again = FileProof::from_text(proof.to_text().as_bytes());
        assert_eq!(again.map(|it| it.to_text()), Some(proof.to_text()));
        proof.root().is_some()
    }),
    ("reference", |bytes| round(bytes, |bytes| minicbor::decode::<Reference>(bytes).ok(), encode)),
];

fn record(bytes: &[u8]) -> bool {
    round(bytes, |bytes| minicbor::decode::<Record>(bytes).ok(), encode)
}

/// Events, by a record around them, which names them.
fn signed(bytes: &[u8]) -> bool {
    let signed = [&[7; SIGNATURE_BYTES], bytes].concat();
    let Ok(parsed) = SignedRecord::parse(signed) else { return false };
    Event::decode(&parsed.record.event, &parsed.record.body).is_ok()
}

/// A name, a line feed, and the body.
fn event(bytes: &[u8]) -> bool {
    let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else { return false };
    let Ok(name) = std::str::from_utf8(&bytes[..at]) else { return false };
    let Ok(event) = Event::decode(name, &bytes[at + 1..]) else { return false };
    let body = event.body();
    let again = Event::decode(name, &body).map(|it| it.body());
    assert_eq!(again, Ok(body), "{name} has two forms");
    true
}

fn bundle(bytes: &[u8]) -> bool {
    let Some(trust) = Trust::parse(&"ab".repeat(32)) else { return false };
    verify(bytes, &trust, &[]).is_ok()
}
