//! Progress as text and as messages, with a clock that the test moves.

use engine::base::time::Timestamp;

use super::*;
use crate::ui::output::Captured;

#[derive(Default)]
struct Hand {
    now_s: AtomicU64,
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.now_s.load(Ordering::SeqCst))
    }
}

struct Stand {
    progress: Progress,
    clock: Arc<Hand>,
    cancel: Cancel,
    stdout: Captured,
    stderr: Captured,
}

fn stand(style: Style, json: bool, quiet: bool) -> Stand {
    let (out, stdout) = Captured::output();
    let (err, stderr) = Captured::output();
    let clock = Arc::new(Hand::default());
    let cancel = Cancel::default();
    let progress = Progress::start(Setup {
        style,
        json,
        quiet,
        changes: false,
        interval: Duration::from_secs(3600),
        stdout: out,
        stderr: err,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        cancel: cancel.clone(),
        speaker: Speaker::default(),
    });
    Stand { progress, clock, cancel, stdout, stderr }
}

fn path(text: &[u8]) -> TreePath {
    TreePath::from_slashes(text).expect("because the test wrote a valid path")
}

fn work(stand: &Stand) {
    let phase = Phase { name: "backing up", total_items: None, total_bytes: None };
    stand.progress.phase(&phase);
    stand.progress.totals(10, 4 << 20);
    stand.progress.add(Counter::Items, 3);
    stand.progress.add(Counter::Bytes, 1 << 20);
    stand.progress.current(&path(b"/home/a\nb"));
    stand.clock.now_s.store(8, Ordering::SeqCst);
}

fn unreadable() -> Problem {
    Problem { path: path(b"/x\x1b\xff"), action: "reading", why: "denied\u{1b}[2J".to_owned() }
}

#[test]
fn in_json_mode_status_goes_to_stdout_and_errors_to_stderr() {
    let stand = stand(Style::Json, true, false);
    stand.progress.shared.draw();
    assert_eq!(stand.stdout.text(), "", "nothing is known before the first phase");
    work(&stand);
    stand.progress.problem(&unreadable());
    stand.progress.shared.draw();
    assert_eq!(
        stand.stdout.text(),
        concat!(
            r#"{"message_type":"status","phase":"backing up","seconds_elapsed":8,"#,
            r#""seconds_remaining":24,"percent_done":0.25,"total_files":10,"files_done":3,"#,
            r#""total_bytes":4194304,"bytes_done":1048576,"error_count":1,"#,
            r#""current_files":["/home/a\\nb"]}"#,
            "\n"
        )
    );
    assert_eq!(
        stand.stderr.text(),
        concat!(
            r#"{"message_type":"error","error":{"message":"denied\u001b[2J"},"during":"reading","#,
            r#""item":"/x\\x1b\\xff","path":"/x\\x1b\\xff","path_b64":"L3gb/w=="}"#,
            "\n"
        )
    );
}

#[test]
fn plain_lines_and_escaped_problems_go_to_stderr() {
    let stand = stand(Style::Lines, false, false);
    work(&stand);
    stand.progress.problem(&unreadable());
    stand.progress.note("index rebuilt");
    stand.progress.shared.draw();
    assert_eq!(stand.stdout.text(), "");
    assert_eq!(
        stand.stderr.text(),
        "/x\\x1b\\xff: reading: denied\\x1b[2J\nindex rebuilt\n\
         backing up  25.0 %  1.00 MiB of 4.00 MiB  3 of 10 items  128 KiB/s  24s left  \
         1 problem\n"
    );
    assert_eq!(stand.progress.problem_count(), 1);
}

#[test]
fn quiet_shows_problems_and_nothing_else() {
    let stand = stand(Style::Hidden, false, true);
    work(&stand);
    stand.progress.note("index rebuilt");
    stand.progress.shared.draw();
    assert_eq!(stand.stderr.text(), "");
    stand.progress.problem(&unreadable());
    assert!(stand.stderr.text().starts_with("/x"));
}

#[test]
fn a_new_phase_counts_from_zero() {
    let stand = stand(Style::Lines, false, false);
    work(&stand);
    let next = Phase { name: "checking packs", total_items: Some(5), total_bytes: None };
    stand.progress.phase(&next);
    stand.progress.add(Counter::Items, 1);
    stand.progress.shared.draw();
    assert_eq!(stand.stderr.text(), "checking packs  20.0 %  1 of 5 items\n");
}

#[test]
fn a_stop_is_passed_on_and_announced_once() {
    let stand = stand(Style::Lines, false, false);
    assert!(!stand.progress.is_cancelled());
    stand.cancel.set();
    assert!(stand.progress.is_cancelled());
    assert!(stand.progress.is_cancelled());
    assert_eq!(stand.stderr.text().lines().count(), 1);
}

#[test]
fn the_helper_thread_keeps_the_pace_and_ends() {
    let (out, stdout) = Captured::output();
    let (err, _) = Captured::output();
    let progress = Progress::start(Setup {
        style: Style::Json,
        json: true,
        quiet: false,
        changes: false,
        interval: Duration::from_millis(20),
        stdout: out,
        stderr: err,
        clock: Arc::new(Hand::default()),
        cancel: Cancel::default(),
        speaker: Speaker::default(),
    });
    progress.phase(&Phase { name: "checking", total_items: None, total_bytes: None });
    std::thread::sleep(Duration::from_millis(200));
    drop(progress);
    let lines = stdout.text().lines().count();
    assert!((1..=10).contains(&lines), "{lines} lines in ten intervals");
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(stdout.text().lines().count(), lines, "nothing is drawn after the end");
}
