//! What the system keeps in its bucket, by what it is
//!
//! What is named by a digest is checked against it when it is read: a reader never acts on bytes that
//! somebody put in another's place.

mod lock;
mod records;
mod recovery;
mod state;

pub use lock::{Acquire, Lock, LockMode, LockRequest, Renew, Unlock};
pub use records::LOG_MAX;
pub use state::{StateObject, StateWrite};

use crate::{
    key::{KeyError, Keys},
    objects::{Objects, ObjectsError, Presigned, Put, PutOptions},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use weir_domain::{audit::chain::Break, canonical::Digest, scope::Name};

/// The ledger could not be asked, or does not hold what it should
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The bucket
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// A name that cannot stand in a key
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An object does not hold what its name says: changed from outside, or a broken upload
    #[error("the object `{key}` does not hold what its name says")]
    Mismatch {
        /// Which
        key: String,
    },
    /// The audit chain was changed from outside, or an object of it is gone: nothing is sealed until somebody looks
    #[error(transparent)]
    Broken(#[from] Break),
    /// Compare-and-swap was lost again and again: somebody else writes all the time
    #[error("the object `{key}` is written by others all the time")]
    Contended {
        /// Which
        key: String,
    },
}

/// Whether an uploaded artifact is what it is called
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artifact {
    /// It is, and has this many bytes
    Verified {
        /// Its size
        size: u64,
    },
    /// There is none
    Absent,
    /// Its bytes are others: nothing may use it
    Mismatch,
}

/// One workspace's part of the bucket
#[derive(Clone)]
pub struct Ledger {
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) keys: Keys,
    workspace: Name,
}

impl Ledger {
    /// The part of `objects` that belongs to `workspace`
    pub fn new(objects: Arc<dyn Objects>, workspace: Name) -> Self {
        Self { objects, keys: Keys::new(workspace.clone()), workspace }
    }

    /// Whose it is
    pub const fn workspace(&self) -> &Name {
        &self.workspace
    }

    /// The bucket
    pub fn objects(&self) -> &dyn Objects {
        &*self.objects
    }

    /// Keeps a plan's snapshot under its graph hash; one that is there already stays
    pub async fn plan_put(
        &self,
        graph_hash: &Digest,
        snapshot: impl Into<Bytes> + Send,
    ) -> Result<(), LedgerError> {
        self.objects.put_new(&self.keys.plan(graph_hash), snapshot.into(), PutOptions::JSON).await?;
        Ok(())
    }

    /// A plan's snapshot, if `hash_of` its bytes is still `graph_hash`
    ///
    /// The graph hash covers the graph, not the file: only the caller can compute it.
    pub async fn plan_get(
        &self,
        graph_hash: &Digest,
        hash_of: impl FnOnce(&[u8]) -> Option<Digest> + Send,
    ) -> Result<Option<Bytes>, LedgerError> {
        self.get_checked(self.keys.plan(graph_hash), move |bytes| hash_of(bytes).as_ref() == Some(graph_hash))
            .await
    }

    /// A request by which the bundle of a definition is uploaded: a function's body holds 6 MB at most
    pub async fn definition_upload(
        &self,
        digest: &Digest,
        size: u64,
        expires: Duration,
    ) -> Result<Presigned, LedgerError> {
        Ok(self.objects.presign_put(&self.keys.definition(digest), expires, size, digest).await?)
    }

    /// Keeps the bundle of a definition, and tells its digest
    pub async fn definition_put(&self, bundle: impl Into<Bytes> + Send) -> Result<Digest, LedgerError> {
        let bundle = bundle.into();
        let digest = Digest::of_bytes(&bundle);
        self.put_named(self.keys.definition(&digest), bundle).await?;
        Ok(digest)
    }

    /// The bundle of a definition
    pub async fn definition_get(&self, digest: &Digest) -> Result<Option<Bytes>, LedgerError> {
        self.get_checked(self.keys.definition(digest), |bytes| Digest::of_bytes(bytes) == *digest).await
    }

    /// Keeps the content of a snapshot of assignments
    pub async fn snapshot_put(&self, content: impl Into<Bytes> + Send) -> Result<Digest, LedgerError> {
        let content = content.into();
        let digest = Digest::of_bytes(&content);
        self.put_named(self.keys.snapshot(&digest), content).await?;
        Ok(digest)
    }

    /// The content of a snapshot of assignments
    pub async fn snapshot_get(&self, digest: &Digest) -> Result<Option<Bytes>, LedgerError> {
        self.get_checked(self.keys.snapshot(digest), |bytes| Digest::of_bytes(bytes) == *digest).await
    }

    /// A request by which an artifact is uploaded
    pub async fn artifact_upload(
        &self,
        digest: &Digest,
        size: u64,
        expires: Duration,
    ) -> Result<Presigned, LedgerError> {
        Ok(self.objects.presign_put(&self.keys.artifact(digest), expires, size, digest).await?)
    }

    /// A request by which an artifact is downloaded, as a file called `name`; the reader checks the digest
    pub async fn artifact_download(
        &self,
        digest: &Digest,
        name: &str,
        expires: Duration,
    ) -> Result<Presigned, LedgerError> {
        Ok(self.objects.presign_get(&self.keys.artifact(digest), expires, Some(name)).await?)
    }

    /// Keeps a small artifact (a snapshot, a report), and tells its digest
    pub async fn artifact_put(&self, bytes: impl Into<Bytes> + Send) -> Result<Digest, LedgerError> {
        let bytes = bytes.into();
        let digest = Digest::of_bytes(&bytes);
        self.put_named(self.keys.artifact(&digest), bytes).await?;
        Ok(digest)
    }

    /// A small artifact
    pub async fn artifact_get(&self, digest: &Digest) -> Result<Option<Bytes>, LedgerError> {
        self.get_checked(self.keys.artifact(digest), |bytes| Digest::of_bytes(bytes) == *digest).await
    }

    /// Whether an artifact of at most `size_max` bytes is there and is what it is called
    ///
    /// The bucket's own checksum is enough where it keeps one: it was compared with the bytes on their way in.
    /// Where it keeps none, the artifact is read through.
    pub async fn artifact_verify(&self, digest: &Digest, size_max: u64) -> Result<Artifact, LedgerError> {
        let key = self.keys.artifact(digest);
        let Some(head) = self.objects.head(&key).await? else { return Ok(Artifact::Absent) };
        if head.size > size_max {
            return Err(ObjectsError::TooLarge { key, size_max }.into());
        }
        let found = match head.checksum {
            Some(checksum) => Some((checksum, head.size)),
            None => self.objects.digest(&key, size_max).await?,
        };
        Ok(match found {
            None => Artifact::Absent,
            Some((found, size)) if found == *digest => Artifact::Verified { size },
            Some(_) => Artifact::Mismatch,
        })
    }

    /// Puts `bytes` where their digest says; other bytes there are replaced, since nobody may use them
    async fn put_named(&self, key: String, bytes: Bytes) -> Result<(), LedgerError> {
        match self.objects.put_new(&key, bytes.clone(), PutOptions::BYTES).await? {
            Put::Created(_) => Ok(()),
            Put::Existed => {
                self.objects.put(&key, bytes, PutOptions::BYTES).await.map(drop).map_err(Into::into)
            }
        }
    }

    async fn get_checked(
        &self,
        key: String,
        holds: impl FnOnce(&[u8]) -> bool + Send,
    ) -> Result<Option<Bytes>, LedgerError> {
        match self.objects.get(&key).await? {
            None => Ok(None),
            Some(object) if holds(&object.bytes) => Ok(Some(object.bytes)),
            Some(_) => Err(LedgerError::Mismatch { key }),
        }
    }
}

#[cfg(test)]
mod tests;
