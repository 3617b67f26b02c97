//! Which problem each error of the layers below becomes
//!
//! One `impl` an error: never one for all of them, which is how internal texts reach callers.

use super::{Kind, Problem};
use weir_domain::id::IdError;
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
