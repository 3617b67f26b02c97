//! The main job from end to end, on the embedded emulator or, with `WEIR_E2E_ENDPOINT`, on another endpoint
//!
//! One test, so that the stack is brought up once: it is most of the time that all of this takes.

#![cfg(test)]

mod audit;
mod definition;
mod forty;
mod rig;
mod two_hundred;
mod views;

use rig::Rig;
use weir_domain::{
    delivery::PromotionStatus,
    operation::{OperationStatus, OperationType},
    plan::NodeStatus,
};
use weir_edge::wire::operation::OperationView;
use weir_local::story::StoryReport;

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_runs_and_proves_itself() {
    let rig = Rig::up().await;
    // Checked in a task of its own, so that the stack is stopped whatever comes of it.
    let checked = rig.checked(async |rig| {
        // What it runs on does what the table in memory does, with which all else is tested. Of an endpoint that is
        // given, `.ci/run` asks that by the store's own test.
        if rig.embedded {
            weir_store::contract::run(&rig.table_beside("contract").await, 1).await.unwrap();
        }
        let first = rig.told().await;
        the_story_is_as_told(&first);
        audit::is_sealed(rig).await;
        let again = rig.told().await;
        assert!(again.definition.is_none(), "the definition was applied already");
        the_story_is_as_told(&again);
        assert!(again.audit_events > first.audit_events);
        views::show_what_was_done(rig, &again).await;
        forty::nodes_cost_at_most_47_states(rig).await;
        two_hundred::nodes_survive_everything(rig).await;
    });
    checked.await;
}

fn the_story_is_as_told(story: &StoryReport) {
    if let Some(definition) = &story.definition {
        assert_eq!(definition.operation_type, OperationType::DefinitionApply);
        assert_eq!(definition.status, OperationStatus::Succeeded);
    }
    for delivered in [&story.staging, &story.production, &story.rollback] {
        assert_eq!(delivered.status, OperationStatus::Succeeded, "{}", delivered.title);
        assert!(delivered.nodes.iter().all(|node| node.status == NodeStatus::Succeeded));
    }
    assert_eq!(story.failed.status, OperationStatus::Failed);
    assert_eq!(status(&story.failed, "verify.stg-1"), NodeStatus::Failed);
    assert_eq!(status(&story.failed, "deploy.stg-2"), NodeStatus::Skipped, "its batch waited for stg-1");
    assert_eq!(story.failed.rolled_back_by, Some(story.rollback.operation_id));
    assert_eq!(story.rollback.rollback_of, Some(story.failed.operation_id));
    assert_eq!(story.rollback.operation_type, OperationType::Rollback);
    assert_eq!(story.failed_promotion, PromotionStatus::RolledBack);

    assert_eq!((story.refusal.status, story.refusal.code.as_str()), (403, "W0412"));
    assert_eq!(story.refusal.audited, "separation_of_duties");
    let answers: Vec<_> = story.answers.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let good = "hello from web 1.0.0";
    assert_eq!(answers, [("prd-1", good), ("prd-2", good), ("stg-1", good), ("stg-2", good)]);
    // A decision and a deployment for each promotion, and one for the rollback: verified by the story itself.
    let expected = 7 + usize::from(story.definition.is_some());
    assert_eq!(story.evidence.len(), expected, "{:?}", story.evidence);
}

fn status(operation: &OperationView, node: &str) -> NodeStatus {
    let found = operation.nodes.iter().find(|it| it.node_id.as_str() == node);
    found.unwrap_or_else(|| panic!("{} has no node `{node}`", operation.title)).status
}
