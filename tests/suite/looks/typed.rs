//! Nothing that is typed while a passphrase is wanted is shown, and the terminal is as before when the
//! program has ended, however it ended.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Place, Terminal};

const PROMPT: &str = "passphrase of the repository:";
/// Says whether the terminal shows what is typed: ` echo ` or ` -echo `.
const IS_SHOWN: &str = "stty -a | tr ';\\n' '  ' | grep -o -e ' -*echo '; ";

/// A repository whose passphrase takes a while to try.
fn slow() -> Place {
    let place = Place::empty();
    place.run(["init", "-q", "--no-probe", "--kdf-memory", "1GiB"]).expect(0);
    place
}

/// Snapshots of the repository, for a person at a terminal.
fn asked(place: &Place) -> Option<Terminal> {
    let mut command: Command = place.command(["snapshots"]);
    command.env_remove("MAINSTAY_PASSWORD");
    let terminal = Terminal::run(place, &command, IS_SHOWN)?;
    terminal.wait_for(&[PROMPT]);
    Some(terminal)
}

impl Terminal {
    fn type_in(&self, keys: &[&str]) {
        let sent = self.tmux(&["send-keys"]).args(keys).stderr(Stdio::null()).status();
        assert!(sent.is_ok_and(|status| status.success()), "tmux takes {keys:?}");
    }

    /// Types for a while, as somebody does who thinks that a key was not taken.
    fn type_too_early(&self) {
        for _ in 0..20 {
            self.type_in(&["-l", "Q"]);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn what_is_typed_while_a_passphrase_is_tried_is_not_shown() {
    let place = slow();
    let Some(terminal) = asked(&place) else { return };
    terminal.type_in(&["not the passphrase", "Enter"]);
    terminal.type_too_early();
    while terminal.screen(false).matches(PROMPT).count() < 2 {
        std::thread::sleep(Duration::from_millis(50));
    }
    // What came before the prompt was typed for nobody.
    terminal.type_in(&["correct horse battery staple", "Enter"]);
    terminal.type_too_early();
    let screen = terminal.wait_for(&["[ended 0]", " echo"]);
    assert!(!screen.contains('Q') && !screen.contains("-echo"), "{screen}");
}

#[test]
fn a_terminal_shows_what_is_typed_again_after_a_signal() {
    let place = slow();
    let Some(terminal) = asked(&place) else { return };
    terminal.type_in(&["not the passphrase", "Enter"]);
    std::thread::sleep(Duration::from_millis(150));
    terminal.type_in(&["C-c"]);
    let screen = terminal.wait_for(&["[ended 130]", " echo"]);
    assert!(!screen.contains("-echo"), "{screen}");
    drop(terminal);
    let Some(terminal) = asked(&place) else { return };
    let shell = terminal.tmux(&["list-panes", "-F", "#{pane_pid}"]).output().expect("tmux answers");
    let shell = String::from_utf8_lossy(&shell.stdout).trim().to_owned();
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let child =
        children.expect("it runs").split_whitespace().next().and_then(|pid| pid.parse().ok());
    let child = child.and_then(Pid::from_raw).expect("the shell waits for the program");
    kill_process(child, Signal::TERM).expect("it is ours");
    let screen = terminal.wait_for(&["[ended 130]", " echo"]);
    assert!(!screen.contains("-echo"), "{screen}");
}
