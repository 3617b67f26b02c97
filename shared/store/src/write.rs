//! What one command writes, as data: made without any I/O, carried out as one transaction

use crate::{Key, NodeKey, Record};
use weir_domain::engine::{NodeRun, NodeUpdate, Operation, OperationUpdate};
use weir_domain::{id::OperationId, scope::Scope};

/// DynamoDB refuses a transaction of more items than this
pub const WRITES_MAX: usize = 100;

/// One write of a transaction
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// A new item; refused if there is one at its key
    Create(Record),
    /// The item's next version; refused unless the table holds `expected`
    Replace {
        /// The version that the command was decided on
        expected: u64,
        /// The item; its version is written as `expected + 1`
        record: Record,
    },
    /// The item whatever was there: only for projections, which are derived from something else
    Upsert(Record),
    /// Remove the item; refused unless the table holds `expected`
    Delete {
        /// Which
        key: Key,
        /// The version that the command was decided on
        expected: u64,
    },
    /// Nothing, but refused unless the item exists in this version
    Check {
        /// Which
        key: Key,
        /// The version that the command was decided on
        expected: u64,
    },
    /// A new operation
    CreateOperation(Box<Operation>),
    /// A move of an operation
    Operation {
        /// Whose
        scope: Scope,
        /// Which
        operation: OperationId,
        /// The move, with its own condition
        update: OperationUpdate,
    },
    /// A new node run
    CreateNode {
        /// Where
        key: NodeKey,
        /// The node
        node: Box<NodeRun>,
    },
    /// A move of a node run
    Node {
        /// Where
        key: NodeKey,
        /// The move, with its own condition
        update: NodeUpdate,
    },
}

impl Write {
    /// The item that it touches
    pub fn key(&self) -> Key {
        match self {
            Self::Create(record) | Self::Replace { record, .. } | Self::Upsert(record) => record.key.clone(),
            Self::Delete { key, .. } | Self::Check { key, .. } => key.clone(),
            Self::CreateOperation(operation) => {
                Key::operation(&operation.info.scope, operation.info.operation_id)
            }
            Self::Operation { scope, operation, .. } => Key::operation(scope, *operation),
            Self::CreateNode { key, .. } | Self::Node { key, .. } => Key::node(key),
        }
    }
}
