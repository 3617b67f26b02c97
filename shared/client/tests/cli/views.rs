//! Operations and gates as the server shows them, and decisions

use crate::{
    server::{Answer, Pages, Server, page, problem, who},
    state::{State, Step, time},
};
use axum::{
    Json,
    extract::{Path, Query, State as Shared},
    http::HeaderMap,
};
use serde_json::{Value, json};
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    id::{EvidenceId, GateId, Id as _, IntentId, OperationId, PlanId},
};

pub fn actor(id: &str) -> Actor {
    Actor { id: id.to_owned(), ..Actor::system("x") }
}

fn wait(step: &Step) -> Option<Value> {
    (step.status == "waiting").then(|| {
        json!({ "node_id": step.id, "kind": "approval", "what": "approvals 0 of 1",
            "who": "anyone of release-managers but alice", "since": time(), "gate_id": step.gate })
    })
}

fn node(step: &Step, number: usize, before: Option<&Step>) -> Value {
    let error =
        (step.status == "failed").then(|| json!({ "code": "no", "message": format!("{} did not", step.id) }));
    let title = step.id.replace('.', " ");
    let mut node = json!({ "node_id": step.id, "ordinal": number, "title": title, "status": step.status,
        "type": if step.gate.is_some() { "gate" } else { "job" }, "runs": "job", "attempt": 1, "attempts_max": 1,
        "depends_on": before.map(|before| before.id).into_iter().collect::<Vec<_>>(), "error": error,
        "waits_for": wait(step) });
    if let Some((_, target)) = step.id.split_once('.').filter(|(verb, _)| *verb != "change") {
        if node["type"] == "job" && step.id.starts_with("deploy") && step.status != "pending" {
            node["runs"] = json!(format!("agent:target.staging.{target}"));
        }
        node["target"] = json!(format!("target.staging.{target}"));
        node["batch"] = json!(1);
    }
    node
}

/// An operation, as `GET /v1/operations/{id}` answers it
pub fn view(state: &State, id: OperationId) -> Value {
    let running = &state.operations[&id];
    let before = std::iter::once(None).chain(running.steps.iter().map(Some));
    let nodes: Vec<Value> =
        running.steps.iter().zip(1..).zip(before).map(|((step, n), before)| node(step, n, before)).collect();
    let waits: Vec<Value> = running.steps.iter().filter_map(wait).collect();
    let has_deployed = running.kind != "definition.apply" && running.is_over();
    let evidence = (has_deployed && running.late > 1).then(|| EvidenceId::new(1, id.body().random()));
    let over = running.is_over();
    let failed = running.steps.iter().find(|step| step.status == "failed");
    let failure = failed.map(|step| json!({ "code": "no", "message": format!("{} did not", step.id) }));
    json!({ "operation_id": id, "type": running.kind, "title": running.title, "status": running.status(),
        "current_phase": "", "plan_id": PlanId::new(1, 1), "intent_id": IntentId::new(1, 1),
        "rollback_of": running.undoes,
        "rolled_back_by": running.undone_by.filter(|by| state.operations[by].status() == "succeeded"), "actor": actor(&running.by),
        "workspace_id": "harbor", "user_id": running.by, "initiator_name": running.by,
        "run_identity_hash": Digest::of_bytes(b""), "run_status": "running", "outcome": "pending",
        "freshness": "fresh_active", "cancel_requested": running.cancelled, "created_at": time(),
        "updated_at": time(), "started_at": time(), "completed_at": over.then(time),
        "settled": over && (!has_deployed || running.late > 1),
        "failure_summary": failure, "summary_counts": {}, "nodes": nodes, "waits": waits,
        "evidence_ids": evidence.into_iter().collect::<Vec<_>>() })
}

fn gate_view(state: &State, gate: GateId) -> Option<Value> {
    let (id, running) =
        state.operations.iter().find(|(_, it)| it.steps.iter().any(|step| step.gate == Some(gate)))?;
    let status = state.decided(gate).unwrap_or("open");
    let said = state.decisions.get(&gate).into_iter().flatten();
    let decisions: Vec<Value> = said
        .map(|(who, action, comment)| {
            json!({ "actor": actor(who), "action": action, "comment": comment, "at": time(), "via": "dev_token",
                "closure_hash": Digest::of_bytes(b"closure") })
        })
        .collect();
    let (result, reason) = match status {
        "open" => ("pending", "approvals_missing"),
        "allowed" => ("allow", "approved"),
        _ => ("deny", "rejected"),
    };
    Some(json!({ "gate_id": gate, "kind": "approval", "status": status, "subject": running.title,
        "spec": { "kind": "approval",
            "rule": { "required_approvals": 1, "eligible_groups": ["release-managers"], "require_sod": true } },
        "verdict": { "result": result, "reason_codes": [reason] },
        "tally": { "have": u32::from(status == "allowed"), "need": 1 }, "eligible_groups": ["release-managers"],
        "require_sod": true, "requested_by": actor(&running.by), "decisions": decisions,
        "waits_for": "1 approvals", "who": "anyone of group:release-managers but alice",
        "closure_hash": Digest::of_bytes(b"closure"), "operation_id": id, "node_id": "approval",
        "waits_since": time() }))
}

pub async fn gates(Shared(server): Shared<Server>, Query(query): Pages) -> Json<Value> {
    Json(server.with(|state| {
        let steps = state.operations.values().flat_map(|running| &running.steps);
        let wanted = query.get("status").map_or("open", String::as_str);
        let all: Vec<Value> = steps
            .filter(|step| step.status != "pending")
            .filter_map(|step| gate_view(state, step.gate?))
            .filter(|gate| gate["status"] == wanted)
            .collect();
        page(&all, &query)
    }))
}

pub async fn gate(Shared(server): Shared<Server>, Path(id): Path<GateId>) -> Answer {
    let found = server.with(|state| gate_view(state, id));
    let mut gate = found.ok_or_else(|| problem(404, "W0404", "there is no such gate here"))?;
    gate["earliest"] = json!({ "state": "unknown" });
    Ok(Json(gate))
}

pub async fn decide(
    Shared(server): Shared<Server>,
    Path(gate): Path<GateId>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    let by = who(&headers);
    server.with(|state| {
        let view =
            gate_view(state, gate).ok_or_else(|| problem(404, "W0404", "there is no such gate here"))?;
        if view["status"] != "open" {
            return Err(problem(409, "W0435", "the gate is closed"));
        }
        if view["requested_by"]["id"] == json!(by) {
            let why = format!(
                "`{by}` requested it and may not approve it; anyone else of `group:release-managers` may"
            );
            return Err(problem(403, "W0412", &why));
        }
        if body["closure_hash"] != view["closure_hash"] {
            return Err(problem(409, "W0409", "the plan is another one now"));
        }
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let said = (by.clone(), text("action").unwrap(), text("comment"));
        state.decisions.entry(gate).or_default().push(said);
        state.tell(&by, "gate.decide", &gate.to_string());
        Ok(Json(gate_view(state, gate).unwrap()))
    })
}
