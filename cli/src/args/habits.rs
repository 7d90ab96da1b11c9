//! What people type who come from another program, and one line that helps.
//!
//! Only asked when the command line was not understood, so a command or an option that exists here
//! never needs an entry. What there is nothing to do about is done: scripts call `unlock` each night.

/// Which words belong to what.
mod tables;

use std::ffi::OsString;

use crate::args::habits::tables::{COMMANDS, DONE, OPTIONS};

/// What to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habit {
    /// One line.
    pub words: &'static str,
    /// Whether there is nothing to do, so that the command has succeeded.
    pub is_done: bool,
}

/// Options of every command that take a value.
const WITH_VALUE: [&str; 13] = [
    "-r",
    "--repo",
    "-p",
    "--password-file",
    "--password-command",
    "--key-file",
    "--endpoint",
    "--connect-timeout",
    "--cache-dir",
    "--limit-upload",
    "--limit-download",
    "--timestamp-url",
    "--config",
];

/// The line for a command line that was not understood, if it is one of another program.
#[must_use]
pub fn find(arguments: &[OsString]) -> Option<Habit> {
    let words: Vec<&str> = arguments.iter().skip(1).map_while(|word| word.to_str()).collect();
    let (at, command) = command(&words)?;
    // Repositories of other programs are given as `::archive`.
    let plain = |word: &&&str| !word.starts_with(['-', ':']);
    let second = words.get(at + 1..).unwrap_or_default().iter().find(plain);
    let pair = second.map(|second| format!("{command} {second}")).unwrap_or_default();
    let in_table = |table: &[(&str, &'static str)]| {
        let of = |wanted: &str| table.iter().find(|(name, _)| *name == wanted).map(|row| row.1);
        of(&pair).or_else(|| of(command))
    };
    if let Some(words) = in_table(DONE) {
        return Some(Habit { words, is_done: true });
    }
    let help = |words| Some(Habit { words, is_done: false });
    // What exists here has its own errors, which say more.
    let is_bare = words.len() == at + 1;
    let is_ours = OURS.iter().any(|(group, member)| {
        *group == command && (is_bare || second.is_some_and(|second| second == member))
    });
    if let Some(words) = in_table(COMMANDS).filter(|_| !is_ours) {
        return help(words);
    }
    let has = |option: &str| {
        let is_it = |word: &&str| word.split('=').next() == Some(option);
        words.iter().enumerate().any(|(place, word)| place != at && is_it(word))
    };
    if pair == "key add" && !has("--role") {
        return help(
            "say what the key may do: `mainstay key add --role admin` for a second passphrase",
        );
    }
    let fits = |of: &str, option: &str| (of.is_empty() || of == command) && has(option);
    let found = OPTIONS.iter().find(|(of, option, _)| fits(of, option));
    found.and_then(|(_, _, words)| help(*words))
}

/// Commands of ours that begin like one of another program.
const OURS: [(&str, &str); 2] = [("cache", "clean"), ("policy", "simulate")];

/// The first word that is no option and no value of one.
fn command<'w>(words: &[&'w str]) -> Option<(usize, &'w str)> {
    let mut takes_value = false;
    for (at, word) in words.iter().enumerate() {
        if std::mem::take(&mut takes_value) {
            continue;
        }
        takes_value = WITH_VALUE.contains(word);
        if !word.starts_with('-') {
            return Some((at, word));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Option<Habit> {
        let words: Vec<_> =
            std::iter::once("x").chain(line.split(' ')).map(OsString::from).collect();
        find(&words)
    }

    #[test]
    fn each_habit_has_one_line_and_only_what_is_needless_is_done() {
        for (line, words) in [
            ("umount /mnt", "fusermount3 -u"),
            ("copy --from-repo R2 latest", "second copy"),
            ("rewrite --exclude /x latest", "never rewritten"),
            ("-r repo -q self-update", "install the new version"),
            ("--repo mount cache --cleanup", "cache clean"),
            ("repair index", "mainstay index rebuild"),
            ("repair packs 1", "next backup"),
            ("snapshot create /x", "mainstay backup"),
            ("repository connect s3", "-r LOCATION"),
            ("policy set --keep-daily 7", "[retention]"),
            ("list ::archive", "mainstay snapshots"),
            ("tag --add t latest", "tag add TAG"),
            ("key add", "--role admin"),
            ("cat config", "key test"),
            ("restore latest --target x --delete", "--overwrite"),
            ("list snapshots", "mainstay snapshots"),
            ("generate --bash-completion F", "completions"),
            ("passwd", "key passwd"),
            ("snapshots --last", "--latest 1"),
            ("find --oldest=2026-01-01 x", "--time"),
            ("prune --keep-daily 7", "mainstay forget"),
            ("snapshots --no-lock", "no locks"),
        ] {
            let habit = said(line).expect(line);
            assert!(habit.words.contains(words) && !habit.is_done, "{line}: {habit:?}");
            assert!(!habit.words.contains('\n'));
        }
        for line in ["unlock", "unlock --remove-all", "break-lock ::x", "migrate", "list locks"] {
            assert!(said(line).is_some_and(|habit| habit.is_done), "{line}");
        }
        for line in [
            "cache",
            "policy",
            "snapshotz",
            "cache clean --x",
            "policy simulate --x",
            "key add --role x",
        ] {
            assert_eq!(said(line), None, "{line}");
        }
        assert_eq!(said("-r mount"), None);
        assert_eq!(said(""), None);
    }
}
