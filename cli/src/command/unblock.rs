//! `unblock`: goes on without an object that cannot be read and stops others.

use engine::base::id::ClientId;
use engine::gc::unblock::{Obstacle, Target, look, pass};
use engine::index::clients;
use restore_verify::evidence::event::Event;

use crate::args::collect::UnblockArgs;
use crate::command::context::Context;
use crate::command::open::{Opened, open, progress, remember_epoch};
use crate::command::select::short_id;
use crate::command::trouble;
use crate::command::witness::{act, witness};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::records::Unblocked;
use crate::units;

/// What is done about an object, in words for people.
struct Way {
    /// One word for it.
    name: &'static str,
    /// What is done.
    step: String,
    /// What is given up by it, or what must be made sure of.
    price: String,
}

/// Goes on without an object.
///
/// # Errors
/// Exit code 23 without the confirmation, and for holds, which are released; 12 if the key does not
/// allow it; 2 for what is the key of no object.
pub fn run(args: &UnblockArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let mut opened = open(context)?;
    let target = Target::parse(&opened.repo, &args.key).ok_or_else(|| {
        Fault::usage(format!("{} is the key of no object", args.key))
            .hint("write it as the error or `mainstay check` does, such as gc/….sweep")
    })?;
    let _lock = opened.lock()?;
    let obstacle = look(&opened.repo, &opened.index, target);
    let obstacle = obstacle.map_err(|error| trouble::collecting(&error))?;
    let way = match way(&obstacle, &opened, context)? {
        Ok(way) => way,
        Err(why) => {
            tell(&args.key, "nothing", &format!("{} stops nobody: {why}", args.key), context);
            return Ok(ExitCode::Ok);
        }
    };
    if args.confirm.as_deref() != Some(args.key.as_str()) {
        let message = format!("nothing was changed. With --confirm, {}. {}", way.step, way.price);
        let key = &args.key;
        let command = format!("mainstay unblock {key} --confirm {key} --reason WHY");
        return Err(Fault::refused(message).hint(format!("if that is meant: {command}")));
    }
    let reason = args.reason.as_deref().unwrap_or("it cannot be read");
    let monitor = progress(context);
    let because = (context.around.host.as_str(), reason);
    let passed = pass(&mut opened.repo, &opened.index, &obstacle, because, &monitor);
    drop(monitor);
    passed.map_err(|error| trouble::collecting(&error))?;
    if matches!(obstacle, Obstacle::Keys(_)) {
        // The next run keeps it as well: this only lets it notice a store that is put back at once.
        let _ = remember_epoch(&opened.repo, &opened.state);
    }
    let detail = format!("{}; {reason}", args.key);
    let done = act("store", "unblocked", &[], &detail, context.around.clock.now());
    witness(&opened, &Event::Policy(done), context);
    tell(&args.key, way.name, &format!("{}: done", way.step), context);
    Ok(ExitCode::Ok)
}

fn tell(key: &str, way: &str, words: &str, context: &Context<'_>) {
    if context.ui.is_json() {
        let (key, way) = (key.to_owned(), way.to_owned());
        context.ui.message(&Message::Unblocked(Unblocked { key, way }));
    } else if !context.ui.is_quiet() {
        context.ui.result(words);
    }
}

/// What it takes; `Err` with the reason if it takes nothing.
fn way(
    obstacle: &Obstacle,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<Result<Way, &'static str>, Fault> {
    let nothing_lost = || "Nothing is given up".to_owned();
    Ok(Ok(match obstacle {
        Obstacle::Nothing(why) => return Ok(Err(*why)),
        Obstacle::Hold(hold) | Obstacle::HeldSnapshot(hold) => {
            let what = match obstacle {
                Obstacle::Hold(_) => "nobody knows which snapshots it holds",
                _ => "a hold keeps the snapshot, whatever is wrong with its record",
            };
            return Err(Fault::refused(format!("nothing was changed: {what}")).hint(format!(
                "`mainstay hold release {hold} --reason WHY` lets go of what it holds"
            )));
        }
        Obstacle::Announcement(generation) => Way {
            name: "closed",
            step: format!("the collection {generation} is closed"),
            price: format!("{}: a closed collection deletes nothing", nothing_lost()),
        },
        Obstacle::Sweep { generation, received } => Way {
            name: "given-up",
            step: format!("the collection {generation} is given up"),
            price: format!(
                "Make sure first that no `mainstay prune` of {} is running, or asleep, that began \
                 before {}: it could delete what new backups rely on. Every machine then lists all \
                 packs once and reads its index again",
                title(generation.client(), opened)?,
                units::local_time(*received, &context.around.time_zone),
            ),
        },
        Obstacle::Snapshot { session, is_remembered } => Way {
            name: "forgotten",
            step: format!("snapshot {} is forgotten", short_id(*session)),
            price: match is_remembered {
                true => {
                    "This machine remembers its record: `mainstay undelete` then brings it back \
                         with the same files"
                        .to_owned()
                }
                false => "If it was one, it is given up: `mainstay prune` announces what only it \
                          needs, and deletes that after its grace"
                    .to_owned(),
            },
        },
        Obstacle::Client { client, record: None } => {
            return Err(Fault::refused(format!(
                "nothing was changed: this machine does not remember the record of {client}"
            ))
            .hint(
                "repeat this on a machine that has worked with the repository, or get the object back \
                 from a copy of the store",
            ));
        }
        Obstacle::Client { client, .. } => Way {
            name: "written-again",
            step: format!("the record of {} is written again", title(*client, opened)?),
            price: format!("{}: this machine remembers it", nothing_lost()),
        },
        Obstacle::Keys(epoch) => Way {
            name: "announced-again",
            step: format!("the keys of epoch {epoch} are announced again"),
            price: "If no administrator has changed keys, they are changed by this; \
                    `mainstay key list` shows who gets them"
                .to_owned(),
        },
    }))
}

fn title(client: ClientId, opened: &Opened) -> Result<String, Fault> {
    let all = clients::read(&opened.repo, &opened.index).map_err(|error| trouble::index(&error))?;
    Ok(all.title(client))
}
