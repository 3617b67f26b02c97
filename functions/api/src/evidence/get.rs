//! `GET /v1/evidence/{evidence}`: a packet, with all that is needed to verify it without Weir

use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::id::EvidenceId;
use weir_edge::{Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use, wire::evidence::EvidenceView};
use weir_store::{Entity as _, EvidenceRow, Key};

/// Reads an evidence packet
pub struct EvidenceGet;

/// Which packet
#[derive(Debug, Deserialize, JsonSchema)]
pub struct EvidencePath {
    /// The packet
    evidence: EvidenceId,
}

impl Endpoint for EvidenceGet {
    const ROUTE: Route = Route {
        path: "/v1/evidence/{evidence}",
        operation: "evidence_get",
        permission: "evidence:read",
        summary: "Reads an evidence packet as it was signed, with the key's public half",
        uses: &[Use::TableRead, Use::ObjectsRead("evidence/"), Use::PublicKey],
        ..Route::GET
    };
    type Path = EvidencePath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = EvidenceView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<EvidenceView>, Problem> {
        let id = call.path.evidence;
        let missing = || Problem::not_found(format!("evidence packet `{id}`"));
        let found = cx.table().read::<EvidenceRow>(&Key::entity(&call.scope, EvidenceRow::KIND, id)).await?;
        let (row, _) = found.ok_or_else(missing)?;
        // The row is written after the packet, so a row without one is a loss, not a race.
        let bytes = cx.ledger().evidence_get(row.operation_id, id).await?;
        let bytes = bytes.ok_or_else(|| Problem::internal(format!("the bucket has no packet `{id}`")))?;
        Ok(EvidenceView {
            id,
            packet_type: row.packet_type,
            operation_id: row.operation_id,
            promotion_id: row.promotion_id,
            content_hash: row.content_hash,
            signer_key_ref: row.signer_key_ref,
            created_at: row.created_at,
            envelope: serde_json::from_slice(&bytes)?,
            public_key_pem: cx.signer().public_key_pem().await?,
        }
        .into())
    }
}
