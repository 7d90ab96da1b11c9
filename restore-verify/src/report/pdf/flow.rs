//! The first page, then sections from top to bottom, then records.

use std::collections::BTreeMap;

use crate::report::calendar;
use crate::report::model::{Basis, Block, Cell, PRINTED_IDS, Report, Section, Table, Tone, Value};
use crate::report::pdf::face::{Faces, Weight};
use crate::report::pdf::sheet::{
    ACCENT, INK, Op, PANEL, RULE, SIDE, SOFT, Sheets, Style, TOP, WIDTH, tone_ink, tone_wash,
};
use crate::report::pdf::{grid, panel};

const BODY: Style = Style::new(Weight::Regular, 8.8, INK);
const LEAD: Style = Style::new(Weight::Regular, 8.8, SOFT);

/// Lays out a report.
pub(super) fn lay_out<'f>(report: &Report, faces: &'f Faces) -> Sheets<'f> {
    let mut sheets = Sheets::new(faces);
    let numbered = report.evidence.iter().enumerate();
    let numbers: BTreeMap<&str, usize> =
        numbered.map(|(at, one)| (one.id.as_str(), at + 1)).collect();
    cover(&mut sheets, report);
    for (at, one) in report.sections.iter().enumerate() {
        // The first page is the cover alone.
        if at == 0 {
            sheets.new_page();
        }
        section(&mut sheets, one, &numbers);
    }
    records(&mut sheets, report);
    sheets
}

fn cover(sheets: &mut Sheets<'_>, report: &Report) {
    let kicker = Style::new(Weight::SemiBold, 10.0, ACCENT);
    let period = Style::new(Weight::Regular, 11.0, SOFT);
    sheets.push(Op::Rect(SIDE, TOP + 60.0, 44.0, 3.0, ACCENT));
    sheets.y = TOP + 92.0;
    sheets.text(SIDE, sheets.y, report.title.to_uppercase(), kicker);
    sheets.y += 8.0;
    let size = if report.client.chars().count() > 28 { 24.0 } else { 32.0 };
    sheets.paragraph(&report.client, Style::new(Weight::SemiBold, size, INK));
    sheets.y += 4.0;
    let words = format!(
        "{} to {} UTC",
        calendar::minute(report.period.from_ms),
        calendar::minute(report.period.to_ms)
    );
    sheets.paragraph(&words, period);
    sheets.y += 28.0;
    headline(sheets, report);
    sheets.y += 22.0;
    let seal = if report.signature.chains_good { Tone::Good } else { Tone::Bad };
    let mark = if report.signature.chains_good { "✓" } else { "✗" };
    sheets.text(SIDE, sheets.y + 9.6, mark, Style::new(Weight::SemiBold, 10.0, tone_ink(seal)));
    for line in sheets.faces.lines(BODY.weight, BODY.size, &report.signature.text, WIDTH - 18.0) {
        sheets.y += BODY.leading();
        sheets.text(SIDE + 16.0, sheets.y - 2.6, line, BODY);
    }
    for flaw in report.signature.flaws.iter().take(8) {
        sheets.paragraph(&format!("wrong: {flaw}"), Style { ink: tone_ink(Tone::Bad), ..BODY });
    }
    sheets.y = sheets.y.max(500.0) + 30.0;
    facts(sheets, report);
}

fn headline(sheets: &mut Sheets<'_>, report: &Report) {
    let style = Style::new(Weight::SemiBold, 15.5, INK);
    let lines = sheets.faces.lines(style.weight, style.size, &report.headline, WIDTH - 36.0);
    let height = lines.len() as f32 * style.leading() + 26.0;
    sheets.push(Op::Rect(SIDE, sheets.y, WIDTH, height, tone_wash(report.tone)));
    sheets.push(Op::Rect(SIDE, sheets.y, 4.0, height, tone_ink(report.tone)));
    let mut y = sheets.y + 13.0;
    for line in lines {
        y += style.leading();
        sheets.text(SIDE + 20.0, y - style.leading() * 0.28, line, style);
    }
    sheets.y += height;
}

fn facts(sheets: &mut Sheets<'_>, report: &Report) {
    let label = Style::new(Weight::Regular, 7.6, SOFT);
    let rows = [
        ("Repository", report.repository.clone()),
        ("Key fingerprint", report.fingerprint.clone()),
        ("Systems", calendar::count(report.systems.len() as u64)),
        ("Made", format!("{} on {}", report.made, report.host)),
        ("Program", report.program.clone()),
        ("Scope", report.scope_hash.clone()),
    ];
    sheets.push(Op::Rect(SIDE, sheets.y, WIDTH, 0.6, RULE));
    sheets.y += 8.0;
    for (name, value) in rows {
        sheets.y += 15.0;
        sheets.text(SIDE, sheets.y, name, label);
        for (number, line) in
            sheets.faces.lines(BODY.weight, BODY.size, &value, WIDTH - 110.0).iter().enumerate()
        {
            if number > 0 {
                sheets.y += BODY.leading();
            }
            sheets.text(SIDE + 110.0, sheets.y, line.as_str(), BODY);
        }
    }
}

/// Numbers of the records that something is from.
fn references(basis: &Basis, numbers: &BTreeMap<&str, usize>) -> String {
    let known = basis.ids.iter().take(PRINTED_IDS).filter_map(|id| numbers.get(id.as_str()));
    let found: Vec<String> = known.map(|number| format!("E{number}")).collect();
    let more = basis.count.saturating_sub(found.len() as u64);
    match (found.is_empty(), more > 0 && basis.count > PRINTED_IDS as u64) {
        (true, _) => String::new(),
        (false, true) => format!("{} +{}", found.join(" "), calendar::count(more)),
        (false, false) => found.join(" "),
    }
}

fn section(sheets: &mut Sheets<'_>, section: &Section, numbers: &BTreeMap<&str, usize>) {
    let heading = Style::new(Weight::SemiBold, 16.0, INK);
    // A heading does not stand alone at the end of a page.
    sheets.need(190.0);
    if sheets.y > TOP {
        sheets.y += 26.0;
    }
    sheets.mark(section.title);
    sheets.y += 14.0;
    sheets.text(SIDE, sheets.y, section.title, heading);
    sheets.y += 7.0;
    sheets.paragraph(&section.lead, LEAD);
    sheets.y += 4.0;
    for block in &section.blocks {
        match block {
            Block::Figures { figures } => {
                panel::figures(sheets, figures, &|it| references(&it.evidence, numbers));
            }
            Block::Table(table) => {
                let of = |row: usize| references(&table.printed()[row].evidence, numbers);
                grid::table(sheets, table, &of);
            }
            Block::Chart(chart) => panel::chart(sheets, chart),
            Block::Text { text } => {
                sheets.y += 7.0;
                sheets.paragraph(text, BODY);
            }
            Block::Commands { lines } => commands(sheets, lines),
        }
    }
}

fn commands(sheets: &mut Sheets<'_>, lines: &[String]) {
    let style = Style::new(Weight::Regular, 7.6, INK);
    let broken: Vec<String> = lines
        .iter()
        .flat_map(|line| sheets.faces.lines(style.weight, style.size, line, WIDTH - 20.0))
        .collect();
    let height = broken.len() as f32 * style.leading() + 14.0;
    sheets.need(height + 8.0);
    sheets.y += 8.0;
    sheets.push(Op::Rect(SIDE, sheets.y, WIDTH, height, PANEL));
    sheets.y += 7.0;
    for line in broken {
        sheets.y += style.leading();
        let ink = if line.starts_with('#') { SOFT } else { INK };
        sheets.text(SIDE + 10.0, sheets.y - 2.6, line, Style { ink, ..style });
    }
    sheets.y += 7.0;
}

fn records(sheets: &mut Sheets<'_>, report: &Report) {
    let mut heads = Table::new(
        "heads",
        "Ends of the chains",
        &[("id", "Record", 1.0), ("hash", "BLAKE3 of the signed bytes", 2.6)],
        "There is no chain.",
    );
    for (id, hash) in &report.signature.heads {
        heads.push(vec![id.as_str().into(), hash.as_str().into()], Basis::default());
    }
    let mut named = Table::new(
        "records",
        "Records named in this report",
        &[
            ("number", "No.", 0.5),
            ("time", "Time", 1.2),
            ("event", "Event", 0.9),
            ("id", "Record", 1.4),
            ("hash", "BLAKE3 of the signed bytes", 2.6),
        ],
        "None.",
    );
    (heads.printed_max, named.printed_max) = (usize::MAX, usize::MAX);
    for (number, one) in report.evidence.iter().enumerate() {
        let cells: Vec<Cell> = vec![
            Value::text(format!("E{}", number + 1)).into(),
            one.time.get(..16).unwrap_or_default().replace('T', " ").into(),
            one.event.as_str().into(),
            one.id.as_str().into(),
            one.hash.as_str().into(),
        ];
        named.push(cells, Basis::default());
    }
    let lead = "The signed records that figures and rows name by number. A record with this hash \
                stands under this id in every bundle and in the repository.";
    let blocks = vec![Block::Table(heads), Block::Table(named)];
    let appendix = Section { id: "records", title: "Records", lead: lead.to_owned(), blocks };
    section(sheets, &appendix, &BTreeMap::new());
}
