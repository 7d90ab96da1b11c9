//! A part of a snapshot as a stream, read by other programs.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use engine::base::limits::MIB;
use system_tests::compare::compare;
use system_tests::trees::{put, set_mtime};

use crate::place::{Place, noise};

fn must(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &said
}

/// What archives have trouble with.
fn hard_tree(place: &Place) -> std::path::PathBuf {
    let source = place.path("hard");
    put(&source.join("empty"), b"");
    put(&source.join("small"), b"small");
    put(&source.join("large"), &noise(3 * MIB + 77));
    put(&source.join("block"), &noise(512));
    put(&source.join("folder/with space and ümlaut"), b"u");
    put(&source.join("folder").join("n".repeat(255)), b"a long name");
    let deep = (0..12).fold(source.clone(), |path, _| path.join("a-folder-with-a-long-name"));
    put(&deep.join("deep"), b"deep");
    fs::create_dir(source.join("nothing in it")).expect("a folder");
    fs::hard_link(source.join("large"), source.join("zz-large-again")).expect("one disk");
    symlink("small", source.join("link")).expect("the place is free");
    symlink("x/".repeat(150), source.join("long-link")).expect("the place is free");
    fs::set_permissions(source.join("small"), fs::Permissions::from_mode(0o4751)).expect("ours");
    must(Command::new("mkfifo").arg(source.join("pipe")));
    set_mtime(&source.join("block"), 86_400);
    let holes = fs::File::create(source.join("holes")).expect("a file");
    holes.write_all_at(&noise(300_000), 5 * MIB as u64).expect("there is room");
    holes.write_all_at(b"near the end", 20 * MIB as u64).expect("there is room");
    holes.set_len(32 * MIB as u64).expect("a hole");
    let flags = rustix::fs::XattrFlags::empty();
    // Not every file system has them.
    let _ = rustix::fs::setxattr(source.join("small"), "user.note", b"a \0 value\n", flags);
    let odd = std::os::unix::ffi::OsStrExt::from_bytes(b"odd \xff\xfe name");
    put(&source.join::<&std::ffi::OsStr>(odd), b"odd");
    source
}

fn extract(archive: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    let mut tar = Command::new("tar");
    tar.args(["--xattrs", "--xattrs-include=*", "-xpf"]).arg(archive).arg("-C").arg(to);
    must(&mut tar);
}

#[test]
fn tar_reads_what_was_dumped_as_it_was() {
    let place = Place::with_repository();
    let source = hard_tree(&place);
    place.run(["backup", "-q", "hard"]).expect(0);
    let what = format!("latest:{}", source.display());
    for (format, name) in [("tar", "hard.tar"), ("tar.zst", "hard.tar.zst")] {
        place.run(["dump", &what, "-a", format, "-o", name]).expect(0);
    }
    let (plain, packed) = (place.path("hard.tar"), place.path("hard.tar.zst"));
    let unpacked =
        must(Command::new("zstd").args(["-dq", "-o"]).arg(place.path("again.tar")).arg(&packed));
    assert_eq!(unpacked, "");
    assert_eq!(fs::read(&plain).ok(), fs::read(place.path("again.tar")).ok());
    // Holes take no room.
    let length = fs::metadata(&plain).expect("it is there").len();
    assert!(length < 6 * MIB as u64, "{length}");
    must(Command::new("tar").arg("--compare").arg("-f").arg(&plain).arg("-C").arg(&source));
    extract(&plain, &place.path("out"));
    let differences = compare(&source, &place.path("out")).expect("both can be read");
    // The folder itself is not in it.
    let differences: Vec<_> =
        differences.into_iter().filter(|it| !format!("{it:?}").contains("\"\"")).collect();
    assert!(differences.is_empty(), "{differences:#?}");
    // Without a file the same goes to standard output, also as restic spells it.
    let mut piped = place.command(["dump", "latest", &source.display().to_string()]);
    assert_eq!(piped.output().expect("it runs").stdout, fs::read(&plain).expect("it is there"));
}

#[test]
fn zip_is_read_by_others() {
    let place = Place::with_repository();
    let source = hard_tree(&place);
    place.run(["backup", "-q", "hard"]).expect(0);
    let what = format!("latest:{}", source.display());
    let said = place.run(["dump", &what, "-a", "zip", "-o", "hard.zip"]);
    let said = said.fails(1);
    assert!(said.contains("/pipe") && said.contains("1 item could not be put"), "{said}");
    let tested =
        must(Command::new("python3").args(["-m", "zipfile", "-t"]).arg(place.path("hard.zip")));
    assert!(tested.contains("Done testing") && !tested.contains("corrupted"), "{tested}");
    fs::create_dir(place.path("out")).expect("a folder");
    must(
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(place.path("hard.zip"))
            .arg(place.path("out")),
    );
    for name in
        ["empty", "small", "large", "zz-large-again", "holes", "folder/with space and ümlaut"]
    {
        let (a, b) = (fs::read(source.join(name)), fs::read(place.path("out").join(name)));
        assert_eq!(a.ok(), b.ok(), "{name}");
    }
}

#[test]
fn a_file_is_dumped_as_it_is_and_nothing_is_overwritten() {
    let place = Place::with_repository();
    let source = hard_tree(&place);
    place.run(["backup", "-q", "hard"]).expect(0);
    let what = format!("latest:{}/large", source.display());
    place.run(["dump", &what, "-o", "large"]).expect(0);
    assert_eq!(fs::read(place.path("large")).ok(), fs::read(source.join("large")).ok());
    let said = place.run(["dump", &what, "-o", "large"]).fails(23);
    assert!(said.contains("is there already"), "{said}");
    let said = place.run(["dump", &format!("latest:{}/pipe", source.display())]).fails(2);
    assert!(said.contains("not a file"), "{said}");
    place.run(["dump", "latest:/not/there", "-o", "x"]).fails(2);
    assert!(!place.path("x").exists());
    // An archive of one file.
    place.run(["dump", &what, "-a", "tar", "-o", "one.tar"]).expect(0);
    let listed = must(Command::new("tar").arg("-tf").arg(place.path("one.tar")));
    assert_eq!(listed, "large\n");
}

/// Nobody takes half an archive for a whole one.
#[test]
fn an_archive_that_could_not_be_finished_has_no_end() {
    let place = Place::with_repository();
    let source = hard_tree(&place);
    place.run(["backup", "-q", "hard"]).expect(0);
    let packs = crate::restoring::files_below(&place.path("repository/data"));
    for pack in packs {
        let path = place.path("repository/data").join(pack);
        let mut file = fs::OpenOptions::new().write(true).open(&path).expect("it is there");
        file.seek(SeekFrom::Start(100_000)).expect("it can be");
        file.write_all(&[0; 64]).expect("it can be");
    }
    let what = format!("latest:{}", source.display());
    let said = place.run(["dump", &what, "-a", "tar", "-o", "half.tar"]).fails(20);
    assert!(said.contains("  try: "), "{said}");
    assert!(!place.path("half.tar").exists());
    let left = fs::read_dir(place.path("")).expect("it is there").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().contains("mainstay-dump"));
    assert_eq!(left.count(), 0);
    let mut dump = place.command(["dump", &what, "-a", "tar"]);
    let mut dump = dump.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let pipe = dump.stdout.take().expect("it is piped");
    let tar = Command::new("tar").arg("-t").stdin(pipe).output().expect("it runs");
    assert!(!tar.status.success(), "tar takes half an archive for a whole one");
    assert_eq!(dump.wait().expect("it ends").code(), Some(20));
    for format in ["zip", "tar.zst"] {
        let half = place.command(["dump", &what, "-a", format]).output().expect("it runs");
        let said = String::from_utf8_lossy(&half.stderr).into_owned();
        assert_eq!(half.status.code(), Some(20), "{said}");
        assert!(!said.contains("ZipWriter"), "{said}");
        put(&place.path("half"), &half.stdout);
        let mut reader = match format {
            "zip" => Command::new("python3"),
            _ => Command::new("zstd"),
        };
        match format {
            "zip" => reader.args(["-m", "zipfile", "-l"]),
            _ => reader.args(["-t", "-q"]),
        };
        let read = reader.arg(place.path("half")).output().expect("it runs");
        assert!(!read.status.success(), "half an archive is taken for a whole {format}");
    }
}
