//! Forged packs and segments: whoever holds the index key of a dedup domain can seal them.

use bytes::Bytes;
use engine::base::id::{ChunkId, Digest, Nonce8, PackId, PackKind, SessionId};
use engine::blob::block::OpenBlock;
use engine::blob::buffers::PackBuffers;
use engine::blob::pack::{FinishedPack, OpenPack};
use engine::chunk::level::Level;
use engine::chunk::squeeze::Compressor;
use engine::crypt::{aead, hash};
use engine::format::envelope::associated_data;
use engine::format::pack::{PackHeader, PackTable, TRAILER_BYTES, padme};
use engine::format::segment::{SegmentFrame, SegmentPack, encode_packs};
use engine::repo::footer::{FOOTER_BARE_BYTES, seal_footer};
use engine::repo::keyring::WriteKeys;
use engine::repo::segments::{self, put_segment};
use engine::repo::session;
use engine::store::ObjectName;

use crate::forged::forger::{Forger, Way};
use crate::forged::grammar::{noise, one_of, spoil, spoil_record};
use crate::forged::kinds::Thief;

/// Numbers that do not fit where tables of packs have numbers.
const EDGES: [u32; 8] = [0, 1, 28, 4 << 20, (4 << 20) + 1, 8 << 20, 64 << 20, u32::MAX];

impl Forger<'_> {
    /// A pack, a segment that lists it, and the end of its session.
    pub(super) fn pack(&mut self, kind: PackKind, way: Way) {
        let session = self.view().session;
        if self.who == Thief::Stranger {
            let random = self.nonce();
            let name = ObjectName::Pack(PackId { kind, session, counter: 0, random });
            let mut bytes = self.nonsense().to_vec();
            if self.chance.hits(2) {
                bytes = self.pack_of_others(kind).to_vec();
                bytes[4 + self.chance.below(60) as usize] ^= 1;
            }
            return self.add_raw(&name.key(), bytes);
        }
        self.register(session);
        let write = self.tool.keys().write_to(self.who.domain()).expect("an administrator writes");
        let FinishedPack { mut listed, mut bytes } = self.sealed(kind, session, &write);
        match way {
            Way::Coherent => {}
            Way::Changed => (listed, bytes) = self.lie(listed, &bytes, &write),
            Way::Junk => {
                let mut spoilt = bytes.to_vec();
                spoil(&mut spoilt, &mut self.chance);
                bytes = spoilt.into();
            }
        }
        self.add_raw(&ObjectName::Pack(listed.pack).key(), bytes);
        if !self.chance.hits(4) {
            let id = segments::new_id(session, self.chance.below(9) as u32);
            put_segment(self.tool, &self.signing, write.domain, id, &[listed]).expect("stored");
        }
        if session.client() == self.client {
            session::end(self.tool, &self.identity(), session, "done").expect("it is stored");
        }
    }

    fn pack_of_others(&mut self, kind: PackKind) -> Bytes {
        let packs = &self.base.packs;
        let of_kind: Vec<_> = packs.iter().filter(|it| it.pack.kind == kind).collect();
        let key = ObjectName::Pack(one_of(&of_kind, &mut self.chance).pack).key();
        self.raw(&key).unwrap_or_else(|| vec![0; 200].into())
    }

    /// A whole pack that claims chunks of others, or holds zeros that shrink well.
    fn sealed(&mut self, kind: PackKind, session: SessionId, write: &WriteKeys) -> FinishedPack {
        let like = one_of(&self.base.packs, &mut self.chance).clone();
        let mut pack = OpenPack::new(self.tool, write, &PackBuffers::default(), kind, session, 0)
            .expect("made");
        let mut compressor = Compressor::new(Level::default());
        let fill = self.chance.draw() as u8;
        for chunk in &like.table.chunks {
            let id = match self.chance.hits(8) {
                true => ChunkId::new(noise(32, &mut self.chance).try_into().expect("32 bytes")),
                false => chunk.id,
            };
            let length = if self.chance.hits(60) { 4 << 20 } else { chunk.length_bytes };
            let mut block = OpenBlock::default();
            block.push(id, &vec![fill; length as usize]);
            pack.add_block(block.raw(), block.chunks(), &mut compressor);
        }
        pack.finish(write, &self.signing)
    }

    /// The same pack with a footer that says something else of it.
    fn lie(
        &mut self,
        listed: SegmentPack,
        bytes: &Bytes,
        write: &WriteKeys,
    ) -> (SegmentPack, Bytes) {
        let mut table = listed.table.clone();
        self.spoil_table(&mut table);
        let header = PackHeader::decode(bytes).expect("it was just made");
        let trailer = bytes.len() - TRAILER_BYTES;
        let length = u32::from_le_bytes(bytes[trailer..trailer + 4].try_into().expect("four"));
        let mut body = bytes[..trailer - length as usize].to_vec();
        let footer_bytes = FOOTER_BARE_BYTES + table.len_bytes();
        let stored = padme((body.len() + footer_bytes + TRAILER_BYTES) as u64);
        body.resize(stored as usize - footer_bytes - TRAILER_BYTES, 0);
        let place = (listed.pack, &header);
        let footer = seal_footer(&write.index, &self.signing, place, stored as u32, &table);
        body.extend_from_slice(&footer);
        body.extend_from_slice(&(footer.len() as u32).to_le_bytes());
        let digest = hash::digest(&body);
        body.extend_from_slice(digest.as_bytes());
        let footer = hash::digest(&footer);
        (SegmentPack { stored_bytes: stored as u32, footer, table, ..listed }, body.into())
    }

    /// Changes numbers in a table, or says things twice.
    fn spoil_table(&mut self, table: &mut PackTable) {
        let edge = *one_of(&EDGES, &mut self.chance);
        let (block, chunk) = (self.chance.draw() as usize, self.chance.draw() as usize);
        let (blocks, chunks) = (table.blocks.len().max(1), table.chunks.len().max(1));
        let choice = self.chance.below(8);
        if let Some(block) = table.blocks.get_mut(block % blocks) {
            match choice {
                0 => block.raw_bytes = edge,
                1 => block.stored_bytes = edge,
                2 => block.offset = edge,
                _ => {}
            }
        }
        if let Some(found) = table.chunks.get_mut(chunk % chunks) {
            match choice {
                3 => found.length_bytes = edge,
                4 => found.offset = edge,
                5 => found.block = edge,
                6 => {
                    let again = *found;
                    table.chunks.extend(std::iter::repeat_n(again, 2000));
                }
                7 => drop(table.chunks.pop()),
                _ => {}
            }
        }
    }

    /// A segment that lists packs of others, or some that there are not.
    pub(super) fn segment(&mut self, way: Way) {
        let session = self.view().session;
        let id = segments::new_id(session, self.chance.below(9) as u32);
        let name = ObjectName::Segment(id);
        if self.who == Thief::Stranger {
            let (bytes, code) = (self.nonsense(), self.nonce());
            return self.add_raw(&format!("{name}-{code}"), bytes);
        }
        self.register(session);
        let domain = self.who.domain();
        let mut packs = Vec::new();
        for _ in 0..=self.chance.below(3) {
            packs.push(self.listing(domain));
        }
        self.count += 1;
        if way == Way::Changed {
            self.put_changed_segment(&name, domain, &packs);
        } else {
            put_segment(self.tool, &self.signing, domain, id, &packs).expect("it is stored");
        }
        if way == Way::Junk {
            let key = self.tool.store().key_of(&name);
            let mut bytes = self.raw(&key).unwrap_or_default().to_vec();
            match self.chance.hits(3) {
                true => bytes = self.nonsense().to_vec(),
                false => spoil(&mut bytes, &mut self.chance),
            }
            self.put_raw(&key, bytes);
        }
        if session.client() == self.client {
            session::end(self.tool, &self.identity(), session, "done").expect("it is stored");
        }
    }

    /// What a segment might say of a pack.
    fn listing(&mut self, domain: u32) -> SegmentPack {
        let mut listed = one_of(&self.base.packs, &mut self.chance).clone();
        listed.domain = domain;
        match self.chance.below(6) {
            0 => self.spoil_table(&mut listed.table),
            1 => listed.stored_bytes = *one_of(&EDGES[..6], &mut self.chance),
            2 => listed.footer = Digest::new([7; 32]),
            3 => listed.pack.random = Nonce8::new([7; 8]),
            4 => listed.table.chunks.truncate(1),
            _ => {}
        }
        listed
    }

    /// A segment whose list is none, signed and sealed like any.
    fn put_changed_segment(&mut self, name: &ObjectName, domain: u32, packs: &[SegmentPack]) {
        let keys = self.tool.keys();
        let index_key = keys.index_key(domain).expect("an administrator has all");
        let mut list = encode_packs(packs);
        match self.chance.hits(2) {
            true => spoil_record(&mut list, &mut self.chance),
            false => spoil(&mut list, &mut self.chance),
        }
        let mut frame = SegmentFrame { domain, epoch: keys.control().1, sealed: &[] };
        let (repository, place) =
            (self.tool.config().repository, hash::digest(name.key().as_bytes()));
        let bound = |purpose, frame: &SegmentFrame<'_>| {
            associated_data(purpose, repository, place, &frame.bound())
        };
        let front = bound("signed segment", &frame);
        let message = [front.as_slice(), hash::digest(&list).as_bytes()].concat();
        let plain = [self.signing.sign(&message).as_slice(), &list].concat();
        let sealed = aead::seal(&index_key, &bound("segment", &frame), &plain);
        frame.sealed = &sealed;
        self.tool.store().put_new(name, Bytes::from(frame.encode())).expect("the name is new");
    }
}
