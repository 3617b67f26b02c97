//! Everything that a delivery is planned from, read once

use super::DeliveryError;
use crate::{Engine, EngineError, intents::IntentRequest, scenario};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::{Component, Environment, Job, Policy, Scenario, Service, Target, Template},
    },
    delivery::{Release, TargetState},
    id::ReleaseId,
    plan::{Customization, ResourceBinding, ScenarioRef},
    planner::{
        DeliveryRequest, Deployable, EXCLUSIVE_MAX, Offers, PlanError, Recipe, Site, bind_delivery,
        customize, select,
    },
    scope::Scope,
};
use weir_store::{Entity as _, Key};

/// What is known of a release and of where it is to go
pub(crate) struct Gathered {
    pub release: Release,
    pub environment: Address,
    pub environment_spec: Environment,
    policies: Vec<(Address, Policy)>,
    sites: Vec<Site>,
    offers: Offers,
    components: Vec<(Address, Component)>,
    pub template: Template,
    jobs: BTreeMap<Address, Job>,
    scenarios: Vec<(Address, Scenario)>,
    pub scenario: ScenarioRef,
    /// What was edited at the template's editable points
    pub customizations: Vec<Customization>,
    /// The resources that one operation at a time may use
    pub exclusive: BTreeSet<Address>,
}

/// Reads what a release's delivery to an environment is planned from
pub(crate) async fn gather(
    engine: &Engine,
    scope: &Scope,
    request: &IntentRequest,
    release_id: ReleaseId,
) -> Result<Gathered, DeliveryError> {
    let environment = &request.target;
    let key = Key::entity(scope, Release::KIND, release_id);
    let release = engine.table.read::<Release>(&key).await.map_err(EngineError::from)?;
    let (release, _) = release.ok_or(DeliveryError::NoRelease(release_id))?;
    let environment_spec: Environment = required(engine, scope, environment).await?;
    let service: Service = required(engine, scope, &release.service_id).await?;
    if !service.environments.iter().any(|known| known.address() == environment) {
        return Err(DeliveryError::NotItsEnvironment(release.service_id.clone(), environment.clone()));
    }
    let mut components = Vec::new();
    for address in release.components.keys() {
        components.push((address.clone(), required(engine, scope, address).await?));
    }
    let scenarios = scenario::scenarios(engine, scope).await?;
    let named = request.scenario.as_ref();
    let (scenario, template) = recipe(engine, scope, &scenarios, &request.action, named).await?;
    let mut shared = jobs(engine, scope, &template).await?;
    let (template, customizations) = customize(&template, &shared, &request.customizations)?;
    if !customizations.is_empty() {
        shared = jobs(engine, scope, &template).await?;
    }
    let targets = targets(engine, scope, environment).await?;
    let alone = targets.iter().filter(|(_, target)| target.exclusive).map(|(address, _)| address);
    let alone = alone.chain(environment_spec.exclusive.then_some(environment));
    let exclusive: BTreeSet<Address> = alone.cloned().collect();
    if exclusive.len() > EXCLUSIVE_MAX {
        let (what, found) = ("exclusive resources", exclusive.len());
        return Err(PlanError::TooMany { what, found, max: EXCLUSIVE_MAX }.into());
    }
    Ok(Gathered {
        policies: policies(engine, scope, environment, &environment_spec).await?,
        sites: sites(targets, environment_spec.region.as_ref()),
        offers: scenario::offers(engine, scope).await?,
        customizations,
        exclusive,
        jobs: shared,
        scenarios,
        environment: environment.clone(),
        release,
        environment_spec,
        components,
        template,
        scenario,
    })
}

impl Gathered {
    /// The request that the planner is given
    pub fn request(&self) -> DeliveryRequest<'_> {
        DeliveryRequest {
            environment: &self.environment,
            environment_spec: &self.environment_spec,
            policies: self.policies.iter().map(|(address, policy)| (address, policy)).collect(),
            targets: self.sites.iter().map(|site| site.address.clone()).collect(),
            components: self
                .components
                .iter()
                .filter_map(|(address, spec)| self.deployable(address, spec))
                .collect(),
            recipe: self.recipe(),
        }
    }

    /// What provides what it requires
    pub fn bindings(&self) -> Vec<ResourceBinding> {
        bind_delivery(&self.recipe(), &self.offers, &self.scenarios)
    }

    fn recipe(&self) -> Recipe<'_> {
        Recipe { template: &self.template, jobs: &self.jobs, sites: &self.sites }
    }

    fn deployable<'a>(&self, address: &Address, spec: &'a Component) -> Option<Deployable<'a>> {
        let component = self.release.components.get(address)?;
        Some(Deployable {
            component: address.clone(),
            digest: component.digest.clone(),
            size: component.size,
            version: component.version.clone(),
            release: self.release.id,
            spec,
        })
    }
}

/// The targets as places that something can be done on
pub(crate) fn sites(targets: Vec<(Address, Target)>, region: Option<&String>) -> Vec<Site> {
    targets.into_iter().map(|(address, spec)| Site { address, spec, region: region.cloned() }).collect()
}

async fn required<S: weir_domain::definition::spec::Spec>(
    engine: &Engine,
    scope: &Scope,
    address: &Address,
) -> Result<S, DeliveryError> {
    engine.resource(scope, address).await?.ok_or_else(|| DeliveryError::NoResource(address.clone()))
}

/// The one of `scenarios` that does `action` to environments, and its template
pub(crate) async fn recipe(
    engine: &Engine,
    scope: &Scope,
    scenarios: &[(Address, Scenario)],
    action: &str,
    named: Option<&Address>,
) -> Result<(ScenarioRef, Template), DeliveryError> {
    let (address, scenario) = select(scenarios, action, Kind::Environment, named)?;
    let template: Template = required(engine, scope, scenario.template.address()).await?;
    let scenario_ref = ScenarioRef {
        scenario: address.clone(),
        version: Some(scenario.version),
        template_version: template.version,
        template: Some(scenario.template.address().clone()),
    };
    Ok((scenario_ref, template))
}

/// The jobs that the steps of `template` share, as far as they are applied
pub(crate) async fn jobs(
    engine: &Engine,
    scope: &Scope,
    template: &Template,
) -> Result<BTreeMap<Address, Job>, EngineError> {
    let mut found = BTreeMap::new();
    for named in template.nodes.iter().filter_map(|node| node.job.as_ref()) {
        let address = named.address();
        if let Some(job) = engine.resource::<Job>(scope, address).await? {
            found.insert(address.clone(), job);
        }
    }
    Ok(found)
}

/// The policies that hold in `environment`
pub(crate) async fn policies(
    engine: &Engine,
    scope: &Scope,
    environment: &Address,
    spec: &Environment,
) -> Result<Vec<(Address, Policy)>, DeliveryError> {
    let named = |address: &Address| spec.policy_refs.iter().any(|policy| policy.address() == address);
    let names = |policy: &Policy| policy.environments.iter().any(|named| named.address() == environment);
    let all = engine.resources::<Policy>(scope, Kind::Policy).await?;
    Ok(all.into_iter().filter(|(address, policy)| named(address) || names(policy)).collect())
}

/// The environment's targets, by address
pub(crate) async fn targets(
    engine: &Engine,
    scope: &Scope,
    environment: &Address,
) -> Result<Vec<(Address, Target)>, DeliveryError> {
    let all = engine.resources::<Target>(scope, Kind::Target).await?;
    Ok(all.into_iter().filter(|(_, target)| target.environment.address() == environment).collect())
}

/// Where a release has to run before it may go to `environment`: the one before it in the service's order
pub(crate) async fn source(
    engine: &Engine,
    scope: &Scope,
    gathered: &Gathered,
    asked: Option<Address>,
) -> Result<Option<Address>, DeliveryError> {
    if asked.is_some() {
        return Ok(asked);
    }
    let service: Service = required(engine, scope, &gathered.release.service_id).await?;
    let mut before: Option<(u32, Address)> = None;
    for candidate in &service.environments {
        let spec: Environment = required(engine, scope, candidate.address()).await?;
        let order = spec.order_index;
        if order < gathered.environment_spec.order_index
            && before.as_ref().is_none_or(|(best, _)| order > *best)
        {
            before = Some((order, candidate.address().clone()));
        }
    }
    Ok(before.map(|(_, address)| address))
}

/// Whether every target of `environment` has the release
pub(crate) async fn runs_in(
    engine: &Engine,
    scope: &Scope,
    release: ReleaseId,
    environment: &Address,
) -> Result<bool, DeliveryError> {
    let targets = targets(engine, scope, environment).await?;
    for (target, _) in &targets {
        let state = target_state(engine, scope, target).await?;
        if state.is_none_or(|(state, _)| state.current.release_id != release) {
            return Ok(false);
        }
    }
    Ok(!targets.is_empty())
}

/// What a target was left with, and the version of that record
pub(crate) async fn target_state(
    engine: &Engine,
    scope: &Scope,
    target: &Address,
) -> Result<Option<(TargetState, u64)>, EngineError> {
    Ok(engine.table.read::<TargetState>(&Key::entity(scope, TargetState::KIND, target)).await?)
}
