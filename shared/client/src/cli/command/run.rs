//! `weir run`: whatever a scenario of the definition does

use super::{promote::follow, scenario::scenario};
use crate::{
    api::{Client, IdempotencyKey},
    cli::{
        exit::{Exit, Failure},
        render,
        session::Session,
        style::plain,
    },
};
use clap::Args;
use serde_json::{Map, Value};
use weir_domain::{definition::address::Address, plan::PlanStatus};
use weir_edge::wire::intent::{IntentConstraints, IntentCreate};

/// Something that a scenario does
#[derive(Debug, Args)]
pub struct Run {
    /// What is done, such as restart: an action of a scenario
    #[arg(value_name = "ACTION")]
    pub action: String,
    /// To what: the address of a resource, such as environment.staging
    #[arg(value_name = "RESOURCE")]
    pub resource: Address,
    /// The scenario that does it [default: the only one that does]
    #[arg(long, value_name = "SCENARIO", value_parser = scenario)]
    pub scenario: Option<Address>,
    /// What its template is given: JSON, or else a text
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = assignment)]
    pub inputs: Vec<(String, Value)>,
    /// An edit of its template at one of its editable points, such as deploy.timeout_s=300
    #[arg(long = "set", value_name = "NODE.FIELD=VALUE", value_parser = assignment)]
    pub edits: Vec<(String, Value)>,
    /// A label that the targets it is done on must have
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// The region that they must be in
    #[arg(long)]
    pub region: Option<String>,
    /// The adapter that must do it: a target's type, a provider's type, or weir for what is built in
    #[arg(long)]
    pub adapter: Option<String>,
    /// The versions of agents that will do, such as ">=1.2, <2"
    #[arg(long, value_name = "VERSIONS")]
    pub version: Option<String>,
    /// Only say what would happen: nothing is recorded
    #[arg(long)]
    pub dry_run: bool,
    /// Do not wait for people: end with exit code 3 as soon as somebody has to do something
    #[arg(long)]
    pub no_wait: bool,
}

/// `name=value`, where the value is JSON, or else a text
pub(super) fn assignment(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    if name.is_empty() {
        return Err("expected a name before `=`".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

/// `name=value`, as it is
fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    if name.is_empty() {
        Err("expected a name before `=`".to_owned())
    } else {
        Ok((name.to_owned(), value.to_owned()))
    }
}

/// `weir run …`
pub async fn run(session: &mut Session, command: &Run) -> Result<Exit, Failure> {
    let client = session.client()?;
    let body = IntentCreate {
        action: command.action.clone(),
        target_resource_type: None,
        target_resource_id: command.resource.clone(),
        scenario: command.scenario.clone(),
        inputs: command.inputs.iter().cloned().collect(),
        desired_result: Map::new(),
        constraints: IntentConstraints {
            source_environment: None,
            labels: command.labels.iter().cloned().collect(),
            region: command.region.clone(),
            adapter: command.adapter.clone(),
            version: command.version.clone(),
        },
        customizations: command.edits.iter().cloned().collect(),
    };
    if command.dry_run {
        return foresee(session, &client, &body).await;
    }
    let intent = client.intent_create(&body, &IdempotencyKey::random()).await?;
    let missing = || Failure::Wrong(format!("intent `{}` has no plan", intent.id));
    let plan = intent.plan_id.ok_or_else(missing)?;
    let operation = client.plan_run(plan, &IdempotencyKey::random()).await?;
    session.note(&format!("{plan}  {}  {}", plain(&operation.title), operation.operation_id));
    follow(session, &client, operation.operation_id, command.no_wait).await
}

/// Says what an intent would lead to; fails where its plan could not be started
pub(super) async fn foresee(
    session: &mut Session,
    client: &Client,
    body: &IntentCreate,
) -> Result<Exit, Failure> {
    let planned = client.intent_preview(body).await?;
    session.show(&planned, render::preview)?;
    let startable = planned.plan.is_none_or(|plan| plan.plan.status != PlanStatus::Unbound);
    Ok(if startable { Exit::Done } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_json_or_else_a_text() {
        for (text, name, value) in [
            ("path=/up", "path", json!("/up")),
            ("count=3", "count", json!(3)),
            ("regions=[\"eu\",\"us\"]", "regions", json!(["eu", "us"])),
            ("deploy.timeout_s=300", "deploy.timeout_s", json!(300)),
            ("note=a=b", "note", json!("a=b")),
            ("empty=", "empty", json!("")),
        ] {
            assert_eq!(assignment(text), Ok((name.to_owned(), value)), "{text}");
        }
        assert!(assignment("path").is_err() && assignment("=x").is_err());
    }
}
