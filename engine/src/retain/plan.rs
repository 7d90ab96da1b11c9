//! From rules to a plan: which snapshots stay, each with every reason, and which are forgotten.
//!
//! **No single clock makes a snapshot go.** Rules are applied twice, to the times of the store and to
//! those of the clients, and a snapshot goes only if neither keeps it. Where the clocks agree, both
//! tell the same, and the outcome is restic's. Where one is wrong (a client ten years ahead, a
//! repository that was copied and bears today's date everywhere, a client that pretends), the
//! other one still keeps what it should.
//!
//! **A partial snapshot takes no complete one's place.** Rules are applied to the complete ones
//! alone, and then to all of them. Neither rule above keeps more than twice what was asked for.
//!
//! What the rules say is then overruled: held snapshots stay, those from the future and those that
//! are not believed stay and displace nothing, and the newest three of each client stay unless the
//! user insists. Groups are never of more than one client and those whose history it goes on with.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::base::id::{ClientId, HoldId, SessionId};
use crate::base::limits::{CLOCK_SLACK_S, RETAIN_NEWEST_KEPT};
use crate::base::time::Timestamp;
use crate::index::belief::Doubt;
use crate::retain::candidate::{Candidate, GroupBy, GroupKey};
use crate::retain::period::Period;
use crate::retain::policy::{Policy, Rule};

/// Why a snapshot stays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// A rule keeps it.
    Rule(Rule),
    /// It is the oldest, and the rule of this period has not kept its number yet.
    Oldest(Period),
    /// It is held.
    Held(HoldId),
    /// It is one of the newest of its client.
    NewestOfClient,
    /// Its time lies in the future: some clock was wrong.
    FromTheFuture,
    /// Its client has not confirmed it yet.
    Unsettled,
    /// It does not count, so rules say nothing about it: whoever wants it gone names it.
    Doubted(Doubt),
}

/// Which clock is behind a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clocks {
    /// Both, or the reason has nothing to do with time.
    Both,
    /// The store's only.
    Store,
    /// The client's only.
    Own,
}

/// A reason with the clock behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    /// Why.
    pub why: Why,
    /// By which clock.
    pub clocks: Clocks,
}

/// A snapshot that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The snapshot.
    pub session: SessionId,
    /// All reasons, at least one.
    pub reasons: Vec<Reason>,
}

/// What becomes of the snapshots of one group, newest first by the store's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlan {
    /// What they have in common.
    pub key: GroupKey,
    /// Those that stay.
    pub keep: Vec<Kept>,
    /// Those that are forgotten.
    pub remove: Vec<SessionId>,
}

/// What a run of `forget` would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Group by group.
    pub groups: Vec<GroupPlan>,
}

impl Plan {
    /// Everything that is forgotten.
    #[must_use]
    pub fn removed(&self) -> Vec<SessionId> {
        self.groups.iter().flat_map(|group| group.remove.iter().copied()).collect()
    }
}

/// What the rules are applied with.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// Which snapshots are judged together.
    pub group_by: GroupBy,
    /// Whose days and hours.
    pub zone: TimeZone,
    /// What time it is.
    pub now: Timestamp,
    /// Whether the newest of a client may go.
    pub spare_newest: bool,
}

/// Applies `policy` to those of `all` that `selected` names. All live snapshots belong into
/// `all`: which are the newest of a client is decided among them.
#[must_use]
pub fn plan(
    all: &[Candidate],
    selected: &dyn Fn(&Candidate) -> bool,
    policy: &Policy,
    options: &PlanOptions,
) -> Plan {
    let spared = if options.spare_newest { newest_of_clients(all) } else { BTreeSet::new() };
    let mut groups: BTreeMap<GroupKey, Vec<&Candidate>> = BTreeMap::new();
    for candidate in all.iter().filter(|candidate| selected(candidate)) {
        groups.entry(options.group_by.key(candidate)).or_default().push(candidate);
    }
    let groups = groups.into_iter().map(|(key, members)| {
        let mut reasons = judge(&members, policy, options);
        let (mut keep, mut remove) = (Vec::new(), Vec::new());
        for candidate in newest_first(&members, |one| one.store_time) {
            let session = candidate.session;
            let mut reasons = reasons.remove(&session).unwrap_or_default();
            let mut overrule = |why| reasons.push(Reason { why, clocks: Clocks::Both });
            candidate.holds.iter().for_each(|hold| overrule(Why::Held(*hold)));
            // Who wants all of them gone means these, too.
            if !policy.is_empty() && is_from_the_future(candidate.store_time, options.now) {
                overrule(Why::FromTheFuture);
            }
            if !policy.is_empty() && !candidate.is_settled {
                overrule(Why::Unsettled);
            }
            if let Some(doubt) = candidate.doubt.filter(|_| !policy.is_empty()) {
                overrule(Why::Doubted(doubt));
            }
            if spared.contains(&session) {
                overrule(Why::NewestOfClient);
            }
            match reasons.is_empty() {
                true => remove.push(session),
                false => keep.push(Kept { session, reasons }),
            }
        }
        GroupPlan { key, keep, remove }
    });
    Plan { groups: groups.collect() }
}

/// The newest of each client: by the store's clock, and by the client's own numbers, in case the
/// store's clock was wrong.
#[must_use]
pub fn newest_of_clients(all: &[Candidate]) -> BTreeSet<SessionId> {
    let mut clients: BTreeMap<ClientId, Vec<&Candidate>> = BTreeMap::new();
    for candidate in all.iter().filter(|candidate| candidate.counts()) {
        clients.entry(candidate.client).or_default().push(candidate);
    }
    let mut newest = BTreeSet::new();
    for mut members in clients.into_values() {
        members.sort_by_key(|one| std::cmp::Reverse((one.store_time, one.sequence, one.session)));
        newest.extend(members.iter().take(RETAIN_NEWEST_KEPT).map(|one| one.session));
        members.sort_by_key(|one| std::cmp::Reverse((one.sequence, one.store_time, one.session)));
        newest.extend(members.iter().take(RETAIN_NEWEST_KEPT).map(|one| one.session));
    }
    newest
}

fn is_from_the_future(time: Timestamp, now: Timestamp) -> bool {
    time.seconds > now.seconds.saturating_add(CLOCK_SLACK_S)
}

/// Newest first; of one moment, the later in its client's chain first.
fn newest_first<'c>(
    members: &[&'c Candidate],
    time: impl Fn(&Candidate) -> Timestamp,
) -> Vec<&'c Candidate> {
    let mut sorted = members.to_vec();
    sorted.sort_by_key(|one| std::cmp::Reverse((time(one), one.sequence, one.session)));
    sorted
}

/// What the rules say, by either clock.
fn judge(
    members: &[&Candidate],
    policy: &Policy,
    options: &PlanOptions,
) -> BTreeMap<SessionId, Vec<Reason>> {
    let sane = |time: fn(&Candidate) -> Timestamp| {
        let sane = members
            .iter()
            .filter(|one| one.counts() && !is_from_the_future(time(one), options.now));
        sane.copied().collect::<Vec<_>>()
    };
    let by_store = by_one_clock(&sane(|one| one.store_time), |one| one.store_time, policy, options);
    let agree = members.iter().all(|one| one.clocks_agree());
    let by_own = match agree {
        true => by_store.clone(),
        false => by_one_clock(&sane(|one| one.own_time), |one| one.own_time, policy, options),
    };
    let mut reasons: BTreeMap<SessionId, Vec<Reason>> = BTreeMap::new();
    for (session, why) in by_store.union(&by_own) {
        let found = (session, why);
        let in_both = |set: &BTreeSet<(SessionId, Why)>| set.contains(&(*found.0, found.1.clone()));
        let clocks = match (in_both(&by_store), in_both(&by_own)) {
            (true, true) => Clocks::Both,
            (true, false) => Clocks::Store,
            _ => Clocks::Own,
        };
        let reason = Reason { why: why.clone(), clocks };
        reasons.entry(*session).or_default().push(reason);
    }
    reasons
}

fn by_one_clock(
    members: &[&Candidate],
    time: impl Fn(&Candidate) -> Timestamp + Copy,
    policy: &Policy,
    options: &PlanOptions,
) -> BTreeSet<(SessionId, Why)> {
    let sorted = newest_first(members, time);
    let mut kept = BTreeSet::new();
    apply(&sorted, time, policy, &options.zone, &mut kept);
    if !policy.count_partial && sorted.iter().any(|one| one.is_partial) {
        let complete: Vec<_> = sorted.into_iter().filter(|one| !one.is_partial).collect();
        apply(&complete, time, policy, &options.zone, &mut kept);
    }
    kept
}

/// The rules themselves; `sorted` is newest first.
fn apply(
    sorted: &[&Candidate],
    time: impl Fn(&Candidate) -> Timestamp,
    policy: &Policy,
    zone: &TimeZone,
    kept: &mut BTreeSet<(SessionId, Why)>,
) {
    let Some(newest) = sorted.first().map(|one| time(one)) else { return };
    let mut last = policy.last;
    let mut each = policy.each.map(|count| (count, None));
    let mut each_within =
        policy.each_within.map(|span| span.map(|span| (span, span.before(newest, zone), None)));
    let within = policy.within.map(|span| (span, span.before(newest, zone)));
    for (place, one) in sorted.iter().enumerate() {
        let (session, time) = (one.session, time(one));
        let is_oldest = place + 1 == sorted.len();
        let mut keep = |why| kept.insert((session, why));
        if policy.ids.contains(&session) {
            keep(Why::Rule(Rule::Id(session)));
        }
        for tags in policy.tags.iter().filter(|tags| tags.iter().all(|t| one.tags.contains(t))) {
            keep(Why::Rule(Rule::Tags(tags.clone())));
        }
        if last.take() {
            keep(Why::Rule(Rule::Last));
        }
        for (period, (count, before)) in Period::ALL.iter().zip(&mut each) {
            let stretch = Some(period.of(time, zone));
            let is_new = *before != stretch;
            if (is_new || is_oldest) && count.take() {
                *before = stretch;
                keep(if is_new { Why::Rule(Rule::Each(*period)) } else { Why::Oldest(*period) });
            }
        }
        if let Some((span, _)) = within.filter(|(_, begin)| time > *begin) {
            keep(Why::Rule(Rule::Within(span)));
        }
        for (period, rule) in Period::ALL.iter().zip(&mut each_within) {
            let Some((span, _, before)) = rule.as_mut().filter(|rule| time > rule.1) else {
                continue;
            };
            let stretch = Some(period.of(time, zone));
            if *before != stretch || is_oldest {
                *before = stretch;
                keep(Why::Rule(Rule::EachWithin(*period, *span)));
            }
        }
    }
}
