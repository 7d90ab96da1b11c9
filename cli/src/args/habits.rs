//! What people type who come from another program, and one line that helps.
//!
//! Only asked when the command line was not understood, so a command or an option that exists here
//! never needs an entry. What there is nothing to do about is done: scripts call `unlock` each night.

use std::ffi::OsString;

/// What to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habit {
    /// One line.
    pub words: &'static str,
    /// Whether there is nothing to do, so that the command has succeeded.
    pub is_done: bool,
}

/// Commands that other programs have.
const COMMANDS: [(&str, &str); 27] = [
    ("diff", "to compare two snapshots: `mainstay ls SNAP` of both, with --json for programs"),
    (
        "dump",
        "for one file: `mainstay cat SNAP:/path`; for a folder: `mainstay restore SNAP:/path --target DIR`",
    ),
    (
        "mount",
        "snapshots cannot be mounted: `mainstay ls`, `mainstay find` and `mainstay cat` look into them",
    ),
    (
        "copy",
        "for a second copy let the machines back up to both repositories, or copy the objects with the tools of the store",
    ),
    (
        "rewrite",
        "snapshots are never rewritten: `mainstay forget SNAP` and `mainstay prune` remove those that hold a file",
    ),
    (
        "repair",
        "`mainstay check` names what is damaged, `mainstay index rebuild` reads the index again, and the next backup stores what is missing",
    ),
    (
        "recover",
        "`mainstay snapshots --all` shows what is forgotten, `mainstay undelete ID` brings it back",
    ),
    ("rebuild-index", "the index is local: `mainstay index rebuild`"),
    ("reindex", "the index is local: `mainstay index rebuild`"),
    (
        "cache",
        "the local index is the only cache: `mainstay index rebuild`, or delete its folder at any time",
    ),
    ("migrate", "there is nothing to migrate: the repository has the format of this program"),
    (
        "self-update",
        "the program does not update itself: install the new version as you installed this one",
    ),
    (
        "upgrade",
        "the program does not update itself: install the new version as you installed this one",
    ),
    (
        "list",
        "`mainstay snapshots` lists snapshots, `mainstay key list` keys, `mainstay hold list` holds",
    ),
    ("generate", "`mainstay completions SHELL` and `mainstay man DIR`"),
    (
        "passwd",
        "`mainstay key add --role admin` makes a new passphrase, `mainstay key remove ID` removes the old one",
    ),
    ("create", "`mainstay backup PATH` makes a snapshot, `mainstay init` a repository"),
    ("extract", "`mainstay restore SNAP --target DIR`"),
    ("delete", "`mainstay forget SNAP`, then `mainstay prune`"),
    ("remove", "`mainstay forget SNAP`, then `mainstay prune`"),
    ("rm", "`mainstay forget SNAP`, then `mainstay prune`"),
    ("compact", "`mainstay prune` frees what no snapshot needs"),
    ("verify", "`mainstay check --read-data`; with proof: `mainstay drill SNAP`"),
    ("info", "`mainstay stats SNAP` and `mainstay snapshots`"),
    ("status", "`mainstay snapshots` and `mainstay check`"),
    ("config", "options of every command can stand in a file: --config FILE"),
    ("serve", "there is no server: machines reach the store themselves"),
];

/// Options that other programs have, by the command.
const OPTIONS: [(&str, &str, &str); 17] = [
    ("snapshots", "--last", "`mainstay snapshots --latest 1`"),
    (
        "snapshots",
        "--group-by",
        "snapshots are listed by time: choose with --host, --path and --tag",
    ),
    ("snapshots", "--compact", "`mainstay snapshots` has one line for each already"),
    ("ls", "--recursive", "`mainstay ls SNAP` lists everything below already"),
    ("ls", "-R", "`mainstay ls SNAP` lists everything below already"),
    ("find", "--oldest", "to look into one snapshot: `mainstay find PATTERN --time WHEN`"),
    ("find", "--newest", "to look into one snapshot: `mainstay find PATTERN --time WHEN`"),
    ("stats", "--mode", "`mainstay stats` says both: what snapshots hold and what is stored"),
    ("prune", "--max-repack-size", "--max-unused limits how much is rewritten"),
    ("prune", "--repack-uncompressed", "everything is compressed when it is stored"),
    ("tag", "--set", "`mainstay tag --add TAG --remove TAG SNAP`"),
    (
        "key",
        "passwd",
        "`mainstay key add --role admin` makes a new passphrase, `mainstay key remove ID` removes the old one",
    ),
    ("", "--no-lock", "there are no locks: leave --no-lock out"),
    ("", "--no-cache", "`--no-index` keeps nothing on this machine"),
    ("", "--insecure-tls", "certificates are always verified"),
    ("", "--cacert", "a certificate of your own must be among those that this machine trusts"),
    (
        "",
        "--password",
        "a passphrase does not belong on a command line: --password-file or --password-command",
    ),
];

/// Options of every command that take a value.
const WITH_VALUE: [&str; 12] = [
    "-r",
    "--repo",
    "-p",
    "--password-file",
    "--password-command",
    "--key-file",
    "--endpoint",
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
    let mut takes_value = false;
    let mut command = None;
    for (at, word) in words.iter().enumerate() {
        if std::mem::take(&mut takes_value) {
            continue;
        }
        takes_value = WITH_VALUE.contains(word);
        if !word.starts_with('-') {
            command = Some((at, *word));
            break;
        }
    }
    let (at, command) = command.unwrap_or((words.len(), ""));
    if command == "unlock" || command == "break-lock" {
        let words = "there are no locks in a repository: nothing to unlock";
        return Some(Habit { words, is_done: true });
    }
    let help = |words| Some(Habit { words, is_done: false });
    if let Some((_, words)) = COMMANDS.iter().find(|(name, _)| *name == command) {
        return help(*words);
    }
    let has = |option: &str| {
        let is_it = |word: &&str| word.split('=').next() == Some(option);
        words.iter().enumerate().any(|(place, word)| place != at && is_it(word))
    };
    let fits = |of: &str, option: &str| (of.is_empty() || of == command) && has(option);
    let found = OPTIONS.iter().find(|(of, option, _)| fits(of, option));
    found.and_then(|(_, _, words)| help(*words))
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
    fn each_habit_has_one_line_and_only_locks_are_done() {
        for (line, words) in [
            ("diff latest~1 latest", "ls SNAP"),
            ("dump latest /etc/fstab", "cat SNAP"),
            ("mount /mnt", "cannot be mounted"),
            ("copy --from-repo R2 latest", "second copy"),
            ("rewrite --exclude /x latest", "never rewritten"),
            ("-r repo -q self-update", "install the new version"),
            ("--repo diff cache --cleanup", "index rebuild"),
            ("list snapshots", "mainstay snapshots"),
            ("generate --bash-completion F", "completions"),
            ("key passwd", "key add"),
            ("snapshots --last", "--latest 1"),
            ("find --oldest=2026-01-01 x", "--time"),
            ("prune --max-unused 5% --max-repack-size 1G", "--max-unused"),
            ("snapshots --no-lock", "no locks"),
        ] {
            let habit = said(line).expect(line);
            assert!(habit.words.contains(words) && !habit.is_done, "{line}: {habit:?}");
            assert!(!habit.words.contains('\n'));
        }
        assert!(said("unlock").is_some_and(|habit| habit.is_done));
        assert_eq!(said("snapshot"), None);
        assert_eq!(said("-r diff"), None);
        assert_eq!(said(""), None);
    }
}
