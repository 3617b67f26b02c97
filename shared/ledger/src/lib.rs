//! The S3 bucket: state, plans, artifacts, evidence, audit; and the key that signs
//!
//! [`Ledger`] knows what lies where, [`audit`] how the audit chain grows, [`s3`] is the only caller of S3 and
//! [`memory`] a fake that behaves: both pass the same contract tests. Whoever needs the clock gives it.

pub mod audit;
#[doc(hidden)]
pub mod contract;
mod failure;
mod key;
pub mod ledger;
pub mod memory;
pub mod objects;
pub mod s3;
pub mod signer;

pub use key::KeyError;
pub use ledger::{Ledger, LedgerError};
pub use objects::{Locking, Objects, ObjectsError, Presigned};
pub use signer::{KmsSigner, LocalSigner, SignError, Signer};
