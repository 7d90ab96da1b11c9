//! A chart as SVG within HTML.

use std::fmt::Write;

use maud::{Markup, html};

use crate::report::drawing::{Anchor, HEIGHT, Paint, Shape, WIDTH, draw};
use crate::report::model::Chart;

/// Writes it; its description is read to those who do not see it.
pub(super) fn write(chart: &Chart) -> Markup {
    let label = format!("{}. {}", chart.title, chart.description);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            @for one in draw(chart) { (shape(&one)) }
        }
    }
}

fn shape(shape: &Shape) -> Markup {
    let round = |value: f32| (value * 10.0).round() / 10.0;
    match shape {
        Shape::Rect(x, y, width, height, paint) => html! {
            rect class=(class(*paint)) x=(round(*x)) y=(round(*y)) width=(round(*width))
                height=(round(*height)) rx="1.5" {}
        },
        Shape::Line(points, paint, dashed) => html! {
            polyline class={ (class(*paint)) @if *dashed { " dashed" } } points=(list(points)) {}
        },
        Shape::Area(points, paint) => html! {
            polygon class=(class(*paint)) points=(list(points)) {}
        },
        Shape::Dot(x, y, paint) => html! {
            circle class=(class(*paint)) cx=(round(*x)) cy=(round(*y)) r="2.5" {}
        },
        Shape::Text(x, y, text, anchor, paint) => html! {
            text class=(class(*paint)) x=(round(*x)) y=(round(*y))
                text-anchor=(match anchor { Anchor::End => "end", Anchor::Middle => "middle" }) { (text) }
        },
    }
}

fn class(paint: Paint) -> String {
    match paint {
        Paint::Grid => "grid".to_owned(),
        Paint::Label => "label".to_owned(),
        Paint::Band => "band".to_owned(),
        Paint::Series(tone) => format!("series {}", tone.name()),
    }
}

fn list(points: &[(f32, f32)]) -> String {
    let mut text = String::new();
    for (x, y) in points {
        // Writing to a string cannot fail.
        let _ = write!(text, "{x:.1},{y:.1} ");
    }
    text
}
