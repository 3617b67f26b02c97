//! `POST /v1/definition/uploads`: where to send the bundle of a definition

use crate::artifact::{EXPIRES, signed};
use weir_domain::definition::bundle::MAX_BUNDLE;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Idempotency, Kind, Nothing, Problem, Route, Use,
    wire::artifact::{UploadCreate, UploadTicket},
};

/// Announces a definition
pub struct DefinitionUpload;

impl Endpoint for DefinitionUpload {
    const ROUTE: Route = Route {
        path: "/v1/definition/uploads",
        operation: "definition_upload_create",
        permission: "definition:upload",
        summary: "Announces the bundle of a definition by digest and size, and tells where to send it",
        // A signed request may be made by whoever has it, and expires: a repeat gets a new one.
        idempotency: Idempotency::Secret,
        uses: &[Use::TableRead, Use::TableWrite, Use::ObjectsWrite("definitions/")],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = UploadCreate;
    type Reply = UploadTicket;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<UploadTicket>, Problem> {
        call.workspace_scope()?;
        let UploadCreate { digest, size } = call.body;
        if size == 0 || size > u64::try_from(MAX_BUNDLE).unwrap_or(u64::MAX) {
            let detail =
                format!("the bundle of a definition has 1 to {MAX_BUNDLE} bytes; {size} were announced");
            return Err(Problem::new(Kind::LimitExceeded, detail));
        }
        let presigned = cx.ledger().definition_upload(&digest, size, EXPIRES).await?;
        Ok(UploadTicket { digest, size, upload: Some(signed(presigned, call.now)) }.into())
    }
}
