use super::*;
use crate::{
    engine::Terms,
    plan::{Backoff, Executor, Idempotency, NodeType, OnFailure},
    planner::{APPLY_GROUP, DEPLOY_HOST, SUB_OPERATION},
};
use serde_json::json;

fn contract(capability: &str, idempotency: Idempotency) -> JobContract {
    JobContract {
        capability: capability.to_owned(),
        inputs: object(json!({ "url": "/a", "body": { "n": 1 } })),
        outputs: Vec::new(),
        timeout_s: 60,
        attempts: 2,
        backoff: Backoff::default(),
        idempotency,
        secrets: Vec::new(),
        deadline_s: Some(600),
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn open(kind: NodeType, contract: Option<&JobContract>) -> Intervention {
    let operation = OperationId::new(5, 7);
    let (may, replaceable) = possible(kind, contract);
    Intervention {
        intervention_id: intervention_id(operation, 3, 2),
        operation_id: operation,
        ordinal: 3,
        node_id: "call".parse().unwrap(),
        title: "call".to_owned(),
        subject: "a thing".to_owned(),
        cause: InterventionCause::Failed,
        attempt: 2,
        error: Some(FailureSummary::new("http_503", "it answered 503")),
        may,
        replaceable,
        inputs: Map::new(),
        status: InterventionStatus::Open,
        environment: None,
        requested_by: Actor::system("test"),
        graph_hash: Digest::of_bytes(b"plan"),
        decision: None,
        created_at: Millis(1_000).into(),
        ended_at: None,
    }
}

/// The node that waits, after its second and last attempt has failed
fn waiting(attempts: u32) -> NodeRun {
    let terms = Terms {
        kind: NodeType::Job,
        runs: Executor::Job,
        on_failure: OnFailure::Pause,
        attempts,
        timeout_s: 60,
        backoff: Backoff::default(),
        deadline_s: Some(600),
    };
    let error = Some(FailureSummary::new("http_503", "it answered 503"));
    NodeRun { status: NodeStatus::Waiting, attempt: 2, error, ..NodeRun::new(3, 0, terms, [], [4]) }
}

fn ask<'a>(
    actor: &'a Actor,
    action: InterventionAction,
    inputs: &'a Map<String, Value>,
) -> InterventionRequest<'a> {
    InterventionRequest { actor, action, comment: None, inputs, graph_hash: None, now: Millis(9_000) }
}

#[test]
fn what_may_be_decided_follows_from_the_contract() {
    let may = |kind, contract: Option<&JobContract>| {
        let (may, inputs) = possible(kind, contract);
        (may.into_iter().map(InterventionAction::as_str).collect::<Vec<_>>().join(" "), inputs.len())
    };
    let http = contract("http", Idempotency::AttemptKey);
    for (kind, contract, expected, inputs) in [
        (NodeType::Intervention, None, "mark_done skip", 0),
        (NodeType::Job, Some(http), "retry mark_done skip replace_inputs", 2),
        (NodeType::Job, Some(contract("http", Idempotency::Once)), "mark_done skip", 0),
        (NodeType::Job, Some(contract(DEPLOY_HOST, Idempotency::Natural)), "retry mark_done skip", 0),
        (NodeType::Change, Some(contract(APPLY_GROUP, Idempotency::Natural)), "retry mark_done skip", 0),
        (
            NodeType::SubOperation,
            Some(contract(SUB_OPERATION, Idempotency::Natural)),
            "retry mark_done skip",
            0,
        ),
    ] {
        assert_eq!(may(kind, contract.as_ref()), (expected.to_owned(), inputs), "{kind:?}");
    }
}

#[test]
fn where_something_is_done_is_not_replaced() {
    let replaceable = |inputs: Value| {
        let contract = JobContract { inputs: object(inputs), ..contract("http.call", Idempotency::Natural) };
        possible(NodeType::Job, Some(&contract)).1
    };
    let at_target = json!({ "target": "target.staging.a", "provider": "provider.b", "url": "/a", "body": 1 });
    assert_eq!(replaceable(at_target), ["url", "body"]);
    assert_eq!(replaceable(json!({ "url": "https://a.example.org/a", "method": "PUT" })), ["method"]);
    assert_eq!(replaceable(json!({ "function": "f", "host": "h", "payload": 1 })), ["payload"]);
    let (may, none) = possible(
        NodeType::Job,
        Some(&JobContract {
            inputs: object(json!({ "target": "target.staging.a" })),
            ..contract("verify.http", Idempotency::Natural)
        }),
    );
    assert!(none.is_empty() && !may.contains(&InterventionAction::ReplaceInputs), "{may:?}");
}

#[test]
fn a_decision_that_breaks_a_rule_does_not_count() {
    let actor = Actor::system("test");
    let http = contract("http", Idempotency::Natural);
    let manual = open(NodeType::Intervention, None);
    let failed = open(NodeType::Job, Some(&http));
    let refused = |intervention: &Intervention, action, inputs: Value| {
        let inputs = object(inputs);
        decide(intervention.clone(), &ask(&actor, action, &inputs)).unwrap_err().code()
    };
    use InterventionAction::{ReplaceInputs, Retry, Skip};
    for (intervention, action, inputs, expected) in [
        (&manual, Retry, json!({}), "not_possible"),
        (&failed, ReplaceInputs, json!({}), "inputs"),
        (&failed, Skip, json!({ "url": "/b" }), "inputs"),
        (&failed, ReplaceInputs, json!({ "uri": "/b" }), "unknown_input"),
        (&failed, ReplaceInputs, json!({ "url": "http://b" }), "elsewhere"),
        (&failed, ReplaceInputs, json!({ "url": ["/b"] }), "elsewhere"),
        (&failed, ReplaceInputs, json!({ "body": [{ "api_token": "x" }] }), "secret"),
        (&failed, ReplaceInputs, json!({ "body": "x".repeat(INPUTS_MAX) }), "too_large"),
    ] {
        assert_eq!(refused(intervention, action, inputs.clone()), expected, "{action:?} {inputs}");
    }
    let none = Map::new();
    let other = Digest::of_bytes(b"another plan");
    let hash = InterventionRequest { graph_hash: Some(&other), ..ask(&actor, Retry, &none) };
    assert_eq!(decide(failed.clone(), &hash).unwrap_err().code(), "hash_changed");
    let long = "x".repeat(COMMENT_MAX + 1);
    let wordy = InterventionRequest { comment: Some(&long), ..ask(&actor, Retry, &none) };
    assert_eq!(decide(failed.clone(), &wordy).unwrap_err().code(), "comment_too_long");
    let decided = decide(failed.clone(), &ask(&actor, Retry, &none)).unwrap();
    assert_eq!(decide(decided, &ask(&actor, Retry, &none)).unwrap_err().code(), "decided");
    assert_eq!(decide(failed.voided(Millis(2)), &ask(&actor, Skip, &none)).unwrap_err().code(), "void");
}

#[test]
fn a_decision_moves_the_node_once_however_often_it_is_carried_out() {
    let actor = Actor { id: "bob".to_owned(), ..Actor::system("test") };
    let http = contract("http", Idempotency::Natural);
    let node = waiting(2);
    for (action, inputs, status) in [
        (InterventionAction::Retry, json!({}), NodeStatus::Ready),
        (InterventionAction::ReplaceInputs, json!({ "url": "/b" }), NodeStatus::Ready),
        (InterventionAction::MarkDone, json!({}), NodeStatus::Succeeded),
        (InterventionAction::Skip, json!({}), NodeStatus::Skipped),
    ] {
        let inputs = object(inputs);
        let decided = decide(open(NodeType::Job, Some(&http)), &ask(&actor, action, &inputs)).unwrap();
        let update = decided.update(&node, Millis(10_000)).unwrap();
        let after = update.apply(&node).unwrap();
        assert_eq!(after.status, status, "{action:?}");
        assert!(update.apply(&after).is_err() && update.is_mine(&after), "{action:?}");
        if status == NodeStatus::Ready {
            assert_eq!((after.attempt, after.error.as_ref(), after.past.len()), (3, None, 1));
            assert_eq!(after.ends_by, Some(Millis(9_000 + 600_000)), "a person's retry has its own time");
            assert_eq!(after.inputs_from.is_some(), action == InterventionAction::ReplaceInputs);
        } else {
            assert!(after.is_satisfying(), "its verification decides, and runs");
        }
    }
}

#[test]
fn replaced_inputs_lie_over_those_of_the_plan_and_over_those_replaced_before() {
    let actor = Actor::system("test");
    let http = contract("http", Idempotency::Natural);
    let mut first = open(NodeType::Job, Some(&http));
    first.inputs = object(json!({ "url": "/b", "body": 2 }));
    let inputs = object(json!({ "url": "/c" }));
    let second = decide(first, &ask(&actor, InterventionAction::ReplaceInputs, &inputs)).unwrap();
    let wanted = object(json!({ "url": "/c", "body": 2 }));
    assert_eq!(second.applied_to(&http).inputs, wanted);
    assert_eq!(second.decision.unwrap().graph_hash, Digest::of_bytes(b"plan"));
}

#[test]
fn who_was_skipped_because_of_another_satisfies_nobody() {
    let update = NodeUpdate::Skip { now: Millis(1), error: FailureSummary::dependency(1) };
    let pending = NodeRun { status: NodeStatus::Pending, attempt: 0, error: None, ..waiting(2) };
    assert!(!update.apply(&pending).unwrap().is_satisfying());
}
