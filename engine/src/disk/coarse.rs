//! How a file system keeps times: some round them, or cannot hold those of other centuries.
//!
//! What was restored onto a stick, or onto an old file system of a storage box, would otherwise never
//! compare equal to the snapshot that it came from.

use rustix::fd::AsFd;
use rustix::fs::{Statx, StatxFlags};

use crate::base::time::Timestamp;

/// File systems, by the numbers that `statfs` has for them.
const EXT: u64 = 0xEF53;
const FAT: u64 = 0x4D44;
const EXFAT: u64 = 0x2011_BAB0;
const HFS: u64 = 0x4244;
const HFS_PLUS: u64 = 0x482B;
const NFS: u64 = 0x6969;
const SMB: [u64; 3] = [0x517B, 0xFF53_4D42, 0xFE53_4D42];
const FUSE: u64 = 0x6573_5546;

/// Whether `found` is how the file system of `place` keeps the time `wanted` of what `stat` is about.
pub(crate) fn is_kept_as(
    place: impl AsFd,
    stat: &Statx,
    wanted: Timestamp,
    found: Timestamp,
) -> bool {
    if found == wanted {
        return true;
    }
    // Nearly every time that differs has a fraction that nobody rounded, and costs no question.
    if !found.nanos.is_multiple_of(CENTISECOND_NS) {
        return false;
    }
    let Ok(system) = rustix::fs::fstatfs(place) else { return false };
    let has_birth = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
    kept(system.f_type as u64, has_birth, wanted, found)
}

const CENTISECOND_NS: u32 = 10_000_000;

/// `has_birth`: whether the file system knows when a file was made; of the kind of ext, only those
/// with large inodes do, which also have room for fractions of seconds.
fn kept(system: u64, has_birth: bool, wanted: Timestamp, found: Timestamp) -> bool {
    let whole = |seconds: i64| found == Timestamp { seconds, nanos: 0 };
    match system {
        EXT if !has_birth => whole(wanted.seconds.clamp(i32::MIN.into(), i32::MAX.into())),
        // Steps of two seconds, of one day for the last access; local time is the mount's affair.
        FAT => found.nanos == 0 && (0..=2).contains(&(wanted.seconds - found.seconds)),
        EXFAT => {
            let nanos = wanted.nanos / CENTISECOND_NS * CENTISECOND_NS;
            found == Timestamp { nanos, ..wanted }
                || (found.nanos == 0 && (0..=2).contains(&(wanted.seconds - found.seconds)))
        }
        HFS | HFS_PLUS | NFS | FUSE => whole(wanted.seconds),
        system if SMB.contains(&system) => whole(wanted.seconds),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64, nanos: u32) -> Timestamp {
        Timestamp { seconds, nanos }
    }

    #[test]
    fn only_what_a_file_system_rounds_counts_as_equal() {
        let year_2200 = at(7_258_118_400, 5);
        for (system, has_birth, wanted, found, is_kept) in [
            (EXT, false, at(100, 7), at(100, 0), true),
            (EXT, false, at(100, 7), at(101, 0), false),
            (EXT, false, year_2200, at(i32::MAX.into(), 0), true),
            (EXT, true, at(100, 7), at(100, 0), false),
            (FAT, true, at(101, 7), at(100, 0), true),
            (FAT, true, at(104, 7), at(100, 0), false),
            (FAT, true, at(99, 7), at(100, 0), false),
            (EXFAT, true, at(100, 123_456_789), at(100, 120_000_000), true),
            (EXFAT, true, at(100, 123_456_789), at(100, 130_000_000), false),
            (NFS, false, at(100, 7), at(100, 0), true),
            (NFS, false, at(101, 7), at(100, 0), false),
            (0x5846_5342, true, at(100, 7), at(100, 0), false),
        ] {
            let said = format!("{system:x} {wanted:?} {found:?}");
            assert_eq!(kept(system, has_birth, wanted, found), is_kept, "{said}");
        }
    }
}
