//! A gate as callers see it

use weir_domain::{
    gate::{Gate, GateAnswer, tally},
    time::Millis,
};
use weir_edge::wire::gate::{GateView, Tally};

/// `gate` as it stands at `now`
pub(crate) fn view(gate: Gate, now: Millis) -> GateView {
    let people = gate.spec.people();
    GateView {
        gate_id: gate.gate_id,
        kind: gate.spec.kind().to_owned(),
        status: gate.status,
        verdict: gate.verdict(now),
        tally: tally(&gate, now).map(|(have, need)| Tally { have, need }),
        eligible_groups: people.as_ref().and_then(|people| people.groups).map(<[String]>::to_vec),
        eligible_people: people.as_ref().map(|people| people.named.to_vec()).unwrap_or_default(),
        require_sod: people.as_ref().is_some_and(|people| people.require_sod),
        waits_for: gate.result.as_ref().map_or_else(|| gate.spec.words(), |result| result.what.clone()),
        who: gate.who(),
        subject: gate.subject,
        spec: gate.spec,
        requested_by: gate.requested_by,
        decisions: gate.decisions,
        closure_hash: gate.closure_hash,
        operation_id: gate.operation_id,
        node_id: gate.node_id,
        promotion_id: gate.promotion_id,
        environment: gate.environment,
        waits_since: gate.created_at,
        expires_at: gate.expires_at,
        decided_at: gate.decided_at,
        result: gate.result,
        earliest: None,
        inputs: None,
    }
}

/// The same with what it answers now
pub(super) fn asked(gate: Gate, answer: GateAnswer, now: Millis) -> GateView {
    let mut view = view(gate, now);
    view.verdict = answer.verdict;
    view.waits_for = answer.what;
    view.who = answer.who;
    view.earliest = Some(answer.earliest);
    view.inputs = Some(answer.inputs);
    view
}
