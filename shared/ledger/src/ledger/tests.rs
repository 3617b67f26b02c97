//! The ledger on a bucket in memory
