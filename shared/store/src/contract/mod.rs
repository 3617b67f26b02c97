//! What every [`Table`] has to do, as one suite that any of them can be put through
//!
//! Engine updates are compared with their pure meaning, case by case: this is what holds DynamoDB's expressions
//! and `apply` together. The suite works under a workspace of its own, so it may run beside others on one table.

mod dice;
mod engine;
mod indexes;
mod records;

pub use dice::Dice;

use crate::{NodeKey, Table};
use std::{error::Error, future::Future, time::Duration};
use weir_domain::{engine::Operation, id::OperationId, scope::Scope};

/// A failure to ask the table; what the table answers wrongly is a panic, as in any test
pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// How often an index is asked again: it follows the table, in its own time
const LOOKS_MAX: u32 = 200;

/// How long to wait between two looks at an index
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Everything a test of the suite works with
pub(crate) struct Bench<'a> {
    table: &'a dyn Table,
    scope: Scope,
    dice: Dice,
}

/// Puts `table` through the whole suite; another `seed` is another choice of cases, in another workspace
pub async fn run(table: &dyn Table, seed: u64) -> Outcome {
    let scope = Scope::workspace(format!("contract-{seed:x}").parse()?);
    let mut bench = Bench { table, scope, dice: Dice::new(seed) };
    engine::run(&mut bench).await?;
    records::run(&mut bench).await?;
    indexes::run(&mut bench).await
}

impl Bench<'_> {
    fn operation(&mut self) -> Operation {
        self.dice.operation(&self.scope)
    }

    fn node_key(&mut self) -> NodeKey {
        let operation: OperationId = self.dice.id();
        NodeKey { scope: self.scope.clone(), operation, segment: 0, ordinal: 1 }
    }

    /// Asks until the answer is `wanted`, or until it will not be any more
    async fn settles<T, F>(&self, wanted: T, ask: impl Fn() -> F) -> Outcome
    where
        T: PartialEq + std::fmt::Debug,
        F: Future<Output = Result<T, Box<dyn Error + Send + Sync>>>,
    {
        let mut looks = 0;
        loop {
            let found = ask().await?;
            looks += 1;
            if found == wanted || looks == LOOKS_MAX {
                assert_eq!(found, wanted, "after {looks} looks");
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
