//! The help of the program as a whole.

use clap::CommandFactory;

use crate::args::overview::{GROUPS, arrange, options};
use crate::command::Cli;

#[test]
fn every_command_is_in_one_group() {
    let command = Cli::command();
    let shown = command.get_subcommands().filter(|one| !one.is_hide_set());
    let mut there: Vec<&str> = shown.map(clap::Command::get_name).chain(["help"]).collect();
    let mut grouped: Vec<&str> =
        GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    there.sort_unstable();
    grouped.sort_unstable();
    assert_eq!(there, grouped);
}

#[test]
fn options_of_every_command_stand_in_one_place() {
    let mut root = arrange(Cli::command());
    root.build();
    let all = options();
    assert!(all.contains("--password-file <FILE>") && all.contains("--limit-upload"), "{all}");
    let mut waiting = vec![root];
    while let Some(mut command) = waiting.pop() {
        for text in [command.render_help(), command.render_long_help()] {
            let text = text.to_string();
            let is_there = text.contains("--limit-upload");
            assert_eq!(is_there, command.get_name() == "options", "{text}");
            assert!(is_there || text.contains("mainstay help options"), "{text}");
        }
        let inner = command.get_subcommands().filter(|one| one.get_name() != "help");
        waiting.extend(inner.cloned().collect::<Vec<_>>());
    }
}
