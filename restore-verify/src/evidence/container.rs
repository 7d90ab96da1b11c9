//! Files in one file: a ZIP archive without compression that has exactly one spelling.
//!
//! Any ZIP program opens it. This reader takes an archive only if writing its files again gives
//! the same bytes, so that nothing can hide between, before or behind them, and a changed byte is
//! noticed wherever it is. That is why this is not left to a library: what another version of it
//! writes would not be the same.

use std::collections::BTreeMap;

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Largest bundle that is read.
pub const BUNDLE_MAX_BYTES: usize = 1 << 31;
/// Longest name.
const NAME_MAX_BYTES: usize = 200;

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
/// 1980-01-01, the first day that a ZIP archive knows: the bundle says itself when it was made.
const DATE: u16 = 0x21;
const END_BYTES: usize = 22;
const CENTRAL_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;

/// Writes files, sorted by name.
///
/// # Errors
/// In words, if they are too many or too large for one archive.
pub fn write(files: &Files) -> Result<Vec<u8>, String> {
    let count = u16::try_from(files.len()).map_err(|_| "too many files for one bundle")?;
    let mut bytes = Vec::new();
    let mut central = Vec::new();
    for (name, content) in files {
        let offset = u32::try_from(bytes.len()).map_err(|_| "the bundle is too large")?;
        let size = u32::try_from(content.len()).map_err(|_| "a file is too large")?;
        if name.is_empty() || name.len() > NAME_MAX_BYTES {
            return Err(format!("the name {name:?} is too long"));
        }
        let mut common = Vec::new();
        for field in [20_u16, 0x0800, 0, 0, DATE] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        for field in [crc32(content), size, size] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        common.extend_from_slice(&(name.len() as u16).to_le_bytes());
        common.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&LOCAL);
        bytes.extend_from_slice(&common);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(content);
        central.extend_from_slice(&CENTRAL);
        central.extend_from_slice(&20_u16.to_le_bytes());
        central.extend_from_slice(&common);
        central.extend_from_slice(&[0; 10]);
        central.extend_from_slice(&offset.to_le_bytes());
        central.extend_from_slice(name.as_bytes());
    }
    let offset = u32::try_from(bytes.len()).map_err(|_| "the bundle is too large")?;
    bytes.extend_from_slice(&central);
    bytes.extend_from_slice(&END);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&(central.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&offset.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    Ok(bytes)
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// In words, if it is anything else.
pub fn read(bytes: &[u8]) -> Result<Files, String> {
    let files = parse(bytes).ok_or("it is no bundle, or it was cut off")?;
    match write(&files)? == bytes {
        true => Ok(files),
        false => Err("its bytes are not those that were written".to_owned()),
    }
}

fn parse(bytes: &[u8]) -> Option<Files> {
    let end = bytes.len().checked_sub(END_BYTES)?;
    if bytes.len() > BUNDLE_MAX_BYTES || bytes.get(end..end + 4)? != END {
        return None;
    }
    let count = u16_at(bytes, end + 10)?;
    let mut at = u32_at(bytes, end + 16)? as usize;
    let mut files = Files::new();
    let mut total = 0_usize;
    for _ in 0..count {
        let entry = bytes.get(at..at.checked_add(CENTRAL_BYTES)?)?;
        let name_bytes = u16_at(entry, 28)? as usize;
        let size = u32_at(entry, 24)? as usize;
        let offset = u32_at(entry, 42)? as usize;
        at += CENTRAL_BYTES;
        let name = std::str::from_utf8(bytes.get(at..at.checked_add(name_bytes)?)?).ok()?;
        at += name_bytes;
        let start = offset.checked_add(LOCAL_BYTES)?.checked_add(name_bytes)?;
        let content = bytes.get(start..start.checked_add(size)?)?;
        // Contents that overlap would let a small archive become a large one.
        total += content.len();
        if total > bytes.len() || files.insert(name.to_owned(), content.to_vec()).is_some() {
            return None;
        }
    }
    Some(files)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

/// The checksum of ZIP and PNG.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut number = 0;
        while number < 256 {
            let mut value = number as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
                bit += 1;
            }
            table[number] = value;
            number += 1;
        }
        table
    };
    !bytes
        .iter()
        .fold(!0, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Files {
        let file = |name: &str, content: &[u8]| (name.to_owned(), content.to_vec());
        Files::from([file("a", b"123456789"), file("b/c", b""), file("b/d", &[7; 500])])
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let bytes = write(&sample()).expect("it fits");
        assert_eq!(read(&bytes), Ok(sample()));
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x20;
            // Content has checksums of its own; a changed one is another archive.
            assert!(read(&other).is_err_and(|_| true) || read(&other) != Ok(sample()), "{at}");
            assert!(read(&bytes[..at]).is_err(), "{at}");
        }
        assert!(read(&[bytes.as_slice(), b"x"].concat()).is_err());
        assert!(read(&[b"x", bytes.as_slice()].concat()).is_err());
    }
}
