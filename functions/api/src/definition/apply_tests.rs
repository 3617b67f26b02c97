use crate::fixture::example;
use serde_json::json;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::{
        apply::{Applied, apply_group},
        document::read,
    },
    id::PlanId,
    operation::OperationType,
    plan::{DefinitionContext, Plan, PlanContext},
};
use weir_edge::wire::operation::OperationView;
use weir_orchestration::{
    Clock as _,
    definition::{PlannedDefinition, plan, state},
    delivery::Origin,
};
use weir_testkit::TestApi;

/// The plan of the example, uploaded and planned by somebody of the workspace
async fn planned(api: &TestApi, seed: &str) -> PlannedDefinition {
    let digest = api.cx.ledger().definition_put(example().to_vec().unwrap()).await.unwrap();
    let origin = Origin { now: api.clock.now(), seed: seed.to_owned(), request_id: None };
    let (scope, actor) = (api.cx.workspace(), Actor::system("test"));
    plan(api.cx.engine(), &scope, &actor, &origin, &digest).await.unwrap()
}

#[tokio::test]
async fn a_plan_of_changes_is_applied_once() {
    let api = TestApi::new(crate::ENDPOINTS).await;
    let id = planned(&api, "one").await.plan.unwrap().plan_id;
    let apply =
        |by: &'static str| api.post("/v1/definition/applies").by(by).json(&json!({ "plan_id": id })).send();
    assert_eq!(apply("viewer").await.short(), "403 forbidden");
    assert_eq!(apply("operator").await.short(), "403 forbidden", "the definition is not a tenant's");
    let view: OperationView = apply("root").await.read(201);
    assert_eq!(
        (view.operation_type, view.tenant_id, view.plan_id),
        (OperationType::DefinitionApply, None, id)
    );
    assert_eq!(api.cloud.told().operations.len(), 1);
    assert_eq!(apply("root").await.short(), "409 not-allowed-now");
    let read = api.get(&format!("/v1/operations/{}", view.operation_id)).by("root").send().await;
    assert_eq!(read.read::<OperationView>(200).nodes[0].node_id.as_str(), "change.group-1");
}

#[tokio::test]
async fn what_is_no_plan_of_the_definition_is_refused() {
    let api = TestApi::new(crate::ENDPOINTS).await;
    for (body, expected) in [
        (json!({ "plan_id": "pln_01ARZ3NDEKTSV4RRFFQ69G5FAV" }), "422 invalid-reference"),
        (json!({ "plan_id": "op_01ARZ3NDEKTSV4RRFFQ69G5FAV" }), "400 invalid-body"),
        (json!({}), "400 invalid-body"),
    ] {
        let reply = api.post("/v1/definition/applies").by("root").json(&body).send().await;
        assert_eq!(reply.short(), expected, "{body}");
    }
}

#[tokio::test]
async fn a_plan_is_run_as_any_other_unless_the_state_has_moved_since() {
    let api = TestApi::new(crate::ENDPOINTS).await;
    let (first, second) = (planned(&api, "one").await, planned(&api, "two").await);
    let run = |id: PlanId| api.post(&format!("/v1/plans/{id}/operations")).by("root").send();
    let view: OperationView = run(first.plan.unwrap().plan_id).await.read(201);
    assert_eq!(view.operation_type, OperationType::DefinitionApply);

    let definition = read(&example(), None).unwrap().definition.unwrap();
    let applied = apply_group(None, &first.changes, 0, &definition, api.clock.now()).unwrap();
    let Applied::Next(state) = applied else { panic!("nothing would change") };
    api.cx.ledger().state_write(None, state.state_revision, state.to_vec().unwrap()).await.unwrap();
    let id: PlanId = second.plan.unwrap().plan_id;
    assert_eq!(run(id).await.short(), "409 plan-stale");
    let applied = api.post("/v1/definition/applies").by("root").json(&json!({ "plan_id": id })).send().await;
    assert_eq!(applied.short(), "409 plan-stale");
}

#[tokio::test]
async fn changes_that_the_operation_s_own_plan_does_not_name_are_not_applied() {
    let api = TestApi::new(crate::ENDPOINTS).await;
    let plan = planned(&api, "one").await.plan.unwrap();
    let path = format!("/v1/plans/{}/operations", plan.plan_id);
    let view: OperationView = api.post(&path).by("root").send().await.read(201);
    // What the node asks for is as good as before; what was accepted is something else.
    let PlanContext::Definition(context) = plan.context.clone() else { panic!("{plan:?}") };
    let context = DefinitionContext { change_plan_digest: Digest::of_bytes(b"another"), ..context };
    api.put(&api.cx.workspace(), &Plan { context: PlanContext::Definition(context), ..plan }).await;
    let ended = crate::projection::tests::run(&api, view.operation_id).await;
    let error = ended.nodes.into_iter().find_map(|node| node.error).unwrap();
    assert_eq!((ended.status.as_str(), error.code.as_str()), ("failed", "not_planned"));
    assert!(state(api.cx.engine()).await.unwrap().is_none(), "nothing was written");
}
