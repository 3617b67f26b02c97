//! Operations that a node of another one runs: none runs for nobody, and none is run over

use crate::rig::{Rig, id, job};
use weir_domain::{
    operation::OperationStatus,
    plan::{Executor, Graph, NodeStatus, NodeType, PlanNode},
};
use weir_orchestration::Outcome;

/// A node that runs an operation, and what comes after it
fn parent() -> Graph {
    let runs = PlanNode::new(id("runs"), NodeType::SubOperation, "runs", Executor::Decide);
    Graph::new(vec![runs, job("after", &["runs"])]).unwrap()
}

fn child() -> Graph {
    Graph::new(vec![job("work", &[])]).unwrap()
}

async fn begin(rig: &Rig) {
    rig.engine.begin(&rig.scope, rig.id, "root".to_owned()).await.unwrap();
}

/// A parent whose node has been claimed by somebody who died before he made its operation
async fn claimed() -> Rig {
    let rig = Rig::create(&parent()).await;
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
    let rig = claimed().await;
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
    let rig = claimed().await;
    rig.engine.cancel(&rig.scope, rig.id, "bob").await.unwrap();
    // Whoever was about to make it has been slow.
    let child = rig.child("runs", &child()).await;
    begin(&child).await;
    assert_eq!(child.operation().await.cancelled_by.as_deref(), Some("system:parent"));
    assert_eq!(child.status("work").await, NodeStatus::Skipped);
    assert!(rig.cloud.told(|told| told.jobs.is_empty()));
}
