//! Systems that break, a watcher that dies, receivers that fail.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use alert::deliver::{Receiver, Refusal, Scope, deliver};
use alert::record::{EventKind, Finding, Severity, key};
use alert::state::{Due, Judged, Route, State, StateError};

const BEGIN_S: i64 = 1_800_000_000;
const REPEAT_S: i64 = 20_000;
const NEVER: i64 = i64::MAX;

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Break { system: usize, bad: bool },
    Heal { system: usize },
    Look,
    Unreachable,
    Acknowledge { system: usize },
    Wait { seconds: i64 },
    KillAfter { writes: u32 },
}

/// How a receiver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Takes,
    /// It has it, and nobody hears that.
    TakesAndIsCut,
    Down,
    Busy {
        seconds: i64,
    },
    /// This one and no other.
    Dislikes,
    Gone,
}

/// What a receiver heard.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) kind: EventKind,
}

#[derive(Debug, Default)]
struct Desk {
    answers: Vec<Answer>,
    asked: usize,
    heard: Vec<Heard>,
}

struct Double {
    name: &'static str,
    fallback: Option<&'static str>,
    desk: Rc<RefCell<Desk>>,
}

impl Receiver for Double {
    fn name(&self) -> &str {
        self.name
    }

    fn fallback(&self) -> Option<&str> {
        self.fallback
    }

    fn is_digest(&self) -> bool {
        // One of the two takes many at once.
        self.fallback.is_none()
    }

    fn give(&mut self, events: &[Due], _now_s: i64) -> Result<Option<String>, Refusal> {
        let mut desk = self.desk.borrow_mut();
        let answer = desk.answers[desk.asked % desk.answers.len()].clone();
        desk.asked += 1;
        if matches!(answer, Answer::Takes | Answer::TakesAndIsCut) {
            desk.heard.extend(events.iter().map(|event| Heard {
                id: event.id.clone(),
                key: event.key.clone(),
                kind: event.kind,
            }));
        }
        let refusal =
            |scope, retry_after_s| Err(Refusal { why: "no".to_owned(), retry_after_s, scope });
        match answer {
            Answer::Takes => Ok(None),
            Answer::TakesAndIsCut | Answer::Down => refusal(Scope::Channel, None),
            Answer::Busy { seconds } => refusal(Scope::Channel, Some(seconds)),
            Answer::Dislikes => refusal(Scope::Event, None),
            Answer::Gone => refusal(Scope::Gone, None),
        }
    }
}

/// Everything.
pub(crate) struct World {
    pub(crate) state: State,
    now_s: i64,
    broken: BTreeMap<usize, (bool, i64)>,
    /// Writes that are left until it is killed.
    left: Arc<AtomicI64>,
    main: Rc<RefCell<Desk>>,
    other: Rc<RefCell<Desk>>,
}

impl World {
    pub(crate) fn new(main: Vec<Answer>, other: Vec<Answer>) -> Self {
        let left = Arc::new(AtomicI64::new(NEVER));
        let gate = Arc::clone(&left);
        let state = State::in_memory()
            .expect("memory")
            .gated(Arc::new(move || gate.fetch_sub(1, Ordering::SeqCst) > 0));
        let desk = |answers| Rc::new(RefCell::new(Desk { answers, ..Desk::default() }));
        let (main, other) = (desk(main), desk(other));
        Self { state, now_s: BEGIN_S, broken: BTreeMap::new(), left, main, other }
    }

    pub(crate) fn play(&mut self, op: Op) {
        match op {
            Op::Break { system, bad } => {
                let at_s = self.now_s;
                self.broken.entry(system).or_insert((bad, at_s)).0 |= bad;
            }
            Op::Heal { system } => drop(self.broken.remove(&system)),
            Op::Look => self.survive(|world| world.look(Judged::All)),
            Op::Unreachable => self.survive(|world| world.look(Judged::FoundOnly)),
            Op::Acknowledge { system } => self.survive(|world| {
                let (key, now_s) = (key("acme", &name(system), "rpo"), world.now_s);
                world.state.acknowledge(&key, "somebody", "looking", now_s).map(|_| ())
            }),
            Op::Wait { seconds } => self.now_s += seconds,
            Op::KillAfter { writes } => self.left.store(i64::from(writes), Ordering::SeqCst),
        }
    }

    /// Whoever was killed begins anew, with nothing but its state.
    fn survive(&mut self, work: impl FnOnce(&mut Self) -> Result<(), StateError>) {
        match work(self) {
            Ok(()) => {}
            Err(StateError::Ended) => self.left.store(NEVER, Ordering::SeqCst),
            Err(error) => unreachable!("{error}"),
        }
    }

    fn look(&mut self, judged: Judged) -> Result<(), StateError> {
        let route = |channel: &str| Route { channel: channel.to_owned(), least: Severity::Low };
        let findings: Vec<Finding> = match judged {
            Judged::All => self.broken.iter().map(|(system, it)| finding(*system, *it)).collect(),
            Judged::FoundOnly => Vec::new(),
        };
        self.state.take(&findings, judged, &[route("main")], REPEAT_S, self.now_s)?;
        self.deliver()
    }

    fn deliver(&mut self) -> Result<(), StateError> {
        let double = |name, fallback, desk: &Rc<RefCell<Desk>>| -> Box<dyn Receiver> {
            Box::new(Double { name, fallback, desk: Rc::clone(desk) })
        };
        let mut all =
            [double("main", Some("other"), &self.main), double("other", None, &self.other)];
        let now_s = self.now_s;
        deliver(&mut self.state, &mut all, &|| now_s, &|| false)?;
        Ok(())
    }

    /// Everybody takes everything, until nothing waits but for a channel that is gone.
    pub(crate) fn calm_down(&mut self) {
        self.left.store(NEVER, Ordering::SeqCst);
        self.answer_main(Answer::Takes);
        self.other.borrow_mut().answers = vec![Answer::Takes];
        self.look(Judged::All).expect("nobody kills it");
        for _ in 0..40 {
            self.now_s += 3600;
            self.deliver().expect("nobody kills it");
        }
    }

    pub(crate) fn answer_main(&mut self, answer: Answer) {
        self.main.borrow_mut().answers = vec![answer];
    }

    pub(crate) fn asked_main(&self) -> usize {
        self.main.borrow().asked
    }

    pub(crate) fn main(&self) -> Vec<Heard> {
        self.main.borrow().heard.clone()
    }

    pub(crate) fn other(&self) -> Vec<Heard> {
        self.other.borrow().heard.clone()
    }

    pub(crate) fn broken(&self) -> BTreeSet<String> {
        self.broken.keys().map(|system| name(*system)).collect()
    }

    /// Every event that was ever noted, by ticket key, in its order.
    pub(crate) fn happened(&self) -> BTreeMap<String, Vec<(String, EventKind)>> {
        let mut log = self.state.log(u64::MAX >> 1).expect("read");
        log.reverse();
        let mut all: BTreeMap<String, Vec<(String, EventKind)>> = BTreeMap::new();
        for row in log.into_iter().filter(|row| row.channel == "main") {
            let kind = EventKind::of_name(&row.kind).expect("a kind");
            all.entry(row.key).or_default().push((row.id, kind));
        }
        all
    }
}

fn name(system: usize) -> String {
    format!("s{system}")
}

fn finding(system: usize, (bad, since_s): (bool, i64)) -> Finding {
    Finding {
        key: key("acme", &name(system), "rpo"),
        client: "acme".to_owned(),
        system: name(system),
        condition: if bad { "rpo-breached" } else { "missed" }.to_owned(),
        severity: if bad { Severity::Critical } else { Severity::Medium },
        since_s,
        anchor: format!("snapshot {}", since_s % 7),
        summary: "it is broken".to_owned(),
        details: String::new(),
        last_good_s: None,
        rpo_s: None,
        rpo_left_s: None,
        snapshot: None,
        evidence: None,
    }
}
