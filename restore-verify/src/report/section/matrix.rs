//! Controls of frameworks against figures: a table of data, evaluated without judgement.

use serde::Deserialize;

use crate::report::calendar::DAY_MS;
use crate::report::model::{Basis, Block, Cell, Figure, Section, Table, Tone, Value, figures_of};
use crate::report::work::Work;

/// The table: frameworks, controls, figures, conditions.
const CONTROLS: &str = include_str!("../controls.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Controls {
    framework: Vec<Framework>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Framework {
    name: String,
    source: String,
    #[serde(default)]
    insurer: bool,
    control: Vec<Control>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Control {
    id: String,
    asks: String,
    figures: Vec<String>,
    #[serde(default)]
    pass: Vec<Condition>,
    #[serde(default)]
    days: u64,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    figure: String,
    at_least: Option<f64>,
    at_most: Option<f64>,
}

/// What a control comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Gap,
    NotCovered,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Gap => "gap",
            Self::NotCovered => "not covered by this tool",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Pass => Tone::Good,
            Self::Gap => Tone::Bad,
            Self::NotCovered => Tone::Plain,
        }
    }
}

/// The section on all frameworks, from the figures of the other sections.
///
/// # Errors
/// In words, if the table is not what it should be; a test reads it.
pub fn compliance(work: &Work<'_>, sections: &[Section]) -> Result<Section, String> {
    let (tables, counts) = tables(work, sections, false)?;
    let [pass, gap, not_covered] = counts;
    let rule = || Basis::default().by("the conditions beside each control");
    let figures = vec![
        Figure::new("controls.pass", "Pass", Value::Count(pass), rule()).tone(Tone::Good),
        Figure::new("controls.gap", "Gap", Value::Count(gap), rule()).tone(if gap > 0 {
            Tone::Bad
        } else {
            Tone::Good
        }),
        Figure::new(
            "controls.not_covered",
            "Not covered by this tool",
            Value::Count(not_covered),
            rule(),
        ),
    ];
    let blocks =
        [Block::Figures { figures }].into_iter().chain(tables.into_iter().map(Block::Table));
    Ok(Section {
        id: "controls",
        title: "Control matrix",
        lead: "What controls ask for, in plain words, with the figures that answer them in this \
               period. Pass means that the figures meet the stated conditions, not that an \
               assessment was passed; the text of each framework decides."
            .to_owned(),
        blocks: blocks.collect(),
    })
}

/// The section for an insurer.
///
/// # Errors
/// As [`compliance`].
pub fn insurer(work: &Work<'_>, sections: &[Section]) -> Result<Section, String> {
    let (tables, _) = tables(work, sections, true)?;
    Ok(Section {
        id: "answers",
        title: "Questions and answers",
        lead: "What insurers ask about backups, answered from signed records of the period alone."
            .to_owned(),
        blocks: tables.into_iter().map(Block::Table).collect(),
    })
}

fn tables(
    work: &Work<'_>,
    sections: &[Section],
    insurer: bool,
) -> Result<(Vec<Table>, [u64; 3]), String> {
    let controls: Controls = toml::from_str(CONTROLS).map_err(|error| error.to_string())?;
    let figures: Vec<&Figure> = sections.iter().flat_map(figures_of).collect();
    let (mut tables, mut counts) = (Vec::new(), [0; 3]);
    for framework in controls.framework.iter().filter(|it| it.insurer == insurer) {
        let mut table = Table::new(
            "controls",
            format!("{} — {}", framework.name, framework.source),
            &[
                ("control", "Control", 1.6),
                ("asks", "Asks for", 3.0),
                ("figures", "Figures of the period", 3.4),
                ("verdict", "Verdict", 1.2),
                ("why", "Why", 3.2),
            ],
            "",
        );
        table.printed_max = 200;
        for control in &framework.control {
            let (verdict, why) = judge(work, control, &figures)?;
            counts[verdict as usize] += 1;
            let mut shown = Vec::new();
            let mut basis = Basis::default();
            for id in &control.figures {
                let figure = find(&figures, id, &control.id)?;
                shown.push(format!("{}: {}", figure.label, figure.value.shown()));
                basis.count += figure.evidence.count;
                let room = crate::report::model::BASIS_IDS_MAX - basis.ids.len();
                basis.ids.extend(figure.evidence.ids.iter().take(room).cloned());
            }
            let basis = basis.by(format!("the figures {}", control.figures.join(", ")));
            let cells = vec![
                control.id.as_str().into(),
                control.asks.as_str().into(),
                shown.join("; ").into(),
                Cell::toned(Value::text(verdict.name()), verdict.tone()),
                why.into(),
            ];
            table.push(cells, basis);
        }
        tables.push(table);
    }
    Ok((tables, counts))
}

fn find<'f>(figures: &[&'f Figure], id: &str, control: &str) -> Result<&'f Figure, String> {
    let found = figures.iter().copied().find(|figure| figure.id == id);
    found.ok_or_else(|| format!("{control} names the figure {id}, which no section has"))
}

fn judge(
    work: &Work<'_>,
    control: &Control,
    figures: &[&Figure],
) -> Result<(Verdict, String), String> {
    if control.pass.is_empty() {
        return Ok((Verdict::NotCovered, control.note.clone()));
    }
    let mut unmet = Vec::new();
    let days = work.period().length_ms() / DAY_MS;
    if days < control.days {
        unmet.push(format!("a period of {} days shows it, this one has {days}", control.days));
    }
    let mut conditions = Vec::new();
    for condition in &control.pass {
        let figure = find(figures, &condition.figure, &control.id)?;
        let number = figure.value.number();
        let (is_met, words) = match (condition.at_least, condition.at_most) {
            (Some(least), None) => {
                (number.is_some_and(|it| it >= least), format!("at least {}", limit(figure, least)))
            }
            (None, Some(most)) => {
                (number.is_some_and(|it| it <= most), format!("at most {}", limit(figure, most)))
            }
            _ => return Err(format!("{}: a condition has one limit", control.id)),
        };
        let wanted = format!("{} {words}", lower(&figure.label));
        if is_met {
            conditions.push(wanted);
        } else if number.is_none() {
            unmet.push(format!("{} is not recorded", lower(&figure.label)));
        } else {
            unmet.push(format!("wanted: {wanted}"));
        }
    }
    let with_note = |why: String| match control.note.as_str() {
        "" => why,
        note => format!("{why}. {note}"),
    };
    Ok(match unmet.is_empty() {
        true => (Verdict::Pass, with_note(conditions.join("; "))),
        false => (Verdict::Gap, with_note(unmet.join("; "))),
    })
}

/// A limit in the unit of its figure.
fn limit(figure: &Figure, number: f64) -> String {
    match figure.value {
        Value::Share(_) => Value::Share(number).shown(),
        Value::Span(_) => Value::Span(number as u64).shown(),
        Value::Bytes(_) => Value::Bytes(number as u64).shown(),
        _ => Value::Count(number as u64).shown(),
    }
}

fn lower(label: &str) -> String {
    // Abbreviations keep their capitals.
    let is_word = label.chars().nth(1).is_some_and(char::is_lowercase);
    match (is_word, label.chars().next()) {
        (true, Some(first)) => first.to_lowercase().chain(label.chars().skip(1)).collect(),
        _ => label.to_owned(),
    }
}
