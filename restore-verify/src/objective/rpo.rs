//! Attained recovery points over a period, from the snapshots in the store.
//!
//! At time t the attained RPO is t − start of the newest snapshot that was committed by then and
//! is verified to the wanted level. Between two snapshots it rises steadily; its worst value and
//! its 95th percentile over the period are what counts. A client that is dead writes no snapshot,
//! so its RPO rises by itself: nobody has to report it.

/// A snapshot that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecoveryPoint {
    /// When its run began, in milliseconds since 1970: the state that it holds.
    pub started_ms: i64,
    /// When it was committed: from then on it can be restored.
    pub committed_ms: i64,
}

/// What was attained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attained {
    /// Largest value in the period, in milliseconds; `None` if there was a time without any
    /// snapshot.
    pub worst_ms: Option<u64>,
    /// The value that held or was undercut in 95 % of the period; `None` as above if longer.
    pub p95_ms: Option<u64>,
    /// The value at the end of the period.
    pub now_ms: Option<u64>,
}

/// The stretches of the period in which the RPO was above `target_ms`: from, to.
#[must_use]
pub fn breaches(
    points: &[RecoveryPoint],
    target_ms: u64,
    from_ms: i64,
    to_ms: i64,
) -> Vec<(i64, i64)> {
    let mut points = points.to_vec();
    points.sort_by_key(|point| (point.committed_ms, point.started_ms));
    let mut found: Vec<(i64, i64)> = Vec::new();
    let mut newest: Option<i64> = None;
    let mut at = from_ms;
    let mut close = |newest: Option<i64>, from: i64, to: i64| {
        let begin =
            newest.map_or(from, |started| started.saturating_add_unsigned(target_ms)).max(from);
        if begin >= to {
            return;
        }
        match found.last_mut().filter(|last| last.1 == begin) {
            Some(last) => last.1 = to,
            None => found.push((begin, to)),
        }
    };
    for point in points.iter().take_while(|point| point.committed_ms < to_ms) {
        close(newest, at, point.committed_ms);
        at = at.max(point.committed_ms);
        newest = newest.max(Some(point.started_ms));
    }
    close(newest, at, to_ms);
    found
}

/// Computes it for the period from `from_ms` to `to_ms`; `points` in any order.
#[must_use]
pub fn attained(points: &[RecoveryPoint], from_ms: i64, to_ms: i64) -> Attained {
    let mut points = points.to_vec();
    points.sort_by_key(|point| (point.committed_ms, point.started_ms));
    // Stretches with one newest snapshot: the RPO goes from `low` to `low + length`.
    let mut stretches: Vec<(Option<u64>, u64)> = Vec::new();
    let mut newest: Option<i64> = None;
    let mut at = from_ms;
    for point in points {
        if point.committed_ms > to_ms {
            break;
        }
        if point.committed_ms > at {
            push(&mut stretches, newest, at, point.committed_ms);
            at = point.committed_ms;
        }
        newest = newest.max(Some(point.started_ms));
    }
    push(&mut stretches, newest, at, to_ms);
    let now_ms = newest.map(|started| (to_ms - started).max(0) as u64);
    let has_gap = stretches.iter().any(|(low, length)| low.is_none() && *length > 0);
    let worst = stretches.iter().filter_map(|(low, length)| Some((*low)? + length)).max();
    Attained {
        worst_ms: if has_gap { None } else { worst.or(now_ms) },
        p95_ms: percentile(&stretches, 0.95).or(if has_gap { None } else { now_ms }),
        now_ms,
    }
}

fn push(stretches: &mut Vec<(Option<u64>, u64)>, newest: Option<i64>, from: i64, to: i64) {
    let length = (to - from).max(0) as u64;
    stretches.push((newest.map(|started| (from - started).max(0) as u64), length));
}

/// The least value under which the RPO lies for `share` of the time.
fn percentile(stretches: &[(Option<u64>, u64)], share: f64) -> Option<u64> {
    let total: u64 = stretches.iter().map(|(_, length)| length).sum();
    if total == 0 {
        return None;
    }
    let below = |value: u64| -> u64 {
        let time = |(low, length): &(Option<u64>, u64)| {
            low.map_or(0, |low| value.saturating_sub(low).min(*length))
        };
        stretches.iter().map(time).sum()
    };
    let wanted = (total as f64 * share).ceil() as u64;
    let mut high = stretches.iter().filter_map(|(low, length)| Some((*low)? + length)).max()?;
    if below(high) < wanted {
        return None;
    }
    let mut low = 0;
    while low < high {
        let middle = low + (high - low) / 2;
        match below(middle) >= wanted {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn point(started: i64) -> RecoveryPoint {
        RecoveryPoint { started_ms: started * HOUR, committed_ms: started * HOUR + HOUR / 2 }
    }

    #[test]
    fn nightly_runs_attain_a_day_and_the_time_that_a_run_takes() {
        let points: Vec<_> = (-1..10).map(|day| point(day * 24)).collect();
        let found = attained(&points, 0, 10 * 24 * HOUR);
        assert_eq!(found.worst_ms, Some((24 * HOUR + HOUR / 2) as u64));
        let p95 = found.p95_ms.expect("there is one") as f64 / HOUR as f64;
        assert!((p95 - 23.3).abs() < 0.01, "{p95}");
        assert_eq!(found.now_ms, Some((24 * HOUR) as u64));
    }

    #[test]
    fn a_breach_lasts_from_the_objective_to_the_next_snapshot() {
        let hour = |h: i64| h * HOUR;
        let target = 26 * HOUR as u64;
        let points = [point(0), point(24), point(72)];
        assert_eq!(
            breaches(&points, target, hour(1), hour(100)),
            [(hour(50), hour(72) + HOUR / 2), (hour(98), hour(100))]
        );
        assert_eq!(breaches(&[], target, hour(1), hour(2)), [(hour(1), hour(2))]);
        assert_eq!(breaches(&[point(5)], target, 0, hour(20)), [(0, hour(5) + HOUR / 2)]);
        assert_eq!(breaches(&points, target, hour(60), hour(61)), [(hour(60), hour(61))]);
        assert!(breaches(&points, target, hour(30), hour(49)).is_empty());
    }

    #[test]
    fn a_client_that_is_dead_is_seen() {
        let found = attained(&[point(0)], HOUR, 100 * HOUR);
        assert_eq!(found.worst_ms, Some((100 * HOUR) as u64));
        assert_eq!(attained(&[], 0, HOUR), Attained::default());
        let late = attained(&[point(10)], 0, 12 * HOUR);
        assert_eq!((late.worst_ms, late.p95_ms), (None, None));
        assert_eq!(late.now_ms, Some((2 * HOUR) as u64));
    }
}
