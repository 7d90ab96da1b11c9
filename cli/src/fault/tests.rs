//! The table from classes to exit codes, and what a user reads.

use super::*;
use crate::ui::Settings;
use crate::ui::output::Captured;

#[derive(Debug, thiserror::Error)]
#[error("cannot read pack {name}")]
struct Outer {
    name: &'static str,
    class: ErrorClass,
    source: Middle,
}

#[derive(Debug, thiserror::Error)]
#[error("request failed: connection reset")]
struct Middle {
    source: Inner,
}

#[derive(Debug, thiserror::Error)]
#[error("connection reset")]
struct Inner;

impl Classified for Outer {
    fn class(&self) -> ErrorClass {
        self.class
    }
}

fn outer(class: ErrorClass) -> Outer {
    Outer { name: "a\u{1b}b", class, source: Middle { source: Inner } }
}

#[test]
fn every_class_has_its_exit_code_and_name() {
    use Doing::{Find, Unlock, Work};
    for (class, doing, exit, code) in [
        (ErrorClass::Corrupt, Work, 20, "E_CORRUPT"),
        (ErrorClass::Corrupt, Unlock, 20, "E_CORRUPT"),
        (ErrorClass::Missing, Find, 10, "E_NO_REPOSITORY"),
        (ErrorClass::Missing, Unlock, 12, "E_KEY"),
        (ErrorClass::Missing, Work, 1, "E_MISSING"),
        (ErrorClass::Denied, Find, 24, "E_STORE_DENIED"),
        (ErrorClass::Denied, Unlock, 12, "E_KEY"),
        (ErrorClass::Denied, Work, 24, "E_STORE_DENIED"),
        (ErrorClass::Transient, Find, 24, "E_STORE"),
        (ErrorClass::Transient, Work, 24, "E_STORE"),
        (ErrorClass::Conflict, Work, 11, "E_BUSY"),
        (ErrorClass::Usage, Work, 2, "E_USAGE"),
        (ErrorClass::Newer, Find, 25, "E_NEWER"),
        (ErrorClass::Refused, Work, 23, "E_REFUSED"),
        (ErrorClass::Local, Work, 1, "E_LOCAL"),
        (ErrorClass::Interrupted, Work, 130, "E_INTERRUPTED"),
        (ErrorClass::Bug, Work, 1, "E_BUG"),
    ] {
        let fault = Fault::during(doing, &outer(class));
        assert_eq!((fault.exit_code().code(), fault.code()), (exit, code), "{class:?} {doing:?}");
    }
}

#[test]
fn codes_are_those_of_the_contract_and_unique() {
    let codes: Vec<_> = ExitCode::ALL.iter().map(|exit| exit.code()).collect();
    assert_eq!(codes, [0, 1, 2, 3, 10, 11, 12, 20, 21, 22, 23, 24, 25, 130]);
}

fn printed(json: bool, fault: &Fault) -> (String, String) {
    let (out, stdout) = Captured::output();
    let (err, stderr) = Captured::output();
    fault.print(&Ui::new(Settings { json, ..Settings::default() }, out, err));
    (stdout.text(), stderr.text())
}

#[test]
fn a_user_reads_what_why_and_what_next_without_repetition() {
    let fault = Fault::from(outer(ErrorClass::Transient)).hint("plug it in");
    assert_eq!(
        printed(false, &fault),
        (
            String::new(),
            "error: cannot read pack a\\x1bb\n  cause: request failed: connection reset\n  \
             try: plug it in\n"
                .to_owned()
        )
    );
}

#[test]
fn a_program_reads_one_line_on_standard_error() {
    let fault = Fault::from(outer(ErrorClass::Refused)).exit(ExitCode::Failed);
    assert_eq!(
        printed(true, &fault),
        (
            String::new(),
            concat!(
                r#"{"message_type":"exit_error","code":"E_REFUSED","#,
                r#""message":"cannot read pack a\u001bb","#,
                r#""causes":["request failed: connection reset"],"exit_code":1}"#,
                "\n"
            )
            .to_owned()
        )
    );
}
