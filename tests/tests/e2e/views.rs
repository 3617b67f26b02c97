//! What is shown beside operations: services, workflow runs, the run ledger, projections and their rebuild

use crate::{definition::ended, rig::Rig};
use std::{collections::BTreeMap, time::Duration};
use weir_client::api::IdempotencyKey;
use weir_domain::operation::{OperationStatus, RunOutcome};
use weir_local::story::{StoryReport, wait::until};

/// How long rows may be behind what they follow from, and a rebuild may take
const LIMIT: Duration = Duration::from_secs(120);

pub async fn show_what_was_done(rig: &Rig, story: &StoryReport) {
    services_name_what_runs(rig).await;
    runs_are_found(rig, story).await;
    rows_are_made_again(rig).await;
}

/// The release that was taken back is not what runs; rows follow the table's stream
async fn services_name_what_runs(rig: &Rig) {
    let reader = rig.person("carol");
    let shown = || async {
        let services = reader.service_list(&[]).await.unwrap().items;
        let places = services.into_iter().flat_map(|service| service.environments);
        let versions: BTreeMap<_, _> = places
            .filter_map(|place| Some((place.environment_id.to_string(), place.latest_release?.version)))
            .collect();
        let runs = |environment: &str| versions.get(environment).is_some_and(|version| version == "1.0.0");
        Ok((runs("environment.staging") && runs("environment.production")).then_some(()))
    };
    until("the services to show what runs", LIMIT, shown).await.unwrap();
}

async fn runs_are_found(rig: &Rig, story: &StoryReport) {
    let reader = rig.person("carol");
    let failed = reader.operation_run_list(&[("outcome", "failed")]).await.unwrap().items;
    assert!(failed.iter().any(|run| run.id == story.failed.operation_id));
    assert!(failed.iter().all(|run| run.outcome == RunOutcome::Failed));
    let shown = reader.operation_run_show(story.failed.operation_id).await.unwrap();
    let why: Vec<_> = shown.failure_summary.iter().map(|it| it.message.as_str()).collect();
    assert!(why.iter().any(|message| message.contains("503")), "{why:?}");

    let run = reader.workflow_run_show(story.production.operation_id).await.unwrap();
    assert_eq!(run.status, OperationStatus::Succeeded);
    // Housekeeping is the whole workspace's.
    let carol = weir_local::story::person(&rig.stack, "carol").unwrap();
    let pass = carol.operation_run_reconcile(&IdempotencyKey::random()).await.unwrap();
    assert_eq!(carol.operation_run_show(pass.id).await.unwrap().id, pass.id);
}

async fn rows_are_made_again(rig: &Rig) {
    let carol = weir_local::story::person(&rig.stack, "carol").unwrap();
    let rows =
        async || (carol.resource_list(&[]).await.unwrap().items, carol.service_list(&[]).await.unwrap());
    let before = rows().await;
    assert!(!before.0.is_empty());
    let started = carol.projection_rebuild(&IdempotencyKey::random()).await.unwrap();
    let rebuilt = ended(rig, "harbor", &carol, started.operation_id, LIMIT).await;
    assert_eq!(rebuilt.status, OperationStatus::Succeeded, "{:?}", rebuilt.failure_summary);
    assert_eq!(rows().await, before);
    let projections = carol.projection_list(&[]).await.unwrap().items;
    assert!(projections.iter().all(|it| it.behind == 0), "{projections:?}");
}
