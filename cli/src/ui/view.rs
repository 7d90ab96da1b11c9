//! How far an operation is at one moment, and how that reads: as a line, as a bar, as JSON.
//!
//! The rate is that of the last fifteen seconds: long enough that a big file between small ones does
//! not make the estimate jump, short enough to follow a network that slows down. In the first
//! seconds nothing is said of the time that is left, because nobody knows it.

use std::collections::VecDeque;
use std::time::Duration;

use engine::base::path::TreePath;
use unicode_width::UnicodeWidthStr;

use crate::ui::json::Status;
use crate::units;

/// How far the rate looks back.
const WINDOW: Duration = Duration::from_secs(15);
/// Readings are kept that far apart, so that there are few.
const SPACING: Duration = Duration::from_millis(250);
/// A rate of a shorter time means nothing.
const RATE_AFTER: Duration = Duration::from_secs(1);
/// So long nothing is said of the time that is left.
const LEFT_AFTER: Duration = Duration::from_secs(5);
/// Columns of a bar between its ends: fewer show nothing, more say no more.
const BAR_MIN: usize = 8;
const BAR_MAX: usize = 30;

/// Follows how fast something grows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Meter {
    readings: VecDeque<(Duration, u64)>,
    last: Option<(Duration, u64)>,
}

impl Meter {
    /// Takes a reading: `done` in all, at `at` on a clock that never jumps.
    pub fn read(&mut self, at: Duration, done: u64) {
        if self.last.is_some_and(|(before, _)| at <= before) {
            return;
        }
        self.last = Some((at, done));
        if self.readings.back().is_none_or(|(before, _)| at.saturating_sub(*before) >= SPACING) {
            self.readings.push_back((at, done));
        }
        // The first that stays is the last that is old enough.
        while self.readings.get(1).is_some_and(|(next, _)| at.saturating_sub(*next) >= WINDOW) {
            self.readings.pop_front();
        }
    }

    /// Units per second over the last seconds; `None` in the first.
    #[must_use]
    pub fn per_s(&self) -> Option<f64> {
        let ((first, done_before), (last, done)) = (self.readings.front()?, self.last?);
        let passed = last.saturating_sub(*first);
        let grown = done.saturating_sub(*done_before) as f64;
        (passed >= RATE_AFTER).then(|| grown / passed.as_secs_f64())
    }
}

/// What is known about an operation at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// What is being done.
    pub phase: &'static str,
    /// Since the phase began.
    pub elapsed: Duration,
    /// Items dealt with in this phase.
    pub items: u64,
    /// Items to deal with, if known.
    pub total_items: Option<u64>,
    /// Bytes dealt with in this phase.
    pub bytes: u64,
    /// Bytes to deal with, if known.
    pub total_bytes: Option<u64>,
    /// Bytes that were counted so far, while the total is not known.
    pub counted_bytes: Option<u64>,
    /// Bytes per second, if known.
    pub bytes_per_s: Option<f64>,
    /// Items that failed since the operation began.
    pub problems: u64,
    /// What is being worked on.
    pub current: Option<TreePath>,
}

impl View {
    /// What is done and what is to do, in the unit that is known: bytes, otherwise items.
    fn share(&self) -> Option<(u64, u64)> {
        match (self.total_bytes, self.total_items) {
            (Some(total), _) if total > 0 => Some((self.bytes.min(total), total)),
            (_, Some(total)) if total > 0 => Some((self.items.min(total), total)),
            _ => None,
        }
    }

    /// Time until everything is done at the present rate; for bytes only, and not in the first
    /// seconds.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let left = self.total_bytes?.checked_sub(self.bytes)?;
        let per_s = self.bytes_per_s.filter(|rate| *rate >= 1.0)?;
        let left = Duration::try_from_secs_f64(left as f64 / per_s).ok()?;
        (self.elapsed >= LEFT_AFTER).then_some(left)
    }

    /// One line for people, without the current path:
    /// `backing up  42.3 %  1.23 GiB of 2.91 GiB  1,234 items  120 MiB/s  14s left  3 problems`.
    #[must_use]
    pub fn line(&self) -> String {
        let parts =
            [Some(self.phase.to_owned()), self.percent(), self.size(), Some(self.item_count())];
        let more = [self.rate(), self.left(), self.problem_count()];
        parts.into_iter().chain(more).flatten().collect::<Vec<_>>().join("  ")
    }

    /// The same with a bar, in at most `width` columns; what matters least is left out first.
    #[must_use]
    pub fn bar(&self, width: usize) -> String {
        let items = self.size().is_none().then(|| self.item_count());
        let mut parts = [
            Some(self.phase.to_owned()),
            self.percent(),
            self.size().or(items),
            self.rate(),
            self.left(),
            self.problem_count(),
        ];
        let joined = |parts: &[Option<String>]| {
            parts.iter().flatten().map(String::as_str).collect::<Vec<_>>().join("  ")
        };
        // By place in `parts`: the rate first, the phase and problems never.
        for unimportant in [3, 2, 4, 1] {
            if joined(&parts).width() <= width {
                break;
            }
            parts[unimportant] = None;
        }
        let room = width.saturating_sub(joined(&parts).width() + "  []".len());
        if let (Some((done, total)), true) = (self.share(), room >= BAR_MIN) {
            let room = room.min(BAR_MAX);
            let full = (u128::from(done) * room as u128 / u128::from(total)) as usize;
            let head = if full < room { ">" } else { "" };
            let rest = room - full - head.len();
            parts[0] =
                Some(format!("{}  [{}{head}{}]", self.phase, "=".repeat(full), " ".repeat(rest)));
        }
        crate::ui::table::cut(&joined(&parts), Some(width))
    }

    fn percent(&self) -> Option<String> {
        self.share().map(|(done, total)| units::percent(done, total))
    }

    fn size(&self) -> Option<String> {
        let done = units::size(self.bytes);
        match (self.total_bytes, self.counted_bytes) {
            (Some(total), _) if total > 0 => {
                Some(format!("{done} of {}", units::size(total.max(self.bytes))))
            }
            (None, Some(counted)) if counted > self.bytes => {
                Some(format!("{done} of at least {}", units::size(counted)))
            }
            _ => (self.bytes > 0).then_some(done),
        }
    }

    fn item_count(&self) -> String {
        let items = units::counted(self.items, "item");
        match self.total_items {
            Some(total) if total > self.items => {
                format!("{} of {}", units::count(self.items), units::counted(total, "item"))
            }
            _ => items,
        }
    }

    fn rate(&self) -> Option<String> {
        self.bytes_per_s.filter(|rate| *rate >= 1.0).map(units::rate)
    }

    fn left(&self) -> Option<String> {
        // Rounded up: what is still being worked on is not over.
        let left_s = self.remaining()?.as_secs_f64().ceil() as u64;
        (left_s > 0).then(|| format!("{} left", units::whole_duration(Duration::from_secs(left_s))))
    }

    fn problem_count(&self) -> Option<String> {
        (self.problems > 0).then(|| units::counted(self.problems, "problem"))
    }

    /// The same for programs.
    #[must_use]
    pub fn status(&self) -> Status {
        let percent_done = match self.share() {
            Some((done, total)) => done as f64 / total as f64,
            None => 0.0,
        };
        Status {
            phase: self.phase,
            seconds_elapsed: self.elapsed.as_secs(),
            seconds_remaining: self.remaining().map(|time| time.as_secs()),
            percent_done,
            total_files: self.total_items,
            files_done: self.items,
            total_bytes: self.total_bytes,
            bytes_done: self.bytes,
            error_count: self.problems,
            current_files: self.current.iter().map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View {
            phase: "backing up",
            elapsed: Duration::from_secs(90),
            items: 1234,
            total_items: None,
            bytes: 1 << 30,
            total_bytes: Some(4 << 30),
            counted_bytes: None,
            bytes_per_s: Some(128.0 * 1024.0 * 1024.0),
            problems: 2,
            current: TreePath::from_slashes(b"/a/\x1b\xff").ok(),
        }
    }

    #[test]
    fn the_line_says_everything_known() {
        assert_eq!(
            view().line(),
            "backing up  25.0 %  1.00 GiB of 4.00 GiB  1,234 items  128 MiB/s  24s left  \
             2 problems"
        );
        let unknown = View { total_bytes: None, bytes_per_s: None, problems: 0, ..view() };
        assert_eq!(unknown.line(), "backing up  1.00 GiB  1,234 items");
        let counting = View { counted_bytes: Some(3 << 30), ..unknown };
        assert_eq!(counting.line(), "backing up  1.00 GiB of at least 3.00 GiB  1,234 items");
    }

    #[test]
    fn a_bar_fits_its_width_and_leaves_out_what_matters_least() {
        assert_eq!(
            view().bar(80),
            "backing up  25.0 %  1.00 GiB of 4.00 GiB  128 MiB/s  24s left  2 problems"
        );
        let calm = View { problems: 0, ..view() };
        assert_eq!(
            calm.bar(80),
            "backing up  [===>           ]  25.0 %  1.00 GiB of 4.00 GiB  128 MiB/s  24s left"
        );
        assert_eq!(calm.bar(40), "backing up  [==>     ]  25.0 %  24s left");
        assert_eq!(calm.bar(4), "bac…");
        for width in 0..200 {
            assert!(view().bar(width).width() <= width.max(1), "{width}: {}", view().bar(width));
        }
    }

    #[test]
    fn the_first_seconds_say_nothing_of_the_time_that_is_left() {
        let early = View { elapsed: Duration::from_secs(4), ..view() };
        assert_eq!(early.remaining(), None);
        assert_eq!(early.status().seconds_remaining, None);
        assert!(view().remaining().is_some());
    }

    #[test]
    fn the_status_has_the_field_names_of_restic() {
        let status = view().status();
        assert!((status.percent_done - 0.25).abs() < 1e-9);
        assert_eq!(status.seconds_remaining, Some(24));
        assert_eq!(status.current_files, ["/a/\\x1b\\xff"]);
    }

    #[test]
    fn files_that_grow_make_the_whole_grow() {
        let grown = View { bytes: 5 << 30, ..view() };
        assert!((grown.status().percent_done - 1.0).abs() < 1e-9);
        assert_eq!(grown.remaining(), None);
        assert!(grown.line().contains("5.00 GiB of 5.00 GiB"), "{}", grown.line());
    }

    #[test]
    fn the_meter_looks_back_a_while_and_ignores_a_stopped_clock() {
        let mut meter = Meter::default();
        for tenth in 0..=9 {
            meter.read(Duration::from_millis(tenth * 100), tenth * 100);
            assert_eq!(meter.per_s(), None);
        }
        for second in 1..=100 {
            meter.read(Duration::from_secs(second), second * 1000);
        }
        let steady = meter.per_s().expect("because it was read often");
        assert!((steady - 1000.0).abs() < 1.0, "{steady}");
        meter.read(Duration::from_secs(100), 1_000_000);
        assert_eq!(meter.per_s(), Some(steady));
        // What stands still is at rest after the window.
        for second in 101..=116 {
            meter.read(Duration::from_secs(second), 100_000);
        }
        assert_eq!(meter.per_s(), Some(0.0));
        assert!(meter.readings.len() < 70, "{}", meter.readings.len());
    }
}
