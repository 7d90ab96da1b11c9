//! The evidence level of a system: computed from what was proved, never typed in.
//!
//! A ladder: a level holds only with all below it, and for the next one it is said what lacks.

/// What was proved of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// There is a confirmed snapshot, and it is young enough; without an objective any is.
    pub has_recovery_point: bool,
    /// The tree was walked to its end, and every pack that it needs is in the store.
    pub is_structure_complete: bool,
    /// Stored bytes that were authenticated, in parts per million.
    pub authenticated_ppm: u32,
    /// A sample or more was restored and is equal, byte for byte.
    pub is_sample_equal: bool,
    /// Everything was restored and is equal, within the time objective if there is one.
    pub is_full_in_time: bool,
    /// The run that made the snapshot could read all that it was asked for.
    pub is_snapshot_whole: bool,
    /// Probes of applications ran, and all passed.
    pub is_application_good: bool,
}

/// Level 0 to 6.
#[must_use]
pub fn level(facts: &Facts) -> u8 {
    steps(facts).iter().take_while(|(holds, _)| *holds).count() as u8
}

/// What the next level lacks; empty at the top.
#[must_use]
pub fn lacks(facts: &Facts) -> &'static str {
    steps(facts).iter().find(|(holds, _)| !holds).map_or("", |(_, lacks)| lacks)
}

/// What a level means.
#[must_use]
pub const fn meaning(level: u8) -> &'static str {
    match level {
        0 => "none",
        1 => "a snapshot exists within the recovery point objective",
        2 => "its metadata is complete and all packs are present",
        3 => "stored bytes are authenticated",
        4 => "a sample was restored, equal byte for byte",
        5 => "everything was restored within the recovery time objective",
        _ => "checks of applications passed",
    }
}

const fn steps(facts: &Facts) -> [(bool, &'static str); 6] {
    let lacks_full = match facts.is_full_in_time {
        true => "the snapshot is partial: what it lacks cannot be restored",
        false => "no full restore within the time objective",
    };
    [
        (facts.has_recovery_point, "no snapshot is young enough"),
        (facts.is_structure_complete, "metadata or packs are missing"),
        (facts.authenticated_ppm > 0, "no stored bytes were authenticated"),
        (facts.is_sample_equal, "no sample was restored, or it differs"),
        (facts.is_full_in_time && facts.is_snapshot_whole, lacks_full),
        (facts.is_application_good, "no check of an application passed"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_holds_without_those_below() {
        let mut facts = Facts::default();
        assert_eq!((level(&facts), lacks(&facts)), (0, "no snapshot is young enough"));
        facts.is_application_good = true;
        facts.is_full_in_time = true;
        facts.is_snapshot_whole = true;
        facts.is_sample_equal = true;
        assert_eq!(level(&facts), 0);
        facts.has_recovery_point = true;
        facts.is_structure_complete = true;
        assert_eq!(level(&facts), 2);
        facts.authenticated_ppm = 1;
        assert_eq!((level(&facts), lacks(&facts)), (6, ""));
        facts.is_snapshot_whole = false;
        let partial = "the snapshot is partial: what it lacks cannot be restored";
        assert_eq!((level(&facts), lacks(&facts)), (4, partial));
        facts.is_full_in_time = false;
        assert_eq!(
            (level(&facts), lacks(&facts)),
            (4, "no full restore within the time objective")
        );
    }
}
