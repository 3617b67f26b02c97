//! Bytes that are too many for a request: announced, then sent to (or fetched from) the bucket directly

use crate::wire::secret::Secret;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::canonical::Digest;

/// The most bytes of one artifact (1 GiB)
pub const ARTIFACT_MAX: u64 = 1 << 30;

/// `POST /v1/artifacts` and `POST /v1/definition/uploads`: announces bytes
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct UploadCreate {
    /// Their SHA-256: other bytes are refused
    pub digest: Digest,
    /// How many there are: more or fewer are refused
    pub size: u64,
}

/// Where to send what was announced
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct UploadTicket {
    /// What the bytes are called from now on
    pub digest: Digest,
    /// How many were announced
    pub size: u64,
    /// The request that sends them; absent where they are there already
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<SignedRequest>,
}

/// A request to the bucket that needs no credential: whoever has the address may make it, until it expires
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct SignedRequest {
    /// `GET` or `PUT`
    pub method: String,
    /// Where to
    pub url: Secret,
    /// Headers that have to be sent exactly so
    pub headers: Vec<Header>,
    /// When it stops working
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
}

/// One header of a signed request
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Header {
    /// Its name
    pub name: String,
    /// Its value
    pub value: String,
}

/// `GET /v1/artifacts/{digest}`: where to fetch an artifact
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct ArtifactDownload {
    /// What the bytes are called: check them against it
    pub digest: Digest,
    /// How many there are
    pub size: u64,
    /// The request that fetches them
    pub download: SignedRequest,
}
