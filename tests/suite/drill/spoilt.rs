//! No drill over a spoilt repository passes, and the finding names what is wrong.

use std::path::Path;

use engine::base::id::PackKind;
use engine::store::name::ObjectName;
use restore_verify::drill::DrillOptions;
use restore_verify::evidence::drill_event::{DrillKind, Outcome};
use system_tests::damage::Damage;
use system_tests::world::World;

use crate::drill::{DUMP, Scene, drill, noise, options, put, run};

/// What is done to a scene, the kind of drill, and words that are all in what is found.
type Case = (&'static str, fn(&Scene), DrillKind, &'static [&'static str]);

/// Spoils the first object below a folder in the middle.
fn flip(scene: &Scene, below: &str) {
    for key in scene.keys(below) {
        scene.spoil(&key, &scene.middle(&key));
    }
}

fn pack_keys(scene: &Scene, kind: PackKind) -> Vec<String> {
    scene.keys(&format!("{}/", kind.prefix()))
}

const CASES: [Case; 21] = [
    (
        "flipped content",
        |s| flip(s, "data/"),
        DrillKind::Sample,
        &["the pack data/", "does not authenticate"],
    ),
    (
        "flipped content, full",
        |s| flip(s, "data/"),
        DrillKind::Full,
        &["the pack data/", "does not authenticate"],
    ),
    (
        "flipped tree",
        |s| flip(s, "tree/"),
        DrillKind::Sample,
        &["the tree of the snapshot: the pack tree/", "does not authenticate"],
    ),
    (
        "flipped segment",
        |s| flip(s, "index/"),
        DrillKind::Sample,
        &["an index segment: the object index/", "does not open with the key"],
    ),
    (
        "flipped commit",
        |s| flip(s, "snap/"),
        DrillKind::Sample,
        &["no snapshot to drill", ".commit-", "is damaged: it does not open with the key"],
    ),
    (
        "flipped client record",
        |s| flip(s, "clients/"),
        DrillKind::Sample,
        &["no snapshot to drill", "the object clients/", "does not open with the key"],
    ),
    (
        "flipped slots",
        |s| flip(s, "keys/"),
        DrillKind::Kit,
        &[
            "the recovery words",
            "no key slot of this repository opens with these recovery words (1 tried)",
        ],
    ),
    (
        "missing content",
        |s| {
            for key in pack_keys(s, PackKind::Data) {
                s.spoil(&key, &Damage::Delete);
            }
        },
        DrillKind::Sample,
        &["data/", "the pack is missing"],
    ),
    (
        "missing tree",
        |s| {
            for key in pack_keys(s, PackKind::Tree) {
                s.spoil(&key, &Damage::Delete);
            }
        },
        DrillKind::Sample,
        &["the tree of the snapshot: reading \"tree/", "not in the store"],
    ),
    (
        "truncated content",
        |s| {
            for key in pack_keys(s, PackKind::Data) {
                let half = s.bytes(&key).len() / 2;
                s.spoil(&key, &Damage::Truncate(half));
            }
        },
        DrillKind::Sample,
        &["data/", "the pack has ", " bytes instead of "],
    ),
    (
        "appended content",
        |s| {
            for key in pack_keys(s, PackKind::Data) {
                s.spoil(&key, &Damage::Append(0));
            }
        },
        DrillKind::Sample,
        &["data/", "the pack has ", " bytes instead of "],
    ),
    (
        "zeroed content",
        |s| {
            for key in pack_keys(s, PackKind::Data) {
                s.spoil(&key, &Damage::Zero);
            }
        },
        DrillKind::Sample,
        &["the object data/", "this is no pack"],
    ),
    (
        "swapped packs",
        |s| {
            let (data, tree) = (pack_keys(s, PackKind::Data), pack_keys(s, PackKind::Tree));
            let (one, two) = (s.bytes(&data[0]), s.bytes(&tree[0]));
            s.set(&data[0], two);
            s.set(&tree[0], one);
        },
        DrillKind::Sample,
        &["the tree of the snapshot", "its header is that of another pack"],
    ),
    (
        "missing slots",
        |s| {
            for key in s.keys("keys/") {
                s.spoil(&key, &Damage::Delete);
            }
        },
        DrillKind::Kit,
        &["the recovery words", "has no key slots: nothing lies below keys/"],
    ),
    (
        "missing commit",
        |s| {
            for key in s.keys("snap/") {
                s.spoil(&key, &Damage::Delete);
            }
        },
        DrillKind::Sample,
        &["no snapshot to drill"],
    ),
    (
        "missing segments",
        |s| {
            for key in s.keys("index/") {
                s.spoil(&key, &Damage::Delete);
            }
        },
        DrillKind::Sample,
        &["the tree of the snapshot: no pack of the repository holds the chunk"],
    ),
    (
        "missing client record",
        |s| {
            for key in s.keys("clients/") {
                s.spoil(&key, &Damage::Delete);
            }
        },
        DrillKind::Sample,
        &["no snapshot to drill", "reading \"clients/", "not in the store"],
    ),
    (
        "truncated commit",
        |s| {
            for key in s.keys("snap/") {
                let half = s.bytes(&key).len() / 2;
                s.spoil(&key, &Damage::Truncate(half));
            }
        },
        DrillKind::Sample,
        &["no snapshot to drill", ".commit-", "is damaged: it does not open with the key"],
    ),
    (
        "zeroed tree",
        |s| {
            for key in pack_keys(s, PackKind::Tree) {
                s.spoil(&key, &Damage::Zero);
            }
        },
        DrillKind::Full,
        &["the tree of the snapshot: the object tree/", "this is no pack"],
    ),
    (
        "appended segment",
        |s| {
            for key in s.keys("index/") {
                s.spoil(&key, &Damage::Append(7));
            }
        },
        DrillKind::Sample,
        &["an index segment: the object index/", "does not open with the key"],
    ),
    (
        "segment of nothing",
        |s| {
            for key in s.keys("index/") {
                s.spoil(&key, &Damage::Zero);
            }
        },
        DrillKind::IndexLoss,
        &["an index segment: the object index/", "this is no index segment"],
    ),
];

/// Whatever a spoilt repository makes of a drill, it is never a pass: it fails, is not proved, or
/// cannot even begin, and what is said names the cause.
#[test]
fn no_drill_over_a_spoilt_repository_passes() {
    for (what, spoil, kind, words) in CASES {
        let scene = Scene::new();
        let world = scene.verifier();
        let mut options = options(&world, kind);
        options.words = Some(scene.world.recovery_words.clone().into());
        spoil(&scene);
        // A new process: nothing is known from before.
        let world = match World::with_key(&scene.engine_store(), &scene.key) {
            Ok(world) => world,
            Err(_) => world,
        };
        let said = match run(&world, &options) {
            Err(error) => error,
            Ok(report) => {
                assert_ne!(report.outcome(), Outcome::Passed, "{what}");
                assert!(report.drill.finding_count > 0, "{what}");
                let texts = report.findings.iter().map(|found| {
                    let finding = &found.finding;
                    format!("{}: {}", finding.object.clone().unwrap_or_default(), finding.why)
                });
                texts.collect::<Vec<_>>().join("\n")
            }
        };
        assert!(words.iter().all(|word| said.contains(word)), "{what}: {said}");
    }
}

/// The store is as it was yesterday: what this machine has seen since is gone.
#[test]
fn a_store_that_was_put_back_is_noticed() {
    let scene = Scene::new();
    let before: Vec<_> =
        scene.keys("").into_iter().map(|key| (key.clone(), scene.bytes(&key))).collect();
    put(&scene.source.join("later"), b"more");
    scene.world.backup(&scene.source).expect("it is backed up");
    let world = scene.verifier();
    assert_eq!(drill(&world, DrillKind::Sample).expect("recorded").outcome(), Outcome::Passed);
    for key in scene.keys("") {
        if !before.iter().any(|(kept, _)| *kept == key) {
            scene.spoil(&key, &Damage::Delete);
        }
    }
    let report = drill(&world, DrillKind::Sample).expect("it is recorded");
    assert_eq!(report.outcome(), Outcome::Failed);
    let objects: Vec<_> =
        report.findings.iter().filter_map(|found| found.finding.object.clone()).collect();
    assert!(objects.iter().any(|object| object.starts_with("snap/")), "{objects:?}");
    assert!(objects.iter().any(|object| object.starts_with("evidence/")), "{objects:?}");
}

/// Backed up as it was, byte for byte, and good for nothing.
#[test]
fn what_is_broken_inside_is_found_though_every_byte_is_right() {
    type Spoil = fn(&Path);
    let cases: [(&str, Spoil, &str); 5] = [
        (
            "a damaged database",
            |source| {
                let path = source.join("app.db");
                let mut bytes = std::fs::read(&path).expect("it is there");
                let at = bytes.len() / 2 / 4096 * 4096;
                bytes[at..at + 2000].fill(0xff);
                put(&path, &bytes);
            },
            "sqlite",
        ),
        ("an emptied dump", |source| put(&source.join("dump.sql"), b""), "kind"),
        (
            "a dump that was cut off",
            |source| {
                put(&source.join("dump.sql"), &DUMP.as_bytes()[..40]);
            },
            "dump",
        ),
        (
            "a truncated archive",
            |source| {
                let mut zipped = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec();
                zipped.extend_from_slice(&[0x4b, 0x4c]);
                put(&source.join("a.gz"), &zipped);
            },
            "archive",
        ),
        (
            "a picture without an end",
            |source| {
                put(&source.join("p.png"), b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01");
            },
            "image",
        ),
    ];
    for (what, spoil, probe) in cases {
        let scene = Scene::with(spoil);
        let world = scene.verifier();
        let report = drill(&world, DrillKind::Sample).expect("it is recorded");
        assert_eq!(report.outcome(), Outcome::Failed, "{what}");
        let probes: Vec<_> = report.findings.iter().map(|f| f.finding.probe.clone()).collect();
        assert_eq!(probes, [probe], "{what}");
        // And it does so because of that probe: without it the drill passes.
        let skip = DrillOptions {
            skip_probes: vec![probe.to_owned()],
            ..options(&world, DrillKind::Sample)
        };
        assert_eq!(run(&world, &skip).expect("recorded").outcome(), Outcome::Passed, "{what}");
    }
}

/// A client with good keys stores wrong bytes under a right id: readers compute ids again.
#[test]
fn wrong_bytes_under_a_right_id_fail_a_drill() {
    let scene = Scene::new();
    let world = scene.verifier();
    let key = scene.keys("data/").remove(0);
    let Some(ObjectName::Pack(pack)) = engine::store::code::spelled(&key) else { panic!("a pack") };
    let table = engine::repo::footer::read_footer(&scene.world.repo, pack)
        .expect("it can be read")
        .expect("its domain is open")
        .table;
    let (repo, write) = (&scene.world.repo, scene.world.repo.keys().write().expect("an admin"));
    // The same pack anew: the same ids, other bytes of the same lengths.
    let buffers = engine::blob::buffers::PackBuffers::default();
    let mut forged =
        engine::blob::pack::OpenPack::new(repo, write, &buffers, pack.kind, pack.session, 99)
            .expect("it can be made");
    let mut compressor = engine::chunk::squeeze::Compressor::new(engine::chunk::level::Level::Fast);
    for number in 0..table.blocks.len() as u32 {
        let mut block = engine::blob::block::OpenBlock::default();
        for chunk in table.chunks.iter().filter(|chunk| chunk.block == number) {
            block.push(chunk.id, &noise(77, chunk.length_bytes as usize));
        }
        forged.add_block(block.raw(), block.chunks(), &mut compressor);
    }
    let identity = engine::index::identity::writer_identity(repo, &scene.world.index, "test-host")
        .expect("an admin");
    let finished = forged.finish(write, &identity.signing);
    let forged_key = ObjectName::Pack(finished.listed.pack).key();
    scene.set(&forged_key, finished.bytes.clone());
    scene.spoil(&key, &Damage::Delete);
    world.index.add_packs(&[finished.listed]).expect("it is listed");
    let report = drill(&world, DrillKind::Sample).expect("it is recorded");
    assert_eq!(report.outcome(), Outcome::Failed);
    assert!(report.findings.iter().any(|found| found.finding.probe == "bytes"));
}
