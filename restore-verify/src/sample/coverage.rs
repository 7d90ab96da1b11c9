//! Which packs are due, so that everything is authenticated once within so many days.
//!
//! A part chosen at random each day never gets to everything; a rotation with memory does. Packs
//! are taken in the order of their last turn, those without one first. A run takes as much as
//! keeps the pace, more if a pack would otherwise become overdue before the next run, nothing that
//! had its turn within half of the period, and never more than its budget allows; what the budget
//! keeps from its turn is said.

/// A pack and when it had its last turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackAge {
    /// Key of the object.
    pub key: String,
    /// Its stored bytes.
    pub bytes: u64,
    /// When every byte of it was last authenticated, in milliseconds since 1970.
    pub last_ms: Option<i64>,
}

/// What reading costs, in millionths of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prices {
    /// One request.
    pub request_micros: u64,
    /// 1 GiB that leaves the store.
    pub gib_micros: u64,
}

/// What one run may use; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Bytes that are read.
    pub bytes: Option<u64>,
    /// Requests.
    pub requests: Option<u64>,
    /// Money, in millionths.
    pub money_micros: Option<u64>,
    /// For money.
    pub prices: Prices,
}

/// The goal and the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Everything once within so many days.
    pub days: u32,
    /// Time until the next run, in milliseconds: what this run must make up for.
    pub interval_ms: u64,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
}

/// What a run reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turn {
    /// Indices into the packs, in the order of their turn.
    pub packs: Vec<usize>,
    /// Their bytes.
    pub bytes: u64,
    /// What it costs, in millionths.
    pub money_micros: u64,
    /// Bytes that the pace asks for and the budget does not allow.
    pub short_bytes: u64,
}

const DAY_MS: u64 = 86_400_000;

/// Chooses the packs of a run.
#[must_use]
pub fn plan(packs: &[PackAge], pace: Pace, budget: &Budget) -> Turn {
    let mut order: Vec<usize> = (0..packs.len()).collect();
    order.sort_by(|a, b| {
        (packs[*a].last_ms, &packs[*a].key).cmp(&(packs[*b].last_ms, &packs[*b].key))
    });
    let total: u64 = packs.iter().map(|pack| pack.bytes).sum();
    let period_ms = u64::from(pace.days.max(1)) * DAY_MS;
    let share = u128::from(total) * u128::from(pace.interval_ms.min(period_ms));
    let quota = share.div_ceil(u128::from(period_ms)) as u64;
    // Would be older than the period when the next run comes.
    let deadline_ms = pace.now_ms + pace.interval_ms as i64 - period_ms as i64;
    // A pack that is larger than the share of a run would otherwise be read with every run.
    let recent_ms = pace.now_ms - (period_ms / 2) as i64;
    let mut turn = Turn::default();
    let mut asked = 0;
    for index in order {
        let pack = &packs[index];
        let is_overdue = pack.last_ms.is_some_and(|last| last < deadline_ms);
        let is_recent = pack.last_ms.is_some_and(|last| last > recent_ms);
        if (asked >= quota || is_recent) && !is_overdue {
            break;
        }
        asked += pack.bytes;
        let bytes = turn.bytes + pack.bytes;
        let requests = turn.packs.len() as u64 + 1;
        let money = cost(bytes, requests, &budget.prices);
        let fits = budget.bytes.is_none_or(|max| bytes <= max)
            && budget.requests.is_none_or(|max| requests <= max)
            && budget.money_micros.is_none_or(|max| money <= max);
        if fits {
            turn.packs.push(index);
            turn.bytes = bytes;
            turn.money_micros = money;
        } else {
            turn.short_bytes += pack.bytes;
        }
    }
    turn
}

fn cost(bytes: u64, requests: u64, prices: &Prices) -> u64 {
    let egress = (u128::from(bytes) * u128::from(prices.gib_micros)).div_ceil(1 << 30) as u64;
    egress.saturating_add(requests.saturating_mul(prices.request_micros))
}

/// Bytes whose last turn is within the period, and the oldest turn: `None` if a pack had none.
#[must_use]
pub fn covered(packs: &[PackAge], days: u32, now_ms: i64) -> (u64, Option<i64>) {
    let since = now_ms - (u64::from(days) * DAY_MS) as i64;
    let is_covered = |pack: &&PackAge| pack.last_ms.is_some_and(|last| last >= since);
    let bytes = packs.iter().filter(is_covered).map(|pack| pack.bytes).sum();
    (bytes, packs.iter().map(|pack| pack.last_ms).min().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs(count: u64) -> Vec<PackAge> {
        let pack = |number| PackAge {
            key: format!("data/{number:04}"),
            bytes: 1000 + number % 7 * 900,
            last_ms: None,
        };
        (0..count).map(pack).collect()
    }

    fn day(number: u64, days: u32) -> Pace {
        Pace { days, interval_ms: DAY_MS, now_ms: (number * DAY_MS) as i64 }
    }

    /// A year of nights, new packs every night: at no time is a pack older than the period.
    #[test]
    fn every_pack_has_its_turn_within_the_period_however_the_store_grows() {
        let mut all = packs(100);
        for night in 0..365 {
            all.push(PackAge { key: format!("new/{night:04}"), bytes: 5000, last_ms: None });
            let pace = day(night, 28);
            let turn = plan(&all, pace, &Budget::default());
            assert_eq!(turn.short_bytes, 0);
            for index in turn.packs {
                all[index].last_ms = Some(pace.now_ms);
            }
            let (bytes, oldest) = covered(&all, 28, pace.now_ms);
            if night >= 28 {
                assert_eq!(bytes, all.iter().map(|pack| pack.bytes).sum::<u64>(), "{night}");
                assert!(oldest.is_some_and(|last| last >= pace.now_ms - 28 * DAY_MS as i64));
            }
        }
    }

    #[test]
    fn no_budget_is_exceeded_and_what_is_left_out_is_said() {
        let all = packs(50);
        let pace = day(40, 1);
        let prices = Prices { request_micros: 4, gib_micros: 90_000 };
        for budget in [
            Budget { bytes: Some(10_000), ..Budget::default() },
            Budget { requests: Some(3), ..Budget::default() },
            Budget { money_micros: Some(20), prices, ..Budget::default() },
        ] {
            let turn = plan(&all, pace, &budget);
            assert!(!turn.packs.is_empty() && turn.short_bytes > 0, "{budget:?} {turn:?}");
            assert!(budget.bytes.is_none_or(|max| turn.bytes <= max));
            assert!(budget.requests.is_none_or(|max| turn.packs.len() as u64 <= max));
            assert!(budget.money_micros.is_none_or(|max| turn.money_micros <= max));
            let all_bytes: u64 = all.iter().map(|pack| pack.bytes).sum();
            assert_eq!(turn.bytes + turn.short_bytes, all_bytes);
        }
    }

    #[test]
    fn the_oldest_turn_comes_first() {
        let mut all = packs(10);
        for (number, pack) in (0..).zip(&mut all) {
            pack.last_ms = Some(1000 - number);
        }
        let turn = plan(
            &all,
            Pace { days: 10, interval_ms: DAY_MS, now_ms: 8 * DAY_MS as i64 },
            &Budget::default(),
        );
        assert_eq!(turn.packs.first(), Some(&9));
        assert!(turn.packs.len() < 4);
    }
}
