//! As much of CBOR as the format uses: definite lengths, integers, strings, arrays, maps, booleans.

use crate::reader::Result;

/// A decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An integer.
    Int(i128),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A text string.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// A map in the order it was written.
    Map(Vec<(Value, Value)>),
    /// `true` or `false`.
    Bool(bool),
}

/// Deeper nesting than any record has.
const DEPTH_MAX: usize = 16;

impl Value {
    /// Decodes a value that fills `bytes` exactly.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut rest = bytes;
        let value = decode(&mut rest, 0)?;
        match rest.len() {
            0 => Ok(value),
            extra => Err(format!("{extra} bytes follow a record")),
        }
    }

    /// The value of a field of a map, if it is there.
    #[must_use]
    pub fn optional(&self, number: i128) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(key, _)| *key == Self::Int(number)).map(|(_, value)| value)
    }

    /// The value of a field that must be there.
    ///
    /// # Errors
    /// Says which is missing.
    pub fn field(&self, number: i128) -> Result<&Self> {
        self.optional(number).ok_or_else(|| format!("field {number} is missing"))
    }

    /// A number that is not negative.
    ///
    /// # Errors
    /// Says what it is instead.
    pub fn uint(&self) -> Result<u64> {
        match self {
            Self::Int(number) => u64::try_from(*number).map_err(|error| error.to_string()),
            other => Err(format!("{other:?} is no number")),
        }
    }

    /// A byte string.
    ///
    /// # Errors
    /// Says what it is instead.
    pub fn bytes(&self) -> Result<&[u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            other => Err(format!("{other:?} is no byte string")),
        }
    }

    /// A byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// Says what it is instead.
    pub fn array<const N: usize>(&self) -> Result<[u8; N]> {
        let bytes = self.bytes()?;
        bytes.try_into().map_err(|_| format!("{} bytes instead of {N}", bytes.len()))
    }

    /// A text.
    ///
    /// # Errors
    /// Says what it is instead.
    pub fn text(&self) -> Result<&str> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(format!("{other:?} is no text")),
        }
    }

    /// The items of an array.
    ///
    /// # Errors
    /// Says what it is instead.
    pub fn items(&self) -> Result<&[Self]> {
        match self {
            Self::Array(items) => Ok(items),
            other => Err(format!("{other:?} is no array")),
        }
    }

    /// Seconds and nanoseconds.
    ///
    /// # Errors
    /// Says what it is instead.
    pub fn time(&self) -> Result<(i64, u32)> {
        match self.items()? {
            [Self::Int(seconds), Self::Int(nanos)] => {
                let seconds = i64::try_from(*seconds).map_err(|error| error.to_string())?;
                Ok((seconds, u32::try_from(*nanos).map_err(|error| error.to_string())?))
            }
            other => Err(format!("{other:?} is no time")),
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count).ok_or("a record is truncated")?;
    *rest = left;
    Ok(taken)
}

fn decode(rest: &mut &[u8], depth: usize) -> Result<Value> {
    if depth > DEPTH_MAX {
        return Err("a record is nested too deeply".to_owned());
    }
    let first = take(rest, 1)?[0];
    let (major, low) = (first >> 5, first & 31);
    if major == 7 {
        return match low {
            20 => Ok(Value::Bool(false)),
            21 => Ok(Value::Bool(true)),
            _ => Err(format!("unexpected byte {first:02x} in a record")),
        };
    }
    let number = match low {
        0..=23 => u64::from(low),
        24..=27 => {
            let bytes = take(rest, 1 << (low - 24))?;
            bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        }
        _ => return Err("a length is indefinite".to_owned()),
    };
    let count = usize::try_from(number).map_err(|error| error.to_string());
    match major {
        0 => Ok(Value::Int(i128::from(number))),
        1 => Ok(Value::Int(-1 - i128::from(number))),
        2 => Ok(Value::Bytes(take(rest, count?)?.to_vec())),
        3 => {
            let text = std::str::from_utf8(take(rest, count?)?);
            Ok(Value::Text(text.map_err(|error| error.to_string())?.to_owned()))
        }
        4 => {
            let mut items = Vec::new();
            for _ in 0..number {
                items.push(decode(rest, depth + 1)?);
            }
            Ok(Value::Array(items))
        }
        5 => {
            let mut pairs = Vec::new();
            for _ in 0..number {
                pairs.push((decode(rest, depth + 1)?, decode(rest, depth + 1)?));
            }
            Ok(Value::Map(pairs))
        }
        _ => Err(format!("unexpected byte {first:02x} in a record")),
    }
}
