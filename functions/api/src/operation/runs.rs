//! The run ledger: operations and passes of housekeeping in one list, in the words of requirement 003

use super::{brief, view::was_reconciled};
use crate::pages::{Listed, fill};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use weir_domain::{
    actor::{Actor, ActorKind},
    engine::Operation,
    id::OperationId,
    operation::{
        Freshness, OperationStatus, OperationType, ReconcilePass, RunOutcome, RunStatus, count_keys,
    },
    sanitise::sanitise,
    scope::Scope,
    time::Millis,
};
use weir_edge::{
    Cx, Problem,
    wire::{operation::OperationView, operation_run::OperationRun, page::Page},
};
use weir_store::{Entity as _, Key, Query};

/// Which runs are wanted; an empty list wants all
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub statuses: Vec<RunStatus>,
    pub outcomes: Vec<RunOutcome>,
    pub types: Vec<OperationType>,
    pub freshness: Vec<Freshness>,
    pub reconciled: Option<bool>,
}

/// One entry of the ledger as it is stored
enum Found {
    Operation(Box<Operation>),
    Pass(Box<ReconcilePass>),
}

impl Found {
    fn id(&self) -> OperationId {
        match self {
            Self::Operation(operation) => operation.info.operation_id,
            Self::Pass(pass) => pass.id,
        }
    }

    fn operation_type(&self) -> OperationType {
        match self {
            Self::Operation(operation) => operation.info.operation_type,
            Self::Pass(_) => OperationType::ReconcileAdapterRuns,
        }
    }

    async fn view(&self, cx: &Cx, scope: &Scope, now: Millis) -> Result<OperationRun, Problem> {
        match self {
            Self::Operation(operation) => of_operation(cx, operation, now).await,
            Self::Pass(pass) => Ok(of_pass(pass, scope, now)),
        }
    }
}

impl Wanted {
    /// The stored statuses in which a wanted run can be: what is not among them is not even read
    fn stored(&self) -> BTreeSet<OperationStatus> {
        use OperationStatus as S;
        let active = || vec![S::Created, S::Queued, S::Running];
        let failed = || vec![S::Failed, S::Cancelled, S::RolledBack];
        // What housekeeping finds has failed, or is cancelled by it.
        let reconciled = || vec![S::Failed, S::Cancelled];
        let ended = || [vec![S::Succeeded], failed()].concat();
        let all = [active(), ended()].concat().into_iter().collect();
        let either = |sets: Vec<Vec<S>>| sets.concat().into_iter().collect::<BTreeSet<_>>();
        let mut sets: Vec<BTreeSet<S>> = vec![all];
        if !self.statuses.is_empty() {
            let of = |status: &RunStatus| match status {
                RunStatus::Queued | RunStatus::Running => active(),
                RunStatus::Completed => ended(),
            };
            sets.push(either(self.statuses.iter().map(of).collect()));
        }
        if !self.outcomes.is_empty() {
            let of = |outcome: &RunOutcome| match outcome {
                RunOutcome::Pending => active(),
                RunOutcome::Succeeded => vec![S::Succeeded],
                RunOutcome::Failed => failed(),
            };
            sets.push(either(self.outcomes.iter().map(of).collect()));
        }
        if !self.freshness.is_empty() {
            let of = |freshness: &Freshness| match freshness {
                Freshness::FreshActive | Freshness::LikelyStale => active(),
                Freshness::ReconciledFailed => reconciled(),
                Freshness::Terminal => ended(),
            };
            sets.push(either(self.freshness.iter().map(of).collect()));
        }
        if self.reconciled == Some(true) {
            sets.push(reconciled().into_iter().collect());
        }
        sets.into_iter().reduce(|a, b| &a & &b).unwrap_or_default()
    }

    fn wants_type(&self, operation_type: OperationType) -> bool {
        self.types.is_empty() || self.types.contains(&operation_type)
    }

    fn wants(&self, run: &OperationRun) -> bool {
        let any = |empty: bool, found: bool| empty || found;
        any(self.statuses.is_empty(), self.statuses.contains(&run.status))
            && any(self.outcomes.is_empty(), self.outcomes.contains(&run.outcome))
            && any(self.freshness.is_empty(), self.freshness.contains(&run.freshness))
            && self.reconciled.is_none_or(|wanted| wanted == run.reconciled)
    }
}

/// One page of the runs of `scope`, the newest first
pub(super) async fn page(
    cx: &Cx,
    scope: &Scope,
    wanted: &Wanted,
    cursor: Option<String>,
    limit: usize,
    now: Millis,
) -> Result<Page<OperationRun>, Problem> {
    let stored: Vec<_> = wanted.stored().into_iter().collect();
    if stored.is_empty() {
        return Ok(Page { items: Vec::new(), next_cursor: None });
    }
    fill(cx, &Runs { cx, scope, wanted, stored, now }, cursor, limit).await
}

/// The runs of `scope`
struct Runs<'a> {
    cx: &'a Cx,
    scope: &'a Scope,
    wanted: &'a Wanted,
    stored: Vec<OperationStatus>,
    now: Millis,
}

impl Listed for Runs<'_> {
    type Found = Found;
    type Item = OperationRun;

    async fn look(&self, after: Option<&str>, limit: usize) -> Result<(Vec<Found>, Option<String>), Problem> {
        look(self.cx, self.scope, self.wanted, &self.stored, after, limit).await
    }

    fn cursor(&self, found: &Found) -> String {
        found.id().to_string()
    }

    async fn item(&self, found: &Found) -> Result<Option<OperationRun>, Problem> {
        if !self.wanted.wants_type(found.operation_type()) {
            return Ok(None);
        }
        let view = found.view(self.cx, self.scope, self.now).await?;
        Ok(Some(view).filter(|view| self.wanted.wants(view)))
    }
}

/// At most `limit` entries of each kind after the cursor, merged, and where the next look begins
///
/// Cursors are ids, so both kinds have the same; what one of the two was not read down to is left for the next look.
async fn look(
    cx: &Cx,
    scope: &Scope,
    wanted: &Wanted,
    stored: &[OperationStatus],
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<Found>, Option<String>), Problem> {
    let (mut found, mut ends): (Vec<Found>, Vec<String>) = (Vec::new(), Vec::new());
    let only_passes = wanted.types.iter().all(|it| *it == OperationType::ReconcileAdapterRuns);
    if wanted.types.is_empty() || !only_passes {
        let (operations, next) = cx.table().operations(scope, stored, after, limit).await?;
        found.extend(operations.into_iter().map(|operation| Found::Operation(Box::new(operation))));
        ends.extend(next);
    }
    if scope.tenant.is_none() && wanted.wants_type(OperationType::ReconcileAdapterRuns) {
        let lists = stored.iter().map(|status| Key::list(scope, ReconcilePass::KIND, status.as_str()));
        let query = Query::Lists(lists.collect());
        let (passes, next) = cx.table().list::<ReconcilePass>(&query, after, limit).await?;
        found.extend(passes.into_iter().map(|pass| Found::Pass(Box::new(pass))));
        ends.extend(next);
    }
    let end = ends.into_iter().max();
    found.retain(|run| end.as_ref().is_none_or(|end| run.id().to_string() >= *end));
    found.sort_by_key(|run| std::cmp::Reverse(run.id()));
    Ok((found, end))
}

/// An operation in the ledger's words
pub(super) async fn of_operation(
    cx: &Cx,
    operation: &Operation,
    now: Millis,
) -> Result<OperationRun, Problem> {
    let ended_badly = matches!(operation.status, OperationStatus::Failed | OperationStatus::Cancelled);
    let reconciled = ended_badly && was_reconciled(operation);
    let view = brief(cx, operation, now).await?;
    let is_active = operation.is_active();
    // One that was asked to end shows that at once, and runs until its last node has stopped.
    let ending = is_active && view.run_status == RunStatus::Completed;
    let counts = count_keys(view.operation_type)
        .map(|key| (key.to_owned(), operation.summary_counts.get(key).copied().unwrap_or_default()));
    Ok(OperationRun {
        id: view.operation_id,
        workspace_id: view.workspace_id.clone(),
        tenant_id: view.tenant_id.clone(),
        user_id: person(&view.actor),
        initiator_name: view.initiator_name.clone(),
        operation_type: view.operation_type,
        status: if ending { RunStatus::Running } else { view.run_status },
        outcome: if ending { RunOutcome::Pending } else { view.outcome },
        freshness: if ending { Freshness::FreshActive } else { view.freshness },
        reconciled,
        run_identity_hash: view.run_identity_hash.clone(),
        summary_counts: if is_active { Default::default() } else { counts.collect() },
        failure_summary: view.failure_summary.clone().into_iter().collect(),
        created_at: view.created_at,
        updated_at: view.updated_at,
        started_at: view.started_at,
        completed_at: view.completed_at,
        repairs: Vec::new(),
        context: context(operation, &view),
    })
}

/// What an operation is about
fn context(operation: &Operation, view: &OperationView) -> Map<String, Value> {
    let info = &operation.info;
    let parent = info.parent.map(|parent| parent.operation);
    let known = [
        ("title", json!(sanitise(&view.title))),
        ("plan_id", json!(view.plan_id)),
        ("intent_id", json!(view.intent_id)),
        ("promotion_id", json!(view.promotion_id)),
        ("release_id", json!(view.release_id)),
        ("environment", json!(view.environment)),
        ("rollback_of", json!(view.rollback_of)),
        ("parent_operation_id", json!(parent)),
    ];
    let known = known.into_iter().filter(|(_, value)| !value.is_null());
    let said = info.context.iter().map(|(key, value)| (key.clone(), json!(sanitise(value))));
    known.map(|(key, value)| (key.to_owned(), value)).chain(said).collect()
}

/// A pass of housekeeping in the ledger's words, without what it found
pub(super) fn of_pass(pass: &ReconcilePass, scope: &Scope, now: Millis) -> OperationRun {
    let freshness = pass.freshness(now);
    let context = json!({ "title": "housekeeping", "repairs_unlisted": pass.unlisted });
    OperationRun {
        id: pass.id,
        workspace_id: scope.workspace.clone(),
        tenant_id: None,
        user_id: person(&pass.actor),
        initiator_name: pass.actor.id.clone(),
        operation_type: OperationType::ReconcileAdapterRuns,
        status: pass.status.run_status(),
        outcome: pass.outcome(),
        freshness,
        reconciled: freshness == Freshness::ReconciledFailed,
        run_identity_hash: pass.run_identity_hash.clone(),
        summary_counts: pass.summary_counts.clone(),
        failure_summary: pass.failure_summary.clone().into_iter().collect(),
        context: context.as_object().cloned().unwrap_or_default(),
        created_at: pass.started_at,
        updated_at: pass.completed_at.unwrap_or(pass.started_at),
        started_at: Some(pass.started_at),
        completed_at: pass.completed_at,
        repairs: Vec::new(),
    }
}

fn person(actor: &Actor) -> Option<String> {
    match actor.kind {
        ActorKind::User | ActorKind::AiAgent => Some(actor.person().to_owned()),
        ActorKind::Service | ActorKind::System => actor.on_behalf_of.clone(),
    }
}
