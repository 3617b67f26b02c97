//! Promotions: a request to bring a release into an environment (requirement 004)

use super::{NotAllowed, release::Release};
use crate::{
    actor::Actor,
    canonical::Digest,
    definition::address::Address,
    gate::Verdict,
    id::{GateId, IntentId, OperationId, PlanId, PromotionId, ReleaseId},
    plan::NodeId,
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Where a promotion stands
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PromotionStatus {
    /// Requested; its gates have not been asked
    Pending,
    /// A gate waits for people
    AwaitingApproval,
    /// Every gate has allowed it
    Approved,
    /// Its targets are being deployed to
    Deploying,
    /// Every target runs it
    Deployed,
    /// A gate has denied it
    Rejected,
    /// It could not be deployed
    Failed,
    /// Somebody stopped it
    Cancelled,
    /// It could not be deployed, and the targets have what they had before
    RolledBack,
}

/// What moves a promotion
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum PromotionCommand {
    /// A gate has to be decided by people
    AwaitApproval,
    /// Every gate has allowed it
    Approve,
    /// The first target is being deployed to
    Deploy,
    /// Every target runs it
    Complete,
    /// A gate has denied it
    Reject,
    /// It could not be deployed
    Fail,
    /// Somebody stopped it
    Cancel,
    /// The targets have what they had before
    RollBack,
}

impl PromotionStatus {
    /// The status as callers and the table know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The status after `command`, or `None` where the command is not allowed
    pub const fn after(self, command: PromotionCommand) -> Option<Self> {
        use PromotionCommand as C;
        match (self, command) {
            (Self::Pending, C::AwaitApproval) => Some(Self::AwaitingApproval),
            (Self::Pending | Self::AwaitingApproval, C::Approve) => Some(Self::Approved),
            (Self::Pending | Self::AwaitingApproval, C::Reject) => Some(Self::Rejected),
            (Self::Approved, C::Deploy) => Some(Self::Deploying),
            (Self::Deploying, C::Complete) => Some(Self::Deployed),
            (Self::Pending | Self::AwaitingApproval | Self::Approved | Self::Deploying, C::Fail) => {
                Some(Self::Failed)
            }
            (Self::Pending | Self::AwaitingApproval | Self::Approved | Self::Deploying, C::Cancel) => {
                Some(Self::Cancelled)
            }
            (Self::Failed | Self::Deployed | Self::Cancelled, C::RollBack) => Some(Self::RolledBack),
            (
                Self::Pending
                | Self::AwaitingApproval
                | Self::Approved
                | Self::Deploying
                | Self::Deployed
                | Self::Rejected
                | Self::Failed
                | Self::Cancelled
                | Self::RolledBack,
                _,
            ) => None,
        }
    }

    /// The status of requirement 001's per-environment release, of which a promotion is the record
    pub const fn release_view(self) -> ReleaseViewStatus {
        match self {
            Self::Pending | Self::AwaitingApproval | Self::Approved => ReleaseViewStatus::Draft,
            Self::Deploying => ReleaseViewStatus::Promoting,
            Self::Deployed => ReleaseViewStatus::Active,
            Self::Rejected | Self::Failed | Self::Cancelled | Self::RolledBack => ReleaseViewStatus::Failed,
        }
    }
}

/// The status of a release as requirement 001 has it
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantArray,
)]
pub enum ReleaseViewStatus {
    /// Not begun
    Draft,
    /// On its way
    Promoting,
    /// There
    Active,
    /// Not there, and not on its way
    Failed,
}

/// What one gate of a promotion answered, on what
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateOutcome {
    /// Which node of the plan
    pub node_id: NodeId,
    /// Which gate
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_id: Option<GateId>,
    /// What kind of gate
    pub kind: String,
    /// What it was decided on
    pub inputs: Value,
    /// What it answered
    pub verdict: Verdict,
    /// Whose act decided it: that of a person, or Weir's
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// The part of the plan that it was decided on
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closure_hash: Option<Digest>,
    /// When
    pub at: Time,
}

/// A promotion
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Promotion {
    /// What it is called everywhere
    pub id: PromotionId,
    /// What is brought
    pub release_id: ReleaseId,
    /// Its service, as an address
    pub service_id: Address,
    /// Its version
    pub version: String,
    /// Where it has to run already, if anywhere
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_environment_id: Option<Address>,
    /// Where it is brought
    pub target_environment_id: Address,
    /// Where it stands
    pub status: PromotionStatus,
    /// What each gate answered, in the order in which they were asked
    pub decision_record: Vec<GateOutcome>,
    /// The operation that carries it out
    pub workflow_run_id: OperationId,
    /// Its intent
    pub intent_id: IntentId,
    /// Its plan
    pub plan_id: PlanId,
    /// The operation that took it back
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_by: Option<OperationId>,
    /// Who asked
    pub requested_by: Actor,
    /// When
    pub requested_at: Time,
}

impl Promotion {
    /// The promotion after `command`
    pub fn after(mut self, command: PromotionCommand) -> Result<Self, NotAllowed> {
        let status = self.status.after(command).ok_or_else(|| NotAllowed {
            kind: "promotion",
            id: self.id.to_string(),
            status: self.status.as_str(),
            command: command.into(),
        })?;
        self.status = status;
        Ok(self)
    }
}

/// Why a promotion cannot be asked for
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromotionRefusal {
    /// The release is a draft, or deprecated
    #[error("release `{release}` is {}: only a ready or deployed release can be promoted", .status.as_str())]
    NotReady {
        /// Which release
        release: ReleaseId,
        /// Where it stands
        status: super::release::ReleaseStatus,
    },
    /// The service is never there
    #[error("`{service}` does not run in `{environment}`: its definition does not list it")]
    NotItsEnvironment {
        /// Which service
        service: Address,
        /// Which environment
        environment: Address,
    },
    /// The source and the target are one
    #[error("a release cannot be promoted from `{0}` to itself")]
    SameEnvironment(Address),
    /// It does not run where it has to run already
    #[error("release `{release}` is not deployed in `{environment}`")]
    NotInSource {
        /// Which release
        release: ReleaseId,
        /// Where it has to run
        environment: Address,
    },
}

impl PromotionRefusal {
    /// A code for programs; part of the contract: add, never rename
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotReady { .. } => "release_not_ready",
            Self::NotItsEnvironment { .. } => "not_its_environment",
            Self::SameEnvironment(_) => "same_environment",
            Self::NotInSource { .. } => "not_deployed_in_source",
        }
    }
}

/// Decides whether `release` may be asked to be brought into `target`
///
/// `listed` are the environments of its service; `source` is where it has to run already, and whether it does.
pub fn check_request(
    release: &Release,
    listed: &[Address],
    source: Option<(&Address, bool)>,
    target: &Address,
) -> Result<(), PromotionRefusal> {
    if !release.status.is_promotable() {
        return Err(PromotionRefusal::NotReady { release: release.id, status: release.status });
    }
    if !listed.contains(target) {
        let (service, environment) = (release.service_id.clone(), target.clone());
        return Err(PromotionRefusal::NotItsEnvironment { service, environment });
    }
    match source {
        Some((source, _)) if source == target => Err(PromotionRefusal::SameEnvironment(target.clone())),
        Some((source, false)) => {
            Err(PromotionRefusal::NotInSource { release: release.id, environment: source.clone() })
        }
        Some((_, true)) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn transitions_are_these() {
        crate::golden::matrix("promotion-transitions.txt", PromotionStatus::after);
    }

    #[test]
    fn requirement_001_sees_a_promotion_as_a_release() {
        let mut table = String::new();
        for status in PromotionStatus::VARIANTS {
            let view: &str = status.release_view().into();
            writeln!(table, "{:<18} {view}", status.as_str()).unwrap();
        }
        crate::golden::check("promotion-release-view.txt", &table);
    }

    /// Requirement 001: `Draft → Promoting → Active | Failed`; the only way out of `Active` is a rollback
    #[test]
    fn the_release_view_moves_forward_only() {
        use ReleaseViewStatus as V;
        for status in PromotionStatus::VARIANTS {
            for after in PromotionCommand::VARIANTS.iter().filter_map(|command| status.after(*command)) {
                let step = (status.release_view(), after.release_view());
                let forward = matches!(
                    step,
                    (V::Draft, V::Draft | V::Promoting | V::Failed)
                        | (V::Promoting, V::Active | V::Failed)
                        | (V::Active | V::Failed, V::Failed)
                );
                assert!(forward, "{status:?} → {after:?}");
            }
        }
    }
}
