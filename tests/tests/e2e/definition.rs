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
use weir_store::Table as _;

/// How long an apply may take on two busy cores
const LIMIT: Duration = Duration::from_secs(240);

/// Between two looks at an operation
const LOOK: Duration = Duration::from_secs(1);

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
    let ended = ended(rig, "harbor", &carol, started.operation_id, LIMIT).await;
    assert_eq!(ended.status, OperationStatus::Succeeded, "{:?}", ended.failure_summary);
}

/// The operation when it has ended and everything that follows from that is done
///
/// Its item in the table is looked at, and not what the API says: that reads 200 nodes each time, a quarter of a second
/// on LocalStack.
pub async fn ended(
    rig: &Rig,
    scope: &str,
    client: &Client,
    id: OperationId,
    limit: Duration,
) -> OperationView {
    let (table, scope) = (rig.table(), scope.parse().unwrap());
    let look = || async {
        let operation = table.operation_get(&scope, id).await.unwrap().unwrap();
        if !operation.finished {
            tokio::time::sleep(LOOK).await;
        }
        Ok(operation.finished.then_some(()))
    };
    until("the operation's end", limit, look).await.unwrap();
    client.operation_show(id).await.unwrap()
}
