//! The simulated region: what every call of a function passes through, and what dies there

use super::{
    behind::Behind,
    chance::Chance,
    fault::{Fault, Plan, Point, Site},
    pace::Pace,
    record::Record,
    watch::Watch,
};
use crate::{Engine, EngineError};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use weir_domain::{engine::NodeUpdate, time::Millis};
use weir_store::{Change, NodeKey, memory::MemoryTable};

/// When virtual time begins: 2026-01-01T00:00:00Z
pub(super) const EPOCH: Millis = Millis(1_767_225_600_000);

/// Lambda ends a function that takes longer; jobs have their own limit
pub(super) const FUNCTION_LIMIT: Duration = Duration::from_secs(60);

/// As [`FUNCTION_LIMIT`], for the function that runs jobs
const JOB_LIMIT: Duration = Duration::from_secs(900);

tokio::task_local! {
    /// The function invocation that is running
    static CURRENT: Arc<Invocation>;
}

/// One call of one function, which may die at any moment
pub(super) struct Invocation {
    pub function: &'static str,
    pub number: u64,
    /// When it began
    pub began: Millis,
    skew: Millis,
    dead: AtomicBool,
}

impl Invocation {
    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }
}

/// Why an invocation has no answer
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// It died
    #[error("it died")]
    Died,
    /// It answered with an error
    #[error(transparent)]
    Failed(EngineError),
}

/// A call that failed; it may have been carried out
#[derive(Debug, thiserror::Error)]
#[error("simulated: {0}")]
pub(super) struct Broken(pub &'static str);

/// A call that is under way
pub(super) struct Passing<'a> {
    world: &'a World,
    invocation: Option<Arc<Invocation>>,
    point: Point,
    fault: Option<Fault>,
}

/// Everything but the engine
pub(super) struct World {
    pub pace: Pace,
    pub chance: Chance,
    pub plan: Plan,
    pub memory: Arc<MemoryTable>,
    /// What changes while the world runs
    pub record: Mutex<Record>,
    /// What must hold
    pub watch: Mutex<Watch>,
    /// Whether the table's stream and the schedule run
    pub helped: bool,
    /// A node has become ready: an agent may want it
    pub queued: Notify,
    /// What indexes that are behind show
    behind: Mutex<Behind>,
    /// Changes of the table that nobody has been told of
    news: Mutex<usize>,
    start: Instant,
    draws: AtomicU64,
    invocations: AtomicU64,
    engine: OnceLock<Weak<Engine>>,
    me: Weak<Self>,
}

impl World {
    pub fn new(pace: Pace, seed: u64, plan: Plan, record: Record, helped: bool) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            pace,
            chance: Chance::new(seed),
            plan,
            memory: Arc::new(MemoryTable::new()),
            record: Mutex::new(record),
            watch: Mutex::default(),
            helped,
            queued: Notify::new(),
            behind: Mutex::default(),
            news: Mutex::default(),
            start: Instant::now(),
            draws: AtomicU64::new(0),
            invocations: AtomicU64::new(0),
            engine: OnceLock::new(),
            me: me.clone(),
        })
    }

    /// Gives the functions their engine
    pub fn connect(&self, engine: &Arc<Engine>) {
        self.engine.get_or_init(|| Arc::downgrade(engine));
    }

    /// The world and its engine, unless both are being taken down
    pub fn both(&self) -> Option<(Arc<Self>, Arc<Engine>)> {
        Some((self.me.upgrade()?, self.engine.get()?.upgrade()?))
    }

    /// How long the world has been running
    pub fn passed(&self) -> Millis {
        Millis(i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// The true time
    pub fn now(&self) -> Millis {
        EPOCH + self.passed()
    }

    /// Calls `function`, which runs on its own: whoever called it may be gone when it ends
    pub async fn invoke<T, F>(
        &self,
        function: &'static str,
        body: impl FnOnce(Arc<Self>, Arc<Engine>) -> F,
    ) -> Result<T, Lost>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EngineError>> + Send + 'static,
    {
        let Some((world, engine)) = self.both() else { return Err(Lost::Died) };
        let number = self.invocations.fetch_add(1, Ordering::Relaxed);
        let far = u64::try_from(self.plan.skew.0).unwrap_or(0);
        let skew = i64::try_from(self.chance.of("skew").at(number).below(2 * far + 1)).unwrap_or(0);
        let invocation = Arc::new(Invocation {
            function,
            number,
            began: self.now(),
            skew: Millis(skew) - self.plan.skew,
            dead: AtomicBool::new(false),
        });
        self.say(|| format!("{function} begins"), Some(&invocation));
        let running = body(world.clone(), engine);
        let limit = if function == "job_run" { JOB_LIMIT } else { FUNCTION_LIMIT };
        let mortal = mortal(invocation.clone(), limit, running);
        let ended = tokio::spawn(CURRENT.scope(invocation.clone(), mortal)).await;
        match ended {
            Ok(Some(Ok(answer))) => Ok(answer),
            Ok(Some(Err(error))) => {
                self.say(|| format!("{function} fails: {error}"), Some(&invocation));
                if let EngineError::Inconsistent(what) = &error {
                    locked(&self.watch).inconsistent(function, what);
                }
                Err(Lost::Failed(error))
            }
            Ok(None) | Err(_) => {
                self.say(|| format!("{function} dies"), Some(&invocation));
                Err(Lost::Died)
            }
        }
    }

    /// The name by which a running invocation holds an attempt
    pub fn holder(&self) -> String {
        CURRENT.try_with(|it| format!("invocation-{}", it.number)).unwrap_or_default()
    }

    /// What happens at the next point of this kind, decided by whoever stands there
    pub fn fault(&self, function: &'static str, op: &'static str, subject: u32, site: Site) -> Option<Fault> {
        let point = locked(&self.record).point(function, op, subject);
        let fault = self.plan.at(&point, site, self.passed())?;
        self.note(point, fault);
        Some(fault)
    }

    fn note(&self, point: Point, fault: Fault) {
        locked(&self.record).injected.push((point, fault));
        locked(&self.watch).disturbed(self.now());
        self.say(|| format!("FAULT {} at {point}", fault.as_str()), None);
    }

    /// Every external call begins here: it takes time, and the caller may die before it
    pub async fn enter(&self, op: &'static str, subject: u32, site: Site) -> Result<Passing<'_>, Broken> {
        let invocation = CURRENT.try_with(Arc::clone).ok();
        if invocation.as_ref().is_some_and(|it| it.is_dead()) {
            std::future::pending::<()>().await;
        }
        let function = invocation.as_ref().map_or("world", |it| it.function);
        let point = locked(&self.record).point(function, op, subject);
        let fault = match &invocation {
            Some(_) => self.plan.at(&point, site, self.passed()),
            None => None,
        };
        tokio::time::sleep(self.pace.call(self.chance, &point)).await;
        let passing = Passing { world: self, invocation, point, fault };
        // An invocation makes calls side by side, and may have died at another one meanwhile.
        if passing.is_dead() {
            std::future::pending::<()>().await;
        }
        if matches!(site, Site::Write | Site::Conditional) {
            locked(&self.record).writes_made.push(point);
        }
        match fault {
            Some(Fault::DieBefore) => passing.die().await,
            Some(Fault::Throttle) => {
                self.note(point, Fault::Throttle);
                return Err(Broken("throttled"));
            }
            Some(Fault::Delay) => {
                self.note(point, Fault::Delay);
                let long = self.chance.of("delay").of(op).at(u64::from(point.nth)).below(90_000);
                tokio::time::sleep(Duration::from_millis(long)).await;
            }
            Some(_) | None => {}
        }
        if passing.is_dead() {
            std::future::pending::<()>().await;
        }
        Ok(passing)
    }

    /// Takes what the table has committed since the last look, checks it, and hands it to whoever listens
    pub fn committed(&self, updates: &[(&NodeKey, &NodeUpdate)]) {
        let news: Vec<Change> = {
            let mut position = locked(&self.news);
            let news = self.memory.changes_since(*position);
            *position += news.len();
            news
        };
        if news.is_empty() {
            return;
        }
        let began = CURRENT.try_with(|it| it.began).ok();
        let before = locked(&self.watch).found.len();
        locked(&self.watch).committed(&news, updates, began, self.now());
        let found: Vec<String> =
            locked(&self.watch).found.iter().skip(before).map(ToString::to_string).collect();
        for violation in found {
            self.say(|| format!("VIOLATION {violation}"), None);
        }
        for change in news {
            if self.plan.is_any() {
                locked(&self.behind).learns(self.now(), change.clone());
            }
            self.heard(change);
        }
    }

    /// The table as its indexes show it, where they are behind by so much
    pub fn indexes(&self, behind: Option<Millis>) -> Arc<MemoryTable> {
        let Some(lag) = behind else { return self.memory.clone() };
        locked(&self.behind).at(self.now() - lag)
    }

    /// Adds a line to the run's trace, if somebody wants one
    pub fn say(&self, line: impl FnOnce() -> String, invocation: Option<&Invocation>) {
        let mut record = locked(&self.record);
        let Some(trace) = &mut record.trace else { return };
        let passed = self.passed();
        let number = invocation.map(|it| it.number).or_else(|| CURRENT.try_with(|it| it.number).ok());
        let who = number.map_or_else(|| "      ".to_owned(), |number| format!("{number:>6}"));
        trace.push(format!("{:>9}.{:03} {who}  {}", passed.0 / 1000, passed.0 % 1000, line()));
    }
}

impl crate::Clock for World {
    fn now(&self) -> Millis {
        let skew = CURRENT.try_with(|it| it.skew).unwrap_or(Millis(0));
        EPOCH + self.passed() + skew
    }

    fn random(&self) -> u64 {
        self.chance.of("draw").at(self.draws.fetch_add(1, Ordering::Relaxed)).bits()
    }
}

impl Passing<'_> {
    /// The SDK makes the call once more, as after a 500 whose write had been committed
    pub fn is_repeated(&self) -> bool {
        let repeated = self.fault == Some(Fault::Repeat);
        if repeated {
            self.world.note(self.point, Fault::Repeat);
        }
        repeated
    }

    /// The call is made again as another one, after it was carried out
    pub fn is_refused(&self) -> bool {
        let refused = self.fault == Some(Fault::Refuse);
        if refused {
            self.world.note(self.point, Fault::Refuse);
        }
        refused
    }

    /// How long the index that is read is behind, if it is
    pub fn is_stale(&self) -> Option<Millis> {
        if self.fault != Some(Fault::Stale) {
            return None;
        }
        self.world.note(self.point, Fault::Stale);
        let chance = self.world.chance.of("stale").of(self.point.op).at(u64::from(self.point.nth));
        let most = if chance.of("long").one_in(8) { 30_000 } else { 3_000 };
        Some(Millis(i64::try_from(chance.below(most)).unwrap_or(0)))
    }

    /// The call was carried out, and the caller may die before it hears of that
    pub async fn leave(self) -> Result<(), Broken> {
        let late = self.world.pace.answer(self.world.chance, &self.point);
        if !late.is_zero() {
            tokio::time::sleep(late).await;
        }
        match self.fault {
            Some(Fault::DieAfter) => self.die().await,
            Some(Fault::LoseAnswer) => {
                self.world.note(self.point, Fault::LoseAnswer);
                return Err(Broken("the answer was lost"));
            }
            Some(_) | None => {}
        }
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    fn is_dead(&self) -> bool {
        self.invocation.as_ref().is_some_and(|it| it.is_dead())
    }

    /// The invocation ends here: whoever polls it sees that, and drops everything that it was at
    async fn die(&self) {
        let (Some(invocation), Some(fault)) = (&self.invocation, self.fault) else { return };
        self.world.note(self.point, fault);
        invocation.dead.store(true, Ordering::Relaxed);
        std::future::pending::<()>().await;
    }
}

/// `running` until it ends, dies, or has taken too long; `None` where it did not end
async fn mortal<T>(
    invocation: Arc<Invocation>,
    limit: Duration,
    running: impl Future<Output = T>,
) -> Option<T> {
    let mut running = pin!(running);
    let lives = poll_fn(|cx| {
        let polled = running.as_mut().poll(cx);
        if invocation.is_dead() { Poll::Ready(None) } else { polled.map(Some) }
    });
    tokio::time::timeout(limit, lives).await.unwrap_or_default()
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
