//! Where each entity is stored, and how it is listed

use crate::{Entity, Key};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use weir_domain::{
    assignment::AssignmentSnapshot,
    audit::AuditEvent,
    canonical::Digest,
    definition::address::Address,
    delivery::{Agent, Deployed, Promotion, Release, TargetState, Version, VersionSticker},
    gate::Gate,
    id::{EvidenceId, GateId, OperationId, PlanId, PromotionId, ReleaseId},
    intent::Intent,
    intervention::Intervention,
    operation::ReconcilePass,
    plan::{Plan, patch::PatchRecord},
    scope::Scope,
    time::{Millis, Time},
    timeline::TimelineEvent,
};

/// Entities that are listed by their status and sorted by their id
macro_rules! by_status {
    ($($entity:ty = $kind:literal, $id:ident, $status:ident;)+) => {$(
        impl Entity for $entity {
            const KIND: &'static str = $kind;

            fn key(&self, scope: &Scope) -> Key {
                Key::entity(scope, Self::KIND, &self.$id)
            }

            fn listed(&self) -> Option<(String, String)> {
                Some((self.$status.as_str().to_owned(), self.$id.to_string()))
            }
        }
    )+};
}

by_status! {
    Gate = "gate", gate_id, status;
    Intent = "intent", id, status;
    Intervention = "intervention", intervention_id, status;
    Plan = "plan", plan_id, status;
    Promotion = "promotion", id, status;
    Release = "release", id, status;
}

impl Entity for Agent {
    const KIND: &'static str = "agent";

    fn key(&self, scope: &Scope) -> Key {
        Key::entity(scope, Self::KIND, self.id)
    }

    /// One list: whether an agent is online depends on the time at which it is asked
    fn listed(&self) -> Option<(String, String)> {
        Some(("registered".to_owned(), self.id.to_string()))
    }
}

impl Entity for AssignmentSnapshot {
    const KIND: &'static str = "assignment_snapshot";

    fn key(&self, scope: &Scope) -> Key {
        Key::entity(scope, Self::KIND, self.id)
    }

    fn listed(&self) -> Option<(String, String)> {
        Some(("kept".to_owned(), self.id.to_string()))
    }
}

impl Entity for Version {
    const KIND: &'static str = "version";

    fn key(&self, scope: &Scope) -> Key {
        Key::entity(scope, Self::KIND, self.id)
    }

    fn listed(&self) -> Option<(String, String)> {
        Some((self.component_id.to_string(), self.id.to_string()))
    }
}

impl Entity for AuditEvent {
    const KIND: &'static str = "audit";

    fn key(&self, scope: &Scope) -> Key {
        Key::audit(scope, &self.day(), self.id)
    }
}

impl Entity for TargetState {
    const KIND: &'static str = "target_state";

    fn key(&self, scope: &Scope) -> Key {
        Key::entity(scope, Self::KIND, &self.target_id)
    }
}

impl Entity for VersionSticker {
    const KIND: &'static str = "sticker";

    fn key(&self, scope: &Scope) -> Key {
        Key::entity(scope, Self::KIND, &self.target_id)
    }
}

/// A resource of the definition, as it was applied last: a projection of the state ledger
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceRow {
    /// Its id
    pub address: Address,
    /// What it says, normalised
    pub spec: Value,
    /// The digest of that
    pub digest: Digest,
    /// The state revision that made it so
    pub revision: u64,
    /// The operation that did
    pub operation_id: OperationId,
    /// When
    pub applied_at: Time,
}

impl Entity for ResourceRow {
    const KIND: &'static str = "resource";

    fn key(&self, scope: &Scope) -> Key {
        Key::resource(scope, &self.address.kind().to_string(), &self.address.to_string())
    }
}

/// That an evidence packet exists; the packet itself is an object that is never written again
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// Which packet
    pub id: EvidenceId,
    /// What it is evidence of
    pub packet_type: weir_domain::evidence::PacketType,
    /// The operation
    pub operation_id: OperationId,
    /// The promotion, if it is about one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// The digest of its content
    pub content_hash: Digest,
    /// Which key signed it
    pub signer_key_ref: String,
    /// When it was made
    pub created_at: Time,
}

impl Entity for EvidenceRow {
    const KIND: &'static str = "evidence";

    fn key(&self, scope: &Scope) -> Key {
        Key::entity(scope, Self::KIND, self.id)
    }

    /// By operation, so that an operation's packets are one short list
    fn listed(&self) -> Option<(String, String)> {
        Some((self.operation_id.to_string(), self.id.to_string()))
    }
}

impl Entity for Deployed {
    const KIND: &'static str = "deployed";

    fn key(&self, scope: &Scope) -> Key {
        Key::deployed(scope, &self.service_id, &self.environment_id)
    }
}

/// That an operation runs for a release: a projection of operations
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRun {
    /// The release
    pub release_id: ReleaseId,
    /// The operation
    pub operation_id: OperationId,
}

impl Entity for ReleaseRun {
    const KIND: &'static str = "release_run";

    fn key(&self, scope: &Scope) -> Key {
        Key::release_run(scope, self.release_id, self.operation_id)
    }
}

/// That an operation runs a plan: a projection of operations
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRun {
    /// The plan
    pub plan_id: PlanId,
    /// The operation
    pub operation_id: OperationId,
}

impl Entity for PlanRun {
    const KIND: &'static str = "plan_run";

    fn key(&self, scope: &Scope) -> Key {
        Key::plan_run(scope, self.plan_id, self.operation_id)
    }
}

/// How far a rebuild has come with the operations: another attempt goes on from there
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildMark {
    /// The operation that rebuilds
    pub operation_id: OperationId,
    /// Whose operations it was at
    pub at: Scope,
    /// Where the next page of them begins; none where that scope is done
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What was counted until then, by key
    pub counts: BTreeMap<String, u64>,
    /// When it may be forgotten: long after the last attempt
    pub forget_at: Time,
}

impl Entity for RebuildMark {
    const KIND: &'static str = "rebuild_mark";

    fn key(&self, scope: &Scope) -> Key {
        Key::entity(scope, Self::KIND, self.operation_id)
    }

    fn expires_at(&self) -> Option<Millis> {
        Some(self.forget_at.into())
    }
}

/// That a gate waits for something to end
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateWatch {
    /// What: an operation's id, or the address of an environment
    pub on: String,
    /// Which gate
    pub gate_id: GateId,
    /// The operation that it is a gate of
    pub operation_id: OperationId,
    /// Its node there
    pub ordinal: u32,
    /// When it stops waiting
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

impl Entity for GateWatch {
    const KIND: &'static str = "watch";

    fn key(&self, scope: &Scope) -> Key {
        Key::watch(scope, &self.on, self.gate_id)
    }

    fn expires_at(&self) -> Option<Millis> {
        self.expires_at.map(Into::into)
    }
}

/// The lock that keeps two active operations of one identity apart
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveRun {
    /// What makes the two the same
    pub run_identity_hash: Digest,
    /// Which operation is active
    pub operation_id: OperationId,
    /// Until when it is believed to be; one without is active until its lock is taken away
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Time>,
}

impl Entity for ActiveRun {
    const KIND: &'static str = "active";

    fn key(&self, scope: &Scope) -> Key {
        Key::active_run(scope, &self.run_identity_hash)
    }
}

/// Which operation does again what another one has left undone: one for each, so that nothing is done again twice
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetriedBy {
    /// The operation that left something undone
    pub operation_id: OperationId,
    /// The operation that does it again
    pub retry_id: OperationId,
}

impl Entity for RetriedBy {
    const KIND: &'static str = "retried";

    fn key(&self, scope: &Scope) -> Key {
        Key::entity(scope, Self::KIND, self.operation_id)
    }
}

/// Who may use a resource that one operation at a time may use: the first; the others wait, in order
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExclusiveQueue {
    /// The resource
    pub resource: Address,
    /// The operations that use it or wait for it
    pub operations: Vec<OperationId>,
    /// Whose each of them is: the queue of what tenants share has operations of several. One that joined before this was
    /// kept is not in it
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<OperationId, Scope>,
}

impl Entity for ExclusiveQueue {
    const KIND: &'static str = "exclusive";

    fn key(&self, scope: &Scope) -> Key {
        Key::exclusive(scope, &self.resource)
    }
}

impl Entity for PatchRecord {
    const KIND: &'static str = "patch";

    fn key(&self, scope: &Scope) -> Key {
        Key::patch(scope, self.operation_id, self.sequence)
    }
}

impl Entity for ReconcilePass {
    const KIND: &'static str = "pass";

    fn key(&self, scope: &Scope) -> Key {
        Key::entity(scope, Self::KIND, self.id)
    }

    fn listed(&self) -> Option<(String, String)> {
        Some((self.status.as_str().to_owned(), self.id.to_string()))
    }

    fn expires_at(&self) -> Option<Millis> {
        self.forget_at.map(Into::into)
    }
}

impl Entity for TimelineEvent {
    const KIND: &'static str = "event";

    fn key(&self, scope: &Scope) -> Key {
        Key::event(scope, self.operation_id, self.id)
    }
}
