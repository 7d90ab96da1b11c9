//! A chart as shapes on a plane: what SVG and PDF draw alike.
//!
//! The plane is [`WIDTH`] × [`HEIGHT`], y downwards. Colours are roles; each writer has its own.

use crate::report::calendar;
use crate::report::model::{Chart, Mark, Series, Tone};

/// Width of the plane.
pub const WIDTH: f32 = 720.0;
/// Height of the plane.
pub const HEIGHT: f32 = 220.0;

const LEFT: f32 = 64.0;
const RIGHT: f32 = 8.0;
const TOP: f32 = 10.0;
const BOTTOM: f32 = 24.0;

/// What a shape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// A line of the grid.
    Grid,
    /// Words of an axis.
    Label,
    /// A series.
    Series(Tone),
    /// The area of an interval.
    Band,
}

/// Where a text hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It ends there.
    End,
    /// It is in the middle.
    Middle,
}

/// A shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A filled rectangle: left, top, width, height.
    Rect(f32, f32, f32, f32, Paint),
    /// A line through points; dashed or not.
    Line(Vec<(f32, f32)>, Paint, bool),
    /// A filled area.
    Area(Vec<(f32, f32)>, Paint),
    /// A point.
    Dot(f32, f32, Paint),
    /// Words: left, baseline.
    Text(f32, f32, String, Anchor, Paint),
}

/// Draws.
#[must_use]
pub fn draw(chart: &Chart) -> Vec<Shape> {
    let scale = Scale::new(chart);
    let mut shapes = scale.grid(chart);
    band(chart, &scale, &mut shapes);
    bars(chart, &scale, &mut shapes);
    for series in chart.series.iter().filter(|series| series.mark != Mark::Bar) {
        line(series, &scale, &mut shapes);
    }
    shapes
}

struct Scale {
    count: usize,
    max: f64,
    step: f64,
}

impl Scale {
    fn new(chart: &Chart) -> Self {
        let count = chart.points.len().max(1);
        let stacked = |at: usize| -> f64 {
            let bars = chart.series.iter().filter(|series| series.mark == Mark::Bar);
            bars.filter_map(|series| series.values.get(at).copied().flatten()).sum()
        };
        let lines = chart.series.iter().filter(|series| series.mark != Mark::Bar);
        let highest = (0..count)
            .map(stacked)
            .chain(lines.flat_map(|series| series.values.iter().copied().flatten()))
            .chain(chart.band.iter().flatten().map(|(_, high)| *high))
            .fold(0.0, f64::max);
        let step = step(highest / 5.0, chart.unit);
        let max = if highest > 0.0 { (highest / step).ceil() * step } else { step * 4.0 };
        Self { count, max, step }
    }

    fn width(&self) -> f32 {
        (WIDTH - LEFT - RIGHT) / self.count as f32
    }

    fn x(&self, at: usize) -> f32 {
        LEFT + (at as f32 + 0.5) * self.width()
    }

    fn y(&self, value: f64) -> f32 {
        HEIGHT - BOTTOM - (value / self.max) as f32 * (HEIGHT - TOP - BOTTOM)
    }

    fn grid(&self, chart: &Chart) -> Vec<Shape> {
        let mut shapes = Vec::new();
        let mut value = 0.0;
        while value <= self.max * 1.0001 {
            let y = self.y(value);
            shapes.push(Shape::Line(vec![(LEFT, y), (WIDTH - RIGHT, y)], Paint::Grid, false));
            let text = shown(value, chart.unit);
            shapes.push(Shape::Text(LEFT - 8.0, y + 3.5, text, Anchor::End, Paint::Label));
            value += self.step;
        }
        // As many names as fit beside each other.
        let every = (self.count as f32 * 52.0 / (WIDTH - LEFT - RIGHT)).ceil().max(1.0) as usize;
        for (at, name) in chart.points.iter().enumerate().step_by(every) {
            let text =
                Shape::Text(self.x(at), HEIGHT - 6.0, name.clone(), Anchor::Middle, Paint::Label);
            shapes.push(text);
        }
        shapes
    }
}

/// The next round number: 1, 2 or 5 times a power of ten, of two for bytes, whole hours or days.
fn step(wanted: f64, unit: &str) -> f64 {
    let wanted = wanted.max(f64::MIN_POSITIVE);
    let ladder = |base: f64, steps: &[f64]| {
        let power = base.powf(wanted.log(base).floor());
        let of = |one: &f64| one * power;
        steps.iter().map(of).find(|one| *one >= wanted * 0.999).unwrap_or(base * power)
    };
    match unit {
        "bytes" => {
            ladder(1024.0, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]).max(1.0)
        }
        "milliseconds" => {
            let hour = 3_600_000.0;
            let hours = [1.0, 2.0, 4.0, 6.0, 12.0, 24.0, 48.0, 96.0, 168.0, 336.0, 720.0, 1440.0];
            let found = hours.iter().map(|one| one * hour).find(|one| *one >= wanted);
            found.unwrap_or_else(|| ladder(10.0, &[1.0, 2.0, 5.0]))
        }
        "count" => ladder(10.0, &[1.0, 2.0, 5.0]).max(1.0),
        _ => ladder(10.0, &[1.0, 2.0, 5.0]),
    }
}

fn shown(value: f64, unit: &str) -> String {
    match unit {
        "bytes" if value == 0.0 => "0".to_owned(),
        "bytes" => calendar::bytes(value as u64).replace(".00", "").replace(".0 ", " "),
        "milliseconds" if value == 0.0 => "0".to_owned(),
        "milliseconds" => calendar::span(value as u64),
        "share" => calendar::percent(value),
        _ => calendar::count(value as u64),
    }
}

fn band(chart: &Chart, scale: &Scale, shapes: &mut Vec<Shape>) {
    let known: Vec<(usize, (f64, f64))> =
        chart.band.iter().enumerate().filter_map(|(at, ends)| Some((at, (*ends)?))).collect();
    if known.len() < 2 {
        return;
    }
    let upper = known.iter().map(|(at, ends)| (scale.x(*at), scale.y(ends.1)));
    let lower = known.iter().rev().map(|(at, ends)| (scale.x(*at), scale.y(ends.0)));
    shapes.push(Shape::Area(upper.chain(lower).collect(), Paint::Band));
}

fn bars(chart: &Chart, scale: &Scale, shapes: &mut Vec<Shape>) {
    let width = (scale.width() * 0.68).min(36.0);
    for at in 0..scale.count {
        let mut below = 0.0;
        for series in chart.series.iter().filter(|series| series.mark == Mark::Bar) {
            let value = series.values.get(at).copied().flatten().unwrap_or_default();
            if value <= 0.0 {
                continue;
            }
            let (bottom, top) = (scale.y(below), scale.y(below + value));
            // What is there is seen, however little it is.
            let height = (bottom - top).max(1.5);
            let left = scale.x(at) - width / 2.0;
            shapes.push(Shape::Rect(
                left,
                bottom - height,
                width,
                height,
                Paint::Series(series.tone),
            ));
            below += value;
        }
    }
}

fn line(series: &Series, scale: &Scale, shapes: &mut Vec<Shape>) {
    let paint = Paint::Series(series.tone);
    let mut run: Vec<(f32, f32)> = Vec::new();
    for at in 0..=series.values.len() {
        match series.values.get(at).copied().flatten() {
            Some(value) => run.push((scale.x(at), scale.y(value))),
            None => {
                if run.len() > 1 {
                    shapes.push(Shape::Line(run.clone(), paint, series.mark == Mark::Dashed));
                }
                if series.mark == Mark::Line {
                    shapes.extend(run.iter().map(|(x, y)| Shape::Dot(*x, *y, paint)));
                }
                run.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Basis;

    #[test]
    fn everything_is_drawn_on_the_plane() {
        let chart = Chart {
            id: "x",
            title: String::new(),
            description: String::new(),
            unit: "count",
            points: (0..40).map(|n| format!("2026-{n}")).collect(),
            series: vec![
                Series {
                    name: "a".to_owned(),
                    mark: Mark::Bar,
                    tone: Tone::Good,
                    values: (0..40).map(|n| Some(f64::from(n))).collect(),
                },
                Series {
                    name: "b".to_owned(),
                    mark: Mark::Line,
                    tone: Tone::Bad,
                    values: (0..40).map(|n| (n != 7).then_some(55.0)).collect(),
                },
            ],
            band: vec![None, Some((1.0, 80.0)), Some((0.0, 90.0))],
            evidence: Basis::default(),
        };
        let inside = |x: f32, y: f32| (0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y);
        let shapes = draw(&chart);
        for shape in &shapes {
            let is_inside = match shape {
                Shape::Rect(x, y, width, height, _) => {
                    inside(*x, *y) && inside(x + width, y + height)
                }
                Shape::Line(points, ..) | Shape::Area(points, _) => {
                    points.iter().all(|(x, y)| inside(*x, *y))
                }
                Shape::Dot(x, y, _) | Shape::Text(x, y, ..) => inside(*x, *y),
            };
            assert!(is_inside, "{shape:?}");
        }
        let lines = shapes.iter().filter(|it| matches!(it, Shape::Line(_, Paint::Series(_), _)));
        assert_eq!(lines.count(), 2, "a gap stays a gap");
    }

    #[test]
    fn steps_are_round_in_their_unit() {
        assert_eq!(step(3.0, "count"), 5.0);
        assert_eq!(step(0.1, "count"), 1.0);
        assert_eq!(step(3.0 * 1024.0, "bytes"), 4096.0);
        assert_eq!(step(5.0 * 3_600_000.0, "milliseconds"), 6.0 * 3_600_000.0);
        assert_eq!(
            (shown(4096.0, "bytes"), shown(86_400_000.0, "milliseconds")),
            ("4 KiB".to_owned(), "1 d".to_owned())
        );
    }
}
