//! A report as one HTML file: no request, no script, readable on paper, light and dark.

/// Charts as SVG.
mod svg;
/// Parts of sections.
mod block;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::report::calendar;
use crate::report::html::block::{Links, block};
use crate::report::model::{Report, Section};

const STYLE: &str = include_str!("style.css");

/// Nothing is loaded from anywhere; styles stand in the file.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Writes it.
#[must_use]
pub fn write(report: &Report) -> Vec<u8> {
    let links = Links::new(report);
    let period = format!(
        "{} to {}",
        calendar::minute(report.period.from_ms),
        calendar::minute(report.period.to_ms)
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(report.program);
                title { (report.title) ", " (report.client) ", " (period) }
                style { (PreEscaped(STYLE)) (PreEscaped(running_head(report))) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                (cover(report, &period))
                main #content {
                    (contents(report))
                    @for section in &report.sections { (section_of(section, &links)) }
                    (appendix(report))
                }
                footer { (report.title) " · " (report.client) " · made " (report.made) " by " (report.program) }
            }
        }
    };
    page.into_string().into_bytes()
}

/// What stands on the margins of each printed page.
fn running_head(report: &Report) -> String {
    let quoted = |text: String| {
        let safe: String =
            text.chars().filter(|it| !it.is_control() && !"\\\"<>".contains(*it)).collect();
        format!("\"{safe}\"")
    };
    let (from, to) = (report.period.from_ms, report.period.to_ms);
    let right = format!("{} to {}", calendar::day(from), calendar::day(to - 1));
    format!(
        "@page {{ @top-left {{ content: {} }} @top-right {{ content: {} }} }}",
        quoted(format!("{} · {}", report.client, report.title)),
        quoted(right)
    )
}

fn cover(report: &Report, period: &str) -> Markup {
    let signature = &report.signature;
    html! {
        header.cover {
            p.kicker { (report.title) }
            h1 { (report.client) }
            p.period { (period) " UTC" }
            p.headline.(report.tone.name()) { (report.headline) }
            p.seal.(if signature.chains_good { "good" } else { "bad" }) {
                span.mark aria-hidden="true" { (if signature.chains_good { "✓" } else { "✗" }) }
                " " (signature.text)
            }
            @for flaw in &signature.flaws { p.seal.bad { "wrong: " (flaw) } }
            dl.facts {
                div { dt { "Repository" } dd { code { (report.repository) } } }
                div { dt { "Key fingerprint" } dd { code { (report.fingerprint) } } }
                div { dt { "Systems" } dd { (calendar::count(report.systems.len() as u64)) } }
                div { dt { "Made" } dd { (report.made) " on " (report.host) } }
                div { dt { "Program" } dd { (report.program) } }
                div { dt { "Scope" } dd { code { (report.scope_hash) } } }
            }
        }
    }
}

fn contents(report: &Report) -> Markup {
    html! {
        nav.contents aria-label="Contents" {
            h2 { "Contents" }
            ol {
                @for section in &report.sections {
                    li { a href={ "#" (section.id) } { (section.title) } }
                }
                li { a href="#records" { "Records" } }
            }
        }
    }
}

fn section_of(section: &Section, links: &Links<'_>) -> Markup {
    html! {
        section id=(section.id) aria-labelledby={ (section.id) "-title" } {
            h2 id={ (section.id) "-title" } { (section.title) }
            p.lead { (section.lead) }
            @for part in &section.blocks { (block(part, links)) }
        }
    }
}

fn appendix(report: &Report) -> Markup {
    html! {
        section #records aria-labelledby="records-title" {
            h2 #records-title { "Records" }
            p.lead {
                "The signed records that figures and rows name by number. A record with this hash \
                 stands under this id in every bundle and in the repository."
            }
            h3 { "Ends of the chains" }
            div.scroll {
                table.records {
                    thead { tr { th scope="col" { "Record" } th scope="col" { "BLAKE3 of the signed bytes" } } }
                    tbody {
                        @for (id, hash) in &report.signature.heads {
                            tr { td { code { (id) } } td { code { (hash) } } }
                        }
                    }
                }
            }
            h3 { "Records named in this report" }
            div.scroll {
                table.records {
                    thead {
                        tr {
                            th scope="col" { "No." } th scope="col" { "Time" } th scope="col" { "Event" }
                            th scope="col" { "Record and hash" }
                        }
                    }
                    tbody {
                        @for (number, one) in report.evidence.iter().enumerate() {
                            tr id={ "e" (number + 1) } {
                                td { "E" (number + 1) } td { (one.time) } td { (one.event) }
                                td { code { (one.id) } br; code.hash { (one.hash) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
