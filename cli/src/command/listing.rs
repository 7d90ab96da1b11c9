//! How snapshots are listed for people: in groups of what belongs together, the newest last, because
//! that is next to where one types. A row fits a terminal of 80 columns; remarks that do not fit
//! behind it stand below.

use std::collections::BTreeMap;

use engine::base::path::escape;
use engine::format::snapshot::{RootState, Snapshot, SnapshotState};
use engine::index::belief::Claims;
use engine::index::catalog::Committed;
use engine::index::marks::Marks;
use engine::retain::candidate::{GroupBy, GroupKey};
use unicode_width::UnicodeWidthStr;

use crate::command::context::Context;
use crate::command::made::Made;
use crate::command::rules::group_words;
use crate::command::select::short_id;
use crate::ui::Paint;
use crate::ui::output::printable;
use crate::ui::table::{Align, Table, cut};
use crate::units;

/// Spaces before what stands below a row: its id and the gap behind that.
const INDENT: usize = 10;

/// A list of snapshots.
pub struct Listing<'a> {
    /// When they were made.
    pub made: &'a Made,
    /// What people decided about them.
    pub marks: &'a Marks,
    /// Whose they are.
    pub claims: &'a Claims,
    /// Ui and clock.
    pub context: &'a Context<'a>,
}

/// A word about a snapshot that is not as most are.
struct Remark {
    paint: Option<Paint>,
    text: String,
}

impl Listing<'_> {
    /// With what each run found and stored, in groups; `chosen` is oldest first.
    pub fn show(&self, chosen: &[&Committed], group_by: GroupBy) {
        let groups = groups(chosen, group_by);
        let mut table = Table::new(&[
            ("ID", Align::Left),
            ("Made", Align::Left),
            ("Age", Align::Right),
            ("Size", Align::Right),
            ("New", Align::Right),
            ("Changed", Align::Right),
            ("Gone", Align::Right),
            ("Added", Align::Right),
        ]);
        for one in groups.iter().flat_map(|(_, members)| members) {
            table.row(self.cells(one));
        }
        let ui = self.context.ui;
        let mut lines = table.lines().into_iter();
        let heading = lines.next().unwrap_or_default();
        ui.result(&ui.paint(Paint::Bold, &heading));
        for (key, members) in &groups {
            let words = printable(&group_words(key, group_by, self.claims));
            if !words.is_empty() {
                ui.result(&ui.paint(Paint::Bold, &cut(&words, ui.width())));
            }
            for (one, line) in members.iter().zip(&mut lines) {
                self.row(&line, &self.remarks(one));
            }
        }
    }

    /// With one line for each.
    pub fn show_compact(&self, chosen: &[&Committed]) {
        let ui = self.context.ui;
        let columns = ["ID", "Made", "Age", "Host", "State", "Tags"];
        let align = |name| if name == "Age" { Align::Right } else { Align::Left };
        let mut table = Table::new(&columns.map(|name| (name, align(name))));
        for one in chosen {
            let snapshot = &one.snapshot;
            let state = match self.marks.is_forgotten(snapshot.session) {
                true => "forgotten",
                false => match (one.doubt, self.made.wrong_clock(one)) {
                    (Some(doubt), _) => doubt.words(),
                    (None, wrong) => wrong.map_or(short_state(snapshot), |it| it.words()),
                },
            };
            let [id, made, age, ..] = self.cells(one);
            let host = match self.claims.is_shared(&snapshot.host) {
                true => format!("{} ({})", snapshot.host, self.claims.clients().title(one.line)),
                false => snapshot.host.clone(),
            };
            table.row([id, made, age, host, state.to_owned(), tags(snapshot)]);
        }
        for (at, line) in table.lines_within(ui.width()).iter().enumerate() {
            let line = cut(line, ui.width());
            let paint = match at.checked_sub(1).and_then(|row| chosen.get(row)) {
                None => Some(Paint::Bold),
                Some(one) => self.remarks(one).into_iter().find_map(|remark| remark.paint),
            };
            ui.result(&paint.map_or(line.clone(), |paint| ui.paint(paint, &line)));
        }
    }

    fn cells(&self, one: &Committed) -> [String; 8] {
        let snapshot = &one.snapshot;
        let summary = &snapshot.summary;
        let count = units::short_count;
        [
            short_id(snapshot.session),
            units::local_minute(self.made.at(snapshot), &self.context.around.time_zone),
            self.made.age(snapshot).map_or_else(|| "?".to_owned(), units::age),
            units::size(summary.total_bytes),
            count(summary.files_new),
            count(summary.files_changed),
            count(summary.paths_gone),
            units::size(summary.bytes_stored),
        ]
    }

    /// A row with its remarks, behind it if there is room.
    fn row(&self, line: &str, remarks: &[Remark]) {
        let ui = self.context.ui;
        let plain: Vec<_> = remarks.iter().map(|remark| remark.text.as_str()).collect();
        let painted: Vec<_> = remarks
            .iter()
            .map(|remark| match remark.paint {
                Some(paint) => ui.paint(paint, &remark.text),
                None => remark.text.clone(),
            })
            .collect();
        let (plain, painted) = (plain.join("; "), painted.join("; "));
        match (remarks.is_empty(), ui.width()) {
            (true, _) => ui.result(line),
            (false, Some(width)) if line.width() + 2 + plain.width() > width => {
                ui.result(line);
                let room = width.saturating_sub(INDENT);
                // What is cut loses its colours, which end behind what they colour.
                let below = match plain.width() > room {
                    true => cut(&plain, Some(room)),
                    false => painted,
                };
                ui.result(&format!("{:INDENT$}{below}", ""));
            }
            (false, _) => ui.result(&format!("{line}  {painted}")),
        }
    }

    fn remarks(&self, one: &Committed) -> Vec<Remark> {
        let snapshot = &one.snapshot;
        let mut remarks = Vec::new();
        let mut say = |paint, text: String| remarks.push(Remark { paint, text });
        if self.marks.is_forgotten(snapshot.session) {
            say(Some(Paint::Dim), "forgotten".to_owned());
        } else if self.marks.is_held(snapshot.session) {
            say(None, "held".to_owned());
        }
        if let Some(doubt) = one.doubt {
            say(Some(Paint::Bad), doubt.words().to_owned());
        }
        match snapshot.state {
            SnapshotState::Complete => {}
            SnapshotState::Partial => {
                let items = units::counted(snapshot.problem_count, "item");
                say(Some(Paint::Warn), format!("partial: {items} not saved"));
            }
            _ => say(None, short_state(snapshot).to_owned()),
        }
        let gone = snapshot.roots.iter().filter(|root| root.state == RootState::Missing);
        let gone: Vec<_> = gone.map(|root| escape(&root.asked.0)).collect();
        if !gone.is_empty() {
            say(Some(Paint::Bad), format!("missing: {}", gone.join(" ")));
        }
        if let Some(wrong) = self.made.wrong_clock(one) {
            let claimed = units::local_minute(snapshot.started, &self.context.around.time_zone);
            let words = match self.made.at(snapshot) == snapshot.started {
                true => wrong.words().to_owned(),
                false => format!("{}, {claimed}", wrong.words()),
            };
            say(Some(Paint::Warn), words);
        }
        if let Some(claim) = &snapshot.facts.claim {
            say(None, format!("from {}", printable(&claim.by)));
        }
        if !snapshot.tags.is_empty() {
            say(None, format!("tags {}", printable(&tags(snapshot))));
        }
        remarks
    }
}

fn tags(snapshot: &Snapshot) -> String {
    snapshot.tags.join(",")
}

fn short_state(snapshot: &Snapshot) -> &'static str {
    match snapshot.state {
        SnapshotState::Complete => "complete",
        SnapshotState::Partial => "partial",
        _ => "with notes",
    }
}

/// Those that belong together, the group with the newest last, each oldest first.
fn groups<'c>(chosen: &[&'c Committed], by: GroupBy) -> Vec<(GroupKey, Vec<&'c Committed>)> {
    let mut groups: Vec<(GroupKey, Vec<&Committed>)> = Vec::new();
    let mut places: BTreeMap<GroupKey, usize> = BTreeMap::new();
    for one in chosen.iter().rev() {
        let key = key(one, by);
        let place = *places.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, members)) => members.push(one),
            None => groups.push((key, vec![one])),
        }
    }
    groups.iter_mut().for_each(|(_, members)| members.reverse());
    groups.reverse();
    groups
}

fn key(one: &Committed, by: GroupBy) -> GroupKey {
    let snapshot = &one.snapshot;
    GroupKey {
        host: by.host.then(|| snapshot.host.clone()),
        paths: by.paths.then(|| snapshot.paths.clone()),
        tags: by.tags.then(|| snapshot.tags.clone()),
        // Somebody who wants one list gets one.
        client: (by != GroupBy::default()).then_some(one.line),
    }
}
