//! `weir promote`: a release into an environment

use super::{
    environment,
    run::{assignment, foresee},
};
use crate::{
    api::IdempotencyKey,
    cli::{
        exit::{Exit, Failure},
        render,
        session::Session,
        style::plain,
        watch::{self, Events, Until},
    },
};
use clap::Args;
use serde_json::{Map, Value, json};
use weir_domain::{
    definition::address::Address,
    id::ReleaseId,
    operation::{OperationStatus, OperationType},
};
use weir_edge::wire::{
    intent::{IntentConstraints, IntentCreate},
    operation::OperationView,
    promotion::PromotionCreate,
};

/// A promotion
#[derive(Debug, Args)]
pub struct Promote {
    /// The release, such as rel_01J…
    #[arg(value_name = "RELEASE")]
    pub release: ReleaseId,
    /// Where it is brought, such as staging
    #[arg(value_name = "ENVIRONMENT", value_parser = environment)]
    pub environment: Address,
    /// Where it has to run already [default: the environment before, in the service's order]
    #[arg(long, value_name = "ENVIRONMENT", value_parser = environment)]
    pub from: Option<Address>,
    /// An edit of the scenario's template at one of its editable points, such as deploy.timeout_s=300
    #[arg(long = "set", value_name = "NODE.FIELD=VALUE", value_parser = assignment)]
    pub edits: Vec<(String, Value)>,
    /// Only say what would happen: nothing is recorded
    #[arg(long)]
    pub dry_run: bool,
    /// Do not wait for people: end with exit code 3 as soon as somebody has to do something
    #[arg(long)]
    pub no_wait: bool,
}

/// `weir promote …`
pub async fn run(session: &mut Session, command: &Promote) -> Result<Exit, Failure> {
    let client = session.client()?;
    if command.dry_run {
        return foresee(session, &client, &wanted(command)).await;
    }
    let body = PromotionCreate {
        release_id: command.release,
        target_environment_id: command.environment.clone(),
        source_environment_id: command.from.clone(),
        customizations: command.edits.iter().cloned().collect(),
    };
    let promotion = client.promotion_create(&body, &IdempotencyKey::random()).await?;
    let record = &promotion.promotion;
    session.note(&format!(
        "{}  {} {} → {}  {}",
        record.id,
        plain(record.service_id.name()),
        plain(&record.version),
        record.target_environment_id.name(),
        record.workflow_run_id
    ));
    follow(session, &client, record.workflow_run_id, command.no_wait).await
}

/// The promotion as an intent
fn wanted(command: &Promote) -> IntentCreate {
    IntentCreate {
        action: "promote".to_owned(),
        target_resource_type: None,
        target_resource_id: command.environment.clone(),
        scenario: None,
        inputs: Map::new(),
        desired_result: Map::from_iter([("release_id".to_owned(), json!(command.release))]),
        constraints: IntentConstraints {
            source_environment: command.from.clone(),
            ..IntentConstraints::default()
        },
        customizations: command.edits.iter().cloned().collect(),
    }
}

/// Watches an operation that was just started, and says how it ended or what it waits for
pub(super) async fn follow(
    session: &mut Session,
    client: &crate::api::Client,
    id: weir_domain::id::OperationId,
    no_wait: bool,
) -> Result<Exit, Failure> {
    let until = if no_wait { Until::SomebodyIsNeeded } else { Until::Ended };
    let operation = watch::watch(session, client, id, until, Events::Progress).await?;
    conclude(session, &operation)?;
    Ok(watch::exit(&operation))
}

/// Says how what is left of an operation is run, if it can be
pub(super) fn retryable(session: &mut Session, operation: &OperationView) {
    let ended = matches!(operation.status, OperationStatus::Failed | OperationStatus::Cancelled);
    if ended && operation.operation_type == OperationType::ScenarioRun && operation.retried_by.is_none() {
        session.next("run what is left", &format!("weir operation retry {}", operation.operation_id));
    }
}

/// Says how a watched operation stands, and what to do next
fn conclude(session: &mut Session, operation: &OperationView) -> Result<(), Failure> {
    let waits = operation.waits.clone();
    session.show(operation, |operation, style| {
        let mut text = render::ending(operation, style);
        for wait in &waits {
            text.push_str(&format!("{} {} {}\n", style.warn("◔"), wait.node_id, render::wait(wait, style)));
        }
        text
    })?;
    let id = operation.operation_id;
    match operation.status {
        OperationStatus::Succeeded => {}
        OperationStatus::Failed | OperationStatus::Cancelled | OperationStatus::RolledBack => {
            session.next("what happened", &format!("weir operation timeline {id}"));
            retryable(session, operation);
        }
        OperationStatus::Created
        | OperationStatus::Queued
        | OperationStatus::Running
        | OperationStatus::WaitingGate
        | OperationStatus::WaitingIntervention
        | OperationStatus::Paused
        | OperationStatus::Verifying => session.next("watch it", &format!("weir operation watch {id}")),
    }
    Ok(())
}
