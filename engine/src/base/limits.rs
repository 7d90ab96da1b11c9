//! Every maximum of the engine in one place, each with its reason.
//!
//! A decoder compares a length against these before it allocates; a queue takes its bound from
//! here. The relations between them that the code relies on are asserted at compile time.

/// Bytes in a KiB.
pub const KIB: usize = 1024;
/// Bytes in a MiB.
pub const MIB: usize = 1024 * KIB;

/// A pack may be closed once it holds this many stored bytes: large enough that a request's latency
/// and one key encapsulation are noise, small enough that one for each worker and each upload
/// take up less than half of what a backup may use.
pub const PACK_TARGET_BYTES: usize = 12 * MIB;
/// A pack that ends far below the next size of Padmé takes up to this much more.
pub const PACK_OVERSHOOT_MAX_BYTES: usize = 4 * MIB;
/// No pack is larger: single PUT with a signed payload hash, read whole by `check`.
pub const PACK_MAX_BYTES: usize = 64 * MIB;
/// The smallest size of packs that a user can ask for; below it requests and keys cost too much.
pub const PACK_TARGET_MIN_BYTES: usize = 4 * MIB;
/// The largest size of packs that a user can ask for: one more block and a footer still fit.
pub const PACK_TARGET_MAX_BYTES: usize = 36 * MIB;
/// A block is closed once it holds this many raw bytes: the unit of compression.
pub const BLOCK_TARGET_BYTES: usize = MIB;
/// No block decompresses to more: bounds what a reader allocates for one block.
pub const BLOCK_MAX_RAW_BYTES: usize = 8 * MIB;
/// No chunk is longer, whatever the profile.
pub const CHUNK_MAX_BYTES: usize = 4 * MIB;
/// A pack's footer (block and chunk tables, sealed) is never larger than this.
pub const FOOTER_MAX_BYTES: usize = 16 * MIB;
/// A pack has no more blocks than this: a block has at least one chunk, a pack at least one block.
pub const PACK_MAX_BLOCKS: usize = 1 << 16;
/// A pack has no more chunks than this: 64 MiB of chunks of 100 bytes stays below it.
pub const PACK_MAX_CHUNKS: usize = 1 << 18;
/// A pack is closed once it holds this many chunks, however few bytes they take: its table is in
/// memory while it is written or read. With pages of 16 KiB that is 512 MiB before compression.
pub const PACK_FULL_CHUNKS: usize = 1 << 15;

/// A block is closed at this many chunks, however short they are (stretches between holes can be),
/// so that a pack that is not full yet can always take one more block.
pub const BLOCK_MAX_CHUNKS: usize = 1 << 15;

/// Files up to this size are kept inside their tree entry: a chunk of its own would cost more in
/// the index than the bytes themselves.
pub const INLINE_MAX_BYTES: usize = 512;
/// A file with at most this many extents lists them in its entry; more go into an extent tree.
pub const INLINE_EXTENTS_MAX: usize = 24;
/// A tree node of any kind encodes to at most this many bytes. One entry with the longest path,
/// link target and extended attributes the limits below allow must fit.
pub const NODE_MAX_BYTES: usize = 2 * MIB;
/// Levels of a prolly tree, above which a tree is refused as damaged: 64^16 entries is beyond all.
pub const TREE_MAX_LEVELS: usize = 16;
/// Longest path key (all components joined); Linux paths beyond PATH_MAX exist and are kept.
pub const PATH_MAX_BYTES: usize = 128 * KIB;
/// Longest single name: 255 bytes on every file system that Linux mounts, 255 units of UTF-16 on NTFS.
pub const NAME_MAX_BYTES: usize = 765;
/// What file systems of Linux take as the name of a file.
pub const FILE_NAME_MAX_BYTES: usize = 255;
/// Named streams of one path; NTFS itself stops at some thousand.
pub const NTFS_STREAMS_MAX: usize = 1024;
/// Data of a reparse point: `MAXIMUM_REPARSE_DATA_BUFFER_SIZE`.
pub const NTFS_REPARSE_MAX_BYTES: usize = 16 * KIB;
/// A short name: twelve units of UTF-16 in WTF-8.
pub const NTFS_SHORT_NAME_MAX_BYTES: usize = 36;
/// A file id: 128 bits on ReFS.
pub const NTFS_FILE_ID_MAX_BYTES: usize = 16;
/// All extended attributes of one file together (the kernel allows 64 KiB a value).
pub const XATTRS_MAX_BYTES: usize = MIB;

/// Small control objects: config, slots, clients, sessions, flags.
pub const CONTROL_MAX_BYTES: usize = 64 * KIB;
/// A snapshot record with its list of named problems.
pub const SNAPSHOT_MAX_BYTES: usize = 4 * MIB;
/// Heads of chains of evidence that one snapshot or one record of evidence names: as many machines
/// as drill one repository, and more.
pub const EVIDENCE_MAX_HEADS: usize = 64;
/// A text among the facts of a snapshot record.
pub const FACT_MAX_BYTES: usize = KIB;
/// Words that somebody gives for a record: a reason, a description. With them a hold of
/// [`HOLD_MAX_SNAPSHOTS`] still is a control object.
pub const WORDS_MAX_BYTES: usize = 4 * KIB;
/// Ends of names that a snapshot record counts files by; a page of a report has room for fewer.
pub const SUFFIXES_MAX: usize = 256;
/// Tables whose rows a snapshot record counts. With names of their usual length 200 KiB.
pub const COUNTS_MAX: usize = 4096;
/// Numbers that a record of a run counts.
pub const RUN_COUNTERS_MAX: usize = 128;
/// An HPKE public key: X-Wing's 1216 bytes, with room.
pub const RECIPIENT_MAX_BYTES: usize = 2 * KIB;
/// Hosts that a client may name, and machines that it succeeds.
pub const CLIENT_LIST_MAX: usize = 64;
/// Slots in a set of key slots, holders that an epoch is sealed to, sets that one replaces.
pub const ANNOUNCED_SLOTS_MAX: usize = 4096;
/// How often keys may change: the keys of all epochs before go into each new bundle.
pub const EPOCHS_MAX: usize = 200;
/// Size of a set of key slots and of the record of an epoch.
pub const ANNOUNCEMENT_MAX_BYTES: usize = 16 * MIB;
/// Items of one kind that a record of folded history stands for.
pub const FOLDED_MAX: usize = 1 << 18;
/// Runs that folded history remembers: those of 50 machines with five jobs a night for a year.
pub const RUNS_FOLDED_MAX: usize = 100_000;
/// So many old records of runs are folded at once, for each record of folded history replaces all.
pub const RUNS_FOLDED_AT_ONCE: usize = 32;
/// Versions of programs that a snapshot record names.
pub const VERSIONS_MAX: usize = 16;
/// Things that a restore must find, in a snapshot record.
pub const EXPECTATIONS_MAX: usize = 256;
/// Problems that a snapshot record names; more are only counted.
pub const SNAPSHOT_MAX_PROBLEMS: usize = 1000;
/// Clocks that differ by no more agree: machines are off by minutes, and zones set wrongly by hours.
pub const CLOCK_SLACK_S: i64 = 3600;
/// The newest snapshots of a client that one run of `forget` spares.
pub const RETAIN_NEWEST_KEPT: usize = 3;
/// Snapshots that one hold names: 26 bytes each, so that the object stays a small one.
pub const HOLD_MAX_SNAPSHOTS: usize = 2000;
/// Packs that one record of a collection names: 32 TiB of full packs; the next run takes the rest.
pub const GENERATION_MAX_PACKS: usize = 1 << 20;
/// A record of a collection: that many packs of 12 bytes, and their owners.
pub const GENERATION_MAX_BYTES: usize = 64 * MIB;
/// An index segment: at most [`SEGMENT_MAX_PACKS`] footers.
pub const SEGMENT_MAX_BYTES: usize = 64 * MIB;
/// A segment is written once this many packs are acknowledged: bounds what a crash re-uploads.
pub const SEGMENT_MAX_PACKS: usize = 64;
/// ... or once their tables have this many bytes: they wait in memory, and small chunks that
/// compress well fill a pack by the hundred thousand.
pub const SEGMENT_FULL_BYTES: usize = 8 * MIB;
/// ... or once the oldest acknowledged pack has waited this long, in seconds.
pub const SEGMENT_MAX_AGE_S: u64 = 300;

/// Argon2id floor and ceiling: a hostile store can neither weaken nor exhaust a reader.
pub const KDF_MEMORY_KIB_MIN: u32 = 64 * 1024;
/// Upper bound of Argon2id memory, in KiB.
pub const KDF_MEMORY_KIB_MAX: u32 = 4 * 1024 * 1024;
/// Lower bound of Argon2id passes.
pub const KDF_PASSES_MIN: u32 = 2;
/// Upper bound of Argon2id passes.
pub const KDF_PASSES_MAX: u32 = 20;
/// Upper bound of Argon2id lanes.
pub const KDF_LANES_MAX: u32 = 16;
/// A passphrase has at least this many characters unless the user says `--weak`.
pub const PASSPHRASE_MIN_CHARS: usize = 12;
/// Longest passphrase that is read from a file, a command or a descriptor: a wrong file (a disk
/// image, a device) is noticed before it fills memory.
pub const PASSPHRASE_MAX_BYTES: usize = 4 * KIB;
/// Configurations that are tried under one prefix, the oldest first: whoever may add objects can add
/// them, and one is genuine.
pub const CONFIGS_READ_MAX: usize = 64;
/// Key slots that are looked at for one passphrase: whoever may add objects can add them.
pub const SLOTS_READ_MAX: usize = 1024;
/// Sets of key slots that are read at once, and bytes of all of them: whoever may add objects can add
/// sets, and those in force are one, or one for each administrator who works at the same moment.
pub const SLOT_SETS_READ_MAX: usize = 64;
/// See [`SLOT_SETS_READ_MAX`].
pub const SLOT_SETS_READ_BYTES: u64 = 2 * ANNOUNCEMENT_MAX_BYTES as u64;
/// How long slots are tried for one passphrase, in milliseconds: sixty slots of the usual cost.
pub const SLOT_TRIES_MAX_MS: u64 = 60_000;
/// Key slots that a repository should have: each costs whoever types a passphrase a KDF run.
pub const SLOTS_MAX: usize = 64;

/// Files that a user may have read at once: more threads than that only move the disk's heads.
pub const READ_CONCURRENCY_MAX: u16 = 256;
/// Packs that wait between a worker and an upload thread: none, a worker hands its pack over to a
/// thread that is free. Each would be up to 16 MiB of memory.
pub const UPLOAD_QUEUE_PACKS: usize = 0;
/// Packs in flight at once to a remote store: one is sent while another waits for its answer.
pub const UPLOAD_THREADS_REMOTE: usize = 3;
/// Packs written at once to a local folder: one writes while the other syncs.
pub const UPLOAD_THREADS_LOCAL: usize = 2;
/// Files handed to workers before the tree builder has taken the oldest result.
pub const FILE_WINDOW: usize = 4096;
/// Bytes of decoded blocks that a tree reader keeps.
pub const NODE_CACHE_BYTES: usize = 32 * MIB;
/// The same of a check, which meets each node once, beside threads that hold whole packs.
pub const CHECK_NODE_CACHE_BYTES: usize = 12 * MIB;
/// Threads of a restore from a local folder beyond one for each core: while the disk is waited for,
/// others decode. More gain nothing and cost 5 MiB each.
pub const FETCH_THREADS_LOCAL_MORE: usize = 2;
/// Requests for blocks in flight during a restore from a remote store.
pub const FETCH_THREADS_REMOTE: usize = 8;
/// Records larger than this are verified one after the other: a full segment takes 30 MiB with the
/// tables that it is compared with.
pub const RECORD_ALONE_BYTES: u64 = MIB as u64;
/// Requests for records in flight: 14,600 of them, a year of nightly backups of 40 machines, with a
/// latency of 50 ms take 23 s on a machine that knows none.
pub const FETCH_RECORD_THREADS_REMOTE: usize = 32;
/// One joined range read of a restore from a local folder is at most this long; each thread holds one.
pub const FETCH_RANGE_LOCAL_MAX_BYTES: usize = 4 * MIB;
/// The same from a remote store: eight in flight hide a latency of 50 ms at 500 MB/s.
pub const FETCH_RANGE_REMOTE_MAX_BYTES: usize = 8 * MIB;
/// Two wanted blocks of a pack closer than this are read with one request.
pub const FETCH_GAP_MAX_BYTES: usize = 256 * KIB;
/// Files smaller than this are fetched whole, whatever is in their place.
pub const REUSE_MIN_BYTES: u64 = 512 * KIB as u64;
/// A file in which so many bytes in a row are not those of the snapshot is another one.
pub const REUSE_PATIENCE_BYTES: u64 = 64 * MIB as u64;
/// Of such a file only one chunk in so many is compared.
pub const REUSE_PROBE_EVERY: u64 = 16;
/// Chunk references that one window of a restore plan holds in memory, 80 bytes each: 6 GiB of
/// average chunks.
pub const RESTORE_WINDOW_CHUNKS: usize = 100_000;
/// Files that one window of a restore plan holds open or named, about 1 KiB each.
pub const RESTORE_WINDOW_FILES: usize = 8192;
/// The first window of a restore is this part of a full one, so that writing begins at once.
pub const RESTORE_FIRST_WINDOW_PART: usize = 16;
/// From so many files and folders on, a restore looks where the file system makes them fast.
pub const RESTORE_MANY_ITEMS: u64 = 24;
/// One line of a restore's journal: a letter, the longest key in hexadecimal, a line feed.
pub const RESTORE_JOURNAL_LINE_MAX_BYTES: u64 = 2 * PATH_MAX_BYTES as u64 + 2;
/// Windows of a restore that wait between planning and carrying out, besides the one in each: none.
pub const RESTORE_QUEUE_WINDOWS: usize = 0;

/// Decoded blocks that a mounted file system keeps: what four readers have read ahead, and with a local
/// folder as much for folders and for whoever goes back. With 96 MiB a mount took 189 MiB at its peak.
pub const MOUNT_CACHE_BYTES: usize = 64 * MIB;
/// How far a mount reads ahead of somebody who reads a file from its beginning, from a local folder: more
/// gains nothing.
pub const MOUNT_AHEAD_LOCAL_BYTES: u64 = 8 * MIB as u64;
/// The same from a remote store: 16 blocks in flight hide a latency of 50 ms at 300 MB/s.
pub const MOUNT_AHEAD_REMOTE_BYTES: u64 = 16 * MIB as u64;
/// Threads of a mount that read ahead from a local folder.
pub const MOUNT_AHEAD_THREADS_LOCAL: usize = 2;
/// The same from a remote store.
pub const MOUNT_AHEAD_THREADS_REMOTE: usize = 8;
/// Chunks that wait to be read ahead, 32 bytes each; what does not fit is read when it is wanted.
pub const MOUNT_AHEAD_QUEUE_CHUNKS: usize = 4096;
/// Requests for content that a mount answers at once: so many readers may wait for the store beside
/// whoever gets what is there already.
pub const MOUNT_READ_THREADS: usize = 8;
/// The same for names and metadata.
pub const MOUNT_LOOK_THREADS: usize = 4;
/// Requests that wait for a thread; the kernel keeps the others.
pub const MOUNT_QUEUE_REQUESTS: usize = 1024;
/// Entries that a mount keeps decoded, about 1 KiB each; others are looked up again.
pub const MOUNT_ENTRIES_KEPT: usize = 8192;
/// Extents of an open file that are kept, 48 bytes each: 64 MiB of average chunks.
pub const MOUNT_WINDOW_EXTENTS: usize = 1024;
/// A mount tries a store that goes away for so long, then answers that it cannot read: who waits for an
/// answer cannot be stopped otherwise.
pub const MOUNT_OUTAGE_MS: u64 = 20_000;
/// A mount that misses chunks looks at the store for where they went, at most this often.
pub const MOUNT_LOOK_AGAIN_MS: u64 = 10_000;

/// Data that a measurement keeps in memory: far more than the caches of a processor hold.
pub const BENCHMARK_SAMPLE_BYTES: usize = 64 * MIB;
/// Files that a measurement looks at, each a few hundred bytes: a second's worth on a fast disk.
pub const BENCHMARK_FILES_MAX: usize = 200_000;

/// Descriptors of directories that a walk keeps open, whatever the depth and however many results
/// are still in use: a quarter of the usual limit of 1024 a process. Closed ones open again by name.
pub const WALK_OPEN_FOLDERS: usize = 256;
/// Names of one directory held for sorting; a directory that never ends is a broken file system.
pub const FOLDER_MAX_NAMES: usize = 50_000_000;
/// Links that the way to a source may go through; the kernel follows no more either.
pub const ROOT_MAX_LINKS: usize = 40;
/// How often something that was replaced while it was looked at is looked at again. The time between
/// two looks is a few microseconds, so this often only happens by intent.
pub const LOOK_AGAIN_MAX: u32 = 16;
/// Names of one directory that are looked at in one go; the others may be looked at beside it.
pub const WALK_STRETCH_NAMES: usize = 256;
/// Items that lie ready ahead of a walk, a few hundred bytes each; looking ahead further gains nothing.
pub const WALK_AHEAD_ITEMS: usize = 4096;
/// Most threads that look ahead of a walk. Metadata in memory is a matter of cores; a few more
/// threads than that would only help where it has to be fetched.
pub const WALK_HELPERS_MAX: usize = 3;
/// Bytes that one `getdents` call may fill: few calls for large directories.
pub const FOLDER_READ_BYTES: usize = 64 * KIB;
/// Objects of this size and more are written past the page cache in a local folder: packs of data,
/// not the small ones of names that are read often.
pub const DIRECT_WRITE_MIN_BYTES: usize = 4 * MIB;
/// Bytes of one write past the page cache: nearly as fast as larger ones on a disk that does 2 GB/s.
pub const DIRECT_WRITE_PIECE_BYTES: usize = 512 * KIB;
/// What such a write is aligned to: no disk has larger blocks.
pub const DIRECT_WRITE_ALIGNMENT_BYTES: usize = 4 * KIB;
/// Descriptors of directories that a restore target keeps open.
pub const TARGET_OPEN_FOLDERS: usize = 128;
/// Longest relative path given to the kernel at once, its PATH_MAX without the closing zero byte.
pub const SYSCALL_PATH_MAX_BYTES: usize = 4095;
/// Longest value and longest name list of extended attributes that the kernel hands out.
pub const XATTR_MAX_BYTES: usize = 64 * KIB;

/// Pages of the local index that its writing connection keeps: a transaction touches them in order.
pub const INDEX_WRITER_CACHE_BYTES: usize = 16 * MIB;
/// Pages of the local index that one reader keeps: all inner pages at 10 M chunks; the leaves of a
/// random id are hardly ever met again, and the system caches the file anyway.
pub const INDEX_READER_CACHE_BYTES: usize = 8 * MIB;
/// Packs with their blocks that one reader keeps: about 10,000 packs of 32 blocks.
pub const INDEX_PACK_CACHE_BYTES: usize = 5 * MIB;
/// Look-ups through one view, after which a reader lets go of it, so that the write-ahead log of
/// another process can shrink; a renewed view costs as much as about ten look-ups.
pub const INDEX_VIEW_LOOKUPS: u32 = 10_000;
/// The write-ahead log is cut to this size once it has served: a rebuild makes it far larger.
pub const INDEX_LOG_KEPT_BYTES: usize = 16 * MIB;
/// How long a connection waits for the transaction of another process, in milliseconds.
pub const INDEX_BUSY_WAIT_MS: u64 = 10_000;
/// Unusable index files that stay beside the index: enough to look at, not enough to fill a disk.
pub const INDEX_BAD_FILES_KEPT: usize = 3;
/// Finished runs that the local history keeps: a year of hourly runs.
pub const INDEX_RUNS_KEPT: u32 = 10_000;
/// Hints of one leaf: a tree node, with the facts and the whole key of each entry once more.
pub const HINT_LEAF_MAX_BYTES: usize = 4 * NODE_MAX_BYTES;
/// Header of a hints file: tens of thousands of owners with their names.
pub const HINT_HEADER_MAX_BYTES: usize = 4 * MIB;

/// How long packs are announced before they are deleted, in seconds: longer than any backup that
/// began before should run. A belt only.
pub const GC_GRACE_S: u64 = 24 * 3600;
/// A session that the store heard nothing of for so long is given up, in seconds.
pub const SESSION_SILENT_S: u64 = 24 * 3600;
/// A reader uploads nothing, so it is silent from the start: it may read for so long, in seconds.
pub const READER_SILENT_S: u64 = 7 * 24 * 3600;
/// What nobody wrote to for so long in a local store will never be finished, in seconds. A request
/// takes minutes at most; clocks of file servers may differ from ours.
pub const LEFTOVER_AGE_S: i64 = 24 * 3600;
/// What a local repository keeps for the records that a collection writes on a full disk: some
/// hundred small ones, and segments that are written anew.
pub const RESERVE_BYTES: u64 = 4 * MIB as u64;
/// The reserve is made only where so much is free.
pub const RESERVE_LEAVES_BYTES: u64 = 4 * RESERVE_BYTES;
/// A generation that the store heard nothing of for so long is closed, in seconds.
pub const GENERATION_SILENT_S: u64 = 2 * 24 * 3600;
/// Packs that one run deletes without being asked twice, in percent of all.
pub const GC_BRAKE_PERCENT: u64 = 25;
/// So few packs it deletes in any case: a small repository has few, and a few snapshots are a large
/// part of them every week.
pub const GC_BRAKE_LEAST_PACKS: u64 = 16;
/// Of so many newest snapshots of each client, one run leaves at least one.
pub const GC_BRAKE_NEWEST: usize = 3;
/// Ended generations whose records stay before they are folded into one.
pub const GC_FOLD_AT: usize = 16;
/// Registrations of decided sessions that one run removes.
pub const GC_REGISTRATIONS_MAX: usize = 10_000;
/// First and longest wait of a collector between two looks at running sessions, in milliseconds.
pub const GC_POLL_MS: [u64; 2] = [500, 30_000];
/// Looks at what snapshots need before a collector gives up: other collectors may move a chunk
/// between two requests of one look, but hardly each time.
pub const GC_LOOKS: usize = 4;
/// Threads that repack at once: each holds a pack that it reads and one that it fills.
pub const GC_REPACK_THREADS: usize = 4;
/// Checks that are made again because collectors worked beside them and something seemed to be
/// wrong; what is really wrong is found each time.
pub const CHECK_LOOKS: usize = 3;
/// Deletions in flight at once: few enough that a mistaken sweep can be stopped.
pub const GC_DELETE_THREADS: usize = 16;

/// Objects in one listing, above which the listing is refused as hostile or mistaken.
pub const LIST_MAX_OBJECTS: usize = 50_000_000;
/// Pages without any object that may follow each other in a listing: filtering stores send some, hostile
/// ones for ever.
pub const LIST_MAX_EMPTY_PAGES: usize = 100;

/// Threads of the runtime inside a store: they only move bytes and timers.
pub const STORE_RUNTIME_THREADS: usize = 2;
/// Threads for blocking file calls of a local store; callers are bounded by their own threads.
pub const STORE_BLOCKING_THREADS: usize = 32;
/// An answer that is not the body of an object (a page of a listing, an error) is at most this
/// long: a page of 1,000 keys of 1 KiB stays well below.
pub const HTTP_ANSWER_MAX_BYTES: usize = 16 * MIB;
/// Establishing a connection takes at most this long: two losses of the first packet.
pub const CONNECT_TIMEOUT_MS: u64 = 7_000;
/// A store that has never answered is tried for so long: a wrong name, port or certificate, and one
/// that takes requests and is silent, are said within ten seconds.
pub const STORE_OPENING_MS: u64 = 8_000;
/// A store that is silent for longer is said to be.
pub const STORE_SILENCE_MS: u64 = 2_750;
/// A request that still runs so long after the user asked to stop is abandoned.
pub const STORE_CANCEL_MS: u64 = 1_000;
/// One that begins later has so long: what ends a run is mostly small.
pub const STORE_LATE_MS: u64 = 300;
/// Silence of an upload that its own length explains, by the slowest line that is not worth a word.
pub const UPLOAD_SILENT_BYTES_PER_S: u64 = 64 * KIB as u64;
/// A store may take this long to begin to answer: fail-over of a cluster takes tens of seconds.
pub const ANSWER_TIMEOUT_MS: u64 = 60_000;
/// A transfer gets additional time for its bytes at this rate, the slowest line that is worth it.
pub const TRANSFER_MIN_BYTES_PER_S: u64 = 16 * KIB as u64;
/// A body whose rate is limited is sent in pieces of this size: smooth, and no packet is cut short.
pub const PACE_PIECE_BYTES: usize = 16 * KIB;
/// Transfers that may share a limited rate at once, the restoring and checking threads among them:
/// each gets that much more time before it counts as stuck.
pub const PACE_SHARERS_MAX: u64 = 16;
/// A store that has answered and then goes away, or asks to be left alone, is tried for so long: a
/// restart takes minutes.
pub const STORE_OUTAGE_MS: u64 = 300_000;
/// Attempts of one request, the first included; with the waits below this lasts about a minute.
pub const RETRY_ATTEMPTS_MAX: u32 = 10;
/// Attempts to read one object at which the store failed inside, until another is asked for: a fault
/// that passes is over by then.
pub const RETRY_OF_ONE_OBJECT: u32 = 4;
/// The same where nothing came at all, which takes a minute each time.
pub const RETRY_OF_ONE_SILENT_OBJECT: u32 = 2;
/// The wait after the first failed attempt; it doubles from there.
pub const RETRY_FIRST_WAIT_MS: u64 = 200;
/// No wait between attempts is longer.
pub const RETRY_MAX_WAIT_MS: u64 = 15_000;
/// No attempt begins later than this: ten attempts that all time out.
pub const RETRY_DEADLINE_MS: u64 = 660_000;
/// Folders of a local store remembered as durable; forgetting one costs a few calls of fsync.
pub const DURABLE_FOLDERS_MAX: usize = 4096;

const _: () = assert!(CHUNK_MAX_BYTES <= BLOCK_MAX_RAW_BYTES);
const _: () = assert!(BLOCK_TARGET_BYTES + CHUNK_MAX_BYTES <= BLOCK_MAX_RAW_BYTES);
const _: () = assert!(
    PACK_TARGET_MAX_BYTES + PACK_OVERSHOOT_MAX_BYTES + BLOCK_MAX_RAW_BYTES + FOOTER_MAX_BYTES
        <= PACK_MAX_BYTES
);
const _: () = assert!(
    PACK_TARGET_MIN_BYTES <= PACK_TARGET_BYTES && PACK_TARGET_BYTES <= PACK_TARGET_MAX_BYTES
);
// One more pack is listed before a segment is known to be full.
const _: () =
    assert!(SEGMENT_FULL_BYTES + FOOTER_MAX_BYTES + SEGMENT_MAX_PACKS * KIB <= SEGMENT_MAX_BYTES);
const _: () = assert!(PACK_FULL_CHUNKS + BLOCK_MAX_CHUNKS <= PACK_MAX_CHUNKS);
// Even if every pack has an owner of its own.
const _: () = assert!(GENERATION_MAX_PACKS * 48 < GENERATION_MAX_BYTES);
const _: () = assert!(NODE_MAX_BYTES <= CHUNK_MAX_BYTES);
const _: () = assert!(XATTRS_MAX_BYTES + 2 * PATH_MAX_BYTES < NODE_MAX_BYTES);
const _: () = assert!(HOLD_MAX_SNAPSHOTS * 26 <= CONTROL_MAX_BYTES - 8 * KIB);
const _: () = assert!(INLINE_MAX_BYTES < NODE_MAX_BYTES);
const _: () = assert!(RETRY_DEADLINE_MS >= RETRY_ATTEMPTS_MAX as u64 * ANSWER_TIMEOUT_MS);
