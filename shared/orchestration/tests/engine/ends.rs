//! What follows from a node's end, and from its arrival, where something fails in between

use crate::rig::{Rig, job};
use weir_domain::{
    engine::NodeRun,
    operation::OperationStatus,
    plan::{Graph, NodeStatus, OnFailure, PlanNode},
    time::Millis,
};
use weir_orchestration::{Outcome, SegmentNext, jobs::JobEnd};
use weir_store::{NodeKey, Table as _};

/// a → b, and c, whose failure is passed by, → d
fn plan() -> Graph {
    let passed_by = PlanNode { on_failure: OnFailure::Continue, ..job("c", &[]) };
    Graph::new(vec![job("a", &[]), job("b", &["a"]), passed_by, job("d", &["c"])]).unwrap()
}

async fn told(rig: &Rig, token: &str) -> bool {
    rig.cloud.told(|told| told.sent.iter().any(|sent| sent == token))
}

#[tokio::test]
async fn an_arrival_claims_its_node_where_nobody_else_has() {
    let rig = Rig::create(&Graph::new(vec![job("a", &[])]).unwrap()).await;
    // Token, node, materialised: then it dies.
    rig.mortal(2, true).begin(&rig.scope, rig.id, "root".to_owned()).await.unwrap_err();
    assert!(rig.operation().await.materialised);
    assert_eq!(rig.status("a").await, NodeStatus::Pending);
    rig.engine.arrive(&rig.key("a").await, "token".to_owned()).await.unwrap();
    assert_eq!(rig.status("a").await, NodeStatus::Ready);
}

#[tokio::test]
async fn an_arrival_whose_answer_is_not_taken_fails_so_that_it_is_tried_again() {
    let mut rig = Rig::begin(&plan()).await;
    rig.work("a", true).await;
    let key = rig.key("a").await;
    rig.cloud.told(|told| told.throttled = true);
    rig.engine.arrive(&key, "first".to_owned()).await.unwrap_err();
    rig.cloud.told(|told| told.throttled = false);
    rig.engine.arrive(&key, "second".to_owned()).await.unwrap();
    assert!(told(&rig, "second").await);
}

#[tokio::test]
async fn a_node_is_done_with_only_after_every_state_that_waits_for_it_has_heard() {
    let rig = Rig::begin(&plan()).await;
    let key = rig.key("a").await;
    rig.engine.arrive(&key, "token".to_owned()).await.unwrap();
    rig.start("a").await;
    rig.cloud.told(|told| told.throttled = true);
    rig.engine.report(&key, 1, Outcome::Succeeded, "a/1".to_owned()).await.unwrap_err();
    assert_eq!(rig.status("b").await, NodeStatus::Ready, "nobody's work waits for that");
    rig.cloud.told(|told| told.throttled = false);
    rig.pass(Millis::from_secs(60));
    rig.reconcile().await;
    assert!(told(&rig, "token").await && rig.node("a").await.closed);
}

#[tokio::test]
async fn who_is_not_there_yet_is_told_later() {
    let mut rig = Rig::create(&plan()).await;
    let key = NodeKey::new(&rig.scope, rig.id, 1);
    let graph = plan();
    let seed = graph.seeds().find(|seed| seed.ordinal == 1).unwrap();
    // As it would be if the one that it tells had been put after it had ended.
    let terms = Rig::begin(&graph).await.node("a").await.terms;
    let node = NodeRun::new(1, 0, terms, [], seed.out.iter().copied());
    let (status, wake) = (NodeStatus::Succeeded, Some(rig.operation().await.info.created_at));
    rig.memory.node_put(&key, &NodeRun { status, wake, ..node }).await.unwrap();
    rig.engine.drive_node(&key).await.unwrap();
    rig.engine.begin(&rig.scope, rig.id, "root".to_owned()).await.unwrap();
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn only_who_ended_well_or_may_fail_lets_others_run() {
    let mut rig = Rig::begin(&plan()).await;
    rig.work("a", false).await;
    rig.work("c", false).await;
    assert_eq!((rig.status("b").await, rig.status("d").await), (NodeStatus::Skipped, NodeStatus::Ready));
    let error = rig.node("b").await.error.unwrap();
    assert_eq!(error.code, "dependency_not_satisfied");
}

#[tokio::test]
async fn what_is_skipped_is_told_once_over_each_edge_and_not_over_each_path() {
    const LAYERS: usize = 7;
    let name = |layer: usize, at: usize| format!("l{layer}-{at}");
    let mut nodes = vec![job("root", &[])];
    for layer in 0..LAYERS {
        let before: Vec<String> = match layer {
            0 => vec!["root".to_owned()],
            _ => (0..4).map(|at| name(layer - 1, at)).collect(),
        };
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        nodes.extend((0..4).map(|at| job(&name(layer, at), &before)));
    }
    let edges: i64 = nodes.iter().map(|node| i64::try_from(node.depends_on.len()).unwrap()).sum();
    let rig = Rig::begin(&Graph::new(nodes).unwrap()).await;
    rig.start("root").await;
    let error = weir_domain::failure::FailureSummary::new("broke", "it broke");
    let failed = Outcome::Failed { error, retryable: false };
    // A tenth of its 16,384 paths: each edge, and what closes each node.
    let enough = rig.mortal(edges * 8, true);
    enough.report(&rig.key("root").await, 1, failed, "root/1".to_owned()).await.unwrap();
    assert_eq!(rig.status(&name(LAYERS - 1, 3)).await, NodeStatus::Skipped);
}

#[tokio::test]
async fn an_attempt_that_comes_too_early_comes_again() {
    let rig = Rig::begin(&Graph::new(vec![job("a", &[])]).unwrap()).await;
    let key = rig.key("a").await;
    rig.start("a").await;
    let error = weir_domain::failure::FailureSummary::new("broke", "it broke");
    let failed = Outcome::Failed { error, retryable: true };
    rig.engine.report(&key, 1, failed, "a/1".to_owned()).await.unwrap();
    let second = rig.cloud.told(|told| told.jobs.pop()).unwrap();
    assert_eq!(second.attempt, 2);
    rig.cloud.told(|told| told.jobs.clear());
    assert_eq!(rig.engine.run_job(&second, "worker").await.unwrap(), JobEnd::Postponed);
    assert_eq!(rig.cloud.told(|told| told.jobs.clone()), [second], "its message is used up");
}

#[tokio::test]
async fn a_segment_is_entered_again_while_a_node_has_not_ended_and_anew_before_its_history_is_full() {
    let mut rig = Rig::begin(&plan()).await;
    let round =
        async |rig: &Rig, round: u32| rig.engine.segment_round(&rig.scope, rig.id, 0, round).await.unwrap();
    let executions = |rig: &Rig| rig.cloud.told(|told| told.segments.len());
    assert_eq!((round(&rig, 19).await, executions(&rig)), (SegmentNext::Again, 1));
    assert_eq!((round(&rig, 20).await, executions(&rig)), (SegmentNext::Done, 2));
    for name in ["a", "b", "c", "d"] {
        rig.work(name, true).await;
    }
    assert_eq!((round(&rig, 20).await, executions(&rig)), (SegmentNext::Done, 2));
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn whoever_ends_an_operation_and_dies_leaves_no_root_execution_waiting() {
    let mut told_later = 0;
    for left in 0..20 {
        let mut rig = Rig::begin(&plan()).await;
        for name in ["a", "b", "c", "d"] {
            rig.work(name, true).await;
        }
        // Its writes: the segment is closed, the operation ended, its lock and queues left, and so on.
        let ended = rig.mortal(left, true).segment_finish(&rig.scope, rig.id, 0).await;
        if !rig.operation().await.is_active() && !told(&rig, "root").await {
            told_later += 1;
            rig.pass(Millis::from_secs(60));
            rig.reconcile().await;
            assert!(told(&rig, "root").await, "{left}");
        }
        if ended.is_ok() {
            break;
        }
    }
    assert_eq!(told_later, 1, "one of these deaths lies between the end and the telling");
}

#[tokio::test]
async fn who_begins_an_operation_that_has_ended_hears_that_at_once() {
    let mut rig = Rig::begin(&plan()).await;
    rig.settle().await;
    rig.engine.begin(&rig.scope, rig.id, "late".to_owned()).await.unwrap();
    assert!(told(&rig, "late").await);
}

#[tokio::test]
async fn an_operation_whose_execution_was_never_started_is_begun_later() {
    let rig = Rig::create(&plan()).await;
    rig.pass(Millis::from_secs(60));
    rig.reconcile().await;
    assert_eq!(rig.cloud.told(|told| told.roots), 1, "or nobody would wait for its end");
    assert_eq!(rig.status("a").await, NodeStatus::Ready);
}
