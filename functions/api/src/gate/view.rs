//! A gate as callers see it

use weir_domain::{
    gate::{Gate, GateSpec, tally},
    time::Millis,
};
use weir_edge::wire::gate::{GateView, Tally};

/// `gate` as it stands at `now`
pub(crate) fn view(gate: Gate, now: Millis) -> GateView {
    let (eligible_groups, require_sod) = match rule(&gate) {
        Some(approval) => (approval.eligible_groups.clone(), approval.require_sod),
        None => (None, false),
    };
    GateView {
        gate_id: gate.gate_id,
        kind: gate.spec.kind().to_owned(),
        status: gate.status,
        verdict: gate.verdict(now),
        tally: tally(&gate, now).map(|(have, need)| Tally { have, need }),
        eligible_groups,
        require_sod,
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
    }
}

/// Who may decide on `gate`, in words: `anyone of group:release-managers but alice`
pub(crate) fn who(gate: &Gate) -> String {
    let Some(rule) = rule(gate) else { return "nobody: it opens by itself".to_owned() };
    let mut who = match rule.eligible_groups.as_deref() {
        None => "anyone who may decide".to_owned(),
        Some([]) => return "nobody: the policies leave no group that may".to_owned(),
        Some(groups) => {
            let groups: Vec<_> = groups.iter().map(|group| format!("group:{group}")).collect();
            format!("anyone of {}", groups.join(" or "))
        }
    };
    if rule.require_sod {
        who.push_str(&format!(" but {}", gate.requested_by.person()));
    }
    who
}

fn rule(gate: &Gate) -> Option<&weir_domain::definition::spec::ApprovalRule> {
    if let GateSpec::Approval(approval) = &gate.spec { Some(&approval.rule) } else { None }
}
