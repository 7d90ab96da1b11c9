//! Draws trees and edits with proptest: mostly plain things, with every strange one among them.

use bytes::Bytes;
use proptest::arbitrary::any;
use proptest::collection::vec;
use proptest::option;
use proptest::sample::select;
use proptest::strategy::{Just, Strategy, Union};
use proptest::{prop_oneof, strategy::BoxedStrategy};

use crate::trees::content::{Content, Piece};
use crate::trees::edit::{Edit, EditScript};
use crate::trees::{ItemSpec, Kind, Meta, TreeSpec};

/// The logical size of the largest hole.
const HUGE_BYTES: u64 = 1 << 40;

/// What may be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The most items of a tree.
    pub items_max: usize,
    /// The most bytes of one piece of a file that are really written.
    pub piece_bytes_max: u64,
    /// Whether files may be 1 TiB long on paper.
    pub huge: bool,
    /// Whether some trees go deeper than any path.
    pub deep: bool,
    /// Whether the tree is made by root: owners, devices, capabilities, and modes that keep
    /// their owner out. Nobody else can make these, or read them back.
    pub as_root: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            items_max: 40,
            piece_bytes_max: 300_000,
            huge: true,
            deep: true,
            as_root: rustix::process::geteuid().is_root(),
        }
    }
}

/// Trees.
pub fn trees(options: Options) -> BoxedStrategy<TreeSpec> {
    let chain = if options.deep {
        prop_oneof![9 => Just(0), 1 => 15..85_usize].boxed()
    } else {
        Just(0).boxed()
    };
    (vec(items(options, true), 0..=options.items_max), chain)
        .prop_map(|(items, deep_chain_count)| TreeSpec { items, deep_chain_count })
        .boxed()
}

/// Scripts of up to `edits_max` edits.
pub fn edit_scripts(options: Options, edits_max: usize) -> BoxedStrategy<EditScript> {
    vec(edits(options), 0..=edits_max).prop_map(|edits| EditScript { edits }).boxed()
}

/// Names of any bytes that a directory can hold.
pub fn names() -> impl Strategy<Value = Bytes> {
    const STRANGE: &[&[u8]] = &[
        b"-rf",
        b"--",
        b"...",
        b" ",
        b"trailing dot.",
        b"trailing space ",
        b"new\nline",
        b"\n",
        b"\x1b[31mred\x1b[0m",
        b"tab\there",
        b"back\\slash",
        b"quote'\"`$(id)",
        b"*",
        b"~",
        b"CON",
        b"\xff\xfe",
        b"half \xc3",
        b"\xe2\x80\xae right to left",
        b"\x01",
        b"\x7f",
        b"A",
        b"a",
        "caf\u{e9}".as_bytes(),
        "cafe\u{301}".as_bytes(),
        "\u{1f980}".as_bytes(),
    ];
    let any_bytes = vec(any::<u8>(), 1..24).prop_map(|mut bytes| {
        bytes.iter_mut().filter(|byte| [0, b'/'].contains(byte)).for_each(|byte| *byte = b'_');
        if bytes == b"." || bytes == b".." {
            bytes[0] = b'_';
        }
        Bytes::from(bytes)
    });
    prop_oneof![
        4 => "[a-e]{1,2}".prop_map(Bytes::from),
        2 => any_bytes,
        2 => select(STRANGE).prop_map(Bytes::from_static),
        1 => any::<u8>().prop_map(|seed| Bytes::from(vec![b'a' + seed % 26; 255])),
    ]
}

fn items(options: Options, with_links: bool) -> impl Strategy<Value = ItemSpec> + use<> {
    kinds(options, with_links).prop_flat_map(move |kind| {
        let meta = metas(options, kind.clone());
        (any::<u16>(), names(), Just(kind), meta).prop_map(|(parent, name, kind, meta)| ItemSpec {
            parent: parent.into(),
            name,
            kind,
            meta,
        })
    })
}

fn kinds(options: Options, with_links: bool) -> impl Strategy<Value = Kind> + use<> {
    const TARGETS: &[&[u8]] =
        &[b"a", b"../a", b"nowhere", b".", b"..", b"/", b"/etc/passwd", b"\xff\n", b"a/b/c"];
    let mut choices = vec![
        (6, Just(Kind::Folder).boxed()),
        (10, contents(options).prop_map(Kind::File).boxed()),
        (2, select(TARGETS).prop_map(|target| Kind::Symlink(Bytes::from_static(target))).boxed()),
        // A link to its own name, once it gets that name.
        (1, names().prop_map(Kind::Symlink).boxed()),
        (1, Just(Kind::Fifo).boxed()),
        (1, Just(Kind::Socket).boxed()),
    ];
    if with_links {
        choices.push((4, any::<u16>().prop_map(|to| Kind::HardLink(to.into())).boxed()));
    }
    if options.as_root {
        let numbers = || (0..300_u32, 0..70_000_u32);
        let char_device = |(major, minor)| Kind::CharDevice { major, minor };
        let block_device = |(major, minor)| Kind::BlockDevice { major, minor };
        choices.push((1, numbers().prop_map(char_device).boxed()));
        choices.push((1, numbers().prop_map(block_device).boxed()));
    }
    Union::new_weighted(choices)
}

fn contents(options: Options) -> impl Strategy<Value = Content> {
    prop_oneof![
        6 => vec(pieces(options), 0..2).prop_map(Content::Pieces),
        2 => vec(pieces(options), 0..6).prop_map(Content::Pieces),
        1 => any::<u16>().prop_map(|earlier| Content::SameAs(earlier.into())),
    ]
}

fn pieces(options: Options) -> impl Strategy<Value = Piece> {
    let most = options.piece_bytes_max;
    let hole_max = if options.huge { HUGE_BYTES } else { most };
    // Around the sizes at which content moves from the entry into chunks, and into more chunks.
    let lengths = || {
        let edges: &[u64] = &[0, 1, 511, 512, 513, 4096, 16_384, 65_535, 65_536, 65_537];
        prop_oneof![
            3 => 0..2000_u64,
            2 => select(edges).prop_map(move |length| length.min(most)),
            1 => 0..=most,
        ]
    };
    prop_oneof![
        3 => (any::<u64>(), lengths())
            .prop_map(|(seed, length_bytes)| Piece::Random { seed, length_bytes }),
        3 => (any::<u64>(), lengths())
            .prop_map(|(seed, length_bytes)| Piece::Text { seed, length_bytes }),
        1 => (any::<u64>(), 0..=(most / 4096))
            .prop_map(|(seed, page_count)| Piece::Pages { seed, page_count }),
        1 => lengths().prop_map(|length_bytes| Piece::Zeros { length_bytes }),
        1 => prop_oneof![lengths(), 0..=hole_max]
            .prop_map(|length_bytes| Piece::Hole { length_bytes }),
    ]
}

fn metas(options: Options, kind: Kind) -> impl Strategy<Value = Meta> {
    const MODES: &[u32] =
        &[0o644, 0o755, 0o600, 0o000, 0o4755, 0o2755, 0o6711, 0o1777, 0o7777, 0o444, 0o111, 0o2070];
    // What its owner must keep, to read it back without being root.
    let needed = match kind {
        _ if options.as_root => 0,
        Kind::Folder => 0o700,
        _ => 0o400,
    };
    let owners = if options.as_root {
        let id = || prop_oneof![Just(0_u32), Just(1000), Just(65_534), 0..0xffff_fffe_u32];
        option::of((id(), id())).boxed()
    } else {
        Just(None).boxed()
    };
    let xattrs = prop_oneof![4 => Just(Vec::new()), 1 => vec(xattrs(options, kind), 1..4)];
    (select(MODES), mtimes(), owners, xattrs).prop_map(
        move |(mode, (mtime_seconds, mtime_nanos), owner, xattrs)| Meta {
            mode: mode | needed,
            mtime_seconds,
            mtime_nanos,
            owner,
            xattrs,
        },
    )
}

/// Now, before 1970, after 2038 and after 2106, as far as ext4 can go.
fn mtimes() -> impl Strategy<Value = (i64, u32)> {
    let seconds = prop_oneof![
        4 => 1_000_000_000..1_800_000_000_i64,
        1 => -2_147_483_648..0_i64,
        1 => 2_147_483_648..15_032_385_535_i64,
        1 => Just(0_i64),
        1 => Just(-1_i64),
    ];
    (seconds, prop_oneof![3 => 0..1_000_000_000_u32, 1 => Just(0), 1 => Just(999_999_999)])
}

/// Attributes that the kernel accepts for this kind of item.
fn xattrs(options: Options, kind: Kind) -> impl Strategy<Value = (Bytes, Bytes)> {
    let value = || vec(any::<u8>(), 0..200).prop_map(Bytes::from);
    let short_name = "[a-z]{1,8}(\\.[a-z\u{e9}]{1,4})?";
    let user = (short_name, value())
        .prop_map(|(name, value)| (Bytes::from(format!("user.{name}")), value));
    let acl = || (0..8_u16, 0..8_u16, 1..70_000_u32).prop_map(|(who, mask, id)| acl(who, mask, id));
    let mut choices = Vec::new();
    if matches!(kind, Kind::File(_) | Kind::Folder) {
        choices.push(user.boxed());
        choices.push(
            acl().prop_map(|acl| (Bytes::from_static(b"system.posix_acl_access"), acl)).boxed(),
        );
    }
    if kind == Kind::Folder {
        choices.push(
            acl().prop_map(|acl| (Bytes::from_static(b"system.posix_acl_default"), acl)).boxed(),
        );
    }
    if options.as_root {
        let trusted = (short_name, value())
            .prop_map(|(name, value)| (Bytes::from(format!("trusted.{name}")), value));
        choices.push(trusted.boxed());
    }
    if options.as_root && matches!(kind, Kind::File(_)) {
        let capability = any::<u16>()
            .prop_map(|bits| (Bytes::from_static(b"security.capability"), capability(bits)));
        choices.push(capability.boxed());
    }
    if choices.is_empty() {
        // Refused for links and specials; counted, not fatal.
        choices.push(Just((Bytes::from_static(b"user.refused"), Bytes::new())).boxed());
    }
    Union::new(choices)
}

/// A valid POSIX ACL as the kernel stores it (`linux/posix_acl_xattr.h`, version 2): owner, one
/// user more, group, mask, others; each is tag, permissions and id in little-endian.
fn acl(permissions: u16, mask: u16, user: u32) -> Bytes {
    const NOBODY: u32 = u32::MAX;
    let entries = [
        (1, 7, NOBODY),
        (2, permissions, user),
        (4, 5, NOBODY),
        (16, mask, NOBODY),
        (32, 0, NOBODY),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(u16::to_le_bytes(tag));
        bytes.extend(u16::to_le_bytes(permissions));
        bytes.extend(u32::to_le_bytes(id));
    }
    Bytes::from(bytes)
}

/// Valid file capabilities, revision 2 (`linux/capability.h`): revision and effective bit, then
/// permitted and inheritable, each in two halves.
fn capability(permitted: u16) -> Bytes {
    let words = [0x0200_0001, u32::from(permitted), 0, 0, 0];
    words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect()
}

fn edits(options: Options) -> impl Strategy<Value = Edit> {
    let at = || any::<u16>().prop_map(usize::from);
    let length = 1..options.piece_bytes_max.max(2);
    let bytes = move || (any::<u64>(), prop_oneof![1..100_u64, length.clone()]);
    let mode = prop_oneof![Just(0o700_u32), Just(0o755), Just(0o4711), Just(0o1777)];
    prop_oneof![
        3 => (at(), any::<u16>(), bytes()).prop_map(|(at, place, (seed, length_bytes))| {
            Edit::Overwrite { at, place, seed, length_bytes }
        }),
        2 => (at(), bytes())
            .prop_map(|(at, (seed, length_bytes))| Edit::Append { at, seed, length_bytes }),
        1 => (at(), any::<u16>()).prop_map(|(at, place)| Edit::Truncate { at, place }),
        2 => (at(), mtimes()).prop_map(|(at, (seconds, nanos))| Edit::Touch { at, seconds, nanos }),
        1 => (at(), mode).prop_map(|(at, mode)| Edit::Chmod { at, mode }),
        2 => (at(), at(), names()).prop_map(|(at, into, name)| Edit::Rename { at, into, name }),
        1 => (at(), at(), names()).prop_map(|(at, into, name)| Edit::Link { at, into, name }),
        2 => at().prop_map(|at| Edit::Delete { at }),
        3 => (at(), items(options, false)).prop_map(|(into, item)| Edit::Add { into, item }),
        1 => at().prop_map(|at| Edit::FileToFolder { at }),
        1 => at().prop_map(|at| Edit::FolderToFile { at }),
    ]
}
