//! Which problem each error of the layers below becomes
//!
//! One `impl` an error: never one for all of them, which is how internal texts reach callers.

use super::{Kind, Problem};
use weir_domain::id::IdError;
use weir_ledger::{LedgerError, ObjectsError, SignError};
use weir_orchestration::EngineError;
use weir_store::{StoreError, TransactError};

impl From<IdError> for Problem {
    fn from(error: IdError) -> Self {
        Self::new(Kind::InvalidId, error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => Self::unavailable(error),
            StoreError::Corrupt { .. } | StoreError::Rejected(_) => Self::internal(error),
        }
    }
}

impl From<TransactError> for Problem {
    fn from(error: TransactError) -> Self {
        match error {
            TransactError::Conflict(_) => {
                Self::new(Kind::Conflict, "somebody else changed it first; read it again, then decide")
                    .because(error)
            }
            TransactError::Store(error) => error.into(),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match &error {
            LedgerError::Objects(ObjectsError::Unavailable(_)) | LedgerError::Contended { .. } => {
                Self::unavailable(error)
            }
            LedgerError::Objects(
                ObjectsError::Rejected(_) | ObjectsError::Corrupt { .. } | ObjectsError::TooLarge { .. },
            )
            | LedgerError::Key(_)
            | LedgerError::Mismatch { .. }
            | LedgerError::Broken(_) => Self::internal(error),
        }
    }
}

impl From<SignError> for Problem {
    fn from(error: SignError) -> Self {
        match &error {
            SignError::Unavailable(_) => Self::unavailable(error),
            SignError::Rejected(_) | SignError::WrongKey(_) => Self::internal(error),
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        if error.is_transient() { Self::unavailable(error) } else { Self::internal(error) }
    }
}

impl From<serde_json::Error> for Problem {
    /// Only our own values are written or read through this; a caller's are read by [`crate::decode`]
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl From<weir_domain::canonical::NotCanonical> for Problem {
    fn from(error: weir_domain::canonical::NotCanonical) -> Self {
        Self::internal(error)
    }
}
