//! Pictures and documents: PNG and JPEG are decoded, a PDF's cross-reference table is followed.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::probe::verdict::{Limits, Verdict, broken, judge};

/// Kinds that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Portable network graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// Portable document format.
    Pdf,
}

/// Largest JPEG that is read whole.
const JPEG_MAX_BYTES: u64 = 64 << 20;
/// Bytes at the end of a PDF among which its last lines stand.
const PDF_TAIL_BYTES: u64 = 1024;
/// Entries of a table that are followed.
const PDF_ENTRIES_MAX: u64 = 1_000_000;

/// Looks at a picture or document.
#[must_use]
pub fn look(path: &Path, format: Format, limits: &Limits) -> Verdict {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Verdict::NotProved(error.to_string()),
    };
    match format {
        Format::Png => png(BufReader::new(file), limits),
        Format::Jpeg => jpeg(file, limits),
        Format::Pdf => judge(pdf(BufReader::new(file))),
    }
}

fn png(file: BufReader<File>, limits: &Limits) -> Verdict {
    let memory = png::Limits { bytes: limits.memory_bytes as usize };
    let decode = || -> Result<(), png::DecodingError> {
        let mut reader = png::Decoder::new_with_limits(file, memory).read_info()?;
        while reader.next_row()?.is_some() {}
        reader.finish()
    };
    match decode() {
        Ok(()) => Verdict::Passed,
        Err(png::DecodingError::LimitsExceeded) => {
            Verdict::NotProved("it is larger than a probe decodes".to_owned())
        }
        Err(error) => Verdict::Failed(error.to_string()),
    }
}

fn jpeg(file: File, limits: &Limits) -> Verdict {
    let mut bytes = Vec::new();
    match file.take(JPEG_MAX_BYTES + 1).read_to_end(&mut bytes) {
        Ok(count) if count as u64 <= JPEG_MAX_BYTES => {}
        Ok(_) => return Verdict::NotProved("it is larger than a probe decodes".to_owned()),
        Err(error) => return Verdict::NotProved(error.to_string()),
    }
    let options = DecoderOptions::default().set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes), options);
    if let Err(error) = decoder.decode_headers() {
        return Verdict::Failed(error.to_string());
    }
    let pixels = decoder.info().map_or(0, |info| u64::from(info.width) * u64::from(info.height));
    if pixels * 4 > limits.memory_bytes {
        return Verdict::NotProved("it is larger than a probe decodes".to_owned());
    }
    match decoder.decode() {
        Ok(_) if bytes.windows(2).any(|pair| pair == [0xff, 0xd9]) => Verdict::Passed,
        Ok(_) => Verdict::Failed("its end is missing".to_owned()),
        Err(error) => Verdict::Failed(error.to_string()),
    }
}

/// Header, last lines, and the table they lead to: where it says that an object is, one must be.
fn pdf(mut file: impl Read + Seek) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(PDF_TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let mark = rfind(&tail, b"%%EOF").ok_or_else(|| broken("its end is missing"))?;
    let start = rfind(&tail[..mark], b"startxref").ok_or_else(|| broken("its end is missing"))?;
    let text = String::from_utf8_lossy(&tail[start + 9..mark]);
    let table: u64 = text.trim().parse().map_err(|_| broken("its end leads nowhere"))?;
    let head = read_at(&mut file, table, 64)?;
    if head.starts_with(b"xref") {
        return pdf_table(&mut file, table);
    }
    match is_object(&head) {
        true => Ok(()),
        false => Err(broken("its table of objects is not where its end says")),
    }
}

fn pdf_table(file: &mut (impl Read + Seek), table: u64) -> io::Result<()> {
    let bad = || broken("its table of objects cannot be read");
    let mut at = table + 4;
    let mut followed = 0;
    loop {
        let line = read_at(file, at, 64)?;
        let blank = line.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let line = &line[blank..];
        if line.starts_with(b"trailer") {
            return Ok(());
        }
        let end = line.iter().position(|byte| matches!(byte, b'\n' | b'\r')).ok_or_else(bad)?;
        let text = String::from_utf8_lossy(&line[..end]);
        let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
        let (Some(Ok(_)), Some(Ok(count))) = (numbers.next(), numbers.next()) else {
            return Err(bad());
        };
        let entries = at + (blank + end) as u64;
        let gap = read_at(file, entries, 2)?;
        let gap = gap.iter().take_while(|byte| byte.is_ascii_whitespace()).count() as u64;
        for number in 0..count {
            let entry = read_at(file, entries + gap + number * 20, 20)?;
            let is_used = entry.get(17) == Some(&b'n');
            let offset = String::from_utf8_lossy(entry.get(..10).ok_or_else(bad)?).parse::<u64>();
            let offset = offset.map_err(|_| bad())?;
            if is_used && !is_object(&read_at(file, offset, 32)?) {
                return Err(broken("an object is not where its table says"));
            }
            followed += 1;
            if followed > PDF_ENTRIES_MAX {
                return Ok(());
            }
        }
        at = entries + gap + count * 20;
    }
}

/// `7 0 obj`, perhaps after blanks.
fn is_object(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut words = text.split_ascii_whitespace();
    let mut is_number = || words.next().is_some_and(|word| word.parse::<u64>().is_ok());
    is_number() && is_number() && words.next().is_some_and(|word| word.starts_with("obj"))
}

fn read_at(file: &mut (impl Read + Seek), at: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn rfind(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).rposition(|window| window == wanted)
}
