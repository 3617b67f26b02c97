//! The engine over a simulated region with faults: everything still ends, and nothing ever breaks an invariant

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use weir_orchestration::sim::{Case, Fault, Faults, Figures, Workload, play};

/// Schedules that every run of the tests goes through
const SCHEDULES: u64 = 10_000;

/// At these a function may happen to die nowhere: only the widest graphs have joins, and an execution is started anew when
/// its operation has rested for so long that most faults have stopped
const SELDOM: [&str; 2] = ["Pass", "Revive"];

/// So many failures say enough
const FAILURES_MAX: usize = 10;

#[test]
fn whatever_goes_wrong_everything_ends_and_no_invariant_breaks() {
    let (next, failed) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()));
    let figures: Mutex<Figures> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SCHEDULES || failed.lock().unwrap().len() >= FAILURES_MAX {
                        return;
                    }
                    let report = play(&Case::of(seed)).unwrap();
                    figures.lock().unwrap().add(&report);
                    if !report.violations.is_empty() {
                        let lines: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
                        failed.lock().unwrap().insert(seed, lines);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let told: Vec<_> = failed
        .iter()
        .map(|(seed, lines)| format!("{}\n    {}", Case::of(*seed), lines.join("\n    ")))
        .collect();
    assert!(failed.is_empty(), "reproduced and shrunk by:\n{}", told.join("\n"));
    let figures = figures.into_inner().unwrap();
    assert_eq!(figures.faults_missing(), [], "faults that no schedule met");
    assert_eq!(figures.deeds_missing(), [""; 0], "deeds that nobody did");
    let mut spared = figures.spared();
    spared.retain(|it| !SELDOM.contains(it));
    assert_eq!(spared, [""; 0], "functions and writes that no death met");
}

#[test]
fn an_agent_whose_queue_is_behind_does_nothing_twice() {
    let behind = |nth: u32| (format!("task_claim:queued(0)#{nth}"), Fault::Stale);
    let faults = Faults::Listed((1..=200).map(behind).collect());
    let mut seen = 0;
    for seed in 0..40 {
        let case = Case { seed, workload: Workload::Layers, size: 12, faults: faults.clone(), trace: false };
        let report = play(&case).unwrap();
        assert_eq!(report.violations, [], "seed {seed}");
        seen += report.injected.iter().filter(|(_, fault)| *fault == Fault::Stale).count();
    }
    assert!(seen > 200, "{seen}");
}

#[test]
fn where_nothing_fails_everything_ends_although_nobody_looks_again() {
    let mut failed: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..680 {
        let case = Case { faults: Faults::None, ..Case::of(seed) };
        let report = play(&case).unwrap();
        if !report.violations.is_empty() {
            *failed.entry(case.workload.as_str()).or_default() += 1;
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
