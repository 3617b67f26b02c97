//! The operations that have to end before another one goes on: looked into, to say when they could be over and who
//! can end what they wait for

use super::{explain::own_commands, looked::Looked};
use futures::{FutureExt as _, future::BoxFuture};
use std::collections::BTreeMap;
use weir_domain::{engine::Operation, id::OperationId, operation::Opens};
use weir_edge::{Cx, Problem, wire::explain::OperationAhead};

/// How deep operations that wait for operations are followed: those that nodes run are nested no deeper
pub(super) const DEPTH: u32 = 4;

/// Operations that are looked into for one answer; of more it is only said that they are waited for
const OPERATIONS_MAX: usize = 32;

/// What is told of the waits of each
const WAITS_MAX: usize = 50;

/// What was found of each
#[derive(Default)]
pub(super) struct Ahead(BTreeMap<OperationId, Found>);

struct Found {
    ends: Opens,
    shown: OperationAhead,
    commands: Vec<String>,
}

impl Ahead {
    /// Looks into everything that `looked` waits for, and what that waits for in turn, `depth` deep
    pub fn look<'a>(
        &'a mut self,
        cx: &'a Cx,
        looked: &'a Looked,
        depth: u32,
    ) -> BoxFuture<'a, Result<(), Problem>> {
        async move {
            let Some(deeper) = depth.checked_sub(1) else { return Ok(()) };
            for id in looked.waits_for() {
                if self.0.contains_key(&id) || self.0.len() >= OPERATIONS_MAX {
                    continue;
                }
                let found = cx.table().operation_get(&looked.operation.info.scope, id).await?;
                // One that has ended is settled in a moment.
                let Some(found) = found.filter(Operation::is_active) else { continue };
                let other = Looked::at(cx, found, looked.now).await?;
                self.look(cx, &other, deeper).await?;
                let found = self.found(cx, other).await?;
                self.0.insert(id, found);
            }
            Ok(())
        }
        .boxed()
    }

    async fn found(&self, cx: &Cx, other: Looked) -> Result<Found, Problem> {
        let waits = other.waits(cx, WAITS_MAX).await?;
        let commands = own_commands(&other, &waits);
        let ends = other.end(self);
        let (at, after_somebody) = match ends {
            Opens::At(at) => (Some(at.into()), false),
            Opens::Somebody(at) => (Some(at.into()), true),
            Opens::Never => (None, false),
        };
        let info = other.operation.info;
        let shown = OperationAhead {
            operation_id: info.operation_id,
            title: info.title,
            held: other.held,
            ends: at,
            after_somebody,
            waits,
        };
        Ok(Found { ends, shown, commands })
    }

    /// When the operation could have ended, if it was looked into
    pub fn ends(&self, id: OperationId) -> Option<Opens> {
        self.0.get(&id).map(|found| found.ends)
    }

    /// As it is told, and what can be done about it
    pub fn told(self) -> (Vec<OperationAhead>, Vec<String>) {
        let (shown, commands): (Vec<_>, Vec<_>) =
            self.0.into_values().map(|found| (found.shown, found.commands)).unzip();
        (shown, commands.into_iter().flatten().collect())
    }
}
