//! Cancelling, where it meets others

use crate::{
    rig::{Rig, id, job},
    table::Point,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use weir_adapters::{Adapters, Secrets, net::Reach};
use weir_domain::{
    engine::{CANCEL_GRACE, NodeUpdate},
    operation::OperationStatus,
    plan::{Executor, Graph, NodeStatus, NodeType, PlanNode},
    time::Millis,
};
use weir_orchestration::{Clock as _, Started, jobs::JobEnd};
use weir_store::Applied;

fn alone() -> Graph {
    Graph::new(vec![job("a", &[])]).unwrap()
}

#[tokio::test]
async fn an_operation_that_is_cancelled_while_it_begins_ends_with_its_last_node() {
    let join = PlanNode {
        depends_on: [id("b"), id("c")].into(),
        ..PlanNode::new(id("join"), NodeType::Join, "join", Executor::Join)
    };
    let rig =
        Rig::create(&Graph::new(vec![job("a", &[]), job("b", &[]), job("c", &[]), join]).unwrap()).await;
    let (peer, scope, id) = (rig.peer(), rig.scope.clone(), rig.id);
    // All but the first node are there by then: whoever ended them now would find a segment that has ended.
    static IS_FIRST: AtomicBool = AtomicBool::new(true);
    let first = |point: Point<'_>| matches!(point, Point::Put) && IS_FIRST.swap(false, Ordering::Relaxed);
    let beginner = rig.overtaken(first, async move {
        assert_eq!(peer.table.nodes(&scope, id, 0).await.unwrap().len(), 3);
        peer.cancel(&scope, id, "bob").await.unwrap();
    });
    beginner.begin(&rig.scope, rig.id, "root".to_owned()).await.unwrap();
    assert!(rig.nodes().await.values().all(|node| node.status == NodeStatus::Skipped));
    rig.engine.segment_finish(&rig.scope, rig.id, 0).await.unwrap();
    let operation = rig.operation().await;
    assert_eq!(operation.status, OperationStatus::Cancelled);
    assert_eq!(operation.summary_counts["nodes_skipped"], 3, "it ended after its last node: {operation:?}");
}

#[tokio::test]
async fn who_begins_to_work_while_the_operation_is_cancelled_is_asked_to_stop() {
    let rig = Rig::begin(&alone()).await;
    let (peer, key, seen) = (rig.peer(), rig.key("a").await, rig.node("a").await);
    let canceller = rig
        .overtaken(|point| matches!(point, Point::Node(NodeUpdate::CancelIdle { .. })), async move {
            assert!(matches!(peer.start(&key, &seen, "worker").await.unwrap(), Started::Yes(_)))
        });
    canceller.cancel(&rig.scope, rig.id, "bob").await.unwrap();
    let node = rig.node("a").await;
    assert_eq!((node.status, node.cancel), (NodeStatus::Running, true));
}

#[tokio::test]
async fn who_does_not_stop_when_asked_to_is_given_up_after_a_while() {
    let mut rig = Rig::begin(&alone()).await;
    rig.start("a").await;
    rig.engine.cancel(&rig.scope, rig.id, "bob").await.unwrap();
    rig.pass(CANCEL_GRACE - Millis(1));
    rig.reconcile().await;
    assert_eq!(rig.status("a").await, NodeStatus::Running);
    rig.pass(Millis(1));
    rig.reconcile().await;
    let node = rig.node("a").await;
    assert_eq!((node.status, node.attempt), (NodeStatus::Failed, 1));
    assert_eq!(node.error.unwrap().code, "cancelled", "and not that its holder fell silent");
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_function_stops_when_its_next_sign_of_life_is_answered_that_it_should() {
    // It asks for longer than a minute whether anybody listens where nobody does.
    let contract = serde_json::json!({
        "capability": "verify.tcp", "timeout_s": 120, "attempts": 1,
        "inputs": { "host": "127.0.0.1", "port": 1, "attempts": 20, "interval_s": 5 },
    });
    let node = PlanNode { job_contract: serde_json::from_value(contract).unwrap(), ..job("a", &[]) };
    let rig = Rig::begin(&Graph::new(vec![node]).unwrap()).await;
    let job = rig.cloud.told(|told| told.jobs.remove(0));
    let mut worker = rig.peer();
    worker.adapters = Arc::new(Adapters::new(Reach::Anywhere, Secrets::default(), Box::new(|| None)));
    let cancelled = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        rig.engine.cancel(&rig.scope, rig.id, "bob").await.unwrap()
    };
    let (ended, _) = tokio::join!(worker.run_job(&job, "worker"), cancelled);
    assert_eq!(ended.unwrap(), JobEnd::Dropped);
    assert_eq!(rig.status("a").await, NodeStatus::Running, "its lease passes, and then it ends");
}

#[tokio::test]
async fn who_was_claimed_by_a_look_before_the_cancel_is_not_skipped_over_his_work() {
    let rig = Rig::create(&alone()).await;
    // Token, node, materialised: nobody has claimed it. The cancel is written, and its sweep is not made.
    rig.mortal(2, true).begin(&rig.scope, rig.id, "root".to_owned()).await.unwrap_err();
    rig.mortal(0, true).cancel(&rig.scope, rig.id, "bob").await.unwrap_err();
    let (peer, key, now) = (rig.peer(), rig.key("a").await, rig.clock.now());
    let claim = NodeUpdate::Claim { claim_id: "earlier".to_owned(), now, wake: now, ends_by: None };
    let node = key.clone();
    // Two find it claimable. One has read the operation before the cancel, and claims; the other one after it.
    let other = rig.overtaken(|point| matches!(point, Point::Node(NodeUpdate::Skip { .. })), async move {
        let Applied::Done(seen) = peer.table.node_update(&node, &claim).await.unwrap() else {
            panic!("claimed")
        };
        assert!(matches!(peer.start(&node, &seen, "worker").await.unwrap(), Started::Yes(_)));
    });
    other.drive_node(&key).await.unwrap();
    assert_eq!(rig.status("a").await, NodeStatus::Running);
    rig.engine.cancel(&rig.scope, rig.id, "bob").await.unwrap();
    assert!(rig.node("a").await.cancel, "it is asked to stop, and the operation waits for it");
    assert!(rig.operation().await.is_active());
}

#[tokio::test]
async fn a_cancel_that_nobody_has_carried_out_is_carried_out_later() {
    let rig = Rig::begin(&alone()).await;
    rig.mortal(0, true).cancel(&rig.scope, rig.id, "bob").await.unwrap_err();
    assert_eq!(rig.status("a").await, NodeStatus::Ready);
    rig.pass(Millis::from_secs(60));
    rig.reconcile().await;
    assert_eq!(rig.status("a").await, NodeStatus::Skipped);
}
