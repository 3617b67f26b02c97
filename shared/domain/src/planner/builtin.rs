//! The workflow templates that no definition holds: what the built-in planners plan, told by the planners themselves
//!
//! Each is what its planner makes of the smallest request, so that it cannot say anything but what runs.

use super::{
    Approval, DefinitionRequest, PlanError, RestoreRequest, plan_definition, plan_fetch, plan_rebuild,
    plan_restore,
};
use crate::{
    canonical::Digest,
    definition::{
        address::{Address, Kind},
        spec::{Backoff, Constraints, InputSpec, InputType, NodeFailure, NodeSpec, NodeType, Template},
    },
    operation::OperationType,
    plan::{Graph, NodeType as Planned, OnFailure, PlanNode},
};
use std::collections::BTreeMap;

/// The version of what the planners of this program plan: it grows with every change of the templates below
const VERSION: u32 = 2;

/// The built-in template that operations of this type run, if their plans come from no scenario
pub const fn builtin_template(operation_type: OperationType) -> Option<&'static str> {
    match operation_type {
        OperationType::DefinitionApply => Some("weir.definition-apply"),
        OperationType::AssignmentsFetch => Some("weir.assignments-fetch"),
        OperationType::AssignmentsRestore => Some("weir.assignments-restore"),
        OperationType::ProjectionsRebuild => Some("weir.projections-rebuild"),
        OperationType::Deploy
        | OperationType::Promote
        | OperationType::Rollback
        | OperationType::ScenarioRun
        | OperationType::PipelineRun
        | OperationType::ReconcileAdapterRuns => None,
    }
}

/// Every built-in template, by its address
pub fn builtin_templates() -> Result<BTreeMap<Address, Template>, PlanError> {
    let any = Digest::of_bytes(b"");
    let provider = Address::new(Kind::Provider, "directory").ok();
    let mut found = BTreeMap::new();
    let mut add = |operation_type, inputs: &[(&str, &str, InputType, bool)], graph: &Graph| {
        let name = builtin_template(operation_type);
        if let Some(address) = name.and_then(|name| Address::new(Kind::Template, name).ok()) {
            found.insert(address, template(inputs, graph));
        }
    };
    add(OperationType::ProjectionsRebuild, &[], &plan_rebuild()?);
    let approval = Approval { required: 1, groups: Vec::new(), reasons: Vec::new() };
    let groups = vec!["Resources that become true together".to_owned()];
    let request = DefinitionRequest { change_plan_digest: any.clone(), groups, approval: Some(approval) };
    let inputs = [("change_plan", "The change plan that was accepted", InputType::String, true)];
    add(OperationType::DefinitionApply, &inputs, &plan_definition(&request)?);
    if let Some(provider) = &provider {
        let inputs = [
            ("provider", "The provider that is read", InputType::String, true),
            ("name", "What people will call the snapshot", InputType::String, false),
        ];
        add(OperationType::AssignmentsFetch, &inputs, &plan_fetch(provider, None)?);
        let request = RestoreRequest { provider, digest: &any, assignments: 1, only: &[] };
        let inputs = [
            ("snapshot", "The snapshot that is put back", InputType::String, true),
            ("only", "Only these of its assignments", InputType::List, false),
        ];
        add(OperationType::AssignmentsRestore, &inputs, &plan_restore(&request)?);
    }
    Ok(found)
}

fn template(inputs: &[(&str, &str, InputType, bool)], graph: &Graph) -> Template {
    let inputs = inputs.iter().map(|(name, description, input_type, required)| {
        let description = Some((*description).to_owned());
        let spec =
            InputSpec { description, input_type: Some(*input_type), required: *required, default: None };
        ((*name).to_owned(), spec)
    });
    let gives = graph.nodes().iter().flat_map(|node| {
        let contract = node.job_contract.iter();
        contract
            .flat_map(|it| &it.outputs)
            .map(move |output| (output.clone(), format!("{}.{output}", node.node_id)))
    });
    Template {
        version: VERSION,
        inputs: inputs.collect(),
        nodes: graph.nodes().iter().map(node).collect(),
        outputs: gives.collect(),
        editable_points: Vec::new(),
        pack: None,
    }
}

fn node(planned: &PlanNode) -> NodeSpec {
    let contract = planned.job_contract.as_ref();
    // What nobody works on has no limits of its own, and a template that says some is refused.
    let works = matches!(planned.node_type, Planned::Job | Planned::Verification | Planned::Change);
    let worked = contract.filter(|_| works);
    let backoff = worked.map_or_else(Backoff::default, |it| Backoff {
        initial_s: it.backoff.base_s,
        factor: it.backoff.factor,
        max_s: it.backoff.max_s,
    });
    NodeSpec {
        id: planned.node_id.to_string(),
        node_type: match planned.node_type {
            // Joins only keep plans of many nodes narrow: no smallest plan has one.
            Planned::Job | Planned::Join => NodeType::Job,
            Planned::Gate => NodeType::Gate,
            Planned::Verification => NodeType::Verification,
            Planned::Intervention => NodeType::Intervention,
            Planned::SubOperation => NodeType::SubOperation,
            Planned::Change => NodeType::Change,
            Planned::Evidence => NodeType::Evidence,
        },
        title: Some(planned.title.clone()),
        capability: contract.map(|it| it.capability.clone()),
        job: None,
        gate: None,
        with: serde_json::Map::new(),
        when: None,
        for_each: None,
        constraints: Constraints::default(),
        depends_on: planned.depends_on.iter().map(ToString::to_string).collect(),
        on_failure: match planned.on_failure {
            OnFailure::Fail => NodeFailure::Fail,
            OnFailure::Continue => NodeFailure::Continue,
            OnFailure::Pause => NodeFailure::Pause,
            OnFailure::Rollback => NodeFailure::Rollback,
        },
        timeout_s: worked.map_or(600, |it| it.timeout_s),
        attempts: worked.map_or(1, |it| it.attempts),
        backoff,
        deadline_s: worked.and_then(|it| it.deadline_s),
        compensation: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantArray as _;

    #[test]
    fn every_built_in_template_is_what_its_planner_plans() {
        let templates = builtin_templates().unwrap();
        let named: Vec<_> = OperationType::VARIANTS.iter().filter_map(|it| builtin_template(*it)).collect();
        assert_eq!(templates.len(), named.len());
        let of = |name: &str| &templates[&Address::new(Kind::Template, name).unwrap()];
        let apply = of("weir.definition-apply");
        let steps: Vec<_> = apply.nodes.iter().map(|it| (it.id.as_str(), it.node_type)).collect();
        assert_eq!(steps, [("approval", NodeType::Gate), ("change.group-1", NodeType::Change)]);
        assert_eq!(apply.nodes[1].depends_on, ["approval"]);
        assert_eq!(of("weir.assignments-fetch").outputs["snapshot"], "fetch.snapshot");
        assert!(of("weir.assignments-restore").inputs["snapshot"].required);
    }
}
