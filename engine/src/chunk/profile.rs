//! Which way a file is cut, decided from its first bytes alone.
//!
//! Text and programs repay small chunks. Photos, films and archives do not change in the middle
//! and do not compress, so large chunks save index entries and lose nothing. Databases and disk
//! images change in place by whole pages, which fixed aligned chunks follow exactly, where
//! content-defined ones store the neighbours again (55.6 against 67.0 MiB on a database).
//!
//! Names and extensions have no say: the same content must be cut the same way wherever it lies,
//! or it is stored twice. A wrong guess costs space, never correctness; so the tests below ask for
//! enough bytes that chance does not pass them, and a format that is not known is `General`.

use crate::base::limits::{CHUNK_MAX_BYTES, KIB, MIB};

/// How many first bytes of a file [`detect`] wants; fewer only if the file is shorter.
pub const DETECT_BYTES: usize = 64 * KIB;

/// Files up to this size cannot be `Media`: they are one or two chunks in any case.
const MEDIA_MIN_BYTES: u64 = 256 * KIB as u64;
/// A `General` file up to this size is one chunk.
const SINGLE_MAX_BYTES: u64 = 64 * KIB as u64;
/// Compression that saves less than this many thousandths is not worth undoing on every read.
const SAVING_MIN_PERMILLE: u64 = 15;

/// How a file is cut into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// Content-defined chunks of 64 KiB on average.
    General,
    /// Content-defined chunks of 1 MiB on average, for what does not compress.
    Media,
    /// Aligned chunks of 16 KiB, for what changes in place.
    Pages,
}

/// Lengths of the chunks of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// No chunk but a file's last is shorter.
    pub(crate) min_bytes: usize,
    /// Where the chunker changes from rare to frequent cuts.
    pub(crate) average_bytes: usize,
    /// No chunk is longer.
    pub(crate) max_bytes: usize,
}

impl Profile {
    /// All profiles; the position of each may serve as an index.
    pub const ALL: [Self; 3] = [Self::General, Self::Media, Self::Pages];

    /// The longest chunk of this profile: what the cutter must see to decide.
    #[must_use]
    pub const fn max_chunk_bytes(self) -> usize {
        self.sizes().max_bytes
    }

    pub(crate) const fn sizes(self) -> Sizes {
        let (min_bytes, average_bytes, max_bytes) = match self {
            Self::General => (16 * KIB, 64 * KIB, 256 * KIB),
            Self::Media => (256 * KIB, MIB, 4 * MIB),
            Self::Pages => (16 * KIB, 16 * KIB, 16 * KIB),
        };
        Sizes { min_bytes, average_bytes, max_bytes }
    }
}

const _: () = assert!(Profile::General.max_chunk_bytes() <= CHUNK_MAX_BYTES);
const _: () = assert!(Profile::Media.max_chunk_bytes() <= CHUNK_MAX_BYTES);
const _: () = assert!(Profile::Pages.max_chunk_bytes() <= CHUNK_MAX_BYTES);

/// The profile of a file of `file_bytes` that begins with `first`: its first [`DETECT_BYTES`], or
/// all of it. What lies beyond is not looked at, so that the answer does not depend on how much
/// the caller happened to read.
#[must_use]
pub fn detect(first: &[u8], file_bytes: u64) -> Profile {
    let first = &first[..first.len().min(DETECT_BYTES)];
    if has_pages(first, file_bytes) {
        Profile::Pages
    } else if file_bytes > MEDIA_MIN_BYTES && is_incompressible(first) {
        Profile::Media
    } else {
        Profile::General
    }
}

/// Whether a file of this size and profile is not cut at all. The caller asks before it cuts:
/// only it knows that it holds the whole file.
#[must_use]
pub fn whole_file_is_one_chunk(file_bytes: u64, profile: Profile) -> bool {
    match profile {
        Profile::General => (1..=SINGLE_MAX_BYTES).contains(&file_bytes),
        // Longer than the limit, or cut by position, where the first page may be all there is.
        Profile::Media | Profile::Pages => false,
    }
}

/// Whether compressing `raw_bytes` to `squeezed_bytes` was worth it.
pub(crate) fn is_worth_it(raw_bytes: usize, squeezed_bytes: usize) -> bool {
    squeezed_bytes as u64 * 1000 <= raw_bytes as u64 * (1000 - SAVING_MIN_PERMILLE)
}

fn is_incompressible(first: &[u8]) -> bool {
    match zstd::bulk::compress(first, 1) {
        Ok(squeezed) => !first.is_empty() && !is_worth_it(first.len(), squeezed.len()),
        Err(_) => false,
    }
}

fn has_pages(first: &[u8], file_bytes: u64) -> bool {
    let begins = |magic: &[u8]| first.starts_with(magic);
    begins(b"SQLite format 3\0")
        || begins(b"QFI\xfb\0\0\0") // qcow2: the version, 2 or 3, ends the next four bytes
        || begins(b"KDMV")
        || begins(b"# Disk DescriptorFile")
        || begins(b"conectix")
        || begins(b"vhdxfile")
        || begins(b"LUKS\xba\xbe")
        || is_xfs(first)
        || is_ext(first)
        || is_disk(first, file_bytes)
        || is_innodb(first, file_bytes)
        || is_postgres(first, file_bytes)
}

/// Superblock magic and a block size that XFS allows.
fn is_xfs(first: &[u8]) -> bool {
    let block_bytes = bytes_at::<4>(first, 4).map_or(0, u32::from_be_bytes);
    first.starts_with(b"XFSB")
        && block_bytes.is_power_of_two()
        && (512..=65_536).contains(&block_bytes)
}

/// ext2, ext3 and ext4: the magic is only two bytes, so block size and revision must fit too.
fn is_ext(first: &[u8]) -> bool {
    let field = |offset: usize| bytes_at::<4>(first, 1024 + offset).map(u32::from_le_bytes);
    bytes_at::<2>(first, 1080) == Some([0x53, 0xef])
        && field(0).is_some_and(|inode_count| inode_count > 0)
        && field(24).is_some_and(|block_size_log| block_size_log <= 6)
        && field(76).is_some_and(|revision| revision <= 1)
}

/// A partitioned disk, or a file system with a boot sector (FAT, exFAT, NTFS).
fn is_disk(first: &[u8], file_bytes: u64) -> bool {
    let has_at = |offset: usize, magic: &[u8]| {
        first.get(offset..offset + magic.len()).is_some_and(|found| found == magic)
    };
    has_at(510, &[0x55, 0xaa])
        && (has_at(512, b"EFI PART")
            || has_at(4096, b"EFI PART")
            || has_at(3, b"NTFS    ")
            || has_at(3, b"EXFAT   ")
            || has_at(54, b"FAT1")
            || has_at(82, b"FAT32   ")
            || has_partitions(first, file_bytes))
}

/// Four entries of which every one is empty or lies inside the disk, and not all are empty.
fn has_partitions(first: &[u8], file_bytes: u64) -> bool {
    let Some(table) = first.get(446..510) else { return false };
    let mut used_count = 0;
    for entry in table.chunks_exact(16) {
        let number = |offset| bytes_at::<4>(entry, offset).map_or(0, u32::from_le_bytes);
        let (start, length) = (u64::from(number(8)), u64::from(number(12)));
        if entry[0] & 0x7f != 0 {
            return false;
        }
        if entry[4] == 0 {
            continue;
        }
        if start == 0 || length == 0 || start * 512 >= file_bytes {
            return false;
        }
        used_count += 1;
    }
    used_count > 0
}

/// A tablespace of 16 KiB pages: page 0 is the space header (type 8) and repeats its space number,
/// and header and trailer of the page bear the same end of the log position.
fn is_innodb(first: &[u8], file_bytes: u64) -> bool {
    const PAGE_BYTES: usize = 16 * KIB;
    file_bytes.is_multiple_of(PAGE_BYTES as u64)
        && bytes_at::<4>(first, 4) == Some([0; 4])
        && bytes_at::<2>(first, 24) == Some([0, 8])
        && bytes_at::<4>(first, 34).is_some_and(|space| bytes_at(first, 38) == Some(space))
        && bytes_at::<4>(first, 20).is_some_and(|log| bytes_at(first, PAGE_BYTES - 4) == Some(log))
}

/// Pages of a PostgreSQL table or index: every whole page of 8 KiB is empty or bears the size and
/// layout version and has its free space in order, and the first one is not empty.
fn is_postgres(first: &[u8], file_bytes: u64) -> bool {
    const PAGE_BYTES: usize = 8 * KIB;
    let is_page = |page: &[u8]| {
        let field = |offset| bytes_at::<2>(page, offset).map_or(0, u16::from_le_bytes);
        let (lower, upper, special) = (field(12), field(14), field(16));
        field(18) == 0x2004 && 24 <= lower && lower <= upper && upper <= special && special <= 8192
    };
    file_bytes.is_multiple_of(PAGE_BYTES as u64)
        && first.get(..PAGE_BYTES).is_some_and(is_page)
        && first
            .chunks_exact(PAGE_BYTES)
            .all(|page| is_page(page) || page.iter().all(|byte| *byte == 0))
}

fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
