//! How long the program waits: for stores that take a request and say nothing, and after a signal.

#![expect(clippy::disallowed_methods, reason = "how long a program really took is the question")]

use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engine::base::limits::MIB;
use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Place, Ran, noise, put, ran};

/// A store that never answered is given up before this is over, on a machine that has much to do.
const OPENING_MAX: Duration = Duration::from_secs(13);
/// A signal is answered before this is over; most of it is what is promised.
const SIGNAL_MAX: Duration = Duration::from_millis(2_300);

/// Somebody who takes connections, reads what comes, and never answers.
fn mute() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let Ok(mut stream) = stream else { return };
                while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
            });
        }
    });
    address.to_string()
}

/// The command at a place in some cloud.
fn at(place: &Place, location: &str, endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = place.command(arguments);
    command
        .args(["--endpoint", endpoint])
        .env("MAINSTAY_REPOSITORY", location)
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AZURE_STORAGE_ACCOUNT_NAME", "account")
        .env("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")
        .env(
            "GOOGLE_SERVICE_ACCOUNT_KEY",
            format!(
                "{{\"gcs_base_url\": \"{endpoint}\", \"disable_oauth\": true, \"client_email\": \"\", \
                 \"private_key\": \"\", \"private_key_id\": \"\"}}"
            ),
        );
    command
}

fn timed(mut command: Command) -> (Duration, Ran) {
    let began = Instant::now();
    let run = ran(&mut command);
    (began.elapsed(), run)
}

#[test]
fn a_store_that_never_answers_is_given_up_by_every_command() {
    let place = Place::empty();
    std::fs::create_dir(place.path("source")).expect("a folder");
    let address = mute();
    let http = format!("http://{address}");
    let of_s3: [&[&str]; 15] = [
        &["init"],
        &["probe"],
        &["backup", "source"],
        &["snapshots"],
        &["ls", "latest"],
        &["find", "x"],
        &["cat", "latest:/x"],
        &["restore", "latest", "--target", "out"],
        &["check", "--read-data"],
        &["forget", "--keep-last", "1"],
        &["prune"],
        &["stats"],
        &["key", "list"],
        &["index", "rebuild"],
        &["drill", "latest"],
    ];
    let mut calls: Vec<(&str, String, &[&str])> =
        of_s3.iter().map(|line| ("s3://bucket/repo", http.clone(), *line)).collect();
    for location in ["az://bucket/repo", "gs://bucket/repo"] {
        calls.push((location, http.clone(), &["snapshots"]));
    }
    calls.push(("s3://bucket/repo", format!("https://{address}"), &["snapshots"]));
    let place = &place;
    std::thread::scope(|scope| {
        for (location, endpoint, line) in &calls {
            let address = &address;
            scope.spawn(move || {
                let (took, run) = timed(at(place, location, endpoint, line));
                let said = format!("{location} {line:?}: {took:?}\n{}", run.stderr);
                assert!(took < OPENING_MAX, "{said}");
                assert_eq!(run.exit, 24, "{said}");
                assert!(run.stderr.contains(address), "{said}");
            });
        }
    });
}

#[test]
fn a_store_that_never_answers_is_waited_for_as_long_as_is_wanted() {
    let place = Place::empty();
    let endpoint = format!("http://{}", mute());
    let line = ["snapshots", "--connect-timeout", "2s"];
    let (took, run) = timed(at(&place, "s3://bucket/repo", &endpoint, &line));
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert!(run.stderr.contains("within 2 s"), "{}", run.stderr);
    let words = place.run(["snapshots", "--connect-timeout", "0s"]).fails(2);
    assert!(words.contains("from 1s to 1h"), "{words}");
}

/// Sends the signal, and says how long it took to end, and how.
fn ended_by(signal: Signal, run: &mut Child) -> (Duration, Option<i32>) {
    assert!(run.try_wait().expect("it can be asked").is_none(), "it does not wait");
    let began = Instant::now();
    kill_process(Pid::from_child(run), signal).expect("it is ours");
    let ended = run.wait().expect("it ends");
    (began.elapsed(), ended.code())
}

fn quiet(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
}

#[test]
fn a_signal_is_answered_while_a_limited_line_is_waited_for() {
    let place = Place::with_repository();
    for number in 0..4 {
        put(&place.path("source").join(format!("old{number}")), &noise(3 * MIB));
    }
    place.backup();
    for number in 0..8 {
        let mut content = noise(3 * MIB);
        content.iter_mut().for_each(|byte| *byte ^= number + 1);
        put(&place.path("source").join(format!("new{number}")), &content);
    }
    let source = place.latest("");
    let uploads = ["backup", "source", "--limit-upload", "500"];
    let downloads = ["restore", &source, "--target", "out", "--limit-download", "500"];
    for signal in [Signal::INT, Signal::TERM] {
        for line in [&uploads[..], &downloads[..]] {
            let mut run = quiet(&mut place.command(line));
            std::thread::sleep(Duration::from_secs(3));
            let (took, exit) = ended_by(signal, &mut run);
            assert!(took < SIGNAL_MAX, "{line:?}: {took:?}");
            assert_eq!(exit, Some(130), "{line:?}");
        }
    }
    place.run(["check", "-q", "--read-data"]).expect(0);
    place.backup();
}

#[test]
fn a_signal_is_answered_while_nobody_reads_what_is_printed() {
    let place = Place::with_repository();
    for number in 0..3000 {
        put(&place.path("source").join(format!("a-long-name-of-a-file-{number}")), b"");
    }
    place.backup();
    for line in [&["ls", "-l", "latest"][..], &["find", "*"], &["cat", "latest:/x"]] {
        let mut command = place.command(line);
        let bytes = place.latest("folder/b.bin");
        if line[0] == "cat" {
            command = place.command(["cat", &bytes]);
        }
        // The pipe is full soon, and stays so.
        let mut run =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        std::thread::sleep(Duration::from_secs(2));
        let (took, exit) = ended_by(Signal::TERM, &mut run);
        assert!(took < SIGNAL_MAX, "{line:?}: {took:?}");
        assert_eq!(exit, Some(130), "{line:?}");
    }
}

/// Nothing was proved, and nothing was disproved: no record says either.
#[test]
fn a_signal_ends_a_drill_and_its_command_without_a_result() {
    let place = Place::with_repository();
    place.backup();
    let is_running = || {
        let processes = std::fs::read_dir("/proc").expect("Linux has it").flatten();
        let mut lines = processes.filter_map(|one| std::fs::read(one.path().join("cmdline")).ok());
        lines.any(|line| line.starts_with(b"sleep\0") && line.ends_with(b"62.0417\0"))
    };
    for signal in [Signal::INT, Signal::TERM] {
        let line = ["drill", "latest", "--kind", "full", "--command", "sleep 62.0417"];
        let mut run = quiet(&mut place.command(line));
        let began = Instant::now();
        while !is_running() && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(is_running(), "the command has not begun");
        let (took, exit) = ended_by(signal, &mut run);
        assert!(took < SIGNAL_MAX, "{signal:?}: {took:?}");
        assert_eq!(exit, Some(130), "{signal:?}");
        assert!(!is_running(), "{signal:?}: the command goes on");
    }
    let records = place.run(["evidence", "list", "--json"]).expect(0);
    assert_eq!(records.matches("\"event\":").count(), records.matches("\"drill-begun\"").count());
}
