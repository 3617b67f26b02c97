//! `POST /v1/artifacts`: announces bytes, and tells where to send them

use super::row::{ArtifactRow, EXPIRES, announced, signed};
use serde_json::json;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Idempotency, Kind, Nothing, Problem, Route, Use,
    wire::artifact::{ARTIFACT_MAX, UploadCreate, UploadTicket},
};
use weir_ledger::ledger::Artifact;
use weir_store::{Record, Write};

/// Announces an artifact
pub struct ArtifactCreate;

impl Endpoint for ArtifactCreate {
    const ROUTE: Route = Route {
        path: "/v1/artifacts",
        operation: "artifact_create",
        permission: "artifact:create",
        summary: "Announces an artifact by digest and size, and tells where to send it; 200 where it is there already",
        // A signed request may be made by whoever has it, and expires: a repeat gets a new one.
        idempotency: Idempotency::Secret,
        uses: &[
            Use::TableRead,
            Use::TableWrite,
            Use::ObjectsRead("artifacts/"),
            Use::ObjectsWrite("artifacts/"),
        ],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = UploadCreate;
    type Reply = UploadTicket;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<UploadTicket>, Problem> {
        let UploadCreate { digest, size } = call.body.clone();
        if size == 0 || size > ARTIFACT_MAX {
            let detail = format!("an artifact has 1 to {ARTIFACT_MAX} bytes; {size} were announced");
            return Err(Problem::new(Kind::LimitExceeded, detail).at("/size", "out of range"));
        }
        announce(cx, &call).await?;
        match cx.ledger().artifact_verify(&digest, ARTIFACT_MAX).await? {
            Artifact::Verified { size: found } if found == size => {
                Ok(Answer::with_status(200, UploadTicket { digest, size, upload: None }))
            }
            Artifact::Verified { size: found } => {
                let detail = format!("`{digest}` is the digest of {found} bytes, not of {size}");
                Err(Problem::new(Kind::DigestMismatch, detail).at("/size", "not the size of these bytes"))
            }
            Artifact::Absent | Artifact::Mismatch => {
                let presigned = cx.ledger().artifact_upload(&digest, size, EXPIRES).await?;
                Ok(UploadTicket { digest, size, upload: Some(signed(presigned, call.now)) }.into())
            }
        }
    }
}

/// Writes down that the tenant announced it; a later announcement with another size takes the earlier one's place
async fn announce(cx: &Cx, call: &Call<ArtifactCreate>) -> Result<(), Problem> {
    let scope = call.tenant_scope()?;
    let UploadCreate { digest, size } = call.body.clone();
    let known = announced(cx, scope, &digest).await?;
    if known.as_ref().is_some_and(|(row, _)| row.size == size) {
        return Ok(());
    }
    let (created_by, created_at) = (call.actor.id.clone(), call.ids.created_at().into());
    let record = Record::new(scope, &ArtifactRow { digest: digest.clone(), size, created_by, created_at })?;
    let write = match known {
        None => Write::Create(record),
        Some((_, expected)) => Write::Replace { expected, record },
    };
    let audit = call.audit("artifact.create", ("artifact", digest.to_string()), json!({ "size": size }));
    cx.commit(scope, vec![write], &audit).await
}
