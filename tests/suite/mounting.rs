//! Snapshots as folders of the real kernel.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engine::base::limits::MIB;
use system_tests::compare::compare;
use system_tests::trees::{put, set_mtime};

use crate::place::{Place, is_complete, noise};

mod drawn;

/// Whether anything can be mounted here; where everything must be there, it can.
fn can_mount() -> bool {
    let can = Path::new("/dev/fuse").exists() && rustix::process::geteuid().is_root();
    assert!(can || !is_complete(), "no /dev/fuse, or not root");
    can
}

/// A mount that is gone when the test is, however it ends.
struct Mounted {
    child: Child,
    folder: PathBuf,
}

impl Mounted {
    fn at(place: &Place, more: &[&str]) -> Self {
        let folder = place.path("mnt");
        let _ = fs::create_dir(&folder);
        let mut command = place.command(["mount", "mnt", "--json", "--refresh", "1s"]);
        command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let stdout = child.stdout.take().expect("it is piped");
        let mut mounted = Self { child, folder };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("it says something");
        if !line.contains("\"mounted\"") {
            let _ = mounted.child.wait();
            unreachable!("{}", mounted.said());
        }
        mounted
    }

    fn said(&mut self) -> String {
        let mut said = String::new();
        let pipe = self.child.stderr.as_mut().expect("it is piped");
        pipe.read_to_string(&mut said).expect("text");
        said
    }

    /// The same path in the latest snapshot.
    fn latest(&self, path: &Path) -> PathBuf {
        self.folder.join("latest").join(path.strip_prefix("/").expect("an absolute path"))
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Ends within a few seconds with this code, and leaves nothing mounted.
    fn ends(mut self, exit: i32) -> String {
        let code = within(10, || self.child.try_wait().expect("it can be waited for"));
        let said = self.said();
        assert_eq!(code.code(), Some(exit), "{said}");
        assert!(!is_mounted(&self.folder), "{said}");
        said
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = rustix::mount::unmount(&self.folder, rustix::mount::UnmountFlags::DETACH);
    }
}

#[expect(clippy::disallowed_methods, reason = "tests wait for processes")]
fn within<T>(seconds: u64, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(seconds), "not within {seconds} s");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_mounted(folder: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("there is /proc");
    mounts.lines().any(|line| line.split(' ').nth(1) == folder.to_str())
}

fn said_by(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// What file systems have trouble with.
fn hard_tree(place: &Place) -> PathBuf {
    let source = place.path("hard");
    put(&source.join("empty"), b"");
    put(&source.join("small"), b"small");
    put(&source.join("large"), &noise(9 * MIB + 77));
    put(&source.join("folder").join("n".repeat(255)), b"a long name");
    let deep = (0..40).fold(source.clone(), |path, _| path.join("a-folder-with-a-long-name"));
    put(&deep.join("deep"), b"deep");
    for number in 0..3000 {
        put(&source.join(format!("many/file {number}")), b"x");
    }
    fs::create_dir(source.join("nothing in it")).expect("a folder");
    fs::hard_link(source.join("large"), source.join("zz-large-again")).expect("one disk");
    symlink("small", source.join("link")).expect("the place is free");
    symlink("x/".repeat(150), source.join("long-link")).expect("the place is free");
    for (name, mode) in [("small", 0o4751), ("empty", 0), ("nothing in it", 0o1777)] {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(source.join(name), mode).expect("ours");
    }
    set_mtime(&source.join("folder"), 86_400);
    let holes = fs::File::create(source.join("holes")).expect("a file");
    holes.write_all_at(&noise(300_000), 5 * MIB as u64).expect("there is room");
    holes.write_all_at(b"near the end", 20 * MIB as u64).expect("there is room");
    holes.set_len(32 * MIB as u64).expect("a hole");
    let flags = rustix::fs::XattrFlags::empty();
    // Not every file system has them.
    let _ = rustix::fs::setxattr(source.join("small"), "user.note", b"a \0 value\n", flags);
    let _ = Command::new("setfacl").args(["-m", "u:1234:rx"]).arg(source.join("folder")).status();
    let odd = std::os::unix::ffi::OsStrExt::from_bytes(b"odd \xff\xfe\n name");
    put(&source.join::<&std::ffi::OsStr>(odd), b"odd");
    source
}

#[test]
fn a_hard_tree_is_shown_as_it_was() {
    if !can_mount() {
        return;
    }
    let place = Place::with_repository();
    let source = hard_tree(&place);
    place.run(["backup", "-q", "hard"]).expect(0);
    let mounted = Mounted::at(&place, &[]);
    let shown = mounted.latest(&source);
    let said =
        said_by(Command::new("diff").args(["-r", "--no-dereference"]).args([&source, &shown]));
    assert_eq!(said, "");
    let differences = compare(&source, &shown).expect("both can be read");
    assert!(differences.is_empty(), "{differences:#?}");
    let mut rsync = Command::new("rsync");
    rsync.args(["-naHAXSi", "--checksum", "--delete"]);
    rsync.arg(source.join("")).arg(shown.join(""));
    assert_eq!(said_by(&mut rsync), "");
    // Holes are holes, and nothing counts as nothing.
    let holes = shown.join("holes").metadata().expect("it is there");
    assert!(holes.blocks() * 512 < MIB as u64, "{}", holes.blocks());
    let file = fs::File::open(shown.join("holes")).expect("it can be opened");
    let data = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(0)).expect("there is data");
    assert!((4 * MIB as u64..=5 * MIB as u64).contains(&data), "{data}");
    let kept = ErrorKind::ReadOnlyFilesystem;
    let refused = fs::File::create(shown.join("new")).expect_err("it is read only");
    assert_eq!(refused.kind(), kept);
    let copy = place.path("copy");
    assert_eq!(said_by(Command::new("cp").arg("-a").args([&shown, &copy])), "");
    let differences = compare(&source, &copy).expect("both can be read");
    assert!(differences.is_empty(), "{differences:#?}");
    mounted.signal(rustix::process::Signal::TERM);
    mounted.ends(0);
}

#[test]
fn four_readers_get_every_byte() {
    if !can_mount() {
        return;
    }
    let place = Place::with_repository();
    let source = place.path("data");
    for name in ["a", "b", "c", "d"] {
        let mut bytes = noise(24 * MIB);
        bytes[..1000].fill(name.as_bytes()[0]);
        bytes.rotate_left(name.len() + name.as_bytes()[0] as usize * 70_000);
        put(&source.join(name), &bytes);
    }
    place.run(["backup", "-q", "data"]).expect(0);
    let mounted = Mounted::at(&place, &[]);
    let sum = |folder: PathBuf, name: &str| {
        said_by(Command::new("sha256sum").arg(name).current_dir(folder))
    };
    std::thread::scope(|scope| {
        let shown = mounted.latest(&source);
        for name in ["a", "b", "c", "d"] {
            let (shown, source, sum) = (shown.clone(), source.clone(), &sum);
            scope.spawn(move || assert_eq!(sum(shown, name), sum(source, name)));
        }
    });
    mounted.signal(rustix::process::Signal::INT);
    mounted.ends(0);
}

#[test]
fn it_ends_when_it_is_asked_to_whoever_works_in_it() {
    if !can_mount() {
        return;
    }
    let place = Place::with_repository();
    place.backup();
    // Somebody stands in it.
    let mounted = Mounted::at(&place, &[]);
    let shown = mounted.latest(&place.path("source"));
    let mut inside = Command::new("sleep").arg("60").current_dir(&shown).spawn().expect("it runs");
    let open = fs::File::open(shown.join("a.txt")).expect("it can be opened");
    mounted.signal(rustix::process::Signal::TERM);
    let said = mounted.ends(0);
    assert!(said.contains("somebody still works in it"), "{said}");
    drop(open);
    inside.kill().and_then(|()| inside.wait()).expect("it ran");
    // Somebody else unmounts.
    let mounted = Mounted::at(&place, &[]);
    let said = said_by(Command::new("fusermount3").arg("-u").arg(&mounted.folder));
    assert_eq!(said, "");
    mounted.ends(0);
    // Nobody can unmount any more.
    let mut mounted = Mounted::at(&place, &[]);
    mounted.child.kill().and_then(|()| mounted.child.wait()).expect("it ran");
    let said = place.run(["mount", "mnt"]).fails(2);
    assert!(
        said.contains("is what is left of a mount") && said.contains("fusermount3 -u"),
        "{said}"
    );
    let said = said_by(Command::new("fusermount3").arg("-u").arg(&mounted.folder));
    assert_eq!(said, "");
    drop(mounted);
    let mounted = Mounted::at(&place, &[]);
    // Twice at one place is none.
    let said = place.run(["mount", "mnt"]).fails(2);
    assert!(said.contains("something is mounted"), "{said}");
    mounted.signal(rustix::process::Signal::HUP);
    mounted.ends(0);
}

#[test]
fn a_store_that_goes_away_gives_errors_until_it_is_back() {
    if !can_mount() {
        return;
    }
    let place = Place::with_repository();
    place.backup();
    let mounted = Mounted::at(&place, &[]);
    let shown = mounted.latest(&place.path("source"));
    let (repository, away) = (place.path("repository"), place.path("away"));
    fs::rename(&repository, &away).expect("a folder of ours");
    let error = fs::read(shown.join("folder/b.bin")).expect_err("there is no store");
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()));
    fs::rename(&away, &repository).expect("a folder of ours");
    let read = fs::read(shown.join("folder/b.bin")).expect("the store is back");
    assert!(read == noise(300_000));
    // What was read is there, and what was not is not.
    fs::rename(&repository, &away).expect("a folder of ours");
    assert!(fs::read(shown.join("folder/b.bin")).expect("it is in the cache") == read);
    mounted.signal(rustix::process::Signal::TERM);
    let said = mounted.ends(0);
    assert!(said.contains("is not there") && said.contains("folder"), "{said}");
}

#[test]
fn damage_costs_what_is_damaged() {
    if !can_mount() {
        return;
    }
    let place = Place::with_repository();
    let bytes = noise(40 * MIB);
    for (number, part) in bytes.chunks(4 * MIB).enumerate() {
        put(&place.path("data").join(format!("{number}")), part);
    }
    place.run(["backup", "-q", "data"]).expect(0);
    let pack = place.largest("data");
    let mut file = fs::OpenOptions::new().write(true).open(&pack).expect("a pack");
    file.seek(SeekFrom::Start(pack.metadata().expect("a pack").len() / 2)).expect("it is long");
    file.write_all(&[0x5a; 64]).expect("there is room");
    let mounted = Mounted::at(&place, &[]);
    let shown = mounted.latest(&place.path("data"));
    let (mut whole, mut broken) = (0, 0);
    for (number, part) in bytes.chunks(4 * MIB).enumerate() {
        let path = shown.join(format!("{number}"));
        match fs::read(&path) {
            Ok(read) => {
                assert!(read == part, "{number}");
                whole += 1;
            }
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()));
                broken += 1;
                let file = fs::File::open(path).expect("it can be opened");
                let readable = part.chunks(64 << 10).enumerate().filter(|(at, wanted)| {
                    let mut read = vec![0; wanted.len()];
                    let outcome = file.read_exact_at(&mut read, (*at as u64) << 16);
                    assert!(outcome.is_err() || read == *wanted, "{number}: {at}");
                    outcome.is_ok()
                });
                let readable = readable.count();
                assert!(readable > 20, "{readable} stretches of 64 can be read");
            }
        }
    }
    assert!(whole >= 8 && broken >= 1, "{whole} whole, {broken} broken");
    mounted.signal(rustix::process::Signal::TERM);
    let said = mounted.ends(0);
    assert!(said.contains("damaged"), "{said}");
}

fn names(folder: &Path) -> Vec<String> {
    let items = fs::read_dir(folder).expect("a folder").map(|item| item.expect("an item"));
    let mut names: Vec<_> =
        items.map(|item| item.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn snapshots_come_and_go_while_it_is_mounted() {
    if !can_mount() {
        return;
    }
    let place = Place::with_repository();
    place.run(["backup", "-q", "source", "--host", "../web", "--tag", "a/b,..,x%"]).expect(0);
    let mounted = Mounted::at(&place, &[]);
    let at = |path: &str| mounted.folder.join(path);
    assert_eq!(names(&mounted.folder), ["hosts", "ids", "latest", "tags", "times"]);
    assert_eq!(names(&at("hosts")), ["..%2Fweb"]);
    assert_eq!(names(&at("tags")), ["%2E%2E", "a%2Fb", "x%25"]);
    let first = names(&at("ids"));
    let source = place.path("source");
    let below = source.strip_prefix("/").expect("absolute");
    for shelf in ["hosts/..%2Fweb/latest", "tags/a%2Fb/latest", "latest"] {
        assert!(fs::read(at(shelf).join(below).join("a.txt")).expect("a file").len() == 100);
    }
    // The second one has the clock's next second at least.
    std::thread::sleep(Duration::from_millis(1100));
    put(&source.join("new.txt"), b"new");
    let summary = place.backup();
    let id = summary["snapshot_id"].as_str().expect("an id");
    within(10, || at("latest").join(below).join("new.txt").exists().then_some(()));
    assert_eq!(names(&at("ids")).len(), 2);
    assert_eq!(names(&at("hosts")).len(), 2);
    // Any digits of an id lead to it, where only one begins with them.
    assert!(at("ids").join(id).join(below).join("new.txt").exists(), "{id}");
    assert!(!at("ids").join("zz").exists());
    let old = at("hosts/..%2Fweb/latest").join(below);
    assert!(!old.join("new.txt").exists() && old.join("a.txt").exists());
    place.run(["forget", "-q", &first[0]]).expect(0);
    within(10, || (names(&at("hosts")).len() == 1).then_some(()));
    assert!(!at("ids").join(&first[0]).exists());
    mounted.signal(rustix::process::Signal::TERM);
    mounted.ends(0);
    let mounted = Mounted::at(&place, &["--snapshot", id]);
    assert_eq!(names(&mounted.folder.join("ids")).len(), 1);
}

#[test]
fn a_folder_that_will_not_do_is_refused() {
    let place = Place::with_repository();
    place.backup();
    fs::create_dir(place.path("repository/inside")).expect("a folder");
    fs::create_dir(place.path("state/inside")).expect("a folder");
    for (folder, words) in [
        ("missing", "is not there"),
        ("source", "is not empty"),
        ("source/a.txt", "is no folder"),
        ("repository/inside", "lie in one another"),
        ("state/inside", "lie in one another"),
    ] {
        let said = place.run(["mount", folder]).fails(2);
        assert!(said.contains(words) && said.contains("try: "), "{said}");
    }
    fs::create_dir(place.path("mnt")).expect("a folder");
    let key = ["key", "add", "--role", "maintain", "--to-key-file", "maintain.key", "-q"];
    place.run(key).expect(0);
    let said = place.run_with_key("maintain.key", &["mount", "mnt"]).fails(12);
    let as_cat = place.latest("a.txt");
    assert_eq!(said, place.run_with_key("maintain.key", &["cat", &as_cat]).fails(12));
    assert!(!is_mounted(&place.path("mnt")));
}
