//! Precedence of sources, and each source read once.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn world(variables: &[(&str, &str)]) -> Surroundings {
    Surroundings::isolated(variables)
}

fn flags(key_file: Option<&str>, file: Option<&str>, command: Option<&str>) -> CredentialFlags {
    CredentialFlags {
        key_file: key_file.map(PathBuf::from),
        password_file: file.map(PathBuf::from),
        password_command: command.map(str::to_owned),
    }
}

#[test]
fn a_flag_beats_every_variable() {
    let around = world(&[("MAINSTAY_PASSWORD", "x"), ("MAINSTAY_KEY_FILE", "k")]);
    let chosen = choose(&flags(None, Some("f"), None), &around);
    assert_eq!(chosen, Ok(Source::File("f".into())));
    let chosen = choose(&flags(None, None, Some("c")), &around);
    assert_eq!(chosen, Ok(Source::Command("c".into())));
    let chosen = choose(&flags(Some("k"), None, None), &around);
    assert_eq!(chosen, Ok(Source::KeyFile("k".into())));
}

#[test]
fn each_variable_is_a_source() {
    for (name, value, source) in [
        ("MAINSTAY_KEY_FILE", "k", Source::KeyFile("k".into())),
        ("MAINSTAY_PASSWORD", "x", Source::Variable),
        ("MAINSTAY_PASSWORD_FILE", "f", Source::File("f".into())),
        ("MAINSTAY_PASSWORD_COMMAND", "c d", Source::Command("c d".into())),
        ("MAINSTAY_PASSWORD_FD", "3", Source::Descriptor(3)),
    ] {
        assert_eq!(choose(&CredentialFlags::default(), &world(&[(name, value)])), Ok(source));
        let none = choose(&CredentialFlags::default(), &world(&[(name, "")]));
        assert_eq!(none.map_err(|fault| fault.exit_code().code()), Err(12), "{name} is empty");
    }
}

#[test]
fn two_sources_at_one_level_are_an_error_that_names_both() {
    let none = CredentialFlags::default();
    let two = world(&[("MAINSTAY_PASSWORD", "x"), ("MAINSTAY_PASSWORD_FD", "3")]);
    for result in [
        choose(&none, &two),
        choose(&flags(None, Some("f"), Some("c")), &world(&[])),
        choose(&flags(Some("k"), Some("f"), None), &world(&[])),
    ] {
        let fault = result.expect_err("because two sources were given");
        assert_eq!(fault.exit_code().code(), 2);
        assert!(fault.message().starts_with("both "), "{}", fault.message());
    }
    for bad in ["x", "-1", "4294967295"] {
        let fault = choose(&none, &world(&[("MAINSTAY_PASSWORD_FD", bad)]));
        assert_eq!(fault.map_err(|fault| fault.exit_code().code()), Err(2));
    }
}

#[test]
fn a_person_is_asked_only_if_there_is_one() {
    let none = CredentialFlags::default();
    let mut around = world(&[]);
    assert_eq!(choose(&none, &around).map_err(|f| f.exit_code().code()), Err(12));
    around.stdin_is_terminal = true;
    assert_eq!(choose(&none, &around), Ok(Source::Prompt));
    around.ask_hidden = Arc::new(|_| Err(std::io::ErrorKind::Interrupted.into()));
    assert_eq!(find(&none, &around).map_err(|f| f.exit_code().code()), Err(130));
}

#[test]
fn a_new_passphrase_is_asked_twice_and_must_agree() {
    let none = CredentialFlags::default();
    let mut around = world(&[]);
    around.stdin_is_terminal = true;
    around.ask_hidden = Arc::new(|_| Ok("correct horse battery".to_owned()));
    assert!(find_new(&none, &around, false).is_ok());
    let calls = AtomicUsize::new(0);
    around.ask_hidden =
        Arc::new(move |_| Ok(format!("correct horse {}", calls.fetch_add(1, Ordering::SeqCst))));
    assert_eq!(find_new(&none, &around, false).map_err(|f| f.exit_code().code()), Err(2));
    around.ask_hidden = Arc::new(|_| Ok("short".to_owned()));
    assert_eq!(find_new(&none, &around, false).map_err(|f| f.exit_code().code()), Err(2));
    assert!(find_new(&none, &around, true).is_ok());
    let key = flags(Some("k"), None, None);
    assert_eq!(find_new(&key, &around, true).map_err(|f| f.exit_code().code()), Err(2));
}

fn words(source: &Source, around: &Surroundings) -> Result<String, u8> {
    match read(source, around) {
        Ok(secret) => Ok(secret.expose().to_owned()),
        Err(fault) => Err(fault.exit_code().code()),
    }
}

#[test]
fn commands_run_without_a_shell() {
    let around = world(&[("PATH", "/usr/bin:/bin")]);
    let run = |line: &str| words(&Source::Command(line.to_owned()), &around);
    assert_eq!(run(r#"printf '%s\n' "a  b; $HOME""#), Ok("a  b; $HOME".to_owned()));
    assert_eq!(run("false"), Err(12));
    assert_eq!(run("true"), Err(12), "nothing printed is an empty passphrase");
    assert_eq!(run("/does/not/exist"), Err(12));
    assert_eq!(run("yes"), Err(12), "an endless printer is cut off");
    assert_eq!(run("printf 'open"), Err(2));
    assert_eq!(run("  "), Err(2));
}

#[test]
fn variables_and_descriptors_are_read() {
    let around = world(&[("MAINSTAY_PASSWORD", "from a variable")]);
    assert_eq!(words(&Source::Variable, &around), Ok("from a variable".to_owned()));
    let (reader, mut writer) = std::io::pipe().expect("because the test may make a pipe");
    writer.write_all(b"through a pipe\n").expect("because the pipe is empty");
    drop(writer);
    let fd = reader.as_raw_fd() as u32;
    assert_eq!(words(&Source::Descriptor(fd), &around), Ok("through a pipe".to_owned()));
}
