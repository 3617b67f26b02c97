//! Guards of what takes several writes: patches, interventions, queues, sub-operations, deadlines, repeated requests

use super::{LOOK, NODE, OPERATION, Place};

const PATCH: &str = "shared/domain/src/engine/node_patch.rs";
const BEGIN: &str = "shared/orchestration/src/engine/begin.rs";
const CHILD: &str = "shared/orchestration/src/scenario/child.rs";
const IDEMPOTENCY: &str = "shared/edge/src/idempotency.rs";

/// Every place with such a guard
pub(super) const PLACES: &[Place] = &[
    // No guard: one schedule that fails says enough.
    Place {
        file: "shared/orchestration/tests/schedules.rs",
        find: "const FAILURES_MAX: usize = 10;",
        with: "const FAILURES_MAX: usize = 1;",
    },
    Place {
        file: NODE,
        find: "is(*seen) && node.attempt == *attempt && (is(Pending) || is(Ready) || is(Waiting))",
        with: r#"(is(*seen) || without("cancel idle: as seen"))
                    && (node.attempt == *attempt || without("cancel idle: attempt"))
                    && (is(Pending) || is(Ready) || is(Waiting) || without("cancel idle: nobody works on it"))"#,
    },
    Place {
        file: NODE,
        find: "Self::Suspend { attempt, lease_seen, .. } => {\n                (is(Ready) || is(Running) || is(Waiting))\n                    && node.attempt == *attempt\n                    && !node.cancel\n                    && node.error.is_none()\n                    && lease_seen.is_none_or(|seen| node.lease_until == Some(seen))",
        with: r#"Self::Suspend { attempt, lease_seen, .. } => {
                (is(Ready) || is(Running) || is(Waiting) || without("suspend: not ended"))
                    && (node.attempt == *attempt || without("suspend: attempt"))
                    && (!node.cancel || without("suspend: not cancelled"))
                    && (node.error.is_none() || without("suspend: once"))
                    && (lease_seen.is_none_or(|seen| node.lease_until == Some(seen)) || without("suspend: lease as seen"))"#,
    },
    Place {
        file: NODE,
        find: "is(Waiting) && node.attempt == *attempt && !node.cancel && node.error.is_some()",
        with: r#"(is(Waiting) || without("again: waiting")) && (node.attempt == *attempt || without("again: attempt"))
                    && (!node.cancel || without("again: not cancelled")) && (node.error.is_some() || without("again: failed"))"#,
    },
    Place {
        file: PATCH,
        find: "node.status == NodeStatus::Pending && node.unmet == *seen,",
        with: r#"(node.status == NodeStatus::Pending || without("rewire: pending"))
                && (node.unmet == *seen || without("rewire: unmet as seen")),"#,
    },
    Place {
        file: PATCH,
        find: "Self::Link { .. } => !node.status.is_terminal(),",
        with: r#"Self::Link { .. } => !node.status.is_terminal() || without("link: not ended"),"#,
    },
    Place {
        file: PATCH,
        find: "Self::Reopen { .. } => node.status.is_terminal(),",
        with: r#"Self::Reopen { .. } => node.status.is_terminal() || without("reopen: ended"),"#,
    },
    Place {
        file: PATCH,
        find: "Self::Remove { .. } => node.status == NodeStatus::Pending,",
        with: r#"Self::Remove { .. } => node.status == NodeStatus::Pending || without("remove: pending"),"#,
    },
    Place {
        file: PATCH,
        find: "            node.out_ver += 1;",
        with: r#"            node.out_ver += u32::from(!without("link: a version of the dependents"));"#,
    },
    Place {
        file: PATCH,
        find: "                node.closed = false;",
        with: r#"                node.closed = node.closed && without("reopen: consequences again");"#,
    },
    Place {
        file: "shared/domain/src/engine/node.rs",
        find: "        self.unmet.insert(super::GUARD);",
        with: r#"        if !without("patch: new nodes are guarded") {
            self.unmet.insert(super::GUARD);
        }"#,
    },
    Place {
        file: OPERATION,
        find: "operation.patch_seq == *seen\n                    && operation.materialised\n                    && !operation.open.is_empty()\n                    && !operation.cancel",
        with: r#"(operation.patch_seq == *seen || without("patch: one after the other"))
                    && (operation.materialised || without("patch: materialised"))
                    && (!operation.open.is_empty() || without("patch: a segment open"))
                    && (!operation.cancel || without("patch: not cancelled"))"#,
    },
    Place {
        file: OPERATION,
        find: "active && !operation.cancel && !operation.paused,",
        with: r#"(active || without("pause: active")) && (!operation.cancel || without("pause: not cancelled"))
                && (!operation.paused || without("pause: once")),"#,
    },
    Place {
        file: OPERATION,
        find: "Self::Resume { .. } => active && operation.paused,",
        with: r#"Self::Resume { .. } => (active || without("resume: active")) && (operation.paused || without("resume: paused")),"#,
    },
    Place {
        file: OPERATION,
        find: "Self::Finished => !active,",
        with: r#"Self::Finished => !active || without("finished: ended"),"#,
    },
    Place {
        file: OPERATION,
        find: "operation.reserved += segments,",
        with: r#"operation.reserved += if without("reserve: numbers of its own") { 0 } else { *segments },"#,
    },
    Place {
        file: LOOK,
        find: "NodeStatus::Ready if node.is_over(now - CLOCKS) => Drive::Expire,",
        with: r#"NodeStatus::Ready
            if node.is_over(if without("deadline: by any clock") { now } else { now - CLOCKS })
                && !without("deadline: of a node that nobody has started") =>
        {
            Drive::Expire
        }"#,
    },
    Place {
        file: "shared/orchestration/src/engine/attempt.rs",
        find: "if deadline <= now {",
        with: r#"if deadline <= now && !without("deadline: no attempt begins after it") {"#,
    },
    Place {
        file: "shared/orchestration/src/engine/drive.rs",
        find: "seen.filter(|seen| claim_allowed(seen) == Hold::Go)",
        with: r#"seen.filter(|seen| claim_allowed(seen) == Hold::Go || without("claim: what holds it back is looked at again"))"#,
    },
    Place {
        file: BEGIN,
        find: "if self.is_orphan(operation).await? {",
        with: r#"if !without("begin: somebody waits for it") && self.is_orphan(operation).await? {"#,
    },
    Place {
        file: BEGIN,
        find: "!self.behind(operation).await?.is_empty()",
        with: r#"!without("begin: first in its queues") && !self.behind(operation).await?.is_empty()"#,
    },
    Place {
        file: "shared/orchestration/src/engine/consequences.rs",
        find: "        interventions::close(self, key, &node).await?;",
        with: r#"        if !without("end: nobody is asked any more") {
            interventions::close(self, key, &node).await?;
        }"#,
    },
    Place {
        file: "shared/orchestration/src/engine/consequences.rs",
        find: "        if node.terms.kind == NodeType::SubOperation {",
        with: r#"        if node.terms.kind == NodeType::SubOperation && !without("end: its operation is not wanted any more") {"#,
    },
    Place {
        file: "shared/orchestration/src/engine/cancel.rs",
        find: "NodeStatus::Waiting if runs_child =>",
        with: r#"NodeStatus::Waiting if runs_child && !without("cancel: an operation ends before its node") =>"#,
    },
    Place {
        file: BEGIN,
        find: "node.status.is_terminal() || node.awaits_person() || node.attempt != parent.attempt",
        with: r#"node.status.is_terminal()
                || (node.awaits_person() && !without("begin: its node has not failed"))
                || node.attempt != parent.attempt"#,
    },
    Place {
        file: "shared/orchestration/src/engine/decide.rs",
        find: "        Decided::Later(_) if d.node.error.is_none() && d.node.is_over(now)",
        with: r#"        Decided::Yes | Decided::ByHand(_)
            if d.node.is_over(now) && without("deadline: what a person decided counts") =>
        {
            Decided::No(d.too_late())
        }
        Decided::Later(_) if d.node.error.is_none() && d.node.is_over(now)"#,
    },
    Place {
        file: "shared/orchestration/src/engine/drive.rs",
        find: "        if node.terms.kind == NodeType::SubOperation {",
        with: r#"        if node.terms.kind == NodeType::SubOperation
            && !without("deadline: what a node has made ends before it")
        {"#,
    },
    Place {
        file: CHILD,
        find: "            if is_late {\n",
        with: r#"            if is_late && without("deadline: what a node runs ends before it") {
                return Ok(Decided::No(d.too_late()));
            }
            if is_late {
"#,
    },
    Place {
        file: CHILD,
        find: "            if parent().await?.paused {\n                engine.pause",
        with: r#"            if parent().await?.paused && !without("resume: its parent is not paused again") {
                engine.pause"#,
    },
    Place {
        file: "shared/orchestration/src/interventions.rs",
        find: "if d.node.terms.kind == NodeType::SubOperation && !scenario::nothing_goes_on(engine, d).await? {",
        with: r#"if !without("ask: nothing goes on of what failed")
            && d.node.terms.kind == NodeType::SubOperation
            && !scenario::nothing_goes_on(engine, d).await?
        {"#,
    },
    Place {
        file: "shared/orchestration/src/interventions.rs",
        find: "may.retain(|action| *action != InterventionAction::Retry);",
        with: r#"may.retain(|action| {
            *action != InterventionAction::Retry || without("ask: what is done once is not tried again")
        });"#,
    },
    Place {
        file: "shared/orchestration/src/engine/patch.rs",
        find: "if let Some(made) = made {",
        with: r#"if let Some(made) = made.filter(|_| !without("patch: the same request meets its own")) {"#,
    },
    Place {
        file: "shared/orchestration/src/engine/patch.rs",
        find: "if operation.cancel && operation.is_active() {",
        with: r#"if operation.cancel && operation.is_active() && !without("patch: look for a cancel") {"#,
    },
    Place {
        file: "shared/orchestration/src/engine/patch/draft.rs",
        find: "let held = seen.held(after, diff, voids);",
        with: r#"let mut held = seen.held(after, diff, voids);
        held.retain(|_| !without("patch: gates that have yet to ask are held"));"#,
    },
    Place {
        file: "shared/orchestration/src/engine/patch/draft.rs",
        find: "voids.held.difference(&written)",
        with: r#"voids
            .held
            .difference(&written)
            .filter(|gate| !diff.linked.contains(gate) || !without("patch: a gate that is given dependents is held"))"#,
    },
    Place {
        file: "shared/orchestration/src/engine/finish.rs",
        find: r#"!= Some(&info.operation_id.to_string()) {"#,
        with: r#"!= Some(&info.operation_id.to_string()) && !without("finish: its own lock only") {"#,
    },
    Place {
        file: "shared/orchestration/src/engine/finish.rs",
        find: "        self.leave_queues(operation).await?;",
        with: r#"        if !without("finish: leaves its queues") {
            self.leave_queues(operation).await?;
        }"#,
    },
    Place {
        file: "shared/domain/src/intervention.rs",
        find: "InterventionStatus::Decided => return Err(InterventionRefusal::Decided),",
        with: r#"InterventionStatus::Decided if without("intervention: decided once") => {}
        InterventionStatus::Decided => return Err(InterventionRefusal::Decided),"#,
    },
    Place {
        file: "shared/store/src/memory/state.rs",
        find: "if found == Some(expected) { Ok(()) }",
        with: r#"if found == Some(expected) || without("replace: as seen") { Ok(()) }"#,
    },
    Place {
        file: IDEMPOTENCY,
        find: "if !expired && known.request != new.request {",
        with: r#"if !expired && known.request != new.request && !without("idempotency: one request a key") {"#,
    },
    Place {
        file: IDEMPOTENCY,
        find: "if known.done && !expired {",
        with: r#"if known.done && !expired && !without("idempotency: one run a key") {"#,
    },
    Place {
        file: IDEMPOTENCY,
        find: "if call.now < known.running_until {",
        with: r#"if call.now < known.running_until && !without("idempotency: one run at a time") {"#,
    },
];
