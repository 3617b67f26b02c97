//! Patches and gates: what is asked about is the plan as it is, and exactly the approvals of another one are void

use crate::{
    rig::{Rig, id, job},
    table::Point,
};
use std::collections::BTreeSet;
use tokio::sync::oneshot;
use weir_domain::{
    actor::{Actor, ActorKind, Via},
    gate::{ApprovalGate, DecisionAction, DecisionRequest, Gate, GateSpec, GateStatus},
    operation::OperationStatus,
    plan::{
        Executor, Graph, JobContract, NodeStatus, NodeType, PatchChanges, PatchError, PlanNode,
        patch::Changed,
    },
};
use weir_orchestration::{
    Clock as _, Outcome, PatchFailure,
    gates::{gate_id, record_decision},
};
use weir_store::{Entity as _, Key};

/// A gate that so many people open
pub fn gate(name: &str, needs: &[&str], people: u32) -> PlanNode {
    let rule = serde_json::json!({ "required_approvals": people, "require_sod": false });
    let rule = serde_json::from_value(rule).unwrap();
    PlanNode {
        depends_on: needs.iter().map(|need| id(need)).collect(),
        gate: Some(GateSpec::Approval(ApprovalGate { rule, policies: Vec::new(), reasons: Vec::new() })),
        ..PlanNode::new(id(name), NodeType::Gate, name, Executor::Decide)
    }
}

async fn gate_of(rig: &Rig, name: &str) -> Gate {
    let run = rig.nodes().await.remove(&id(name)).unwrap();
    let key = Key::entity(&rig.scope, Gate::KIND, gate_id(rig.id, run.ordinal));
    rig.engine.table.read::<Gate>(&key).await.unwrap().unwrap().0
}

async fn approve(rig: &Rig, name: &str, person: &str) -> GateStatus {
    let gate = gate_of(rig, name).await;
    let actor = Actor { id: person.into(), kind: ActorKind::User, via: Via::DevToken, ..Actor::system("") };
    let request = DecisionRequest {
        actor: &actor,
        action: DecisionAction::Approved,
        comment: None,
        closure_hash: Some(&gate.closure_hash),
        now: rig.clock.now(),
    };
    record_decision(&rig.engine, &rig.scope, gate.gate_id, request, None).await.unwrap().status
}

#[tokio::test]
async fn exactly_the_approvals_whose_part_of_the_plan_changed_are_void() {
    // Two lanes, each behind a gate of its own that two people open.
    let lanes = ["left", "right"].into_iter().flat_map(|lane| {
        let (before, after) = (format!("{lane}.gate"), format!("{lane}.job"));
        [gate(&before, &[], 2), job(&after, &[&before])]
    });
    let mut rig = Rig::begin(&Graph::new(lanes.collect()).unwrap()).await;
    for lane in ["left.gate", "right.gate"] {
        assert_eq!(approve(&rig, lane, "ann").await, GateStatus::Open);
    }
    let more = PatchChanges { added: vec![job("left.more", &["left.job"])], ..PatchChanges::default() };
    assert_eq!(rig.patch("one", &more).await.unwrap().voided, [id("left.gate")]);
    assert_eq!(approve(&rig, "right.gate", "bea").await, GateStatus::Allowed, "this one counts still");
    assert_eq!(approve(&rig, "left.gate", "bea").await, GateStatus::Open, "of another plan: one of two");
    assert_eq!(
        approve(&rig, "left.gate", "ann").await,
        GateStatus::Allowed,
        "who agreed to the former may agree anew"
    );
    // It has passed; what is added behind it now is asked about by a fresh copy, and nothing else waits.
    let last = PatchChanges { added: vec![job("left.last", &["left.more"])], ..PatchChanges::default() };
    let record = rig.patch("two", &last).await.unwrap();
    assert_eq!(
        (record.voided, record.added),
        (vec![id("left.gate")], vec![id("left.last"), id("left.gate.p2")])
    );
    rig.work("left.job", true).await;
    rig.work("left.more", true).await;
    assert_eq!(rig.status("left.last").await, NodeStatus::Pending);
    approve(&rig, "left.gate.p2", "ann").await;
    approve(&rig, "left.gate.p2", "bea").await;
    assert_eq!(rig.status("left.last").await, NodeStatus::Ready);
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn a_leaf_that_is_taken_away_was_a_part_of_what_people_agreed_to() {
    let lanes = ["left", "right"].into_iter().flat_map(|lane| {
        let (before, work, look) = (format!("{lane}.gate"), format!("{lane}.job"), format!("{lane}.look"));
        [gate(&before, &[], 1), job(&work, &[&before]), job(&look, &[&work])]
    });
    let mut rig = Rig::begin(&Graph::new(lanes.collect()).unwrap()).await;
    for lane in ["left.gate", "right.gate"] {
        assert_eq!(approve(&rig, lane, "ann").await, GateStatus::Allowed);
    }
    let less = PatchChanges { removed: BTreeSet::from([id("left.look")]), ..PatchChanges::default() };
    let record = rig.patch("one", &less).await.unwrap();
    assert_eq!((record.voided, record.added), (vec![id("left.gate")], vec![]), "and the other one stands");
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn a_gate_that_has_not_asked_yet_asks_about_the_patched_plan() {
    let graph = Graph::new(vec![job("a", &[]), gate("gate", &["a"], 1), job("b", &["gate"])]).unwrap();
    let mut rig = Rig::begin(&graph).await;
    let more = PatchChanges { added: vec![job("c", &["b"])], ..PatchChanges::default() };
    assert!(rig.patch("one", &more).await.unwrap().voided.is_empty());
    rig.work("a", true).await;
    let operation = rig.operation().await;
    let graph = rig.engine.graph_of(&operation).await.unwrap();
    let at = graph.ordinal_of(&id("gate")).unwrap();
    assert_eq!(
        gate_of(&rig, "gate").await.closure_hash,
        weir_domain::gate::closure_hash(&graph, at).unwrap()
    );
    approve(&rig, "gate", "ann").await;
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn a_gate_that_asks_while_it_is_patched_asks_about_the_patched_plan() {
    let graph = Graph::new(vec![job("a", &[]), gate("gate", &["a"], 1), job("b", &["gate"])]).unwrap();
    let mut rig = Rig::begin(&graph).await;
    let key = rig.key("a").await;
    rig.start("a").await;
    let peer = rig.peer();
    let patcher = rig
        .overtaken(|point| matches!(point, Point::Transact(writes) if writes.len() > 2), async move {
            drop(peer.report(&key, 1, Outcome::Succeeded, "a/1".to_owned()).await.unwrap())
        });
    let more = PatchChanges { added: vec![job("c", &["b"])], ..PatchChanges::default() };
    rig.patch_by(&patcher, "one", &more).await.unwrap();
    let operation = rig.operation().await;
    let graph = rig.engine.graph_of(&operation).await.unwrap();
    let at = graph.ordinal_of(&id("gate")).unwrap();
    let asked = gate_of(&rig, "gate").await;
    assert_eq!(asked.closure_hash, weir_domain::gate::closure_hash(&graph, at).unwrap());
    approve(&rig, "gate", "ann").await;
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn a_gate_that_is_being_opened_is_not_given_dependents_past_its_question() {
    let plan = Graph::new(vec![job("a", &[]), gate("gate", &["a"], 1), job("b", &["gate"])]).unwrap();
    let mut rig = Rig::begin(&plan).await;
    rig.start("a").await;
    // Whoever claims the gate has read the plan, and has not asked yet when the patch is written.
    let ((reached, is_reached), (go_on, goes_on)) = (oneshot::channel(), oneshot::channel());
    let asks = rig.overtaken(|point| matches!(point, Point::Transact(_)), async move {
        reached.send(()).unwrap();
        goes_on.await.unwrap();
    });
    let key = rig.key("a").await;
    let patcher = rig.overtaken(|point| matches!(point, Point::Transact(_)), async move {
        tokio::spawn(async move { asks.report(&key, 1, Outcome::Succeeded, "a/1".to_owned()).await });
        is_reached.await.unwrap();
    });
    let more = PatchChanges { added: vec![job("c", &["gate"])], ..PatchChanges::default() };
    let patched = rig.patch_by(&patcher, "one", &more).await;
    go_on.send(()).unwrap();
    while rig.status("gate").await != NodeStatus::Waiting {
        tokio::task::yield_now().await;
    }
    if patched.is_err() {
        rig.patch("two", &more).await.unwrap();
    }
    let graph = rig.engine.graph_of(&rig.operation().await).await.unwrap();
    let at = graph.ordinal_of(&id("gate")).unwrap();
    let asked = gate_of(&rig, "gate").await;
    assert_eq!(asked.closure_hash, weir_domain::gate::closure_hash(&graph, at).unwrap());
    approve(&rig, "gate", "ann").await;
    rig.settle().await;
    assert_eq!(rig.operation().await.status, OperationStatus::Succeeded);
}

#[tokio::test]
async fn what_another_operation_runs_is_given_nothing_to_do() {
    // The gate stands in the operation that runs the other one.
    let step = PlanNode::new(id("step"), NodeType::SubOperation, "step", Executor::Decide);
    let step = PlanNode { depends_on: BTreeSet::from([id("gate")]), ..step };
    let outer = Rig::create(&Graph::new(vec![gate("gate", &[], 1), step]).unwrap()).await;
    let plan = Graph::new(vec![job("a", &[]), job("b", &["a"]), job("c", &["b"])]).unwrap();
    let mut inner = outer.child("step", &plan).await;
    outer.engine.begin(&outer.scope, outer.id, "root".to_owned()).await.unwrap();
    approve(&outer, "gate", "ann").await;
    inner.engine.begin(&inner.scope, inner.id, "child".to_owned()).await.unwrap();
    let more = PatchChanges { added: vec![job("x", &["a"])], ..PatchChanges::default() };
    let refused = inner.patch("one", &more).await;
    let Err(PatchFailure::Refused(PatchError::Ungated { node })) = refused else { panic!("{refused:?}") };
    assert_eq!((node, inner.operation().await.reserved), (id("x"), 0));
    let limits = job("b", &[]).job_contract.map(|it| JobContract { attempts: it.attempts + 1, ..it });
    let changed = Changed { node_id: id("b"), title: None, job_contract: limits, on_failure: None };
    let less = PatchChanges {
        removed: BTreeSet::from([id("c")]),
        changed: vec![changed],
        ..PatchChanges::default()
    };
    inner.patch("two", &less).await.unwrap();
    assert_eq!(inner.node("b").await.terms.attempts, 4);
    for name in ["a", "b"] {
        inner.work(name, true).await;
    }
    assert_eq!(inner.nodes().await[&id("c")].error.as_ref().unwrap().code, "removed");
}
