//! What reports are written as: HTML that loads nothing, PDF, JSON by its schema, CSV.

use std::collections::BTreeSet;

use boon::{Compiler, SchemaIndex, Schemas};
use restore_verify::report::model::Report;
use restore_verify::report::work::Work;
use restore_verify::report::{html, json, pdf, table};
use serde_json::Value as Json;

/// Writes a report in every form and looks at what came out.
pub(super) fn are_good(report: &Report, work: &Work<'_>) {
    let page = String::from_utf8(html::write(report)).expect("HTML is text");
    loads_nothing(&page);
    links_lead_somewhere(&page);
    assert!(page.contains("Acme &amp; Sons &lt;b&gt;") && !page.contains("Sons <b>"));
    let pages = pdf::write(report).expect("a PDF");
    assert!(pages.starts_with(b"%PDF-1.") && pages.ends_with(b"%%EOF"));
    let document = json::write(report, &work.runs).expect("it is written");
    let document: Json = serde_json::from_slice(&document).expect("it is JSON");
    assert_eq!(validate(&document), Ok(()), "{} is not what the schema says", report.kind);
    let rows = table::population(&work.runs).expect("it is written");
    let lines = String::from_utf8(rows).expect("CSV is text").lines().count();
    assert_eq!(lines, work.runs.len() + 1);
}

fn schema() -> (Schemas, SchemaIndex) {
    let text: Json = serde_json::from_str(include_str!("../../../docs/report.schema.json"))
        .expect("the schema is JSON");
    let mut compiler = Compiler::new();
    compiler.add_resource("report.json", text).expect("it is a schema");
    let mut schemas = Schemas::new();
    let index = compiler.compile("report.json", &mut schemas).expect("it can be compiled");
    (schemas, index)
}

fn validate(document: &Json) -> Result<(), String> {
    let (schemas, index) = schema();
    schemas.validate(document, index).map_err(|error| format!("{error:#}"))
}

/// No request of any kind: nothing that a browser would fetch, no script, no form.
fn loads_nothing(page: &str) {
    for word in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        "<object",
        "<form",
        "@import",
        "url(",
        "src=",
        "http:",
        "https:",
        "javascript:",
        "onload",
        "onclick",
    ] {
        assert!(!page.contains(word), "{word} is in the page");
    }
    assert!(page.contains("default-src 'none'"));
}

fn links_lead_somewhere(page: &str) {
    let values = |mark: &str| -> Vec<String> {
        page.split(mark)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap_or("").to_owned())
            .collect()
    };
    let ids = values(" id=\"");
    let places: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(places.len(), ids.len(), "an id stands there twice");
    for target in values("href=\"#") {
        assert!(places.contains(&target), "#{target} leads nowhere");
    }
}

#[test]
fn a_document_that_is_not_a_report_does_not_pass() {
    let world = system_tests::world::World::in_memory();
    let facts = super::facts(&world);
    let scope = super::scope(super::BEGIN_MS + super::DAY_MS);
    let work = Work::new(&facts, &scope);
    let report = super::make(super::Kind::Compliance, &work);
    let bytes = json::write(&report, &[]).expect("it is written");
    let good: Json = serde_json::from_slice(&bytes).expect("it is JSON");
    validate(&good).expect("it is a report");
    for (pointer, wrong) in [
        ("/schema", Json::from("mainstay-report/2")),
        ("/sections/0/blocks/0/figures/0/value", Json::from("many")),
        ("/sections/0/blocks/0/figures/0/evidence", Json::Null),
        ("/sections/0/blocks/0/type", Json::from("picture")),
        ("/period/from", Json::from("yesterday")),
        ("/population", serde_json::json!([{ "id": "x" }])),
    ] {
        let mut other = good.clone();
        *other.pointer_mut(pointer).expect("it is there") = wrong;
        assert!(validate(&other).is_err(), "{pointer}");
    }
}
