//! Engine updates mean what their `apply` says

use super::{Bench, Outcome};
use crate::{Applied, NodeKey, Table, Write};
use futures::future::try_join_all;
use std::collections::BTreeSet;
use strum::VariantArray as _;
use weir_domain::{
    engine::{NodePatch, NodeRun, NodeUpdate, Operation, OperationUpdate},
    id::OperationId,
    operation::OperationStatus,
    plan::NodeStatus,
    time::Millis,
};

/// Cases for each status and each kind of update, at least
const ROUNDS: u32 = 2;

/// Chance may need more rounds until each kind of update has met an item that allows it, but never so many
const ROUNDS_MAX: u32 = 100;

/// Whether the update was carried out
type Verdict = Result<bool, Box<dyn std::error::Error + Send + Sync>>;

/// How many race for one thing
const RACERS: usize = 8;

pub(super) async fn run(bench: &mut Bench<'_>) -> Outcome {
    node_updates_mean_what_they_say(bench).await?;
    operation_updates_mean_what_they_say(bench).await?;
    nothing_is_updated_into_existence(bench).await?;
    a_node_is_put_once(bench).await?;
    the_nodes_of_a_segment_are_its_own(bench).await?;
    one_of_many_claims_wins(bench).await
}

async fn node_updates_mean_what_they_say(bench: &mut Bench<'_>) -> Outcome {
    let mut done = BTreeSet::new();
    for round in 0..ROUNDS_MAX {
        if round >= ROUNDS && done.len() == NODE_KINDS {
            break;
        }
        for status in NodeStatus::VARIANTS {
            let node = bench.dice.node(*status);
            let updates = bench.dice.node_updates(&node);
            let cases: Vec<_> = updates.iter().map(|update| (bench.node_key(), update)).collect();
            let cases = cases.iter().map(|(key, update)| node_moves(bench.table, key, &node, update));
            let moved = try_join_all(cases).await?;
            done.extend(
                updates.iter().zip(moved).filter(|(_, moved)| *moved).map(|(update, _)| node_kind(update)),
            );
        }
    }
    assert_eq!(done.len(), NODE_KINDS, "every kind of update has been carried out: {done:?}");
    Ok(())
}

async fn node_moves(table: &dyn Table, key: &NodeKey, node: &NodeRun, update: &NodeUpdate) -> Verdict {
    assert!(table.node_put(key, node).await?);
    let answer = table.node_update(key, update).await?;
    let wanted = update.apply(node);
    let after = wanted.clone().unwrap_or_else(|_| node.clone());
    let wanted = wanted.map_or_else(|_| Applied::Refused(Some(node.clone())), Applied::Done);
    assert_eq!(answer, wanted, "{update:?} on {node:?}");
    assert_eq!(table.node_get(key).await?, Some(after), "{update:?} on {node:?}");
    Ok(matches!(answer, Applied::Done(_)))
}

async fn operation_updates_mean_what_they_say(bench: &mut Bench<'_>) -> Outcome {
    let mut done = BTreeSet::new();
    for round in 0..ROUNDS_MAX {
        if round >= ROUNDS && done.len() == OPERATION_KINDS {
            break;
        }
        for status in OperationStatus::VARIANTS {
            let operation = bench.dice.operation_in(&bench.scope, *status);
            let updates = bench.dice.operation_updates(&operation);
            let mut copy = |update| (with_id(&operation, bench.dice.id()), update);
            let cases: Vec<_> = updates.iter().map(&mut copy).collect();
            let cases =
                cases.iter().map(|(operation, update)| operation_moves(bench.table, operation, update));
            let moved = try_join_all(cases).await?;
            let moved = updates.iter().zip(moved).filter(|(_, moved)| *moved);
            done.extend(moved.map(|(update, _)| operation_kind(update)));
        }
    }
    assert_eq!(done.len(), OPERATION_KINDS, "every kind of update has been carried out: {done:?}");
    Ok(())
}

fn with_id(operation: &Operation, operation_id: OperationId) -> Operation {
    let mut copy = operation.clone();
    copy.info.operation_id = operation_id;
    copy
}

async fn operation_moves(table: &dyn Table, operation: &Operation, update: &OperationUpdate) -> Verdict {
    let (scope, id) = (&operation.info.scope, operation.info.operation_id);
    table.transact(&[Write::CreateOperation(Box::new(operation.clone()))]).await?;
    let answer = table.operation_update(scope, id, update).await?;
    let wanted = update.apply(operation);
    let after = wanted.clone().unwrap_or_else(|_| operation.clone());
    let wanted = wanted.map_or_else(|_| Applied::Refused(Some(operation.clone())), Applied::Done);
    assert_eq!(answer, wanted, "{update:?} on {operation:?}");
    assert_eq!(table.operation_get(scope, id).await?, Some(after), "{update:?} on {operation:?}");
    Ok(matches!(answer, Applied::Done(_)))
}

async fn nothing_is_updated_into_existence(bench: &mut Bench<'_>) -> Outcome {
    let key = bench.node_key();
    let node = bench.dice.node(NodeStatus::Pending);
    for update in bench.dice.node_updates(&node) {
        assert_eq!(bench.table.node_update(&key, &update).await?, Applied::Refused(None), "{update:?}");
    }
    assert_eq!(bench.table.node_get(&key).await?, None);
    let operation = bench.operation();
    let id = operation.info.operation_id;
    for update in bench.dice.operation_updates(&operation) {
        let answer = bench.table.operation_update(&bench.scope, id, &update).await?;
        assert_eq!(answer, Applied::Refused(None), "{update:?}");
    }
    assert_eq!(bench.table.operation_get(&bench.scope, id).await?, None);
    Ok(())
}

async fn a_node_is_put_once(bench: &mut Bench<'_>) -> Outcome {
    let key = bench.node_key();
    let first = bench.dice.node(NodeStatus::Running);
    let second = bench.dice.node(NodeStatus::Pending);
    assert!(bench.table.node_put(&key, &first).await?);
    assert!(!bench.table.node_put(&key, &second).await?);
    assert_eq!(bench.table.node_get(&key).await?, Some(first), "a late duplicate resets nothing");
    Ok(())
}

async fn the_nodes_of_a_segment_are_its_own(bench: &mut Bench<'_>) -> Outcome {
    let first = bench.node_key();
    let mut wanted = Vec::new();
    // The last and the first of segments that share a partition, and of such that do not.
    for ordinal in [12, 2, 40, 41, 320, 321] {
        let key = NodeKey::new(&first.scope, first.operation, ordinal);
        let mut node = bench.dice.node(NodeStatus::Pending);
        (node.segment, node.ordinal) = (key.segment, ordinal);
        assert!(bench.table.node_put(&key, &node).await?);
        wanted.push(node);
    }
    wanted.sort_by_key(|node| (node.segment, node.ordinal));
    let mut found = Vec::new();
    for segment in [0, 1, 7, 8] {
        found.extend(bench.table.nodes(&first.scope, first.operation, segment).await?);
    }
    assert_eq!(found, wanted);
    Ok(())
}

async fn one_of_many_claims_wins(bench: &mut Bench<'_>) -> Outcome {
    let key = bench.node_key();
    let mut node = bench.dice.node(NodeStatus::Pending);
    node.unmet.clear();
    assert!(bench.table.node_put(&key, &node).await?);
    let claims = (0..RACERS).map(|racer| NodeUpdate::Claim {
        claim_id: format!("racer-{racer}"),
        now: Millis(1),
        wake: Millis(2),
        ends_by: None,
    });
    let claims: Vec<_> = claims.collect();
    let answers = try_join_all(claims.iter().map(|claim| bench.table.node_update(&key, claim))).await?;
    let won = |answer: &&Applied<_>| matches!(answer, Applied::Done(_));
    assert_eq!(answers.iter().filter(won).count(), 1);
    for (claim, answer) in claims.iter().zip(&answers) {
        let (Applied::Done(image) | Applied::Refused(Some(image))) = answer else {
            return Err("a refusal came without its image".into());
        };
        assert_eq!(claim.is_mine(image), matches!(answer, Applied::Done(_)), "losers see who won");
    }
    Ok(())
}

const NODE_KINDS: usize = 21;

/// A new kind has no place here until [`super::Dice::node_updates`] makes it, too
const fn node_kind(update: &NodeUpdate) -> &'static str {
    match update {
        NodeUpdate::Arrive { .. } => "arrive",
        NodeUpdate::Claim { .. } => "claim",
        NodeUpdate::Pass { .. } => "pass",
        NodeUpdate::Start { .. } => "start",
        NodeUpdate::Heartbeat { .. } => "heartbeat",
        NodeUpdate::Wait { .. } => "wait",
        NodeUpdate::Suspend { .. } => "suspend",
        NodeUpdate::Again { .. } => "again",
        NodeUpdate::Snooze { .. } => "snooze",
        NodeUpdate::Retry { .. } => "retry",
        NodeUpdate::Complete { .. } => "complete",
        NodeUpdate::Tell { .. } => "tell",
        NodeUpdate::Skip { .. } => "skip",
        NodeUpdate::CancelIdle { .. } => "cancel idle",
        NodeUpdate::CancelRunning { .. } => "cancel running",
        NodeUpdate::Close { .. } => "close",
        NodeUpdate::Patch(NodePatch::Rewire { .. }) => "rewire",
        NodeUpdate::Patch(NodePatch::Link { .. }) => "link",
        NodeUpdate::Patch(NodePatch::Reopen { .. }) => "reopen",
        NodeUpdate::Patch(NodePatch::Remove { .. }) => "remove",
        NodeUpdate::Patch(NodePatch::Admit) => "admit",
    }
}

const OPERATION_KINDS: usize = 14;

/// A new kind has no place here until [`super::Dice::operation_updates`] makes it, too
const fn operation_kind(update: &OperationUpdate) -> &'static str {
    match update {
        OperationUpdate::Arrive { .. } => "arrive",
        OperationUpdate::Materialise { .. } => "materialise",
        OperationUpdate::AddTodo { .. } => "add todo",
        OperationUpdate::RemoveTodo { .. } => "remove todo",
        OperationUpdate::Rest { .. } => "rest",
        OperationUpdate::CloseSegment { .. } => "close segment",
        OperationUpdate::Revive { .. } => "revive",
        OperationUpdate::Finish { .. } => "finish",
        OperationUpdate::Finished => "finished",
        OperationUpdate::Cancel { .. } => "cancel",
        OperationUpdate::Pause { .. } => "pause",
        OperationUpdate::Resume { .. } => "resume",
        OperationUpdate::Reserve { .. } => "reserve",
        OperationUpdate::Patch { .. } => "patch",
    }
}
