//! The two places text can go, standard output and standard error, with their failures remembered.
//!
//! Writing never fails at the call: a backup must not end because somebody closed the pipe that
//! shows its progress. A closed pipe makes all later writes do nothing; any other failure is kept
//! and asked for once at the end, so that a result that could not be written is not a success.
//! Loops that print long lists look at [`Output::is_closed`] and stop early.
//!
//! Every line for people is made [`printable`] here, whatever is in it: names and messages of a store
//! come from outside, and one place cannot be forgotten.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::base::path::escape;
use rustix::termios::tcgetwinsize;

/// A shared handle on standard output, standard error, or a buffer of a test.
#[derive(Clone)]
pub struct Output {
    inner: Arc<Mutex<Inner>>,
    is_terminal: bool,
    width: fn() -> Option<usize>,
}

/// Columns of a terminal that does not say how wide it is.
const USUAL_WIDTH: usize = 80;

fn columns(of: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(of).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

struct Inner {
    writer: Box<dyn Write + Send>,
    state: State,
}

enum State {
    Open,
    Closed,
    Failed(Option<io::Error>),
}

impl Output {
    /// Wraps any writer; `is_terminal` decides about colours and progress bars.
    pub fn new(writer: impl Write + Send + 'static, is_terminal: bool) -> Self {
        let inner = Inner { writer: Box::new(writer), state: State::Open };
        Self { inner: Arc::new(Mutex::new(inner)), is_terminal, width: || None }
    }

    /// Standard output of the process; buffered unless it is a terminal.
    #[must_use]
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        if is_terminal {
            Self { width: || columns(io::stdout()), ..Self::new(stdout, true) }
        } else {
            Self::new(BufWriter::with_capacity(64 * 1024, stdout), false)
        }
    }

    /// Standard error of the process; never buffered.
    #[must_use]
    pub fn of_stderr() -> Self {
        let stderr = io::stderr();
        let is_terminal = stderr.is_terminal();
        Self { width: || columns(io::stderr()), ..Self::new(stderr, is_terminal) }
    }

    /// How many columns a person sees at present; `None` if it is no terminal, so that nothing needs
    /// to be cut.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        self.is_terminal.then(|| (self.width)().unwrap_or(USUAL_WIDTH))
    }

    /// Whether a person sees it.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Whether the reader has gone, so that printing more is of no use.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.lock().state, State::Closed)
    }

    /// Whether everything was written so far.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.lock().state, State::Open)
    }

    /// Writes one line of text for people, made [`printable`], and its newline.
    pub fn line(&self, text: &str) {
        self.line_as_it_is(&printable(text));
    }

    /// Writes one line that is made for programs, or that was made printable and coloured then. In
    /// one piece, so that lines of threads do not mix.
    pub fn line_as_it_is(&self, text: &str) {
        let mut line = Vec::with_capacity(text.len() + 1);
        line.extend_from_slice(text.as_bytes());
        line.push(b'\n');
        self.bytes(&line);
    }

    /// Writes bytes as they are.
    pub fn bytes(&self, bytes: &[u8]) {
        self.attempt(|writer| writer.write_all(bytes));
    }

    /// Hands everything written so far to the system.
    pub fn flush(&self) {
        self.attempt(|writer| writer.flush());
    }

    /// The first failure other than a closed pipe; answered once.
    #[must_use]
    pub fn take_failure(&self) -> Option<io::Error> {
        match &mut self.lock().state {
            State::Failed(error) => error.take(),
            State::Open | State::Closed => None,
        }
    }

    fn attempt(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let mut inner = self.lock();
        if !matches!(inner.state, State::Open) {
            return;
        }
        if let Err(error) = write(&mut *inner.writer) {
            inner.state = if error.kind() == io::ErrorKind::BrokenPipe {
                State::Closed
            } else {
                State::Failed(Some(error))
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For code that wants a writer and does its own error handling: once the output is closed or has
/// failed, every write is refused, so that a copy loop ends.
impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes);
        match self.lock().state {
            State::Open => Ok(bytes.len()),
            State::Closed => Err(io::ErrorKind::BrokenPipe.into()),
            State::Failed(_) => Err(io::Error::other("the output failed before")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Self::flush(self);
        Ok(())
    }
}

/// What colours begin and end with, of all there are: see [`printable_painted`].
const PAINTS: [&str; 5] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[33m", "\u{1b}[1;31m"];

/// The same as [`printable`] for a line with parts in colour: the few sequences that this program
/// paints with stay, and nothing else that drives a terminal does.
#[must_use]
pub fn printable_painted(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        safe.push_str(&printable(&rest[..at]));
        let paint = PAINTS.iter().find(|paint| rest[at..].starts_with(**paint));
        match paint {
            Some(paint) => safe.push_str(paint),
            None => safe.push_str(&printable("\u{1b}")),
        }
        rest = &rest[at + paint.map_or(1, |paint| paint.len())..];
    }
    safe.push_str(&printable(rest));
    safe
}

/// What is repeated of a text that somebody typed, at most.
const REPEATED_MAX_CHARS: usize = 60;

/// The beginning of a text that a message repeats, so that a long one does not hide what is said.
#[must_use]
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(REPEATED_MAX_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Makes a whole message safe for a terminal: control, invisible and direction-changing characters
/// are written as escapes. Backslashes stay, because names in a message are escaped already.
#[must_use]
pub fn printable(text: &str) -> String {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\\' || letter == ' ' || letter.is_ascii_alphanumeric() {
            safe.push(letter);
        } else {
            safe.push_str(&escape(letter.encode_utf8(&mut [0; 4]).as_bytes()));
        }
    }
    safe
}

/// A text of somebody else, as a store or a library wrote it, on one line: where it breaks, a space.
#[must_use]
pub fn in_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// What was written, for tests that look at it afterwards.
#[derive(Debug, Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// An output that keeps what is written, and the handle to read it.
    #[must_use]
    pub fn output() -> (Output, Self) {
        let captured = Self::default();
        (Output::new(captured.clone(), false), captured)
    }

    /// Everything written so far.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_quiet_and_a_full_disk_is_not() {
        let closed = Output::new(Failing(io::ErrorKind::BrokenPipe), false);
        closed.line("x");
        closed.line("y");
        assert!(closed.is_closed());
        assert!(closed.take_failure().is_none());

        let (output, captured) = Captured::output();
        output.line("a\u{1b}]0;b\u{202e}\nc \\x07 ü");
        assert_eq!(captured.text(), "a\\x1b]0;b\\u{202e}\\nc \\x07 ü\n");

        let full = Output::new(Failing(io::ErrorKind::StorageFull), false);
        full.line("x");
        assert!(!full.is_closed());
        let failure = full.take_failure().map(|error| error.kind());
        assert_eq!(failure, Some(io::ErrorKind::StorageFull));
        assert!(full.clone().write(b"x").is_err());
    }

    #[test]
    fn what_others_wrote_stays_on_one_line() {
        assert_eq!(in_one_line("Denied.\n  Ask\r\n\r\nfor  access.\n"), "Denied. Ask for  access.");
        assert_eq!(in_one_line(" kept"), "kept");
    }

    #[test]
    fn messages_cannot_drive_a_terminal() {
        let painted = "\u{1b}[1mHost\u{1b}[0m \u{1b}[2J\u{1b}]0;x\u{202e}";
        assert_eq!(printable_painted(painted), "\u{1b}[1mHost\u{1b}[0m \\x1b[2J\\x1b]0;x\\u{202e}");
        assert_eq!(printable("a\u{1b}[2J\u{202e}\r\n\\x1b ü"), "a\\x1b[2J\\u{202e}\\x0d\\n\\x1b ü");
    }
}
