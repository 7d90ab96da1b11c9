//! Memory grows neither with the number of chunks nor with the size of a file.
//!
//! A database is made whose every page is another one and compresses away: each page becomes a chunk
//! of its own, so that half a minute makes as many as many nights of a file server. What a command
//! may take leaves a hundred bytes for each chunk: a table of them all would not have room.
//! `benches/peers/run scale chunks` does the same with ten million.

use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::place::{Place, last_json, put};

const PAGE_BYTES: usize = 16 << 10;
const PAGES: u64 = 640_000;
/// What a command may take, whatever the repository holds.
const MOST_MIB: u64 = 200;

/// Runs a command to its end; the most that it had in memory at any moment, in MiB.
fn peak_mib(command: &mut Command, input: impl FnOnce(&mut dyn Write) + Send) -> u64 {
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("the program can be started");
    let pipe = child.stdin.take().expect("it was asked for");
    std::thread::scope(|scope| {
        scope.spawn(move || input(&mut BufWriter::with_capacity(1 << 20, pipe)));
        let status = format!("/proc/{}/status", child.id());
        let mut peak_kib = 0;
        loop {
            // The kernel keeps the peak; only the last moments can be missed.
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let now = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            peak_kib = peak_kib.max(now.unwrap_or(0));
            if let Some(ended) = child.try_wait().expect("it can be waited for") {
                assert!(ended.success(), "{command:?} ended with {ended}");
                return peak_kib >> 10;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    })
}

fn write_database(pages: u64, output: &mut dyn Write) {
    let mut page = vec![0; PAGE_BYTES];
    for number in 0..pages {
        page[64..72].copy_from_slice(&number.to_le_bytes());
        let header: &[u8] = if number == 0 { b"SQLite format 3\0\x40\0" } else { &[0; 18] };
        page[..18].copy_from_slice(header);
        output.write_all(&page).expect("the program reads it all");
    }
    output.flush().expect("the program reads it all");
}

#[test]
fn no_command_needs_much_memory_for_many_chunks() {
    let place = Place::with_repository();
    place.run(["key", "add", "--role", "admin", "--to-key-file", "key"]).expect(0);
    let run = |words: &[&str], pages: u64| {
        let mut command = place.command(words.iter().chain(&["-q", "--key-file", "key"]));
        command.env_remove("MAINSTAY_PASSWORD");
        let peak_mib = peak_mib(&mut command, |output| write_database(pages, output));
        assert!(peak_mib > 10, "{words:?} cannot have taken {peak_mib} MiB");
        assert!(peak_mib <= MOST_MIB, "{words:?} took {peak_mib} MiB");
    };
    run(&["backup", "--stdin", "--stdin-filename", "made.sqlite"], PAGES);
    let stored = last_json(&place.run(["stats", "--json"]).expect(0));
    assert!(stored["total_blob_count"].as_u64() >= Some(PAGES), "{stored:#}");
    run(&["check", "--read-data"], 0);
    run(&["cat", "latest:made.sqlite"], 0);
    // Large records are read apart from small ones; damage in one is found as well.
    let segment = place.largest("index");
    let good = std::fs::read(&segment).expect("it is there");
    assert!(good.len() > 1 << 20, "{} bytes are not large", good.len());
    let mut spoilt = good.clone();
    spoilt[good.len() / 2] ^= 1;
    put(&segment, &spoilt);
    let found = place.run(["check", "--read-data"]);
    assert!(found.exit == 20 && found.stdout.contains("damaged: index/"), "{}", found.stdout);
    put(&segment, &good);
    run(&["prune"], 0);
    run(&["index", "rebuild"], 0);
}
