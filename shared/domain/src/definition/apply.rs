//! The pure part of applying: from one revision of the ledger to the next
//!
//! One group, one new revision. The caller writes it by compare-and-swap and says success only then. A group that the
//! ledger already holds, because the answer of its write was lost, is found applied and changes nothing.

use super::{
    address::Address,
    document::Definition,
    plan::{Change, DefinitionPlan, Operation},
    state::{AppliedResource, ResourceState, ResourceStatus, State},
};
use crate::time::Millis;

/// Why a group is not applied
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Somebody else has changed the ledger
    #[error("the plan was made against revision {planned} of the state, which is now {found}: plan again")]
    Stale {
        /// The revision that this group would have been applied to
        planned: u64,
        /// The revision that there is
        found: u64,
    },
    /// A resource is not as the plan saw it
    #[error("`{0}` is no longer as the plan saw it: plan again")]
    Changed(Address),
    /// The definition is another one than the plan's
    #[error("the plan was made from another definition")]
    OtherDefinition,
    /// The ledger is another workspace's
    #[error("the state belongs to another workspace")]
    OtherWorkspace,
    /// There is no such group in the plan
    #[error("the plan has no group {0}")]
    NoSuchGroup(usize),
    /// The plan has errors
    #[error("the plan has errors and cannot be applied")]
    NotApplicable,
}

/// What came of applying a group
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The ledger's next revision, to be written by compare-and-swap
    Next(Box<State>),
    /// The ledger holds the group already
    Already,
}

/// The ledger after group `group` (from 0) of `plan`; `state` is the ledger now, if there is one
///
/// Group `n` goes to the revision that `n` groups after the plan's have made: a foreign write between two groups stops
/// the rest, which is planned anew.
pub fn apply_group(
    state: Option<&State>,
    plan: &DefinitionPlan,
    group: usize,
    definition: &Definition,
    now: Millis,
) -> Result<Applied, ApplyError> {
    let members = plan.groups.get(group).ok_or(ApplyError::NoSuchGroup(group))?;
    if definition.digest != plan.desired_revision || definition.workspace != plan.workspace {
        return Err(ApplyError::OtherDefinition);
    }
    if !plan.is_applicable() {
        return Err(ApplyError::NotApplicable);
    }
    let mut next = state.cloned().unwrap_or_else(|| State::new(plan.workspace.clone()));
    if next.workspace != plan.workspace {
        return Err(ApplyError::OtherWorkspace);
    }
    let changes: Vec<&Change> = members.iter().filter_map(|address| change_of(plan, address)).collect();
    let planned = plan.state_revision + u64::try_from(group).unwrap_or(u64::MAX);
    let found = next.state_revision;
    let is_applied = |change: &&Change| digest_in(&next, &change.resource) == change.after_digest.as_ref();
    if found > planned && changes.iter().all(is_applied) {
        return Ok(Applied::Already);
    }
    if found != planned {
        return Err(ApplyError::Stale { planned, found });
    }
    if let Some(change) =
        changes.iter().find(|change| digest_in(&next, &change.resource) != change.before_digest.as_ref())
    {
        return Err(ApplyError::Changed(change.resource.clone()));
    }
    for change in changes {
        write(&mut next, change, definition, now);
    }
    next.state_revision += 1;
    if group + 1 == plan.groups.len() {
        next.applied_revision.config_digest = Some(plan.desired_revision.clone());
    }
    Ok(Applied::Next(Box::new(next)))
}

/// The change of `address`: changes are sorted by it
fn change_of<'a>(plan: &'a DefinitionPlan, address: &Address) -> Option<&'a Change> {
    let at = plan.changes.binary_search_by(|change| change.resource.cmp(address)).ok()?;
    plan.changes.get(at)
}

fn digest_in<'a>(state: &'a State, address: &Address) -> Option<&'a crate::canonical::Digest> {
    state.resources().get(address).map(|resource| &resource.digest)
}

fn write(state: &mut State, change: &Change, definition: &Definition, now: Millis) {
    let address = &change.resource;
    match (change.operation, definition.resources.get(address)) {
        (Operation::Create | Operation::Update, Some(wanted)) => {
            let resource = AppliedResource {
                digest: wanted.digest.clone(),
                kind: wanted.kind,
                tenant: wanted.tenant.clone(),
                dependencies: wanted.dependencies.clone(),
                // Whoever carries this out says who it is (`State::signed`).
                by: None,
            };
            state.applied_revision.resources.insert(address.clone(), resource);
            state
                .resource_statuses
                .insert(address.clone(), ResourceStatus { status: ResourceState::Applied, since: now });
        }
        (Operation::Delete, _) | (Operation::Create | Operation::Update, None) => {
            state.applied_revision.resources.remove(address);
            state.resource_statuses.remove(address);
        }
    }
}
