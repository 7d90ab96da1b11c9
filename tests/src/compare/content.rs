//! Compares the bytes of two files, reading only where at least one of them has data.
//!
//! A file of 1 TiB may hold three blocks: `SEEK_DATA` and `SEEK_HOLE` say where. What is a hole in
//! both is zero in both. A hole may come back as a hole or not, but the copy must not take up
//! more of the disk than the original and one block for each stretch of data.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags, SeekFrom, openat, seek};
use rustix::io::Errno;

use crate::compare::Aspect;
use crate::compare::facts::Facts;

const STEP_BYTES: usize = 128 << 10;

/// What differs between two regular files called `name`, each given by its folder and facts:
/// the aspect, and what it is left and right.
///
/// # Errors
/// When one of them cannot be read.
pub fn compare_files(
    left: (&OwnedFd, &Facts),
    right: (&OwnedFd, &Facts),
    name: &[u8],
) -> io::Result<Vec<(Aspect, String, String)>> {
    let mut found = Vec::new();
    let (left_file, right_file) = (open(left.0, name)?, open(right.0, name)?);
    let left_data = data(&left_file)?;
    if left.1.size_bytes == right.1.size_bytes {
        let mut stretches = left_data.clone();
        stretches.extend(data(&right_file)?);
        stretches.sort_unstable();
        if let Some(at) = first_difference(&left_file, &right_file, &stretches)? {
            let byte = |file: &File| byte_at(file, at).map(|byte| format!("{byte:#04x} at {at}"));
            found.push((Aspect::Bytes, byte(&left_file)?, byte(&right_file)?));
        }
    }
    let slack_bytes = left.1.block_bytes * (left_data.len().max(1) as u64);
    let (was, is) = (left.1.allocated_bytes, right.1.allocated_bytes);
    if is > was + slack_bytes {
        let show = |bytes: u64| format!("{bytes} bytes on disk");
        found.push((Aspect::Holes, show(was), show(is)));
    }
    Ok(found)
}

fn open(folder: &OwnedFd, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOATIME;
    match openat(folder, name, flags, Mode::empty()) {
        // Only its owner may leave the access time of a file alone.
        Err(Errno::PERM) => {
            Ok(openat(folder, name, flags - OFlags::NOATIME, Mode::empty())?.into())
        }
        other => Ok(other?.into()),
    }
}

/// The stretches with data, in order: begin and end.
fn data(file: &File) -> io::Result<Vec<(u64, u64)>> {
    let mut stretches = Vec::new();
    let mut at = 0;
    loop {
        let begin = match seek(file, SeekFrom::Data(at)) {
            Err(Errno::NXIO) => return Ok(stretches),
            other => other?,
        };
        at = seek(file, SeekFrom::Hole(begin))?;
        stretches.push((begin, at));
    }
}

fn first_difference(
    left: &File,
    right: &File,
    stretches: &[(u64, u64)],
) -> io::Result<Option<u64>> {
    let (mut left_bytes, mut right_bytes) = (vec![0; STEP_BYTES], vec![0; STEP_BYTES]);
    let mut done = 0;
    for (begin, end) in stretches {
        let mut at = done.max(*begin);
        while at < *end {
            let step = usize::try_from(end - at).map_or(STEP_BYTES, |left| left.min(STEP_BYTES));
            left.read_exact_at(&mut left_bytes[..step], at)?;
            right.read_exact_at(&mut right_bytes[..step], at)?;
            let pairs = left_bytes[..step].iter().zip(&right_bytes[..step]);
            if left_bytes[..step] != right_bytes[..step] {
                let place = pairs.take_while(|(left, right)| left == right).count();
                return Ok(Some(at + place as u64));
            }
            at += step as u64;
        }
        done = done.max(*end);
    }
    Ok(None)
}

fn byte_at(file: &File, at: u64) -> io::Result<u8> {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    Ok(byte[0])
}
