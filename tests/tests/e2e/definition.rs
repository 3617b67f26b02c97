//! The example's definition with further files, applied as a person does it

use crate::rig::Rig;
use std::time::Duration;
use weir_client::{
    api::{Client, IdempotencyKey},
    cli::folder,
};
use weir_domain::{id::OperationId, operation::OperationStatus};
use weir_edge::wire::{
    artifact::UploadCreate,
    definition::{DefinitionApplyCreate, DefinitionPlanCreate},
    operation::OperationView,
};
use weir_local::story::wait::until;

/// How long an apply may take on two busy cores
const LIMIT: Duration = Duration::from_secs(240);

/// Applies the example with `files` beside it, each of them a name and what it says
pub async fn apply(rig: &Rig, files: &[(&str, String)]) {
    let (mut bundle, _) = folder::read(&rig.stack.root().join("infra/example")).unwrap();
    let root = bundle.files.get_mut("weir.yaml").unwrap();
    for (name, _) in files {
        *root = root.replace("files:\n", &format!("files:\n  - {name}\n"));
    }
    bundle.files.extend(files.iter().map(|(name, text)| ((*name).to_owned(), text.clone())));
    let (digest, bytes) = (bundle.digest().unwrap(), bundle.to_vec().unwrap());
    // The definition is the whole workspace's.
    let carol = weir_local::story::person(&rig.stack, "carol").unwrap();
    let announced = UploadCreate { digest: digest.clone(), size: bytes.len() as u64 };
    let ticket = carol.definition_upload_create(&announced, &IdempotencyKey::random()).await.unwrap();
    let upload = ticket.upload.unwrap();
    let mut request = reqwest::Client::new().put(upload.url.expose()).body(bytes);
    for header in upload.headers {
        request = request.header(header.name, header.value);
    }
    assert!(request.send().await.unwrap().status().is_success());
    let body = DefinitionPlanCreate { definition: digest };
    let planned = carol.definition_plan_create(&body, &IdempotencyKey::random()).await.unwrap();
    let plan_id = planned.plan_id.unwrap_or_else(|| panic!("{:?}", planned.changes.diagnostics));
    let body = DefinitionApplyCreate { plan_id };
    let started = carol.definition_apply_create(&body, &IdempotencyKey::random()).await.unwrap();
    let ended = ended(&carol, started.operation_id, LIMIT).await;
    assert_eq!(ended.status, OperationStatus::Succeeded, "{:?}", ended.failure_summary);
}

/// The operation when it has ended and everything that follows from that is done
///
/// Looked at every three seconds: on two cores, each look at 200 nodes is time that they do not have.
pub async fn ended(client: &Client, id: OperationId, limit: Duration) -> OperationView {
    let look = || async {
        let operation = client.operation_show(id).await.unwrap();
        let over = operation.status.is_terminal() && operation.settled;
        if !over {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        Ok(over.then_some(operation))
    };
    until("the operation's end", limit, look).await.unwrap()
}
