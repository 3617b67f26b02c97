use crate::fixture::Shop;
use serde_json::json;
use weir_domain::{
    id::DeploymentId,
    operation::{DeploymentJobStatus, DeploymentTaskStatus},
};
use weir_edge::wire::{deployment::DeploymentView, operation::Timeline};

async fn deployment(shop: &Shop, id: DeploymentId) -> DeploymentView {
    shop.api.get(&format!("/v1/deployments/{id}")).by("viewer").send().await.read(200)
}

#[tokio::test]
async fn a_deployment_shows_its_tasks_with_agents_and_logs() {
    let shop = Shop::open().await;
    let id = DeploymentId::from(shop.stage(shop.release).await);
    let first = deployment(&shop, id).await;
    assert_eq!((first.status, first.strategy.as_str()), (DeploymentJobStatus::Succeeded, "rolling"));
    assert_eq!((first.artifacts.len(), first.tasks.len(), first.rollback_of), (1, 2, None));
    let task = &first.tasks[0];
    assert_eq!((task.status, task.agent_id), (DeploymentTaskStatus::Succeeded, Some(shop.agent("stg-1"))));
    assert_eq!(task.previous_digest, None);
    let logs = task.logs.as_deref().unwrap();
    assert!(logs.starts_with("unpacked\n") && !logs.contains("hunter2"), "{logs}");
}

#[tokio::test]
async fn a_failed_deployment_is_taken_back_by_another_job() {
    let shop = Shop::open().await;
    shop.stage(shop.release).await;
    let next = shop.ready("1.1.0").await;
    let failed = shop.promote(next, "environment.staging").await.promotion.workflow_run_id;
    shop.deploy("stg-1").await;
    shop.job(failed, "verify.stg-1", false).await;
    shop.end(failed).await;
    let view = deployment(&shop, failed.into()).await;
    assert_eq!((view.status, view.tasks[0].previous_digest.is_some()), (DeploymentJobStatus::Failed, true));

    let back = shop.api.cloud.told().operations.last().unwrap().operation;
    assert_ne!(back, failed);
    shop.begin(back).await;
    shop.deploy("stg-1").await;
    shop.job(back, "verify.stg-1", true).await;
    shop.end(back).await;
    let rollback = deployment(&shop, back.into()).await;
    assert_eq!(
        (rollback.status, rollback.rollback_of),
        (DeploymentJobStatus::Succeeded, Some(failed.into()))
    );
    let view = deployment(&shop, failed.into()).await;
    assert_eq!(
        (view.status, view.tasks[0].status),
        (DeploymentJobStatus::RolledBack, DeploymentTaskStatus::RolledBack)
    );
    assert_eq!(shop.operation(failed).await.rolled_back_by, Some(back));
}

#[tokio::test]
async fn a_failed_deployment_whose_way_back_cannot_be_planned_ends_all_the_same() {
    let shop = Shop::open().await;
    shop.stage(shop.release).await;
    let next = shop.ready("1.1.0").await;
    let failed = shop.promote(next, "environment.staging").await.promotion.workflow_run_id;
    let back = json!({ "version": 1, "target_resource_type": "environment", "actions": ["rollback"],
        "template": "template.deploy-host" });
    shop.api.resource(&shop.scope.outer(), "scenario.back", back).await;
    shop.deploy("stg-1").await;
    shop.job(failed, "verify.stg-1", false).await;
    shop.end(failed).await;
    let view = shop.operation(failed).await;
    assert_eq!((view.settled, view.rolled_back_by), (true, None), "it holds neither its lock nor its queues");
    let path = format!("/v1/operations/{failed}/timeline");
    let timeline: Timeline = shop.api.get(&path).by("viewer").send().await.read(200);
    let told = timeline.events.iter().find(|event| event.message.contains("nothing is rolled back")).unwrap();
    assert!(told.message.contains("scenario.back"), "{told:?}");
}

#[tokio::test]
async fn deployments_of_others_and_those_that_are_none_are_not_there() {
    let shop = Shop::open().await;
    let promotion = shop.promote(shop.release, "environment.staging").await;
    for (by, id, expected) in [
        ("viewer", promotion.deployment_id.to_string(), "200"),
        ("stranger", promotion.deployment_id.to_string(), "404 not-found"),
        ("viewer", "dep_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(), "404 not-found"),
        ("viewer", promotion.promotion.workflow_run_id.to_string(), "400 invalid-id"),
    ] {
        let reply = shop.api.get(&format!("/v1/deployments/{id}")).by(by).send().await;
        assert_eq!(reply.short(), expected, "{by} {id}");
    }
}
