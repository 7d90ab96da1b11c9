//! The rules of what to keep. They are restic's, with the same names and the same outcome for
//! snapshots whose clocks agree; `plan` says what is added to them.

use crate::base::id::SessionId;
use crate::retain::period::Period;
use crate::retain::span::Span;

/// How many a rule keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many; 0 means that there is no such rule.
    Most(u32),
    /// Every one.
    All,
}

impl Count {
    /// No such rule.
    pub const NONE: Self = Self::Most(0);

    /// Whether there is such a rule.
    #[must_use]
    pub fn is_rule(self) -> bool {
        self != Self::NONE
    }

    pub(super) fn take(&mut self) -> bool {
        match self {
            Self::All => true,
            Self::Most(0) => false,
            Self::Most(left) => {
                *left -= 1;
                true
            }
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Most(count) => write!(out, "{count}"),
            Self::All => out.write_str("unlimited"),
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The newest ones.
    Last,
    /// The newest of each stretch.
    Each(Period),
    /// All that are not older than this before the newest.
    Within(Span),
    /// The newest of each stretch, as far as they are not older than this before the newest.
    EachWithin(Period, Span),
    /// All that have all of these tags.
    Tags(Vec<String>),
    /// This one.
    Id(SessionId),
}

/// What to keep. Without any rule it keeps nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How many of the newest.
    pub last: Count,
    /// How many hours, days, weeks, months, years, in the order of [`Period::ALL`].
    pub each: [Count; 5],
    /// All within this.
    pub within: Option<Span>,
    /// One an hour, day, week, month, year within this.
    pub each_within: [Option<Span>; 5],
    /// All with all tags of one of these sets.
    pub tags: Vec<Vec<String>>,
    /// These.
    pub ids: Vec<SessionId>,
    /// Whether partial snapshots may take the place of complete ones.
    pub count_partial: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            last: Count::NONE,
            each: [Count::NONE; 5],
            within: None,
            each_within: [None; 5],
            tags: Vec::new(),
            ids: Vec::new(),
            count_partial: false,
        }
    }
}

impl Policy {
    /// Whether there is no rule at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.last.is_rule()
            && self.each.iter().all(|count| !count.is_rule())
            && self.within.is_none()
            && self.each_within.iter().all(Option::is_none)
            && self.tags.is_empty()
            && self.ids.is_empty()
    }

    /// The rules in words that are options of the command line as well, for tombstones.
    #[must_use]
    pub fn to_words(&self) -> String {
        let mut words = Vec::new();
        if self.last.is_rule() {
            words.push(format!("keep-last {}", self.last));
        }
        for (period, count) in Period::ALL.iter().zip(self.each) {
            if count.is_rule() {
                words.push(format!("keep-{} {count}", period.name()));
            }
        }
        words.extend(self.within.map(|span| format!("keep-within {span}")));
        for (period, span) in Period::ALL.iter().zip(self.each_within) {
            words.extend(span.map(|span| format!("keep-within-{} {span}", period.name())));
        }
        words.extend(self.tags.iter().map(|tags| format!("keep-tag {}", tags.join(","))));
        words.extend(self.ids.iter().map(|id| format!("keep-id {}", id.to_snapshot_hex())));
        if self.count_partial {
            words.push("count-partial".to_owned());
        }
        words.join(", ")
    }
}
