//! Intents: somebody wants something (requirement 000)

use super::NotAllowed;
use crate::{
    actor::Actor,
    id::{IntentId, PlanId},
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Where an intent stands. The names are ours: requirement 000 lost its list
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
    EnumString, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IntentStatus {
    /// Recorded
    Submitted,
    /// A planner is at work on it
    Planning,
    /// There is a plan
    Planned,
    /// What was wanted is so
    Fulfilled,
    /// It was refused, or it could not be brought about
    Rejected,
    /// Whoever wanted it does not any more
    Cancelled,
}

/// What moves an intent
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum IntentCommand {
    /// A planner begins
    StartPlanning,
    /// There is a plan
    Plan,
    /// The plan's operation ended well
    Fulfil,
    /// The plan's operation ended badly, or there is no plan
    Reject,
    /// Give up
    Cancel,
}

impl IntentStatus {
    /// The status as callers and the table know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The status after `command`, or `None` where the command is not allowed
    pub const fn after(self, command: IntentCommand) -> Option<Self> {
        use IntentCommand as C;
        match (self, command) {
            (Self::Submitted, C::StartPlanning) => Some(Self::Planning),
            (Self::Submitted | Self::Planning, C::Plan) => Some(Self::Planned),
            (Self::Planned, C::Fulfil) => Some(Self::Fulfilled),
            (Self::Submitted | Self::Planning | Self::Planned, C::Reject) => Some(Self::Rejected),
            (Self::Submitted | Self::Planning | Self::Planned, C::Cancel) => Some(Self::Cancelled),
            (
                Self::Submitted | Self::Planning | Self::Planned | Self::Fulfilled | Self::Rejected | Self::Cancelled,
                _,
            ) => None,
        }
    }
}

/// An actor wants an action on a resource, with these constraints
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// What it is called everywhere
    pub id: IntentId,
    /// Who wants it
    pub actor_id: String,
    /// Who that is
    pub actor: Actor,
    /// What is wanted: `deploy`, `promote`, `rollback`, `definition.apply`
    pub action: String,
    /// The kind of what it is wanted of
    pub target_resource_type: String,
    /// The address of what it is wanted of
    pub target_resource_id: String,
    /// What should be so afterwards
    pub desired_result: Map<String, Value>,
    /// What must hold on the way
    pub constraints: Map<String, Value>,
    /// Where it stands
    pub status: IntentStatus,
    /// Its only plan that is not superseded
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// When it was made
    pub created_at: Time,
}

impl Intent {
    /// The intent after `command`
    pub fn after(mut self, command: IntentCommand) -> Result<Self, NotAllowed> {
        let status = self.status.after(command).ok_or_else(|| NotAllowed {
            kind: "intent",
            id: self.id.to_string(),
            status: self.status.as_str(),
            command: command.into(),
        })?;
        self.status = status;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_are_these() {
        crate::golden::matrix("intent-transitions.txt", IntentStatus::after);
    }
}
