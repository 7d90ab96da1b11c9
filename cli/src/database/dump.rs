//! A dump as files of a snapshot: one per database, roles or users apart, and at last what was counted.
//! Whatever shows that one of them is not whole fails before there is a snapshot.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::process::ChildStdin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use engine::backup::{StreamedFile, StreamedFiles};

use crate::database::footer::Tail;
use crate::database::manifest::{self, Database, Manifest};
use crate::database::program::Running;
use crate::database::toc::Contents;
use crate::fault::{ExitCode, Fault};

/// What differs between kinds of databases.
pub trait Producer: Send {
    /// Counts the rows of a database and begins to dump it.
    ///
    /// # Errors
    /// A fault of the server or of the tool.
    fn begin(&mut self, database: &mut Database) -> Result<Current, Fault>;

    /// The dump of it has come to its end: counts again, if that is needed.
    ///
    /// # Errors
    /// A fault of the server, or if the dump is not what was counted.
    fn end(&mut self, database: &mut Database, contents: Option<Contents>) -> Result<(), Fault>;

    /// Roles or users, as a file apart.
    ///
    /// # Errors
    /// A fault of the server or of the tool.
    fn globals(&mut self) -> Result<Option<(String, Current)>, Fault>;
}

/// How it is seen that a dump is whole.
pub enum Check {
    /// By its last line.
    Footer(&'static [u8]),
    /// By its table of contents, which a tool reads meanwhile.
    Contents(Probe),
    /// It was looked at before.
    Done,
}

/// A tool that reads the beginning of a dump.
pub struct Probe {
    running: Running,
    stdin: Option<ChildStdin>,
    list: Option<JoinHandle<String>>,
}

impl Probe {
    /// From a tool that was started with pipes.
    #[must_use]
    pub fn new(mut running: Running) -> Self {
        let stdin = running.stdin.take();
        let list = running.stdout.take().map(|mut pipe| {
            std::thread::spawn(move || {
                let mut list = Vec::new();
                // What cannot be read is no list, which is noticed where it is parsed.
                let _ = pipe.read_to_end(&mut list);
                String::from_utf8_lossy(&list).into_owned()
            })
        });
        Self { running, stdin, list }
    }

    fn take(&mut self, bytes: &[u8]) {
        // It has read what it wants and closes its end.
        if self.stdin.as_mut().is_some_and(|pipe| pipe.write_all(bytes).is_err()) {
            self.stdin = None;
        }
    }

    fn finish(mut self) -> Result<Contents, Fault> {
        drop(self.stdin.take());
        let list = self.list.take().and_then(|list| list.join().ok()).unwrap_or_default();
        self.running.finish()?;
        Contents::parse(&list).filter(|contents| contents.entries > 0).ok_or_else(|| {
            let words = "the dump has no table of contents, so no snapshot was made";
            Fault::new(ExitCode::Failed, "E_DUMP", words)
                .hint("look at the server's log, then repeat the dump")
        })
    }
}

/// Where the bytes of a dump come from.
pub enum Origin {
    /// A tool prints them.
    Tool(Running),
    /// A copy on this machine, which ends with it.
    Copy(File, tempfile::TempDir),
}

/// A dump that is being read.
pub struct Current {
    origin: Option<Origin>,
    check: Check,
    tail: Tail,
    contents: Option<Contents>,
}

impl Current {
    /// One that begins.
    #[must_use]
    pub fn new(origin: Origin, check: Check) -> Self {
        Self { origin: Some(origin), check, tail: Tail::default(), contents: None }
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let failed = |error: io::Error| {
            Fault::new(ExitCode::Failed, "E_DATABASE", "the dump cannot be read").because(&error)
        };
        let count = match &mut self.origin {
            None => return Ok(0),
            Some(Origin::Tool(running)) => match &mut running.stdout {
                Some(pipe) => pipe.read(buffer).map_err(failed)?,
                None => 0,
            },
            Some(Origin::Copy(file, _)) => file.read(buffer).map_err(failed)?,
        };
        if count == 0 {
            self.end()?;
            return Ok(0);
        }
        self.tail.take(&buffer[..count]);
        if let Check::Contents(probe) = &mut self.check {
            probe.take(&buffer[..count]);
        }
        Ok(count)
    }

    fn end(&mut self) -> Result<(), Fault> {
        if let Some(Origin::Tool(running)) = self.origin.take() {
            running.finish()?;
        }
        let incomplete = |words: &str| {
            Fault::new(ExitCode::Failed, "E_DUMP", words)
                .hint("look at the server's log, then repeat the dump")
        };
        if self.tail.total_bytes() == 0 {
            return Err(incomplete("the dump is empty (0 bytes), so no snapshot was made"));
        }
        match std::mem::replace(&mut self.check, Check::Done) {
            Check::Footer(footer) if !self.tail.ends_with(footer) => Err(incomplete(
                "the dump does not end with the line that says that it is complete, so no snapshot \
                 was made",
            )),
            Check::Contents(probe) => {
                self.contents = Some(probe.finish()?);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// What fails a run although every dump is whole.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Databases without a table, and tables without a row, are right.
    pub allow_empty: bool,
    /// It is right that something shrank.
    pub allow_shrunken: bool,
    /// What the run before has dumped.
    pub before: Option<Manifest>,
}

/// What the run came to, for whoever started it.
#[derive(Debug, Default)]
pub struct Ending {
    /// What was dumped.
    pub manifest: Option<Manifest>,
    /// Why there is no snapshot.
    pub fault: Option<Fault>,
}

/// The dump.
pub struct Dump {
    producer: Box<dyn Producer>,
    waiting: VecDeque<Database>,
    manifest: Manifest,
    rules: Rules,
    current: Option<(Database, Current)>,
    globals: Option<Current>,
    state: State,
    ending: Arc<Mutex<Ending>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Databases,
    Globals,
    Counts,
    Over,
}

impl Dump {
    /// One of these databases; `manifest` says what is known of the server.
    #[must_use]
    pub fn new(
        producer: Box<dyn Producer>,
        databases: Vec<Database>,
        manifest: Manifest,
        rules: Rules,
    ) -> (Self, Arc<Mutex<Ending>>) {
        let ending = Arc::new(Mutex::new(Ending::default()));
        let dump = Self {
            producer,
            waiting: databases.into(),
            manifest,
            rules,
            current: None,
            globals: None,
            state: State::Databases,
            ending: Arc::clone(&ending),
        };
        (dump, ending)
    }

    /// Ends the stream before, and begins with the next one: its name.
    fn step(&mut self) -> Result<Option<String>, Fault> {
        if let Some((mut database, current)) = self.current.take() {
            database.bytes = current.tail.total_bytes();
            self.producer.end(&mut database, current.contents)?;
            self.manifest.databases.push(database);
        }
        if self.state == State::Databases {
            if let Some(mut database) = self.waiting.pop_front() {
                let current = self.producer.begin(&mut database)?;
                let name = database.file.clone();
                self.current = Some((database, current));
                return Ok(Some(name));
            }
            self.state = State::Globals;
            if let Some((name, current)) = self.producer.globals()? {
                self.manifest.globals = Some(name.clone());
                self.globals = Some(current);
                return Ok(Some(name));
            }
        }
        self.globals = None;
        match self.state {
            State::Databases | State::Globals => {
                self.judge()?;
                self.state = State::Counts;
                Ok(Some(manifest::FILE.to_owned()))
            }
            State::Counts | State::Over => {
                self.state = State::Over;
                Ok(None)
            }
        }
    }

    /// Whether what was dumped can be what there was.
    fn judge(&self) -> Result<(), Fault> {
        let failed = |words: String| Fault::new(ExitCode::Failed, "E_DUMP", words);
        if !self.rules.allow_empty && self.manifest.table_count() == 0 {
            let names: Vec<_> =
                self.manifest.databases.iter().map(|one| one.name.as_str()).collect();
            return Err(failed(format!(
                "there is no table in {}, so no snapshot was made",
                names.join(", ")
            ))
            .hint(
                "look whether this is the right server and whether the user sees the tables; if that \
                 is meant: --allow-empty",
            ));
        }
        let before = self.rules.before.as_ref().filter(|_| !self.rules.allow_shrunken);
        let shrunken = before.map(|before| self.manifest.shrunken(before)).unwrap_or_default();
        if shrunken.is_empty() {
            return Ok(());
        }
        let words = shrunken.join("; ");
        Err(failed(format!("the dump shrank, so no snapshot was made: {words}")).hint(
            "look at the databases; if that is meant, make this dump once by hand with \
             --allow-shrunken",
        ))
    }

    fn fail(&self, fault: Fault) -> io::Error {
        let words = fault.message().to_owned();
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        ending.fault.get_or_insert(fault);
        io::Error::other(words)
    }
}

impl StreamedFiles for Dump {
    fn next_file(&mut self) -> io::Result<Option<StreamedFile<'_>>> {
        let Some(name) = self.step().map_err(|fault| self.fail(fault))? else { return Ok(None) };
        let name = name.into_bytes();
        if self.state == State::Counts {
            let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
            ending.manifest = Some(self.manifest.clone());
            let input = Box::new(Cursor::new(self.manifest.to_bytes()));
            return Ok(Some(StreamedFile { name, input }));
        }
        let ending = Arc::clone(&self.ending);
        let current = self.current.as_mut().map(|(_, current)| current).or(self.globals.as_mut());
        let input: Box<dyn Read + '_> = match current {
            Some(current) => Box::new(Reading { current, ending }),
            None => Box::new(io::empty()),
        };
        Ok(Some(StreamedFile { name, input }))
    }
}

struct Reading<'a> {
    current: &'a mut Current,
    ending: Arc<Mutex<Ending>>,
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.current.next(buffer).map_err(|fault| {
            let words = fault.message().to_owned();
            let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
            ending.fault.get_or_insert(fault);
            io::Error::other(words)
        })
    }
}
