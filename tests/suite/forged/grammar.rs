//! How records are changed at random: as values of CBOR, and as the bytes that they become.

use system_tests::reader::cbor::Value;
use system_tests::scale::Chance;

/// Byte strings that mean something in the repository, to be put where others stood.
#[derive(Debug, Default)]
pub(super) struct Pool(pub(super) Vec<Vec<u8>>);

impl Pool {
    /// One of that length, or random bytes if there is none.
    fn of_length(&self, length: usize, chance: &mut Chance) -> Vec<u8> {
        let fitting: Vec<_> = self.0.iter().filter(|one| one.len() == length).collect();
        match fitting.is_empty() || chance.hits(4) {
            true => noise(length, chance),
            false => fitting[chance.below(fitting.len() as u64) as usize].clone(),
        }
    }
}

/// Random bytes.
pub(super) fn noise(length: usize, chance: &mut Chance) -> Vec<u8> {
    (0..length).map(|_| chance.draw() as u8).collect()
}

/// One of several.
pub(super) fn one_of<'a, T>(all: &'a [T], chance: &mut Chance) -> &'a T {
    &all[chance.below(all.len() as u64) as usize]
}

/// Numbers at which something ends.
const EDGES: [i128; 18] = [
    0,
    1,
    -1,
    23,
    24,
    255,
    65_536,
    i32::MAX as i128,
    u32::MAX as i128,
    1 << 32,
    1 << 53,
    i64::MAX as i128,
    1 << 63,
    u64::MAX as i128,
    i64::MIN as i128,
    -(1 << 40),
    999_999_999,
    1_000_000_000,
];

const TEXTS: [&str; 6] =
    ["", "\u{1b}[2J\u{202e}", "../../etc/passwd", "a\nb", "=1+1", "\u{1f512}\u{0}\u{ffff}"];

/// Encodes a value in its shortest form.
pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(value, &mut bytes);
    bytes
}

fn head(major: u8, number: u64, bytes: &mut Vec<u8>) {
    let (low, length) = match number {
        0..=23 => (number as u8, 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    bytes.push(major << 5 | low);
    bytes.extend_from_slice(&number.to_be_bytes()[8 - length..]);
}

fn put(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Int(number) if *number < 0 => head(1, (-1 - number) as u64, bytes),
        Value::Int(number) => head(0, *number as u64, bytes),
        Value::Bytes(string) => {
            head(2, string.len() as u64, bytes);
            bytes.extend_from_slice(string);
        }
        Value::Text(text) => {
            head(3, text.len() as u64, bytes);
            bytes.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            head(4, items.len() as u64, bytes);
            items.iter().for_each(|item| put(item, bytes));
        }
        Value::Map(pairs) => {
            head(5, pairs.len() as u64, bytes);
            for (key, item) in pairs {
                put(key, bytes);
                put(item, bytes);
            }
        }
        Value::Bool(is) => bytes.push(if *is { 0xf5 } else { 0xf4 }),
    }
}

/// Puts other byte strings in the place of those in the table, wherever they stand.
pub(super) fn substitute(value: &mut Value, table: &[(Vec<u8>, Vec<u8>)]) {
    match value {
        Value::Bytes(bytes) => {
            if let Some((_, new)) = table.iter().find(|(old, _)| old == bytes) {
                bytes.clone_from(new);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| substitute(item, table)),
        Value::Map(pairs) => pairs.iter_mut().for_each(|(_, item)| substitute(item, table)),
        _ => {}
    }
}

fn count(value: &Value) -> u64 {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Map(pairs) => pairs.iter().map(|(_, item)| count(item)).sum(),
        _ => 0,
    }
}

/// Changes one part of the value, chosen at random.
pub(super) fn mutate(value: &mut Value, pool: &Pool, chance: &mut Chance) {
    let mut at = chance.below(count(value));
    visit(value, &mut at, &mut |found| change(found, pool, chance));
}

fn visit(value: &mut Value, at: &mut u64, act: &mut dyn FnMut(&mut Value)) -> bool {
    if *at == 0 {
        act(value);
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| visit(item, at, act)),
        Value::Map(pairs) => pairs.iter_mut().any(|(_, item)| visit(item, at, act)),
        _ => false,
    }
}

fn change(value: &mut Value, pool: &Pool, chance: &mut Chance) {
    if chance.hits(8) {
        *value = another_type(chance);
        return;
    }
    match value {
        Value::Int(number) => *number = *one_of(&EDGES, chance),
        Value::Bool(is) => *is = !*is,
        Value::Text(text) => match chance.below(3) {
            0 => *text = "x".repeat(5000),
            _ => *text = (*one_of(&TEXTS, chance)).to_owned(),
        },
        Value::Bytes(bytes) => match chance.below(5) {
            0 => bytes.clear(),
            1 => bytes.push(0),
            2 => *bytes = noise(20_000, chance),
            _ => *bytes = pool.of_length(bytes.len(), chance),
        },
        Value::Array(items) => match (chance.below(4), items.first().cloned()) {
            (0, _) => items.clear(),
            (1, Some(first)) => items.extend(vec![first; 1 + chance.below(600) as usize]),
            (2, _) => items.reverse(),
            _ => items.push(another_type(chance)),
        },
        Value::Map(pairs) => match (chance.below(4), pairs.is_empty()) {
            (0, false) => drop(pairs.remove(chance.below(pairs.len() as u64) as usize)),
            (1, false) => pairs.push(one_of(pairs, chance).clone()),
            (2, false) => {
                let (one, other) = (chance.below(pairs.len() as u64), chance.draw() as usize);
                let other = other % pairs.len();
                let taken = pairs[one as usize].1.clone();
                pairs[other].1 = taken;
            }
            _ => pairs.push((Value::Int(99), another_type(chance))),
        },
    }
}

fn another_type(chance: &mut Chance) -> Value {
    match chance.below(6) {
        0 => Value::Int(*one_of(&EDGES, chance)),
        1 => Value::Bool(true),
        2 => Value::Text((*one_of(&TEXTS, chance)).to_owned()),
        3 => Value::Bytes(noise(8, chance)),
        4 => Value::Map(vec![(Value::Int(0), Value::Int(0))]),
        _ => (0..1 + chance.below(200)).fold(Value::Int(1), |inner, _| Value::Array(vec![inner])),
    }
}

/// Heads of items that claim to be longer than anything, or to have no end.
const LIES: [&[u8]; 8] = [
    &[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x9a, 0x00, 0x0f, 0xff, 0xff],
    &[0x5a, 0x03, 0xff, 0xff, 0xff],
    &[0x9f],
    &[0xbf],
    &[0x7f],
];

/// Changes the bytes of a record: a lying length, a deep nest, a few other bytes, an end too soon.
pub(super) fn spoil_record(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let at = chance.below(bytes.len() as u64 + 1) as usize;
    match chance.below(4) {
        0 => drop(bytes.splice(at..at, one_of(&LIES, chance).iter().copied())),
        1 => {
            let opener = *one_of(&[&[0x81][..], &[0xa1, 0x00], &[0xc1]], chance);
            let deep = opener.repeat(30_000 / opener.len());
            bytes.splice(at..at, deep);
        }
        _ => spoil(bytes, chance),
    }
}

/// Changes the bytes of anything: bits turned, an end too soon, more at the end, other bytes.
pub(super) fn spoil(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let at = chance.below(bytes.len().max(1) as u64) as usize;
    match (chance.below(6), bytes.get_mut(at)) {
        (0, Some(byte)) => *byte ^= 1 << chance.below(8),
        (1, Some(byte)) => *byte = *one_of(&[0, 1, 2, 3, 0x7f, 0x80, 0xff], chance),
        (2, _) => bytes.truncate(at),
        (3, _) => {
            let more = 1 + chance.below(40) as usize;
            bytes.extend(noise(more, chance));
        }
        (4, Some(_)) => {
            let end = (at + 4).min(bytes.len());
            bytes[at..end].fill(0xff);
        }
        _ => *bytes = noise(at, chance),
    }
}
