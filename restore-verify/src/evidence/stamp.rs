//! Time stamps of others: which record is to be stamped, and asking for it.
//!
//! A stamp over the head of a chain covers everything before it, because each record names the one
//! before. So one a day is enough, and one that could not be had needs no queue: the next covers
//! what it would have covered. Until then the chain is *untimestamped since* its first record that
//! none covers.

use engine::crypt::random;

use crate::evidence::event::{Event, Timestamp};
use crate::evidence::record::{Reference, SignedRecord, Writer};
use crate::evidence::shelf::{Author, Shelf, ShelfError};
use crate::evidence::token::{self, Token};

/// A head is stamped again after so long.
pub const DUE_MS: i64 = 86_400_000;

/// How far a chain is stamped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// The newest record that is not a stamp itself.
    pub head: Option<Reference>,
    /// The newest record that is stamped.
    pub stamped: Option<Reference>,
    /// When the newest stamp was recorded.
    pub stamped_ms: Option<i64>,
    /// When the first record was written that no stamp covers; `None` if there is none.
    pub since_ms: Option<i64>,
    /// Records that no stamp covers: number and time.
    uncovered: Vec<(u32, i64)>,
}

impl Standing {
    /// Whether a stamp is wanted now.
    #[must_use]
    pub fn is_due(&self, now_ms: i64) -> bool {
        self.since_ms.is_some() && self.stamped_ms.is_none_or(|last| now_ms - last >= DUE_MS)
    }

    fn see(&mut self, one: &SignedRecord) {
        match Event::decode(&one.record.event, &one.record.body) {
            Ok(Event::Timestamp(stamp)) if stamp.of.writer == one.record.writer => {
                self.stamped_ms = Some(one.record.at_ms);
                self.stamped = Some(stamp.of);
                // Records between the stamped one and its stamp are not covered.
                self.uncovered.retain(|(number, _)| *number > stamp.of.number);
            }
            _ => {
                self.head = Some(one.reference());
                self.uncovered.push((one.record.number, one.record.at_ms));
            }
        }
        self.since_ms = self.uncovered.first().map(|(_, at_ms)| *at_ms);
    }
}

/// How far the chain of `writer` is stamped, by what this machine has of it.
///
/// # Errors
/// If the copy on this machine cannot be read.
pub fn standing(shelf: &Shelf<'_>, writer: Writer) -> Result<Standing, ShelfError> {
    let mut standing = Standing::default();
    shelf.each_kept(writer, &mut |one| standing.see(&one))?;
    Ok(standing)
}

/// Sends a request to an authority and returns its response, or says why there is none.
pub type Ask<'a> = dyn Fn(&[u8]) -> Result<Vec<u8>, String> + 'a;

/// Why there is no stamp.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    /// Evidence cannot be read or written.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The authority cannot be reached, or it refuses.
    #[error("the time stamp authority {authority} gives no time stamp: {why}")]
    Refused {
        /// The authority.
        authority: String,
        /// What is in the way.
        why: String,
    },
}

/// Asks for a stamp over `of` and records it; `ask` sends a request and returns the response.
///
/// # Errors
/// [`StampError`]; a response about anything else than what was asked is refused.
pub fn stamp(
    shelf: &mut Shelf<'_>,
    author: &Author<'_>,
    authority: &str,
    of: Reference,
    ask: &Ask<'_>,
) -> Result<(Reference, Token), StampError> {
    let refused = |why: String| StampError::Refused { authority: authority.to_owned(), why };
    let signed = shelf.signed(of)?;
    let imprint = token::imprint(&signed);
    let request = token::request(&imprint, random::array());
    let response = ask(&request.bytes).map_err(refused)?;
    if response.len() > token::RESPONSE_MAX_BYTES {
        return Err(refused("its response is too long".to_owned()));
    }
    let token = token::read(&response).map_err(refused)?;
    if token.imprint != imprint {
        return Err(refused("its response is about something else".to_owned()));
    }
    if token.nonce.as_deref() != Some(request.nonce.as_slice()) {
        return Err(refused("its response is not the answer to this request".to_owned()));
    }
    let event = Event::Timestamp(Timestamp { of, authority: authority.to_owned(), response });
    Ok((shelf.append(author, &event)?.reference(), token))
}
