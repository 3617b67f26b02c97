//! Who waits for what: where something ends, the gates that wait for it are asked at once
//!
//! Only a hint, as every hint is: a gate is asked again every minute whether or not anybody gives one.

use super::gate_id;
use crate::{Engine, EngineError, queues::Notice, records::record};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use weir_domain::{
    engine::Operation,
    gate::{Dependency, Gate, GateSpec, GateStatus, apply, void},
    plan::NodeType,
    scope::Scope,
    timeline::TimelineKind,
};
use weir_store::{Entity as _, GateWatch, Key, NodeKey, Query, Write};

/// Gates that are asked for one end; the others notice it by themselves within a minute
const WATCHES_MAX: usize = 500;

/// Gates that are looked at at a time
const PARALLEL: usize = 8;

/// What has to end for `gate` to be asked again
pub(super) fn watches(gate: &Gate) -> Option<GateWatch> {
    let GateSpec::Dependency(dependency) = &gate.spec else { return None };
    let on = match &dependency.on {
        Dependency::Operation(id) => id.to_string(),
        Dependency::Release(release) => release.environment.to_string(),
    };
    Some(GateWatch {
        on,
        gate_id: gate.gate_id,
        operation_id: gate.operation_id,
        ordinal: gate.ordinal,
        expires_at: gate.expires_at,
    })
}

/// Takes away what an ended gate has left
pub(super) async fn forget(engine: &Engine, scope: &Scope, gate: &Gate) -> Result<(), EngineError> {
    if let Some(watch) = watches(gate) {
        engine.commit(&[Write::Delete { key: watch.key(scope), expected: 1 }]).await?;
    }
    Ok(())
}

/// The operation has ended: its gates wait for nobody any more, and whoever waited for it is asked
///
/// Boxed: what follows from one operation's end may be another one's.
pub(crate) fn operation_ended<'a>(
    engine: &'a Engine,
    operation: &'a Operation,
) -> BoxFuture<'a, Result<(), EngineError>> {
    ended(engine, operation).boxed()
}

async fn ended(engine: &Engine, operation: &Operation) -> Result<(), EngineError> {
    let info = &operation.info;
    let graph = engine.graph_of(operation).await?;
    let gates = graph.living().filter(|(_, node)| node.node_type == NodeType::Gate);
    let voided: Vec<_> = gates.map(|(ordinal, _)| void_gate(engine, operation, ordinal)).collect();
    stream::iter(voided).buffer_unordered(PARALLEL).try_collect::<Vec<()>>().await?;
    let ended = std::iter::once(info.operation_id.to_string()).chain(info.environment.clone());
    for on in ended {
        let query = Query::Partition { pk: Key::watch_partition(&info.scope, &on), prefix: String::new() };
        for watch in engine.table.list::<GateWatch>(&query, None, WATCHES_MAX).await?.0 {
            let node = NodeKey::new(&info.scope, watch.operation_id, watch.ordinal);
            // One that cannot be driven now is driven by its own wake time.
            if let Err(error) = engine.drive_node(&node).await {
                tracing::warn!(gate = %watch.gate_id, error = &error as &dyn std::error::Error, "could not ask a gate again");
            }
        }
    }
    Ok(())
}

/// Ends the gate of a node that was cancelled or skipped while it waited
async fn void_gate(engine: &Engine, operation: &Operation, ordinal: u32) -> Result<(), EngineError> {
    let scope = &operation.info.scope;
    let key = Key::entity(scope, Gate::KIND, gate_id(operation.info.operation_id, ordinal));
    let Some((gate, expected)) = engine.table.read::<Gate>(&key).await? else { return Ok(()) };
    if gate.status != GateStatus::Open {
        return Ok(());
    }
    let Some(event) = void(&gate, engine.clock.now()) else { return Ok(()) };
    let after = apply(gate, &event);
    let message = format!("`{}` is void: what it was for has ended", after.node_id);
    let writes = [
        Write::Replace { expected, record: record(scope, &after)? },
        engine.event(operation, TimelineKind::GateEnded, message, None)?,
    ];
    engine.commit(&writes).await?;
    forget(engine, scope, &after).await?;
    if after.spec.is_for_people() {
        engine.queues.send_notice(&Notice { scope: scope.clone(), gate: after.gate_id }).await?;
    }
    Ok(())
}
