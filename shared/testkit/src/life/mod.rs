//! Functions that die: every external write of an invocation is counted, and may be the last thing that it did
//!
//! A death drops the invocation, as the end of a process does: no code of it runs any more. Whoever called it has no
//! answer, and does what the real caller does.

mod bucket;
mod services;
mod table;

use std::{
    collections::BTreeMap,
    fmt,
    future::{Future, poll_fn},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};
use weir_edge::cx::Parts;

/// The write that every invocation ends with: its answer
pub const ANSWER: &str = "answer";

/// One place in a run: the `nth` time that `function` makes the write `op`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// The function
    pub function: &'static str,
    /// The write
    pub op: &'static str,
    /// Which time, from 1
    pub nth: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, op, nth } = self;
        write!(f, "{function}:{op}#{nth}")
    }
}

/// On which side of a write a function dies
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    /// Nothing was written
    Before,
    /// It was written, and nobody heard of it
    After,
}

/// What functions wrote, and where they die
#[derive(Debug, Default)]
pub struct Life(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Whose turn it is: calls may be made side by side in one thread
    current: Option<Arc<Invocation>>,
    counts: BTreeMap<(&'static str, &'static str), u32>,
    made: Vec<Point>,
    deaths: BTreeMap<Point, Death>,
    /// Who dies the next time that it makes this write
    next: Vec<(&'static str, &'static str, Death)>,
    died: Vec<Point>,
}

#[derive(Debug)]
struct Invocation {
    function: &'static str,
    dead: AtomicBool,
}

/// A write that is under way
struct Passing<'a> {
    life: &'a Life,
    invocation: Option<Arc<Invocation>>,
    point: Option<Point>,
    death: Option<Death>,
}

impl Life {
    /// Functions that die at these points
    pub fn ending_at(deaths: BTreeMap<Point, Death>) -> Self {
        Self(Mutex::new(State { deaths, ..State::default() }))
    }

    /// `function` dies the next time that it makes the write `op`
    pub fn dies_next(&self, function: &'static str, op: &'static str, death: Death) {
        self.state().next.push((function, op, death));
    }

    /// Every write of an invocation so far, in order
    pub fn made(&self) -> Vec<Point> {
        self.state().made.clone()
    }

    /// Where functions have died so far
    pub fn died(&self) -> Vec<Point> {
        self.state().died.clone()
    }

    /// One invocation of `function`; none where it died
    pub async fn run<T>(&self, function: &'static str, body: impl Future<Output = T>) -> Option<T> {
        let invocation = Arc::new(Invocation { function, dead: AtomicBool::new(false) });
        // On the heap: a call of the whole API is a large one.
        let mut whole = Box::pin(async {
            let answer = body.await;
            self.enter(ANSWER).await;
            answer
        });
        poll_fn(|cx| {
            let before = self.state().current.replace(invocation.clone());
            let polled = whole.as_mut().poll(cx);
            self.state().current = before;
            if invocation.dead.load(Ordering::Relaxed) { Poll::Ready(None) } else { polled.map(Some) }
        })
        .await
    }

    /// `parts`, through which every write of an invocation is seen
    pub fn behind(self: &Arc<Self>, parts: Parts) -> Parts {
        Parts {
            table: Arc::new(table::Seen { life: self.clone(), inner: parts.table }),
            objects: Arc::new(bucket::Seen { life: self.clone(), inner: parts.objects }),
            machines: Arc::new(services::SeenMachines { life: self.clone(), inner: parts.machines }),
            queues: Arc::new(services::SeenQueues { life: self.clone(), inner: parts.queues }),
            signer: Arc::new(services::SeenSigner { life: self.clone(), inner: parts.signer }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write begins, unless its function ends here
    async fn enter(&self, op: &'static str) -> Passing<'_> {
        let passing = {
            let mut state = self.state();
            let invocation = state.current.clone();
            let living = invocation.as_ref().filter(|it| !it.dead.load(Ordering::Relaxed));
            let point = living.map(|it| state.point(it.function, op));
            let death = point.and_then(|point| state.death(point));
            Passing { life: self, invocation, point, death }
        };
        if passing.death == Some(Death::Before) {
            passing.die();
        }
        passing.live().await;
        passing
    }
}

impl State {
    fn point(&mut self, function: &'static str, op: &'static str) -> Point {
        let nth = self.counts.entry((function, op)).or_default();
        *nth += 1;
        let point = Point { function, op, nth: *nth };
        self.made.push(point);
        point
    }

    fn death(&mut self, point: Point) -> Option<Death> {
        let next =
            self.next.iter().position(|(function, op, _)| (*function, *op) == (point.function, point.op));
        let next = next.map(|at| self.next.remove(at).2);
        self.deaths.get(&point).copied().or(next)
    }
}

impl Passing<'_> {
    /// The write was carried out
    async fn leave(self) {
        if self.death == Some(Death::After) {
            self.die();
        }
        self.live().await;
    }

    fn die(&self) {
        let Some(invocation) = &self.invocation else { return };
        invocation.dead.store(true, Ordering::Relaxed);
        self.life.state().died.extend(self.point);
    }

    /// Nothing happens any more in an invocation that is dead
    async fn live(&self) {
        if self.invocation.as_ref().is_some_and(|it| it.dead.load(Ordering::Relaxed)) {
            std::future::pending::<()>().await;
        }
    }
}
