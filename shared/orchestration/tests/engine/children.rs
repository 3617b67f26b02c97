//! Operations that a node of another one runs: none runs for nobody, and none is run over

use crate::{
    rig::{Rig, id, job},
    table::Point,
};
use weir_domain::{
    engine::{NodeUpdate, OperationUpdate},
    failure::FailureSummary,
    intervention::{Intervention, intervention_id},
    operation::OperationStatus,
    plan::{Executor, Graph, NodeStatus, NodeType, OnFailure, PlanNode},
    time::Millis,
};
use weir_orchestration::{Clock as _, Outcome};
use weir_store::{Entity as _, Key, Table as _};

/// A node that runs an operation, and what comes after it
fn parent() -> Graph {
    let runs = PlanNode::new(id("runs"), NodeType::SubOperation, "runs", Executor::Decide);
    Graph::new(vec![runs, job("after", &["runs"])]).unwrap()
}

/// The same, where the node has a minute
fn hurried(on_failure: OnFailure) -> Graph {
    let contract =
        serde_json::json!({ "capability": "test", "timeout_s": 60, "attempts": 1, "deadline_s": 60 });
    let runs = PlanNode {
        on_failure,
        job_contract: serde_json::from_value(contract).unwrap(),
        ..PlanNode::new(id("runs"), NodeType::SubOperation, "runs", Executor::Decide)
    };
    let look = PlanNode { node_type: NodeType::Verification, ..job("look", &["runs"]) };
    Graph::new(vec![runs, look]).unwrap()
}

/// An operation of `graph` that has begun, whose node runs one that works
async fn working(graph: &Graph) -> (Rig, Rig) {
    let rig = Rig::create(graph).await;
    let child = rig.child("runs", &child()).await;
    begin(&rig).await;
    begin(&child).await;
    child.start("work").await;
    assert_eq!(rig.status("runs").await, NodeStatus::Waiting);
    (rig, child)
}

/// Ends the child's work, and with that the child
async fn end(child: &Rig) {
    let work = child.key("work").await;
    child.engine.report(&work, 1, Outcome::Succeeded, "work/1".to_owned()).await.unwrap();
    child.engine.segment_finish(&child.scope, child.id, 0).await.unwrap();
}

/// The node's time passes, and somebody looks at it
async fn run_out(rig: &Rig) {
    rig.pass(Millis::from_secs(61));
    rig.engine.drive_node(&rig.key("runs").await).await.unwrap();
}

/// Whether a person is asked about the node
async fn asks(rig: &Rig) -> bool {
    let key = Key::entity(
        &rig.scope,
        Intervention::KIND,
        intervention_id(rig.id, rig.node("runs").await.ordinal, 1),
    );
    rig.engine.table.read::<Intervention>(&key).await.unwrap().is_some()
}

fn child() -> Graph {
    Graph::new(vec![job("work", &[])]).unwrap()
}

async fn begin(rig: &Rig) {
    rig.engine.begin(&rig.scope, rig.id, "root".to_owned()).await.unwrap();
}

/// A parent whose node has been claimed by somebody who died before he made its operation
async fn claimed(graph: &Graph) -> Rig {
    let rig = Rig::create(graph).await;
    for left in 0..10 {
        rig.mortal(left, true).begin(&rig.scope, rig.id, "root".to_owned()).await.unwrap_err();
        let is_there = rig.operation().await.materialised;
        if is_there && rig.status("runs").await == NodeStatus::Ready {
            return rig;
        }
    }
    panic!("nobody has claimed it");
}

#[tokio::test]
async fn a_cancelled_operation_ends_after_the_one_that_its_node_runs() {
    let rig = Rig::create(&parent()).await;
    let child = rig.child("runs", &child()).await;
    begin(&rig).await;
    begin(&child).await;
    assert_eq!(rig.status("runs").await, NodeStatus::Waiting);
    let work = child.key("work").await;
    child.start("work").await;
    rig.engine.cancel(&rig.scope, rig.id, "bob").await.unwrap();
    assert!(child.node("work").await.cancel, "whoever works is asked to stop");
    rig.engine.segment_finish(&rig.scope, rig.id, 0).await.unwrap();
    assert!(rig.operation().await.is_active(), "nothing ends over work that goes on");
    assert_eq!(rig.status("runs").await, NodeStatus::Waiting);

    child.engine.report(&work, 1, Outcome::Succeeded, "work/1".to_owned()).await.unwrap();
    child.engine.segment_finish(&child.scope, child.id, 0).await.unwrap();
    assert_eq!(child.operation().await.status, OperationStatus::Cancelled);
    rig.engine.segment_finish(&rig.scope, rig.id, 0).await.unwrap();
    assert_eq!(rig.operation().await.status, OperationStatus::Cancelled);
}

#[tokio::test]
async fn an_operation_whose_node_ends_without_it_is_cancelled() {
    let rig = claimed(&parent()).await;
    let child = rig.child("runs", &child()).await;
    begin(&child).await;
    assert_eq!(child.status("work").await, NodeStatus::Ready);
    rig.engine.cancel(&rig.scope, rig.id, "bob").await.unwrap();
    assert_eq!(rig.status("runs").await, NodeStatus::Skipped);
    assert_eq!(child.operation().await.cancelled_by.as_deref(), Some("system:parent"));
    assert_eq!(child.status("work").await, NodeStatus::Skipped);
}

#[tokio::test]
async fn an_operation_for_which_nobody_waits_any_more_cancels_itself() {
    let rig = claimed(&parent()).await;
    rig.engine.cancel(&rig.scope, rig.id, "bob").await.unwrap();
    // Whoever was about to make it has been slow.
    let child = rig.child("runs", &child()).await;
    begin(&child).await;
    assert_eq!(child.operation().await.cancelled_by.as_deref(), Some("system:parent"));
    assert_eq!(child.status("work").await, NodeStatus::Skipped);
    assert!(rig.cloud.told(|told| told.jobs.is_empty()));
}

#[tokio::test]
async fn a_node_whose_time_is_over_ends_after_the_operation_that_it_runs() {
    for on_failure in [OnFailure::Fail, OnFailure::Pause] {
        let (rig, child) = working(&hurried(on_failure)).await;
        run_out(&rig).await;
        let node = rig.node("runs").await;
        assert_eq!((node.status, node.error), (NodeStatus::Waiting, None), "its operation goes on");
        assert_eq!(child.operation().await.cancelled_by.as_deref(), Some("system:parent"));
        assert!(child.node("work").await.cancel, "whoever works is asked to stop");
        assert!(!asks(&rig).await, "nobody could have it tried again beside what runs");

        end(&child).await;
        let node = rig.node("runs").await;
        let ended = if on_failure == OnFailure::Pause { NodeStatus::Waiting } else { NodeStatus::Failed };
        assert_eq!((node.status, node.error.unwrap().code.as_str()), (ended, "deadline_passed"));
        assert_eq!(asks(&rig).await, on_failure == OnFailure::Pause);
    }
}

#[tokio::test]
async fn what_ended_well_counts_however_late_that_is_found() {
    let (rig, child) = working(&hurried(OnFailure::Fail)).await;
    rig.pass(Millis::from_secs(61));
    end(&child).await;
    assert_eq!(rig.status("runs").await, NodeStatus::Succeeded);
}

#[tokio::test]
async fn the_end_of_its_time_ends_no_cancelled_node_over_what_it_runs() {
    let (rig, child) = working(&hurried(OnFailure::Fail)).await;
    rig.engine.cancel(&rig.scope, rig.id, "bob").await.unwrap();
    run_out(&rig).await;
    assert_eq!(rig.status("runs").await, NodeStatus::Waiting);
    end(&child).await;
    assert_eq!(rig.node("runs").await.error.unwrap().code, "sub_operation_failed");
    rig.engine.segment_finish(&rig.scope, rig.id, 0).await.unwrap();
    assert_eq!(rig.operation().await.status, OperationStatus::Cancelled);
}

#[tokio::test]
async fn an_operation_that_was_made_and_not_waited_for_is_waited_for_when_the_time_is_over() {
    let rig = claimed(&hurried(OnFailure::Pause)).await;
    let child = rig.child("runs", &child()).await;
    begin(&child).await;
    child.start("work").await;
    run_out(&rig).await;
    let node = rig.node("runs").await;
    assert_eq!((node.status, node.error), (NodeStatus::Waiting, None));
    assert!(child.operation().await.cancel);
}

#[tokio::test]
async fn an_operation_that_is_made_after_its_node_has_failed_cancels_itself() {
    let rig = claimed(&hurried(OnFailure::Pause)).await;
    run_out(&rig).await;
    assert!(rig.node("runs").await.awaits_person());
    // Whoever was about to make it has been slow.
    let child = rig.child("runs", &child()).await;
    begin(&child).await;
    assert_eq!(child.operation().await.cancelled_by.as_deref(), Some("system:parent"));
    assert_eq!(child.status("work").await, NodeStatus::Skipped);
}

#[tokio::test]
async fn nobody_is_asked_while_what_failed_goes_on() {
    let (rig, child) = working(&hurried(OnFailure::Pause)).await;
    // Whoever made the operation was slower than who found none of it, and let the node fail.
    let error = FailureSummary::new("deadline_passed", "it was over");
    let suspend = NodeUpdate::Suspend { attempt: 1, wake: rig.clock.now(), error, lease_seen: None };
    rig.memory.node_update(&rig.key("runs").await, &suspend).await.unwrap();
    rig.engine.drive_node(&rig.key("runs").await).await.unwrap();
    assert!(!asks(&rig).await && child.node("work").await.cancel);
    end(&child).await;
    assert!(asks(&rig).await);
}

#[tokio::test]
async fn a_child_is_held_whose_parent_is_paused_while_somebody_lets_it_go() {
    let (rig, child) = working(&parent()).await;
    rig.engine.pause(&rig.scope, rig.id, "bob").await.unwrap();
    assert!(child.operation().await.paused);
    let resume = OperationUpdate::Resume { id: "1".to_owned(), wake: rig.clock.now() };
    rig.memory.operation_update(&rig.scope, rig.id, &resume).await.unwrap();
    let (peer, scope, id) = (rig.peer(), rig.scope.clone(), rig.id);
    let late = rig.overtaken(|point| matches!(point, Point::Transact(_)), async move {
        assert!(peer.pause(&scope, id, "carol").await.unwrap().is_some());
    });
    late.drive_node(&rig.key("runs").await).await.unwrap();
    let held = child.operation().await;
    assert_eq!((held.paused, held.paused_by.as_deref()), (true, Some("system:parent")));
}
