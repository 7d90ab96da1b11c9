//! The [`Monitor`] that people and programs see: a bar, a line a minute, or status messages.
//!
//! Calls from the engine only add to counters; one helper thread looks at them at a fixed pace and
//! draws. So a stalled network still shows a falling rate, and a million small files cost nothing.
//! Problems are printed at once, also with `-q`: they are why somebody looks at the output.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::base::monitor::{Change, Counter, Monitor, Phase, Problem};
use engine::base::path::{TreePath, escape};
use engine::base::time::Clock;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::ui::cancel::{Cancel, Observer};
use crate::ui::json::{ItemError, JsonPath, Message, VerboseStatus, Why};
use crate::ui::output::{Output, in_one_line, printable};
use crate::ui::table::wrap;
use crate::ui::view::{Meter, View};
use crate::ui::waiting::Speaker;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Not at all.
    Hidden,
    /// A bar that is drawn over itself on a terminal.
    Bar,
    /// Plain lines on standard error.
    Lines,
    /// `status` messages on standard output.
    Json,
}

impl Style {
    /// How often it is drawn unless the user says otherwise.
    #[must_use]
    pub fn default_interval(self) -> Duration {
        match self {
            Self::Bar => Duration::from_millis(100),
            Self::Json => Duration::from_secs(1),
            Self::Lines | Self::Hidden => Duration::from_secs(60),
        }
    }
}

/// What a [`Progress`] needs.
pub struct Setup {
    /// How progress is shown.
    pub style: Style,
    /// Whether problems and notes are messages or text.
    pub json: bool,
    /// Whether notes are kept back.
    pub quiet: bool,
    /// Whether each changed path is a line of the result.
    pub changes: bool,
    /// Time between two drawings.
    pub interval: Duration,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// For elapsed time and rates.
    pub clock: Arc<dyn Clock>,
    /// Whether the user wants to stop.
    pub cancel: Cancel,
    /// Told who prints lines while this is shown.
    pub(crate) speaker: Speaker,
}

/// Shows how far an operation is, from its making until it is dropped.
pub struct Progress {
    shared: Arc<Shared>,
    ticker: Option<(SyncSender<()>, JoinHandle<()>)>,
    _observer: Observer,
}

struct Shared {
    setup: Setup,
    items: AtomicU64,
    bytes: AtomicU64,
    problems: AtomicU64,
    stage: Mutex<Option<Stage>>,
    current: Mutex<Option<TreePath>>,
    has_said_stopping: AtomicBool,
    bar: Option<ProgressBar>,
}

/// The present phase, and where the counters stood when it began.
struct Stage {
    phase: Phase,
    started: Duration,
    items_before: u64,
    bytes_before: u64,
    counted_bytes: Option<u64>,
    meter: Meter,
}

impl Progress {
    /// Begins to show; the helper thread runs until the answer is dropped.
    #[must_use]
    pub fn start(setup: Setup) -> Self {
        let observer = setup.cancel.observe();
        let is_hidden = setup.style == Style::Hidden;
        let interval = setup.interval;
        let shared = Arc::new(Shared::new(setup));
        let voice = Arc::downgrade(&shared);
        shared.setup.speaker.set(Some(Arc::new(move |line| {
            if let Some(shared) = voice.upgrade() {
                shared.say_note(line);
            }
        })));
        let ticker = if is_hidden { None } else { spawn_ticker(&shared, interval) };
        Self { shared, ticker, _observer: observer }
    }

    /// Items that failed so far.
    #[must_use]
    pub fn problem_count(&self) -> u64 {
        self.shared.problems.load(Ordering::Relaxed)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.setup.speaker.set(None);
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            // A ticker that panicked has been reported by the hook; there is nothing to add.
            let _ = thread.join();
        }
        if let Some(bar) = &self.shared.bar {
            bar.finish_and_clear();
        }
    }
}

/// Draws once per interval until the sender is dropped. Without a thread there is no progress,
/// which is better than no backup.
fn spawn_ticker(
    shared: &Arc<Shared>,
    interval: Duration,
) -> Option<(SyncSender<()>, JoinHandle<()>)> {
    let (stop, stopped) = sync_channel(0);
    let shared = Arc::clone(shared);
    let tick = move || {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(interval) {
            shared.draw();
        }
    };
    let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(tick).ok()?;
    Some((stop, thread))
}

impl Shared {
    fn new(setup: Setup) -> Self {
        let bar = (setup.style == Style::Bar).then(|| new_bar(setup.interval));
        Self {
            setup,
            items: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            problems: AtomicU64::new(0),
            stage: Mutex::new(None),
            current: Mutex::new(None),
            has_said_stopping: AtomicBool::new(false),
            bar,
        }
    }

    /// Takes a reading; `None` before the first phase.
    fn view(&self) -> Option<View> {
        let now = self.setup.clock.monotonic();
        let mut guard = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let stage = guard.as_mut()?;
        let items = self.items.load(Ordering::Relaxed).saturating_sub(stage.items_before);
        let bytes = self.bytes.load(Ordering::Relaxed).saturating_sub(stage.bytes_before);
        stage.meter.read(now, bytes);
        Some(View {
            phase: stage.phase.name,
            elapsed: now.saturating_sub(stage.started),
            items,
            total_items: stage.phase.total_items,
            bytes,
            total_bytes: stage.phase.total_bytes,
            counted_bytes: stage.counted_bytes,
            bytes_per_s: stage.meter.per_s(),
            problems: self.problems.load(Ordering::Relaxed),
            current: self.current.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        })
    }

    fn draw(&self) {
        let Some(view) = self.view() else { return };
        match self.setup.style {
            Style::Hidden => {}
            Style::Lines => self.setup.stderr.line(&view.line()),
            Style::Json => {
                self.setup.stdout.line_as_it_is(&Message::Status(view.status()).to_line());
                self.setup.stdout.flush();
            }
            Style::Bar => {
                if let Some(bar) = &self.bar {
                    // The last column stays free: some terminals begin a new line with it.
                    let width = self.setup.stderr.width().unwrap_or(80).saturating_sub(1);
                    let path = view.current.as_ref().map(ToString::to_string).unwrap_or_default();
                    bar.set_prefix(view.bar(width));
                    bar.set_message(end_of(&path, width.saturating_sub(2)));
                    bar.tick();
                }
            }
        }
    }

    /// Prints a line on standard error, above the bar if there is one.
    fn say(&self, line: &str) {
        let lines = match self.setup.json {
            true => vec![line.to_owned()],
            false => wrap(&printable(line), self.setup.stderr.width(), 2),
        };
        let print = || lines.iter().for_each(|line| self.setup.stderr.line_as_it_is(line));
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn say_note(&self, note: &str) {
        if self.setup.quiet {
            return;
        }
        if self.setup.json {
            self.say(&Message::Note { message: note }.to_line());
        } else {
            self.say(&printable(&in_one_line(note)));
        }
    }
}

/// As much of the end of a path as fits: its name says more than where it begins.
fn end_of(path: &str, width: usize) -> String {
    if path.width() <= width {
        return path.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let mut end: Vec<char> = Vec::new();
    for letter in path.chars().rev() {
        let wide = letter.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        end.push(letter);
    }
    std::iter::once('…').chain(end.into_iter().rev()).collect()
}

/// A bar that is drawn by nobody but the ticker; its own limit must not be slower than that.
fn new_bar(interval: Duration) -> ProgressBar {
    let hz = (1.0 / interval.as_secs_f64()).ceil().clamp(1.0, 100.0) as u8;
    let target = ProgressDrawTarget::stderr_with_hz(hz);
    let style = ProgressStyle::with_template("{prefix}\n  {msg}");
    let bar = ProgressBar::with_draw_target(None, target);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Monitor for Progress {
    fn phase(&self, phase: &Phase) {
        let shared = &self.shared;
        let mut meter = Meter::default();
        let started = shared.setup.clock.monotonic();
        meter.read(started, 0);
        let stage = Stage {
            phase: phase.clone(),
            started,
            items_before: shared.items.load(Ordering::Relaxed),
            bytes_before: shared.bytes.load(Ordering::Relaxed),
            counted_bytes: None,
            meter,
        };
        *shared.stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
        *shared.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn counted(&self, bytes: u64) {
        let mut stage = self.shared.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stage) = stage.as_mut() {
            stage.counted_bytes = Some(bytes);
        }
    }

    fn totals(&self, items: u64, bytes: u64) {
        let mut stage = self.shared.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stage) = stage.as_mut() {
            stage.phase.total_items = Some(items);
            stage.phase.total_bytes = Some(bytes);
        }
    }

    fn add(&self, counter: Counter, amount: u64) {
        let counted = match counter {
            Counter::Items => &self.shared.items,
            Counter::Bytes => &self.shared.bytes,
            Counter::Problems => &self.shared.problems,
            Counter::StoredBytes => return,
        };
        counted.fetch_add(amount, Ordering::Relaxed);
    }

    fn current(&self, path: &TreePath) {
        if self.shared.setup.style == Style::Hidden {
            return;
        }
        // Only for show: when somebody else holds it, this path is not worth waiting for.
        if let Ok(mut current) = self.shared.current.try_lock() {
            *current = Some(path.clone());
        }
    }

    fn problem(&self, problem: &Problem) {
        self.add(Counter::Problems, 1);
        if self.shared.setup.json {
            let path = JsonPath::new(&problem.path.to_slashes());
            let error = ItemError {
                error: Why { message: &problem.why },
                during: problem.action,
                item: path.path.clone(),
                path,
            };
            self.shared.say(&Message::Error(error).to_line());
        } else {
            let path = escape(&problem.path.to_slashes());
            let why = printable(&in_one_line(&problem.why));
            self.shared.say(&format!("{path}: {}: {why}", problem.action));
        }
    }

    fn wants_changes(&self) -> bool {
        self.shared.setup.changes
    }

    fn change(&self, change: &Change<'_>) {
        let setup = &self.shared.setup;
        let bytes = change.path.to_slashes();
        let line = if setup.json {
            let path = JsonPath::new(&bytes);
            Message::VerboseStatus(VerboseStatus {
                action: change.action.name(),
                item: path.path.clone(),
                path,
                size: change.size_bytes,
                remark: change.remark,
            })
            .to_line()
        } else {
            let remark = change.remark.map(|remark| format!("  ({remark})")).unwrap_or_default();
            format!("{} {}{remark}", change.action.mark(), escape(&bytes))
        };
        let print = |line: &str| match setup.json {
            true => setup.stdout.line_as_it_is(line),
            false => setup.stdout.line(line),
        };
        match &self.shared.bar {
            Some(bar) => bar.suspend(|| print(&line)),
            None => print(&line),
        }
    }

    fn note(&self, note: &str) {
        self.shared.say_note(note);
    }

    fn is_cancelled(&self) -> bool {
        let is_set = self.shared.setup.cancel.is_set();
        if is_set && !self.shared.has_said_stopping.swap(true, Ordering::SeqCst) {
            self.shared.say_note("stopping as soon as it is safe; a second signal stops at once");
        }
        is_set
    }
}

#[cfg(test)]
mod tests;
