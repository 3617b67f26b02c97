//! Executions of segments: one that was lost is started anew, and no other one

use crate::rig::{Rig, id, job};
use weir_domain::{
    engine::CHECK_IN,
    operation::OperationStatus,
    plan::{Executor, Graph, NodeType, PlanNode, graph::SEGMENT_MAX},
};

fn name(number: usize) -> String {
    format!("n{number}")
}

/// A first segment full of jobs, and a second one: a job, and a join of the first one's
fn plan() -> Graph {
    let mut nodes: Vec<_> = (0..=SEGMENT_MAX).map(|number| job(&name(number), &[])).collect();
    nodes.push(PlanNode {
        depends_on: (0..SEGMENT_MAX).map(|number| id(&name(number))).collect(),
        ..PlanNode::new(id("join"), NodeType::Join, "join", Executor::Join)
    });
    Graph::new(nodes).unwrap()
}

/// What is running after the operation was looked at, with these executions ended
async fn looked_at(rig: &Rig, ended: &[u32]) -> Vec<String> {
    rig.cloud.told(|told| told.ended = ended.iter().copied().collect());
    rig.pass(CHECK_IN);
    rig.reconcile().await;
    rig.cloud
        .told(|told| told.segments.iter().map(|name| name.rsplit_once('s').unwrap().1.to_owned()).collect())
}

#[tokio::test]
async fn an_execution_that_was_lost_is_started_anew() {
    let mut rig = Rig::begin(&plan()).await;
    assert_eq!(looked_at(&rig, &[]).await, ["0-p0-r0", "1-p0-r0"]);
    // Every open segment goes on under a new name, which says which executions are meant from now on.
    assert_eq!(looked_at(&rig, &[1]).await, ["0-p0-r0", "0-p0-r1", "1-p0-r0", "1-p0-r1"]);
    rig.cloud.told(|told| told.ended.clear());
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn an_execution_that_has_done_all_it_had_to_is_not() {
    let mut rig = Rig::begin(&plan()).await;
    // The second one has only its join left, which waits without it.
    rig.work(&name(SEGMENT_MAX), true).await;
    assert_eq!(looked_at(&rig, &[1]).await, ["0-p0-r0", "1-p0-r0"]);
    assert_eq!(rig.operation().await.open.len(), 2);
    // Whoever ended the first one's last node died before he closed it.
    for number in 0..SEGMENT_MAX {
        rig.work(&name(number), true).await;
    }
    assert_eq!(looked_at(&rig, &[0, 1]).await, ["0-p0-r0", "1-p0-r0"]);
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}
