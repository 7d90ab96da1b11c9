//! What must stay secret is found nowhere, and no nonce is used twice.

#![expect(clippy::disallowed_methods, reason = "tests write their own sources")]

use std::collections::HashSet;
use std::path::PathBuf;

use engine::backup::BackupOptions;
use engine::format::pack::{PackHeader, TRAILER_BYTES, footer_len};
use engine::format::slot::{KdfCost, Role};
use engine::repo::error::RepoError;
use engine::repo::keyring::Keyring;
use engine::repo::open::{KeyFile, Unlock, open};
use engine::repo::slots::{self, Wrapping};
use engine::store::name::ObjectName;
use system_tests::damage::{Target, contents, kind_of, name_of};
use system_tests::world::{PASSPHRASE, World, clock, options};

const CANARIES: [&[u8]; 5] =
    [b"canary-file-name", b"canary-content", b"canary-host", b"canary-tag", b"canary-description"];

fn filled(world: &World) -> PathBuf {
    let source = world.new_folder("source");
    let short = b"canary-content, kept inside its entry".to_vec();
    std::fs::write(source.join("canary-file-name"), short).expect("it can be written");
    let long: Vec<u8> = b"canary-content that is cut into chunks. ".repeat(400);
    std::fs::write(source.join("canary-file-name-2"), long).expect("it can be written");
    let options = BackupOptions {
        host: "canary-host".to_owned(),
        tags: vec!["canary-tag".to_owned()],
        description: Some("canary-description".to_owned()),
        ..options()
    };
    for number in 0..3u8 {
        std::fs::write(source.join("changing"), [number; 3000]).expect("it can be written");
        world.backup_with(&source, &options).expect("the backup runs");
    }
    source
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Keys as raw bytes and as the text that a careless format would print.
fn secrets(target: &Target) -> Vec<Vec<u8>> {
    let repo = &target.world.repo;
    let admin = repo.keys().admin().expect("it is admin");
    let suite = engine::crypt::seal::Suite::XWing;
    let admin_bundle = Keyring::cut_bundle(admin, suite, Role::Admin, (0, 0), None);
    let restore = Keyring::cut_bundle(admin, suite, Role::Restore, (0, 0), None);
    let identity = engine::index::identity::writer_identity(repo, &target.world.index, "")
        .expect("it is known");
    let keys = [
        admin_bundle.root,
        restore.control,
        restore.index,
        restore.chunk_id,
        restore.data_secret,
        restore.tree_secret,
        Some(*admin.local().expose()),
        Some(*identity.signing.seed().expose()),
    ];
    let mut all = vec![PASSPHRASE.to_vec(), target.world.recovery_words.clone().into_bytes()];
    for key in keys {
        let key = key.expect("this role has it");
        all.push(key.to_vec());
        all.push(key.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes());
        all.push(format!("{key:?}").into_bytes());
    }
    all
}

#[test]
fn no_object_holds_a_secret_or_a_readable_name() {
    let target = Target::new(filled);
    let secrets = secrets(&target);
    for (key, bytes) in &target.vault.objects {
        for needle in CANARIES.iter().copied().chain(secrets.iter().map(Vec::as_slice)) {
            assert!(!holds(bytes, needle) && !holds(key.as_bytes(), needle), "{key}");
        }
    }
}

/// The state folder may know names; it never knows keys.
#[test]
fn no_file_of_the_state_folder_holds_a_key() {
    let target = Target::new(filled);
    let files = contents(&target.world.state());
    assert!(files.keys().any(|name| name.contains("index")));
    for (name, bytes) in files {
        for secret in secrets(&target) {
            assert!(!holds(&bytes, &secret), "{name}");
        }
    }
}

#[test]
fn what_is_printed_for_debugging_shows_no_secret() {
    let target = Target::new(filled);
    let repo = &target.world.repo;
    let admin = repo.keys().admin().expect("it is admin");
    let suite = engine::crypt::seal::Suite::XWing;
    let bundle = Keyring::cut_bundle(admin, suite, Role::Admin, (0, 0), None);
    let mut options = engine::store::location::StoreOptions::default();
    options.environment.push(("AWS_SECRET_ACCESS_KEY".to_owned(), "canary-key".to_owned()));
    let wrong = open(repo.store(), clock(), &Unlock::Passphrase(b"canary-passphrase"));
    let error = wrong.expect_err("it is wrong");
    let words = open(repo.store(), clock(), &Unlock::Words("canary words that are none"));
    let words = words.expect_err("they are wrong");
    let file = KeyFile::parse("canary-key file").err().expect("it is none");
    let printed = format!(
        "{repo:?} {bundle:?} {options:?} {:?} {error} {error:?} {words} {words:?} {file} {file:?} {:?}",
        admin.signing(),
        admin.local(),
    );
    for secret in secrets(&target) {
        assert!(!holds(printed.as_bytes(), &secret), "{printed}");
    }
    assert!(!printed.contains("canary"), "{printed}");
}

/// Random nonces of everything that is sealed under long-lived keys, and the data keys of packs,
/// under which blocks count from zero.
#[test]
fn no_nonce_and_no_data_key_is_used_twice() {
    let target = Target::new(filled);
    let mut nonces = HashSet::new();
    let mut pack_keys = HashSet::new();
    let mut count = 0;
    for (key, bytes) in &target.vault.objects {
        let nonce = match kind_of(key).as_str() {
            "config" | "keys" | "slots" => continue,
            "data" | "tree" => {
                let header = PackHeader::decode(bytes).expect("it is sound");
                assert!(pack_keys.insert(header.commitment), "{key} has another pack's key");
                assert!(pack_keys.len() < 1000 && header.encapsulation.len() == 1120);
                let length = footer_len(bytes, bytes.len() as u64).expect("it is sound");
                let start = bytes.len() - TRAILER_BYTES - length;
                &bytes[start..start + 24]
            }
            _ => &bytes[10..34],
        };
        count += 1;
        assert!(nonces.insert(nonce.to_vec()), "{key}");
    }
    for key in target.vault.keys("keys") {
        let ObjectName::Slot(id) = name_of(&key) else { continue };
        let repository = target.world.repo.config().repository;
        let slot = slots::read(&target.vault.store(), repository, id).expect("it is sound");
        for sealed in [&slot.about, &slot.bundle] {
            count += 1;
            assert!(nonces.insert(sealed[..24].to_vec()), "{key}");
        }
    }
    assert_eq!(nonces.len(), count);
    assert!(count > 15, "{count}");
}

#[test]
fn lowered_and_exorbitant_costs_are_refused_before_they_are_paid() {
    let target = Target::new(filled);
    let repository = target.world.repo.config().repository;
    let mut is_tried = false;
    for key in target.vault.keys("keys") {
        let ObjectName::Slot(id) = name_of(&key) else { continue };
        let sound = slots::read(&target.vault.store(), repository, id).expect("it is sound");
        let Some(cost) = sound.cost else { continue };
        is_tried = true;
        for cost in [
            KdfCost { memory_kib: 8, ..cost },
            KdfCost { passes: 1, ..cost },
            KdfCost { lanes: 0, ..cost },
            KdfCost { memory_kib: u32::MAX, ..cost },
            KdfCost { passes: u32::MAX, ..cost },
            KdfCost { lanes: 17, ..cost },
        ] {
            let weak = engine::format::slot::Slot { cost: Some(cost), ..sound.clone() };
            target.vault.set(&key, Some(weak.encode().into()));
            let error = target.world.reopen(&target.vault.store()).expect_err("it is refused");
            assert!(matches!(error, RepoError::Corrupt { .. }), "{error}");
        }
    }
    assert!(is_tried);
}

#[test]
fn a_wrong_passphrase_is_tried_on_every_slot_and_names_none() {
    let target = Target::new(filled);
    let repo = &target.world.repo;
    let admin = repo.keys().admin().expect("it is admin");
    let suite = engine::crypt::seal::Suite::XWing;
    let bundle = Keyring::cut_bundle(admin, suite, Role::Restore, (0, 0), None);
    let wrapping = Wrapping::Passphrase(b"the second passphrase", KdfCost::FLOOR);
    slots::add(repo, "second", &bundle, &wrapping, repo.clock().now()).expect("it is admin");
    let opened = |passphrase| open(repo.store(), clock(), &Unlock::Passphrase(passphrase));
    let error = opened(b"neither of them").expect_err("it is wrong");
    assert!(matches!(error, RepoError::WrongKey { slot_count: 2, .. }), "{error}");
    let text = format!("{error} {error:?}");
    for key in target.vault.keys("keys") {
        assert!(!text.contains(&key["keys/".len()..]), "{text}");
    }
    let second = opened(b"the second passphrase").expect("it opens");
    assert_eq!(second.keys().role(), Role::Restore);
    assert_eq!(opened(PASSPHRASE).expect("it opens").keys().role(), Role::Admin);
}
