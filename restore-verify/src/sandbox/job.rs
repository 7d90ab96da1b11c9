//! What is asked of the confined child, and what it answers: CBOR, each message with its length.
//!
//! The child may have been taken over by what it looks at, so its answers are bounded and nothing in
//! them is believed beyond what they can say: a verdict about the file that was asked about.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use engine::base::id::encode_hex;
use minicbor::{Decode, Encode};

use crate::evidence::confinement::Confinement;
use crate::probe::verdict::{Limits, Verdict};

/// Longest message in either direction.
pub const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// Longest text of a verdict that is passed on.
const TEXT_MAX_BYTES: usize = 4 * 1024;

/// [`Answer::kind`] of a probe that begins.
const BEGIN: u8 = 3;

/// What the child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Task {
    /// Says how it is confined, and ends.
    #[n(1)]
    Report,
    /// Looks at files that it is asked about.
    #[n(2)]
    Files,
    /// Becomes the user's own test.
    #[n(3)]
    Command,
}

/// Bytes of a path or of an argument.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Text(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>);

impl Text {
    /// As the system has it.
    #[must_use]
    pub fn to_os(&self) -> OsString {
        OsString::from_vec(self.0.clone())
    }

    /// As a path.
    #[must_use]
    pub fn to_path(&self) -> PathBuf {
        self.to_os().into()
    }
}

impl From<&OsStr> for Text {
    fn from(text: &OsStr) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<&Path> for Text {
    fn from(path: &Path) -> Self {
        path.as_os_str().into()
    }
}

/// How a child is confined and what for: its only argument.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Job {
    /// What it does.
    #[n(0)]
    pub task: Task,
    /// What it may read, and below it.
    #[n(1)]
    pub readable: Vec<Text>,
    /// What it may read and run.
    #[n(2)]
    pub executable: Vec<Text>,
    /// What it may read and change.
    #[n(3)]
    pub writable: Vec<Text>,
    /// Whether it keeps the network of this machine.
    #[n(4)]
    pub network: bool,
    /// Address space of each process, in bytes.
    #[n(5)]
    pub memory_bytes: u64,
    /// Longest file that it may write.
    #[n(6)]
    pub file_bytes: u64,
    /// For a command: the program and its arguments.
    #[n(7)]
    pub argv: Vec<Text>,
    /// For a command: the folder of what was restored.
    #[n(8)]
    pub folder: Option<Text>,
    /// What the outer process achieved; set by it.
    #[n(9)]
    pub confinement: Option<Confinement>,
}

impl Job {
    /// As an argument.
    ///
    /// # Errors
    /// Never in practice: the encoder writes to memory.
    pub fn to_argument(&self) -> io::Result<String> {
        minicbor::to_vec(self).map(|bytes| encode_hex(&bytes)).map_err(io::Error::other)
    }

    /// From an argument.
    #[must_use]
    pub fn from_argument(argument: &OsStr) -> Option<Self> {
        let digits = argument.as_bytes();
        let value = |digit: u8| char::from(digit).to_digit(16);
        let pairs = digits.chunks(2).map(|pair| match pair {
            [high, low] => Some((value(*high)? << 4 | value(*low)?) as u8),
            _ => None,
        });
        minicbor::decode(&pairs.collect::<Option<Vec<u8>>>()?).ok()
    }
}

/// A file to look at.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Question {
    /// Where it lies.
    #[n(0)]
    pub path: Text,
    /// Its name in the snapshot.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub name: Vec<u8>,
    /// Probes that do not run.
    #[n(2)]
    pub skip: Vec<String>,
    /// As [`Limits::decoded_bytes`].
    #[n(3)]
    pub decoded_bytes: u64,
    /// As [`Limits::memory_bytes`].
    #[n(4)]
    pub memory_bytes: u64,
    /// As [`Limits::time_ms`].
    #[n(5)]
    pub time_ms: u64,
}

impl Question {
    /// The limits in it.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            decoded_bytes: self.decoded_bytes,
            memory_bytes: self.memory_bytes,
            time_ms: self.time_ms,
        }
    }
}

/// What was found; nothing if no probe is for such a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Answer {
    /// The probe.
    #[n(0)]
    pub probe: Option<String>,
    /// 0 passed, 1 failed, 2 cannot tell, 3 begins.
    #[n(1)]
    pub kind: u8,
    /// In words.
    #[n(2)]
    pub why: String,
}

impl Answer {
    /// A probe begins.
    #[must_use]
    pub fn begin(probe: &str) -> Self {
        Self { probe: Some(probe.to_owned()), kind: BEGIN, why: String::new() }
    }

    /// Whether a probe begins.
    #[must_use]
    pub fn is_begin(&self) -> bool {
        self.kind == BEGIN
    }

    /// Of a probe.
    #[must_use]
    pub fn of(probe: &str, verdict: Verdict) -> Self {
        let (kind, mut why) = match verdict {
            Verdict::Passed => (0, String::new()),
            Verdict::Failed(why) => (1, why),
            Verdict::NotProved(why) => (2, why),
        };
        if let Some(end) = (0..=TEXT_MAX_BYTES).rev().find(|at| why.is_char_boundary(*at)) {
            why.truncate(end);
        }
        Self { probe: Some(probe.to_owned()), kind, why }
    }

    /// The verdict; a kind that does not exist cannot tell anything.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self.kind {
            0 => Verdict::Passed,
            1 => Verdict::Failed(self.why),
            _ => Verdict::NotProved(self.why),
        }
    }
}

/// Writes a message.
///
/// # Errors
/// Those of the pipe, and if it is too long.
pub fn send<T: Encode<()>>(out: &mut dyn Write, message: &T) -> io::Result<()> {
    let bytes = minicbor::to_vec(message).map_err(io::Error::other)?;
    if bytes.len() > MESSAGE_MAX_BYTES {
        return Err(io::Error::other("a message to the probe is too long"));
    }
    let mut whole = (bytes.len() as u32).to_be_bytes().to_vec();
    whole.extend_from_slice(&bytes);
    out.write_all(&whole)?;
    out.flush()
}

/// Reads a message; `None` at the end.
///
/// # Errors
/// Those of the pipe, and if it is not understood.
pub fn receive<T: for<'b> Decode<'b, ()>>(input: &mut dyn Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MESSAGE_MAX_BYTES {
        return Err(io::Error::other("a message of the probe is too long"));
    }
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    minicbor::decode(&bytes).map(Some).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_being_an_argument_and_what_is_none_is_refused() {
        let job = Job {
            task: Task::Command,
            readable: vec![OsStr::from_bytes(b"/a\xff").into()],
            executable: Vec::new(),
            writable: vec![Path::new("/b c").into()],
            network: true,
            memory_bytes: u64::MAX,
            file_bytes: 1,
            argv: vec![OsStr::new("x").into()],
            folder: Some(Path::new("/f").into()),
            confinement: Some(Confinement::NONE),
        };
        let argument = job.to_argument().expect("it is written");
        assert_eq!(Job::from_argument(OsStr::new(&argument)), Some(job));
        for bad in ["", "0", "zz", "a0", "ff", &argument[..argument.len() - 2]] {
            assert_eq!(Job::from_argument(OsStr::new(bad)), None, "{bad}");
        }
    }

    #[test]
    fn long_and_cut_messages_are_errors() {
        let mut bytes = Vec::new();
        send(&mut bytes, &Answer::of("sqlite", Verdict::Failed("x".repeat(9000)))).expect("sent");
        let read: Answer = receive(&mut bytes.as_slice()).expect("read").expect("there");
        assert_eq!((read.kind, read.why.len()), (1, TEXT_MAX_BYTES));
        assert!(receive::<Answer>(&mut &bytes[..bytes.len() - 1]).is_err());
        assert!(receive::<Answer>(&mut [0xff; 8].as_slice()).is_err());
        assert!(matches!(receive::<Answer>(&mut [0; 0].as_slice()), Ok(None)));
    }
}
