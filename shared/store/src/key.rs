//! Every key of the table. No other module builds or splits one
//!
//! | item | pk | sk |
//! |---|---|---|
//! | entity (intent, plan, release, …) | `<scope>#<kind>#<id>` | `meta` |
//! | operation | `<scope>#op#<id>` | `meta` |
//! | timeline event | `<scope>#op#<id>` | `event#<evt id>` |
//! | plan patch | `<scope>#op#<id>` | `patch#<sequence>` |
//! | node run | `<scope>#op#<id>#s<segment / 8>` | `node#<ordinal>` |
//! | active run | `<scope>#active` | `<run_identity_hash>` |
//! | pass of reconcile | `<workspace>#pass#<id>` | `meta` |
//! | queue of an exclusive resource | `<scope>#exclusive` | `<address>` |
//! | idempotency record | `<scope>#idem#<shard>` | `<key>` |
//! | projected resource | `<scope>#res#<kind>` | `<address>` |
//! | what was brought to an environment last | `<scope>#deployed#<service>` | `<environment>` |
//! | what runs for a release | `<scope>#release_run#<release>` | `<op id>` |
//! | what runs a plan | `<scope>#plan_run#<plan>` | `<op id>` |
//! | how far the rows have come | `<workspace>#projection#resources` | `meta` |
//! | audit event | `<scope>#audit#<day>` | `<aud id>` |
//! | audit chain's head | `<workspace>#audit` | `head` |
//! | gate that waits for something to end | `<scope>#watch#<what>` | `<gat id>` |
//! | agent's registration token | `<scope>#token#<sha256>` | `meta` |
//!
//! Indexes ([`crate::schema`]): GSI1 lists (`list` = `<scope>#<kind>#<status>`, `list_id`), GSI2 the work of a
//! target (`queue` = `<scope>#queue#<target>`, `queued`), GSI3 what has to be looked at (`wake_shard`, `wake`).
//! The scope always comes first, so that no query without one can be written; GSI3, which only the engine
//! reads, is the one exception.

use std::fmt;
use weir_domain::{
    canonical::Digest,
    definition::address::Address,
    id::{AuditId, EventId, GateId, OperationId, PlanId, ReleaseId},
    operation::OperationStatus,
    plan::{first_ordinal, segment_of},
    scope::Scope,
};

/// Segments per partition of node runs: a fan-out of 5,000 must not meet on one partition
const SEGMENTS_PER_PARTITION: u32 = 8;

/// Partitions of idempotency records within a scope
const IDEMPOTENCY_SHARDS: u8 = 16;

/// The sort key of what a partition is about
const META: &str = "meta";

/// One item's place in the table
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pk: String,
    sk: String,
}

/// One node run's place, in the terms that the engine knows it by
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey {
    /// Whose operation it is
    pub scope: Scope,
    /// Which operation
    pub operation: OperationId,
    /// Which segment of it
    pub segment: u32,
    /// Which node
    pub ordinal: u32,
}

impl NodeKey {
    /// The node `ordinal` of `operation`
    pub fn new(scope: &Scope, operation: OperationId, ordinal: u32) -> Self {
        Self { scope: scope.clone(), operation, segment: segment_of(ordinal), ordinal }
    }
}

/// What kind of item a key is for
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// An operation
    Operation(Scope, OperationId),
    /// A node run, by its ordinal
    Node(Scope, OperationId, u32),
    /// Everything else
    Record,
}

impl Key {
    /// The key that an item was read with
    pub(crate) const fn from_parts(pk: String, sk: String) -> Self {
        Self { pk, sk }
    }

    /// What kind of item stands here
    pub(crate) fn place(&self) -> Place {
        let Some((scope, operation)) = Self::parse_operation(&self.pk) else { return Place::Record };
        match Self::parse_node(&self.sk) {
            Some(ordinal) => Place::Node(scope, operation, ordinal),
            None if self.sk == META => Place::Operation(scope, operation),
            None => Place::Record,
        }
    }

    /// An entity by its kind (`release`, `plan`, …) and id
    pub fn entity(scope: &Scope, kind: &str, id: impl fmt::Display) -> Self {
        Self { pk: format!("{scope}#{kind}#{id}"), sk: META.to_owned() }
    }

    /// An operation
    pub fn operation(scope: &Scope, operation: OperationId) -> Self {
        Self { pk: Self::operation_partition(scope, operation), sk: META.to_owned() }
    }

    /// One event of an operation's timeline
    pub fn event(scope: &Scope, operation: OperationId, event: EventId) -> Self {
        Self { pk: Self::operation_partition(scope, operation), sk: format!("event#{event}") }
    }

    /// One patch of what an operation runs
    pub fn patch(scope: &Scope, operation: OperationId, sequence: u32) -> Self {
        Self { pk: Self::operation_partition(scope, operation), sk: format!("patch#{sequence:06}") }
    }

    /// The lock that keeps two active operations of one identity apart
    pub fn active_run(scope: &Scope, identity: &Digest) -> Self {
        Self { pk: format!("{scope}#active"), sk: identity.to_string() }
    }

    /// Who may use a resource that one operation at a time may use
    pub fn exclusive(scope: &Scope, resource: impl fmt::Display) -> Self {
        Self { pk: format!("{scope}#exclusive"), sk: resource.to_string() }
    }

    /// What was answered to one idempotency key; `hash` is that of actor, route and key
    pub fn idempotency(scope: &Scope, hash: &Digest) -> Self {
        let shard = hash.hex().bytes().next().map_or(0, |byte| byte % IDEMPOTENCY_SHARDS);
        Self { pk: format!("{scope}#idem#{shard}"), sk: hash.hex().to_owned() }
    }

    /// A resource of the definition as it was applied last
    pub fn resource(scope: &Scope, kind: &str, address: &str) -> Self {
        Self { pk: format!("{scope}#res#{kind}"), sk: address.to_owned() }
    }

    /// One audit event; `day` is `YYYY-MM-DD`, UTC
    pub fn audit(scope: &Scope, day: &str, event: AuditId) -> Self {
        Self { pk: format!("{scope}#audit#{day}"), sk: event.to_string() }
    }

    /// Where the sequencer of a workspace's audit chain stands
    pub fn audit_head(scope: &Scope) -> Self {
        Self { pk: format!("{}#audit", scope.workspace), sk: "head".to_owned() }
    }

    /// A one-time token, by its hash
    pub fn token(scope: &Scope, hash: &Digest) -> Self {
        Self { pk: format!("{scope}#token#{}", hash.hex()), sk: META.to_owned() }
    }

    /// A gate that waits for `on` to end
    pub fn watch(scope: &Scope, on: &str, gate: GateId) -> Self {
        Self { pk: Self::watch_partition(scope, on), sk: gate.to_string() }
    }

    /// One node run
    pub fn node(node: &NodeKey) -> Self {
        Self {
            pk: Self::node_partition(&node.scope, node.operation, node.segment),
            sk: format!("node#{:06}", node.ordinal),
        }
    }

    /// The first and the last node run that a segment may have: only they are read of a partition that it shares
    pub fn node_span(scope: &Scope, operation: OperationId, segment: u32) -> (Self, Self) {
        let at = |ordinal| Self::node(&NodeKey { scope: scope.clone(), operation, segment, ordinal });
        (at(first_ordinal(segment)), at(first_ordinal(segment.saturating_add(1)).saturating_sub(1)))
    }

    /// What was brought of a service to an environment last
    pub fn deployed(scope: &Scope, service: &Address, environment: &Address) -> Self {
        Self { pk: Self::deployed_partition(scope, service), sk: environment.to_string() }
    }

    /// That an operation runs for a release
    pub fn release_run(scope: &Scope, release: ReleaseId, operation: OperationId) -> Self {
        Self { pk: Self::release_run_partition(scope, release), sk: operation.to_string() }
    }

    /// The partition of what runs for a release
    pub fn release_run_partition(scope: &Scope, release: ReleaseId) -> String {
        format!("{scope}#release_run#{release}")
    }

    /// That an operation runs a plan
    pub fn plan_run(scope: &Scope, plan: PlanId, operation: OperationId) -> Self {
        Self { pk: Self::plan_run_partition(scope, plan), sk: operation.to_string() }
    }

    /// The partition of what runs a plan
    pub fn plan_run_partition(scope: &Scope, plan: PlanId) -> String {
        format!("{scope}#plan_run#{plan}")
    }

    /// The partition of what was brought of a service to its environments last
    pub fn deployed_partition(scope: &Scope, service: &Address) -> String {
        format!("{scope}#deployed#{service}")
    }

    /// The partition of an operation's item and timeline
    pub fn operation_partition(scope: &Scope, operation: OperationId) -> String {
        format!("{scope}#op#{operation}")
    }

    /// The partition of a segment's node runs, shared by eight segments
    fn node_partition(scope: &Scope, operation: OperationId, segment: u32) -> String {
        format!("{scope}#op#{operation}#s{}", segment / SEGMENTS_PER_PARTITION)
    }

    /// The partition of one kind of applied resources
    pub fn resource_partition(scope: &Scope, kind: &str) -> String {
        format!("{scope}#res#{kind}")
    }

    /// The partition of the gates that wait for `on` to end
    pub fn watch_partition(scope: &Scope, on: &str) -> String {
        format!("{scope}#watch#{on}")
    }

    /// The partition of one day's audit events
    pub fn audit_partition(scope: &Scope, day: &str) -> String {
        format!("{scope}#audit#{day}")
    }

    /// The list (GSI1) of a kind in one status
    pub fn list(scope: &Scope, kind: &str, status: &str) -> String {
        format!("{scope}#{kind}#{status}")
    }

    /// The list (GSI1) of the operations in one status
    pub fn operation_list(scope: &Scope, status: OperationStatus) -> String {
        Self::list(scope, "op", status.as_str())
    }

    /// The work (GSI2) of one target
    pub fn queue(scope: &Scope, target: &str) -> String {
        format!("{scope}#queue#{target}")
    }

    /// The partition key
    pub fn pk(&self) -> &str {
        &self.pk
    }

    /// The sort key
    pub fn sk(&self) -> &str {
        &self.sk
    }

    /// The scope and the operation that `pk` belongs to, if it is an operation's or its nodes'
    pub fn parse_operation(pk: &str) -> Option<(Scope, OperationId)> {
        let mut parts = pk.split('#');
        let scope = parts.next()?.parse().ok()?;
        let operation = (parts.next()? == "op").then(|| parts.next())??.parse().ok()?;
        Some((scope, operation))
    }

    /// The node number in `sk`, if it is a node run's
    pub fn parse_node(sk: &str) -> Option<u32> {
        sk.strip_prefix("node#")?.parse().ok()
    }

    /// The scope that `pk` begins with
    pub fn parse_scope(pk: &str) -> Option<Scope> {
        pk.split('#').next()?.parse().ok()
    }
}

/// The partition of the wake index that an item belongs to: one of `WAKE_SHARDS`
pub fn wake_shard(operation: OperationId, ordinal: u32) -> String {
    use weir_domain::{engine::WAKE_SHARDS, id::Id as _};
    let mixed = operation.body().0 ^ u128::from(ordinal).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let shard = mixed % u128::from(WAKE_SHARDS);
    wake_partition(u8::try_from(shard).unwrap_or_default())
}

/// The wake index's partition of one shard
pub(crate) fn wake_partition(shard: u8) -> String {
    format!("wake#{shard}")
}
