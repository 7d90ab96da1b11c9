//! Pages of shapes as the bytes of a PDF.

use krilla::color::rgb;
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use krilla::{Data, Document};

use crate::report::calendar;
use crate::report::model::Report;
use crate::report::pdf::PdfError;
use crate::report::pdf::face::{Faces, Weight};
use crate::report::pdf::sheet::{FAINT, Ink, Op, PAGE, RULE, SIDE, Sheets, Style, WIDTH};

struct Fonts {
    regular: Font,
    semi_bold: Font,
}

/// Writes them.
pub(super) fn write(
    report: &Report,
    faces: &Faces,
    sheets: &Sheets<'_>,
) -> Result<Vec<u8>, PdfError> {
    let font = |weight| Font::new(Data::from(faces.bytes(weight)), 0).ok_or(PdfError::Fonts);
    let fonts = Fonts { regular: font(Weight::Regular)?, semi_bold: font(Weight::SemiBold)? };
    let mut document = Document::new();
    let count = sheets.pages.len();
    for (number, shapes) in sheets.pages.iter().enumerate() {
        let size = PageSettings::from_wh(PAGE.0, PAGE.1);
        let size = size.ok_or_else(|| PdfError::Writer { why: "no such page".to_owned() })?;
        let mut page = document.start_page_with(size);
        let mut surface = page.surface();
        for op in margins(report, sheets, number, count).iter().chain(shapes) {
            draw(&mut surface, op, faces, &fonts);
        }
        surface.finish();
        page.finish();
    }
    let mut outline = Outline::new();
    for mark in &sheets.marks {
        let at = krilla::destination::XyzDestination::new(mark.page, Point::from_xy(0.0, mark.y));
        outline.push_child(OutlineNode::new(mark.title.clone(), at));
    }
    document.set_outline(outline);
    document.set_metadata(metadata(report));
    document.finish().map_err(|error| PdfError::Writer { why: format!("{error:?}") })
}

fn metadata(report: &Report) -> Metadata {
    let title = format!("{}, {}", report.title, report.client);
    let metadata = Metadata::new()
        .title(title)
        .description(report.headline.clone())
        .language("en".to_owned())
        .creator(report.program.clone())
        .producer(report.program.clone())
        .document_id(report.scope_hash.clone());
    match date(&report.made) {
        Some(date) => metadata.creation_date(date),
        None => metadata,
    }
}

/// `2026-11-20T18:00:00Z`.
fn date(text: &str) -> Option<DateTime> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u8>().ok();
    let date = DateTime::new(text.get(..4)?.parse().ok()?)
        .month(part(5, 7)?)
        .day(part(8, 10)?)
        .hour(part(11, 13)?)
        .minute(part(14, 16)?)
        .second(part(17, 19)?)
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    Some(date)
}

/// Head and foot of a page; the cover has a foot only.
fn margins(report: &Report, sheets: &Sheets<'_>, number: usize, count: usize) -> Vec<Op> {
    let style = Style::new(Weight::Regular, 7.2, FAINT);
    let right = |y: f32, text: String| {
        let width = sheets.faces.width(style.weight, style.size, &text);
        Op::Text(SIDE + WIDTH - width, y, text, style)
    };
    let period = format!(
        "{} to {}",
        calendar::day(report.period.from_ms),
        calendar::day(report.period.to_ms - 1)
    );
    let foot = PAGE.1 - 28.0;
    let mut ops = vec![
        Op::Text(SIDE, foot, format!("Repository {}", report.repository), style),
        right(foot, format!("{} / {count}", number + 1)),
    ];
    if number > 0 {
        let names = format!("{} · {}", report.client, report.title);
        let room = WIDTH - 130.0;
        let name = sheets.faces.lines(style.weight, style.size, &names, room).swap_remove(0);
        ops.push(Op::Text(SIDE, 36.0, name, style));
        ops.push(right(36.0, period));
        ops.push(Op::Rect(SIDE, 43.0, WIDTH, 0.5, RULE));
    }
    ops
}

fn fill(ink: Ink) -> Fill {
    Fill { paint: rgb::Color::new(ink[0], ink[1], ink[2]).into(), ..Fill::default() }
}

fn draw(surface: &mut Surface<'_>, op: &Op, faces: &Faces, fonts: &Fonts) {
    match op {
        Op::Text(x, y, text, style) => words(surface, (*x, *y), text, *style, (faces, fonts)),
        Op::Rect(x, y, width, height, ink) => {
            let Some(rect) = Rect::from_xywh(*x, *y, *width, *height) else { return };
            let mut path = PathBuilder::new();
            path.push_rect(rect);
            area(surface, path.finish(), *ink);
        }
        Op::Area(points, ink) => area(surface, line(points, true), *ink),
        Op::Line(points, width, dashed, ink) => {
            let Some(path) = line(points, false) else { return };
            let dash = dashed.then(|| StrokeDash { array: vec![4.0, 3.0], offset: 0.0 });
            let paint = rgb::Color::new(ink[0], ink[1], ink[2]).into();
            surface.set_fill(None);
            surface.set_stroke(Some(Stroke { paint, width: *width, dash, ..Stroke::default() }));
            surface.draw_path(&path);
            surface.set_stroke(None);
        }
    }
}

fn area(surface: &mut Surface<'_>, path: Option<Path>, ink: Ink) {
    if let Some(path) = path {
        surface.set_fill(Some(fill(ink)));
        surface.draw_path(&path);
    }
}

fn line(points: &[(f32, f32)], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    let (first, rest) = points.split_first()?;
    path.move_to(first.0, first.1);
    rest.iter().for_each(|(x, y)| path.line_to(*x, *y));
    if closed {
        path.close();
    }
    path.finish()
}

fn words(
    surface: &mut Surface<'_>,
    (x, y): (f32, f32),
    text: &str,
    style: Style,
    (faces, fonts): (&Faces, &Fonts),
) {
    if text.is_empty() {
        return;
    }
    let glyph = |(at, letter): (usize, char)| {
        let glyph = faces.glyph(style.weight, letter);
        KrillaGlyph {
            glyph_id: GlyphId::new(glyph.id),
            text_range: at..at + letter.len_utf8(),
            x_advance: glyph.advance,
            x_offset: 0.0,
            y_offset: 0.0,
            y_advance: 0.0,
            location: None,
        }
    };
    let glyphs: Vec<KrillaGlyph> = text.char_indices().map(glyph).collect();
    let font = match style.weight {
        Weight::Regular => &fonts.regular,
        Weight::SemiBold => &fonts.semi_bold,
    };
    surface.set_fill(Some(fill(style.ink)));
    surface.draw_glyphs(Point::from_xy(x, y), &glyphs, font.clone(), text, style.size, false);
}
