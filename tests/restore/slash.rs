//! Cases of restores to `/`: in a small root of their own, so that nothing else can be hurt.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use system_tests::trees::content::random_bytes;

use crate::machine::{Ran, run};
use crate::rules::{Case, PAST, Stage, Verdict, ends, fails, holds, kept, now, untouched};

/// Every case of this file.
pub(crate) const CASES: &[Case] = &[
    ("nothing is deleted in / for a part of a snapshot", a_part_deletes_nothing_in_slash),
    ("what / holds becomes what it was, and mounts stay", slash_becomes_what_it_was),
];

/// Mounts what a program needs, and runs it with another `/`.
const ENTER: &str = "mount --bind \"$2\" \"$1/machine\" && mount --bind \"$3\" \"$1/program\" && \
    mount --bind /usr \"$1/usr\" && mount -t proc proc \"$1/proc\" && root=$1 && shift 3 && \
    exec chroot \"$root\" \"$@\"";

/// A root in which the program runs.
struct Root {
    folder: PathBuf,
}

impl Root {
    fn new(stage: &Stage) -> Self {
        let folder = stage.place.join("root");
        for name in ["machine", "program", "usr", "proc", "tmp", "data"] {
            fs::create_dir_all(folder.join(name)).expect("a folder of ours");
        }
        for name in ["bin", "lib", "lib64"] {
            symlink(format!("usr/{name}"), folder.join(name)).expect("a link of ours");
        }
        Stage::file(&folder.join("data/a"), 1, 3_000);
        Stage::file(&folder.join("data/b"), 2, 3_000);
        Self { folder }
    }

    fn run(&self, stage: &Stage, key: &str, words: &[&str]) -> Ran {
        let program = PathBuf::from(stage.machine.restore(&[]).get_program());
        let program = program.canonicalize().expect("it is there");
        let (home, file) = (program.parent(), program.file_name());
        let (home, file) = (home.expect("it is a file"), file.expect("it has a name"));
        let mut command = Command::new("/usr/bin/unshare");
        command
            .args(["-m", "/bin/sh", "-c", ENTER, "sh"])
            .args([&self.folder, &stage.machine.folder])
            .arg(home)
            .arg(Path::new("/program").join(file))
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("MAINSTAY_REPOSITORY", "/machine/repository")
            .env("MAINSTAY_STATE_DIR", "/machine/slash")
            .env("MAINSTAY_KEY_FILE", format!("/machine/{key}"));
        run(command)
    }
}

fn a_part_deletes_nothing_in_slash(stage: &Stage) -> Verdict {
    Stage::file(&stage.source.join("c"), 3, 500);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    let root = Root::new(stage);
    let before = now(&root.folder);
    for options in [&["--delete"][..], &["--delete", "--dry-run"]] {
        let restore = ["restore", what.as_str(), "--target", "/", "--overwrite", "if-changed"];
        let words = [&restore, options].concat();
        fails(&root.run(stage, "restore.key", &words))?;
        untouched(&before, &root.folder)?;
    }
    holds(stage.machine.folder.join("repository").is_dir(), "the repository is gone")
}

fn slash_becomes_what_it_was(stage: &Stage) -> Verdict {
    let root = Root::new(stage);
    let words = ["backup", "-q", "--json", "-x", "/"];
    let saved = root.run(stage, "admin.key", &words);
    ends(&saved, 0)?;
    let line = saved.stdout.lines().last().unwrap_or_default();
    let line: Value = serde_json::from_str(line).expect("the result of a backup");
    let snapshot = line.get("snapshot_id").and_then(Value::as_str).expect("it has an id");
    let before = now(&root.folder);
    Stage::file(&root.folder.join("data/extra"), 4, 500);
    Stage::file(&root.folder.join("other/extra"), 5, 500);
    Stage::file(&root.folder.join("data/a"), 6, 700);
    fs::remove_file(root.folder.join("data/b")).expect("a file of ours");
    let count = fs::read_dir(stage.machine.folder.join("repository")).expect("it is there").count();
    let words = ["restore", snapshot, "--target", "/", "--delete", "--overwrite", "if-changed"];
    ends(&root.run(stage, "restore.key", &words), 0)?;
    kept(&before, &root.folder, &["bin", "lib", "lib64", "usr", "machine", "program", "proc"])?;
    for (name, seed) in [("data/a", 1), ("data/b", 2)] {
        let path = root.folder.join(name);
        let bytes = fs::read(&path).unwrap_or_default();
        holds(bytes == random_bytes(seed, 3_000), format!("{name} is not what it was"))?;
        let seconds = fs::metadata(&path).map_or(0, |meta| meta.mtime());
        holds(seconds == (PAST + seed) as i64, format!("{name} has another time"))?;
    }
    // The root of everything has no entry that says how complete its listing is.
    holds(root.folder.join("other/extra").exists(), "what lies directly in / is deleted")?;
    holds(!root.folder.join("data/extra").exists(), "a file that was not there is there")?;
    let left = fs::read_dir(stage.machine.folder.join("repository")).expect("it is there").count();
    holds(left >= count, "the repository lost something")
}
