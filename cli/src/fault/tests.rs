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

/// What a user of any command meets, class by class: words, next step, code and exit code.
#[test]
fn every_class_has_its_words_its_code_and_its_exit_code() {
    let mut seen = String::new();
    for class in ErrorClass::ALL {
        for doing in [Doing::Find, Doing::Unlock, Doing::Work] {
            let fault = Fault::during(doing, &outer(class));
            let (exit, code) = (fault.exit_code().code(), fault.code());
            let hint = fault.hint.as_deref().unwrap_or("-");
            seen.push_str(&format!("{class:?} while {doing:?}: {exit} {code}\n  try: {hint}\n"));
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(seen));
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
