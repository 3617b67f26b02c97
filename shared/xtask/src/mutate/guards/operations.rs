//! Guards of what is done with whole operations: the protocol's section 5

use super::{OPERATION, Place};

const BEGIN: &str = "shared/orchestration/src/engine/begin.rs";
const CANCEL: &str = "shared/orchestration/src/engine/cancel.rs";
const DRAFT: &str = "shared/orchestration/src/engine/patch/draft.rs";
const FINISH: &str = "shared/orchestration/src/engine/finish.rs";
const PATCH: &str = "shared/orchestration/src/engine/patch.rs";
const RECONCILE: &str = "shared/orchestration/src/engine/reconcile.rs";
const RETRY: &str = "shared/orchestration/src/scenario/retry.rs";
const SEGMENT: &str = "shared/orchestration/src/engine/segment.rs";

/// Every place with such a guard
pub(super) const PLACES: &[Place] = &[
    Place {
        file: BEGIN,
        find: "Applied::Done(operation) => self.send_root(&operation, &token).await.map(|_| ()),",
        with: r#"Applied::Done(_) if without("begin: an ended operation answers") => Ok(()),
            Applied::Done(operation) => self.send_root(&operation, &token).await.map(|_| ()),"#,
    },
    Place {
        file: BEGIN,
        find: "        self.put_nodes(operation, &graph).await?;",
        with: r#"        let late = without("begin: every node is there before it is materialised");
        if !late {
            self.put_nodes(operation, &graph).await?;
        }"#,
    },
    Place {
        file: BEGIN,
        find: "        // Every root, although its arrival drives it too",
        with: r#"        if late {
            self.put_nodes(&operation, &graph).await?;
        }
        // Every root, although its arrival drives it too"#,
    },
    Place {
        file: BEGIN,
        find: "        try_join!(self.start_segments(&seen, &graph), roots)?;",
        with: r#"        if without("begin: starts its segments") {
            roots.await?;
        } else {
            try_join!(self.start_segments(&seen, &graph), roots)?;
        }"#,
    },
    Place {
        file: SEGMENT,
        find: "if open.any(|node| node.terms.runs != Executor::Join) {",
        with: r#"if open.any(|node| node.terms.runs != Executor::Join) && !without("segment: once more while a node has not ended") {"#,
    },
    Place {
        file: SEGMENT,
        find: "next == SegmentNext::Again && round >= ROUNDS_MAX",
        with: r#"next == SegmentNext::Again && round >= ROUNDS_MAX && !without("segment: goes on in a new execution before its history is full")"#,
    },
    Place {
        file: SEGMENT,
        find: "Applied::Done(after) if after.open.is_empty() => self.finish(&after).await,",
        with: r#"Applied::Done(after) if after.open.is_empty() && !without("segment: the last one ends the operation") => self.finish(&after).await,"#,
    },
    Place {
        file: FINISH,
        find: "if self.end_root(&ended).await? {",
        with: r#"if self.end_root(&ended).await? || without("finish: what follows is done here where nobody waits for it") {"#,
    },
    Place {
        file: FINISH,
        find: "        if !operation.is_active() {\n            self.end_root(operation).await?;",
        with: r#"        if !operation.is_active() && !without("finish: done again, it tells the root execution first") {
            self.end_root(operation).await?;"#,
    },
    Place {
        file: CANCEL,
        find: "        if !operation.materialised {\n            return Ok(()); // begin",
        with: r#"        if !operation.materialised && !without("cancel: nobody is swept before all are there") {
            return Ok(()); // begin"#,
    },
    Place {
        file: CANCEL,
        find: "Applied::Refused(Some(now)) => node = now,",
        with: r#"Applied::Refused(Some(_)) if without("cancel: looks again at who has moved") => return Ok(()),
                Applied::Refused(Some(now)) => node = now,"#,
    },
    Place {
        file: RECONCILE,
        find: "|node: &NodeRun| node.status == NodeStatus::Pending ||",
        with: r#"|node: &NodeRun| (node.status == NodeStatus::Pending && !without("resume: drives who was held")) ||"#,
    },
    Place {
        file: RECONCILE,
        find: "            self.snooze(&operation, &name).await?;",
        with: r#"            self.snooze(&operation, &name).await?;
            let is_left = |todo: &str, missing: bool| missing && name.starts_with(todo);
            if is_left(TODO_BEGIN, without("todo: begin is done again"))
                || is_left(TODO_CANCEL, without("todo: cancel is done again"))
                || is_left(TODO_FINISH, without("todo: finish is done again"))
                || is_left(TODO_RESUME, without("todo: resume is done again"))
                || is_left(TODO_PATCH, without("todo: patch is done again"))
            {
                continue;
            }"#,
    },
    Place {
        file: RECONCILE,
        find: "                    self.start_root(scope, id).await?;",
        with: r#"                    if !without("todo: begin starts the root execution") {
                        self.start_root(scope, id).await?;
                    }"#,
    },
    Place {
        file: RECONCILE,
        find: "if info.deadline <= self.clock.now() && !operation.cancel {",
        with: r#"if info.deadline <= self.clock.now() && !operation.cancel && !without("deadline: of an operation") {"#,
    },
    Place {
        file: PATCH,
        find: "for ordinal in diff.touched() {",
        with: r#"for ordinal in diff.touched().filter(|_| !without("patch: drives whom it touched")) {"#,
    },
    Place {
        file: PATCH,
        find: "self.start_patched(operation, &after, sequence).await?;",
        with: r#"if !without("patch: starts its segments") {
            self.start_patched(operation, &after, sequence).await?;
        }"#,
    },
    Place {
        file: PATCH,
        find: "            admitted.into_iter().map(|(key, node)|",
        with: r#"            admitted.into_iter().filter(|_| !without("patch: drives whom it admitted")).map(|(key, node)|"#,
    },
    Place {
        file: "shared/domain/src/engine/patch.rs",
        find: "if moves.len() > TOUCHED_MAX {",
        with: r#"if moves.len() > TOUCHED_MAX && !without("patch: writes at most 96 nodes") {"#,
    },
    Place {
        file: DRAFT,
        find: "if found > TOUCHED_MAX {",
        with: r#"if found > TOUCHED_MAX && !without("patch: writes at most 96 nodes and gates") {"#,
    },
    Place {
        file: "shared/domain/src/plan/graph/order.rs",
        find: "    if !unmet.is_empty() {",
        with: r#"    if !unmet.is_empty() && !without("plan: nobody waits for himself") {"#,
    },
    Place {
        file: OPERATION,
        find: "Self::Reserve { .. } => active && !operation.cancel,",
        with: r#"Self::Reserve { .. } => {
                (active || without("reserve: active")) && (!operation.cancel || without("reserve: not cancelled"))
            }"#,
    },
    Place {
        file: RETRY,
        find: "=> return Err(RetryFailure::Active(id)),",
        with: r#"=> {
            if !without("retry an operation: it has ended") {
                return Err(RetryFailure::Active(id));
            }
        }"#,
    },
    Place {
        file: RETRY,
        find: "if failed.finished { Ok(()) }",
        with: r#"if failed.finished || without("retry an operation: what follows from its end is done") { Ok(()) }"#,
    },
    Place {
        file: RETRY,
        find: "if let Some(rollback) = rollback_id(&failed)\n",
        with: "if let Some(rollback) = rollback_id(&failed).filter(|_| !without(\"retry an operation: it was not taken back\"))\n",
    },
    Place {
        file: RETRY,
        find: "if let Some(parent) = &failed.info.parent {",
        with: r#"if let Some(parent) = failed.info.parent.as_ref().filter(|_| !without("retry an operation: it is run by no other one")) {"#,
    },
    Place {
        file: "shared/edge/src/idempotency.rs",
        find: "let expired = known.expires_at().is_some_and(|end| end <= call.now);",
        with: r#"let expired = known.expires_at().is_some_and(|end| end <= call.now) && !without("idempotency: for a day");"#,
    },
    Place {
        file: "shared/edge/src/idempotency.rs",
        find: "Err(_) => record.running_until = Millis(0),",
        with: r#"Err(_) if without("idempotency: what was refused may be asked again") => {}
        Err(_) => record.running_until = Millis(0),"#,
    },
    Place {
        file: "shared/edge/src/idempotency.rs",
        find: "let created_at = if expired { new.created_at } else { known.created_at };",
        with: r#"let created_at = if expired || without("idempotency: the same ids again") { new.created_at } else { known.created_at };"#,
    },
];
