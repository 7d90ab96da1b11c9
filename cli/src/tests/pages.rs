//! Pages of the manual and completions are in step with the command line: what a package holds is what
//! the program prints, and that has every command and every option.

use clap::CommandFactory;

use super::mainstay;
use crate::command::Cli;

/// Each command that is shown, with the words that name it.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    let mut root = Cli::command();
    root.build();
    let mut waiting = vec![(vec!["mainstay".to_owned()], root)];
    let mut all = Vec::new();
    while let Some((words, command)) = waiting.pop() {
        for one in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            if one.get_name() != "help" {
                let words = words.iter().cloned().chain([one.get_name().to_owned()]);
                waiting.push((words.collect(), one.clone()));
            }
        }
        all.push((words, command));
    }
    all
}

/// The long options that a command shows.
fn options(command: &clap::Command) -> Vec<String> {
    let shown = command.get_arguments().filter(|one| !one.is_hide_set());
    shown.filter_map(|one| one.get_long().map(str::to_owned)).collect()
}

#[test]
fn the_manual_has_every_command_and_every_option() {
    let folder = tempfile::tempdir().expect("because the test has a temporary folder");
    let seen = mainstay(&format!("man --dir {}", folder.path().display()), &[]);
    assert_eq!(seen.exit, 0, "{}", seen.stderr);
    let commands = commands();
    for (words, command) in &commands {
        let page = folder.path().join(format!("{}.1", words.join("-")));
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        assert!(text.contains(".TH mainstay"), "{}", page.display());
        // As roff writes it: a dash that is typed has a backslash before it.
        let text = text.replace("\\-", "-");
        for option in options(command) {
            assert!(text.contains(&format!("--{option}")), "--{option} of {}", words.join(" "));
        }
    }
    let pages = std::fs::read_dir(folder.path()).expect("because it was written").count();
    assert_eq!(pages, commands.len(), "no page of a command that is not there");
}

#[test]
fn completions_have_every_command_and_every_option() {
    for shell in ["bash", "zsh", "fish"] {
        let script = mainstay(&format!("completions {shell}"), &[]).stdout;
        for (words, command) in commands() {
            let name = words.last().expect("because the program has a name");
            assert!(script.contains(name.as_str()), "{shell}: {name}");
            for option in options(&command) {
                let is_there = match shell {
                    "fish" => script.contains(&format!("-l {option}")),
                    _ => script.contains(&format!("--{option}")),
                };
                assert!(is_there, "{shell}: --{option} of {}", words.join(" "));
            }
        }
    }
}
