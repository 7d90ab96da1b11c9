//! Bundles with chains of writers that were revoked: what came later is named and counts for nothing,
//! and nobody leaves the revocation out.

use engine::base::id::Digest;
use engine::base::time::Timestamp;
use engine::format::envelope::ControlKind;
use engine::format::machine::{LastRecord, Revocation};
use engine::repo::object::sign_body;
use engine::repo::{evidence, machine};
use engine::store::ObjectName;
use restore_verify::evidence::record::{Record, SignedRecord, encode};
use restore_verify::evidence::revoked::{REVOKED, subject};
use restore_verify::evidence::verify::export_event;

use super::*;

fn revoke(world: &World, identity: &Identity, last: Option<Reference>) {
    let named = |at: Reference| LastRecord { number: at.number, hash: Digest::new(at.hash.0) };
    let record = Revocation {
        client: identity.client,
        at: Timestamp { seconds: 1_700_000_000, nanos: 5 },
        reason: "stolen".to_owned(),
        snapshot: None,
        run: None,
        evidence: last.map(named),
    };
    machine::put_revocation(&world.repo, &record).expect("an administrator may");
}

/// Two writers with three records each, of which the second was revoked after two.
fn robbed() -> (World, Identity, Identity) {
    let world = World::in_memory();
    let (one, two) = (writer(&world, 1, Role::Verify), writer(&world, 2, Role::Verify));
    let mut all = Vec::new();
    for number in 0..3 {
        append(&world, &one, number);
        all.push(append(&world, &two, number));
    }
    revoke(&world, &two, Some(all[1]));
    (world, one, two)
}

fn of(world: &World, bundle: Vec<u8>, closing: Reference) -> Exported {
    let trust = Trust::Fingerprint(world.repo.fingerprint());
    Exported { world: world.another(world.repo.store()).expect("it opens"), trust, bundle, closing }
}

fn revocation_in(files: &Files) -> String {
    let is_revocation = |name: &&String| name.contains(".revoked-");
    files.keys().find(is_revocation).expect("it is in the bundle").clone()
}

fn why(result: Result<Verified, Vec<Flaw>>) -> String {
    let flaws = result.expect_err("it must be found");
    flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_bundle_says_what_was_signed_after_a_revocation_and_does_not_count_it() {
    let (world, one, two) = robbed();
    let (bundle, closing) = export_by(&world, &one);
    let exported = of(&world, bundle, closing);
    let files = files(&exported);
    let good = judge(&exported, &files).expect("it is good");
    // Three and the export of one, two of the other.
    assert_eq!((good.records.len(), good.late.len()), (6, 1));
    assert_eq!((good.late[0].record.writer, good.late[0].record.number), (Writer([2; 8]), 2));
    let ending = good.endings.of(Writer([2; 8])).first().expect("it was revoked");
    assert_eq!((ending.reason.as_str(), ending.at_seconds), ("stolen", 1_700_000_000));
    assert_eq!(good.endings.of(Writer([1; 8])), []);
    // The revocation belongs to what the export names, to its client and to the administrator.
    let name = revocation_in(&files);
    let mut other = files.clone();
    let revocation = other.remove(&name).expect("it is there");
    assert!(judge(&exported, &other).is_err(), "without the revocation");
    for at in 0..revocation.len() {
        let mut bytes = revocation.clone();
        bytes[at] ^= 1 << (at % 8);
        let changed = Files::from([(name.clone(), bytes)]);
        let changed = files.clone().into_iter().chain(changed).collect();
        assert!(judge(&exported, &changed).is_err(), "byte {at}");
    }
    // A second one that names an earlier record, or none, counts as well.
    revoke(&world, &two, None);
    let (bundle, closing) = export_by(&world, &one);
    let exported = of(&world, bundle, closing);
    let good = judge(&exported, &self::files(&exported)).expect("it is good");
    assert_eq!((good.records.len(), good.late.len()), (5, 3));
}

/// With a stolen key somebody spoils the chain, names heads that never were, and claims what it likes.
#[test]
fn nothing_that_is_signed_after_a_revocation_spoils_a_bundle() {
    let (world, one, two) = robbed();
    let nobody = Reference { writer: Writer([1; 8]), number: 77, hash: Hash32([9; 32]) };
    for (number, event) in [(3, "policy"), (4, "remedy"), (9, "drill")] {
        let record = Record {
            version: 1,
            repository: *world.repo.config().repository.as_bytes(),
            writer: Writer([2; 8]),
            number,
            previous: Hash32([7; 32]),
            at_ms: 0,
            actor: String::new(),
            host: String::new(),
            program: String::new(),
            heads: vec![nobody],
            event: event.to_owned(),
            body: Vec::new(),
            heads_ms: Vec::new(),
        };
        evidence::put(&world.repo, &two, number, &encode(&record)).expect("the store takes it");
    }
    let (bundle, closing) = export_by(&world, &one);
    let exported = of(&world, bundle, closing);
    let good = judge(&exported, &files(&exported)).expect("it is good");
    assert_eq!((good.records.len(), good.late.len()), (6, 4));
    // And again, with what the machine has kept of it.
    let (bundle, closing) = export_by(&world, &one);
    let exported = of(&world, bundle, closing);
    assert!(judge(&exported, &files(&exported)).is_ok());
}

#[test]
fn a_bundle_that_was_closed_after_the_revocation_of_its_writer_is_none() {
    let (world, _, two) = robbed();
    let (bundle, closing) = export_by(&world, &two);
    let exported = of(&world, bundle, closing);
    let found = why(judge(&exported, &files(&exported)));
    assert!(found.contains("signed after its writer was revoked"), "{found}");
}

/// Whoever has a stolen key closes a bundle of its own, without the revocation.
#[test]
fn a_revocation_that_an_administrator_recorded_cannot_be_left_out() {
    let (world, _, two) = robbed();
    let act = |client: u8| {
        let subject = subject("web1", Writer([client; 8]));
        Event::KeyUse(Act { subject, action: REVOKED.to_owned(), ..Act::default() })
    };
    let write = |identity: &Identity, event: &Event| {
        let mut shelf = Shelf::open(&world.repo, &world.state()).expect("it opens");
        let author = Author { identity, actor: "tester", host: "test-host" };
        shelf.append(&author, event).expect("it is written");
    };
    // Only what an administrator says of it is believed.
    write(&writer(&world, 3, Role::Verify), &act(1));
    let stripped = |world: &World| {
        let (bundle, closing) = export_by(world, &two);
        let exported = of(world, bundle, closing);
        let mut files = files(&exported);
        files.remove(&revocation_in(&files));
        close_again(world, &two, closing, &mut files);
        judge(&exported, &files)
    };
    assert!(stripped(&world).is_ok(), "nothing in the bundle says that it was revoked");
    write(&writer(&world, 9, Role::Admin), &act(2));
    let found = why(stripped(&world));
    assert!(found.contains("its revocation is not there"), "{found}");
}

/// Signs the record that closes a bundle anew, for the files that are in it now.
fn close_again(world: &World, identity: &Identity, closing: Reference, files: &mut Files) {
    let name = chain(2, closing.number);
    let signed = files.remove(&name).expect("it closes the bundle");
    let record = SignedRecord::parse(signed).expect("it is a record").record;
    let Ok(Event::Export(export)) = Event::decode(&record.event, &record.body) else {
        unreachable!("it is an export");
    };
    let body = export_event(export.segments, files, &export.purpose).body();
    let at = ObjectName::Evidence { writer: identity.client, number: closing.number };
    let body = encode(&Record { body, ..record });
    let signed = sign_body(&world.repo, &at, ControlKind::Evidence, &body, &identity.signing);
    files.insert(name, signed);
}
