//! Every external write of every function, killed before and after: everything still ends right
//!
//! The list of points is what a recorded run wrote; nobody keeps it by hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::{BTreeMap, BTreeSet};
use weir_orchestration::sim::{Case, Fault, Faults, Report, Workload, play};

type Listed = BTreeMap<String, Fault>;

fn report(seed: u64, workload: Workload, faults: &Listed) -> Report {
    play(&Case { seed, workload, size: 7, faults: Faults::Listed(faults.clone()), trace: false }).unwrap()
}

/// A dispatch that is lost, a task that is forgotten, a job whose function dies: reconcile and the stream have to help
fn disturbed(seed: u64, workload: Workload) -> Listed {
    let calm = report(seed, workload, &Listed::new());
    let first = |function: &str, op: &str| {
        let mut found =
            calm.writes.iter().filter(|it| op == it.op && (function.is_empty() || function == it.function));
        found.next().map(|it| it.subject)
    };
    let lost = first("", "send_job").map(|node| (format!("queue:job({node})#1"), Fault::Drop));
    let forgotten = first("task_claim", "Start").map(|node| (format!("agent:task({node})#1"), Fault::Forget));
    // Its consequences are done by whoever follows the stream.
    let ended = calm.writes.iter().rfind(|it| it.function == "job_run" && it.op == "Complete");
    let died = ended.map(|point| (point.to_string(), Fault::DieAfter));
    lost.into_iter().chain(forgotten).chain(died).collect()
}

/// Begin never succeeds: the machine gives up, and the operation is ended from there
fn abandoned() -> Listed {
    (1..=9).map(|nth| (format!("operation_begin:Arrive(0)#{nth}"), Fault::Throttle)).collect()
}

#[test]
fn a_function_may_die_before_and_after_every_write() {
    let mut killed = 0;
    let mut kinds = BTreeSet::new();
    for (seed, workload, base) in [
        (1, Workload::Gates, Listed::new()),
        (2, Workload::Failures, disturbed(2, Workload::Failures)),
        (3, Workload::Cancel, disturbed(3, Workload::Cancel)),
        (4, Workload::Layers, abandoned()),
    ] {
        let recorded = report(seed, workload, &base);
        assert_eq!(recorded.violations, [], "{workload:?}");
        for point in recorded.writes.iter().filter(|point| point.function != "world") {
            for fault in [Fault::DieBefore, Fault::DieAfter] {
                let mut faults = base.clone();
                if faults.insert(point.to_string(), fault).is_some() {
                    continue; // it is refused already
                }
                let run = report(seed, workload, &faults);
                assert_eq!(run.violations, [], "{workload:?}, seed {seed}: {} at {point}", fault.as_str());
                assert!(run.injected.contains(&(*point, fault)), "{workload:?}: nothing died at {point}");
                assert_eq!(run.doubled, 0);
                kinds.insert((point.function, point.op));
                killed += 1;
            }
        }
    }
    let functions: BTreeSet<_> = kinds.iter().map(|(function, _)| *function).collect();
    println!(
        "{killed} deaths at {} kinds of write of {} functions {functions:?}: all ended right",
        kinds.len(),
        functions.len()
    );
    assert!(killed >= 600, "{killed}");
}
