//! Patches of a running operation: appended whole or not at all, whatever dies where

use crate::{
    patched_gates::gate,
    rig::{Rig, id, job},
};
use std::collections::BTreeSet;
use weir_domain::{
    operation::OperationStatus,
    plan::{
        Graph, NodeStatus, PatchChanges, PatchError,
        patch::{Changed, Rewired, replay},
    },
};
use weir_orchestration::{PatchFailure, PlanDocument};

/// More than any patch here writes
const WRITES_MAX: i64 = 100;

/// a → b → c → d
fn chain() -> Graph {
    Graph::new(vec![job("a", &[]), job("b", &["a"]), job("c", &["b"]), job("d", &["c"])]).unwrap()
}

fn rewired(node: &str, wait_for: &[&str], wait_no_more: &[&str]) -> Rewired {
    let ids = |names: &[&str]| names.iter().map(|name| id(name)).collect();
    Rewired { node_id: id(node), wait_for: ids(wait_for), wait_no_more: ids(wait_no_more) }
}

/// Adds x and y behind a, removes c, has d wait for y too
fn everything() -> PatchChanges {
    PatchChanges {
        added: vec![job("x", &["a"]), job("y", &["x"])],
        removed: BTreeSet::from([id("c")]),
        rewired: vec![rewired("d", &["y"], &[])],
        ..PatchChanges::default()
    }
}

async fn ended_right(rig: &mut Rig, patched: bool) {
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
    let nodes = rig.nodes().await;
    let ran: BTreeSet<String> = nodes
        .iter()
        .filter(|(_, run)| run.status == NodeStatus::Succeeded)
        .map(|(id, _)| id.to_string())
        .collect();
    let wanted = if patched { ["a", "b", "d", "x", "y"].as_slice() } else { ["a", "b", "c", "d"].as_slice() };
    assert_eq!(ran, wanted.iter().map(ToString::to_string).collect());
    for (name, run) in &nodes {
        let started = rig.started.get(&run.ordinal).copied().unwrap_or(0);
        assert_eq!(started, u32::from(run.status == NodeStatus::Succeeded), "{name}: every node runs once");
    }
    if patched {
        assert_eq!(nodes[&id("c")].error.as_ref().unwrap().code, "removed");
        let finished = |name: &str| nodes[&id(name)].finished_at.unwrap();
        assert!(nodes[&id("d")].started_at.unwrap() >= finished("y"));
        assert!(rig.cloud.told(|told| told.segments.iter().any(|name| name.contains("-p1-r0"))));
    }
}

#[tokio::test]
async fn a_patch_adds_removes_and_rewires_what_has_not_started() {
    for ended in [&[][..], &["a"], &["a", "b"]] {
        let mut rig = Rig::begin(&chain()).await;
        for name in ended {
            rig.work(name, true).await;
        }
        let record = rig.patch("one", &everything()).await;
        if ended.len() == 2 {
            let Err(PatchFailure::Refused(PatchError::Started { node, .. })) = record else {
                panic!("{record:?}")
            };
            assert_eq!(node, id("c"), "c runs by now");
            ended_right(&mut rig, false).await;
            continue;
        }
        let record = record.unwrap();
        assert_eq!(
            (record.sequence, record.added, record.removed),
            (1, vec![id("x"), id("y")], vec![id("c")])
        );
        let operation = rig.operation().await;
        assert_eq!((operation.graph_hash(), operation.patch_seq), (&record.effective_hash, 1));
        assert!(operation.todo.is_empty() && operation.open.contains(&1));
        ended_right(&mut rig, true).await;
    }
}

#[tokio::test]
async fn whoever_dies_at_whatever_write_of_a_patch_leaves_it_whole_or_undone() {
    for ended in [&[][..], &["a"]] {
        for after in [false, true] {
            let (mut undone, mut whole) = (0, 0);
            for left in 0..WRITES_MAX {
                let mut rig = Rig::begin(&chain()).await;
                for name in ended {
                    rig.work(name, true).await;
                }
                let died = rig.patch_by(&rig.mortal(left, after), "one", &everything()).await;
                let patched = rig.operation().await.patch_seq == 1;
                if patched {
                    whole += 1
                } else {
                    undone += 1
                }
                ended_right(&mut rig, patched).await;
                if died.is_ok() {
                    break;
                }
            }
            assert!(undone > 2 && whole > 5 && undone + whole < WRITES_MAX, "{undone} {whole}");
        }
    }
}

#[tokio::test]
async fn the_same_request_again_meets_its_patch_and_ends_what_was_left() {
    for left in 0..30 {
        let mut rig = Rig::begin(&chain()).await;
        let first = rig.patch_by(&rig.mortal(left, true), "one", &everything()).await;
        let again = rig.patch("one", &everything()).await.unwrap();
        assert!(first.is_err() || first.unwrap() == again);
        assert_eq!(rig.operation().await.patch_seq, 1, "once, whatever became of the answer");
        assert!(rig.operation().await.todo.is_empty());
        ended_right(&mut rig, true).await;
    }
}

#[tokio::test]
async fn patches_come_one_after_the_other_and_lost_ones_leave_nothing_that_runs() {
    let mut rig = Rig::begin(&chain()).await;
    let lost = PatchChanges { added: vec![job("lost", &["a"])], ..PatchChanges::default() };
    // Dies before the transaction: its node is put, and is no part of the operation.
    rig.patch_by(&rig.mortal(2, false), "lost", &lost).await.unwrap_err();
    assert_eq!(rig.operation().await.reserved, 1);
    rig.patch("one", &everything()).await.unwrap();
    let title = Changed { node_id: id("y"), title: Some("why".into()), job_contract: None, on_failure: None };
    let mut contract = title.clone();
    contract.job_contract =
        job("y", &[]).job_contract.map(|it| weir_domain::plan::JobContract { attempts: 1, ..it });
    let second = PatchChanges { changed: vec![contract], ..PatchChanges::default() };
    let second = rig.patch("two", &second).await.unwrap();
    assert_eq!(rig.nodes().await[&id("y")].terms.attempts, 1, "the engine follows the new contract");
    // Whoever has the base and the links comes to the same plan.
    let operation = rig.operation().await;
    let mut links = Vec::new();
    for record in rig.engine.patches(&operation).await.unwrap() {
        let PlanDocument::Patch(patch) = rig.engine.plan_document(&record.effective_hash).await.unwrap()
        else {
            panic!("{record:?}")
        };
        links.push(*patch);
    }
    let (graph, hash) = replay(&chain(), &links).unwrap();
    assert_eq!((hash, links.len()), (second.effective_hash, 2));
    assert_eq!(graph, *rig.engine.graph_of(&operation).await.unwrap());
    ended_right(&mut rig, true).await;
    let refused = rig.patch("late", &everything()).await;
    assert!(matches!(refused, Err(PatchFailure::NotNow(_))), "{refused:?}");
}

#[tokio::test]
async fn a_patched_operation_can_be_paused_and_cancelled_like_any_other() {
    let mut rig = Rig::begin(&chain()).await;
    rig.work("a", true).await;
    rig.engine.pause(&rig.scope, rig.id, "bob").await.unwrap();
    rig.patch("one", &everything()).await.unwrap();
    assert_eq!(rig.status("x").await, NodeStatus::Pending, "nothing is claimed while it is paused");
    rig.engine.resume(&rig.scope, rig.id).await.unwrap();
    assert_eq!(rig.status("x").await, NodeStatus::Ready);
    // Dies right after its transaction; the cancel that follows ends the new nodes, too.
    let more = PatchChanges { added: vec![job("z", &["d"])], ..PatchChanges::default() };
    rig.patch_by(&rig.mortal(2, true), "two", &more).await.unwrap_err();
    assert_eq!(rig.operation().await.patch_seq, 2);
    rig.engine.cancel(&rig.scope, rig.id, "bob").await.unwrap();
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Cancelled);
    assert!(rig.nodes().await.values().all(|run| run.status.is_terminal()));
}

#[tokio::test]
async fn who_waits_again_for_what_has_ended_is_told_again() {
    let nodes = vec![job("a", &[]), job("b", &["a"]), job("c", &["a", "b"]), job("d", &["a", "b"])];
    let mut rig = Rig::begin(&Graph::new(nodes).unwrap()).await;
    rig.engine.pause(&rig.scope, rig.id, "bob").await.unwrap();
    rig.work("a", true).await;
    let less = PatchChanges { rewired: vec![rewired("c", &[], &["a"])], ..PatchChanges::default() };
    rig.patch("one", &less).await.unwrap();
    // What waited for it waits for what it waited for.
    let without = PatchChanges { removed: BTreeSet::from([id("b")]), ..PatchChanges::default() };
    rig.patch("two", &without).await.unwrap();
    assert!(rig.node("c").await.unmet.is_empty());
    rig.engine.resume(&rig.scope, rig.id).await.unwrap();
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn whom_a_patch_touches_goes_on_at_once() {
    let graph = Graph::new(vec![job("a", &[]), job("b", &[]), job("c", &["b"]), job("d", &["b"])]).unwrap();
    let mut rig = Rig::begin(&graph).await;
    rig.work("a", true).await;
    assert!(rig.node("a").await.closed);
    // One waits for what has ended, one for nothing any more, one is new: nobody else looks at any of them.
    let changes = PatchChanges {
        added: vec![job("x", &["a"]), job("y", &[])],
        rewired: vec![rewired("c", &["a"], &["b"]), rewired("d", &[], &["b"])],
        ..PatchChanges::default()
    };
    rig.patch("one", &changes).await.unwrap();
    for name in ["c", "d", "x", "y"] {
        assert_eq!(rig.status(name).await, NodeStatus::Ready, "{name}");
    }
}

#[tokio::test]
async fn a_patch_that_touches_more_than_a_transaction_holds_is_refused() {
    // Two gates that have not asked yet, and have to be held while what they ask about changes.
    let lanes = ["left", "right"].map(|lane| {
        let [first, asks, other] = ["first", "gate", "other"].map(|name| format!("{lane}.{name}"));
        let begins = [job(&first, &[]), gate(&asks, &[&first], 1), job(&other, &[])];
        let rest = (0..49).map(|number| job(&format!("{lane}.n{number}"), &[&asks, &other]));
        begins.into_iter().chain(rest).collect::<Vec<_>>()
    });
    let rig = Rig::begin(&Graph::new(lanes.concat()).unwrap()).await;
    // So many nodes of each lane wait for their gate alone.
    let alone = |most: usize| {
        let of = |lane: &str| {
            let other = format!("{lane}.other");
            (0..most).map(|n| rewired(&format!("{lane}.n{n}"), &[], &[&other])).collect::<Vec<_>>()
        };
        let rewired = ["left", "right"].map(of).concat();
        PatchChanges { added: vec![job("x", &[])], rewired, ..PatchChanges::default() }
    };
    let refused = async |most: usize| {
        let refused = rig.patch(&most.to_string(), &alone(most)).await;
        let Err(PatchFailure::Refused(PatchError::TooManyTouched { found })) = refused else {
            panic!("{refused:?}")
        };
        found
    };
    assert_eq!(refused(49).await, 100, "98 nodes, and the two that they waited for");
    assert_eq!(rig.operation().await.reserved, 0, "no number was taken for it");
    assert_eq!(refused(47).await, 98, "94 nodes, those two, and the gates");
    rig.patch("46", &alone(46)).await.unwrap();
}
