//! What a doctor looks at once the repository is open: clock, whether it can be written to, index, packs,
//! snapshots, evidence.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::base::error::{Classified, ErrorClass, in_one_line};
use engine::base::id::PackId;
use engine::base::limits::CLOCK_SLACK_S;
use engine::base::monitor::Silent;
use engine::base::path::escape;
use engine::format::slot::Role;
use engine::format::snapshot::Snapshot;
use engine::index::catalog::Catalog;
use engine::repo::generations;
use engine::store::name::ObjectName;
use restore_verify::evidence::remedy::{State, cases};
use restore_verify::evidence::shelf::Shelf;

use crate::args::filter::FilterArgs;
use crate::command::context::Context;
use crate::command::doctor::page::Page;
use crate::command::lost;
use crate::command::open::{Opened, allows};
use crate::command::select::Choice;
use crate::fault::{Doing, ExitCode, Fault};
use crate::ui::output::printable;
use crate::units;

/// A newest snapshot of this machine that is older is worth a word.
const NEWEST_OLD: Duration = Duration::from_secs(2 * 86_400);
/// More packs than this are not compared with the store: each thousand is a request.
const PACKS_COMPARED_MAX: u64 = 50_000;

impl Page {
    /// Looks at what only an open repository tells.
    pub(super) fn inside(&mut self, opened: &Opened, context: &Context<'_>) {
        let role = opened.repo.keys().role();
        self.good("key", format!("role {}: it can {}", role.name(), allows(role)), None);
        self.clock(opened, role, context);
        // In this order: what is committed meanwhile refers to what the index does not know yet.
        let catalog = match opened.look(&Silent) {
            Ok(catalog) => catalog,
            Err(fault) => {
                if fault.code() == "E_LOCAL" {
                    self.next = Some("mainstay cache clean".to_owned());
                }
                return self.bad("index", fault);
            }
        };
        self.packs(opened);
        self.snapshots(&catalog, context);
        self.evidence(opened);
        if self.fault.as_ref().is_some_and(|fault| fault.exit_code() == ExitCode::Damage) {
            self.next = Some("mainstay check".to_owned());
        }
    }

    /// The store's clock, which is learnt by writing.
    fn clock(&mut self, opened: &Opened, role: Role, context: &Context<'_>) {
        let there = match opened.repo.store().time_of_store() {
            Ok(there) => there,
            Err(error) if matches!(error.class(), ErrorClass::Denied | ErrorClass::Local) => {
                return self.read_only(role, Fault::during(Doing::Work, &error));
            }
            Err(error) => {
                let why = in_one_line(&error);
                return self.skip("clock", format!("that of the store is not known: {why}"));
            }
        };
        let here = context.around.clock.now();
        let apart = here.since(there).max(there.since(here));
        let text = format!("{} from the store's", units::whole_duration(apart));
        if apart.as_secs() > CLOCK_SLACK_S as u64 {
            let fault = Fault::refused(format!("the clock of this machine is {text}"));
            return self.bad(
                "clock",
                fault.hint("correct the clock that is wrong; rules of `forget` refuse to work"),
            );
        }
        self.good("clock", text, None);
    }

    /// Nothing can be written: a fault of the store for keys whose work is to write.
    fn read_only(&mut self, role: Role, fault: Fault) {
        match role {
            Role::Verify | Role::Restore => self.warn(
                "writing",
                "the store takes nothing from here".to_owned(),
                "restores and checks work; a drill leaves no evidence in the store",
            ),
            Role::Backup | Role::Maintain | Role::Admin => {
                // What works all the same; this page would say the same once more.
                self.next = (role != Role::Backup).then(|| "mainstay check".to_owned());
                self.bad(
                    "writing",
                    fault.hint(
                        "nothing can be backed up: look at the permissions of the store, and whether \
                         it is mounted read-only",
                    ),
                );
            }
        }
    }

    /// Whether all packs that the index knows are in the store, each in its size.
    fn packs(&mut self, opened: &Opened) {
        let mut known: BTreeSet<(PackId, u64)> = BTreeSet::new();
        let mut count = 0_u64;
        let counted = opened.index.reader().and_then(|reader| {
            reader.for_each_pack(&mut |pack, bytes| {
                count += 1;
                if count <= PACKS_COMPARED_MAX {
                    known.insert((pack, u64::from(bytes)));
                }
                true
            })
        });
        if let Err(error) = counted {
            return self.bad("index", crate::command::trouble::index(&error));
        }
        let packs = units::counted(count, "pack");
        if count > PACKS_COMPARED_MAX {
            return self.good(
                "index",
                format!("knows {packs}; `mainstay check` looks for them"),
                None,
            );
        }
        let before = generations::list(&opened.repo).ok();
        let listed = opened.repo.store().list_each("", &mut |object| {
            if let Some(ObjectName::Pack(pack)) = object.name {
                known.remove(&(pack, object.size_bytes));
            }
            true
        });
        if let Err(error) = listed {
            return self.bad("index", Fault::during(Doing::Work, &error));
        }
        // A collector that works meanwhile takes packs away that nothing needs.
        let is_quiet = before.is_some() && before == generations::list(&opened.repo).ok();
        match known.len() as u64 {
            0 => self.good("index", format!("knows {packs}, all in the store"), None),
            _ if !is_quiet => {
                self.good("index", format!("knows {packs}; a `prune` is at work"), None);
            }
            lost => {
                let lost = units::counted(lost, "pack");
                let fault = Fault::new(
                    ExitCode::Damage,
                    "E_CORRUPT",
                    format!("{lost} of {count} missing in the store, or of another size"),
                );
                self.bad("packs", fault.hint("`mainstay check` names the files that this hurts"));
            }
        }
    }

    fn snapshots(&mut self, catalog: &Catalog, context: &Context<'_>) {
        let filter = FilterArgs::default();
        let choice = Choice::quiet(catalog, &filter, context.around);
        let made = choice.made();
        let all = choice.filtered();
        let own: Vec<_> =
            all.iter().filter(|one| one.snapshot.host == context.around.host).collect();
        let newest = own.iter().rev().find(|one| one.doubt.is_none() && made.may_be_latest(one));
        let count = units::counted(all.len() as u64, "snapshot");
        if !catalog.damaged.is_empty() {
            let damaged = units::counted(catalog.damaged.len() as u64, "record");
            let fault = Fault::new(
                ExitCode::Damage,
                "E_CORRUPT",
                format!("{damaged} of snapshots cannot be read"),
            );
            self.bad("snapshots", fault.hint("`mainstay check` names what is damaged"));
        }
        if let Err(fault) = lost::judge(&catalog.missing) {
            self.bad(
                "snapshots",
                fault.hint(
                    "find out what happened to the store, then `mainstay index rebuild \
                     --accept-losses` and `mainstay check`",
                ),
            );
        }
        let Some(newest) = newest else {
            let forgotten = catalog.forgotten.len() as u64;
            if !own.is_empty() {
                return self.no_newest(&count);
            }
            let (text, hint) = match (all.is_empty(), forgotten) {
                (true, 1..) => (
                    format!("none; {} forgotten", units::counted(forgotten, "snapshot")),
                    "`mainstay snapshots --all` shows them, `mainstay undelete ID` brings one back",
                ),
                _ => (
                    format!("{count}, none of {}", printable(&context.around.host)),
                    "`mainstay backup PATH` makes the first of this machine",
                ),
            };
            self.next = Some(match forgotten > 0 && all.is_empty() {
                true => "mainstay snapshots --all".to_owned(),
                false => "mainstay backup PATH".to_owned(),
            });
            return self.warn("snapshots", text, hint);
        };
        let age = made.age(&newest.snapshot).unwrap_or_default();
        let text = format!("{count}, the newest of this machine {} old", units::age(age));
        match age > NEWEST_OLD {
            true => {
                self.warn("snapshots", text, "does something run `mainstay backup` every night?")
            }
            false => self.good("snapshots", text, None),
        }
        let wrong = all.iter().filter(|one| made.wrong_clock(one).is_some()).count() as u64;
        if wrong > 0 {
            let text = format!("{} of a wrong clock", units::counted(wrong, "snapshot"));
            self.warn("times", text, "`mainstay snapshots` marks them");
        }
        if self.fault.is_none() {
            self.next = Some(match age > NEWEST_OLD {
                true => backup_again(&newest.snapshot),
                false => "mainstay drill latest".to_owned(),
            });
        }
    }

    /// There are snapshots of this machine, and their times are of no use.
    fn no_newest(&mut self, count: &str) {
        self.next = Some("mainstay snapshots".to_owned());
        self.warn(
            "snapshots",
            format!("{count}, none of this machine that can be the newest"),
            "`mainstay snapshots` marks what is wrong with them; look at the clock here too",
        );
    }

    /// What drills and checks found and nobody has closed. Who may not read evidence sees none.
    fn evidence(&mut self, opened: &Opened) {
        let Ok(shelf) = Shelf::open(&opened.repo, &opened.state) else { return };
        let found = cases(shelf.records());
        let open = found.iter().filter(|case| case.state() != State::Closed).count() as u64;
        if open > 0 {
            let verb = if open == 1 { "is" } else { "are" };
            let text = format!("{} {verb} open", units::counted(open, "finding"));
            self.warn("evidence", text, "`mainstay evidence findings --open` names what failed");
        }
    }
}

/// The command that makes another snapshot like this one.
fn backup_again(snapshot: &Snapshot) -> String {
    let paths: Vec<_> = snapshot.paths.iter().map(|path| escape(&path.0)).collect();
    let is_plain = |path: &String| {
        path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte))
    };
    match !paths.is_empty() && paths.iter().all(is_plain) {
        true => format!("mainstay backup {}", paths.join(" ")),
        false => "mainstay backup PATH".to_owned(),
    }
}
