//! Objects as files of a local folder, and hexadecimal.

use std::fs;
use std::path::Path;

use crate::reader::Result;

/// The bytes of the object `key`.
pub(super) fn read(folder: &Path, key: &str) -> Result<Vec<u8>> {
    fs::read(folder.join(key)).map_err(|error| format!("{key}: {error}"))
}

/// All keys of objects below the folder `top`, sorted, spelled as the format spells them.
pub(super) fn keys_below(folder: &Path, top: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    collect(folder, top, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, below: &str, found: &mut Vec<String>) -> Result<()> {
    let listed = match fs::read_dir(folder.join(below)) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{below}: {error}")),
    };
    for entry in listed {
        let entry = entry.map_err(|error| error.to_string())?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let key = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().map_err(|error| error.to_string())?;
        if kind.is_dir() {
            collect(folder, &key, found)?;
        } else if is_ours(&key) {
            found.push(key);
        }
    }
    Ok(())
}

/// Whether a key is one of the table in the chapter "Objects and their keys".
fn is_ours(key: &str) -> bool {
    if let Some(id) = key.strip_prefix("config-") {
        return is_hex(id, 32);
    }
    let parts: Vec<&str> = key.split('/').collect();
    match parts.as_slice() {
        ["keys", id] => is_hex(id, 16),
        ["clients", name] => match name.split_once(".revoked-") {
            Some((id, random)) => is_hex(id, 16) && is_hex(random, 16),
            None => is_hex(name, 16),
        },
        ["run", hour, name] => {
            let parts: Vec<&str> = name.split('-').collect();
            let [writer, number, random] = parts.as_slice() else { return false };
            is_hex(hour, 8) && is_hex(writer, 16) && is_hex(number, 8) && is_hex(random, 16)
        }
        ["conf", writer, name] => {
            let pair = name.split_once('-');
            is_hex(writer, 16) && pair.is_some_and(|(n, x)| is_hex(n, 8) && is_hex(x, 16))
        }
        ["sess", id] => is_hex(id, 48),
        ["data" | "tree" | "index", session, name] => {
            let pair = name.split_once('-');
            is_hex(session, 48) && pair.is_some_and(|(n, x)| is_hex(n, 8) && is_hex(x, 16))
        }
        ["snap", name] => {
            let Some((session, flag)) = name.split_once('.') else { return false };
            let random = flag.strip_prefix("fence-").or(flag.strip_prefix("final-"));
            is_hex(session, 48)
                && (matches!(flag, "commit" | "ok") || random.is_some_and(|x| is_hex(x, 16)))
        }
        _ => false,
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads hexadecimal of exactly `N` bytes.
pub(super) fn unhex<const N: usize>(text: &str) -> Result<[u8; N]> {
    if !is_hex(text, 2 * N) {
        return Err(format!("{text:?} is not {} hexadecimal digits", 2 * N));
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let pair = &text[2 * index..2 * index + 2];
        *byte = u8::from_str_radix(pair, 16).map_err(|error| error.to_string())?;
    }
    Ok(bytes)
}
