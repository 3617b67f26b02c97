//! Projections: rows that follow from the ledger, a moment later

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::time::Time;

/// How far the rows of a projection have come
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct ProjectionView {
    /// Which projection: `resources`, `services`, or `timelines`, which are told from what they are about whenever they
    /// are asked for, and so never behind
    pub name: String,
    /// The last revision of the state ledger that its rows hold, if it follows from that; 0 where nothing was ever applied
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// How many revisions of the ledger, or operations that have ended, the rows may be behind: of the newest twenty
    /// promotions where rows are shown, of the newest thousand where projections are listed
    pub behind: u64,
    /// When what the rows last came to hold became true
    pub as_of: Time,
}

/// An answer made of projected rows, with how far behind they may be
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Projected<T> {
    /// The answer
    #[serde(flatten)]
    pub answer: T,
    /// How far its rows have come
    pub projection: ProjectionView,
}
