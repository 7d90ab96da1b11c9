//! A bundle against a public key: no repository, no secret, no network.
//!
//! The administrator's key vouches for the keys of writers, those sign records, each record names
//! the one before it, and the last record of a bundle says what belongs to it. What a bundle says
//! of samples and of single files is derived again from what was signed.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::Decode;

use crate::evidence::chain::{ChainKey, Flaw, FlawKind};
use crate::evidence::claims::check_claims;
use crate::evidence::container::{self, Files};
use crate::evidence::derive::{DRILLS_FOLDER, check_drill, check_populations};
use crate::evidence::drill_event::{Drill, DrillBegun};
use crate::evidence::event::{Event, Export, Segment, may_write};
use crate::evidence::merkle::RootBuilder;
use crate::evidence::record::{
    CLIENT_KIND, Hash32, Reference, SIGNATURE_BYTES, SignedRecord, Writer, from_hex, is_signed_by,
    to_hex,
};
use crate::evidence::revoked::{CLIENTS_FOLDER, Endings, revoked_by, verify_parted};
use crate::evidence::table::FileProof;
use crate::evidence::token;

/// Name of the file that says whose evidence it is.
pub const IDENTITY_FILE: &str = "repository.txt";
/// Folder of chains.
pub const CHAINS_FOLDER: &str = "chains/";
/// Folder of proofs of single files.
pub const PROOFS_FOLDER: &str = "proofs/";
/// Folder of RFC 3161 responses, for `openssl ts -verify`.
pub const TOKENS_FOLDER: &str = "tokens/";

/// Roles that may write evidence, by their number in a client record; see [`may_write`].
const WRITER_ROLES: [u8; 3] = [2, 3, ADMIN];
/// The role that revokes.
const ADMIN: u8 = 5;

/// Whom the auditor trusts, from outside of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The administrator's public key.
    Key([u8; 32]),
    /// Its fingerprint as shown to people: eight groups of four hexadecimal digits.
    Fingerprint(String),
}

impl Trust {
    /// Reads a public key (64 digits) or a fingerprint.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // People read them aloud and type them again.
        let text = text.trim().to_ascii_lowercase();
        let text = text.as_str();
        if let Some(key) = from_hex(text).and_then(|bytes| bytes.try_into().ok()) {
            return Some(Self::Key(key));
        }
        let groups: Vec<&str> = text.split('-').collect();
        let is_group = |group: &&str| group.len() == 4 && from_hex(group).is_some();
        (groups.len() == 8 && groups.iter().all(is_group))
            .then(|| Self::Fingerprint(text.to_owned()))
    }

    fn accepts(&self, key: &[u8; 32]) -> bool {
        match self {
            Self::Key(trusted) => trusted == key,
            Self::Fingerprint(trusted) => *trusted == fingerprint(key),
        }
    }
}

/// The form in which people compare an administrator's key.
#[must_use]
pub fn fingerprint(key: &[u8; 32]) -> String {
    let digits = Hash32::of(key).to_string();
    let groups: Vec<&str> = (0..8).filter_map(|n| digits.get(n * 4..n * 4 + 4)).collect();
    groups.join("-")
}

/// A writer that the administrator vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// Its name for people.
    pub name: String,
    /// Its public key.
    pub public: [u8; 32],
    /// Its role, by its number in a client record.
    pub role: u8,
}

/// What a good bundle holds.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// The repository.
    pub repository: [u8; 16],
    /// The administrator's key.
    pub admin_key: [u8; 32],
    /// Who wrote.
    pub writers: BTreeMap<Writer, Vouched>,
    /// All records that count, by writer and number.
    pub records: Vec<SignedRecord>,
    /// What ended those of the writers that were revoked.
    pub endings: Endings,
    /// Records that their writers signed after they were revoked: they count for nothing.
    pub late: Vec<SignedRecord>,
    /// The record that closes the bundle.
    pub export: Option<Reference>,
    /// Whom it was made for.
    pub purpose: String,
    /// Drills whose sample was drawn again, with the same result.
    pub samples_drawn: Vec<String>,
    /// Runs of the populations that are in the bundle, by the record that signed their root.
    pub populations: Vec<(String, u64)>,
    /// Paths of single files that are proved.
    pub files_proved: Vec<Vec<u8>>,
    /// Records with a time stamp, and the authority's time; its signature is not verified here.
    pub timestamps: Vec<(Reference, String)>,
}

impl Verified {
    /// Records that count, and then those that do not; those of a writer in their order.
    fn all(&self) -> impl Iterator<Item = &SignedRecord> {
        self.records.iter().chain(&self.late)
    }
}

/// Verifies a bundle. `pins` are records that the auditor knows from before: each must be in it,
/// or lie before what it covers.
///
/// # Errors
/// Everything that is wrong with it.
pub fn verify(bundle: &[u8], trust: &Trust, pins: &[Reference]) -> Result<Verified, Vec<Flaw>> {
    let files = container::read(bundle)
        .map_err(|why| vec![Flaw::new(FlawKind::Container, "the bundle", why)])?;
    let mut flaws = Vec::new();
    let verified = verify_files(&files, trust, pins, &mut flaws);
    match (verified, flaws.is_empty()) {
        (Some(verified), true) => Ok(verified),
        _ => {
            flaws.sort();
            flaws.dedup();
            Err(flaws)
        }
    }
}

fn verify_files(
    files: &Files,
    trust: &Trust,
    pins: &[Reference],
    flaws: &mut Vec<Flaw>,
) -> Option<Verified> {
    let identity = files.get(IDENTITY_FILE).and_then(|text| read_identity(text));
    let Some((repository, admin_key)) = identity else {
        flaws.push(Flaw::new(FlawKind::Missing, IDENTITY_FILE, "it does not say whose it is"));
        return None;
    };
    if !trust.accepts(&admin_key) {
        let why =
            format!("it is of the key {}, which is not the one given", fingerprint(&admin_key));
        flaws.push(Flaw::new(FlawKind::Untrusted, IDENTITY_FILE, why));
        return None;
    }
    let mut verified = Verified { repository, admin_key, ..Verified::default() };
    verified.endings = Endings::of_bundle(files, &repository, &admin_key, flaws);
    let mut chains = read_chains(files, flaws);
    for (writer, records) in &mut chains {
        let Some(vouched) = vouched(files, &repository, &admin_key, *writer, flaws) else {
            continue;
        };
        let key = ChainKey { repository: &repository, writer: *writer, public: &vouched.public };
        let records = std::mem::take(records);
        let good = verify_parted(key, records, None, &verified.endings, flaws);
        for one in good.counted.iter().filter(|one| !may_write(vouched.role, &one.record.event)) {
            let why = format!("a client of this role may not write {}", one.record.event);
            flaws.push(Flaw::new(FlawKind::Untrusted, one.reference().to_string(), why));
        }
        verified.records.extend(good.counted);
        verified.late.extend(good.late);
        verified.writers.insert(*writer, vouched);
    }
    check_endings(&verified, flaws);
    check_heads(&verified, pins, flaws);
    check_export(files, &mut verified, flaws);
    check_claims(&verified.records, flaws);
    check_drills(files, &mut verified, flaws);
    verified.populations = check_populations(files, &verified.records, flaws);
    check_tokens(files, &mut verified, flaws);
    Some(verified)
}

/// The text of [`IDENTITY_FILE`].
#[must_use]
pub fn identity_text(repository: &[u8; 16], admin_key: &[u8; 32]) -> String {
    format!(
        "mainstay evidence bundle 1\nrepository {}\nadministrator {}\nfingerprint {}\n",
        to_hex(repository),
        to_hex(admin_key),
        fingerprint(admin_key)
    )
}

fn read_identity(text: &[u8]) -> Option<([u8; 16], [u8; 32])> {
    let text = std::str::from_utf8(text).ok()?;
    let mut lines = text.lines().skip(1);
    let repository = from_hex(lines.next()?.strip_prefix("repository ")?)?.try_into().ok()?;
    let key = from_hex(lines.next()?.strip_prefix("administrator ")?)?.try_into().ok()?;
    (identity_text(&repository, &key) == text).then_some((repository, key))
}

type Chains = BTreeMap<Writer, Vec<(u32, Vec<u8>)>>;

fn read_chains(files: &Files, flaws: &mut Vec<Flaw>) -> Chains {
    let mut chains = Chains::new();
    for (name, content) in files {
        let Some(rest) = name.strip_prefix(CHAINS_FOLDER) else { continue };
        let place = rest.split_once('/').and_then(|(writer, number)| {
            let writer = Writer(from_hex(writer)?.try_into().ok()?);
            let number = u32::from_str_radix(number, 16).ok()?;
            (format!("{writer}/{number:08x}") == rest).then_some((writer, number))
        });
        match place {
            Some((writer, number)) => {
                chains.entry(writer).or_default().push((number, content.clone()));
            }
            None => flaws.push(Flaw::new(FlawKind::Foreign, name, "it is no name of a record")),
        }
    }
    chains
}

#[derive(Decode)]
#[cbor(map)]
struct ClientRecord {
    #[n(0)]
    client: Writer,
    #[n(1)]
    name: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    verifying_key: [u8; 32],
    #[n(3)]
    role: u8,
}

fn vouched(
    files: &Files,
    repository: &[u8; 16],
    admin_key: &[u8; 32],
    writer: Writer,
    flaws: &mut Vec<Flaw>,
) -> Option<Vouched> {
    let key = format!("{CLIENTS_FOLDER}{writer}");
    let mut wrong = |kind, why: &str| {
        flaws.push(Flaw::new(kind, &key, why));
        None
    };
    let Some(signed) = files.get(&key) else {
        return wrong(FlawKind::Missing, "nobody vouches for this writer");
    };
    if !is_signed_by(admin_key, repository, &key, CLIENT_KIND, signed) {
        return wrong(FlawKind::Edited, "it is not signed by the administrator");
    }
    match minicbor::decode::<ClientRecord>(&signed[SIGNATURE_BYTES..]) {
        Ok(record) if record.client == writer && WRITER_ROLES.contains(&record.role) => {
            let (name, public, role) = (record.name, record.verifying_key, record.role);
            Some(Vouched { name, public, role })
        }
        Ok(_) => wrong(FlawKind::Untrusted, "this client may not write evidence"),
        Err(_) => wrong(FlawKind::Edited, "it is no record of a client"),
    }
}

/// Whom an administrator has recorded as revoked, of that one a revocation must be there.
fn check_endings(verified: &Verified, flaws: &mut Vec<Flaw>) {
    for one in &verified.records {
        let is_admin = |vouched: &Vouched| vouched.role == ADMIN;
        if !verified.writers.get(&one.record.writer).is_some_and(is_admin) {
            continue;
        }
        let Some(writer) = revoked_by(one) else { continue };
        if verified.writers.contains_key(&writer) && verified.endings.of(writer).is_empty() {
            let why = format!("the writer {writer} was revoked, and its revocation is not there");
            flaws.push(Flaw::new(FlawKind::Missing, one.reference().to_string(), why));
        }
    }
}

/// Every head that a record that counts or the auditor names must be what stands there.
fn check_heads(verified: &Verified, pins: &[Reference], flaws: &mut Vec<Flaw>) {
    let mut known: BTreeMap<(Writer, u32), Hash32> = BTreeMap::new();
    let mut ends: BTreeMap<Writer, (u32, u32)> = BTreeMap::new();
    for one in verified.all() {
        let (writer, number) = (one.record.writer, one.record.number);
        known.insert((writer, number), one.hash);
        let end = ends.entry(writer).or_insert((number, number));
        *end = (end.0.min(number), end.1.max(number));
    }
    let named = verified.records.iter().flat_map(|one| {
        one.record.heads.iter().map(move |head| (one.reference().to_string(), *head))
    });
    let pinned = pins.iter().map(|pin| ("a record known from before".to_owned(), *pin));
    for (by, head) in named.chain(pinned) {
        let place = format!("{CHAINS_FOLDER}{}/{:08x}", head.writer, head.number);
        match (known.get(&(head.writer, head.number)), ends.get(&head.writer)) {
            (Some(hash), _) if *hash == head.hash => {}
            (Some(_), _) => {
                let why = format!("{by} names another record at this place");
                flaws.push(Flaw::new(FlawKind::Forked, place, why));
            }
            (None, Some((first, _))) if head.number < *first => {}
            (None, Some(_)) => {
                let why = format!("{by} names this record, and it is not there");
                flaws.push(Flaw::new(FlawKind::Truncated, place, why));
            }
            (None, None) => {
                let why = format!("{by} names this chain, and it is not there");
                flaws.push(Flaw::new(FlawKind::Missing, place, why));
            }
        }
    }
}

/// The record that closes the bundle: it must be the last of its chain and list everything.
fn check_export(files: &Files, verified: &mut Verified, flaws: &mut Vec<Flaw>) {
    let mut ends: BTreeMap<Writer, (u32, Reference)> = BTreeMap::new();
    for one in verified.all() {
        let end = ends.entry(one.record.writer).or_insert((one.record.number, one.reference()));
        end.1 = one.reference();
    }
    let closing = verified.all().filter_map(|one| {
        let is_last = ends.get(&one.record.writer).is_some_and(|end| end.1 == one.reference());
        let event = Event::decode(&one.record.event, &one.record.body);
        match (is_last, event) {
            (true, Ok(Event::Export(export))) => Some((one.reference(), export)),
            _ => None,
        }
    });
    // The newest one closes the bundle; a chain of another writer may end in an older export.
    let described: Vec<_> =
        closing.filter(|(at, export)| segments(&ends, *at) == export.segments).collect();
    let [(at, export)] = described.as_slice() else {
        let why = "no record at its end says that these chains are all";
        flaws.push(Flaw::new(FlawKind::Truncated, "the bundle", why));
        return;
    };
    if verified.late.iter().any(|one| one.reference() == *at) {
        let why = "it closes the bundle, and was signed after its writer was revoked";
        flaws.push(Flaw::new(FlawKind::Untrusted, at.to_string(), why));
    }
    let (count, root) = files_root(files);
    if (count, root) != (export.files, export.files_root) {
        let why = format!(
            "of the files that belong to it ({}) and those that are there ({count}) some differ",
            export.files
        );
        flaws.push(Flaw::new(FlawKind::Edited, "the files beside the chains", why));
    }
    verified.export = Some(*at);
    verified.purpose.clone_from(&export.purpose);
}

/// The chains as the export record `at` must list them: all of the others, its own before it.
fn segments(ends: &BTreeMap<Writer, (u32, Reference)>, at: Reference) -> Vec<Segment> {
    let of = |(writer, (first, last)): (&Writer, &(u32, Reference))| Segment {
        writer: *writer,
        first: *first,
        last: last.number,
        hash: if *writer == at.writer { Hash32::default() } else { last.hash },
    };
    ends.iter().map(of).collect()
}

/// Number of files beside the chains, and the root over their names and contents.
#[must_use]
pub fn files_root(files: &Files) -> (u64, Hash32) {
    let mut builder = RootBuilder::default();
    for (name, content) in files.iter().filter(|(name, _)| !name.starts_with(CHAINS_FOLDER)) {
        builder.push(&[name.as_bytes(), &[0], &Hash32::of(content).0].concat());
    }
    (builder.count(), builder.root())
}

/// What an export record must say of chains that end in `last`; its own chain's last record is the
/// export itself, whose hash it cannot name.
#[must_use]
pub fn export_segments(records: &[(u32, Reference)], own: Writer, number: u32) -> Vec<Segment> {
    let at = Reference { writer: own, number, hash: Hash32::default() };
    let mut ends: BTreeMap<Writer, (u32, Reference)> =
        records.iter().map(|(first, last)| (last.writer, (*first, *last))).collect();
    ends.entry(own).and_modify(|end| end.1 = at).or_insert((number, at));
    segments(&ends, at)
}

fn check_drills(files: &Files, verified: &mut Verified, flaws: &mut Vec<Flaw>) {
    let by_place: BTreeMap<String, &SignedRecord> =
        verified.records.iter().map(|one| (one.reference().to_string(), one)).collect();
    let mut drills: BTreeMap<String, (Drill, DrillBegun, Hash32)> = BTreeMap::new();
    for (place, one) in &by_place {
        let Ok(Event::Drill(drill)) = Event::decode(&one.record.event, &one.record.body) else {
            continue;
        };
        let begun = by_place.get(&drill.begun.to_string());
        let begun = begun.filter(|begun| begun.hash == drill.begun.hash);
        let event = begun.map(|begun| Event::decode(&begun.record.event, &begun.record.body));
        if let (Some(begun), Some(Ok(Event::DrillBegun(event)))) = (begun, event) {
            drills.insert(place.clone(), (*drill, event, begun.record.previous));
        }
    }
    let names: BTreeSet<String> = files
        .keys()
        .filter_map(|name| name.strip_prefix(DRILLS_FOLDER)?.rsplit_once('/'))
        .map(|(place, _)| place.to_owned())
        .collect();
    for place in names {
        let checked =
            drills.get(&place).ok_or_else(|| "no drill is recorded here".to_owned()).and_then(
                |(drill, begun, previous)| check_drill(files, &place, drill, begun, previous),
            );
        match checked {
            Ok(true) => verified.samples_drawn.push(place),
            Ok(false) => {}
            Err(why) => {
                let place = format!("{DRILLS_FOLDER}{place}");
                flaws.push(Flaw::new(FlawKind::Derivation, place, why));
            }
        }
    }
    for (name, text) in files.iter().filter(|(name, _)| name.starts_with(PROOFS_FOLDER)) {
        let proof = FileProof::from_text(text);
        let is_good = proof.as_ref().is_some_and(|proof| {
            let drill = drills.get(&proof.drill).map(|(drill, ..)| drill);
            drill.is_some_and(|drill| {
                proof.count == drill.result_count && proof.root() == Some(drill.results)
            })
        });
        match proof {
            Some(proof) if is_good => verified.files_proved.push(proof.path),
            _ => flaws.push(Flaw::new(
                FlawKind::Derivation,
                name,
                "it does not lead to what the drill signed",
            )),
        }
    }
}

fn check_tokens(files: &Files, verified: &mut Verified, flaws: &mut Vec<Flaw>) {
    let signed: BTreeMap<Reference, &[u8]> =
        verified.records.iter().map(|one| (one.reference(), one.signed.as_slice())).collect();
    let mut recorded: BTreeSet<Vec<u8>> = BTreeSet::new();
    for one in &verified.records {
        let Ok(Event::Timestamp(stamp)) = Event::decode(&one.record.event, &one.record.body) else {
            continue;
        };
        recorded.insert(stamp.response.clone());
        // The stamped record may lie before what this bundle covers.
        let Some(stamped) = signed.get(&stamp.of) else { continue };
        match token::read(&stamp.response) {
            Ok(token) if token.imprint == token::imprint(stamped) => {
                verified.timestamps.push((stamp.of, token.time));
            }
            _ => {
                let why = "its time stamp is of another record";
                flaws.push(Flaw::new(FlawKind::Derivation, one.reference().to_string(), why));
            }
        }
    }
    for (name, content) in files.iter().filter(|(name, _)| name.starts_with(TOKENS_FOLDER)) {
        if !recorded.contains(content) {
            flaws.push(Flaw::new(FlawKind::Foreign, name, "no record holds this response"));
        }
    }
}

/// What an export record says.
#[must_use]
pub fn export_event(segments: Vec<Segment>, files: &Files, purpose: &str) -> Event {
    let (count, root) = files_root(files);
    Event::Export(Export { segments, files: count, files_root: root, purpose: purpose.to_owned() })
}
