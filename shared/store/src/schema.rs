//! The table's shape: its keys, its indexes, and the attributes that they are made of
//!
//! `infra/template.yaml` has to declare the same: [`INDEXES`] is what to generate it from, or to compare it with.
//!
//! | index | hash | range | projected |
//! |---|---|---|---|
//! | the table | `pk` S | `sk` S | |
//! | `lists` (GSI1) | `list` S | `list_id` S | all |
//! | `queues` (GSI2) | `queue` S | `queued` N | `seg` |
//! | `wakes` (GSI3) | `wake_shard` S | `wake` N | `seg` |
//!
//! Billed on demand; stream `NEW_IMAGE`; time to live on `expires_at` (seconds since the epoch).
//!
//! Both engine indexes are sparse by their *range* attribute: `queue` and `wake_shard` are written once, with
//! the item, and an item stands in the index exactly while `queued` (a node is `ready`: its `not_before`) or
//! `wake` is there. So no update has to know which target a node belongs to. `seg` is projected since a
//! partition of node runs is shared by several segments.

/// The table's hash key
pub const PK: &str = "pk";
/// The table's range key
pub const SK: &str = "sk";
/// When the table may forget an item, in seconds since the epoch
pub const EXPIRES_AT: &str = "expires_at";
/// Which segment a node belongs to
pub const SEGMENT: &str = "seg";

/// One secondary index
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// What it is called
    pub name: &'static str,
    /// Its hash attribute, a string
    pub hash: &'static str,
    /// Its range attribute
    pub range: &'static str,
    /// Whether the range attribute is a number; else it is a string
    pub by_number: bool,
    /// The attributes that it holds beside all keys; `None` is all there are
    pub projected: Option<&'static [&'static str]>,
}

/// Entities by kind and status, newest last (GSI1)
pub const LISTS: Index =
    Index { name: "lists", hash: "list", range: "list_id", by_number: false, projected: None };

/// What waits for the agents of a target (GSI2)
pub const QUEUES: Index =
    Index { name: "queues", hash: "queue", range: "queued", by_number: true, projected: Some(&[SEGMENT]) };

/// What has to be looked at, and when (GSI3)
pub const WAKES: Index =
    Index { name: "wakes", hash: "wake_shard", range: "wake", by_number: true, projected: Some(&[SEGMENT]) };

/// Every secondary index
pub const INDEXES: [Index; 3] = [LISTS, QUEUES, WAKES];
