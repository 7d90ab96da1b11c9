//! Figures, tables, charts and text as HTML.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::report::calendar;
use crate::report::html::svg;
use crate::report::model::{
    Basis, Block, Cell, Chart, Figure, PRINTED_IDS, Report, Series, Table, Tone, Value, columns,
};

/// Numbers of the records that a report names.
pub(super) struct Links<'r>(BTreeMap<&'r str, usize>);

impl<'r> Links<'r> {
    pub(super) fn new(report: &'r Report) -> Self {
        let numbered = report.evidence.iter().enumerate();
        Self(numbered.map(|(at, one)| (one.id.as_str(), at + 1)).collect())
    }

    fn of(&self, basis: &Basis) -> Vec<usize> {
        let known = basis.ids.iter().take(PRINTED_IDS).filter_map(|id| self.0.get(id.as_str()));
        known.copied().collect()
    }
}

/// A part of a section.
pub(super) fn block(block: &Block, links: &Links<'_>) -> Markup {
    match block {
        Block::Figures { figures } => html! {
            dl.figures.(if columns(figures.len()) == 3 { "three" } else { "four" }) { @for one in figures { (figure(one, links)) } }
        },
        Block::Table(one) => table(one, links),
        Block::Chart(one) => chart(one, links),
        Block::Text { text } => html! { p { (text) } },
        Block::Commands { lines } => html! {
            pre { @for line in lines { (line) "\n" } }
        },
    }
}

fn references(basis: &Basis, links: &Links<'_>) -> Markup {
    let numbers = links.of(basis);
    let more = basis.count.saturating_sub(numbers.len() as u64);
    html! {
        @if !numbers.is_empty() {
            span.refs {
                @for number in &numbers { a href={ "#e" (number) } { "E" (number) } " " }
                @if more > 0 && basis.count > PRINTED_IDS as u64 { "+" (calendar::count(more)) }
            }
        }
    }
}

fn figure(figure: &Figure, links: &Links<'_>) -> Markup {
    let missing = matches!(figure.value, Value::NotRecorded);
    let long = figure.value.shown().chars().count() > 14;
    html! {
        div.figure.(figure.tone.name()) id={ "figure-" (figure.id) } {
            dt { (figure.label) }
            dd.value.missing[missing].long[long] { (figure.value.shown()) }
            @if !figure.note.is_empty() { dd.note { (figure.note) } }
            dd.basis title=[figure.evidence.rule.as_deref()] { (references(&figure.evidence, links)) }
        }
    }
}

fn table(table: &Table, links: &Links<'_>) -> Markup {
    if table.rows.is_empty() {
        return html! { h3 { (table.title) } p.empty { (table.empty) } };
    }
    let rows = table.printed();
    let more = table.rows.len() - rows.len();
    let has_refs = rows.iter().any(|row| !links.of(&row.evidence).is_empty());
    let right: Vec<bool> = (0..table.columns.len())
        .map(|at| rows.iter().any(|row| row.cells[at].value.is_number()))
        .collect();
    html! {
        h3 { (table.title) }
        div.scroll tabindex="0" role="region" aria-label=(table.title) {
            table {
                thead {
                    tr {
                        @for (column, right) in table.columns.iter().zip(&right) {
                            th scope="col" .right[*right] { (column.label) }
                        }
                        @if has_refs { th scope="col" { "Records" } }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (one, right) in row.cells.iter().zip(&right) { (cell(one, *right)) }
                            @if has_refs { td { (references(&row.evidence, links)) } }
                        }
                    }
                }
            }
        }
        @if more > 0 {
            p.more {
                (calendar::count(more as u64)) " more rows are in the JSON of this report."
            }
        }
    }
}

fn cell(cell: &Cell, right: bool) -> Markup {
    let missing = matches!(cell.value, Value::NotRecorded);
    let toned = cell.tone != Tone::Plain;
    html! {
        td.right[right].missing[missing] {
            @if toned { span.pill.(cell.tone.name()) { (cell.value.shown()) } }
            @else { (cell.value.shown()) }
        }
    }
}

fn chart(chart: &Chart, links: &Links<'_>) -> Markup {
    let has_values = |series: &Series| series.values.iter().flatten().next().is_some();
    html! {
        figure.chart {
            figcaption {
                strong { (chart.title) } " " (references(&chart.evidence, links))
                ul.legend {
                    @for series in chart.series.iter().filter(|it| has_values(it)) {
                        li { span.key.(series.tone.name()) aria-hidden="true" {} (series.name) }
                    }
                    @if !chart.band.is_empty() {
                        li { span.key.band aria-hidden="true" {} "95 % interval" }
                    }
                }
            }
            (svg::write(chart))
        }
    }
}
