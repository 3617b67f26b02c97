//! The state: one document, replaced by compare-and-swap, with every revision kept beside it
//!
//! What is in it, and whether it may be believed, is the domain's: bytes go in and out here.

use super::{Ledger, LedgerError};
use crate::objects::{Etag, Put, PutOptions, Replace};
use bytes::Bytes;

/// The state as it was read: what its next revision is decided on
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateObject {
    /// The document. It may be empty or cut off: whoever parses it refuses that, and never reads it as "nothing"
    pub bytes: Bytes,
    etag: Etag,
}

/// What became of a write of the state
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateWrite {
    /// The state holds it; the base of the next write
    Written(StateObject),
    /// Somebody else wrote a revision first: nothing was changed, read again and decide again
    Lost,
}

impl Ledger {
    /// The state, or none where nothing was ever applied
    pub async fn state_read(&self) -> Result<Option<StateObject>, LedgerError> {
        let found = self.objects.get(&self.keys.state()).await?;
        Ok(found.map(|object| StateObject { bytes: object.bytes, etag: object.etag }))
    }

    /// Writes revision `revision`, which was decided on `base` (none: it is the first)
    ///
    /// May be repeated with the same bytes: a write whose answer was lost counts as done. The bytes must therefore
    /// name their writer (the operation and its group), so that two writers never write the same ones.
    ///
    /// A crash between the state and its copy leaves no gap: whoever writes next copies its base first.
    pub async fn state_write(
        &self,
        base: Option<&StateObject>,
        revision: u64,
        bytes: impl Into<Bytes> + Send,
    ) -> Result<StateWrite, LedgerError> {
        let (key, bytes) = (self.keys.state(), bytes.into());
        let etag = match base {
            None => match self.objects.put_new(&key, bytes.clone(), PutOptions::JSON).await? {
                Put::Created(written) => written.etag,
                Put::Existed => return Ok(StateWrite::Lost),
            },
            Some(base) => {
                self.revision_copy(revision.saturating_sub(1), &base.bytes).await?;
                match self.objects.put_if_match(&key, bytes.clone(), &base.etag).await? {
                    Replace::Replaced(written) => written.etag,
                    Replace::Lost => return Ok(StateWrite::Lost),
                }
            }
        };
        self.revision_copy(revision, &bytes).await?;
        Ok(StateWrite::Written(StateObject { bytes, etag }))
    }

    /// One revision, as it was written
    pub async fn state_revision(&self, revision: u64) -> Result<Option<Bytes>, LedgerError> {
        self.bytes(&self.keys.revision(revision)).await
    }

    async fn revision_copy(&self, revision: u64, bytes: &Bytes) -> Result<(), LedgerError> {
        let key = self.keys.revision(revision);
        match self.objects.put_new(&key, bytes.clone(), PutOptions::JSON).await? {
            Put::Created(_) => Ok(()),
            // Another history: the caller counts its revisions wrongly, or the state was put back from outside.
            Put::Existed => Err(LedgerError::Mismatch { key }),
        }
    }
}
