//! The one DynamoDB table: keys, items, writes as data
//!
//! [`Key`] is the only place that builds or splits a key, [`dynamo`] the only caller of DynamoDB, and
//! [`memory`] a fake that behaves: both carry out the same [`Write`]s and pass the same contract tests.

mod change;
#[doc(hidden)]
pub mod contract;
pub mod dynamo;
mod entities;
mod entity;
mod key;
pub mod limits;
pub mod memory;
pub mod schema;
pub mod stream;
mod table;
mod write;

pub use change::{Change, Image};
pub use entities::{
    ActiveRun, EvidenceRow, ExclusiveQueue, GateWatch, PlanRun, RebuildMark, ReleaseRun, ResourceRow,
    RetriedBy,
};
pub use entity::{Entity, Record};
pub use key::{Key, NodeKey, wake_shard};
pub use table::{Applied, Due, Page, Query, StoreError, Table, TransactError};
pub use write::{WRITES_MAX, Write};
