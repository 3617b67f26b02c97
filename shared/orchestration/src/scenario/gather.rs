//! Everything that a scenario is planned from, read once

use crate::{Engine, EngineError, delivery::DeliveryError};
use serde_json::Value;
use std::collections::BTreeMap;
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::{Environment, Job, Policy, Provider, Scenario, Target, Template},
    },
    delivery::Agent,
    planner::{AgentOffer, Guarded, Library, Offers, Site},
    scope::Scope,
};
use weir_store::{Entity as _, Key, Query};

/// The list that every agent stands in, and how many are read at a time
const AGENTS_LIST: &str = "registered";
const PAGE: usize = 200;

/// What is known when a scenario is planned
pub(super) struct World {
    pub scenarios: Vec<(Address, Scenario)>,
    templates: BTreeMap<Address, Template>,
    jobs: BTreeMap<Address, Job>,
    pub subject: Value,
    pub sites: Vec<Site>,
    pub environment: Option<(Address, Environment)>,
    policies: Vec<(Address, Policy)>,
    pub offers: Offers,
}

/// Every scenario of the tenant and of the workspace
pub(crate) async fn scenarios(
    engine: &Engine,
    scope: &Scope,
) -> Result<Vec<(Address, Scenario)>, EngineError> {
    engine.resources(scope, Kind::Scenario).await
}

/// Reads what anything done to `subject` is planned from
pub(super) async fn gather(
    engine: &Engine,
    scope: &Scope,
    subject: &Address,
) -> Result<World, DeliveryError> {
    let spec = engine.resource_spec(scope, subject).await?;
    let spec = spec.ok_or_else(|| DeliveryError::NoResource(subject.clone()))?;
    let environment = environment(engine, scope, subject).await?;
    let region = environment.as_ref().and_then(|(_, environment)| environment.region.clone());
    let targets = engine.resources::<Target>(scope, Kind::Target).await?;
    let sites = targets.into_iter().filter(|(address, target)| {
        address == subject || (subject.kind() == Kind::Environment && target.environment.address() == subject)
    });
    let sites = sites.map(|(address, spec)| Site { address, spec, region: region.clone() }).collect();
    let policies = match &environment {
        Some((address, spec)) => crate::delivery::policies(engine, scope, address, spec).await?,
        None => Vec::new(),
    };
    Ok(World {
        scenarios: scenarios(engine, scope).await?,
        templates: engine.resources(scope, Kind::Template).await?.into_iter().collect(),
        jobs: engine.resources(scope, Kind::Job).await?.into_iter().collect(),
        subject: spec,
        sites,
        environment,
        policies,
        offers: offers(engine, scope).await?,
    })
}

impl World {
    pub fn library(&self) -> Library<'_> {
        Library { scenarios: &self.scenarios, templates: &self.templates, jobs: &self.jobs }
    }

    pub fn template(&self, scenario: &Scenario) -> Result<&Template, DeliveryError> {
        let address = scenario.template.address();
        self.templates.get(address).ok_or_else(|| DeliveryError::NoResource(address.clone()))
    }

    /// The environment whose gates stand before everything
    pub fn guarded(&self) -> Option<Guarded<'_>> {
        let (environment, spec) = self.environment.as_ref()?;
        Some(Guarded { environment, spec, policies: &self.policies })
    }
}

/// The environment that `subject` is, or is a part of
async fn environment(
    engine: &Engine,
    scope: &Scope,
    subject: &Address,
) -> Result<Option<(Address, Environment)>, DeliveryError> {
    let address = if subject.kind() == Kind::Target {
        let target = engine.resource::<Target>(scope, subject).await?;
        let target = target.ok_or_else(|| DeliveryError::NoResource(subject.clone()))?;
        target.environment.address().clone()
    } else {
        subject.clone()
    };
    if address.kind() != Kind::Environment {
        return Ok(None);
    }
    let spec = engine.resource::<Environment>(scope, &address).await?;
    Ok(Some((address.clone(), spec.ok_or(DeliveryError::NoResource(address))?)))
}

/// Everything that may provide a capability
pub(crate) async fn offers(engine: &Engine, scope: &Scope) -> Result<Offers, DeliveryError> {
    Ok(Offers {
        agents: agents(engine, scope).await?,
        providers: engine.resources::<Provider>(scope, Kind::Provider).await?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

async fn agents(engine: &Engine, scope: &Scope) -> Result<Vec<AgentOffer>, DeliveryError> {
    let query = Query::Lists(vec![Key::list(scope, Agent::KIND, AGENTS_LIST)]);
    let (mut found, mut after): (Vec<AgentOffer>, Option<String>) = (Vec::new(), None);
    loop {
        let read = engine.table.list::<Agent>(&query, after.as_deref(), PAGE).await;
        let (agents, next) = read.map_err(EngineError::from)?;
        found.extend(agents.into_iter().map(|agent| AgentOffer {
            name: agent.name,
            version: agent.version,
            capabilities: agent.capabilities,
            targets: agent.targets.into_iter().map(|target| target.target).collect(),
        }));
        let Some(next) = next else { break };
        after = Some(next);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}
