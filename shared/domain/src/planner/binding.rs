//! What a plan requires, resolved to what provides it, with every candidate and why it was chosen or not

use super::{Performer, capability};
use crate::{
    definition::{
        address::{Address, Kind},
        spec::{Constraints, Provider, Scenario, Target},
    },
    plan::{BindingStatus, Executor, ResourceBinding},
};
use semver::{Version, VersionReq};
use serde_json::Value;

/// Candidates that a reason names, besides the chosen one
const CANDIDATES_NAMED: usize = 20;

/// What is built in, as a constraint on adapters calls it
const BUILT_IN: &str = "weir";

/// A target, and where it is
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Which target
    pub address: Address,
    /// What is said of it
    pub spec: Target,
    /// The region of its environment
    pub region: Option<String>,
}

/// A registered agent, and what it says that it can do
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentOffer {
    /// What people call it
    pub name: String,
    /// Its program's version
    pub version: String,
    /// What it can do
    pub capabilities: Vec<String>,
    /// The targets that it serves
    pub targets: Vec<Address>,
}

/// Everything that may provide a capability
#[derive(Debug, Clone, PartialEq)]
pub struct Offers {
    /// The agents that are registered
    pub agents: Vec<AgentOffer>,
    /// The providers of the definition
    pub providers: Vec<(Address, Provider)>,
    /// The version of what is built in
    pub version: String,
}

/// One capability that one node requires
#[derive(Debug, Clone)]
pub(super) struct Requirement<'a> {
    pub id: String,
    pub capability: &'a str,
    /// The target that the node is about
    pub site: Option<&'a Site>,
    /// The region of the environment that everything is about
    pub region: Option<&'a str>,
    pub constraints: Constraints,
}

/// How a requirement was resolved
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Resolved {
    pub binding: ResourceBinding,
    /// Who runs the node; of no meaning where nothing was found
    pub runs: Executor,
    /// The target or provider that was chosen
    pub resource: Option<Address>,
    /// The scenario that will provide it, and what it acts on
    pub scenario: Option<(Address, Address)>,
    /// What had to be true of it
    pub constraints: Constraints,
}

/// Something that may provide a capability
struct Candidate {
    name: String,
    refused: Option<String>,
    runs: Executor,
    resource: Option<Address>,
    scenario: Option<(Address, Address)>,
}

/// Finds who provides what `requirement` asks for
///
/// What is here comes first, in the order of names; a scenario that provides it is the last resort, since it is another
/// operation. `sites` are the targets that a node which is about none may be done on, `subjects` what a scenario may act on.
pub(super) fn resolve(
    requirement: &Requirement<'_>,
    sites: &[Site],
    offers: &Offers,
    scenarios: &[(Address, Scenario)],
    subjects: &[Address],
) -> Resolved {
    let mut candidates = here(requirement, sites, offers);
    if candidates.iter().all(|candidate| candidate.refused.is_some()) {
        candidates.extend(providing(requirement, scenarios, subjects));
    }
    settle(requirement, candidates)
}

/// The same for a step of a delivery, which starts no other operation: of a scenario that provides it that is said
pub(super) fn resolve_in_delivery(
    requirement: &Requirement<'_>,
    sites: &[Site],
    offers: &Offers,
    scenarios: &[(Address, Scenario)],
) -> Resolved {
    let mut candidates = here(requirement, sites, offers);
    if candidates.iter().all(|candidate| candidate.refused.is_some()) {
        let none = || Some("a delivery starts no other operation".to_owned());
        let provided = providing(requirement, scenarios, &[]).into_iter();
        candidates.extend(provided.map(|candidate| Candidate { refused: none(), ..candidate }));
    }
    settle(requirement, candidates)
}

/// A requirement that nothing can fulfil, whoever there is
pub(super) fn unfit(requirement: &Requirement<'_>, why: String) -> Resolved {
    let resolved = settle(requirement, Vec::new());
    Resolved { binding: ResourceBinding { resolution_reason: why, ..resolved.binding }, ..resolved }
}

/// What is here and does what is asked for
fn here(requirement: &Requirement<'_>, sites: &[Site], offers: &Offers) -> Vec<Candidate> {
    match capability(requirement.capability).map(|known| known.by) {
        Some(Performer::Agent) => agents(requirement, sites, offers),
        Some(Performer::Job) => vec![built_in(requirement, offers)],
        Some(Performer::Provider) => providers(requirement, offers),
        Some(Performer::Engine) | None => Vec::new(),
    }
}

/// The first of `candidates` that will do
fn settle(requirement: &Requirement<'_>, mut candidates: Vec<Candidate>) -> Resolved {
    let known = capability(requirement.capability);
    let chosen = candidates.iter().position(|candidate| candidate.refused.is_none());
    let reason = reason(requirement.capability, known.is_some(), &candidates, chosen);
    let chosen = chosen.map(|at| candidates.swap_remove(at));
    let status = match &chosen {
        None => BindingStatus::Unbound,
        Some(candidate) if candidate.scenario.is_some() => BindingStatus::SubOperation,
        Some(_) => BindingStatus::Bound,
    };
    let selected = chosen.as_ref().map(|it| match (&it.resource, &it.scenario) {
        (Some(resource), _) | (None, Some((resource, _))) => resource.to_string(),
        (None, None) => BUILT_IN.to_owned(),
    });
    Resolved {
        binding: ResourceBinding {
            requirement_id: requirement.id.clone(),
            capability_key: requirement.capability.to_owned(),
            constraints: fields(&requirement.constraints),
            binding_status: status,
            selected_resource_id: selected,
            sub_operation_plan_id: None,
            resolution_reason: reason,
        },
        runs: chosen.as_ref().map_or(Executor::Job, |it| it.runs.clone()),
        resource: chosen.as_ref().and_then(|it| it.resource.clone()),
        scenario: chosen.and_then(|it| it.scenario),
        constraints: requirement.constraints.clone(),
    }
}

fn fields(constraints: &Constraints) -> serde_json::Map<String, Value> {
    super::fragment::object(serde_json::to_value(constraints).unwrap_or_default())
}

fn reason(capability: &str, known: bool, candidates: &[Candidate], chosen: Option<usize>) -> String {
    let mut said: Vec<String> = Vec::new();
    if !known {
        said.push(format!("`{capability}` is nothing that this version does by itself"));
    }
    for (at, candidate) in candidates.iter().enumerate() {
        let why = match &candidate.refused {
            Some(why) => why.as_str(),
            None if Some(at) == chosen => "chosen",
            None => "would do, and comes after the one that was chosen",
        };
        if Some(at) == chosen || at < CANDIDATES_NAMED {
            said.push(format!("{}: {why}", candidate.name));
        }
    }
    let unnamed = candidates
        .len()
        .saturating_sub(CANDIDATES_NAMED + usize::from(chosen.is_some_and(|at| at >= CANDIDATES_NAMED)));
    if unnamed > 0 {
        said.push(format!("and {unnamed} more"));
    }
    if candidates.is_empty() {
        said.push("there is no candidate".to_owned());
    }
    said.join("; ")
}

/// One candidate for each target that the node may be done on: an agent has to serve it
fn agents(requirement: &Requirement<'_>, sites: &[Site], offers: &Offers) -> Vec<Candidate> {
    let of_node = requirement.site.into_iter();
    let of_all = sites.iter().filter(|_| requirement.site.is_none());
    of_node.chain(of_all).map(|site| agent(requirement, site, offers)).collect()
}

/// The first agent of the target that will do; where none does, the first that could if it were another version
fn agent(requirement: &Requirement<'_>, site: &Site, offers: &Offers) -> Candidate {
    let wanted = &requirement.constraints;
    let serving: Vec<_> =
        offers.agents.iter().filter(|agent| agent.targets.contains(&site.address)).collect();
    let able =
        serving.iter().filter(|agent| agent.capabilities.iter().any(|it| it == requirement.capability));
    let judged: Vec<_> = able.map(|agent| (agent, too_old(wanted, &agent.version))).collect();
    let best = judged.iter().find(|(_, why)| why.is_none()).or(judged.first());
    let refused = unfit_site(wanted, site).or_else(|| match best {
        Some((_, None)) => None,
        Some(_) => {
            let why = judged
                .iter()
                .filter_map(|(agent, why)| why.as_ref().map(|why| format!("agent {}: {why}", agent.name)));
            Some(why.collect::<Vec<_>>().join(", "))
        }
        None if serving.is_empty() => Some("no agent serves it".to_owned()),
        None => {
            let names: Vec<_> = serving.iter().map(|agent| agent.name.as_str()).collect();
            Some(format!("its agent {} does not do `{}`", names.join(", "), requirement.capability))
        }
    });
    let by = best.map_or(String::new(), |(agent, _)| format!(" (agent {} {})", agent.name, agent.version));
    Candidate {
        name: format!("{}{by}", site.address),
        refused,
        runs: Executor::Agent(site.address.clone()),
        resource: Some(site.address.clone()),
        scenario: None,
    }
}

/// Why the target does not fulfil the constraints
fn unfit_site(wanted: &Constraints, site: &Site) -> Option<String> {
    let label = wanted.labels.iter().find(|(name, value)| site.spec.labels.get(*name) != Some(*value));
    if let Some((name, value)) = label {
        return Some(match site.spec.labels.get(name) {
            Some(other) => format!("its label `{name}` is `{other}`, not `{value}`"),
            None => format!("it has no label `{name}`"),
        });
    }
    if let Some(region) = wanted.region.as_ref().filter(|region| site.region.as_ref() != Some(region)) {
        return Some(format!("it is not in region `{region}`"));
    }
    other_adapter(wanted, &site.spec.target_type.to_string())
}

/// Why the place where it is done does not fulfil the constraints, for what is done by no agent of a target
///
/// Without a target there is the region of the environment, and nobody who could have a label.
fn unfit_place(requirement: &Requirement<'_>) -> Option<String> {
    let wanted = &requirement.constraints;
    if let Some(site) = requirement.site {
        return unfit_site(&Constraints { adapter: None, ..wanted.clone() }, site);
    }
    if let Some(name) = wanted.labels.keys().next() {
        return Some(format!("it is done on no target, so nothing has a label `{name}`"));
    }
    let region = wanted.region.as_deref().filter(|region| requirement.region != Some(*region))?;
    Some(match requirement.region {
        Some(other) => format!("it is done in region `{other}`, not `{region}`"),
        None => format!("it is done on no target, so nobody knows whether that is in region `{region}`"),
    })
}

fn other_adapter(wanted: &Constraints, adapter: &str) -> Option<String> {
    let other = wanted.adapter.as_deref().filter(|wanted| *wanted != adapter)?;
    Some(format!("its adapter is `{adapter}`, not `{other}`"))
}

fn too_old(wanted: &Constraints, version: &str) -> Option<String> {
    let wanted = wanted.version.as_deref()?;
    match (VersionReq::parse(wanted), Version::parse(version)) {
        (Err(_), _) => Some(format!("`{wanted}` is no range of versions")),
        (Ok(_), Err(_)) => Some(format!("its version `{version}` cannot be compared")),
        (Ok(range), Ok(found)) if range.matches(&found) => None,
        (Ok(_), Ok(_)) => Some(format!("its version is {version}, not {wanted}")),
    }
}

fn built_in(requirement: &Requirement<'_>, offers: &Offers) -> Candidate {
    let wanted = &requirement.constraints;
    Candidate {
        name: format!("{BUILT_IN} {}", offers.version),
        refused: unfit_place(requirement)
            .or_else(|| other_adapter(wanted, BUILT_IN))
            .or_else(|| too_old(wanted, &offers.version)),
        runs: Executor::Job,
        resource: None,
        scenario: None,
    }
}

fn providers(requirement: &Requirement<'_>, offers: &Offers) -> Vec<Candidate> {
    let wanted = &requirement.constraints;
    let candidate = |(address, provider): &(Address, Provider)| {
        let gives = provider.provides.iter().any(|gives| gives == requirement.capability);
        let refused = (!gives).then(|| format!("it does not provide `{}`", requirement.capability));
        Candidate {
            name: address.to_string(),
            refused: refused
                .or_else(|| other_adapter(wanted, &provider.provider_type))
                .or_else(|| unfit_place(requirement))
                .or_else(|| unknown_version(wanted)),
            runs: Executor::Job,
            resource: Some(address.clone()),
            scenario: None,
        }
    };
    offers.providers.iter().map(candidate).collect()
}

/// The definition says no version of a provider
fn unknown_version(wanted: &Constraints) -> Option<String> {
    wanted.version.as_ref().map(|version| format!("nobody knows its version, and `{version}` is asked for"))
}

/// Scenarios that provide it, for one of the subjects: what has to be true is asked of each of their own steps
fn providing(
    requirement: &Requirement<'_>,
    scenarios: &[(Address, Scenario)],
    subjects: &[Address],
) -> Vec<Candidate> {
    let gives = |scenario: &Scenario| scenario.provides.iter().any(|gives| gives == requirement.capability);
    let candidate = |(address, scenario): &(Address, Scenario)| {
        let kind: Kind = scenario.target_resource_type;
        let subject = subjects.iter().find(|subject| subject.kind() == kind);
        Candidate {
            name: format!("{address} (as an operation of its own)"),
            refused: subject
                .is_none()
                .then(|| format!("it acts on resources of kind {kind}, and this is about none")),
            runs: Executor::Decide,
            resource: None,
            scenario: subject.map(|subject| (address.clone(), subject.clone())),
        }
    };
    scenarios.iter().filter(|(_, scenario)| gives(scenario)).map(candidate).collect()
}
