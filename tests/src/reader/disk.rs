//! Objects as files of a local folder, and hexadecimal.

use std::fs;
use std::path::Path;

use crate::reader::Result;
use crate::reader::key::{Key, id_of};

/// The bytes of the object `key`.
pub(super) fn read(folder: &Path, key: &str) -> Result<Vec<u8>> {
    fs::read(folder.join(key)).map_err(|error| format!("{key}: {error}"))
}

/// All keys without a code below the folder `top`, sorted, spelled as the format spells them.
pub(super) fn keys_below(folder: &Path, top: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    collect(folder, top, &mut found)?;
    found.retain(|key| is_plain(key));
    found.sort();
    Ok(found)
}

/// The same for keys with a code, and without it: the first 8 bytes of keyed BLAKE3 over the rest.
/// With the key of any epoch.
pub(super) fn coded_below(folder: &Path, top: &str, keys: &[Key]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    collect(folder, top, &mut found)?;
    let named = |whole: &String| {
        let (base, _) = whole.rsplit_once('-')?;
        let is_right = keys.iter().any(|key| coded(base, key) == *whole);
        (is_right && is_coded(base)).then(|| base.to_owned())
    };
    let mut found: Vec<_> = found.iter().filter_map(named).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

/// A key with its code.
pub(super) fn coded(base: &str, key: &Key) -> String {
    format!("{base}-{}", hex(&id_of(key, base.as_bytes())[..8]))
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
        } else {
            found.push(key);
        }
    }
    Ok(())
}

/// Whether a key is one without a code in the table of the chapter "Objects and their keys".
fn is_plain(key: &str) -> bool {
    if let Some(id) = key.strip_prefix("config-") {
        return is_hex(id, 32);
    }
    let parts: Vec<&str> = key.split('/').collect();
    match parts.as_slice() {
        ["keys", id] => is_hex(id, 16),
        ["slots", name] => is_drawn(name),
        ["data" | "tree", session, name] => is_hex(session, 48) && is_drawn(name),
        _ => false,
    }
}

/// Whether a key is one of those with a code, without it.
fn is_coded(key: &str) -> bool {
    let parts: Vec<&str> = key.split('/').collect();
    match parts.as_slice() {
        ["clients", name] => match name.split_once(".revoked-") {
            Some((id, random)) => is_hex(id, 16) && is_hex(random, 16),
            None => is_hex(name, 16),
        },
        ["run", hour, name] => {
            let parts: Vec<&str> = name.split('-').collect();
            let [writer, number, random] = parts.as_slice() else { return false };
            is_hex(hour, 8) && is_hex(writer, 16) && is_hex(number, 8) && is_hex(random, 16)
        }
        ["conf", writer, name] => is_hex(writer, 16) && is_drawn(name),
        ["sess", id] => is_hex(id, 48),
        ["epochs", number] => is_hex(number, 8),
        ["index", session, name] => is_hex(session, 48) && is_drawn(name),
        ["fold" | "lock", name] => is_drawn(name),
        ["join" | "copied", name] => {
            let pair = name.split_once('-');
            let digits = if parts.first() == Some(&"join") { 16 } else { 48 };
            pair.is_some_and(|(id, x)| is_hex(id, digits) && is_hex(x, 16))
        }
        ["snap", name] => {
            let Some((session, flag)) = name.split_once('.') else { return false };
            let drawn = flag.split_once('-').is_some_and(|(word, random)| {
                matches!(word, "commit" | "fence" | "final") && is_hex(random, 16)
            });
            is_hex(session, 48) && (flag == "ok" || drawn)
        }
        _ => false,
    }
}

fn is_drawn(name: &str) -> bool {
    name.split_once('-').is_some_and(|(number, random)| is_hex(number, 8) && is_hex(random, 16))
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
