//! What a monitor says of a system: well, worth a look, bad, or not known.

use crate::outcome::Outcome;
use crate::status::SystemStatus;

/// What should have begun so long ago and did not, nobody looks after any more.
const STALE_S: i64 = 3600;

/// A state of monitors, the least urgent first. What is not known is more urgent than what is worth a look:
/// it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Everything is as it should be.
    Ok,
    /// Worth a look.
    Warning,
    /// Nobody knows.
    Unknown,
    /// Something is lost if nobody does anything.
    Critical,
}

impl Health {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Unknown, Self::Critical];

    /// The word that monitors use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Unknown => "UNKNOWN",
            Self::Critical => "CRITICAL",
        }
    }
}

/// Why a system is not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// Its objective is breached by so many seconds.
    Breached(i64),
    /// A backup is due for so many seconds, and nothing begins it.
    Stale(i64),
    /// It was never backed up.
    Never,
    /// There is nothing to restore from.
    Nothing(Outcome),
    /// Its last backup ended so.
    Ended(Outcome),
    /// The next backup comes so many seconds after its objective ends.
    AtRisk(i64),
}

/// Judges one system.
#[must_use]
pub fn judge(system: &SystemStatus, now_s: i64) -> (Health, Option<Complaint>) {
    let left_s = system.rpo_left_s;
    if let Some(left_s) = left_s.filter(|left_s| *left_s < 0) {
        return (Health::Critical, Some(Complaint::Breached(-left_s)));
    }
    let outcome = system.verdict.as_ref().map(|verdict| verdict.outcome);
    if system.last_success_s.is_none()
        && let Some(outcome) = outcome
    {
        return (Health::Critical, Some(Complaint::Nothing(outcome)));
    }
    if system.overdue_s > STALE_S && !system.is_running {
        return (Health::Unknown, Some(Complaint::Stale(system.overdue_s)));
    }
    let Some(outcome) = outcome else { return (Health::Unknown, Some(Complaint::Never)) };
    match outcome {
        Outcome::Failed | Outcome::Missed if left_s.is_none() => {
            return (Health::Critical, Some(Complaint::Ended(outcome)));
        }
        Outcome::Ok | Outcome::OkWithNotes => {}
        _ => return (Health::Warning, Some(Complaint::Ended(outcome))),
    }
    let wait_s = system.next_s.map(|next_s| next_s - now_s);
    match (wait_s, left_s) {
        (Some(wait_s), Some(left_s)) if wait_s > left_s && !system.is_running => {
            (Health::Warning, Some(Complaint::AtRisk(wait_s - left_s)))
        }
        _ => (Health::Ok, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Reason, Verdict};

    fn system(outcome: Option<Outcome>, left_s: Option<i64>) -> SystemStatus {
        SystemStatus {
            client: "c".to_owned(),
            system: "h/s".to_owned(),
            verdict: outcome.map(|outcome| Verdict::new(outcome, Reason::Store, "")),
            is_running: false,
            last_success_s: Some(1000),
            snapshot: None,
            bytes: None,
            rpo_s: left_s.map(|_| 93_600),
            rpo_left_s: left_s,
            next_s: Some(2000),
            overdue_s: 0,
        }
    }

    #[test]
    fn the_objective_counts_before_how_the_last_run_ended() {
        let judged = |system: &SystemStatus| judge(system, 1500).0;
        assert_eq!(judged(&system(Some(Outcome::Ok), Some(900))), Health::Ok);
        assert_eq!(judged(&system(Some(Outcome::Ok), Some(-1))), Health::Critical);
        assert_eq!(judged(&system(Some(Outcome::Ok), Some(400))), Health::Warning, "at risk");
        assert_eq!(judged(&system(Some(Outcome::Failed), Some(900))), Health::Warning);
        assert_eq!(judged(&system(Some(Outcome::Failed), None)), Health::Critical);
        assert_eq!(judged(&system(Some(Outcome::Suspicious), None)), Health::Warning);
        assert_eq!(judged(&system(None, None)), Health::Unknown);
        let bare = SystemStatus { last_success_s: None, ..system(Some(Outcome::Missed), None) };
        assert_eq!(judged(&bare), Health::Critical);
        let stale = SystemStatus { overdue_s: 4000, ..system(Some(Outcome::Ok), Some(900)) };
        assert_eq!(judged(&stale), Health::Unknown);
        let busy = SystemStatus { is_running: true, ..stale };
        assert_eq!(judged(&busy), Health::Ok);
    }
}
