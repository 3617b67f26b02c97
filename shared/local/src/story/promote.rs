//! The promotions of the story: one that goes through, one that waits for people, one that is taken back

use std::collections::BTreeMap;
use std::time::Duration;

use weir_client::api::{ApiError, IdempotencyKey};
use weir_domain::delivery::{PromotionStatus, Release};
use weir_domain::gate::DecisionAction;
use weir_domain::id::{DeploymentId, GateId};
use weir_domain::operation::OperationStatus;
use weir_edge::wire::gate::GateDecide;
use weir_edge::wire::operation::OperationView;

use super::deliver::promote;
use super::proof;
use super::report::Refusal;
use super::teller::{Teller, told};
use super::wait::{check, until};
use super::watch::{Picture, watch};
use crate::agents::Agents;
use crate::error::{LocalError, Result};
use crate::net;
use crate::stack::Stack;

/// Bob, as Slack knows him: `infra/example/integrations.yaml`
const BOB_IN_SLACK: &str = "U0BOB";

/// How long what follows from something may take
const SOON: Duration = Duration::from_secs(60);

/// Brings `release` into `environment`, which nothing stands in the way of
pub(super) async fn straight(
    teller: &Teller<'_>,
    release: &Release,
    environment: &str,
) -> Result<OperationView> {
    let id = promote(teller, release, environment).await?;
    let mut picture = Picture::titled(teller, &format!("promote to {environment}"), id);
    let ended = watch(teller, &teller.alice, id, &mut picture, |it| it.status.is_terminal()).await?;
    succeeded(&ended)?;
    Ok(ended)
}

/// Brings `release` into production: alice asked, so alice may not approve; bob may, and does so in Slack
pub(super) async fn approved(
    teller: &Teller<'_>,
    stack: &Stack,
    release: &Release,
) -> Result<(OperationView, Refusal)> {
    let id = promote(teller, release, "environment.production").await?;
    let mut picture = Picture::titled(teller, "promote to environment.production", id);
    let gate_of = |it: &OperationView| it.waits.iter().find_map(|wait| wait.gate_id);
    let waits = |it: &OperationView| gate_of(it).is_some() || it.status.is_terminal();
    let waiting = watch(teller, &teller.alice, id, &mut picture, waits).await?;
    let gate = gate_of(&waiting)
        .ok_or_else(|| LocalError::Story(format!("{} did not wait for an approval", waiting.operation_id)))?;
    check(waiting.status == OperationStatus::WaitingGate, || {
        format!("{} is {} while its gate is open", waiting.operation_id, waiting.status.as_str())
    })?;
    let refusal = refused(teller, gate).await?;
    let shown = click(stack, gate).await?;
    let style = teller.style();
    teller.progress.say(&format!("     {} bob approves by Slack   {}", style.good("✔"), style.dim(&shown)));
    let ended = watch(teller, &teller.alice, id, &mut picture, |it| it.status.is_terminal()).await?;
    succeeded(&ended)?;
    Ok((ended, refusal))
}

/// The requester approves, and is refused; the refusal is on record
async fn refused(teller: &Teller<'_>, gate: GateId) -> Result<Refusal> {
    let body = GateDecide { action: DecisionAction::Approved, comment: None, closure_hash: None };
    let answer = teller.alice.gate_decide(gate, &body, &IdempotencyKey::random()).await;
    let (status, code, detail) = match answer {
        Err(ApiError::Problem { status, code, title, detail, .. }) => (status, code, detail.unwrap_or(title)),
        Err(error) => return Err(told("alice's own approval", &error)),
        Ok(_) => return Err(LocalError::Story("alice could approve what she asked for".to_owned())),
    };
    let style = teller.style();
    teller.progress.say(&format!("     {} alice approves   {}", style.bad("✖"), style.dim(&detail)));
    let subject = gate.to_string();
    let audited = proof::audit(&teller.alice).await?.into_iter().find_map(|event| {
        let own = event.actor.id == "alice" && event.action == "gate.decide" && event.subject_id == subject;
        event.metadata.get("refused").filter(|_| own)?.as_str().map(str::to_owned)
    });
    let audited = audited
        .ok_or_else(|| LocalError::Story(format!("alice's refused approval of {gate} is not audited")))?;
    Ok(Refusal { gate, status, code, audited })
}

/// Bob clicks the button of the notice that came to the channel; what the message says then
async fn click(stack: &Stack, gate: GateId) -> Result<String> {
    let (slack, gate) = (stack.slack(), gate.to_string());
    let find = || async { Ok(slack.button("approve", &gate)) };
    let value = until(&format!("the notice of {gate} in Slack"), SOON, find).await?;
    let shown = slack.click(&stack.api_url(), BOB_IN_SLACK, "approve", &value).await?;
    check(shown.contains("approved by bob"), || format!("bob's click in Slack was answered `{shown}`"))?;
    Ok(shown)
}

/// Brings `release` into staging, where it does not get healthy: it is taken back by a job of its own
pub(super) async fn taken_back(
    teller: &Teller<'_>,
    release: &Release,
) -> Result<(OperationView, OperationView, PromotionStatus)> {
    let id = promote(teller, release, "environment.staging").await?;
    let mut picture = Picture::titled(teller, "promote to environment.staging", id);
    let over = |it: &OperationView| it.status.is_terminal() && it.rolled_back_by.is_some();
    let over = |it: &OperationView| over(it) || it.status == OperationStatus::Succeeded;
    let failed = watch(teller, &teller.alice, id, &mut picture, over).await?;
    let by = failed.rolled_back_by.ok_or_else(|| {
        LocalError::Story(format!("{id} should have failed, and is {}", failed.status.as_str()))
    })?;
    let mut picture = Picture::titled(teller, &format!("rolled back by {}", DeploymentId::from(by)), by);
    let rollback = watch(teller, &teller.alice, by, &mut picture, |it| it.status.is_terminal()).await?;
    succeeded(&rollback)?;
    check(rollback.rollback_of == Some(id), || format!("{by} is the rollback of something else"))?;
    let deployment = teller.alice.deployment_show(DeploymentId::from(by)).await;
    let deployment = deployment.map_err(|error| told("the rollback's deployment", &error))?;
    check(deployment.rollback_of == Some(DeploymentId::from(id)), || {
        format!("{} does not say what it is the rollback of", deployment.id)
    })?;
    let ended = || async {
        let all = teller.alice.promotion_list(&[]).await.map_err(|error| told("the promotions", &error))?;
        let own = all.items.into_iter().find(|it| it.promotion.workflow_run_id == id);
        Ok(own.map(|it| it.promotion.status).filter(|status| *status == PromotionStatus::RolledBack))
    };
    let status = until("the promotion to be rolled back", SOON, ended).await?;
    Ok((failed, rollback, status))
}

fn succeeded(operation: &OperationView) -> Result<()> {
    check(operation.status == OperationStatus::Succeeded, || {
        let why = operation.failure_summary.as_ref().map_or("", |failure| failure.message.as_str());
        format!("{} is {}: {why}", operation.operation_id, operation.status.as_str())
    })
}

/// Asks the servers of `targets` who they are, over HTTP; each has to answer as `version` and be well
pub(crate) async fn serve(
    agents: &Agents,
    targets: &[&str],
    version: &str,
) -> Result<BTreeMap<String, String>> {
    let client = net::client(Duration::from_secs(5))?;
    let ask = async |url: String| -> Result<(u16, String)> {
        let fail = |error: reqwest::Error| LocalError::Story(format!("`{url}` does not answer: {error}"));
        let answer = client.get(&url).send().await.map_err(fail)?;
        Ok((answer.status().as_u16(), answer.text().await.map_err(fail)?.trim().to_owned()))
    };
    let mut answers = BTreeMap::new();
    for target in targets {
        let url = agents.url(target);
        let (status, text) = ask(format!("{url}/")).await?;
        let (health, _) = ask(format!("{url}/healthz")).await?;
        check(status == 200 && health == 200 && text.ends_with(&format!(" {version}")), || {
            format!(
                "{target} should answer as {version} and be well: it answers `{text}` and {health} at /healthz"
            )
        })?;
        answers.insert((*target).to_owned(), text);
    }
    Ok(answers)
}
