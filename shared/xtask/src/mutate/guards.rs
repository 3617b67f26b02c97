//! The guards of the protocol, where they stand in the code, and what is left of each place without them

mod ends;
mod operations;
mod steps;

/// One guard, or several that stand in one place
///
/// `with` is what `find` becomes in the copy: each guard asks `without("<name>")` whether it is the one that is missing.
pub(super) struct Place {
    /// The file, from the workspace's root
    pub file: &'static str,
    /// What stands there now, exactly once
    pub find: &'static str,
    /// What stands there in the copy
    pub with: &'static str,
}

const NODE: &str = "shared/domain/src/engine/node_update.rs";
const OPERATION: &str = "shared/domain/src/engine/operation_update.rs";
const LOOK: &str = "shared/domain/src/engine/drive.rs";
const ENGINE: &str = "shared/orchestration/src/engine/mod.rs";

/// Every place with a guard
pub(super) fn places() -> impl Iterator<Item = &'static Place> {
    PLACES.iter().chain(ends::PLACES).chain(operations::PLACES).chain(steps::PLACES)
}

/// Those of single writes, and of what follows from one
const PLACES: &[Place] = &[
    Place {
        file: "shared/store/src/memory/state.rs",
        find: "if self.items.contains_key(key) { Err(Conflict)",
        with: r#"if self.items.contains_key(key) && !without("put: there is none yet") { Err(Conflict)"#,
    },
    Place {
        file: NODE,
        find: "Self::Claim { .. } | Self::Pass { .. } => node.is_claimable(),",
        with: r#"Self::Claim { .. } | Self::Pass { .. } => {
                (is(Pending) || without("claim: pending")) && (node.unmet.is_empty() || without("claim: nothing unmet"))
            }"#,
    },
    Place {
        file: NODE,
        find: "is(Ready) && node.attempt == *attempt && node.not_before.is_none_or(|t| t <= *now)",
        with: r#"(is(Ready) || without("start: ready")) && (node.attempt == *attempt || without("start: attempt"))
                && (node.not_before.is_none_or(|t| t <= *now) || without("start: not before"))"#,
    },
    Place {
        file: NODE,
        find: "Self::Heartbeat { attempt, .. } => is(Running) && node.attempt == *attempt,",
        with: r#"Self::Heartbeat { attempt, .. } => {
                (is(Running) || without("heartbeat: running")) && (node.attempt == *attempt || without("heartbeat: attempt"))
            }"#,
    },
    Place {
        file: NODE,
        find: "(is(Running) || is(Waiting)) && node.attempt == *attempt && node.error.is_none()",
        with: r#"(is(Running) || is(Waiting) || without("cancel running: running")) && (node.attempt == *attempt || without("cancel running: attempt"))
                    && (node.error.is_none() || without("cancel running: waits for nobody"))"#,
    },
    Place {
        file: NODE,
        find: "(is(Ready) || is(Running)) && node.attempt == *attempt,",
        with: r#"(is(Ready) || is(Running) || without("wait: ready or running"))
                && (node.attempt == *attempt || without("wait: attempt")),"#,
    },
    Place {
        file: NODE,
        find: "is(*seen) && node.attempt == *attempt && !node.status.is_terminal()",
        with: r#"(is(*seen) || without("sweep: as seen")) && (node.attempt == *attempt || without("sweep: attempt"))
                    && (!node.status.is_terminal() || without("sweep: not ended"))"#,
    },
    Place {
        file: NODE,
        find: "(is(Running) || is(Waiting))\n                    && node.attempt == *attempt\n                    && !node.cancel\n                    && node.error.is_none()\n                    && lease_seen.is_none_or(|seen| node.lease_until == Some(seen))",
        with: r#"(is(Running) || is(Waiting) || without("retry: running or waiting"))
                    && (node.attempt == *attempt || without("retry: attempt"))
                    && (!node.cancel || without("retry: not cancelled"))
                    && (node.error.is_none() || without("retry: waits for nobody"))
                    && (lease_seen.is_none_or(|seen| node.lease_until == Some(seen)) || without("retry: lease as seen"))"#,
    },
    Place {
        file: NODE,
        find: "Self::Complete { attempt, lease_seen, .. } => {\n                (is(Ready) || is(Running) || is(Waiting))\n                    && node.attempt == *attempt\n                    && lease_seen.is_none_or(|seen| node.lease_until == Some(seen))",
        with: r#"Self::Complete { attempt, lease_seen, .. } => {
                (is(Ready) || is(Running) || is(Waiting) || without("complete: not ended"))
                    && (node.attempt == *attempt || without("complete: attempt"))
                    && (lease_seen.is_none_or(|seen| node.lease_until == Some(seen)) || without("complete: lease as seen"))"#,
    },
    Place {
        file: NODE,
        find: "Self::Skip { .. } => is(Pending),",
        with: r#"Self::Skip { .. } => is(Pending) || without("skip: pending"),"#,
    },
    Place {
        file: NODE,
        find: "node.status.is_terminal() && node.out_ver == *out_ver",
        with: r#"(node.status.is_terminal() || without("close: ended")) && (node.out_ver == *out_ver || without("close: dependents as seen"))"#,
    },
    Place {
        file: NODE,
        find: "                node.tokens.insert(token.clone());",
        with: r#"                if without("arrive: a set of tokens") {
                    node.tokens.clear();
                }
                node.tokens.insert(token.clone());"#,
    },
    Place {
        file: OPERATION,
        find: "active && !operation.materialised,",
        with: r#"(active || without("materialise: active")) && (!operation.materialised || without("materialise: once")),"#,
    },
    Place {
        file: OPERATION,
        find: "active && operation.revivals == *seen,",
        with: r#"(active || without("revive: active")) && (operation.revivals == *seen || without("revive: as seen")),"#,
    },
    Place {
        file: OPERATION,
        find: "active && operation.open.is_empty(),",
        with: r#"(active || without("finish: active")) && (operation.open.is_empty() || without("finish: no segment open")),"#,
    },
    Place {
        file: OPERATION,
        find: "Self::Cancel { .. } => active && !operation.cancel,",
        with: r#"Self::Cancel { .. } => (active || without("cancel: active")) && (!operation.cancel || without("cancel: once")),"#,
    },
    Place {
        file: OPERATION,
        find: "Self::Rest { .. } => operation.todo.is_empty(),",
        with: r#"Self::Rest { .. } => operation.todo.is_empty() || without("rest: nothing to do"),"#,
    },
    Place {
        file: OPERATION,
        find: "                operation.todo.remove(name);",
        with: r#"                if without("todo: its own name only") {
                    operation.todo.clear();
                }
                operation.todo.remove(name);"#,
    },
    Place {
        file: LOOK,
        // What asks for a guard is not known before the program runs.
        find: "pub const fn claim_allowed(",
        with: "pub fn claim_allowed(",
    },
    Place {
        file: LOOK,
        find: "    if !operation.materialised {",
        with: r#"    if !operation.materialised && !without("look: materialised") {"#,
    },
    Place {
        file: LOOK,
        find: "    } else if operation.cancel {",
        with: r#"    } else if operation.cancel && !without("look: cancel") {"#,
    },
    Place {
        file: LOOK,
        find: "    } else if operation.paused {",
        with: r#"    } else if operation.paused && !without("look: paused") {"#,
    },
    Place {
        file: LOOK,
        find: "if retryable && attempt < node.terms.attempts && !node.cancel && !node.is_over(not_before) {",
        with: r#"if retryable && (attempt < node.terms.attempts || without("retry: attempts left"))
        && (!node.cancel || without("retry: of nobody who was asked to stop"))
        && (!node.is_over(not_before) || without("retry: within the node's deadline")) {"#,
    },
    Place {
        file: LOOK,
        find: "NodeStatus::Ready if node.is_due(now) => Drive::Dispatch,",
        with: r#"NodeStatus::Ready if node.is_due(now) && !without("dispatch again") => Drive::Dispatch,"#,
    },
    Place {
        file: LOOK,
        find: "NodeStatus::Running if node.is_due(now) => Drive::Expire,",
        with: r#"NodeStatus::Running if node.is_due(now) && !without("expire a lease") => Drive::Expire,"#,
    },
    Place {
        file: ENGINE,
        find: "Applied::Refused(Some(node)) if update.is_mine(&node) =>",
        with: r#"Applied::Refused(Some(node)) if update.is_mine(&node) && !without("own writes are recognised") =>"#,
    },
    Place {
        file: "shared/orchestration/src/engine/drive.rs",
        find: "Applied::Done(node) if node.status.is_terminal() => {\n                self.send",
        with: r#"Applied::Done(node) if node.status.is_terminal() && !without("arrive: an ended node answers") => {
                self.send"#,
    },
    Place {
        file: "shared/orchestration/src/engine/drive.rs",
        find: "self.jitter(), node.lease_until);",
        with: r#"self.jitter(), node.lease_until.filter(|_| !without("expire: the lease as seen")));"#,
    },
    Place {
        file: "shared/orchestration/src/engine/begin.rs",
        find: "graph.seeds().filter(|seed| seed.unmet.is_empty());",
        with: r#"graph.seeds().filter(|seed| seed.unmet.is_empty() && !without("begin: drive the roots"));"#,
    },
    Place {
        file: "shared/orchestration/src/engine/begin.rs",
        find: "        if operation.cancel {\n            self.sweep_cancelled",
        with: r#"        if operation.cancel && !without("begin: look for a cancel") {
            self.sweep_cancelled"#,
    },
    Place {
        file: "shared/orchestration/src/engine/consequences.rs",
        find: "        work.close(key.clone(), node);",
        with: r#"        if without("close: after those told were driven") {
            work.extend(self.close(key.clone(), node).await?);
            return Ok(());
        }
        work.close(key.clone(), node);"#,
    },
    Place {
        file: "shared/orchestration/src/engine/segment.rs",
        find: "nodes.is_empty() || nodes.iter().any(|node| !node.status.is_terminal())",
        with: r#"nodes.is_empty() || nodes.iter().any(|node| !node.status.is_terminal() && !without("segment: every node ended"))"#,
    },
    Place {
        file: "shared/orchestration/src/engine/reconcile.rs",
        find: "operation.materialised && operation.open.is_empty()",
        with: r#"operation.materialised && operation.open.is_empty() && !without("check-in: no segment open")"#,
    },
    Place {
        file: "shared/orchestration/src/engine/reconcile.rs",
        find: "if left && !runs {",
        with: r#"if (left || without("check-in: a segment that ended by itself is not started anew"))
                && !runs && !without("check-in: revive a segment") {"#,
    },
    Place {
        file: "shared/orchestration/src/engine/attempt.rs",
        find: "node.deadline.map_or(until, |deadline| until.min(deadline + CLOCKS));",
        with: r#"node.deadline.filter(|_| !without("heartbeat: no lease beyond the deadline"))
            .map_or(until, |deadline| until.min(deadline + CLOCKS));"#,
    },
    Place {
        file: "shared/orchestration/src/jobs.rs",
        find: "if !lease::is_held(asked) {",
        with: r#"if !lease::is_held(asked) && !without("start: nobody works who heard too late that he may") {"#,
    },
    Place {
        file: "shared/orchestration/src/lease.rs",
        find: "if !is_held(asked) {",
        with: r#"if !is_held(asked) && !without("lease: its holder stops before it passes") {"#,
    },
    Place {
        file: "shared/orchestration/src/lease.rs",
        find: "timeout_at(asked + HELD, renew()).await",
        with: r#"timeout_at(asked + if without("lease: nobody waits for a heartbeat beyond it") { 100 * HELD } else { HELD }, renew()).await"#,
    },
    Place {
        file: "shared/orchestration/src/start.rs",
        find: "let lock = Write::Create(lock);",
        with: r#"let lock =
            if without("place: one active run of an identity") { Write::Upsert(lock) } else { Write::Create(lock) };"#,
    },
];
