//! Controls of frameworks against figures: a table of data, evaluated without judgement.

use serde::Deserialize;

use crate::report::measure::{self, Measure, Unit};
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
    #[serde(default)]
    text: String,
    #[serde(default)]
    source: String,
    figures: Vec<String>,
    #[serde(default)]
    pass: Vec<Condition>,
    #[serde(default)]
    days: u64,
    #[serde(default)]
    note: String,
}

/// One thing that must be shown.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// A figure of the report.
    pub figure: Option<String>,
    /// Or a measure that each system must meet.
    pub each: Option<String>,
    /// Its least value.
    pub at_least: Option<f64>,
    /// Or its largest.
    pub at_most: Option<f64>,
}

/// A control with what it asks for, for whoever wants to know what passes.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Its number in its framework.
    pub id: String,
    /// Words of the framework.
    pub text: String,
    /// Where the thresholds are from.
    pub source: String,
    /// What must be shown.
    pub pass: Vec<Condition>,
    /// The shortest time of evidence that can show it, in days.
    pub days: u64,
}

/// All controls that this tool can answer.
///
/// # Errors
/// In words, if the table is not what it should be; a test reads it.
pub fn asked() -> Result<Vec<Asked>, String> {
    let controls: Controls = toml::from_str(CONTROLS).map_err(|error| error.to_string())?;
    let all = controls.framework.into_iter().flat_map(|framework| framework.control);
    let answerable = all.filter(|control| !control.pass.is_empty());
    Ok(answerable
        .map(|it| Asked {
            id: it.id,
            text: it.text,
            source: it.source,
            pass: it.pass,
            days: it.days,
        })
        .collect())
}

/// Systems that are named beside a condition that they do not meet.
const NAMED_MAX: usize = 3;

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

/// Judges a control by its conditions. Whatever is not known is not met.
fn judge(
    work: &Work<'_>,
    control: &Control,
    figures: &[&Figure],
) -> Result<(Verdict, String), String> {
    if control.pass.is_empty() {
        return Ok((Verdict::NotCovered, control.note.clone()));
    }
    let mut unmet = grounds(work, control);
    let mut conditions = Vec::new();
    for condition in &control.pass {
        let (wanted, why) = match (&condition.figure, &condition.each) {
            (Some(id), None) => of_figure(find(figures, id, &control.id)?, condition),
            (None, Some(id)) => {
                let measure = measure::named(id)
                    .ok_or_else(|| format!("{}: there is no measure {id}", control.id))?;
                of_each(work, measure, condition)
            }
            _ => return Err(format!("{}: a condition is of one thing", control.id)),
        };
        if condition.at_least.is_some() == condition.at_most.is_some() {
            return Err(format!("{}: a condition has one limit", control.id));
        }
        match why {
            None => conditions.push(wanted),
            Some(why) => unmet.push(why),
        }
    }
    let words = match unmet.is_empty() {
        true => conditions.join("; "),
        false => unmet.join("; "),
    };
    let mut why = vec![words];
    why.extend([&control.source, &control.note].into_iter().filter(|it| !it.is_empty()).cloned());
    let why = why.iter().map(|part| part.trim_end_matches('.')).collect::<Vec<_>>().join(". ");
    Ok((if unmet.is_empty() { Verdict::Pass } else { Verdict::Gap }, why))
}

/// What keeps everything from passing, whatever the figures are: evidence that is not whole, systems
/// that nobody has stated, a time that is too short.
fn grounds(work: &Work<'_>, control: &Control) -> Vec<String> {
    let mut unmet = Vec::new();
    if !work.facts.flaws.is_empty() {
        unmet.push("the evidence is not whole".to_owned());
    }
    let is_of_systems = control.pass.iter().any(|condition| condition.each.is_some());
    if is_of_systems && work.systems.is_empty() {
        unmet.push("there is no system".to_owned());
    } else if is_of_systems && work.scope.plan.systems.is_empty() {
        unmet.push("nobody stated which systems there should be (--systems)".to_owned());
    }
    if is_of_systems && !work.scope.hosts.is_empty() {
        unmet.push("the report is of chosen systems only".to_owned());
    }
    let days = measure::shown_days(work);
    if days < control.days {
        unmet.push(format!(
            "{} of evidence show it, and there are {days}",
            counted(control.days, "day")
        ));
    }
    unmet
}

fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn is_met(condition: &Condition, number: Option<f64>) -> bool {
    let Some(number) = number else { return false };
    condition.at_least.is_none_or(|least| number >= least)
        && condition.at_most.is_none_or(|most| number <= most)
}

/// A limit in words, with the number as `show` writes it.
fn wanted(condition: &Condition, show: &dyn Fn(f64) -> String) -> String {
    match (condition.at_least, condition.at_most) {
        (Some(least), _) => format!("at least {}", show(least)),
        (None, Some(most)) => format!("at most {}", show(most)),
        (None, None) => String::new(),
    }
}

/// What is wanted of a figure, and why it is not met.
fn of_figure(figure: &Figure, condition: &Condition) -> (String, Option<String>) {
    let words = wanted(condition, &|number| limit(figure, number));
    let wanted = format!("{} {words}", lower(&figure.label));
    let number = figure.value.number();
    let why = match number {
        _ if is_met(condition, number) => None,
        None => Some(format!("{} is not recorded", lower(&figure.label))),
        Some(_) => Some(format!("wanted: {wanted}")),
    };
    (wanted, why)
}

/// What is wanted of each system, and which systems do not show it.
fn of_each(work: &Work<'_>, measure: &Measure, condition: &Condition) -> (String, Option<String>) {
    let show = |number: f64| match measure.unit {
        Unit::Count => Value::Count(number as u64).shown(),
        Unit::Share => Value::Share(number).shown(),
        Unit::Span => Value::Span(number as u64).shown(),
        Unit::Days => counted(number.ceil() as u64, "day"),
        Unit::Fact => String::new(),
    };
    let wanted = match measure.unit {
        Unit::Fact => measure.label.to_owned(),
        _ => format!("{} {}", measure.label, wanted(condition, &show)),
    };
    let mut lacking = Vec::new();
    for system in &work.systems {
        let number = measure::of(work, system, measure.id);
        if !is_met(condition, number) {
            lacking.push(match (number, measure.unit) {
                (_, Unit::Fact) => system.name.clone(),
                (None, _) => format!("{} (not recorded)", system.name),
                (Some(number), _) => format!("{} ({})", system.name, show(number)),
            });
        }
    }
    if lacking.is_empty() {
        return (format!("each system: {wanted}"), None);
    }
    let (count, total) = (lacking.len(), work.systems.len());
    let more = count.saturating_sub(NAMED_MAX);
    lacking.truncate(NAMED_MAX);
    let and = if more > 0 { format!(" and {more} more") } else { String::new() };
    let which = format!("{}{and}", lacking.join(", "));
    let why = format!("{count} of {total} systems do not show: {wanted}: {which}");
    (wanted, Some(why))
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
