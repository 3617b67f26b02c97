//! That a tenant has announced an artifact
//!
//! The bytes themselves are the workspace's, by their digest: two tenants that announce the same bytes share them.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use weir_domain::{
    canonical::Digest,
    scope::Scope,
    time::{Millis, Time},
};
use weir_edge::{
    Cx, Problem,
    wire::{
        artifact::{Header, SignedRequest},
        secret::Secret,
    },
};
use weir_ledger::Presigned;
use weir_store::{Entity, Key};

/// Until when a signed request may be begun
pub(crate) const EXPIRES: Duration = Duration::from_secs(15 * 60);

/// That a tenant has announced an artifact
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArtifactRow {
    /// Its digest
    pub digest: Digest,
    /// How many bytes it has, as announced
    pub size: u64,
    /// Who announced it
    pub created_by: String,
    /// When
    pub created_at: Time,
}

impl Entity for ArtifactRow {
    const KIND: &'static str = "artifact";

    fn key(&self, scope: &Scope) -> Key {
        key(scope, &self.digest)
    }
}

fn key(scope: &Scope, digest: &Digest) -> Key {
    Key::entity(scope, ArtifactRow::KIND, digest.hex())
}

/// The announcement of `digest` in `scope`, with its version
pub(crate) async fn announced(
    cx: &Cx,
    scope: &Scope,
    digest: &Digest,
) -> Result<Option<(ArtifactRow, u64)>, Problem> {
    Ok(cx.table().read::<ArtifactRow>(&key(scope, digest)).await?)
}

/// What was signed at `now`, for [`EXPIRES`], as callers get it
pub(crate) fn signed(presigned: Presigned, now: Millis) -> SignedRequest {
    let lifetime = Millis(i64::try_from(EXPIRES.as_millis()).unwrap_or(0));
    let header = |(name, value)| Header { name, value };
    SignedRequest {
        method: presigned.method.to_owned(),
        url: Secret::new(presigned.url),
        headers: presigned.headers.into_iter().map(header).collect(),
        expires_at: (now + lifetime).timestamp(),
    }
}
