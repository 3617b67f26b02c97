//! Begin, cancel, pause and finish where they meet

use crate::{
    rig::{Rig, job},
    table::Point,
};
use weir_domain::{
    engine::{NodeUpdate, OperationUpdate, TODO_CANCEL},
    id::{Id as _, OperationId},
    operation::OperationStatus,
    plan::{Graph, NodeStatus, PatchChanges},
    time::Millis,
};
use weir_orchestration::Outcome;
use weir_store::{ActiveRun, Entity as _, Key, Record, Table as _, Write};

/// a → b → c, and d
fn plan() -> Graph {
    Graph::new(vec![job("a", &[]), job("b", &["a"]), job("c", &["b"]), job("d", &[])]).unwrap()
}

#[tokio::test]
async fn an_operation_that_was_cancelled_before_it_began_ends_with_its_beginning() {
    let rig = Rig::create(&plan()).await;
    rig.engine.cancel(&rig.scope, rig.id, "bob").await.unwrap();
    assert!(rig.operation().await.todo.contains(TODO_CANCEL), "its nodes are not there yet");
    rig.engine.begin(&rig.scope, rig.id, "root".to_owned()).await.unwrap();
    assert!(rig.nodes().await.values().all(|node| node.status == NodeStatus::Skipped));
    rig.engine.segment_finish(&rig.scope, rig.id, 0).await.unwrap();
    let operation = rig.operation().await;
    assert_eq!(operation.status, OperationStatus::Cancelled);
    assert!(operation.finished && operation.todo.is_empty(), "nothing is left to be repaired: {operation:?}");
}

#[tokio::test]
async fn a_cancel_that_died_at_once_is_carried_out_by_the_patch_that_it_met() {
    let rig = Rig::begin(&plan()).await;
    let more = PatchChanges { added: vec![job("x", &["a"])], ..PatchChanges::default() };
    // Dies after its transaction: what follows from it is left to whoever comes next.
    rig.patch_by(&rig.mortal(2, true), "one", &more).await.unwrap_err();
    assert_eq!(rig.operation().await.patch_seq, 1);
    rig.mortal(0, true).cancel(&rig.scope, rig.id, "bob").await.unwrap_err();
    assert_eq!(rig.status("a").await, NodeStatus::Ready);
    rig.patch("one", &more).await.unwrap();
    assert!(rig.nodes().await.values().all(|node| node.status == NodeStatus::Skipped));
    assert!(rig.operation().await.todo.is_empty());
}

#[tokio::test]
async fn who_was_told_while_the_operation_was_resumed_is_claimed() {
    let mut rig = Rig::begin(&plan()).await;
    let key = rig.key("a").await;
    rig.start("a").await;
    rig.engine.pause(&rig.scope, rig.id, "bob").await.unwrap();
    let (peer, scope, id) = (rig.peer(), rig.scope.clone(), rig.id);
    // It is read while b is told, and paused; it is resumed before b has been told, and so finds nothing to claim.
    let teller = rig.overtaken(|point| matches!(point, Point::Node(NodeUpdate::Tell { .. })), async move {
        drop(peer.resume(&scope, id).await.unwrap())
    });
    teller.report(&key, 1, Outcome::Succeeded, "a/1".to_owned()).await.unwrap();
    assert_eq!(rig.status("b").await, NodeStatus::Ready);
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn who_looked_before_the_next_pause_has_not_done_it_for_the_next_resume() {
    let mut rig = Rig::begin(&plan()).await;
    rig.engine.pause(&rig.scope, rig.id, "bob").await.unwrap();
    rig.work("a", true).await;
    // One resume dies at once, and whoever does it for that one is slow: held again, resumed again.
    rig.mortal(0, true).resume(&rig.scope, rig.id).await.unwrap_err();
    rig.engine.pause(&rig.scope, rig.id, "bob").await.unwrap();
    let (dies, scope, id) = (rig.mortal(0, true), rig.scope.clone(), rig.id);
    let sweeper = rig.overtaken(
        |point| matches!(point, Point::Operation(OperationUpdate::RemoveTodo { .. })),
        async move { drop(dies.resume(&scope, id).await.unwrap_err()) },
    );
    sweeper.drive_operation(&rig.scope, rig.id).await.unwrap();
    assert_eq!(rig.status("b").await, NodeStatus::Pending, "it was held when it was looked at");
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn a_resume_takes_back_no_pause_that_came_after_it() {
    let rig = Rig::begin(&plan()).await;
    rig.engine.pause(&rig.scope, rig.id, "bob").await.unwrap();
    // It is written, and before what follows from it is done somebody else holds the operation again.
    let (peer, scope, id) = (rig.peer(), rig.scope.clone(), rig.id);
    let resumer = rig.overtaken(|point| matches!(point, Point::Operation(_)), async move {
        assert!(peer.pause(&scope, id, "carol").await.unwrap().is_some());
    });
    resumer.resume(&rig.scope, rig.id).await.unwrap();
    let operation = rig.operation().await;
    assert_eq!((operation.paused, operation.paused_by.as_deref()), (true, Some("carol")));
    assert!(operation.todo.is_empty(), "{:?}", operation.todo);
}

#[tokio::test]
async fn a_wish_that_meets_another_write_is_made_of_what_is_there_then() {
    let rig = Rig::begin(&plan()).await;
    let (peer, scope, id) = (rig.peer(), rig.scope.clone(), rig.id);
    let late = rig.overtaken(|point| matches!(point, Point::Transact(_)), async move {
        drop(peer.cancel(&scope, id, "carol").await.unwrap());
    });
    assert_eq!(late.pause(&rig.scope, rig.id, "bob").await.unwrap(), None, "it is to end");
    assert!(!rig.operation().await.paused);
}

#[tokio::test]
async fn an_operation_that_ends_twice_leaves_the_lock_of_the_next_one_alone() {
    let mut rig = Rig::begin(&plan()).await;
    let run_identity_hash = rig.operation().await.info.run_identity_hash;
    let next =
        ActiveRun { run_identity_hash, operation_id: OperationId::derived(2, "next"), lease_until: None };
    let lock = Record::new(&rig.scope, &next).unwrap();
    rig.memory.transact(&[Write::Create(lock)]).await.unwrap();
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
    let key = Key::active_run(&rig.scope, &next.run_identity_hash);
    assert_eq!(key, next.key(&rig.scope));
    assert_eq!(rig.engine.table.read::<ActiveRun>(&key).await.unwrap().unwrap().0, next);
}

#[tokio::test]
async fn an_operation_whose_time_is_over_is_cancelled() {
    let mut rig = Rig::begin(&plan()).await;
    rig.pass(Millis::from_secs(9_999_999));
    rig.settle().await;
    let operation = rig.operation().await;
    assert_eq!(operation.status, OperationStatus::Cancelled);
    assert_eq!(operation.cancelled_by.as_deref(), Some("system:deadline"));
    assert!(operation.failure_summary.unwrap().reconciled, "nobody asked for it");
}
