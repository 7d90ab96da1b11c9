//! Whether an answer is the page of a listing that was asked for.
//!
//! A listing decides what exists, and so what is deleted. The library reads any XML whose root it
//! does not look at: a login page of a network, or an error under status 200, counted as a listing
//! without objects. A page is believed here if it is well-formed and ends, has the right root, is
//! of the prefix and of the place that were asked for, names only keys that begin with the prefix,
//! and says how it goes on where it is not the last. Keys that the library would stop at are written
//! in another form.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use crate::store::odd_key;

/// Why an answer is not believed, in words that continue "the answer is not a listing: ".
pub type Why = String;

/// What is asked for, out of the query of the request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    prefix: String,
    token: String,
    is_azure: bool,
}

/// What a page says of itself, outside its objects.
#[derive(Debug, Default)]
struct Page {
    prefix: Option<String>,
    token: Option<String>,
    next: Option<String>,
    is_truncated: Option<String>,
    key_count: Option<String>,
    has_blobs: bool,
    object_count: u64,
    /// Where keys stand that the library does not read, and what it is given instead.
    odd_keys: Vec<(Range<usize>, String)>,
}

impl Asked {
    /// Reads the query of a request; `None` if it asks for no listing.
    #[must_use]
    pub fn of_query(query: &str) -> Option<Self> {
        let mut asked = Self::default();
        let mut is_listing = false;
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match (name.as_ref(), value.as_ref()) {
                ("list-type", _) => is_listing = true,
                ("comp", "list") => (is_listing, asked.is_azure) = (true, true),
                ("prefix", prefix) => asked.prefix = prefix.to_owned(),
                ("continuation-token" | "marker", token) => asked.token = token.to_owned(),
                _ => {}
            }
        }
        is_listing.then_some(asked)
    }

    /// Looks at a whole answer.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn check(&self, body: &[u8]) -> Result<(), Why> {
        self.look(body).map(|_| ())
    }

    /// Looks at a whole answer, and gives it back as the library can read it.
    ///
    /// # Errors
    /// Why it is not believed.
    pub(crate) fn readable(&self, mut body: Vec<u8>) -> Result<Vec<u8>, Why> {
        for (range, marked) in self.look(&body)?.odd_keys.into_iter().rev() {
            let text = quick_xml::escape::escape(marked).into_owned();
            body.splice(range, text.into_bytes());
        }
        Ok(body)
    }

    fn look(&self, body: &[u8]) -> Result<Page, Why> {
        let mut page = Page::default();
        self.read(body, &mut page)?;
        if let Some(prefix) = page.prefix.as_ref().filter(|prefix| **prefix != self.prefix) {
            return Err(format!("it is of the prefix {}", shown(prefix)));
        }
        if let Some(token) = page.token.as_ref().filter(|token| **token != self.token) {
            return Err(format!("it is the page at {}", shown(token)));
        }
        let goes_on = page.next.as_deref().is_some_and(|next| !next.is_empty());
        if self.is_azure {
            let why = "it has no element Blobs".to_owned();
            return if page.has_blobs { Ok(page) } else { Err(why) };
        }
        match page.is_truncated.as_deref() {
            Some("true") if !goes_on => {
                return Err("it is cut short and does not say how it goes on".to_owned());
            }
            Some("true" | "false") => {}
            Some(other) => return Err(format!("IsTruncated is {}", shown(other))),
            None if page.key_count.is_none() && page.prefix.is_none() => {
                return Err("it says neither its prefix nor whether it is complete".to_owned());
            }
            None => {}
        }
        let announced = page.key_count.as_deref().and_then(|count| count.parse::<u64>().ok());
        match announced {
            Some(count) if count > page.object_count => {
                Err(format!("it announces {count} objects and has {}", page.object_count))
            }
            _ => Ok(page),
        }
    }

    fn read(&self, body: &[u8], page: &mut Page) -> Result<(), Why> {
        let mut reader = Reader::from_reader(body);
        reader.config_mut().expand_empty_elements = true;
        let mut path: Vec<String> = Vec::new();
        let mut text = String::new();
        let (mut is_over, mut begins) = (false, 0);
        loop {
            let ends = reader.buffer_position() as usize;
            let broken = |error: &dyn std::fmt::Display| format!("its XML is broken ({error})");
            match reader.read_event().map_err(|error| broken(&error))? {
                Event::Start(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    self.begin(&name, &path, is_over)?;
                    path.push(name);
                    text.clear();
                    begins = reader.buffer_position() as usize;
                }
                Event::End(_) => {
                    self.end(&path, std::mem::take(&mut text), begins..ends, page)?;
                    path.pop();
                    is_over = path.is_empty();
                }
                Event::Text(piece) => {
                    let piece = piece.decode().map_err(|error| broken(&error))?;
                    if path.is_empty() && !piece.trim().trim_matches('\u{feff}').is_empty() {
                        return Err("text stands around its XML".to_owned());
                    }
                    text.push_str(&piece);
                }
                Event::CData(piece) => {
                    text.push_str(&piece.decode().map_err(|error| broken(&error))?);
                }
                Event::GeneralRef(reference) => text.push_str(&resolve(&reference)?),
                Event::Eof => break,
                Event::Empty(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_) => {}
            }
        }
        match (path.last(), is_over) {
            (Some(open), _) => Err(format!("it ends within {}", shown(open))),
            (None, false) => Err("it is empty".to_owned()),
            (None, true) => Ok(()),
        }
    }

    fn begin(&self, name: &str, path: &[String], is_over: bool) -> Result<(), Why> {
        if is_over {
            return Err(format!("{} follows its end", shown(name)));
        }
        let root = if self.is_azure { "EnumerationResults" } else { "ListBucketResult" };
        match path.is_empty() && name != root {
            true => Err(format!("its root is {} instead of {root}", shown(name))),
            false => Ok(()),
        }
    }

    /// Takes in an element that ends, whose text is `text` and stands at `at`.
    fn end(
        &self,
        path: &[String],
        text: String,
        at: Range<usize>,
        page: &mut Page,
    ) -> Result<(), Why> {
        let mut names = path.iter().skip(1).map(String::as_str);
        let place = (names.next(), names.next(), names.next(), names.next());
        match place {
            (Some("Prefix"), None, ..) => page.prefix = Some(text),
            (Some("ContinuationToken" | "Marker"), None, ..) => page.token = Some(text),
            (Some("NextContinuationToken" | "NextMarker"), None, ..) => page.next = Some(text),
            (Some("IsTruncated"), None, ..) => page.is_truncated = Some(text.trim().to_owned()),
            (Some("KeyCount"), None, ..) => page.key_count = Some(text.trim().to_owned()),
            (Some("Blobs"), None, ..) => page.has_blobs = true,
            (Some("Contents"), Some("Key"), None, _)
            | (Some("Blobs"), Some("Blob"), Some("Name"), None) => {
                page.object_count += 1;
                if !text.starts_with(self.prefix.as_str()) {
                    return Err(format!("it has the object {}", shown(&text)));
                }
                // An empty element has no place for a text, and an empty key is nobody's.
                if let Some(marked) = odd_key::marked(&text).filter(|_| !at.is_empty()) {
                    page.odd_keys.push((at, marked));
                }
            }
            // The library would stop at these with words of its own.
            (Some("Contents"), Some("Size"), None, _) if text.trim().parse::<u64>().is_err() => {
                return Err(format!("it gives the size of an object as {}", shown(&text)));
            }
            (Some("Contents"), Some("LastModified"), None, _) if !has_time(&text) => {
                return Err(format!("it gives the time of an object as {}", shown(&text)));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether this begins as a time by ISO 8601 does; the library looks at the rest.
fn has_time(text: &str) -> bool {
    let bytes = text.trim().as_bytes();
    let fits = |(at, byte): (usize, &u8)| match at {
        4 | 7 => *byte == b'-',
        10 => matches!(byte, b'T' | b't' | b' '),
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    };
    bytes.len() > 19 && bytes.iter().take(19).enumerate().all(fits)
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, Why> {
    if let Ok(Some(one)) = reference.resolve_char_ref() {
        return Ok(one.to_string());
    }
    let name = reference.decode().unwrap_or_default();
    let known = quick_xml::escape::resolve_xml_entity(&name);
    known.map(str::to_owned).ok_or_else(|| format!("its XML names the unknown {}", shown(&name)))
}

/// What a stranger sent, short and on one line.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests;
