//! Templates as requirement 000 names them: with the scenarios that follow them, and the contracts of their steps

use crate::walk::all_of_kind;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::{Job, Scenario, Template},
    },
    scope::{Name, Scope},
    time::Time,
};
use weir_edge::{
    Cx, Problem,
    wire::{
        scenario::{GraphDefinition, TemplateView},
        workflow::WorkflowEdge,
    },
};
use weir_store::ResourceRow;

/// A template of the definition or a built-in one
pub(crate) struct Found {
    /// Its address
    pub id: Address,
    /// What it says
    pub spec: Template,
    /// Whose it is
    pub tenant: Option<Name>,
    /// When it was applied; none for a built-in one
    pub applied_at: Option<Time>,
}

impl Found {
    /// A template as it was applied
    pub(crate) fn of(scope: Scope, row: ResourceRow) -> Result<Self, Problem> {
        let spec = serde_json::from_value(row.spec)?;
        Ok(Self { id: row.address, spec, tenant: scope.tenant, applied_at: Some(row.applied_at) })
    }
}

/// Every recipe that a scope sees: a definition has few
pub(crate) struct Recipes {
    /// The template of each scenario
    follow: BTreeMap<Address, Address>,
    jobs: BTreeMap<Address, Job>,
    /// The jobs that each template of the definition shares
    share: BTreeMap<Address, BTreeSet<Address>>,
}

impl Recipes {
    /// Those of `scope`
    pub(crate) async fn of(cx: &Cx, scope: &Scope) -> Result<Self, Problem> {
        let (mut follow, mut jobs, mut share) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (_, row) in all_of_kind(cx, scope, Kind::Scenario).await? {
            let scenario: Scenario = serde_json::from_value(row.spec)?;
            // The tenant's own come first, and stand before the workspace's of the same name.
            follow.entry(row.address).or_insert_with(|| scenario.template.address().clone());
        }
        for (_, row) in all_of_kind(cx, scope, Kind::Job).await? {
            let job: Job = serde_json::from_value(row.spec)?;
            jobs.entry(row.address).or_insert(job);
        }
        for (_, row) in all_of_kind(cx, scope, Kind::Template).await? {
            let template: Template = serde_json::from_value(row.spec)?;
            share.entry(row.address).or_insert_with(|| shared(&template));
        }
        Ok(Self { follow, jobs, share })
    }

    /// A plan template
    pub(crate) fn plan_template(&self, found: Found) -> TemplateView {
        let Found { id, spec, tenant, applied_at } = found;
        let contracts = spec.nodes.iter().filter_map(|node| {
            let shared = node.job.as_ref().and_then(|job| self.jobs.get(job.address()));
            Some((node.id.clone(), node.job_contract(shared)?))
        });
        let job_contracts = contracts.collect();
        let scenario_ids: Vec<Address> = self.following(|template| *template == id).collect();
        TemplateView {
            tenant_id: tenant,
            scenario_id: scenario_ids.first().cloned(),
            scenario_ids,
            template_version: spec.version,
            job_contracts,
            graph_definition: graph(&spec),
            editable_points: spec.editable_points,
            inputs: spec.inputs,
            outputs: spec.outputs,
            is_builtin: applied_at.is_none(),
            created_at: applied_at,
            id,
        }
    }

    /// A job template: followed by the scenarios whose templates share it
    pub(crate) fn job_template(&self, scope: Scope, row: ResourceRow) -> Result<TemplateView, Problem> {
        let id = row.address;
        let job: Job = serde_json::from_value(row.spec)?;
        let step = id.as_str().rsplit('.').next().unwrap_or_default().to_owned();
        let spec: Template = serde_json::from_value(json!({
            "version": job.version, "nodes": [{ "id": step, "type": "job", "job": id }],
        }))?;
        let shares = |template: &Address| self.share.get(template).is_some_and(|jobs| jobs.contains(&id));
        let scenario_ids: Vec<Address> = self.following(shares).collect();
        Ok(TemplateView {
            tenant_id: scope.tenant,
            scenario_id: scenario_ids.first().cloned(),
            scenario_ids,
            template_version: job.version,
            graph_definition: graph(&spec),
            outputs: job.outputs.iter().map(|name| (name.clone(), format!("{step}.{name}"))).collect(),
            job_contracts: BTreeMap::from([(step, job)]),
            editable_points: Vec::new(),
            inputs: BTreeMap::new(),
            is_builtin: false,
            created_at: Some(row.applied_at),
            id,
        })
    }

    /// The scenarios that follow such a template
    fn following(&self, is_such: impl Fn(&Address) -> bool) -> impl Iterator<Item = Address> {
        let found = self.follow.iter().filter(move |(_, template)| is_such(template));
        found.map(|(scenario, _)| scenario.clone())
    }
}

/// The jobs that a template shares with others
fn shared(template: &Template) -> BTreeSet<Address> {
    let jobs = template.nodes.iter().flat_map(|node| node.job.iter().chain(&node.compensation));
    jobs.map(|job| job.address().clone()).collect()
}

/// The steps of a template, and which waits for which
pub(crate) fn graph(template: &Template) -> GraphDefinition {
    let edge = |from: &String, to: &str| WorkflowEdge { from: from.clone(), to: to.to_owned() };
    let edges =
        template.nodes.iter().flat_map(|node| node.depends_on.iter().map(move |from| edge(from, &node.id)));
    GraphDefinition { edges: edges.collect(), nodes: template.nodes.clone() }
}
