//! One committed change of one item, as the table's stream tells it

use crate::{Key, NodeKey, Record};
use weir_domain::engine::{NodeRun, Operation};

/// What one item holds
#[derive(Debug, Clone, PartialEq)]
pub enum Image {
    /// An entity
    Record(Record),
    /// A node run
    Node(NodeKey, Box<NodeRun>),
    /// An operation
    Operation(Box<Operation>),
}

/// One committed change of one item
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which item
    pub key: Key,
    /// What it held before; none where it was created
    pub old: Option<Image>,
    /// What it holds now; none where it was removed
    pub new: Option<Image>,
}

impl Image {
    /// Where it is
    pub fn key(&self) -> Key {
        match self {
            Self::Record(record) => record.key.clone(),
            Self::Node(key, _) => Key::node(key),
            Self::Operation(operation) => Key::operation(&operation.info.scope, operation.info.operation_id),
        }
    }
}
