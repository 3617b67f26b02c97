//! Intents: somebody wants an action on a resource, within constraints

use crate::{
    actor::Actor,
    definition::address::{Address, Kind},
    delivery::NotAllowed,
    failure::FailureSummary,
    id::{IntentId, PlanId},
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Where an intent stands
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
pub enum IntentStatus {
    /// It was said
    Submitted,
    /// A plan for it is being made
    Planning,
    /// There is a plan for it
    Planned,
    /// What was wanted is so
    Fulfilled,
    /// It cannot be, or may not be
    Rejected,
    /// It is not wanted any more
    Cancelled,
}

/// What happens to an intent
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum IntentCommand {
    /// A plan is begun
    BeginPlanning,
    /// A plan is there
    Plan,
    /// An operation made it so
    Fulfil,
    /// It cannot or may not be
    Reject,
    /// It is not wanted any more
    Cancel,
}

impl IntentStatus {
    /// The status as callers and the table know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The status after `command`, or `None` where the command is not allowed
    ///
    /// A plan that cannot be carried out leaves its intent planned: another plan may follow.
    pub const fn after(self, command: IntentCommand) -> Option<Self> {
        use IntentCommand as C;
        use IntentStatus::{Cancelled, Fulfilled, Planned, Planning, Rejected, Submitted};
        match (self, command) {
            (Submitted | Planned, C::BeginPlanning) => Some(Planning),
            (Submitted | Planning, C::Plan) => Some(Planned),
            (Planned, C::Fulfil) => Some(Fulfilled),
            (Submitted | Planning | Planned, C::Reject) => Some(Rejected),
            (Submitted | Planning | Planned, C::Cancel) => Some(Cancelled),
            (Submitted | Planning | Planned | Fulfilled | Rejected | Cancelled, _) => None,
        }
    }
}

/// What somebody wants
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// Which intent
    pub id: IntentId,
    /// Who wants it
    pub actor: Actor,
    /// What is to be done: `promote`, `rollback`, `apply`
    pub action: String,
    /// To what kind of resource
    pub target_resource_type: Kind,
    /// To which one, by its address
    pub target_resource_id: String,
    /// What should be so afterwards
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub desired_result: Map<String, Value>,
    /// Within which limits
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub constraints: Map<String, Value>,
    /// The scenario that was asked for by name
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Address>,
    /// What its template is given
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
    /// Where it stands
    pub status: IntentStatus,
    /// The plan for it that is not superseded
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// Why it was rejected
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureSummary>,
    /// When it was said
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
