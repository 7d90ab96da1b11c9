//! Exported evidence: whatever is done to it is found with the public key alone.

mod revoked;

use std::collections::BTreeSet;

use engine::base::id::ClientId;
use engine::crypt::secret::SecretKey;
use engine::crypt::sign::SigningKey;
use engine::format::slot::Role;
use engine::index::identity;
use engine::repo::keyring::Identity;
use engine::store::Store;
use object_store::memory::InMemory;
use restore_verify::evidence::bundle::{ExportOptions, export};
use restore_verify::evidence::chain::{Flaw, FlawKind};
use restore_verify::evidence::container::{self, Files};
use restore_verify::evidence::drill_event::Outcome;
use restore_verify::evidence::event::{Act, Check, Event, Remedy, RemedyStep};
use restore_verify::evidence::plan_event::{
    Acknowledge, Copy, DayReviewed, Exclusion, Plan, PlannedDrill, Repair, Scope, ScopedSystem,
};
use restore_verify::evidence::record::{Hash32, Reference, Writer};
use restore_verify::evidence::shelf::{Author, Shelf};
use restore_verify::evidence::verify::{Trust, Verified, verify};
use system_tests::world::World;

/// A repository with two writers of evidence and what one of them exported.
struct Exported {
    world: World,
    trust: Trust,
    bundle: Vec<u8>,
    closing: Reference,
}

fn writer(world: &World, number: u8, role: Role) -> Identity {
    let signing = SigningKey::from_seed(&SecretKey::new([number; 32]));
    let identity = Identity { client: ClientId::new([number; 8]), signing };
    identity::enrol(&world.repo, &identity, "prover", role, 0).expect("it can be enrolled");
    identity
}

fn act(number: u32) -> Event {
    Event::Policy(Act {
        subject: "retention".to_owned(),
        action: format!("changed for the {number}th time"),
        numbers: vec![("days".to_owned(), i64::from(number))],
        ..Act::default()
    })
}

fn append(world: &World, identity: &Identity, number: u32) -> Reference {
    let mut shelf = Shelf::open(&world.repo, &world.state()).expect("it opens");
    assert_eq!(shelf.flaws(), []);
    let author = Author { identity, actor: "tester", host: "test-host" };
    shelf.append(&author, &act(number)).expect("it is written").reference()
}

fn exported() -> Exported {
    let world = World::in_memory();
    let (one, two) = (writer(&world, 1, Role::Verify), writer(&world, 2, Role::Verify));
    for number in 0..3 {
        append(&world, &one, number);
        append(&world, &two, number);
    }
    let (bundle, closing) = export_by(&world, &one);
    let trust = Trust::Fingerprint(world.repo.fingerprint());
    Exported { world, trust, bundle, closing }
}

fn export_by(world: &World, identity: &Identity) -> (Vec<u8>, Reference) {
    let mut shelf = Shelf::open(&world.repo, &world.state()).expect("it opens");
    let author = Author { identity, actor: "tester", host: "test-host" };
    let files = Files::from([("report.txt".to_owned(), b"all is well\n".to_vec())]);
    let options =
        ExportOptions { files, purpose: "an audit".to_owned(), ..ExportOptions::default() };
    let made = export(&mut shelf, &world.repo, &author, &options).expect("it is exported");
    (made.bytes, made.closing)
}

fn judge(exported: &Exported, files: &Files) -> Result<Verified, Vec<Flaw>> {
    verify(&container::write(files).expect("it fits"), &exported.trust, &[])
}

fn kinds(result: Result<Verified, Vec<Flaw>>) -> BTreeSet<FlawKind> {
    result.expect_err("it must be found").iter().map(|flaw| flaw.kind).collect()
}

fn files(exported: &Exported) -> Files {
    container::read(&exported.bundle).expect("it was just written")
}

fn chain(writer: u8, number: u32) -> String {
    format!("chains/{}/{number:08x}", format!("{writer:02x}").repeat(8))
}

#[test]
fn a_good_bundle_verifies_with_the_key_or_its_fingerprint_and_nothing_else() {
    let exported = exported();
    let good = verify(&exported.bundle, &exported.trust, &[]).expect("it is good");
    assert_eq!(good.records.len(), 7);
    assert_eq!((good.export, good.purpose.as_str()), (Some(exported.closing), "an audit"));
    let key = Trust::Key(exported.world.repo.config().admin_key);
    assert!(verify(&exported.bundle, &key, &[exported.closing]).is_ok());
    let other = Trust::Key([7; 32]);
    assert_eq!(kinds(verify(&exported.bundle, &other, &[])), [FlawKind::Untrusted].into());
}

#[test]
fn every_changed_byte_of_every_file_is_found() {
    let exported = exported();
    let files = files(&exported);
    let mut count = 0;
    for (name, content) in &files {
        for at in 0..content.len() {
            let mut other = files.clone();
            other.get_mut(name).expect("it is there")[at] ^= 1 << (at % 8);
            assert!(judge(&exported, &other).is_err(), "byte {at} of {name}");
            count += 1;
        }
    }
    assert!(count > 2500, "only {count} bytes");
    // And in the archive as it is, where nothing is put in order again.
    for at in 0..exported.bundle.len() {
        let mut other = exported.bundle.clone();
        other[at] ^= 1 << (at % 8);
        assert!(verify(&other, &exported.trust, &[]).is_err(), "byte {at} of the archive");
    }
}

#[test]
fn every_removed_exchanged_or_added_file_is_found() {
    let exported = exported();
    let files = files(&exported);
    for name in files.keys() {
        let mut other = files.clone();
        other.remove(name);
        assert!(judge(&exported, &other).is_err(), "without {name}");
        for donor in files.keys().filter(|donor| *donor != name) {
            let mut other = files.clone();
            let (one, two) = (files[name].clone(), files[donor].clone());
            other.insert(donor.clone(), one);
            assert!(judge(&exported, &other).is_err(), "{donor} replaced by {name}");
            other.insert(name.clone(), two);
            assert!(judge(&exported, &other).is_err(), "{name} and {donor} exchanged");
        }
    }
    let mut other = files.clone();
    other.insert("more.txt".to_owned(), Vec::new());
    assert_eq!(kinds(judge(&exported, &other)), [FlawKind::Edited].into());
}

#[test]
fn what_was_done_to_a_chain_is_named() {
    let exported = exported();
    let files = files(&exported);
    let without = |names: &[String]| {
        let mut other = files.clone();
        names.iter().for_each(|name| drop(other.remove(name)));
        kinds(judge(&exported, &other))
    };
    assert!(without(&[chain(2, 1)]).contains(&FlawKind::Missing));
    assert!(without(&[chain(2, 2)]).contains(&FlawKind::Truncated));
    assert!(without(&[chain(1, 3)]).contains(&FlawKind::Truncated), "the closing record");
    let (cut, front) = ([chain(1, 3), chain(1, 2), chain(2, 2)], [chain(2, 0), chain(1, 0)]);
    assert!(without(&cut).contains(&FlawKind::Truncated));
    assert!(without(&front).contains(&FlawKind::Truncated));
    let mut swapped = files.clone();
    swapped.insert(chain(2, 0), files[&chain(2, 1)].clone());
    swapped.insert(chain(2, 1), files[&chain(2, 0)].clone());
    assert!(kinds(judge(&exported, &swapped)).contains(&FlawKind::Misplaced));
}

/// A writer whose state was put back signs another record 2: both are good alone.
#[test]
fn a_fork_by_the_holder_of_the_key_is_found() {
    let exported = exported();
    let files = files(&exported);
    let fork = World::another(
        &exported.world,
        &Store::from_object_store(std::sync::Arc::new(InMemory::new()), "nothing", true),
    );
    assert!(fork.is_err(), "a repository of its own is another repository");
    let signing = SigningKey::from_seed(&SecretKey::new([2; 32]));
    let identity = Identity { client: ClientId::new([2; 8]), signing };
    let old = &files[&chain(2, 2)];
    let mut record =
        restore_verify::evidence::record::SignedRecord::parse(old.clone()).expect("a record");
    record.record.actor = "somebody else".to_owned();
    let body = restore_verify::evidence::record::encode(&record.record);
    let name = engine::store::name::ObjectName::Evidence { writer: identity.client, number: 2 };
    let signed = engine::repo::object::sign_body(
        &exported.world.repo,
        &name,
        engine::format::envelope::ControlKind::Evidence,
        &body,
        &identity.signing,
    );
    let mut other = files.clone();
    other.insert(chain(2, 2), signed);
    let found = kinds(judge(&exported, &other));
    assert!(found.contains(&FlawKind::Truncated) || found.contains(&FlawKind::Forked), "{found:?}");
}

#[test]
fn an_older_bundle_does_not_pass_for_the_newest_to_somebody_who_knows_better() {
    let exported = exported();
    let identity = Identity {
        client: ClientId::new([1; 8]),
        signing: SigningKey::from_seed(&SecretKey::new([1; 32])),
    };
    let later = append(&exported.world, &identity, 9);
    let (newer, _) = export_by(&exported.world, &identity);
    assert!(verify(&newer, &exported.trust, &[exported.closing, later]).is_ok());
    let old = verify(&exported.bundle, &exported.trust, &[later]);
    assert_eq!(kinds(old), [FlawKind::Truncated].into());
}

#[test]
fn a_client_that_only_backs_up_proves_nothing() {
    let world = World::in_memory();
    let identity = writer(&world, 3, Role::Backup);
    let mut shelf = Shelf::open(&world.repo, &world.state()).expect("it opens");
    let author = Author { identity: &identity, actor: "tester", host: "test-host" };
    shelf.append(&author, &act(0)).expect("nothing keeps it from writing");
    let shelf = Shelf::open(&world.repo, &world.new_folder("other")).expect("it opens");
    assert!(!shelf.flaws().is_empty(), "and nobody believes it");
    assert!(shelf.records().is_empty());
}

/// The hex blocks of a document, joined lines.
fn hex_block(document: &str) -> Vec<u8> {
    let (_, after) = document.split_once("```hex\n").expect("there is an example");
    let (block, _) = after.split_once("```").expect("it ends");
    let digits: String = block.split_whitespace().collect();
    restore_verify::evidence::record::from_hex(&digits).expect("it is hexadecimal")
}

const DOCUMENT: &str = include_str!("../../docs/EVIDENCE.md");

#[test]
fn the_example_of_the_document_is_what_is_written() {
    use restore_verify::evidence::record::{
        EVIDENCE_KIND, Record, SignedRecord, encode, record_key, signed_message,
    };
    let event = Event::Policy(Act {
        subject: "retention".to_owned(),
        action: "changed".to_owned(),
        ..Act::default()
    });
    let record = Record {
        version: 1,
        repository: [0xa0; 16],
        writer: Writer([0xc1; 8]),
        number: 0,
        previous: Hash32::default(),
        at_ms: 1_700_000_000_005,
        actor: "tester".to_owned(),
        host: "test-host".to_owned(),
        program: "mainstay 0.1.0".to_owned(),
        heads: Vec::new(),
        heads_ms: Vec::new(),
        event: event.name().to_owned(),
        body: event.body(),
    };
    let body = encode(&record);
    let key = record_key(record.writer, 0);
    let message = signed_message(&record.repository, &key, EVIDENCE_KIND, &body);
    let signing = SigningKey::from_seed(&SecretKey::new([0x51; 32]));
    let signed = [signing.sign(&message).as_slice(), &body].concat();
    let (_, example) = DOCUMENT.split_once("## A worked example").expect("it is there");
    assert_eq!(signed, hex_block(example));
    let parsed = SignedRecord::parse(signed).expect("it is a record");
    assert_eq!(parsed.record, record);
    assert!(DOCUMENT.contains(&parsed.hash.to_string()));
    let public = restore_verify::evidence::record::to_hex(&signing.public());
    assert!(DOCUMENT.contains(&public));
}

fn planned() -> Vec<Event> {
    let text = |word: &str| word.to_owned();
    vec![
        Event::Scope(Scope {
            systems: vec![ScopedSystem {
                system: text("web1"),
                organisation: Some(text("Example Ltd")),
                rpo_ms: Some(86_400_000),
                rto_ms: None,
                owner: Some(text("kim")),
                tier: None,
            }],
            exclusions: vec![Exclusion { what: text("lab"), reason: text("no data") }],
            frameworks: vec![text("ISO 27001")],
            approved_by: text("kim"),
            approved_ms: 1_700_000_000_005,
            replaces: None,
        }),
        Event::Plan(Plan {
            drills: vec![PlannedDrill {
                system: text("web1"),
                kind: text("full"),
                every_ms: 7_776_000_000,
                first_ms: 1_700_000_000_005,
            }],
            approved_by: text("kim"),
            approved_ms: 1_700_000_000_005,
            replaces: Some(Reference {
                writer: Writer([0xc1; 8]),
                number: 3,
                hash: Hash32([0xee; 32]),
            }),
        }),
        Event::Acknowledge(Acknowledge {
            key: text("web1/missed"),
            note: text("moves on Friday"),
            until_ms: Some(1_700_000_000_005),
            at_ms: 1_700_000_000_005,
        }),
        Event::DayReviewed(DayReviewed {
            day: text("2023-11-14"),
            open: 2,
            acknowledged: 1,
            root: Hash32([0xdd; 32]),
            note: String::new(),
            at_ms: 1_700_000_000_005,
        }),
        Event::Repair(Repair {
            source: text("second copy"),
            packs: 2,
            repaired: 2,
            bytes: 1000,
            outcome: Outcome::Passed,
            finding: None,
            ticket: Some(text("T-1")),
            started_ms: 1_700_000_000_005,
            finished_ms: 1_700_000_000_006,
        }),
        Event::Copy(Copy {
            origin: [0xa0; 16],
            target: [0xb0; 16],
            snapshots: 3,
            bytes: 1000,
            outcome: Outcome::Passed,
            newest: Some([0xc1; 24]),
            newest_ms: Some(1_700_000_000_005),
            started_ms: 1_700_000_000_005,
            finished_ms: 1_700_000_000_006,
        }),
    ]
}

/// Bodies that nothing writes yet are in the document, are read, and are refused cut short.
#[test]
fn events_of_later_programs_are_those_of_the_document() {
    for event in planned() {
        let (name, body) = (event.name(), event.body());
        assert_eq!(Event::decode(name, &body).as_ref(), Ok(&event));
        for length in 0..body.len() {
            assert!(Event::decode(name, &body[..length]).is_err(), "{name} cut to {length}");
        }
        assert!(Event::decode(name, &[body.as_slice(), &[0]].concat()).is_err());
        let (_, after) = DOCUMENT
            .split_once(&format!("<!-- example: {name} -->\n"))
            .expect("each has an example");
        let wanted = restore_verify::evidence::record::to_hex(&body);
        assert_eq!(hex_block(after), body, "{name} should be {wanted}");
    }
}

#[test]
fn a_record_has_one_time_for_each_head_or_none() {
    use restore_verify::evidence::record::{Record, SignedRecord, encode};
    let reference = Reference { writer: Writer([1; 8]), number: 3, hash: Hash32([2; 32]) };
    let record = |heads_ms: Vec<i64>| Record {
        version: 1,
        repository: [0; 16],
        writer: Writer([1; 8]),
        number: 0,
        previous: Hash32::default(),
        at_ms: 0,
        actor: String::new(),
        host: String::new(),
        program: String::new(),
        heads: vec![reference],
        event: "policy".to_owned(),
        body: Vec::new(),
        heads_ms,
    };
    let parse =
        |heads_ms| SignedRecord::parse([vec![0; 64], encode(&record(heads_ms))].concat()).is_ok();
    assert!(parse(Vec::new()) && parse(vec![7]));
    assert!(!parse(vec![7, 8]));
}

/// What an auditor runs names crates of cryptography and of CBOR, nothing of the engine.
#[test]
fn the_verifier_depends_on_no_engine() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../restore-verify/src");
    let pure = [
        "evidence/record.rs",
        "evidence/drill_event.rs",
        "evidence/plan_event.rs",
        "evidence/event.rs",
        "evidence/merkle.rs",
        "evidence/chain.rs",
        "evidence/container.rs",
        "evidence/revoked.rs",
        "evidence/table.rs",
        "evidence/remedy.rs",
        "evidence/population.rs",
        "evidence/derive.rs",
        "evidence/token.rs",
        "evidence/verify.rs",
        "sample/draw.rs",
    ];
    for name in pure {
        let text = std::fs::read_to_string(root.join(name)).expect("it is there");
        for word in ["engine::", "shelf", "std::fs", "std::net", "std::process"] {
            assert!(!text.contains(word), "{name} names {word}");
        }
    }
}

/// Whoever holds a key can sign what nothing supports: it is held against what else was signed.
#[test]
fn a_claim_that_nothing_supports_is_a_flaw_though_it_is_signed() {
    let world = World::in_memory();
    let one = writer(&world, 1, Role::Verify);
    let author = Author { identity: &one, actor: "tester", host: "test-host" };
    let mut shelf = Shelf::open(&world.repo, &world.state()).expect("it opens");
    let check = |outcome, retest_of: Option<Reference>, method: &str| {
        Event::Check(Check {
            snapshots: 1,
            packs: 1,
            pack_bytes: 1,
            bytes_read: 1,
            damaged: 1,
            findings: Vec::new(),
            duration_ms: 1,
            started_ms: 1,
            outcome,
            method: method.to_owned(),
            packs_read: 1,
            hurt_paths: 0,
            retest_of,
            ticket: None,
        })
    };
    let mut say = |event: &Event| shelf.append(&author, event).expect("it is written").reference();
    let finding = say(&check(Outcome::Failed, None, "all"));
    let weak = say(&check(Outcome::Passed, Some(finding), "structure"));
    let closed = |retest| {
        Event::Remedy(Remedy {
            finding,
            ticket: "T".to_owned(),
            step: RemedyStep::Closed,
            retest,
            note: String::new(),
        })
    };
    say(&closed(Some(weak)));
    say(&closed(None));
    drop(shelf);
    let (bundle, _) = export_by(&world, &one);
    let trust = Trust::Fingerprint(world.repo.fingerprint());
    let flaws = verify(&bundle, &trust, &[]).expect_err("it must be found");
    let said: Vec<String> = flaws.iter().map(ToString::to_string).collect();
    assert_eq!(flaws.len(), 2, "{said:?}");
    assert!(flaws.iter().all(|flaw| flaw.kind == FlawKind::Derivation));
    assert!(said.iter().any(|flaw| flaw.contains("by a weaker test")), "{said:?}");
    assert!(said.iter().any(|flaw| flaw.contains("names no test of it")), "{said:?}");
}
