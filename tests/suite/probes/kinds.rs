//! Files that are not what their names say, and files that only look as if they were not.

use std::io::Write;

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy};
use restore_verify::probe::verdict::Verdict;

use super::{fixture, judge};
use crate::place::noise;

/// What is said of a file: passed, failed, cannot be told, or no probe looks.
fn said(name: &str, bytes: &[u8]) -> &'static str {
    match judge(name, bytes) {
        Some((_, Verdict::Passed)) => "passed",
        Some((_, Verdict::Failed(_))) => "failed",
        Some((_, Verdict::NotProved(_))) => "unsure",
        None => "nothing",
    }
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("it can be compressed")
}

/// A ZIP with one stored member, by hand.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let crc = crc32(content).to_le_bytes();
    let (size, length) = ((content.len() as u32).to_le_bytes(), (name.len() as u16).to_le_bytes());
    let common = [&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..], &crc, &size, &size, &length, &[0, 0]];
    let local = [b"PK\x03\x04", common.concat().as_slice(), name.as_bytes(), content].concat();
    let central =
        [b"PK\x01\x02\x14\0", common.concat().as_slice(), &[0; 14], &[0; 0], name.as_bytes()]
            .concat();
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    end.extend_from_slice(&(central.len() as u32).to_le_bytes());
    end.extend_from_slice(&(local.len() as u32).to_le_bytes());
    end.extend_from_slice(&[0, 0]);
    [local, central, end].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// A 7z archive as far as its head and its directory go.
fn seven_zip() -> Vec<u8> {
    let directory = noise(40);
    let start = [
        &5_u64.to_le_bytes()[..],
        &(directory.len() as u64).to_le_bytes(),
        &crc32(&directory).to_le_bytes(),
    ]
    .concat();
    [b"7z\xbc\xaf\x27\x1c\0\x04", &crc32(&start).to_le_bytes()[..], &start, b"12345", &directory]
        .concat()
}

fn tar_of_old() -> Vec<u8> {
    let mut tar = fixture("tree.tar");
    // As programs wrote it before there was a mark: the sum over the block is all there is.
    let mut at = 0;
    while tar.get(at + 257..at + 262) == Some(b"ustar".as_slice()) {
        let size = std::str::from_utf8(&tar[at + 124..at + 135]).expect("digits");
        let size = usize::from_str_radix(size, 8).expect("a number");
        tar[at + 257..at + 265].fill(0);
        tar[at + 148..at + 156].fill(b' ');
        let sum: u64 = tar[at..at + 512].iter().map(|byte| u64::from(*byte)).sum();
        tar[at + 148..at + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        at += 512 + size.div_ceil(512) * 512;
    }
    tar
}

#[test]
fn content_of_another_kind_fails() {
    let zeros = vec![0; 9000];
    let text = b"this is a letter and nothing else, however long it may go on\n".repeat(20);
    for name in [
        "prod.sqlite",
        "PROD.SQLITE3",
        "letter.docx",
        "book.xlsx",
        "talk.pptx",
        "letter.odt",
        "all.zip",
        "app.jar",
        "scan.pdf",
        "photo.png",
        "Photo.JPG",
        "a.gif",
        "a.tiff",
        "logs.gz",
        "logs.xz",
        "logs.zst",
        "logs.bz2",
        "home.tar",
        "home.tar.gz",
        "home.tgz",
        "home.tbz2",
        "all.7z",
        "all.rar",
        "mail.pst",
        "new.accdb",
        "disk.vhdx",
        "disk.qcow2",
        "keys.kdbx",
        "shop.sql",
    ] {
        assert_eq!(said(name, &noise(40_000)), "failed", "noise as {name}");
        let blank = if name == "home.tar" { "unsure" } else { "failed" };
        assert_eq!(said(name, &zeros), blank, "zeros as {name}");
        let prose = if name == "shop.sql" { "unsure" } else { "failed" };
        assert_eq!(said(name, &text), prose, "prose as {name}");
    }
}

#[test]
fn a_dump_that_is_a_message_or_nothing_fails_compressed_or_not() {
    let messages: [&[u8]; 6] = [
        b"",
        b"pg_dump: error: connection failed\n",
        b"mysqldump: Got error: 2002: Can't connect\n",
        b"bash: pg_dump: command not found\n",
        b"<html><body>502 Bad Gateway</body></html>",
        b"Error response from daemon: No such container: db\n",
    ];
    for message in messages {
        let text = String::from_utf8_lossy(message);
        for name in ["dump.sql", "DUMP.SQL", "shop-2026-11-30.sql", "20261130.sql"] {
            assert_eq!(said(name, message), "failed", "{text} as {name}");
        }
        // That may as well be a script which nobody has written yet.
        let wanted = if message.is_empty() { "unsure" } else { "failed" };
        assert_eq!(said("shop.sql", message), wanted, "{text} as shop.sql");
        assert_eq!(said("shop.sql.zst", &zstd(message)), "failed", "{text} as shop.sql.zst");
        assert_eq!(said("shop.dump.zst", &zstd(message)), "failed", "{text} as shop.dump.zst");
    }
    for name in ["shop.sql.gz", "shop.sql.zst", "shop.sql.xz", "shop.sql.bz2", "shop.dump"] {
        assert_eq!(said(name, b""), "failed", "{name} emptied");
    }
}

#[test]
fn what_is_as_good_as_its_name_makes_no_alarm() {
    let ole = [&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1][..], &noise(5000)].concat();
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n";
    let double = [&[0, 5, 0x16, 7, 0, 2, 0, 0][..], &noise(300)].concat();
    let berkeley = [&[0; 12][..], &[0x62, 0x31, 5, 0], &noise(4000)].concat();
    let document = zip("[Content_Types].xml", b"<Types/>");
    let wide: Vec<u8> =
        "\u{feff}USE [shop]\r\nGO\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let launcher = [b"#!/bin/sh\nexec java -jar $0\n".as_slice(), &document].concat();
    let cases: [(&str, &[u8], &str); 41] = [
        // Names that mean anything.
        ("aliases.db", &berkeley, "nothing"),
        ("Thumbs.db", &ole, "nothing"),
        ("noise.db", &noise(9000), "nothing"),
        ("data.mdb", &noise(9000), "nothing"),
        ("empty.db", b"", "nothing"),
        ("letter.doc", b"{\\rtf1 hello}", "nothing"),
        ("letter.doc", b"<html>hello</html>", "nothing"),
        ("letter.doc", &ole, "nothing"),
        ("core.dump", &noise(9000), "nothing"),
        ("noise", &noise(9000), "nothing"),
        (".sqlite", &noise(9000), "nothing"),
        ("empty", b"", "nothing"),
        // Placeholders for documents.
        ("~$letter.docx", &noise(162), "nothing"),
        ("._letter.docx", &double, "nothing"),
        ("._photo.png", &double, "nothing"),
        ("photo.png", lfs, "nothing"),
        ("all.zip", lfs, "nothing"),
        // Other containers of the same.
        ("letter.docx", &ole, "unsure"),
        ("letter.docx", &document, "passed"),
        ("app.jar", &launcher, "passed"),
        ("app.zip", &launcher, "passed"),
        ("photo.png", &fixture("picture.jpg"), "passed"),
        ("photo.jpg", &fixture("picture.png"), "passed"),
        ("photo.jpg", b"RIFF\x10\0\0\0WEBPVP8 1234", "passed"),
        ("icon.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "passed"),
        ("home.tar.gz", &fixture("tree.tar"), "passed"),
        ("home.tar", &fixture("tree.tar.gz"), "passed"),
        ("home.tar", &tar_of_old(), "passed"),
        ("shop.sql", &fixture("postgres.dump"), "passed"),
        ("shop.sql", &fixture("postgres.sql.gz"), "passed"),
        ("shop.sql", &fixture("shop.sqlite"), "passed"),
        ("scan.pdf", &[b"\r\n".as_slice(), &fixture("document.pdf")].concat(), "passed"),
        ("all.7z", &seven_zip(), "unsure"),
        // Scripts that are no dumps.
        ("0001_init.sql", b"-- nothing yet\n", "passed"),
        ("000002_users.down.sql", b"", "nothing"),
        ("down.sql", b"", "nothing"),
        ("V2__shop.sql", b"ALTER TABLE t ADD b int;\n", "passed"),
        ("model.sql", b"{{ config() }} select * from {{ ref('t') }}\n", "passed"),
        ("shop.sql", &wide, "passed"),
        ("errors.sql", b"-- error: the table of errors\nCREATE TABLE error (a int);\n", "passed"),
        ("lookup.sql", b"select 'pg_dump: error: not found';\n", "passed"),
    ];
    for (name, bytes, wanted) in cases {
        let first: Vec<u8> = bytes.iter().copied().take(24).collect();
        assert_eq!(said(name, bytes), wanted, "{name}: {}", String::from_utf8_lossy(&first));
    }
}

#[test]
fn a_zip_without_the_parts_of_a_document_is_none_and_a_7z_that_was_cut_off_is_found() {
    assert_eq!(said("letter.docx", &zip("hello.txt", b"hello")), "failed");
    let good = seven_zip();
    for end in 10..good.len() {
        assert_eq!(said("all.7z", &good[..end]), "failed", "cut at {end}");
    }
    for at in 8..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        let unread = (32..37).contains(&at);
        assert_eq!(said("all.7z", &bytes), if unread { "unsure" } else { "failed" }, "byte {at}");
    }
}

/// What a server never finished, under each of its wrappings.
fn wrap(coding: u8, bytes: &[u8]) -> (Vec<u8>, &'static str) {
    match coding {
        0 => (bytes.to_vec(), "shop.sql"),
        1 => (zstd(bytes), "shop.sql.zst"),
        2 => (zstd(bytes), "shop"),
        _ => {
            let mut raw = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec();
            for (at, piece) in bytes.chunks(65_535).enumerate() {
                let is_last = (at + 1) * 65_535 >= bytes.len();
                raw.push(u8::from(is_last));
                raw.extend_from_slice(&(piece.len() as u16).to_le_bytes());
                raw.extend_from_slice(&(!(piece.len() as u16)).to_le_bytes());
                raw.write_all(piece).expect("memory takes it");
            }
            raw.extend_from_slice(&crc32(bytes).to_le_bytes());
            raw.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            (raw, "shop.sql.gz")
        }
    }
}

fn dumps() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("postgres.sql"), Just("mysql.sql"), Just("sqlite.sql"), Just("postgres.dump")]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// A whole dump passes however it is wrapped; one whose server stopped, and one whose wrapping
    /// was cut off, do not.
    #[test]
    fn a_dump_that_was_cut_anywhere_never_passes(
        name in dumps(), coding in 0_u8..4, part in any::<proptest::sample::Index>(), inner in any::<bool>(),
    ) {
        let good = fixture(name);
        let (whole, file) = wrap(coding, &good);
        let verdict = judge(file, &whole);
        prop_assert!(matches!(verdict, Some(("dump", Verdict::Passed))), "{name} as {file}: {verdict:?}");
        // The last line may lack its end, and what follows the mark of the end is only a comment;
        // a piece that does not even say whose dump it is may be any script.
        let (from, to) = (200, good.len() * 9 / 10);
        let bytes = match inner || coding == 0 {
            true => wrap(coding, &good[..from + part.index(to - from)]).0,
            false => whole[..part.index(whole.len() * 9 / 10)].to_vec(),
        };
        let verdict = judge(file, &bytes);
        prop_assert!(!matches!(verdict, Some((_, Verdict::Passed))), "{name} as {file}: {verdict:?}");
    }
}
