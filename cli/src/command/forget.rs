//! `forget`: which snapshots go, by rules or by name, and why the others stay.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use engine::base::id::SessionId;
use engine::base::limits::RETAIN_NEWEST_KEPT;
use engine::index::catalog::Committed;
use engine::repo::marks::require_may_mark;
use engine::retain::RetainError;
use engine::retain::candidate::{GroupBy, GroupKey};
use engine::retain::choice::{Brake, check_named};
use engine::retain::clocks::require_agreement;
use engine::retain::forget::{Reasoned, forget};
use engine::retain::gather::{Gathered, gather};
use engine::retain::plan::{GroupPlan, Kept, Plan, PlanOptions, Why, plan};
use restore_verify::evidence::event::Event;

use crate::args::collect::PruneArgs;
use crate::args::retention::ForgetArgs;
use crate::command::context::Context;
use crate::command::lost;
use crate::command::made::Made;
use crate::command::no_match;
use crate::command::open::{Opened, open, progress};
use crate::command::prune;
use crate::command::rules::{Rules, group_words, no_rules, reason, resolve};
use crate::command::select::{Choice, short_id};
use crate::command::snapshots::record_with;
use crate::command::trouble;
use crate::command::witness::{act, witness};
use crate::fault::{ExitCode, Fault};
use crate::ui::records::SnapshotRecord;
use crate::ui::retention::{ForgetGroup, ForgetReason};
use crate::ui::table::{Align, Table};
use crate::units;

/// Forgets snapshots.
///
/// # Errors
/// Exit code 23 for a held snapshot, for the newest of a client, and if clocks differ; with
/// `--prune` also those of `prune`, after which what was forgotten stays forgotten.
pub fn run(args: &ForgetArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    if !args.snapshots.is_empty() && args.keep.has_rule() {
        return Err(Fault::usage("named snapshots and rules of what to keep exclude each other")
            .hint("to spare one from the rules: --keep-id ID"));
    }
    let opened = open(context)?;
    require_may_mark(&opened.repo, "forget snapshots").map_err(|error| trouble::repo(&error))?;
    if !args.dry_run {
        let _ = prune::make_room(&opened, context);
    }
    let gathered = gather(&opened.repo, &opened.index).map_err(|error| trouble::retain(&error))?;
    lost::tell(&gathered.catalog.missing, context);
    if let Some(obstacle) = gathered.marks.obstacle() {
        context.ui.note(&format!("nothing can be collected: {obstacle}"));
    }
    let mut run =
        Run { args, opened: &opened, gathered: &gathered, context, group_by: GroupBy::USUAL };
    let choice = Choice::new(&gathered.catalog, &args.filter, context);
    let forgotten = if args.snapshots.is_empty() {
        let find = |wanted: &_| choice.one(wanted).map(|one| one.snapshot.session);
        let rules = resolve(&args.keep, &find, context)?;
        if rules.policy.is_empty() && !args.delete_all_snapshots {
            return Err(no_rules());
        }
        choice.require_client()?;
        no_match::check(args, &rules.policy.tags, &choice, context)?;
        run.group_by = rules.group_by;
        run.by_rules(&rules, &choice)?
    } else {
        run.by_name(&choice.several(&args.snapshots)?)?
    };
    if !args.prune {
        return Ok(forgotten);
    }
    if args.dry_run && !context.ui.is_json() {
        context.ui.note("what would be forgotten is still needed in what follows");
    }
    let args = PruneArgs::after_forgetting(args.dry_run, args.grace);
    prune::carry_out(&args, &opened, context)
}

/// More groups of a single snapshot than this are hardly meant.
const ALONE_MAX: usize = 3;

struct Run<'a> {
    args: &'a ForgetArgs,
    opened: &'a Opened,
    gathered: &'a Gathered,
    context: &'a Context<'a>,
    group_by: GroupBy,
}

impl Run<'_> {
    fn brake(&self) -> Brake {
        match (self.args.delete_all_snapshots, self.args.confirm_mass_delete) {
            (true, _) => Brake::Off,
            (false, Some(count)) => Brake::UpTo(count),
            (false, None) => Brake::On,
        }
    }

    fn by_rules(&self, rules: &Rules, choice: &Choice<'_>) -> Result<ExitCode, Fault> {
        let selected: BTreeSet<SessionId> =
            choice.filtered().iter().map(|one| one.snapshot.session).collect();
        let options = PlanOptions {
            group_by: rules.group_by,
            zone: rules.zone.clone(),
            now: self.context.around.clock.now(),
            spare_newest: self.brake().spares_newest(),
        };
        let all = &self.gathered.candidates;
        let plan = plan(all, &|one| selected.contains(&one.session), &rules.policy, &options);
        let odd = all.iter().filter(|one| selected.contains(&one.session) && !one.clocks_agree());
        match odd.count() {
            0 => {}
            1 => self.context.ui.note(
                "1 snapshot has another time by its client's clock than by the store's; it stays if \
                 a rule keeps it by either",
            ),
            count => self.context.ui.note(&format!(
                "{count} snapshots have other times by their client's clock than by the store's; \
                 they stay if a rule keeps them by either"
            )),
        }
        self.remark(&plan);
        let words = rules.policy.to_words();
        let known = match plan.removed().is_empty() {
            true => Ok(()),
            false => lost::require_none(&self.gathered.catalog.missing),
        };
        let outcome = known.and_then(|()| self.check_brake(plan.removed().len())).and_then(|()| {
            let by_time = !self.args.dry_run && !plan.removed().is_empty() && !words.is_empty();
            match by_time {
                true => require_agreement(&self.opened.repo).map_err(|e| trouble::retain(&e)),
                false => Ok(()),
            }
        });
        // The plan is shown first, also when it is refused.
        if self.args.dry_run || outcome.is_err() || !self.context.ui.is_json() {
            self.show(&plan, self.args.dry_run || outcome.is_err())?;
        }
        outcome?;
        self.carry_out(&plan, Some(words.as_str()).filter(|words| !words.is_empty()))
    }

    /// Says what is easily misunderstood in a plan.
    fn remark(&self, plan: &Plan) {
        let ui = self.context.ui;
        let is_alone = |group: &&GroupPlan| group.keep.len() == 1 && group.remove.is_empty();
        let alone = plan.groups.iter().filter(is_alone).count();
        let all: usize = plan.groups.iter().map(|it| it.keep.len() + it.remove.len()).sum();
        if alone > ALONE_MAX && alone * 2 > all {
            ui.note(&format!(
                "{alone} of {all} snapshots are each a group of their own, so every rule keeps them: \
                 --group-by host judges those of a host together"
            ));
        }
        let is_spared = |kept: &&Kept| kept.reasons.iter().all(|it| it.why == Why::NewestOfClient);
        let spared = plan.groups.iter().flat_map(|group| &group.keep).filter(is_spared).count();
        if spared > 0 {
            ui.note(&format!(
                "{} {} although no rule says so: the newest {RETAIN_NEWEST_KEPT} of each client always \
                 do, unless --confirm-mass-delete N lets up to N snapshots go, these among them",
                units::counted(spared as u64, "snapshot"),
                if spared == 1 { "stays" } else { "stay" },
            ));
        }
    }

    fn by_name(&self, named: &[&Committed]) -> Result<ExitCode, Fault> {
        let marks = &self.gathered.marks;
        let (gone, named): (Vec<&Committed>, Vec<&Committed>) =
            named.iter().partition(|one| marks.is_forgotten(one.snapshot.session));
        for one in gone {
            let id = short_id(one.snapshot.session);
            self.context.ui.note(&format!("{id} is forgotten already"));
        }
        let sessions: BTreeSet<SessionId> = named.iter().map(|one| one.snapshot.session).collect();
        let checked = check_named(&self.gathered.candidates, &sessions, self.brake());
        let remove = named.iter().map(|one| one.snapshot.session).collect();
        let key = GroupKey::default();
        let plan = Plan { groups: vec![GroupPlan { key, keep: Vec::new(), remove }] };
        checked.map_err(|error| trouble::retain(&error))?;
        if self.args.dry_run || !self.context.ui.is_json() {
            self.show(&plan, self.args.dry_run)?;
        }
        self.carry_out(&plan, None)
    }

    fn check_brake(&self, count: usize) -> Result<(), Fault> {
        self.brake().check(count).map_err(|error| trouble::retain(&error))
    }

    fn carry_out(&self, plan: &Plan, policy: Option<&str>) -> Result<ExitCode, Fault> {
        let ui = self.context.ui;
        let removed = plan.removed();
        if self.args.dry_run || removed.is_empty() {
            if !self.args.dry_run && ui.is_json() {
                self.show(plan, false)?;
            }
            return Ok(ExitCode::Ok);
        }
        let by_id = self.by_id();
        let targets: Vec<_> =
            removed.iter().filter_map(|id| Some((*id, by_id.get(id)?.digest))).collect();
        let default = if policy.is_some() { "no rule keeps it" } else { "named" };
        let because = Reasoned {
            host: &self.context.around.host,
            reason: self.args.reason.as_deref().unwrap_or(default),
            policy,
        };
        let progress = progress(self.context);
        let report = forget(&self.opened.repo, &self.opened.index, &targets, &because, &progress);
        drop(progress);
        let report = report.map_err(|error| match error {
            RetainError::Interrupted => Fault::interrupted()
                .hint("what was forgotten stays forgotten; the same command goes on"),
            error => trouble::retain(&error),
        })?;
        let count = report.forgotten.len() as u64;
        let detail = format!("{}; {}", because.reason, policy.unwrap_or("by name"));
        let now = self.context.around.clock.now();
        let done = act("snapshots", "forgot", &[("snapshots", count)], &detail, now);
        witness(self.opened, &Event::Policy(done), self.context);
        for session in &report.held_meanwhile {
            let id = short_id(*session);
            ui.note(&format!("{id} was held meanwhile: it stays until the hold is released"));
        }
        if ui.is_json() {
            self.show(plan, false)?;
        } else if !ui.is_quiet() {
            ui.result(&format!("forgot {}", units::counted(count, "snapshot")));
            ui.note("`mainstay undelete ID` brings one back until its space is freed");
        }
        Ok(ExitCode::Ok)
    }

    fn by_id(&self) -> HashMap<SessionId, &Committed> {
        let all = self.gathered.catalog.snapshots.iter();
        all.map(|one| (one.snapshot.session, one)).collect()
    }

    /// The same plan, newest first in the order of `snapshots`.
    fn as_listed(&self, plan: &Plan) -> Plan {
        let (by_id, mut plan) = (self.by_id(), plan.clone());
        let made = Made::of(&self.gathered.catalog, self.context.around.clock.now());
        let place = |id: &SessionId| Reverse(by_id.get(id).map(|one| made.place(&one.snapshot)));
        for group in &mut plan.groups {
            group.keep.sort_by_key(|kept| place(&kept.session));
            group.remove.sort_by_key(place);
        }
        plan
    }

    fn show(&self, plan: &Plan, is_dry: bool) -> Result<(), Fault> {
        let ui = self.context.ui;
        let plan = &self.as_listed(plan);
        if ui.is_json() {
            let groups: Vec<_> = plan.groups.iter().map(|group| self.group_record(group)).collect();
            return ui.document(&groups).map_err(|error| Fault::local("no JSON").because(&error));
        }
        if ui.is_quiet() && !is_dry {
            return Ok(());
        }
        for group in &plan.groups {
            self.group_table(group, is_dry);
        }
        let removed = units::counted(plan.removed().len() as u64, "snapshot");
        match (plan.removed().is_empty(), is_dry) {
            (true, _) => ui.result("nothing to forget"),
            (false, true) => ui.result(&format!("would forget {removed}")),
            (false, false) => {}
        }
        Ok(())
    }

    fn record(&self, by_id: &HashMap<SessionId, &Committed>, id: SessionId) -> SnapshotRecord {
        let one = by_id.get(&id).expect("because the plan was made from this catalog");
        record_with(&one.snapshot, &self.gathered.catalog, &self.gathered.marks)
    }

    fn group_record(&self, group: &GroupPlan) -> ForgetGroup {
        let by_id = self.by_id();
        let reasons = group.keep.iter().map(|kept| ForgetReason {
            snapshot: self.record(&by_id, kept.session),
            matches: kept.reasons.iter().map(reason).collect(),
        });
        ForgetGroup {
            tags: group.key.tags.clone(),
            host: group.key.host.clone(),
            paths: group.key.paths.as_ref().map(|paths| {
                paths.iter().map(|path| engine::base::path::escape(&path.0)).collect()
            }),
            client: group.key.client.map(|client| client.to_string()),
            keep: group.keep.iter().map(|kept| self.record(&by_id, kept.session)).collect(),
            remove: group.remove.iter().map(|id| self.record(&by_id, *id)).collect(),
            reasons: reasons.collect(),
        }
    }

    fn group_table(&self, group: &GroupPlan, is_dry: bool) {
        let ui = self.context.ui;
        let by_id = self.by_id();
        let made = Made::of(&self.gathered.catalog, self.context.around.clock.now());
        let words = group_words(&group.key, self.group_by, &self.gathered.catalog.claims);
        let (keep, remove) = (group.keep.len(), group.remove.len());
        let head = if words.is_empty() { "snapshots".to_owned() } else { words };
        let stays = if keep == 1 { "stays" } else { "stay" };
        let goes = if remove == 1 { "goes" } else { "go" };
        ui.prose(&format!("{head}: {keep} {stays}, {remove} {goes}"), 4);
        let columns = ["", "ID", "Time", "Tags", "Why"].map(|name| (name, Align::Left));
        let mut table = Table::new(&columns);
        let mut row = |what: &str, id: SessionId, why: &str| {
            let Some(one) = by_id.get(&id) else { return };
            let time = units::local_minute(made.at(&one.snapshot), &self.context.around.time_zone);
            table.row([what, &short_id(id), &time, &one.snapshot.tags.join(","), why]);
        };
        for kept in &group.keep {
            let why: Vec<_> = kept.reasons.iter().map(reason).collect();
            row("keep", kept.session, &why.join(", "));
        }
        let verb = if is_dry { "would forget" } else { "forget" };
        group.remove.iter().for_each(|id| row(verb, *id, ""));
        ui.table(&table);
    }
}
