//! What lies on this machine, answers of stores, and messages between a program and its probes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use engine::index::hints::HintsReader;
use engine::store::page::Asked;
use restore_verify::sandbox::job::{Answer, Job, Question, receive, send};

use crate::fuzz::Decoder;
use crate::trees::put;

/// All of them.
pub const ALL: &[Decoder] = &[
    ("hints", hints),
    ("page of S3", |bytes| page("list-type=2&prefix=snap%2F", bytes)),
    ("page of Azure", |bytes| page("comp=list&prefix=snap%2F", bytes)),
    ("query of a listing", |bytes| {
        std::str::from_utf8(bytes).is_ok_and(|query| Asked::of_query(query).is_some())
    }),
    ("job of a probe", |bytes| Job::from_argument(OsStr::from_bytes(bytes)).is_some()),
    ("question to a probe", |mut bytes| matches!(receive::<Question>(&mut bytes), Ok(Some(_)))),
    ("answer of a probe", answer),
];

fn answer(bytes: &[u8]) -> bool {
    let Ok(Some(answer)) = receive::<Answer>(&mut &*bytes) else { return false };
    let mut written = Vec::new();
    send(&mut written, &answer).is_ok()
}

fn page(query: &str, body: &[u8]) -> bool {
    Asked::of_query(query).is_some_and(|asked| asked.check(body).is_ok())
}

/// A file of hints with that content before its hash, which is made right.
fn hints(bytes: &[u8]) -> bool {
    let Ok(folder) = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()) else {
        return false;
    };
    let name = blake3::hash(b"source").to_hex();
    let path = folder.path().join("hints").join(&name[..32]);
    let whole = [bytes, blake3::hash(bytes).as_bytes()].concat();
    put(&path, &whole);
    let Ok(Some((leaves, _))) = HintsReader::open(folder.path(), "source") else { return false };
    for leaf in leaves {
        let Ok(leaf) = leaf else { return false };
        for number in 0..leaf.entry_count() {
            let _ = (leaf.key(number), leaf.sound_facts(number), leaf.entry(number).is_ok());
        }
    }
    true
}
