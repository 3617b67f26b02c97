//! How the engine fails

use crate::{machines::MachinesError, queues::QueueError};
use weir_ledger::{LedgerError, ObjectsError, SignError};
use weir_store::{StoreError, TransactError};

/// Why the engine could not carry something out
///
/// Everything that it does may be repeated, so all of these are answered in one way: return the error, leave
/// `wake` where it is, and let the caller's retry or reconcile do it again.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The table
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A transaction
    #[error(transparent)]
    Transact(#[from] TransactError),
    /// The ledger
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Step Functions
    #[error(transparent)]
    Machines(#[from] MachinesError),
    /// SQS
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The key that signs evidence
    #[error(transparent)]
    Sign(#[from] SignError),
    /// What is stored contradicts itself: repeating will not help
    #[error("{0}")]
    Inconsistent(String),
}

impl EngineError {
    /// Whether it may succeed if tried again
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) | Self::Transact(TransactError::Store(error)) => {
                matches!(error, StoreError::Unavailable(_))
            }
            Self::Transact(TransactError::Conflict(_)) | Self::Machines(_) | Self::Queue(_) => true,
            Self::Ledger(error) => matches!(
                error,
                LedgerError::Objects(ObjectsError::Unavailable(_)) | LedgerError::Contended { .. }
            ),
            Self::Sign(_) => true,
            Self::Inconsistent(_) => false,
        }
    }
}
