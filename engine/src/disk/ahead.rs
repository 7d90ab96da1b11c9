//! Looks at directories ahead of a walk, on threads of its own.
//!
//! Asking the kernel about each name is nearly all that a walk does. All tasks that are known lie on
//! a board, in the order of the walk; helpers take the first and leave there what they found. The
//! walk takes that, or does the task itself if nobody has begun; while somebody is at it, the walk
//! does the one that comes next. What lies ready is bounded, so a walk that is not hurried costs no
//! memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::base::limits::{FOLDER_READ_BYTES, WALK_AHEAD_ITEMS};
use crate::disk::folder::lock;
use crate::disk::look::Looker;
use crate::disk::task::{Looked, Place, Seen, Task};

/// Does the tasks of one walk, with helpers or without.
#[derive(Debug)]
pub(crate) struct Lookahead {
    looker: Arc<Looker>,
    board: Arc<Board>,
    helpers: Vec<JoinHandle<()>>,
    buffer: Vec<u8>,
}

/// What the threads of a walk share.
#[derive(Debug, Default)]
struct Board {
    state: Mutex<State>,
    /// A helper may find something to do.
    work: Condvar,
    /// Something that was begun is done.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<Place, Task>,
    done: HashMap<Place, Vec<Seen>>,
    /// Items in `done`.
    item_count: usize,
    idle_helpers: usize,
    is_over: bool,
    /// A helper ended by a panic: what it had begun will not be done.
    is_broken: bool,
}

impl State {
    /// The first task that nobody has begun, unless enough lies ready.
    fn begin_first(&mut self) -> Option<(Place, Task)> {
        if self.item_count >= WALK_AHEAD_ITEMS { None } else { self.open.pop_first() }
    }

    fn take(&mut self, place: &Place) -> Option<Vec<Seen>> {
        let seen = self.done.remove(place)?;
        self.item_count -= seen.len();
        Some(seen)
    }
}

impl Board {
    /// Puts tasks on the board.
    fn open(&self, state: &mut State, tasks: Vec<(Place, Task)>) {
        let wakes = state.idle_helpers.min(tasks.len());
        state.open.extend(tasks);
        for _ in 0..wakes {
            self.work.notify_one();
        }
    }

    /// Leaves what a task found for the walk.
    fn leave(&self, place: Place, looked: Looked) {
        let mut state = lock(&self.state);
        state.item_count += looked.seen.len();
        state.done.insert(place, looked.seen);
        self.open(&mut state, looked.tasks);
        drop(state);
        self.done.notify_all();
    }
}

impl Lookahead {
    /// One that does everything itself.
    pub(crate) fn new(looker: Looker) -> Self {
        let (looker, board) = (Arc::new(looker), Arc::default());
        let buffer = Vec::with_capacity(FOLDER_READ_BYTES);
        Self { looker, board, helpers: Vec::new(), buffer }
    }

    /// Starts helpers. Where the system has no thread left, the walk does without.
    pub(crate) fn start_helpers(&mut self, count: usize) {
        for _ in 0..count {
            let (looker, board) = (Arc::clone(&self.looker), Arc::clone(&self.board));
            let helper = std::thread::Builder::new().name("walk".to_owned());
            self.helpers.extend(helper.spawn(move || help(&looker, &board)));
        }
    }

    pub(crate) fn looker(&self) -> &Looker {
        &self.looker
    }

    /// Makes tasks known; gives what was seen beside them.
    pub(crate) fn put(&self, looked: Looked) -> Vec<Seen> {
        self.board.open(&mut lock(&self.board.state), looked.tasks);
        looked.seen
    }

    /// What the task of this place finds.
    pub(crate) fn fetch(&mut self, place: &Place) -> Vec<Seen> {
        let board = Arc::clone(&self.board);
        let mut state = lock(&board.state);
        loop {
            if let Some(seen) = state.take(place) {
                if state.idle_helpers > 0 && state.item_count < WALK_AHEAD_ITEMS / 2 {
                    board.work.notify_all();
                }
                return seen;
            }
            if let Some(task) = state.open.remove(place) {
                drop(state);
                let looked = self.looker.run(task, &mut self.buffer);
                return self.put(looked);
            }
            if state.is_broken {
                let mut lost = Looked::default();
                let why =
                    "a thread of this program ended; what follows in its folder may be missing";
                let why = std::io::Error::other(why);
                lost.problem(&place.path(), "looking at", &why);
                return lost.seen;
            }
            state = match state.begin_first() {
                Some((next, task)) => {
                    drop(state);
                    let looked = self.looker.run(task, &mut self.buffer);
                    board.leave(next, looked);
                    lock(&board.state)
                }
                None => wait(&board.done, state),
            };
        }
    }
}

#[cfg(test)]
impl Lookahead {
    /// How many items lie ready; `None` while a helper is at work.
    pub(crate) fn ready_count(&self) -> Option<usize> {
        let state = lock(&self.board.state);
        (state.idle_helpers == self.helpers.len()).then_some(state.item_count)
    }
}

impl Drop for Lookahead {
    fn drop(&mut self) {
        lock(&self.board.state).is_over = true;
        self.board.work.notify_all();
        for helper in self.helpers.drain(..) {
            // One that panicked has said so on the board.
            let _ = helper.join();
        }
    }
}

/// Tells the walk if the thread that holds it panics.
struct Watch<'a>(&'a Board);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(&self.0.state).is_broken = true;
            self.0.done.notify_all();
        }
    }
}

/// A helper's life: the first task that nobody has begun, until the walk is over.
fn help(looker: &Looker, board: &Board) {
    let _watch = Watch(board);
    let mut buffer = Vec::with_capacity(FOLDER_READ_BYTES);
    let mut state = lock(&board.state);
    while !state.is_over {
        state = match state.begin_first() {
            Some((place, task)) => {
                drop(state);
                let looked = looker.run(task, &mut buffer);
                board.leave(place, looked);
                lock(&board.state)
            }
            None => {
                state.idle_helpers += 1;
                state = wait(&board.work, state);
                state.idle_helpers -= 1;
                state
            }
        };
    }
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition.wait(state).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::exclude::Excludes;
    use crate::disk::folder::Shared;
    use crate::disk::roots::{Named, Root};
    use crate::disk::task::WalkItem;

    fn ahead() -> Lookahead {
        let (excludes, skip) = (Excludes::default(), std::collections::HashSet::new());
        let root = Root::find(std::path::Path::new("/")).expect("there is a root");
        let named = Named::new(&[root]);
        Lookahead::new(Looker { excludes, skip, named, shared: Shared::new(false) })
    }

    /// What comes of the root of the file system.
    fn begin(ahead: &Lookahead) -> Vec<Seen> {
        let mut looked = Looked::default();
        ahead.looker().announce_base(&mut looked).expect("there is a root");
        ahead.put(looked)
    }

    #[test]
    fn a_task_that_is_lost_is_a_problem_of_its_place() {
        let mut ahead = ahead();
        let seen = begin(&ahead);
        let place = {
            let mut state = lock(&ahead.board.state);
            let begun = state.begin_first();
            state.is_broken = true;
            begun.expect("as a helper does before it panics").0
        };
        assert!(seen.iter().any(|seen| matches!(seen, Seen::Later(it) if *it == place)));
        let seen = ahead.fetch(&place);
        assert!(matches!(seen.as_slice(), [Seen::Item(WalkItem::Problem(_))]), "{seen:?}");
    }

    #[test]
    fn a_panic_of_a_helper_is_noticed() {
        let board = Board::default();
        let ended = std::thread::scope(|scope| {
            let watched = || {
                let _watch = Watch(&board);
                panic!("as a helper never should");
            };
            scope.spawn(watched).join()
        });
        assert!(ended.is_err() && lock(&board.state).is_broken);
    }
}
