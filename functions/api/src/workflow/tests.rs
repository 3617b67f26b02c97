use crate::fixture::Shop;
use serde_json::json;
use std::collections::BTreeSet;
use weir_domain::{
    id::OperationId,
    operation::{OperationStatus, WorkflowKind},
    plan::NodeStatus,
    time::Millis,
};
use weir_edge::wire::{
    page::Page,
    workflow::{StepRun, WorkflowRun, WorkflowTemplate},
};

async fn templates(shop: &Shop, by: &str, query: &str) -> Page<WorkflowTemplate> {
    shop.api.get(&format!("/v1/workflow-templates{query}")).by(by).send().await.read(200)
}

async fn run(shop: &Shop, id: OperationId) -> WorkflowRun {
    shop.api.get(&format!("/v1/workflow-runs/{id}")).by("viewer").send().await.read(200)
}

async fn steps(shop: &Shop, id: OperationId, query: &str) -> Page<StepRun> {
    shop.api.get(&format!("/v1/workflow-runs/{id}/steps{query}")).by("viewer").send().await.read(200)
}

#[tokio::test]
async fn templates_are_built_in_or_the_definitions() {
    let shop = Shop::open().await;
    let own = json!({ "version": 4, "nodes": [{ "id": "look", "type": "verification", "capability": "verify.http" }] });
    shop.api.resource(&shop.scope, "template.mine", own).await;
    let all = templates(&shop, "viewer", "").await.items;
    let told: Vec<_> =
        all.iter().map(|it| (it.name.as_str(), it.is_builtin, it.tenant_id.is_some())).collect();
    assert_eq!(
        told,
        [
            ("weir.assignments-fetch", true, false),
            ("weir.assignments-restore", true, false),
            ("weir.definition-apply", true, false),
            ("weir.projections-rebuild", true, false),
            ("mine", false, true),
            ("deploy-host", false, false),
        ]
    );
    let deploy = shop.api.get("/v1/workflow-templates/template.deploy-host").by("viewer").send().await;
    let deploy: WorkflowTemplate = deploy.read(200);
    assert_eq!((deploy.edges[0].from.as_str(), deploy.edges[0].to.as_str()), ("deploy", "verify"));
    assert!(deploy.inputs["release"].required && deploy.outputs.is_empty());
    let builtin =
        shop.api.get("/v1/workflow-templates/template.weir.definition-apply").by("viewer").send().await;
    assert!(builtin.read::<WorkflowTemplate>(200).is_builtin);
    let others: BTreeSet<String> =
        templates(&shop, "stranger", "").await.items.into_iter().map(|it| it.name).collect();
    assert!(!others.contains("mine") && others.contains("deploy-host"));
    let hidden = shop.api.get("/v1/workflow-templates/template.mine").by("stranger").send().await;
    assert_eq!(hidden.short(), "404 not-found");
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = templates(&shop, "viewer", &format!("?limit=1{cursor}")).await;
        assert!(page.items.len() <= 1);
        paged.extend(page.items);
        let Some(next) = page.next_cursor else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, all);
    assert_eq!(templates(&shop, "viewer", "?is_builtin=true").await.items.len(), 4);
    assert_eq!(templates(&shop, "viewer", "?is_builtin=false").await.items.len(), 2);
}

#[tokio::test]
async fn a_run_says_who_what_when_and_by_which_template() {
    let shop = Shop::open().await;
    let id = shop.stage(shop.release).await;
    let told = run(&shop, id).await;
    assert_eq!(
        (told.kind, told.actor.as_str(), told.status),
        (Some(WorkflowKind::Promote), "alice", OperationStatus::Succeeded)
    );
    assert_eq!(told.template_id.as_ref().unwrap().as_str(), "template.deploy-host");
    assert_eq!(told.template_version, Some(1));
    assert_eq!(told.inputs["release"], json!(shop.release));
    assert_eq!(told.context["environment"], "environment.staging");
    assert!(told.finished_at.is_some() && told.finished_at == told.completed_at);
    assert!(told.logs.is_sorted_by_key(|entry| entry.ts));
    let deployed =
        told.logs.iter().find(|entry| entry.meta.get("node_id") == Some(&json!("deploy.stg-1"))).unwrap();
    assert_eq!(deployed.meta["kind"], "node_status_changed");
    let running =
        shop.promote(shop.ready("2.0.0").await, "environment.staging").await.promotion.workflow_run_id;
    assert_eq!(run(&shop, running).await.finished_at, None);
    let list = async |query: &str| {
        let page: Page<WorkflowRun> =
            shop.api.get(&format!("/v1/workflow-runs{query}")).by("viewer").send().await.read(200);
        page.items.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, [running, id]);
    assert_eq!(list("?kind=Promote&status=succeeded").await, [id]);
    assert_eq!(list("?kind=Deploy").await, []);
    assert_eq!(
        shop.api.get("/v1/workflow-runs?kind=deploy").by("viewer").send().await.short(),
        "400 invalid-query"
    );
}

#[tokio::test]
async fn every_attempt_is_a_step_run_with_its_own_log() {
    let shop = Shop::open().await;
    let id = shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id;
    shop.claim("stg-1").await;
    shop.api.clock.advance(Millis::from_secs(90));
    shop.api.cx.engine().reconcile().await.unwrap();
    shop.api.clock.advance(Millis::from_secs(90));
    let task = shop.deploy("stg-1").await;
    assert_eq!(task.attempt, 2);
    let all = steps(&shop, id, "").await.items;
    let deploys: Vec<_> = all.iter().filter(|it| it.node_id.as_str() == "deploy.stg-1").collect();
    let told: Vec<_> = deploys.iter().map(|it| (it.attempt_number, it.status)).collect();
    assert_eq!(told, [(1, NodeStatus::Failed), (2, NodeStatus::Succeeded)]);
    assert_eq!(deploys[0].error.as_ref().unwrap().code, "lease_expired");
    assert!(deploys[0].logs.is_none() && deploys[0].completed_at.is_some());
    let log = deploys[1].logs.as_ref().unwrap();
    assert!(log.contains("unpacked") && !log.contains("hunter2"), "{log}");
    assert_eq!(deploys[1].inputs["target"], "target.staging.stg-1");
    let pending: Vec<_> = all.iter().filter(|it| it.attempt_number == 0).collect();
    assert!(!pending.is_empty() && pending.iter().all(|it| it.status == NodeStatus::Pending));
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = steps(&shop, id, &format!("?limit=2{cursor}")).await;
        assert!(page.items.len() <= 2);
        paged.extend(page.items);
        let Some(next) = page.next_cursor else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, all);
    let path = format!("/v1/workflow-runs/{id}/steps");
    assert_eq!(shop.api.get(&path).by("stranger").send().await.short(), "404 not-found");
    assert_eq!(
        shop.api.get(&format!("{path}?cursor=x")).by("viewer").send().await.short(),
        "400 invalid-query"
    );
}
