//! Every external write of every function, killed before and after: everything still ends right
//!
//! The list of points is what a recorded run wrote; nobody keeps it by hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use weir_orchestration::sim::{Case, Fault, Faults, Point, Report, Workload, play};

type Listed = BTreeMap<String, Fault>;

/// A run that is recorded, and then run again with one more death
struct Base {
    seed: u64,
    workload: Workload,
    faults: Listed,
}

impl Base {
    fn calm(seed: u64, workload: Workload) -> Self {
        Self { seed, workload, faults: Listed::new() }
    }

    /// The first run in which `deed` is done
    fn telling(deed: &str, workload: Workload) -> Self {
        let mut all = (0..).map(|seed| Self::calm(seed, workload));
        all.find(|base| base.play(&Listed::new()).deeds.get(deed).is_some_and(|times| *times > 0)).unwrap()
    }

    /// A dispatch that is lost, a task that is forgotten, a job whose function dies: reconcile and the stream have to help
    fn disturbed(seed: u64, workload: Workload) -> Self {
        let calm = Self::calm(seed, workload).play(&Listed::new());
        let first = |function: &str, op: &str| {
            let mut found = calm
                .writes
                .iter()
                .filter(|it| op == it.op && (function.is_empty() || function == it.function));
            found.next().map(|it| it.subject)
        };
        let lost = first("", "send_job").map(|node| (format!("queue:job({node})#1"), Fault::Drop));
        let forgotten =
            first("task_claim", "Start").map(|node| (format!("agent:task({node})#1"), Fault::Forget));
        // Its consequences are done by whoever follows the stream.
        let ended = calm.writes.iter().rfind(|it| it.function == "job_run" && it.op == "Complete");
        let died = ended.map(|point| (point.to_string(), Fault::DieAfter));
        Self { faults: lost.into_iter().chain(forgotten).chain(died).collect(), seed, workload }
    }

    /// Begin never succeeds: the machine gives up, and the operation is ended from there
    fn abandoned(seed: u64, workload: Workload) -> Self {
        let faults = (1..=9).map(|nth| (format!("operation_begin:Arrive(0)#{nth}"), Fault::Throttle));
        Self { faults: faults.collect(), seed, workload }
    }

    fn play(&self, more: &Listed) -> Report {
        let faults = self.faults.iter().chain(more).map(|(point, fault)| (point.clone(), *fault)).collect();
        let faults = Faults::Listed(faults);
        play(&Case { seed: self.seed, workload: self.workload, size: 7, faults, trace: false }).unwrap()
    }

    /// Every death that can be added, or what the run without one breaks
    fn deaths(&self) -> Vec<(Point, Fault)> {
        let recorded = self.play(&Listed::new());
        assert_eq!(recorded.violations, [], "{:?}", self.workload);
        let points = recorded.writes.into_iter().filter(|point| point.function != "world");
        let refused = |point: &Point| self.faults.contains_key(&point.to_string());
        let points = points.filter(|point| !refused(point));
        points.flat_map(|point| [(point, Fault::DieBefore), (point, Fault::DieAfter)]).collect()
    }

    fn survives(&self, point: Point, fault: Fault) {
        let run = self.play(&Listed::from([(point.to_string(), fault)]));
        let (workload, seed) = (self.workload, self.seed);
        assert_eq!(run.violations, [], "{workload:?}, seed {seed}: {} at {point}", fault.as_str());
        assert!(run.injected.contains(&(point, fault)), "{workload:?}: nothing died at {point}");
        assert_eq!(run.doubled, 0);
    }
}

#[test]
fn a_function_may_die_before_and_after_every_write() {
    let bases = [
        Base::calm(1, Workload::Gates),
        Base::disturbed(2, Workload::Failures),
        Base::disturbed(3, Workload::Cancel),
        Base::abandoned(4, Workload::Layers),
        Base::calm(3, Workload::Patches),
        Base::calm(20, Workload::Patches),
        Base::calm(21, Workload::Patches),
        Base::calm(6, Workload::Waits),
        Base::calm(7, Workload::Hands),
        Base::disturbed(8, Workload::Callbacks),
        Base::calm(9, Workload::Nested),
        Base::calm(10, Workload::Queue),
        Base::telling("way back", Workload::Undo),
        Base::telling("retried", Workload::Retry),
    ];
    let all: Vec<_> =
        bases.iter().flat_map(|base| base.deaths().into_iter().map(move |it| (base, it))).collect();
    let next = AtomicUsize::new(0);
    let kinds: Mutex<BTreeMap<(&str, &str), BTreeSet<Workload>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((base, (point, fault))) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    base.survives(*point, *fault);
                    let mut kinds = kinds.lock().unwrap();
                    kinds.entry((point.function, point.op)).or_default().insert(base.workload);
                }
            });
        }
    });
    let kinds = kinds.into_inner().unwrap();
    let mut functions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (function, op) in kinds.keys() {
        functions.entry(function).or_default().insert(op);
    }
    println!("{} deaths at {} kinds of write: all ended right", all.len(), kinds.len());
    for (function, ops) in &functions {
        println!("    {function}: {ops:?}");
    }
    for function in [
        "patch_create",
        "intervention_decide",
        "gate_decide",
        "callback_create",
        "operation_retry",
        "job_run",
        "task_report",
    ] {
        assert!(functions.contains_key(function), "`{function}` was never killed");
    }
    assert!(all.len() >= 2_000, "{}", all.len());
}
