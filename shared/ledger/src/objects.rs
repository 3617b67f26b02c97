//! What the rest of the system needs of a bucket
//!
//! Every key is written in one of three ways: once ([`Objects::put_new`]), by compare-and-swap
//! ([`Objects::put_if_match`]), or by whoever is last ([`Objects::put`], for what nobody decides on).
//! The first two may be repeated: a write whose answer was lost meets its own bytes and counts as done.
//! That is only right when the bytes name their writer, or when it does not matter whose they are.

use async_trait::async_trait;
use bytes::Bytes;
use std::{fmt, time::Duration};
use weir_domain::{canonical::Digest, time::Millis};

/// No object larger than this (64 MiB) is read into memory
pub const OBJECT_MAX: u64 = 64 << 20;

/// How often a write that met another one on its key (409) is tried again
pub(crate) const CONFLICT_RETRIES: u32 = 5;

/// The bucket could not be asked, or what it holds cannot be read
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// May succeed if tried again: throttled, timed out, not reached. The write may have been carried out
    #[error("the bucket did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The bucket refused the request itself
    #[error("the bucket refused the request")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An object is not as this version writes it
    #[error("the object `{key}` cannot be read: {reason}")]
    Corrupt {
        /// Which
        key: String,
        /// Why
        reason: String,
    },
    /// An object is larger than the reader takes
    #[error("the object `{key}` has more than {size_max} bytes")]
    TooLarge {
        /// Which
        key: String,
        /// The limit, in bytes
        size_max: u64,
    },
}

/// Which content an object has now, as the bucket names it
///
/// Made of the content: an object that gets its former content back has its former etag again.
/// What is swapped by etag must therefore never repeat itself (a revision, a fencing number).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Etag(pub String);

/// An object as it was read
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The content
    pub bytes: Bytes,
    /// Which content it is
    pub etag: Etag,
    /// Which version it is, where the bucket keeps versions
    pub version_id: Option<String>,
}

/// What is known of an object without reading it
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its size in bytes
    pub size: u64,
    /// Which content it is
    pub etag: Etag,
    /// Which version it is, where the bucket keeps versions
    pub version_id: Option<String>,
    /// Its SHA-256, where the bucket knows it
    pub checksum: Option<Digest>,
    /// Until when nobody can remove this version, where it is locked and the caller may know
    pub retain_until: Option<Millis>,
}

/// What is said of an object when it is written
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutOptions {
    /// Its media type
    pub content_type: &'static str,
    /// Until when nobody, not even the account's owner, may remove this version (Object Lock, compliance)
    pub retain_until: Option<Millis>,
}

impl PutOptions {
    /// JSON that may be replaced
    pub const JSON: Self = Self { content_type: "application/json", retain_until: None };
    /// Bytes of any kind
    pub const BYTES: Self = Self { content_type: "application/octet-stream", retain_until: None };

    /// JSON that stays until `time`
    pub const fn json_until(time: Millis) -> Self {
        Self { content_type: "application/json", retain_until: Some(time) }
    }
}

/// A write that was carried out
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Which content is there now
    pub etag: Etag,
    /// Which version it is, where the bucket keeps versions
    pub version_id: Option<String>,
}

/// What became of [`Objects::put_new`]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// These bytes are there: written now, or by an earlier try whose answer was lost
    Created(Written),
    /// Other bytes were there first, and still are
    Existed,
}

/// What became of [`Objects::put_if_match`]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replace {
    /// These bytes are there: written now, or by an earlier try whose answer was lost
    Replaced(Written),
    /// The object is no longer (or not yet, or not any more) what the writer took it for
    Lost,
}

/// A request that its holder may make without credentials, until it expires
///
/// Whoever has the address may use it: it is a secret, and `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Presigned {
    /// `GET` or `PUT`
    pub method: &'static str,
    /// Where to send it
    pub url: String,
    /// Headers that have to be sent with it, exactly as they are
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigned").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Whether versions can be locked against removal
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locking {
    /// They can: a write that asks for it is refused where it cannot be done
    Required,
    /// They cannot, and nobody relies on it: the local stage on an emulator without Object Lock
    Unavailable,
}

/// The bucket. Every read sees every write that was answered before it
#[async_trait]
pub trait Objects: Send + Sync {
    /// Whether this bucket locks what it is asked to lock: shown wherever evidence is shown
    fn locking(&self) -> Locking;

    /// One object, of at most [`OBJECT_MAX`] bytes
    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectsError>;

    /// What is known of one object without reading it
    async fn head(&self, key: &str) -> Result<Option<Head>, ObjectsError>;

    /// At most `limit` (1 to 1,000) keys that begin with `prefix`, in order, after the key `after`
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, ObjectsError>;

    /// An object where there is none
    async fn put_new(&self, key: &str, bytes: Bytes, options: PutOptions) -> Result<Put, ObjectsError>;

    /// An object in place of the one whose content is `etag`
    async fn put_if_match(&self, key: &str, bytes: Bytes, etag: &Etag) -> Result<Replace, ObjectsError>;

    /// An object whatever was there: only for what nobody decides on
    async fn put(&self, key: &str, bytes: Bytes, options: PutOptions) -> Result<Written, ObjectsError>;

    /// Removes an object: its versions stay, where the bucket keeps versions. May be repeated
    async fn remove(&self, key: &str) -> Result<(), ObjectsError>;

    /// A request that reads an object, as a download called `name` if one is given
    async fn presign_get(
        &self,
        key: &str,
        expires: Duration,
        name: Option<&str>,
    ) -> Result<Presigned, ObjectsError>;

    /// A request that writes an object of exactly this size and these bytes: the bucket refuses others
    async fn presign_put(
        &self,
        key: &str,
        expires: Duration,
        size: u64,
        digest: &Digest,
    ) -> Result<Presigned, ObjectsError>;

    /// The digest and the size of one object of at most `size_max` bytes, read chunk by chunk
    async fn digest(&self, key: &str, size_max: u64) -> Result<Option<(Digest, u64)>, ObjectsError>;
}

/// `name` as it may stand quoted in a header: whatever could end the quotes or the line is left out
pub(crate) fn header_name(name: &str) -> String {
    let safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = name.chars().filter(safe).take(120).collect();
    if name.is_empty() { "download".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_presigned_address_is_never_shown() {
        let url = "https://bucket/key?X-Amz-Signature=5ec2e7".to_owned();
        let presigned = Presigned { method: "GET", url, headers: vec![("x".into(), "5ec2e7".into())] };
        assert_eq!(format!("{presigned:?}"), "Presigned { method: \"GET\", .. }");
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(header_name("web-1.2.tar.gz"), "web-1.2.tar.gz");
        assert_eq!(header_name("a\"\r\nset-cookie: x"), "aset-cookiex");
        assert_eq!(header_name("\""), "download");
    }
}
