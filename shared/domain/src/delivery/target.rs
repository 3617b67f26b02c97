//! What each target was left with: the one answer to "what runs where"

use crate::{
    canonical::Digest,
    definition::address::Address,
    id::{OperationId, PromotionId, ReleaseId},
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One component as it was put on a target
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Installed {
    /// The component, as an address
    pub component: Address,
    /// The bytes
    pub digest: Digest,
    /// How many there are
    pub size: u64,
    /// What people call them
    pub version: String,
    /// The release that they came with
    pub release_id: ReleaseId,
    /// By which operation
    pub operation_id: OperationId,
    /// When that was done, by the target's own clock: the order of what was put there, whatever order it is told in
    pub at: Time,
}

/// What a target has, and had before
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetState {
    /// The target
    pub target_id: Address,
    /// What it has
    pub current: Installed,
    /// What it had before: where a rollback leads
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Installed>,
}

impl TargetState {
    /// The state after `installed` was put on the target; the same again changes nothing. `None`: another operation has
    /// put something there since, and this is told too late
    pub fn after(before: Option<Self>, target_id: Address, installed: Installed) -> Option<Self> {
        match before {
            Some(before) if before.current.operation_id == installed.operation_id => {
                Some(Self { current: installed, ..before })
            }
            Some(before) if before.current.at > installed.at => None,
            Some(before) => Some(Self { target_id, current: installed, previous: Some(before.current) }),
            None => Some(Self { target_id, current: installed, previous: None }),
        }
    }
}

/// The marker that a deployment leaves on its target (requirement 004)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionSticker {
    /// The target
    pub target_id: Address,
    /// What was deployed
    pub release_id: ReleaseId,
    /// By which promotion, if by one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// What it says
    pub sticker_content: Value,
    /// The digest of what it says, as canonical JSON
    pub content_hash: Digest,
    /// When it was written
    pub written_at: Time,
    /// The target has something else than was put there
    pub drift_detected: bool,
}

impl VersionSticker {
    /// Whether what was found on the target is something else: the sticker, or the bytes, of which `put` were put there
    pub fn is_drift(&self, found_sticker: Option<&Digest>, found: Option<&Digest>, put: &Digest) -> bool {
        found_sticker != Some(&self.content_hash) || found != Some(put)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::Id as _, time::Millis};

    fn installed(version: &str, operation: u128) -> Installed {
        Installed {
            component: "component.web".parse().unwrap(),
            digest: Digest::of_bytes(version.as_bytes()),
            size: 1,
            version: version.to_owned(),
            release_id: ReleaseId::new(1, operation),
            operation_id: OperationId::new(1, operation),
            at: Time::from(Millis(1)),
        }
    }

    #[test]
    fn a_report_that_comes_twice_does_not_forget_what_was_there_before() {
        let target: Address = "target.staging.stg-1".parse().unwrap();
        let first = TargetState::after(None, target.clone(), installed("1", 1)).unwrap();
        let second = TargetState::after(Some(first), target.clone(), installed("2", 2)).unwrap();
        let again = TargetState::after(Some(second.clone()), target, installed("2", 2)).unwrap();
        assert_eq!(again, second);
        assert_eq!(again.previous, Some(installed("1", 1)));
    }

    #[test]
    fn a_report_that_comes_after_a_later_deployment_changes_nothing() {
        let target: Address = "target.staging.stg-1".parse().unwrap();
        let (first, later) =
            (installed("1", 1), Installed { at: Time::from(Millis(2)), ..installed("2", 2) });
        let told =
            |before, installed: &Installed| TargetState::after(before, target.clone(), installed.clone());
        let in_order = told(told(None, &first), &later).unwrap();
        assert_eq!((&in_order.current, in_order.previous.as_ref()), (&later, Some(&first)));
        let state = told(None, &later).unwrap();
        assert_eq!(told(Some(state), &first), None);
    }

    #[test]
    fn drift_is_another_sticker_or_other_bytes() {
        let [hash, digest, other] = [b"a", b"b", b"c"].map(|bytes| Digest::of_bytes(bytes));
        let sticker = VersionSticker {
            target_id: "target.staging.stg-1".parse().unwrap(),
            release_id: ReleaseId::new(1, 1),
            promotion_id: None,
            sticker_content: Value::Null,
            content_hash: hash.clone(),
            written_at: Time::from(Millis(1)),
            drift_detected: false,
        };
        assert!(!sticker.is_drift(Some(&hash), Some(&digest), &digest));
        assert!(sticker.is_drift(Some(&other), Some(&digest), &digest));
        assert!(sticker.is_drift(Some(&hash), Some(&other), &digest));
        assert!(sticker.is_drift(None, None, &digest));
    }
}
