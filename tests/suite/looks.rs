//! What a first look meets: lists and progress on a terminal of 80 columns, the page of `doctor`, and
//! what fingers type that know another program.

/// Every screen at 80 columns.
mod screens;
/// What is said in situations that a first look meets.
mod said;
/// What is typed at a prompt, and before it.
mod typed;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::place::{Place, is_complete, last_json, noise, put, ran};

/// The program on a terminal of 80 columns and 24 lines, as `tmux` draws it.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Runs a command line of the program there; `None` where there is no `tmux` and need not be.
    fn show(place: &Place, line: &[&str]) -> Option<Self> {
        Self::run(place, &place.command(line), "")
    }

    /// The same for a command, and what the shell does when it has ended.
    fn run(place: &Place, command: &Command, then: &str) -> Option<Self> {
        let has_tmux = Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_ok();
        assert!(has_tmux || !is_complete(), "tmux is not installed");
        if !has_tmux {
            return None;
        }
        let quoted =
            |text: &std::ffi::OsStr| format!("'{}'", text.to_string_lossy().replace('\'', "'\\''"));
        let mut script =
            // What ends the program does not end the shell.
            format!("trap : INT; cd {}; env -i TERM=screen", quoted(place.folder.path().as_os_str()));
        for (name, value) in command.get_envs() {
            let value = value.unwrap_or_default();
            script.push_str(&format!(" {}={}", name.to_string_lossy(), quoted(value)));
        }
        script.push_str(&format!(" {}", quoted(command.get_program())));
        command.get_args().for_each(|word| script.push_str(&format!(" {}", quoted(word))));
        script.push_str(&format!("; echo \"[ended $?]\"; {then}sleep 60\n"));
        put(&place.path("script"), script.as_bytes());
        let terminal = Self { socket: place.path("tmux") };
        // The server of the terminal before may still be on its way out.
        let begins = (0..40).any(|_| {
            let begun = terminal
                .tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24"])
                .arg("sh script")
                .current_dir(place.folder.path())
                .status();
            let begins = begun.is_ok_and(|status| status.success());
            if !begins {
                std::thread::sleep(Duration::from_millis(50));
            }
            begins
        });
        assert!(begins, "tmux begins");
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(arguments).env_remove("TMUX");
        command
    }

    /// What is on the screen, with its colours if they are wanted.
    fn screen(&self, colours: bool) -> String {
        let mut command = self.tmux(&["capture-pane", "-p"]);
        let output = if colours { command.arg("-e") } else { &mut command }.output();
        String::from_utf8_lossy(&output.expect("tmux answers").stdout).into_owned()
    }

    /// Lines of all that was printed, also above the screen, that the terminal had to break.
    fn broken_lines(&self) -> Vec<String> {
        let output = self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]).output();
        let text = String::from_utf8_lossy(&output.expect("tmux answers").stdout).into_owned();
        let is_broken = |line: &&str| line.trim_end().chars().count() > 80;
        text.lines().filter(is_broken).map(str::to_owned).collect()
    }

    /// The first screen that has all of it, asked for a while.
    fn wait_for(&self, parts: &[&str]) -> String {
        let mut screen = String::new();
        for _ in 0..600 {
            screen = self.screen(false);
            if parts.iter().all(|part| screen.contains(part)) {
                return screen;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        unreachable!("{parts:?} do not appear: {screen}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.tmux(&["kill-server"]).stderr(Stdio::null()).status();
    }
}

/// Two hosts, three snapshots; the last is partial where files can be kept from being read.
fn with_snapshots() -> Place {
    let place = Place::with_repository();
    place
        .run(["backup", "-q", "source", "--host", "other", "--tag", "nightly,a-long-tag"])
        .expect(0);
    place.backup();
    std::fs::remove_file(place.path("source/folder/c.txt")).expect("it is there");
    put(&place.path("source/a.txt"), b"changed");
    put(&place.path("source/new"), &noise(5000));
    place.backup();
    place
}

#[test]
fn snapshots_fit_eighty_columns() {
    let place = with_snapshots();
    let Some(terminal) = Terminal::show(&place, &["snapshots"]) else { return };
    let screen = terminal.wait_for(&["3 snapshots", "[ended 0]"]);
    let rows: Vec<_> = screen.lines().map(str::trim_end).filter(|row| !row.is_empty()).collect();
    assert!(rows[0].starts_with("ID        Made              Age"), "{screen}");
    assert!(rows[1].starts_with("host other, paths /"), "{screen}");
    // What does not fit behind a row stands below it; no row is broken by the terminal.
    assert_eq!(rows[3].trim(), "tags nightly,a-long-tag", "{screen}");
    assert!(rows[4].starts_with("host ") && rows.len() == 9, "{screen}");
    let last: Vec<_> = rows[6].split_whitespace().collect();
    // One is new, one changed, one is gone.
    assert_eq!(last[6..9], ["1", "1", "1"], "{screen}");
    assert!(terminal.screen(true).contains("\u{1b}[1mID"), "the heading is bold");
    drop(terminal);
    let Some(terminal) = Terminal::show(&place, &["snapshots", "--compact"]) else { return };
    let screen = terminal.wait_for(&["[ended 0]"]);
    assert_eq!(screen.lines().filter(|row| !row.trim().is_empty()).count(), 6, "{screen}");
}

#[test]
fn a_bar_fits_its_terminal_and_guesses_nothing_at_first() {
    let place = Place::with_repository();
    put(&place.path("source/folder").join("n".repeat(200)), &noise(6_000_000));
    place.run(["backup", "-q", "source/folder", "--tag", "first", "--dry-run"]).expect(0);
    let line = ["backup", "source", "--limit-upload", "500", "--pack-size", "4"];
    let Some(terminal) = Terminal::show(&place, &line) else { return };
    let early = terminal.wait_for(&["backing up  "]);
    assert!(!early.contains("left"), "{early}");
    let later = terminal.wait_for(&["saved in", "[ended 0]"]);
    // The bar is gone, and nothing of it is left behind.
    assert!(!later.contains("backing up"), "{later}");
    assert!(later.lines().next().is_some_and(|row| row.contains("saved in")), "{later}");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let place = with_snapshots();
    assert!(!place.run(["snapshots"]).expect(0).contains('\u{1b}'));
    let plain = ran(place.command(["snapshots"]).env("NO_COLOR", "1"));
    assert!(!plain.expect(0).contains('\u{1b}'));
}

#[test]
fn entries_can_be_listed_by_folder_and_sorted() {
    let place = with_snapshots();
    let source = place.path("source").display().to_string();
    let list = |line: &[&str]| {
        let text = place.run([&["ls", "latest"], line].concat()).expect(0);
        let names = text.lines().map(|name| name.strip_prefix(&source).unwrap_or(name).to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(list(&[&source]), ["/a.txt", "/folder", "/new"]);
    assert_eq!(list(&["-R", &source]), ["/a.txt", "/folder", "/folder/b.bin", "/new"]);
    let (folder, file) = (format!("{source}/folder"), format!("{source}/new"));
    assert_eq!(list(&[&folder, &file]), ["/folder/b.bin", "/new"]);
    let part = place.latest("");
    let sorted = |by: &[&str]| {
        let text = place.run([&["ls", &part], by].concat()).expect(0);
        text.lines()
            .map(|name| name.rsplit('/').next().unwrap_or(name).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(sorted(&["--sort", "size"])[..2], ["b.bin", "new"]);
    assert_eq!(sorted(&["--sort", "name", "--reverse"])[0], "new");
    assert_eq!(sorted(&["--sort", "time"]).len(), 4);
    let words = place.run(["ls", &part, &source]).fails(2);
    assert!(words.contains("SNAP PATH"), "{words}");
    place.run(["ls", "latest", "/not/there"]).fails(2);
}

#[test]
fn a_doctor_says_what_is_set_and_what_to_type_next() {
    let place = Place::with_repository();
    let page = place.run(["doctor"]).expect(0);
    for part in
        ["(MAINSTAY_REPOSITORY)", "role admin", "clock", "free", "next: mainstay backup PATH"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.lines().count() <= 20, "{page}");
    place.backup();
    let json = last_json(&place.run(["doctor", "--json"]).expect(0));
    assert_eq!((&json["ok"], &json["next"]), (&true.into(), &"mainstay drill latest".into()));
    let outcome = |json: &Value, name: &str| {
        let looks = json["looks"].as_array().cloned().unwrap_or_default();
        let look = looks.into_iter().find(|look| look["name"] == name);
        look.map(|look| look["outcome"].clone()).unwrap_or_default()
    };
    assert_eq!(outcome(&json, "clock"), "ok");
    // What is in the way is named, what to type too, and the exit code is that of every command.
    for (variable, value, exit, name, next) in [
        ("MAINSTAY_REPOSITORY", "not-there", 10, "store", "mainstay doctor"),
        ("MAINSTAY_REPOSITORY", "", 2, "repository", "mainstay -r /srv/backup init --kit kit.txt"),
        ("MAINSTAY_PASSWORD", "some other words", 12, "repository opens", "mainstay key test"),
    ] {
        let shown = ran(place.command(["doctor"]).env(variable, value));
        assert_eq!(shown.exit, exit, "{}{}", shown.stdout, shown.stderr);
        assert!(shown.stdout.contains("FAILED"), "{}", shown.stdout);
        assert!(shown.stdout.contains(&format!("next: {next}")), "{}", shown.stdout);
        let json = ran(place.command(["doctor", "--json"]).env(variable, value));
        assert_eq!(json.exit, exit);
        assert_eq!(outcome(&last_json(&json.stdout), name), "failed", "{}", json.stdout);
    }
}

#[test]
fn a_passphrase_is_changed_and_the_old_one_opens_nothing() {
    let place = Place::with_repository();
    put(&place.path("new"), b"another long passphrase\n");
    use std::os::unix::fs::PermissionsExt;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path("new"), private).expect("it is ours");
    place.run(["key", "passwd", "--new-password-file", "new"]).expect(0);
    place.run(["snapshots"]).fails(12);
    let with_new = |line: &[&str]| {
        ran(place.command([line, &["-p", "new"]].concat()).env_remove("MAINSTAY_PASSWORD"))
    };
    assert_eq!(with_new(&["key", "list", "--json"]).expect(0).matches("\"passphrase\"").count(), 2);
    with_new(&["key", "add", "--role", "admin", "--to-key-file", "admin.key"]).expect(0);
    let refused = place.run_with_key("admin.key", &["key", "passwd", "--new-password-file", "new"]);
    assert!(refused.fails(2).contains("is no passphrase"));
}

#[test]
fn caches_go_and_come_back() {
    let place = Place::with_repository();
    place.backup();
    let kept = place.run(["cache", "clean"]).expect(0);
    assert!(kept.contains("nothing to remove"), "{kept}");
    let line = ["cache", "clean", "--older-than", "0s", "--json"];
    let dry = last_json(&place.run([&line[..], &["-n"]].concat()).expect(0));
    let gone = last_json(&place.run(line).expect(0));
    assert_eq!(dry["bytes_removed"], gone["bytes_removed"]);
    assert!(gone["bytes_removed"].as_u64().is_some_and(|bytes| bytes > 10_000), "{gone}");
    assert_eq!(last_json(&place.run(line).expect(0))["removed"], Value::Array(Vec::new()));
    // It is read again, and nothing was lost.
    assert_eq!(place.backup()["data_blobs"], 0);
    // The machine is who it was: the next snapshot goes on where the last one ended.
    let listed = place.run(["key", "clients", "--json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
}

/// How a line that is typed out of habit ends: it does what was meant, or one line helps.
enum Ends {
    /// What was meant, with this exit code.
    As(i32),
    /// With a line that has these words.
    Saying(&'static str),
}

/// Lines that are typed without thinking; words in capitals stand for what a test has.
const HABITS: &[(&str, Ends)] = &[
    ("init", Ends::Saying("without `init`")),
    ("backup SOURCE", Ends::As(0)),
    (
        "backup -r repository SOURCE --tag t --exclude *.tmp --exclude-file F --exclude-caches --one-file-system",
        Ends::As(0),
    ),
    ("backup SOURCE --dry-run -vv", Ends::As(0)),
    ("backup --files-from list", Ends::As(0)),
    ("backup --stdin --stdin-filename f.sql --allow-empty", Ends::As(0)),
    ("backup --stdin-from-command -- echo db", Ends::As(0)),
    ("backup --stdin --stdin-filename a/b.sql", Ends::Saying("--stdin-filename b.sql")),
    ("snapshots --compact", Ends::As(0)),
    ("snapshots --latest 1", Ends::As(0)),
    ("snapshots --last", Ends::Saying("mainstay snapshots --latest 1")),
    ("snapshots --host h --path /p --tag t --group-by host", Ends::As(0)),
    ("ls ID", Ends::As(0)),
    ("ls ID SOURCE", Ends::As(0)),
    ("ls -l LATEST --tag t", Ends::As(0)),
    ("ls ID --recursive", Ends::As(0)),
    ("find *.txt", Ends::As(0)),
    ("find --oldest 2026-01-01 --newest 2026-02-01 x", Ends::Saying("--time WHEN")),
    ("diff latest~1 latest", Ends::As(0)),
    ("dump ID SOURCE/a.txt", Ends::As(0)),
    ("dump latest / -a tar", Ends::As(0)),
    ("mount SOURCE", Ends::Saying("name an empty folder")),
    ("umount SOURCE", Ends::Saying("fusermount3 -u")),
    ("restore ID --target x", Ends::As(0)),
    ("restore LATEST --tag t --target y", Ends::As(0)),
    ("restore ID --target z --include SOURCE/a.txt", Ends::As(0)),
    ("restore ID --target x --dry-run -vv --delete", Ends::Saying("--overwrite")),
    ("forget --keep-daily 7 --keep-weekly 5 --prune", Ends::As(0)),
    ("forget --keep-within 2y --group-by host", Ends::As(0)),
    ("prune --max-unused 5% --max-repack-size 1G", Ends::As(0)),
    ("check", Ends::As(0)),
    ("check --read-data-subset 10%", Ends::As(0)),
    ("stats --mode raw-data", Ends::Saying("`mainstay stats` says both")),
    ("stats ID", Ends::As(0)),
    ("tag --add t ID", Ends::Saying("mainstay tag add TAG SNAP")),
    ("key list", Ends::As(0)),
    ("key add", Ends::Saying("--role admin")),
    ("key remove 0000", Ends::Saying("mainstay key list")),
    ("copy --from-repo R2 latest", Ends::Saying("second copy")),
    ("rewrite --exclude /x latest", Ends::Saying("mainstay forget SNAP")),
    ("repair index", Ends::Saying("mainstay index rebuild")),
    ("rebuild-index", Ends::Saying("mainstay index rebuild")),
    ("unlock", Ends::As(0)),
    ("cache --cleanup", Ends::Saying("mainstay cache clean")),
    ("migrate", Ends::As(0)),
    ("self-update", Ends::Saying("install the new version")),
    ("list snapshots", Ends::Saying("mainstay snapshots")),
    ("cat config", Ends::Saying("mainstay doctor")),
    ("version", Ends::As(0)),
    ("generate --bash-completion F", Ends::Saying("mainstay completions SHELL")),
    ("-r s3:https://host/bucket/path snapshots", Ends::As(24)),
    ("-r sftp:user@host:/path snapshots", Ends::Saying("sshfs")),
    ("-r rest:http://host:8000/ snapshots", Ends::Saying("s3://BUCKET/PREFIX")),
    ("-r b2:bucket:path snapshots", Ends::Saying("backblazeb2.com")),
    ("forget ID --confirm-mass-delete 1", Ends::As(0)),
];

#[test]
fn habits_do_what_was_meant_or_get_a_line_that_helps() {
    let place = with_snapshots();
    place.run(["key", "add", "--role", "admin", "--to-key-file", "admin.key"]).expect(0);
    put(&place.path("F"), b"*.bak\n");
    put(&place.path("list"), place.path("source").display().to_string().as_bytes());
    let id = place.backup()["snapshot_id"].as_str().expect("an id").to_owned();
    let (source, latest) = (place.path("source").display().to_string(), place.latest(""));
    for (line, ends) in HABITS {
        let line = line.replace("SOURCE", &source).replace("LATEST", &latest).replace("ID", &id);
        let words: Vec<_> = line.split(' ').collect();
        let mut command = place.command(&words);
        if words[0] != "init" {
            // Quicker than stretching a passphrase each time.
            command.env_remove("MAINSTAY_PASSWORD");
            command.env("MAINSTAY_KEY_FILE", place.path("admin.key"));
        }
        command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
        let run = ran(&mut command);
        let shown = format!("{line}: exit {}\n{}{}", run.exit, run.stdout, run.stderr);
        match ends {
            Ends::As(exit) => assert_eq!(run.exit, *exit, "{shown}"),
            Ends::Saying(words) => {
                let tip = run.stderr.lines().find(|said| said.starts_with("  try: "));
                assert!(tip.is_some_and(|tip| tip.contains(words)), "{shown}");
                assert!(run.exit != 0 && !run.stderr.contains("tip:"), "{shown}");
            }
        }
    }
}
