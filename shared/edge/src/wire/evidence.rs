//! Evidence as callers get it: all that is needed to verify it without Weir

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::{
    canonical::Digest,
    evidence::{Envelope, PacketType},
    id::{EvidenceId, OperationId, PromotionId},
    time::Time,
};

/// `GET /v1/evidence/{id}`: one packet
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct EvidenceView {
    /// Which packet
    pub id: EvidenceId,
    /// What it is evidence of
    pub packet_type: PacketType,
    /// The operation
    pub operation_id: OperationId,
    /// The promotion, if it is about one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// The digest of its content
    pub content_hash: Digest,
    /// Which key signed it
    pub signer_key_ref: String,
    /// When it was made
    pub created_at: Time,
    /// The signed envelope (DSSE), byte for byte as it is kept
    pub envelope: Envelope,
    /// The public half of the key, in PEM; compare it with one from elsewhere before you trust it
    pub public_key_pem: String,
}
