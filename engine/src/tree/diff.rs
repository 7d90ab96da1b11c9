//! What differs between two trees, in path order.
//!
//! Equal content has equal nodes, so a node that both trees come to at the same time is passed over
//! unread. Where the nodes differ the one that reaches further is entered, until entries can be compared;
//! after an entry more or less the two come to the same nodes again within a few. So what is read grows
//! with what differs, not with the trees.

use std::cmp::Ordering;

use crate::base::id::{ChunkId, Digest};
use crate::base::path::TreePath;
use crate::crypt::hash::digest;
use crate::format::entry::{Content, Entry};
use crate::tree::cursor::{Ahead, EntryCursor};
use crate::tree::error::TreeError;
use crate::tree::source::NodeRead;

/// What two files have in common if they have the same content in one domain, and no others; `None` if it
/// cannot be said.
#[must_use]
pub fn content_digest(content: &Content) -> Option<Digest> {
    minicbor::to_vec(content).ok().map(|bytes| digest(&bytes))
}

/// A path of which two trees have something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Only the second tree has it.
    Added(Box<Entry>),
    /// Only the first tree has it.
    Removed(Box<Entry>),
    /// Both have it, and not the same of it.
    Changed {
        /// In the first tree.
        before: Box<Entry>,
        /// In the second tree.
        after: Box<Entry>,
    },
}

/// Which of the two trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first.
    Before,
    /// The second.
    After,
}

/// Iterates over the differences between two trees.
pub struct Differences<'a> {
    before: Half<'a>,
    after: Half<'a>,
    top: TreePath,
}

/// One of the trees.
struct Half<'a> {
    cursor: EntryCursor<'a>,
    /// Up to this key entries may be missing, because a node could not be read.
    blind_to: Option<Vec<u8>>,
    /// Without its root nothing is known of a tree.
    is_blind: bool,
    is_over: bool,
}

/// A path and how it differs, or a part of one of the trees that cannot be read: what the other tree has
/// there is not reported, because nobody can say whether it differs.
pub type Item = Result<(TreePath, Difference), (Side, TreeError)>;

/// What differs at and below `top`. Each tree has its own source of nodes, which may be the same.
#[must_use]
pub fn differences<'a>(
    before: (&'a dyn NodeRead, ChunkId),
    after: (&'a dyn NodeRead, ChunkId),
    top: &TreePath,
) -> Differences<'a> {
    let half = |(source, root): (&'a dyn NodeRead, ChunkId)| Half {
        cursor: EntryCursor::from(source, root, top),
        blind_to: None,
        is_blind: false,
        is_over: false,
    };
    Differences { before: half(before), after: half(after), top: top.clone() }
}

/// What is to be done next.
enum Step {
    Enter(Side),
    PassOver,
    Take(Side),
    Compare,
    End,
}

impl Half<'_> {
    fn ahead(&mut self) -> Option<Ahead<'_>> {
        if self.is_over { None } else { self.cursor.ahead() }
    }

    /// The next entry, which is ahead; nothing behind the end of `top`.
    fn take(&mut self, top: &TreePath) -> Option<Result<(TreePath, Entry), TreeError>> {
        let taken = self.cursor.next()?;
        if taken.as_ref().is_ok_and(|(path, _)| !top.contains(path)) {
            self.is_over = true;
            return None;
        }
        Some(taken)
    }

    fn is_blind_at(&self, path: &TreePath) -> bool {
        self.is_blind || self.blind_to.as_deref().is_some_and(|end| path.key() <= end)
    }
}

impl<'a> Differences<'a> {
    fn half(&mut self, side: Side) -> &mut Half<'a> {
        match side {
            Side::Before => &mut self.before,
            Side::After => &mut self.after,
        }
    }

    fn plan(&mut self) -> Step {
        // Everything up to these keys is behind each walk.
        let behind = |half: &Half<'_>| half.cursor.passed_key().map(<[u8]>::to_vec);
        let (behind_before, behind_after) = (behind(&self.before), behind(&self.after));
        let is_behind = |key: &[u8], behind: &Option<Vec<u8>>| {
            behind.as_deref().is_some_and(|behind| key <= behind)
        };
        match (self.before.ahead(), self.after.ahead()) {
            (None, None) => Step::End,
            (Some(Ahead::Entry(_)), None) => Step::Take(Side::Before),
            (None, Some(Ahead::Entry(_))) => Step::Take(Side::After),
            (Some(Ahead::Node { .. }), None) => Step::Enter(Side::Before),
            (None, Some(Ahead::Node { .. })) => Step::Enter(Side::After),
            (Some(Ahead::Entry(key)), Some(Ahead::Node { .. })) => {
                match is_behind(key, &behind_after) {
                    true => Step::Take(Side::Before),
                    false => Step::Enter(Side::After),
                }
            }
            (Some(Ahead::Node { .. }), Some(Ahead::Entry(key))) => {
                match is_behind(key, &behind_before) {
                    true => Step::Take(Side::After),
                    false => Step::Enter(Side::Before),
                }
            }
            (Some(Ahead::Entry(first)), Some(Ahead::Entry(second))) => match first.cmp(second) {
                Ordering::Less => Step::Take(Side::Before),
                Ordering::Greater => Step::Take(Side::After),
                Ordering::Equal => Step::Compare,
            },
            (
                Some(Ahead::Node { id: first, level: first_level, last_key: first_end }),
                Some(Ahead::Node { id: second, level: second_level, last_key: second_end }),
            ) => {
                if first == second {
                    return Step::PassOver;
                }
                // A node of a higher level holds what the other may be equal to; of two of one level
                // the one that ends first does.
                match first_level.cmp(&second_level).then(second_end.cmp(&first_end)) {
                    Ordering::Less => Step::Enter(Side::After),
                    Ordering::Greater | Ordering::Equal => Step::Enter(Side::Before),
                }
            }
        }
    }

    /// Enters the node that is ahead on one side.
    fn enter(&mut self, side: Side) -> Result<(), TreeError> {
        let half = self.half(side);
        let end = match half.ahead() {
            Some(Ahead::Node { last_key, .. }) => last_key.map(<[u8]>::to_vec),
            _ => None,
        };
        let entered = half.cursor.enter_ahead();
        if let Err(error) = &entered {
            half.is_blind |= end.is_none();
            half.blind_to = end.or(half.blind_to.take());
            half.is_over |= !error.is_local_to_one_node();
        }
        entered
    }

    fn take(&mut self, side: Side) -> Option<Item> {
        let top = self.top.clone();
        let (path, entry) = match self.half(side).take(&top)? {
            Ok(taken) => taken,
            Err(error) => return Some(Err((side, error))),
        };
        let other = match side {
            Side::Before => &self.after,
            Side::After => &self.before,
        };
        if other.is_blind_at(&path) {
            return None;
        }
        let entry = Box::new(entry);
        let difference = match side {
            Side::Before => Difference::Removed(entry),
            Side::After => Difference::Added(entry),
        };
        Some(Ok((path, difference)))
    }

    fn compare(&mut self) -> Option<Item> {
        let top = self.top.clone();
        let before = self.before.take(&top);
        let after = self.after.take(&top);
        match (before?, after?) {
            (Ok((path, before)), Ok((_, after))) if before != after => {
                let (before, after) = (Box::new(before), Box::new(after));
                Some(Ok((path, Difference::Changed { before, after })))
            }
            (Ok(_), Ok(_)) => None,
            (Err(error), _) => Some(Err((Side::Before, error))),
            (_, Err(error)) => Some(Err((Side::After, error))),
        }
    }
}

impl Iterator for Differences<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let item = match self.plan() {
                Step::End => return None,
                Step::PassOver => {
                    self.before.cursor.pass_over();
                    self.after.cursor.pass_over();
                    None
                }
                Step::Enter(side) => self.enter(side).err().map(|error| Err((side, error))),
                Step::Take(side) => self.take(side),
                Step::Compare => self.compare(),
            };
            if let Some(item) = item {
                // Where the store does not answer, nothing more can be said.
                if item.as_ref().is_err_and(|(_, error)| !error.is_local_to_one_node()) {
                    self.before.is_over = true;
                    self.after.is_over = true;
                }
                return Some(item);
            }
        }
    }
}
