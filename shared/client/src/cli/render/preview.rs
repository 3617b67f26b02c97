//! What an intent would lead to, before anything is recorded

use crate::cli::style::{Style, counted, plain};
use weir_domain::{
    definition::spec::Reversibility,
    plan::{BindingStatus, Graph, Plan, PlanStatus, ResourceBinding},
    planner::{Preview, Quorum},
};
use weir_edge::wire::{intent::IntentPlanned, plan::PlanView};

/// Bindings that are told one by one
const BINDINGS_SHOWN: usize = 20;

/// The preview as text
pub fn preview(planned: &IntentPlanned, style: Style) -> String {
    let intent = &planned.intent;
    let mut text = format!("{} {}\n", style.strong(plain(&intent.action)), plain(&intent.target_resource_id));
    if let Some(plan) = &planned.plan {
        let by = plan.plan.scenario_ref.as_ref().map_or(String::new(), |it| format!("{} · ", it.scenario));
        line(&mut text, style, "plan", &format!("{by}{}", counted(plan.graph.len(), "node")));
    }
    if let Some(preview) = &planned.preview {
        meaning(&mut text, style, preview);
    }
    if let Some(plan) = &planned.plan {
        edits_and_bindings(&mut text, style, &plan.plan);
        nested(&mut text, style, plan);
    }
    line(&mut text, style, "written", "nothing");
    text
}

/// A plan that was made, but for its graph: where it stands, what provides what, who has to agree, what it runs besides
pub fn plan_facts(plan: &PlanView, style: Style) -> String {
    let record = &plan.plan;
    let mut text = format!("{}  {}\n", style.strong(record.plan_id), standing(record, style));
    if let Some(scenario) = &record.scenario_ref {
        let template = scenario.template.as_ref().map(|it| format!(" · {it} {}", scenario.template_version));
        let version = scenario.version.map(|version| format!(" {version}")).unwrap_or_default();
        line(
            &mut text,
            style,
            "by",
            &format!("{}{version}{}", scenario.scenario, template.unwrap_or_default()),
        );
    }
    line(
        &mut text,
        style,
        "version",
        &format!("{} · {}", record.effective_version, record.graph_hash.short()),
    );
    line(&mut text, style, "intent", &record.intent_id.to_string());
    if let Some(operation) = plan.operation_id {
        line(&mut text, style, "run by", &operation.to_string());
    }
    if let Some(preview) = foreseen(plan) {
        meaning(&mut text, style, &preview);
    }
    edits_and_bindings(&mut text, style, record);
    nested(&mut text, style, plan);
    text
}

/// What running the plan means, worked out here: nothing where its graph is none
fn foreseen(plan: &PlanView) -> Option<Preview> {
    let all = std::iter::once(plan).chain(below(plan));
    let graphs: Option<Vec<(&Plan, Graph)>> =
        all.map(|it| Some((&it.plan, Graph::new(it.graph.clone()).ok()?))).collect();
    let graphs = graphs?;
    let pairs: Vec<(&Plan, &Graph)> = graphs.iter().map(|(plan, graph)| (*plan, graph)).collect();
    let ((own, graph), children) = pairs.split_first()?;
    Some(weir_domain::planner::preview(own, graph, children))
}

/// Every plan inside a plan
fn below(plan: &PlanView) -> Vec<&PlanView> {
    plan.sub_operations.iter().flat_map(|child| std::iter::once(child).chain(below(child))).collect()
}

/// The plans that it runs, each with those that it runs itself further in
fn nested(text: &mut String, style: Style, plan: &PlanView) {
    for child in &plan.sub_operations {
        let mut inner = String::new();
        let record = &child.plan;
        let by = record.scenario_ref.as_ref().map(|it| format!("{} · ", it.scenario)).unwrap_or_default();
        let facts = format!("{by}{} · {}", counted(child.graph.len(), "node"), standing(record, style));
        line(&mut inner, style, "runs", &format!("{} {facts}", record.plan_id));
        let mut own = String::new();
        edits_and_bindings(&mut own, style, record);
        nested(&mut own, style, child);
        own.lines().for_each(|line| inner.push_str(&format!("  {line}\n")));
        text.push_str(&inner);
    }
}

fn standing(plan: &Plan, style: Style) -> String {
    let status = plan.status.as_str();
    match plan.status {
        PlanStatus::Unbound | PlanStatus::Rejected => style.bad(status),
        PlanStatus::Ready | PlanStatus::Approved | PlanStatus::Active => style.good(status),
        PlanStatus::Draft | PlanStatus::Superseded => style.dim(status),
    }
}

fn line(text: &mut String, style: Style, name: &str, what: &str) {
    text.push_str(&format!("  {}  {what}\n", style.dim(format!("{name:<10}"))));
}

fn meaning(text: &mut String, style: Style, preview: &Preview) {
    for ahead in &preview.gates {
        line(text, style, "gate", &format!("{} · {}", ahead.node_id, ahead.gate.kind()));
    }
    for quorum in &preview.quorum {
        line(text, style, "agree", &agree(quorum));
    }
    let radius = &preview.blast_radius;
    let mut touched = vec![counted(radius.target_count, "target"), counted(radius.jobs, "job")];
    if radius.by_hand > 0 {
        touched.push(format!("{} by hand", counted(radius.by_hand, "step")));
    }
    if radius.sub_operations > 0 {
        touched.push(counted(radius.sub_operations, "sub-operation"));
    }
    touched.extend(radius.resources.iter().map(ToString::to_string));
    line(text, style, "touches", &touched.join(", "));
    if !radius.exclusive.is_empty() {
        let alone: Vec<_> = radius.exclusive.iter().map(ToString::to_string).collect();
        line(text, style, "alone with", &alone.join(", "));
    }
    let how = match preview.reversibility {
        Reversibility::Reversible => style.good("reversible"),
        Reversibility::Narrowing => style.warn("narrowing"),
        Reversibility::Irreversible => style.bad("irreversible"),
    };
    line(text, style, "undo", &format!("{how}: {}", plain(&preview.reversibility_reasons.join("; "))));
    for missing in &preview.missing {
        line(text, style, "missing", &style.bad(plain(missing)));
    }
}

fn agree(quorum: &Quorum) -> String {
    let of = quorum.eligible_groups.as_ref().map_or("anyone".to_owned(), |groups| groups.join(", "));
    let not = if quorum.require_sod { ", not who asks" } else { "" };
    format!("{} · {} of {}{not}", quorum.node_id, quorum.required_approvals, plain(&of))
}

fn edits_and_bindings(text: &mut String, style: Style, plan: &Plan) {
    for edit in &plan.customizations {
        let value = edit.value.to_string();
        line(text, style, "edited", &format!("{}.{} = {}", edit.node_id, plain(&edit.point), plain(&value)));
    }
    for binding in plan.bindings.iter().take(BINDINGS_SHOWN) {
        line(text, style, "binding", &bound(binding, style));
    }
    let more = plan.bindings.len().saturating_sub(BINDINGS_SHOWN);
    if more > 0 {
        line(text, style, "binding", &format!("and {more} more"));
    }
}

fn bound(binding: &ResourceBinding, style: Style) -> String {
    let to = binding.selected_resource_id.as_deref().unwrap_or("nothing");
    let to = match binding.binding_status {
        BindingStatus::Bound => style.good(plain(to)),
        BindingStatus::SubOperation => style.busy(plain(to)),
        BindingStatus::Unbound => style.bad(plain(to)),
    };
    let (requirement, capability) = (plain(&binding.requirement_id), plain(&binding.capability_key));
    format!("{requirement} · {capability} → {to} ({})", plain(&binding.resolution_reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_preview_says_what_would_happen_and_that_nothing_did() {
        let actor = json!({ "id": "alice", "kind": "user", "groups": [], "roles": [], "via": "dev_token" });
        let planned: IntentPlanned = serde_json::from_value(json!({
            "id": "int_01ARZ3NDEKTSV4RRFFQ69G5FAV", "actor": actor, "action": "restart",
            "target_resource_type": "environment", "target_resource_id": "environment.staging",
            "status": "planned", "created_at": "2026-11-21T08:00:00Z",
            "preview": {
                "gates": [{ "node_id": "guard.approval", "gate": {
                    "kind": "approval", "rule": { "required_approvals": 2, "eligible_groups": ["ops"], "require_sod": true },
                } }],
                "quorum": [{
                    "node_id": "guard.approval", "required_approvals": 2, "eligible_groups": ["ops"], "require_sod": true,
                }],
                "blast_radius": {
                    "resources": ["environment.staging"], "targets": ["target.staging.stg-1"], "target_count": 1, "jobs": 1,
                    "by_hand": 1, "sub_operations": 0, "exclusive": ["target.staging.stg-1"],
                },
                "reversibility": "irreversible", "reversibility_reasons": ["nothing undoes `restart`"],
                "missing": ["`x` asks for `moon.land`"],
            },
        }))
        .unwrap();
        let text = preview(&planned, Style::PLAIN);
        for told in [
            "restart environment.staging\n",
            "gate        guard.approval · approval\n",
            "agree       guard.approval · 2 of ops, not who asks\n",
            "touches     1 target, 1 job, 1 step by hand, environment.staging\n",
            "alone with  target.staging.stg-1\n",
            "undo        irreversible: nothing undoes `restart`\n",
            "missing     `x` asks for `moon.land`\n",
            "written     nothing\n",
        ] {
            assert!(text.contains(told), "{told:?} is not in\n{text}");
        }
    }
}
