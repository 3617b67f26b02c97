//! What a gate is decided on, read when it is asked

use crate::{Engine, EngineError};
use std::collections::BTreeSet;
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::{Environment, FreezeWindow, ReleaseDependency, Scenario, Target},
    },
    delivery::{Release, ReleaseStatus, TargetState, Version},
    engine::Operation,
    gate::{Brought, Dependency, DependencyState, Gate, GateFacts, GateSpec, PlanFacts},
    plan::{Graph, Plan, PlanContext},
    scope::Scope,
};
use weir_store::{Entity, Key, Query};

/// Releases that nobody may promote any more that are looked through for the one that is waited for
const WITHDRAWN_MAX: usize = 500;

/// Reads what `spec` is decided on; `gate` is its record, once it has been opened
pub(super) async fn gather(
    engine: &Engine,
    operation: &Operation,
    graph: &Graph,
    spec: &GateSpec,
    gate: Option<Gate>,
) -> Result<GateFacts, EngineError> {
    let scope = &operation.info.scope;
    let mut facts = GateFacts::of(operation.info.actor.clone(), gate);
    match spec {
        GateSpec::Approval(_) | GateSpec::Manual(_) => {}
        GateSpec::FreezeWindow(frozen) => {
            let windows = windows(engine, scope, &frozen.environment).await?;
            facts.windows = windows.unwrap_or_else(|| frozen.windows.clone());
        }
        GateSpec::Schedule(schedule) => {
            if let Some(environment) = &schedule.environment {
                facts.windows = windows(engine, scope, environment).await?.unwrap_or_default();
            }
        }
        GateSpec::Dependency(dependency) => {
            facts.dependency = Some(state(engine, scope, &dependency.on).await?);
        }
        GateSpec::Policy(_) => facts.plan = Some(plan(engine, operation, graph).await?),
        GateSpec::Security(_) => facts.brought = brought(engine, operation).await?,
    }
    Ok(facts)
}

/// Freeze windows are read when they are asked about: one that was added since the plan was made holds too
async fn windows(
    engine: &Engine,
    scope: &Scope,
    environment: &Address,
) -> Result<Option<Vec<FreezeWindow>>, EngineError> {
    let spec = engine.resource::<Environment>(scope, environment).await?;
    Ok(spec.map(|spec| spec.freeze_windows))
}

async fn state(engine: &Engine, scope: &Scope, on: &Dependency) -> Result<DependencyState, EngineError> {
    match on {
        Dependency::Operation(id) => {
            let status = engine.table.operation_get(scope, *id).await?.map(|operation| operation.status);
            Ok(DependencyState::Operation { status })
        }
        Dependency::Release(release) => release_state(engine, scope, release).await,
    }
}

async fn release_state(
    engine: &Engine,
    scope: &Scope,
    asked: &ReleaseDependency,
) -> Result<DependencyState, EngineError> {
    let fits = |release: &Release| {
        release.service_id == *asked.service.address()
            && asked.version.as_ref().is_none_or(|version| *version == release.version)
    };
    let all = engine.resources::<Target>(scope, Kind::Target).await?;
    let there = all.iter().filter(|(_, target)| target.environment.address() == asked.environment.address());
    let (mut targets, mut running) = (0, 0);
    for (address, _) in there {
        targets += 1;
        let Some(state) = entity::<TargetState>(engine, scope, address).await? else { continue };
        let release = entity::<Release>(engine, scope, &state.current.release_id).await?;
        running += u32::from(release.is_some_and(|release| fits(&release)));
    }
    let mut withdrawn = false;
    if running < targets && asked.version.is_some() {
        let list = Key::list(scope, Release::KIND, ReleaseStatus::Deprecated.as_str());
        let gone = engine.table.list::<Release>(&Query::Lists(vec![list]), None, WITHDRAWN_MAX).await?.0;
        withdrawn = gone.iter().any(fits);
    }
    Ok(DependencyState::Release { targets, running, withdrawn })
}

async fn plan(engine: &Engine, operation: &Operation, graph: &Graph) -> Result<PlanFacts, EngineError> {
    let (info, scope) = (&operation.info, &operation.info.scope);
    let environment: Option<Address> = info.environment.as_deref().and_then(|text| text.parse().ok());
    let spec = match &environment {
        Some(address) => engine.resource::<Environment>(scope, address).await?,
        None => None,
    };
    let plan = entity::<Plan>(engine, scope, &info.plan_id).await?;
    // As it was planned, with all that it runs; and as it is said now, where that is more.
    let planned = match plan.as_ref().map(|plan| &plan.context) {
        Some(PlanContext::Scenario(context)) => context.risk,
        Some(PlanContext::Delivery(_) | PlanContext::Definition(_) | PlanContext::None {}) | None => None,
    };
    let scenario = match plan.and_then(|plan| plan.scenario_ref) {
        Some(found) => engine.resource::<Scenario>(scope, &found.scenario).await?,
        None => None,
    };
    let said = scenario.map(|scenario| scenario.risk_metadata.level);
    let release = match &info.release_id {
        Some(id) => entity::<Release>(engine, scope, id).await?,
        None => None,
    };
    let targets: BTreeSet<&Address> = graph.nodes().iter().filter_map(|node| node.target.as_ref()).collect();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(PlanFacts {
        operation_type: info.operation_type,
        requested_by: info.actor.clone(),
        environment,
        production: spec.is_some_and(|spec| spec.production),
        targets: count(targets.len()),
        nodes: count(graph.len()),
        risk: planned.max(said),
        version: release.map(|release| release.version),
    })
}

/// The components that the operation brings, with what was found out about their bytes so far
async fn brought(engine: &Engine, operation: &Operation) -> Result<Vec<Brought>, EngineError> {
    let scope = &operation.info.scope;
    let Some(id) = &operation.info.release_id else { return Ok(Vec::new()) };
    let Some(release) = entity::<Release>(engine, scope, id).await? else { return Ok(Vec::new()) };
    let mut brought = Vec::new();
    for (component, what) in release.components {
        let version = entity::<Version>(engine, scope, &what.version_id).await?;
        // An attestation is about bytes: that of other bytes says nothing.
        let version = version.filter(|version| version.digest == what.digest);
        brought.push(Brought {
            component,
            digest: what.digest,
            attestations: version.map(|version| version.attestations).unwrap_or_default(),
        });
    }
    Ok(brought)
}

async fn entity<E: Entity>(
    engine: &Engine,
    scope: &Scope,
    id: &(impl std::fmt::Display + Sync),
) -> Result<Option<E>, EngineError> {
    let read = engine.table.read::<E>(&Key::entity(scope, E::KIND, id)).await?;
    Ok(read.map(|(entity, _)| entity))
}
