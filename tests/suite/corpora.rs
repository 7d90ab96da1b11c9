//! The corpora that fuzzing left, given to the decoders again, and the inputs they grew from.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engine::format::node::Node;
use engine::index::hints::HintsHeader;
use restore_verify::evidence::container;
use system_tests::fuzz;
use system_tests::trees::put;

use crate::decoders::seeds;

/// All corpora together; they are in every clone.
const MOST_BYTES: u64 = 1 << 20;
/// All corpora together must not take longer: a slow input is a finding.
const LONGEST: Duration = Duration::from_secs(60);

/// The same of what fuzzing found besides, which is packed.
const MOST_FOUND_BYTES: u64 = 2 << 20;
const LONGEST_FOUND: Duration = Duration::from_secs(120);

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn what_fuzzing_kept_is_decoded_or_refused() {
    let (began, mut total_bytes, mut count) = (Instant::now(), 0, 0);
    for (target, _) in fuzz::TARGETS {
        let listed = std::fs::read_dir(corpus(target)).expect("every target has a corpus");
        let mut paths: Vec<_> =
            listed.map(|entry| entry.expect("it can be listed").path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{target} has an empty corpus");
        for path in paths {
            let input = std::fs::read(&path).expect("it can be read");
            total_bytes += input.len() as u64;
            count += 1;
            fuzz::run(target, &input);
        }
    }
    assert!(count > 100, "only {count} inputs");
    assert!(total_bytes <= MOST_BYTES, "{total_bytes} bytes are too many to be kept");
    assert!(began.elapsed() < LONGEST, "{count} inputs took {:?}", began.elapsed());
}

/// Inputs that ten minutes of fuzzing of each target had found, packed.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn what_fuzzing_found_is_decoded_or_refused() {
    let (began, mut total_bytes) = (Instant::now(), 0);
    for (target, _) in fuzz::TARGETS {
        let name = format!("fuzz/found/{target}.tar.zst");
        let packed = std::fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(&name));
        let packed = packed.unwrap_or_else(|error| panic!("{name}: {error}"));
        total_bytes += packed.metadata().expect("it is there").len();
        let unpacked = zstd::Decoder::new(packed).expect("it is zstd");
        let mut archive = tar::Archive::new(unpacked);
        let mut count = 0;
        for entry in archive.entries().expect("it is tar") {
            let mut input = Vec::new();
            entry.expect("it is whole").read_to_end(&mut input).expect("it is whole");
            fuzz::run(target, &input);
            count += 1;
        }
        assert!(count >= 10, "{target} has only {count}");
    }
    assert!(total_bytes <= MOST_FOUND_BYTES, "{total_bytes} bytes are too many to be kept");
    assert!(began.elapsed() < LONGEST_FOUND, "it took {:?}", began.elapsed());
}

#[test]
fn every_target_has_a_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("it is there");
    for (target, decoders) in fuzz::TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is not built");
        assert!(decoders.len() < 256, "the first byte chooses");
    }
}

/// Writes the inputs from which fuzzing begins.
#[test]
#[ignore = "writes into the source tree; only for a new decoder"]
fn make_seeds() {
    let mut all = seeds();
    all.extend(text());
    all.extend(local());
    all.extend(evidence());
    all.extend(content());
    for (number, (decoder, bytes)) in all.into_iter().enumerate() {
        let (target, input) = fuzz::input_for(decoder, &bytes).expect("there is such a decoder");
        let name = decoder.replace(' ', "-");
        put(&corpus(target).join(format!("seed-{name}-{number}")), &input);
    }
}

type Seed = (&'static str, Vec<u8>);

fn text() -> Vec<Seed> {
    let key = format!(
        "mainstay key file, version 1\nrepository {}\nslot {}\nkey {}\n",
        "a0".repeat(16),
        "51".repeat(8),
        "4b".repeat(32)
    );
    let words = engine::crypt::phrase::words(&engine::crypt::secret::SecretKey::new([7; 32]));
    let session = "c1".repeat(24);
    let texts = [
        ("key file", key.as_str()),
        ("recovery words", &words),
        ("printed words", &format!("# keep this\n 1. {words}\n")),
        ("location", "s3://bucket/prefix"),
        ("location", "sftp://host/path"),
        ("location", "/srv/backup"),
        ("patterns", "*.tmp\n!keep.tmp\n/home/*/.cache/**\n[a-z]{b,c}?\n# remark\n"),
        ("span", "1y2m3d4h"),
        ("object name", &format!("snap/{session}.commit-cccccccccccccccc-0123456789abcdef")),
        ("object name", &format!("data/{session}/00000003-9999999999999999")),
        ("object name", "gc/past-00000001-0123456789abcdef-0123456789abcdef"),
        ("path key", "home\0user\0file"),
        ("path", "/home/user/../file\u{1b}[2J"),
        ("size", "1.5G"),
        ("duration", "1h30m"),
        ("percentage", "12.5 %"),
    ];
    texts.into_iter().map(|(name, text)| (name, text.as_bytes().to_vec())).collect()
}

fn local() -> Vec<Seed> {
    let s3 = "<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name><Prefix>snap/</Prefix>\
              <KeyCount>1</KeyCount><IsTruncated>true</IsTruncated>\
              <NextContinuationToken>t&amp;2</NextContinuationToken>\
              <Contents><Key>snap/a</Key><Size>1</Size></Contents></ListBucketResult>";
    let azure = "<?xml version=\"1.0\"?><EnumerationResults><Prefix>snap/</Prefix><Blobs><Blob>\
                 <Name>snap/a</Name></Blob></Blobs><NextMarker/></EnumerationResults>";
    let header = engine::format::envelope::encode_record(&HintsHeader {
        session: crate::golden::session().session,
        epoch: [3; 16],
        root: engine::base::id::ChunkId::new([1; 32]),
        owners: engine::disk::owner::Owners::default(),
    });
    let mut hints = header.clone();
    hints.extend_from_slice(b"MSTH\x02");
    hints.extend_from_slice(&0_u64.to_le_bytes());
    hints.extend_from_slice(&(header.len() as u32).to_le_bytes());
    let mut answer = Vec::new();
    let passed = restore_verify::probe::verdict::Verdict::Passed;
    let message = restore_verify::sandbox::job::Answer::of("sqlite", passed);
    restore_verify::sandbox::job::send(&mut answer, &message).expect("memory takes it");
    vec![
        ("page of S3", s3.as_bytes().to_vec()),
        ("page of Azure", azure.as_bytes().to_vec()),
        ("query of a listing", b"list-type=2&prefix=a%2Fb&continuation-token=x".to_vec()),
        ("hints", hints),
        ("answer of a probe", answer),
    ]
}

fn evidence() -> Vec<Seed> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let options = system_tests::fleet::FleetOptions { systems: 3, days: 60, seed: 1 };
    let (repository, state) = (folder.path().join("repository"), folder.path().join("state"));
    let fleet = system_tests::fleet::Fleet::create(&repository, &state, options);
    let mut found = std::collections::BTreeMap::new();
    for (writer, numbers) in engine::repo::evidence::list(&fleet.repo).expect("it lists") {
        for number in numbers {
            let signed = engine::repo::evidence::get(&fleet.repo, writer, number).expect("genuine");
            let parsed = restore_verify::evidence::record::SignedRecord::parse(signed);
            let parsed = parsed.expect("it is a record");
            found.entry(parsed.record.event.clone()).or_insert(parsed);
        }
    }
    let files = container::Files::from([
        ("repository.txt".to_owned(), b"repository".to_vec()),
        ("chains/c1c1c1c1c1c1c1c1/00000000".to_owned(), vec![7; 80]),
    ]);
    let bundle = container::write(&files).expect("it fits");
    let mut all: Vec<Seed> = vec![("container", bundle.clone()), ("bundle of evidence", bundle)];
    for (name, one) in found {
        let body = restore_verify::evidence::record::encode(&one.record);
        all.push(("signed evidence", body.clone()));
        all.push(("evidence record", body));
        all.push(("event", [name.as_bytes(), b"\n", &one.record.body].concat()));
        let reference = restore_verify::evidence::record::encode(&one.reference());
        all.push(("reference", reference));
    }
    all
}

/// Files of real programs, unless they are too long to be kept again.
fn content() -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/probes");
    let files = [
        ("document.pdf", "pdf"),
        ("picture.jpg", "jpeg"),
        ("picture.png", "png"),
        ("postgres.dump", "dump in custom format"),
        ("mysql.sql", "dump as text"),
        ("mysql.sql.xz", "xz"),
        ("mysql.sql.zst", "zstd"),
        ("postgres.sql.bz2", "bzip2"),
        ("postgres.sql.gz", "gzip"),
        ("tree.tar", "tar"),
        ("tree.zip", "zip"),
        ("shop.sqlite", "sqlite"),
    ];
    let mut all = Vec::new();
    for (file, decoder) in files {
        let bytes = std::fs::read(folder.join(file)).expect("it is there");
        if bytes.len() <= 24 << 10 {
            all.push((decoder, bytes));
        }
    }
    let raw = Node::Extents(crate::golden::entries::extents()).encode();
    let mut squeezed = Vec::new();
    let level = engine::chunk::level::Level::default();
    let raw = raw.repeat(20);
    let codec = engine::chunk::squeeze::Compressor::new(level).compress_into(&raw, &mut squeezed);
    let length = (raw.len() as u32).to_le_bytes();
    all.push(("block", [&[codec][..], &length[..3], &squeezed].concat()));
    all
}
