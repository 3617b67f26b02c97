//! Node runs as items
//!
//! When each attempt began stands in one map, `began`, by attempt: so a retry moves nothing from "current" to
//! "past", which an update expression could not do.

use super::{
    attribute::{Document, EncodeError, Item, ItemBuilder, Malformed, corrupt, item_name, take, take_key},
    expression::{Built, Expression},
};
use crate::{Key, NodeKey, StoreError, entity::whole_seconds, key::Place, schema, wake_shard};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    engine::{GUARD, NodePatch, NodeRun, NodeUpdate, Past, Terms},
    failure::FailureSummary,
    plan::{Executor, NodeStatus},
    time::Millis,
};

const STATUS: &str = "st";
const TERMINAL: [NodeStatus; 3] = [NodeStatus::Succeeded, NodeStatus::Failed, NodeStatus::Skipped];

/// One attempt that ended without ending the node, without its beginning, which stands in `began`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ended {
    attempt: u32,
    ended_at: Millis,
    error: FailureSummary,
}

/// The item that holds `node`
pub(super) fn to_item(key: &NodeKey, node: &NodeRun) -> Result<Item, EncodeError> {
    let queue = match &node.terms.runs {
        Executor::Agent(target) => Some(Key::queue(&key.scope, &target.to_string())),
        Executor::Decide | Executor::Job | Executor::Join => None,
    };
    let queued = if node.status == NodeStatus::Ready { node.not_before } else { None };
    let past = node.past.iter().filter_map(|past| Some((past.attempt, past.started_at?)));
    let began: BTreeMap<u32, Millis> = past.chain(node.started_at.map(|time| (node.attempt, time))).collect();
    let ended =
        |past: &Past| Ended { attempt: past.attempt, ended_at: past.ended_at, error: past.error.clone() };
    let past = (!node.past.is_empty()).then(|| Document(node.past.iter().map(ended).collect::<Vec<_>>()));
    ItemBuilder::new(&Key::node(key))
        .with(schema::SEGMENT, &node.segment)
        .with("terms", &Document(node.terms.clone()))
        .with(STATUS, &node.status)
        .with("unmet", &node.unmet)
        .with("out", &node.out)
        .with("out_ver", &node.out_ver)
        .with("tokens", &node.tokens)
        .with("attempt", &node.attempt)
        .with("lease_until", &node.lease_until)
        .with("not_before", &node.not_before)
        .with("deadline", &node.deadline)
        .with("ends_by", &node.ends_by)
        .with("inputs_from", &node.inputs_from.map(|id| id.to_string()))
        .with("claim_id", &node.claim_id)
        .with("result_id", &node.result_id)
        .with("holder", &node.holder)
        .with("cancel", &node.cancel)
        .with("closed", &node.closed)
        .with(schema::WAKES.hash, &wake_shard(key.operation, node.ordinal))
        .with(schema::WAKES.range, &node.wake)
        .with(schema::QUEUES.hash, &queue)
        .with(schema::QUEUES.range, &queued)
        .with("ready_at", &node.ready_at)
        .with("began", &began)
        .with("finished_at", &node.finished_at)
        .with("error", &node.error.clone().map(Document))
        .with("past", &past)
        .with(schema::EXPIRES_AT, &node.expires_at.map(whole_seconds))
        .build()
}

/// The node run that `item` holds, and where
pub(super) fn from_item(mut item: Item) -> Result<(NodeKey, NodeRun), StoreError> {
    let name = item_name(&item);
    read(&mut item).map_err(|cause| corrupt(name, cause))
}

/// Where the node run of `item` is; enough is projected into the engine's indexes
pub(super) fn key(item: &mut Item) -> Result<NodeKey, Malformed> {
    let Place::Node(scope, operation, ordinal) = take_key(item)?.place() else {
        return Err(Malformed(schema::SK));
    };
    Ok(NodeKey { scope, operation, segment: take(item, schema::SEGMENT)?, ordinal })
}

fn read(item: &mut Item) -> Result<(NodeKey, NodeRun), Malformed> {
    let key = key(item)?;
    let Document(terms) = take(item, "terms")?;
    let attempt: u32 = take(item, "attempt")?;
    let began: BTreeMap<u32, Millis> = take(item, "began")?;
    let ended: Option<Document<Vec<Ended>>> = take(item, "past")?;
    let inputs_from: Option<String> = take(item, "inputs_from")?;
    let past = |Ended { attempt, ended_at, error }| Past {
        attempt,
        started_at: began.get(&attempt).copied(),
        ended_at,
        error,
    };
    let node = NodeRun {
        ordinal: key.ordinal,
        segment: key.segment,
        terms,
        status: take(item, STATUS)?,
        unmet: take(item, "unmet")?,
        out: take(item, "out")?,
        out_ver: take(item, "out_ver")?,
        tokens: take(item, "tokens")?,
        attempt,
        lease_until: take(item, "lease_until")?,
        not_before: take(item, "not_before")?,
        deadline: take(item, "deadline")?,
        ends_by: take(item, "ends_by")?,
        inputs_from: inputs_from.map(|id| id.parse()).transpose().map_err(|_| Malformed("inputs_from"))?,
        claim_id: take(item, "claim_id")?,
        result_id: take(item, "result_id")?,
        holder: take(item, "holder")?,
        cancel: take(item, "cancel")?,
        closed: take(item, "closed")?,
        wake: take(item, schema::WAKES.range)?,
        ready_at: take(item, "ready_at")?,
        started_at: began.get(&attempt).copied(),
        finished_at: take(item, "finished_at")?,
        error: take::<Option<Document<_>>>(item, "error")?.map(|Document(error)| error),
        past: ended.into_iter().flat_map(|Document(ended)| ended).map(past).collect(),
        expires_at: take::<Option<i64>>(item, schema::EXPIRES_AT)?.map(Millis::from_secs),
    };
    Ok((key, node))
}

/// `update` as one conditional request: what [`NodeUpdate::apply`] says, in DynamoDB's words
pub(super) fn expression(update: &NodeUpdate) -> Result<Built, EncodeError> {
    let conditional = condition(Expression::new(), update);
    change(conditional, update).build()
}

/// As [`NodeUpdate::allows`]
fn condition(on: Expression, update: &NodeUpdate) -> Expression {
    use NodeStatus::{Pending, Ready, Running, Waiting};
    type U = NodeUpdate;
    let leased = |on: Expression, seen: &Option<Millis>| match seen {
        Some(seen) => on.when("lease_until", seen),
        None => on,
    };
    match update {
        U::Arrive { .. } | U::Tell { .. } => on,
        U::Claim { .. } | U::Pass { .. } => on.when(STATUS, &Pending).when_absent("unmet"),
        U::Start { attempt, now, .. } => {
            on.when(STATUS, &Ready).when("attempt", attempt).when_at_most("not_before", now)
        }
        U::Heartbeat { attempt, .. } => on.when(STATUS, &Running).when("attempt", attempt),
        U::CancelRunning { attempt, .. } => {
            on.when_one_of(STATUS, &[Running, Waiting]).when("attempt", attempt).when_absent("error")
        }
        U::Wait { attempt, .. } => on.when_one_of(STATUS, &[Ready, Running]).when("attempt", attempt),
        U::Snooze { seen, attempt, .. } => {
            on.when(STATUS, seen).when_none_of(STATUS, &TERMINAL).when("attempt", attempt)
        }
        U::CancelIdle { seen, attempt, .. } => {
            on.when(STATUS, seen).when_one_of(STATUS, &[Pending, Ready, Waiting]).when("attempt", attempt)
        }
        U::Retry { attempt, lease_seen, .. } => {
            let on = on.when_one_of(STATUS, &[Running, Waiting]).when("attempt", attempt);
            leased(on.when_absent("cancel").when_absent("error"), lease_seen)
        }
        U::Suspend { attempt, lease_seen, .. } => {
            let on = on.when_one_of(STATUS, &[Ready, Running, Waiting]).when("attempt", attempt);
            leased(on.when_absent("cancel").when_absent("error"), lease_seen)
        }
        U::Again { attempt, .. } => {
            on.when(STATUS, &Waiting).when("attempt", attempt).when_absent("cancel").when_present("error")
        }
        U::Complete { attempt, lease_seen, .. } => {
            leased(on.when_one_of(STATUS, &[Ready, Running, Waiting]).when("attempt", attempt), lease_seen)
        }
        U::Skip { .. } => on.when(STATUS, &Pending),
        U::Close { out_ver } => on.when_one_of(STATUS, &TERMINAL).when("out_ver", out_ver),
        U::Patch(patch) => patch_condition(on, patch),
    }
}

fn patch_condition(on: Expression, patch: &NodePatch) -> Expression {
    match patch {
        NodePatch::Rewire { seen, .. } => on.when(STATUS, &NodeStatus::Pending).when_same("unmet", seen),
        NodePatch::Link { .. } => on.when_none_of(STATUS, &TERMINAL),
        NodePatch::Reopen { .. } => on.when_one_of(STATUS, &TERMINAL),
        NodePatch::Remove { .. } => on.when(STATUS, &NodeStatus::Pending),
        NodePatch::Admit => on,
    }
}

fn patch_change(on: Expression, patch: &NodePatch) -> Expression {
    let linked = |on: Expression, out: &BTreeSet<u32>| on.set("out", out).increment("out_ver");
    match patch {
        NodePatch::Rewire { unmet, out, terms, .. } => {
            let on = linked(on.set("unmet", unmet), out);
            match terms {
                Some(terms) => on.set("terms", &Document(Terms::clone(terms))),
                None => on,
            }
        }
        NodePatch::Link { out } => linked(on, out),
        NodePatch::Reopen { out, now } => linked(on, out).remove("closed").set(schema::WAKES.range, now),
        NodePatch::Remove { now, error } => {
            linked(ended(on, NodeStatus::Skipped, *now, Some(error)), &BTreeSet::new())
        }
        NodePatch::Admit => on.exclude("unmet", &BTreeSet::from([GUARD])).remove(schema::EXPIRES_AT),
    }
}

/// As the change that [`NodeUpdate::apply`] makes
///
/// `queued` comes with `ready` and goes with it.
fn change(on: Expression, update: &NodeUpdate) -> Expression {
    type U = NodeUpdate;
    let wake = schema::WAKES.range;
    let queued = schema::QUEUES.range;
    match update {
        U::Arrive { token } => on.include("tokens", &BTreeSet::from([token.clone()])),
        U::Tell { from } => on.exclude("unmet", &BTreeSet::from([*from])),
        U::Snooze { wake: at, .. } => on.set(wake, at),
        U::Heartbeat { lease_until, .. } => on.set("lease_until", lease_until).set(wake, lease_until),
        U::CancelRunning { wake: at, .. } => on.set("cancel", &true).set(wake, at),
        U::Close { .. } => on.set("closed", &true).remove(wake),
        U::Claim { claim_id, now, wake: at, ends_by } => {
            ready(on, *now, *now, *at).set("claim_id", claim_id).set("ends_by", ends_by)
        }
        U::Retry { attempt, now, not_before, wake: at, error, .. } => {
            try_again(ready(on, *now, *not_before, *at), *attempt, *now, error)
        }
        U::Again { attempt, now, wake: at, error, inputs_from, ends_by } => {
            let on = try_again(ready(on, *now, *now, *at), *attempt, *now, error).remove("error");
            let on = match inputs_from {
                Some(id) => on.set("inputs_from", &id.to_string()),
                None => on,
            };
            on.set("ends_by", ends_by)
        }
        U::Suspend { wake: at, error, .. } => on
            .set(STATUS, &NodeStatus::Waiting)
            .set("error", &Document(error.clone()))
            .set(wake, at)
            .remove("lease_until")
            .remove(queued),
        U::Start { attempt, holder, now, lease_until, deadline } => on
            .set(STATUS, &NodeStatus::Running)
            .set("holder", holder)
            .set_entry("began", *attempt, now)
            .set("lease_until", lease_until)
            .set("deadline", deadline)
            .set(wake, lease_until)
            .remove(queued),
        U::Wait { attempt, now, wake: at } => on
            .set(STATUS, &NodeStatus::Waiting)
            .set_entry("began", *attempt, now)
            .set(wake, at)
            .remove("lease_until")
            .remove(queued),
        U::Pass { claim_id, now } => ended(on, NodeStatus::Succeeded, *now, None).set("claim_id", claim_id),
        U::Complete { status, result_id, now, error, .. } => {
            ended(on, *status, *now, error.as_ref()).set("result_id", result_id)
        }
        U::Skip { now, error } | U::CancelIdle { now, error, .. } => {
            ended(on, NodeStatus::Skipped, *now, Some(error))
        }
        U::Patch(patch) => patch_change(on, patch),
    }
}

fn ready(on: Expression, now: Millis, not_before: Millis, wake: Millis) -> Expression {
    on.set(STATUS, &NodeStatus::Ready)
        .increment("attempt")
        .set("not_before", &not_before)
        .set("ready_at", &now)
        .set(schema::WAKES.range, &wake)
        .set(schema::QUEUES.range, &not_before)
}

fn try_again(on: Expression, attempt: u32, now: Millis, error: &FailureSummary) -> Expression {
    let ended = Ended { attempt, ended_at: now, error: error.clone() };
    on.append("past", &Document(vec![ended])).remove("lease_until").remove("deadline").remove("holder")
}

fn ended(on: Expression, status: NodeStatus, now: Millis, error: Option<&FailureSummary>) -> Expression {
    on.set(STATUS, &status)
        .set("finished_at", &now)
        .set("error", &error.cloned().map(Document))
        .set(schema::WAKES.range, &now)
        .remove("lease_until")
        .remove(schema::QUEUES.range)
}
