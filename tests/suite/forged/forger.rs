//! Draws forged objects from a grammar, and puts them into a fork of the repository.
//!
//! A *coherent* object is whole and signed with the thief's key; it says something of the thief's own,
//! of somebody else, or in the name of somebody else. A *changed* one is the same with fields changed
//! before it was signed. *Junk* is changed from outside, copied from another name, or made of nothing.
//! Records are sealed with keys of the administrator's handle where the thief holds the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use engine::base::id::{
    ClientId, Digest, GenerationId, HoldId, InvitationId, Nonce8, PackId, SessionId,
};
use engine::crypt::sign::SigningKey;
use engine::format::envelope::{ControlKind, encode_record};
use engine::format::session::SessionKind;
use engine::format::snapshot::Snapshot;
use engine::repo::keyring::Identity;
use engine::repo::object::{put_signed, sign_body};
use engine::repo::{Repo, private, session};
use engine::store::ObjectName;
use object_store::memory::InMemory;
use system_tests::reader::cbor::Value;
use system_tests::scale::Chance;

use crate::forged::base::{Base, evidence_body};
use crate::forged::grammar::{Pool, encode, mutate, one_of, spoil_record, substitute};
use crate::forged::kinds::{Kind, Thief};
use crate::golden;

/// How objects of a batch are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Coherent,
    Changed,
    Junk,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Coherent, Self::Changed, Self::Junk];
}

/// Whose things an object is about, and in whose name.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) session: SessionId,
    pub(super) by: ClientId,
    pub(super) generation: GenerationId,
    pub(super) commit: (Nonce8, Digest),
    hold: HoldId,
}

/// Writes whatever it likes into one fork of the repository.
pub(super) struct Forger<'a> {
    pub(super) base: &'a Base,
    pub(super) inner: &'a InMemory,
    /// Opened by the administrator, on the fork.
    pub(super) tool: &'a Repo,
    pub(super) who: Thief,
    pub(super) chance: Chance,
    pub(super) pool: Pool,
    pub(super) signing: SigningKey,
    pub(super) client: ClientId,
    /// What stood at keys that were overwritten.
    pub(super) replaced: BTreeMap<String, Bytes>,
    /// Objects that were put up.
    pub(super) count: u64,
    /// Objects that were drawn.
    turn: u64,
    registered: Vec<SessionId>,
}

impl<'a> Forger<'a> {
    pub(super) fn new(
        base: &'a Base,
        inner: &'a Arc<InMemory>,
        tool: &'a Repo,
        who: Thief,
        seed: u64,
    ) -> Self {
        let stranger = || (ClientId::new([0xee; 8]), SigningKey::generate());
        let own = base.identity(who).map(|own| (own.client, own.signing.clone()));
        let (client, signing) = own.unwrap_or_else(stranger);
        let mut pool = Vec::new();
        for one in &base.genuine {
            pool.push(one.snapshot.session.as_bytes().to_vec());
            pool.push(one.snapshot.client.as_bytes().to_vec());
            pool.push(one.commit.as_bytes().to_vec());
            pool.push(one.snapshot.root.as_bytes().to_vec());
        }
        for pack in &base.packs {
            pool.extend(pack.table.chunks.iter().map(|chunk| chunk.id.as_bytes().to_vec()));
            pool.push(pack.pack.session.as_bytes().to_vec());
        }
        pool.push(client.as_bytes().to_vec());
        pool.push(signing.public().to_vec());
        pool.push(tool.config().repository.as_bytes().to_vec());
        let (chance, pool) = (Chance::new(seed), Pool(pool));
        let (replaced, registered) = (BTreeMap::new(), Vec::new());
        let (count, turn) = (0, 0);
        Self {
            base,
            inner,
            tool,
            who,
            chance,
            pool,
            signing,
            client,
            replaced,
            count,
            turn,
            registered,
        }
    }

    /// Puts up one object of the kind.
    pub(super) fn forge(&mut self, kind: Kind, way: Way) {
        if self.who == Thief::Store {
            return self.replace(kind);
        }
        match (kind, way) {
            (_, _) if self.who == Thief::Stranger && matches!(kind, Kind::Control(_)) => {
                self.uncoded(kind);
            }
            (Kind::Control(kind), Way::Coherent) => drop(self.record(kind, false)),
            (Kind::Control(kind), Way::Changed) => drop(self.record(kind, true)),
            (Kind::Control(control), Way::Junk) => self.junk_record(control),
            (kind, way) => self.other(kind, way),
        }
    }

    /// A random part; where it is to have a keeper's code, whoever has that key makes one.
    fn random(&mut self, name: impl Fn(Nonce8) -> ObjectName) -> Nonce8 {
        match self.who.may_forget() {
            true => self.tool.store().draw(name),
            false => self.nonce(),
        }
    }

    pub(super) fn nonce(&mut self) -> Nonce8 {
        Nonce8::new(self.chance.draw().to_le_bytes())
    }

    /// Whose things, and in whose name: each in turn, so that no seed leaves one out.
    pub(super) fn view(&mut self) -> View {
        self.turn += 1;
        let victims = &self.base.genuine;
        let genuine = &victims[(self.turn / 4) as usize % victims.len()];
        let (victim, commit) = (genuine.snapshot.client, (genuine.random, genuine.commit));
        let (number, random) = (self.chance.below(5), self.nonce());
        let own = SessionId::from_parts(self.client, number, random);
        let none = SessionId::from_parts(victim, 7, random);
        let others = [genuine.snapshot.session, self.base.forgotten, none];
        let (session, by) = match self.turn % 4 {
            0 => (own, self.client),
            1 => (genuine.snapshot.session, self.client),
            2 => (*one_of(&others[1..], &mut self.chance), self.client),
            _ => (*one_of(&others, &mut self.chance), victim),
        };
        let hold = |random: Nonce8| ObjectName::Hold(HoldId::new(*random.as_bytes()));
        let hold = HoldId::new(*self.random(hold).as_bytes());
        let generation = GenerationId::from_parts(by, random);
        View { session, by, generation, commit, hold }
    }

    /// The name of a record of that kind.
    pub(super) fn name(&mut self, kind: ControlKind, view: &View) -> ObjectName {
        use ControlKind as It;
        let (session, generation, writer) = (view.session, view.generation, view.by);
        let random = self.nonce();
        match kind {
            It::Client => ObjectName::Client(writer),
            It::Revocation => ObjectName::Revoked(writer, random),
            It::Session => ObjectName::Session(session),
            It::Commit => ObjectName::Commit(session, random),
            It::Confirm => ObjectName::Confirm(session),
            It::Fence => ObjectName::Fence(session, random),
            It::Final => ObjectName::Final(session, random),
            It::Tomb => ObjectName::Tomb(session, self.random(|it| ObjectName::Tomb(session, it))),
            It::Hold => ObjectName::Hold(view.hold),
            It::Release => {
                let hold = view.hold;
                ObjectName::Release(hold, self.random(|it| ObjectName::Release(hold, it)))
            }
            It::Tags => ObjectName::Tags(session, random),
            It::Consent => ObjectName::Consent(self.random(ObjectName::Consent)),
            It::Condemn => ObjectName::Condemn(generation),
            It::Sweep => ObjectName::Sweep(generation),
            It::Void => ObjectName::Void(generation),
            It::Done => ObjectName::Done(generation),
            It::Close => ObjectName::Close(generation, random),
            It::Closed => ObjectName::Closed(generation, random),
            It::Base => ObjectName::Past { number: 5, random },
            It::Evidence => ObjectName::Evidence { writer, number: self.chance.below(60) as u32 },
            It::Run => {
                let run = golden::machines::run();
                ObjectName::Run { hour: run.hour(), writer, number: run.number, random }
            }
            It::Conf => {
                ObjectName::Conf { writer, number: golden::machines::conf().number, random }
            }
            It::Join => {
                let invitation = InvitationId::new(*golden::history::join().invitation.as_bytes());
                ObjectName::Join(invitation, random)
            }
            It::Fold => ObjectName::Fold { number: golden::history::fold().number, random },
            It::Copied => ObjectName::Copied(session, random),
            It::Lock => ObjectName::Lock { number: golden::history::lock().number, random },
        }
    }

    /// The body of a record under `name` that says what it should.
    fn body(&mut self, kind: ControlKind, view: &View, name: &ObjectName) -> Value {
        use ControlKind as It;
        let bytes = match kind {
            It::Client => {
                let role = *one_of(&engine::format::slot::Role::ALL, &mut self.chance);
                let key = self.signing.public();
                let hosts = vec!["test-host".to_owned()];
                encode_record(&engine::format::client::Client {
                    verifying_key: key,
                    role,
                    hosts,
                    ..golden::client()
                })
            }
            It::Commit => return self.commit_body(view, name),
            It::Evidence => evidence_body(self.tool, view.by, 0),
            It::Session => encode_record(&golden::session()),
            It::Confirm => encode_record(&golden::confirm()),
            It::Fence | It::Final => encode_record(&golden::fence()),
            It::Tomb => encode_record(&golden::marks::tomb()),
            It::Hold => encode_record(&golden::marks::hold()),
            It::Release => encode_record(&golden::marks::release()),
            It::Tags => encode_record(&golden::marks::tags()),
            It::Consent => {
                let ObjectName::Consent(id) = *name else { unreachable!("it was named so") };
                encode_record(&engine::format::consent::Consent { id, ..golden::marks::consent() })
            }
            It::Condemn => encode_record(&golden::generations::condemn()),
            It::Sweep => encode_record(&golden::generations::sweep()),
            It::Void | It::Done => encode_record(&golden::generations::ending()),
            It::Close | It::Closed => encode_record(&golden::generations::close()),
            It::Base => encode_record(&golden::generations::base()),
            It::Revocation => encode_record(&golden::machines::revocation()),
            It::Run => encode_record(&golden::machines::run()),
            It::Conf => encode_record(&golden::machines::conf()),
            It::Join => encode_record(&golden::history::join()),
            It::Fold => encode_record(&golden::history::fold()),
            It::Copied => encode_record(&golden::history::copied()),
            It::Lock => encode_record(&golden::history::lock()),
        };
        let mut value = Value::decode(&bytes).expect("records are plain CBOR");
        let table = self.table(kind, view);
        substitute(&mut value, &table);
        value
    }

    /// What stands in the examples, and what is put in its place.
    fn table(&mut self, kind: ControlKind, view: &View) -> Vec<(Vec<u8>, Vec<u8>)> {
        let example = golden::segment_packs()[0].pack;
        let pack = one_of(&self.base.packs, &mut self.chance).pack;
        let members =
            |pack: PackId| [&pack.counter.to_be_bytes()[..], pack.random.as_bytes()].concat();
        // Collections are about packs that are there, whoever wrote them.
        let is_about_packs =
            matches!(kind, ControlKind::Condemn | ControlKind::Sweep | ControlKind::Base);
        let session = if is_about_packs { pack.session } else { view.session };
        let repository = *self.tool.config().repository.as_bytes();
        vec![
            (golden::session().session.as_bytes().to_vec(), session.as_bytes().to_vec()),
            (golden::client().client.as_bytes().to_vec(), view.by.as_bytes().to_vec()),
            (
                golden::generations::generation_id().as_bytes().to_vec(),
                view.generation.as_bytes().to_vec(),
            ),
            (members(example), members(pack)),
            (golden::confirm().commit.as_bytes().to_vec(), view.commit.1.as_bytes().to_vec()),
            (golden::confirm().random.as_bytes().to_vec(), view.commit.0.as_bytes().to_vec()),
            (golden::marks::hold().hold.as_bytes().to_vec(), view.hold.as_bytes().to_vec()),
            (golden::config().repository.as_bytes().to_vec(), repository.to_vec()),
        ]
    }

    /// A snapshot record like a genuine one, sealed as it must be.
    fn commit_body(&mut self, view: &View, name: &ObjectName) -> Value {
        let like = &one_of(&self.base.genuine, &mut self.chance).snapshot;
        let snapshot = Snapshot {
            session: view.session,
            client: view.session.client(),
            previous: None,
            seen: Vec::new(),
            ..like.clone()
        };
        let commit = private::seal(self.tool, name, &snapshot).expect("it can be sealed");
        Value::decode(&encode_record(&commit)).expect("records are plain CBOR")
    }

    /// Registers an own session, so that what it stores is looked at.
    pub(super) fn register(&mut self, session: SessionId) {
        if session.client() == self.client && !self.registered.contains(&session) {
            self.registered.push(session);
            let identity = self.identity();
            session::register(self.tool, &identity, session, SessionKind::Backup, "forger")
                .expect("memory takes it");
        }
    }

    pub(super) fn identity(&self) -> Identity {
        Identity { client: self.client, signing: self.signing.clone() }
    }

    /// The key that the thief signs such a record with.
    fn signer(&self, kind: ControlKind) -> SigningKey {
        let is_of_admin = matches!(kind, ControlKind::Client | ControlKind::Revocation);
        match self.tool.keys().admin() {
            Ok(admin) if is_of_admin && self.who == Thief::Admin => admin.signing().clone(),
            _ => self.signing.clone(),
        }
    }

    /// A record that is sealed and signed; answers its name unless another stands there.
    pub(super) fn record(&mut self, kind: ControlKind, is_changed: bool) -> Option<ObjectName> {
        let mut view = self.view();
        if kind == ControlKind::Client {
            // Those that are there cannot be put up again.
            view.by = ClientId::new(*self.nonce().as_bytes());
        }
        let name = self.name(kind, &view);
        let mut body = self.body(kind, &view, &name);
        if is_changed {
            for _ in 0..=self.chance.below(3) {
                mutate(&mut body, &self.pool, &mut self.chance);
            }
        }
        let mut bytes = encode(&body);
        if is_changed && self.chance.hits(3) {
            spoil_record(&mut bytes, &mut self.chance);
        }
        let signed = sign_body(self.tool, &name, kind, &bytes, &self.signer(kind));
        put_signed(self.tool, &name, kind, &signed).ok()?;
        self.count += 1;
        if kind == ControlKind::Commit {
            self.register(view.session);
        }
        Some(name)
    }
}
