//! The example definition: uploaded, planned, applied, watched

use weir_client::api::IdempotencyKey;
use weir_client::cli::folder;
use weir_domain::operation::OperationStatus;
use weir_edge::wire::artifact::UploadCreate;
use weir_edge::wire::definition::{DefinitionApplyCreate, DefinitionPlanCreate};
use weir_edge::wire::operation::OperationView;

use super::teller::{Teller, told};
use super::wait::check;
use super::watch::{Picture, watch};
use crate::error::{LocalError, Result};

/// Applies the example; none where the stack has it already
pub(crate) async fn apply(teller: &Teller<'_>) -> Result<Option<OperationView>> {
    let wrong = |what: String| LocalError::Story(format!("the example definition: {what}"));
    let read = folder::read(&teller.example("")).map_err(|failure| wrong(failure.to_string()))?;
    let (bundle, _) = read;
    let digest = bundle.digest().map_err(|error| wrong(error.to_string()))?;
    let bytes = bundle.to_vec().map_err(|error| wrong(error.to_string()))?;
    let announced = UploadCreate { digest: digest.clone(), size: bytes.len() as u64 };
    let (client, key) = (&teller.workspace, IdempotencyKey::random);
    let ticket = client.definition_upload_create(&announced, &key()).await;
    teller.send(ticket.map_err(|error| told("the definition's upload", &error))?, bytes).await?;
    let planned = client.definition_plan_create(&DefinitionPlanCreate { definition: digest }, &key()).await;
    let planned = planned.map_err(|error| told("the definition's plan", &error))?;
    let changes = planned.changes;
    if changes.changes.is_empty() && changes.diagnostics.is_empty() {
        teller
            .progress
            .step("definition")
            .done(&format!("infra/example → {} resources, unchanged", changes.resource_digests.len()));
        return Ok(None);
    }
    let plan_id = planned.plan_id.ok_or_else(|| {
        let found = changes.diagnostics.iter().map(|diagnostic| diagnostic.message.clone());
        wrong(found.collect::<Vec<_>>().join("; "))
    })?;
    let step = teller.progress.step("definition");
    let started = client.definition_apply_create(&DefinitionApplyCreate { plan_id }, &key()).await;
    let id = started.map_err(|error| told("the definition's apply", &error))?.operation_id;
    let mut picture = Picture::silent();
    let over = |it: &OperationView| it.status.is_terminal() || it.status == OperationStatus::WaitingGate;
    let ended = watch(teller, client, id, &mut picture, over).await?;
    check(ended.status.is_terminal(), || {
        let waits = ended.waits.iter().map(|wait| format!("{} · {}", wait.what, wait.who));
        let waits = waits.collect::<Vec<_>>().join("; ");
        format!("this stack has another definition, and to go back to the example needs {waits} ({id})")
    })?;
    check(ended.status == OperationStatus::Succeeded, || {
        let why = ended.failure_summary.as_ref().map_or("", |failure| failure.message.as_str());
        format!("the definition's apply is {}: {why}", ended.status.as_str())
    })?;
    step.done(&format!("infra/example → {} resources · {id}", changes.resource_digests.len()));
    Ok(Some(ended))
}
