//! The plan of a definition: what would change, how it weighs, what it touches, and in which order
//!
//! `plan = diff(definition, state)`, read before anything runs. The same definition and state always give the same plan,
//! so its digest is what people approve.

use super::{
    address::{Address, Kind},
    codes::Code,
    diagnostic::{Diagnostic, Place},
    document::{Definition, Resource},
    groups::{self, DoesNotFit, Item},
    spec::{self, Reversibility, Weight},
    state::{AppliedResource, State},
};
use crate::{
    canonical::{Digest, NotCanonical},
    scope::Name,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub use super::groups::{MAX_GROUP, MAX_GROUP_BYTES};

/// Most resources that are listed as affected by one change
pub const MAX_AFFECTED: usize = 1_000;

/// What would change, and how
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefinitionPlan {
    /// The workspace
    pub workspace: Name,
    /// The digest of the definition that is wanted
    pub desired_revision: Digest,
    /// The revision of the state that it was compared with; 0 when there was none
    pub state_revision: u64,
    /// The definition that was applied last in whole
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_revision: Option<Digest>,
    /// The digest of every resource that is wanted
    pub resource_digests: BTreeMap<Address, Digest>,
    /// Who refers to whom
    pub dependencies: Vec<Dependency>,
    /// What changes, in the order of addresses
    pub changes: Vec<Change>,
    /// What becomes true together, in order
    pub groups: Vec<Vec<Address>>,
    /// What is affected by changes of what exists
    pub blast_radius: Vec<Affected>,
    /// What somebody must agree to
    pub approvals_required: Vec<ApprovalRequired>,
    /// What stands in the way: a plan with errors is not applied
    pub diagnostics: Vec<Diagnostic>,
}

/// One reference
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Who refers
    pub from: Address,
    /// To whom
    pub to: Address,
}

/// What happens to a resource
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
    strum::Display,
    strum::EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Operation {
    /// It is made
    Create,
    /// It changes
    Update,
    /// It goes
    Delete,
}

/// One resource that changes
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Which
    pub resource: Address,
    /// Whose it is, or was
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Name>,
    /// What happens to it
    pub operation: Operation,
    /// What converges it
    pub provider: String,
    /// Its digest as applied; none for a create
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_digest: Option<Digest>,
    /// Its digest as wanted; none for a delete
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_digest: Option<Digest>,
    /// Its fields that differ, where it is known what they were
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// What can be got back
    pub reversibility: Reversibility,
    /// Why, unless it is reversible
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// One field that differs
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// The field, such as `freeze_windows.1.end`
    pub path: String,
    /// What it was; absent if it was not there
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is; absent if it is gone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What a change touches besides the resource itself
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Affected {
    /// The resource that changes
    pub resource: Address,
    /// Those that refer to it, directly or through others
    pub affected: Vec<Address>,
    /// Whether there are more than are listed
    #[serde(default)]
    pub more: bool,
}

/// What somebody must agree to, bound to the digests of the change
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequired {
    /// The resource that changes
    pub resource: Address,
    /// Why
    pub reason: String,
    /// What can be got back
    pub reversibility: Reversibility,
}

impl DefinitionPlan {
    /// What people approve: any change of definition, state or plan gives another
    pub fn digest(&self) -> Result<Digest, NotCanonical> {
        Digest::of(self)
    }

    /// Whether it may be applied
    pub fn is_applicable(&self) -> bool {
        self.diagnostics.iter().all(|it| it.severity != super::diagnostic::Severity::Error)
    }
}

/// What applying `definition` would change in `state`; `before` finds what a resource said, by its address and digest
pub fn diff(
    definition: &Definition,
    state: Option<&State>,
    before: &dyn Fn(&Address, &Digest) -> Option<Value>,
) -> DefinitionPlan {
    let nothing = BTreeMap::new();
    let applied = state.map_or(&nothing, State::resources);
    let addresses: BTreeSet<&Address> = definition.resources.keys().chain(applied.keys()).collect();
    let changes: Vec<Change> = addresses
        .into_iter()
        .filter_map(|address| {
            change(address, definition.resources.get(address), applied.get(address), before)
        })
        .collect();
    let mut diagnostics = Vec::new();
    let groups = groups::groups(&items(&changes, definition, applied)).unwrap_or_else(|wrong| {
        diagnostics.extend(wrong.iter().map(|it| does_not_fit(it, definition)));
        Vec::new()
    });
    DefinitionPlan {
        workspace: definition.workspace.clone(),
        desired_revision: definition.digest.clone(),
        state_revision: state.map_or(0, |state| state.state_revision),
        applied_revision: state.and_then(|state| state.applied_revision.config_digest.clone()),
        resource_digests: definition
            .resources
            .iter()
            .map(|(address, it)| (address.clone(), it.digest.clone()))
            .collect(),
        dependencies: dependencies(definition),
        blast_radius: blast_radius(&changes, definition, applied),
        approvals_required: changes.iter().filter_map(approval).collect(),
        changes,
        groups,
        diagnostics,
    }
}

fn change(
    address: &Address,
    wanted: Option<&Resource>,
    applied: Option<&AppliedResource>,
    before: &dyn Fn(&Address, &Digest) -> Option<Value>,
) -> Option<Change> {
    let entry = spec::entry(address.kind());
    let was = applied.and_then(|applied| before(address, &applied.digest));
    let (operation, weight) = match (applied, wanted) {
        (None, None) => return None,
        (Some(applied), Some(wanted)) if applied.digest == wanted.digest => return None,
        (None, Some(wanted)) => (Operation::Create, entry.weigh(None, Some(&wanted.spec))),
        (Some(applied), Some(wanted)) => {
            let weight = match &was {
                Some(was) => entry.weigh(Some(was), Some(&wanted.spec)),
                None => Weight::narrowing("what it said before is not known, so it may have been stricter"),
            };
            (Operation::Update, weight.and(weigh_move(applied.tenant.as_ref(), wanted.tenant.as_ref())))
        }
        (Some(_), None) => (
            Operation::Delete,
            was.as_ref().map_or_else(|| entry.weigh_unknown(), |was| entry.weigh(Some(was), None)),
        ),
    };
    let fields = match (&was, wanted) {
        (Some(was), Some(wanted)) => field_changes(was, &wanted.spec),
        (None, _) | (_, None) => Vec::new(),
    };
    Some(Change {
        resource: address.clone(),
        tenant: wanted.map_or_else(
            || applied.and_then(|applied| applied.tenant.clone()),
            |wanted| wanted.tenant.clone(),
        ),
        operation,
        provider: entry.provider.to_owned(),
        before_digest: applied.map(|applied| applied.digest.clone()),
        after_digest: wanted.map(|wanted| wanted.digest.clone()),
        fields,
        reversibility: weight.reversibility,
        reason: weight.reason,
    })
}

fn weigh_move(from: Option<&Name>, to: Option<&Name>) -> Weight {
    let whose = |tenant: Option<&Name>| {
        tenant.map_or_else(|| "the workspace".to_owned(), |name| format!("tenant `{name}`"))
    };
    if from == to {
        Weight::reversible()
    } else {
        Weight::irreversible(format!(
            "it moves from {} to {}: its records stay behind",
            whose(from),
            whose(to)
        ))
    }
}

/// Every field that differs, by the innermost path that does
pub fn field_changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare(String::new(), Some(before), Some(after), &mut changes);
    changes
}

fn compare(path: String, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            for name in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
                compare(inner(name), before.get(name), after.get(name), changes);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for i in 0..before.len().max(after.len()) {
                compare(inner(&i.to_string()), before.get(i), after.get(i), changes);
            }
        }
        (before, after) if before != after => {
            changes.push(FieldChange { path, before: before.cloned(), after: after.cloned() });
        }
        _ => {}
    }
}

fn approval(change: &Change) -> Option<ApprovalRequired> {
    (change.reversibility != Reversibility::Reversible).then(|| ApprovalRequired {
        resource: change.resource.clone(),
        reason: change.reason.clone(),
        reversibility: change.reversibility,
    })
}

fn dependencies(definition: &Definition) -> Vec<Dependency> {
    let of = |(from, it): (&Address, &Resource)| {
        it.dependencies.iter().map(|to| Dependency { from: from.clone(), to: to.clone() }).collect::<Vec<_>>()
    };
    definition.resources.iter().flat_map(of).collect()
}

fn items(
    changes: &[Change],
    definition: &Definition,
    applied: &BTreeMap<Address, AppliedResource>,
) -> BTreeMap<Address, Item> {
    let item = |change: &Change| {
        let wanted = definition.resources.get(&change.resource);
        let now = wanted.map(|it| &it.dependencies);
        let before = applied.get(&change.resource).map(|it| &it.dependencies);
        Item {
            operation: change.operation,
            size: wanted.map_or(0, |it| it.size),
            needs: now.into_iter().chain(before).flatten().cloned().collect(),
        }
    };
    changes.iter().map(|change| (change.resource.clone(), item(change))).collect()
}

fn does_not_fit(DoesNotFit(addresses): &DoesNotFit, definition: &Definition) -> Diagnostic {
    let first = addresses.first();
    let place = first.and_then(|address| definition.resources.get(address)).map(|it| it.place.clone());
    let place =
        place.unwrap_or_else(|| Place { file: super::bundle::ROOT.into(), line: 1, column: 1, length: 1 });
    let name = first.map_or_else(String::new, Address::to_string);
    let message = format!(
        "`{name}` and {} others change together and do not fit in one transaction",
        addresses.len().saturating_sub(1)
    );
    Diagnostic::error(Code::GroupTooLarge, place, message).help(Code::GroupTooLarge.help())
}

/// What refers to each resource that is updated or deleted, as it is applied now or will be
fn blast_radius(
    changes: &[Change],
    definition: &Definition,
    applied: &BTreeMap<Address, AppliedResource>,
) -> Vec<Affected> {
    let mut referring: BTreeMap<&Address, BTreeSet<&Address>> = BTreeMap::new();
    let now = definition.resources.iter().map(|(from, it)| (from, &it.dependencies));
    let before = applied.iter().map(|(from, it)| (from, &it.dependencies));
    for (from, needs) in now.chain(before) {
        for to in needs {
            referring.entry(to).or_default().insert(from);
        }
    }
    let of = |change: &Change| {
        let mut seen = BTreeSet::from([&change.resource]);
        let mut next = vec![&change.resource];
        while let Some(address) = next.pop().filter(|_| seen.len() <= MAX_AFFECTED) {
            next.extend(
                referring
                    .get(address)
                    .into_iter()
                    .flatten()
                    .copied()
                    .filter(|address| seen.insert(address))
                    .take(MAX_AFFECTED + 1),
            );
        }
        seen.remove(&change.resource);
        let more = seen.len() > MAX_AFFECTED;
        let affected: Vec<Address> = seen.into_iter().take(MAX_AFFECTED).cloned().collect();
        (!affected.is_empty()).then(|| Affected { resource: change.resource.clone(), affected, more })
    };
    changes.iter().filter(|change| change.operation != Operation::Create).filter_map(of).collect()
}

impl Definition {
    /// What the resource at `address` says, if it says what `digest` is the digest of: for [`diff`]
    pub fn spec_of(&self, address: &Address, digest: &Digest) -> Option<Value> {
        self.resources.get(address).filter(|it| it.digest == *digest).map(|it| it.spec.clone())
    }

    /// The resources of one kind
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&Address, &Resource)> {
        self.resources.iter().filter(move |(address, _)| address.kind() == kind)
    }
}
