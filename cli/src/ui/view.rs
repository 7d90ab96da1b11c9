//! How far an operation is at one moment, and how that reads: as a line, as a bar, as JSON.
//!
//! The rate is smoothed with a time constant of fifteen seconds: long enough that a big file
//! between small ones does not make the estimate jump, short enough to follow a network that
//! slows down.

use std::time::Duration;

use engine::base::path::TreePath;

use crate::ui::json::Status;
use crate::units;

/// After this long, an old rate has lost 63 % of its weight.
const SMOOTHING_S: f64 = 15.0;

/// Follows how fast something grows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Meter {
    last: Option<(Duration, u64)>,
    per_s: Option<f64>,
}

impl Meter {
    /// Takes a reading: `done` in all, at `at` on a clock that never jumps.
    pub fn read(&mut self, at: Duration, done: u64) {
        if let Some((before, done_before)) = self.last {
            let passed_s = at.saturating_sub(before).as_secs_f64();
            if passed_s <= 0.0 {
                return;
            }
            let now_per_s = done.saturating_sub(done_before) as f64 / passed_s;
            let keep = (-passed_s / SMOOTHING_S).exp();
            self.per_s = Some(match self.per_s {
                Some(old) => old * keep + now_per_s * (1.0 - keep),
                None => now_per_s,
            });
        }
        self.last = Some((at, done));
    }

    /// Units per second; `None` before the second reading.
    #[must_use]
    pub fn per_s(&self) -> Option<f64> {
        self.per_s
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
    /// Bytes per second, smoothed, if known.
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

    /// Time until everything is done at the present rate; for bytes only.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let left = self.total_bytes?.saturating_sub(self.bytes);
        let per_s = self.bytes_per_s.filter(|rate| *rate >= 1.0)?;
        Duration::try_from_secs_f64(left as f64 / per_s).ok()
    }

    /// One line for people, without the current path:
    /// `backing up  42.3 %  1.23 GiB of 2.91 GiB  120 MiB/s  ETA 0m14s  3 problems`.
    #[must_use]
    pub fn line(&self) -> String {
        let mut parts = vec![self.phase.to_owned()];
        if let Some((done, total)) = self.share() {
            parts.push(units::percent(done, total));
        }
        match self.total_bytes {
            Some(total) if total > 0 => {
                parts.push(format!("{} of {}", units::size(self.bytes), units::size(total)));
            }
            _ if self.bytes > 0 => parts.push(units::size(self.bytes)),
            _ => {}
        }
        match self.total_items {
            Some(total) if total > 0 => {
                let (items, total) = (units::count(self.items), units::count(total));
                parts.push(format!("{items} of {total} items"));
            }
            _ => parts.push(format!("{} items", units::count(self.items))),
        }
        if let Some(rate) = self.bytes_per_s.filter(|rate| *rate >= 1.0) {
            parts.push(units::rate(rate));
        }
        if let Some(remaining) = self.remaining() {
            parts.push(format!("ETA {}", units::duration(remaining)));
        }
        match self.problems {
            0 => {}
            1 => parts.push("1 problem".to_owned()),
            more => parts.push(format!("{} problems", units::count(more))),
        }
        parts.join("  ")
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
            bytes_per_s: Some(128.0 * 1024.0 * 1024.0),
            problems: 2,
            current: TreePath::from_slashes(b"/a/\x1b\xff").ok(),
        }
    }

    #[test]
    fn the_line_says_everything_known() {
        assert_eq!(
            view().line(),
            "backing up  25.0 %  1.00 GiB of 4.00 GiB  1,234 items  128 MiB/s  ETA 24.0 s  \
             2 problems"
        );
        let unknown = View { total_bytes: None, bytes_per_s: None, problems: 0, ..view() };
        assert_eq!(unknown.line(), "backing up  1.00 GiB  1,234 items");
    }

    #[test]
    fn the_status_has_the_field_names_of_restic() {
        let status = view().status();
        assert!((status.percent_done - 0.25).abs() < 1e-9);
        assert_eq!(status.seconds_remaining, Some(24));
        assert_eq!(status.current_files, ["/a/\\x1b\\xff"]);
    }

    #[test]
    fn files_that_grow_do_not_go_beyond_the_whole() {
        let grown = View { bytes: 5 << 30, ..view() };
        assert!((grown.status().percent_done - 1.0).abs() < 1e-9);
        assert_eq!(grown.remaining(), Some(Duration::ZERO));
    }

    #[test]
    fn the_meter_follows_a_change_slowly_and_ignores_a_stopped_clock() {
        let mut meter = Meter::default();
        assert_eq!(meter.per_s(), None);
        for second in 0..=100 {
            meter.read(Duration::from_secs(second), second * 1000);
        }
        let steady = meter.per_s().expect("because it was read often");
        assert!((steady - 1000.0).abs() < 1.0, "{steady}");
        meter.read(Duration::from_secs(100), 1_000_000);
        assert_eq!(meter.per_s(), Some(steady));
        meter.read(Duration::from_secs(101), 100_000);
        let slower = meter.per_s().expect("because it was read often");
        assert!(slower > 900.0 && slower < steady, "{slower}");
    }
}
