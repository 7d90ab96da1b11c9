//! The agent as a process: killed, stopped, started twice.

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::by_itself::{configure, is_alive, messages, run, snapshots, status};
use crate::place::{Place, put};

fn start(place: &Place) -> Child {
    let mut command = place.command(["agent", "--json", "--config", "acme.toml"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, signal).expect("it is ours");
}

/// Ends it as systemd does, and answers its exit code and what it said.
fn stop(mut child: Child) -> (i32, Vec<Value>) {
    signal(&child, Signal::TERM);
    let mut text = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut text).expect("text");
    let status = child.wait().expect("it ends");
    (status.code().unwrap_or(-1), messages(&text))
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    for _ in 0..600 {
        if is_there() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    unreachable!("{what} did not come within half a minute");
}

/// Runs that are written down as done, from the agent's own words.
fn done(place: &Place) -> usize {
    let folder = std::fs::read_dir(place.path("state/agent")).expect("a folder");
    let path = folder.flatten().next().expect("one client").path().join("agent.sqlite");
    let state = agent::state::State::look_at(&path).expect("it can be read").expect("it is there");
    let rows = state.runs(10_000).expect("they can be read");
    let is_done = |row: &agent::state::RunRow| {
        row.verdict.as_ref().is_some_and(|verdict| verdict.outcome.has_snapshot())
    };
    rows.iter().filter(|row| is_done(row)).count()
}

#[test]
fn however_often_it_is_killed_each_slot_has_one_snapshot() {
    let place = Place::with_repository();
    configure(&place, "every 2s", "");
    for round in 0..12_u64 {
        let mut child = start(&place);
        // At any moment of its work: while it begins, while a backup runs, while it writes that down.
        std::thread::sleep(Duration::from_millis(150 + round * 211 % 1700));
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
    }
    let child = start(&place);
    let before = snapshots(&place);
    wait_for("another backup", || snapshots(&place) > before + 1);
    let (exit, _) = stop(child);
    assert_eq!(exit, 0);
    wait_for("the end of all runs", || {
        run(&place, &["run", "--due"]).exit == 0 && status(&place)["running"] == false
    });
    assert_eq!(snapshots(&place), done(&place), "snapshots beside slots that are done");
}

#[test]
fn a_second_agent_is_refused_and_the_first_goes_on() {
    let place = Place::with_repository();
    configure(&place, "every 1s", "");
    let child = start(&place);
    wait_for("a snapshot", || snapshots(&place) > 0);
    run(&place, &["agent"]).fails(11);
    run(&place, &["run", "--due"]).fails(11);
    let before = snapshots(&place);
    wait_for("another one", || snapshots(&place) > before);
    let (exit, told) = stop(child);
    assert_eq!(exit, 0);
    assert!(told.iter().all(|one| one["message_type"] == "run"), "{told:#?}");
}

#[test]
fn a_run_is_put_off_when_the_agent_stops_and_goes_on_afterwards() {
    let place = Place::with_repository();
    let pid = place.path("pid");
    let slow = format!(
        "[[source]]\nname = \"slow\"\ncommand = [\"sh\", \"-c\", \"echo $$ >{}; exec sleep 1000\"]",
        pid.display()
    );
    configure(&place, "every 1h", &slow);
    let child = start(&place);
    wait_for("the command", || std::fs::read_to_string(&pid).is_ok_and(|it| !it.is_empty()));
    assert_eq!(status(&place)["running"], true);
    assert_eq!(status(&place)["running"], true);
    let (exit, told) = stop(child);
    assert_eq!(exit, 0);
    assert_eq!(status(&place)["running"], false);
    let last = told.last().expect("it said something");
    assert_eq!(last["outcome"], "put-off", "{told:#?}");
    let pid = std::fs::read_to_string(pid).expect("it was written");
    let pid: u32 = pid.trim().parse().expect("a number");
    wait_for("the end of the command", || !is_alive(pid));
    assert_eq!(snapshots(&place), 0);
    // The same slot goes on, with the command that was corrected.
    let text = std::fs::read_to_string(place.path("acme.toml")).expect("it is there");
    put(&place.path("acme.toml"), text.replace("exec sleep 1000", "echo x").as_bytes());
    run(&place, &["run", "--due"]).expect(0);
    assert_eq!(snapshots(&place), 2);
    assert_eq!(done(&place), 1);
}

#[test]
fn a_file_that_is_corrected_is_read_again_and_a_broken_one_changes_nothing() {
    let place = Place::with_repository();
    configure(&place, "every 1s", "");
    let child = start(&place);
    wait_for("a snapshot", || snapshots(&place) > 0);
    put(&place.path("acme.toml"), b"client = 7\n");
    let before = snapshots(&place);
    wait_for("another one", || snapshots(&place) > before);
    configure(&place, "every 1s", "host = \"renamed\"");
    wait_for("the new host", || {
        place.run(["snapshots", "--json"]).expect(0).contains("\"hostname\":\"renamed\"")
    });
    assert_eq!(stop(child).0, 0);
}

#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    let place = Place::with_repository();
    configure(&place, "every 1h", "");
    let socket = place.path("notify");
    let heard = UnixDatagram::bind(&socket).expect("a socket");
    heard.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let mut command = place.command(["agent", "--config", "acme.toml"]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "1000000");
    let child = command.stdout(Stdio::piped()).spawn().expect("the program can be started");
    let hear = || {
        let mut text = [0; 1024];
        let length = heard.recv(&mut text).expect("it says something");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    assert!(hear().contains("READY=1"));
    assert!(hear().contains("WATCHDOG=1"));
    signal(&child, Signal::TERM);
    while !hear().contains("STOPPING=1") {}
    let mut child = child;
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn the_unit_is_written_and_systemd_would_take_it() {
    let place = Place::with_repository();
    configure(&place, "01:30", "");
    let printed = run(&place, &["schedule", "install", "--print"]).expect(0);
    let config = place.path("acme.toml").display().to_string();
    let line = printed.lines().find(|line| line.starts_with("ExecStart=")).expect("a command");
    assert!(line.ends_with(&format!("agent --config {config}")), "{line}");
    let folder = place.path("units").display().to_string();
    std::fs::create_dir(&folder).expect("a folder");
    run(&place, &["schedule", "install", "--no-start", "--unit-dir", &folder]).expect(0);
    let unit = place.path("units/mainstay-agent.service");
    assert_eq!(std::fs::read_to_string(&unit).expect("it was written"), printed);
    let verified = std::process::Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&unit)
        .output();
    match verified {
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!words.contains("mainstay-agent.service:"), "{words}");
        }
        Err(error) => assert!(!crate::place::is_complete(), "systemd-analyze: {error}"),
    }
    put(&place.path("acme.toml"), b"client = 7\n");
    run(&place, &["schedule", "install", "--print"]).fails(2);
}
