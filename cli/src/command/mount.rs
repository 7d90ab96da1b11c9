//! `mount`: snapshots as folders.
//!
//! The kernel's requests come in on one thread, which answers none, and go to a few others: some for
//! content, some for names and metadata, so that whoever waits for the store keeps nobody else. A panic
//! costs its own request. Nothing is locked and nothing is written to the repository.

use std::thread::Scope;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use engine::base::limits::{
    MOUNT_AHEAD_THREADS_LOCAL, MOUNT_AHEAD_THREADS_REMOTE, MOUNT_LOOK_THREADS, MOUNT_OUTAGE_MS,
    MOUNT_READ_THREADS,
};
use engine::base::monitor::Silent;
use engine::mount::blocks::Blocks;
use engine::mount::view::View;

use crate::args::mount::MountArgs;
use crate::command::clock;
use crate::command::context::Context;
use crate::command::mount::answers::{Answers, Job};
use crate::command::mount::attach::{Attached, Point};
use crate::command::mount::door::Door;
use crate::command::mount::fresh::Fresh;
use crate::command::mount::layout::layout;
use crate::command::open::{Opened, open, progress};
use crate::fault::{ExitCode, Fault};
use crate::ui::json::Message;
use crate::ui::records::JsonPath;
use crate::ui::upkeep::Mounted;
use crate::units;

/// Which snapshots lie where.
pub mod layout;
/// New snapshots.
pub mod fresh;
/// Answers to the kernel.
pub mod answers;
/// Requests of the kernel.
pub mod door;
/// Where it is mounted, and how.
pub mod attach;

/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(50);
/// After so many looks the view of the index is let go.
const LOOKS_OF_REST: u32 = 100;
/// How long the kernel is waited for after unmounting: where somebody works in it, it keeps the connection.
const PARTING: Duration = Duration::from_millis(500);

/// Mounts, until somebody wants it to end.
///
/// # Errors
/// Exit code 1 if the kernel does not let mount, 2 for a folder that will not do, 12 for a key that may not
/// read content.
pub fn run(args: &MountArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let point = Point::find(&context.around.absolute(&args.folder))?;
    let opened = open(context)?;
    opened.require_content()?;
    point.require_apart(&[opened.folder.as_deref(), opened.state.parent()])?;
    let catalog = opened.look(&progress(context))?;
    clock::require(&args.filter, &opened, &catalog, context)?;
    let (scene, count) = layout(args, &catalog, context.around)?;
    opened.repo.store().bear_outages_for(MOUNT_OUTAGE_MS);
    let blocks = Blocks::new(&opened.repo, &opened.index)?;
    let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let view = View::new(&blocks, opened.repo.store().is_local(), owner, scene);
    // From now on a signal ends it in order.
    let _observer = context.around.cancel.observe();
    let attached = point.mount(args.allow_other, context.around)?;
    let mounted = Mount { args, context, opened: &opened, blocks: &blocks, view: &view };
    mounted.serve(attached, count)
}

struct Mount<'a> {
    args: &'a MountArgs,
    context: &'a Context<'a>,
    opened: &'a Opened,
    blocks: &'a Blocks<'a>,
    view: &'a View<'a>,
}

impl Mount<'_> {
    fn serve(&self, mut attached: Attached, count: u64) -> Result<ExitCode, Fault> {
        let (stopping, stop) = bounded::<()>(0);
        let (door, looks, reads) = Door::new(attached.allows_others());
        let fresh = Fresh::new(self.args.refresh, self.context.around.clock.clone());
        let answers = Answers::new(self.view, &fresh, self.context.ui, attached.allows_others());
        std::thread::scope(|scope| {
            let fresh = &fresh;
            for (jobs, threads) in [(looks, MOUNT_LOOK_THREADS), (reads, MOUNT_READ_THREADS)] {
                for _ in 0..threads {
                    let (jobs, stop) = (jobs.clone(), stop.clone());
                    let answers = &answers;
                    scope.spawn(move || work(answers, &jobs, &stop));
                }
            }
            self.read_ahead(scope, &stop);
            scope.spawn(move || fresh.run(&|| self.look_again()));
            let outcome = attached.begin(door).and_then(|ended| {
                self.say_ready(&attached, count);
                self.wait(&mut attached, &ended)
            });
            // Whoever still waits for a request gets an answer that is none.
            drop(stopping);
            fresh.stop();
            outcome
        })
    }

    fn read_ahead<'s>(&'s self, scope: &'s Scope<'s, '_>, stop: &Receiver<()>) {
        let threads = match self.opened.repo.store().is_local() {
            true => MOUNT_AHEAD_THREADS_LOCAL,
            false => MOUNT_AHEAD_THREADS_REMOTE,
        };
        for _ in 0..threads {
            let stop = stop.clone();
            scope.spawn(move || {
                self.view.read_ahead(&|coming| {
                    crossbeam_channel::select! {
                        recv(coming) -> chunk => chunk.ok(),
                        recv(stop) -> _ => None,
                    }
                });
            });
        }
    }

    fn say_ready(&self, attached: &Attached, count: u64) {
        let (ui, folder) = (self.context.ui, attached.folder());
        if ui.is_json() {
            let folder = JsonPath::new(folder.as_os_str().as_encoded_bytes());
            ui.message(&Message::Mounted(Mounted { folder, snapshots_count: count }));
            return;
        }
        if !ui.is_quiet() {
            let snapshots = units::counted(count, "snapshot");
            let shown = folder.display();
            ui.result(&format!("{snapshots} at {shown}: hosts, tags, times, ids, latest"));
            if count == 0 {
                ui.note("no snapshot meets the conditions; one that does will be shown");
            }
            ui.result(&format!("Ctrl-C ends it, or `{}`", attach::by_hand(folder)));
            ui.stdout().flush();
        }
    }

    /// Waits until somebody wants it to end, or has unmounted it; then nothing is mounted.
    fn wait(&self, attached: &mut Attached, ended: &Receiver<()>) -> Result<ExitCode, Fault> {
        let mut looks = 0_u32;
        loop {
            match ended.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                // The kernel is done with it.
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    attached.is_gone();
                    self.context.ui.note("unmounted");
                    return Ok(ExitCode::Ok);
                }
            }
            if self.context.around.cancel.is_set() {
                break;
            }
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(LOOKS_OF_REST) {
                self.blocks.rest();
            }
        }
        let was_busy = attached.detach()?;
        match was_busy {
            true => self.context.ui.note(
                "unmounted, although somebody still works in it: what they have open there gives errors \
                 from now on",
            ),
            false => self.context.ui.note("unmounted"),
        }
        let _ = ended.recv_timeout(PARTING);
        Ok(ExitCode::Ok)
    }

    /// Shows what is new in the store.
    fn look_again(&self) -> bool {
        let ui = self.context.ui;
        let scene = self
            .opened
            .look(&Silent)
            .and_then(|catalog| Ok(layout(self.args, &catalog, self.context.around)?.0));
        match scene {
            Ok(scene) => {
                self.view.show(scene);
                true
            }
            Err(_) if self.context.around.cancel.is_asked() => false,
            Err(fault) => {
                ui.note(&format!(
                    "new snapshots are not shown, for they cannot be looked for: {}",
                    fault.message()
                ));
                false
            }
        }
    }
}

/// Answers requests until there are none any more.
fn work(answers: &Answers<'_, '_>, jobs: &Receiver<Job>, stop: &Receiver<()>) {
    loop {
        crossbeam_channel::select! {
            recv(jobs) -> job => match job {
                Ok(job) => answers.run(job),
                Err(_) => return,
            },
            recv(stop) -> _ => return,
        }
    }
}
