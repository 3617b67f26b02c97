//! Random items and updates, the same for the same seed
//!
//! Items are as the engine can leave them: a pending node has no attempt, a ready one may start at some time,
//! attempts that ended are older than the current one. Updates fit their item about every other time.

use std::collections::{BTreeMap, BTreeSet};
use strum::VariantArray as _;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    engine::{
        Effective, NodePatch, NodeRun, NodeUpdate, Operation, OperationInfo, OperationUpdate, Past, Terms,
    },
    failure::FailureSummary,
    id::Id,
    operation::{OperationStatus, OperationType},
    plan::{Backoff, Executor, NodeStatus, NodeType, OnFailure},
    scope::Scope,
    time::Millis,
};

/// Texts that a careless mapping would trip over
const TEXTS: [&str; 5] = ["a", "ünï↯", "#st = :v0", "a b\n\"c\"", "req_01ARZ3NDEKTSV4RRFFQ69G5FAV"];

/// A source of chance (SplitMix64)
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Chance that begins with `seed`
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`
    pub fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.roll() % u64::from(end.max(1))).unwrap_or_default()
    }

    /// An id that nothing else has
    pub fn id<I: Id>(&mut self) -> I {
        I::new(i64::from(self.below(u32::MAX)), u128::from(self.roll()))
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 0
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flip().then(|| make(self))
    }

    fn pick<T: Clone>(&mut self, from: &[T], or: T) -> T {
        let index = self.below(u32::try_from(from.len()).unwrap_or(u32::MAX));
        usize::try_from(index).ok().and_then(|index| from.get(index)).cloned().unwrap_or(or)
    }

    fn text(&mut self) -> String {
        self.pick(&TEXTS, "a").to_owned()
    }

    /// From a small range, so that two times are often the same
    fn time(&mut self) -> Millis {
        Millis(1_700_000_000_000 + i64::from(self.below(4)))
    }

    fn numbers(&mut self) -> BTreeSet<u32> {
        (0..self.below(4)).map(|_| self.below(5)).collect()
    }

    fn texts(&mut self) -> BTreeSet<String> {
        (0..self.below(3)).map(|_| self.text()).collect()
    }

    fn failure(&mut self) -> FailureSummary {
        FailureSummary { code: self.text(), message: self.text(), reconciled: self.flip() }
    }

    /// `value` itself, or another about every third time
    fn near(&mut self, value: u32) -> u32 {
        if self.below(3) == 0 { value + 1 } else { value }
    }

    fn near_lease(&mut self, lease: Option<Millis>) -> Option<Millis> {
        match self.below(3) {
            0 => None,
            1 => lease,
            _ => Some(self.time()),
        }
    }

    fn near_status(&mut self, status: NodeStatus) -> NodeStatus {
        if self.below(3) == 0 { self.pick(NodeStatus::VARIANTS, status) } else { status }
    }

    /// What the engine knows of a node's contract
    pub fn terms(&mut self, runs: Executor) -> Terms {
        Terms {
            kind: self.pick(NodeType::VARIANTS, NodeType::Job),
            runs,
            on_failure: self.pick(OnFailure::VARIANTS, OnFailure::Fail),
            attempts: self.below(4),
            timeout_s: self.below(1_000),
            backoff: Backoff::default(),
            deadline_s: self.maybe(|dice| dice.below(1_000)),
        }
    }

    /// A node run in `status`, with the number 1
    pub fn node(&mut self, status: NodeStatus) -> NodeRun {
        let agent = "target.staging.stg-1".parse().map_or(Executor::Job, Executor::Agent);
        let runs = self.pick(&[Executor::Decide, Executor::Job, Executor::Join], agent);
        let terms = self.terms(runs);
        let fresh = NodeRun::new(1, 0, terms, self.numbers(), self.numbers());
        let attempt = match status {
            NodeStatus::Pending => 0,
            NodeStatus::Skipped | NodeStatus::Succeeded => self.below(4),
            NodeStatus::Ready | NodeStatus::Running | NodeStatus::Waiting | NodeStatus::Failed => {
                1 + self.below(3)
            }
        };
        let node = NodeRun {
            status,
            out_ver: self.below(3),
            tokens: self.texts(),
            attempt,
            wake: self.maybe(Self::time),
            error: self.maybe(Self::failure),
            expires_at: self.maybe(|dice| Millis::from_secs(i64::from(dice.below(4)))),
            ..fresh
        };
        if attempt == 0 { node } else { self.begun(node) }
    }

    /// `node`, which has an attempt, with what attempts leave behind
    fn begun(&mut self, node: NodeRun) -> NodeRun {
        let ended = (1..node.attempt).filter(|_| self.flip()).collect::<Vec<_>>();
        let past = |dice: &mut Self, attempt| Past {
            attempt,
            started_at: dice.maybe(Self::time),
            ended_at: dice.time(),
            error: dice.failure(),
        };
        let is_ready = node.status == NodeStatus::Ready;
        NodeRun {
            lease_until: self.maybe(Self::time),
            not_before: if is_ready { Some(self.time()) } else { self.maybe(Self::time) },
            deadline: self.maybe(Self::time),
            ends_by: self.maybe(Self::time),
            inputs_from: self.maybe(Self::id),
            claim_id: self.maybe(Self::text),
            result_id: self.maybe(Self::text),
            holder: self.maybe(Self::text),
            cancel: self.flip(),
            closed: self.flip(),
            ready_at: self.maybe(Self::time),
            started_at: if is_ready { None } else { self.maybe(Self::time) },
            finished_at: self.maybe(Self::time),
            past: ended.into_iter().map(|attempt| past(self, attempt)).collect(),
            ..node
        }
    }

    /// One update of every kind, made for `node`
    pub fn node_updates(&mut self, node: &NodeRun) -> Vec<NodeUpdate> {
        let mut attempt = || self.near(node.attempt);
        let attempts = [(); 10].map(|()| attempt());
        let [start, heartbeat, wait, snooze, retry, complete, idle, running, suspend, again] = attempts;
        let [now, wake, not_before] = [(); 3].map(|()| self.time());
        let [lease_until, deadline] = [(); 2].map(|()| self.time());
        let seen = self.near_status(node.status);
        let status = self.pick(&[NodeStatus::Succeeded, NodeStatus::Failed], NodeStatus::Skipped);
        let error = self.failure();
        vec![
            NodeUpdate::Arrive { token: self.text() },
            NodeUpdate::Claim { claim_id: self.text(), now, wake, ends_by: self.maybe(Self::time) },
            NodeUpdate::Pass { claim_id: self.text(), now },
            NodeUpdate::Start { attempt: start, holder: self.text(), now, lease_until, deadline },
            NodeUpdate::Heartbeat { attempt: heartbeat, lease_until },
            NodeUpdate::Wait { attempt: wait, now, wake },
            NodeUpdate::Suspend {
                attempt: suspend,
                wake,
                error: error.clone(),
                lease_seen: self.near_lease(node.lease_until),
            },
            NodeUpdate::Again {
                attempt: again,
                now,
                wake,
                error: error.clone(),
                inputs_from: self.maybe(Self::id),
                ends_by: self.maybe(Self::time),
            },
            NodeUpdate::Snooze { seen, attempt: snooze, wake },
            NodeUpdate::Retry {
                attempt: retry,
                now,
                not_before,
                wake,
                error: error.clone(),
                lease_seen: self.near_lease(node.lease_until),
            },
            NodeUpdate::Complete {
                attempt: complete,
                status,
                result_id: self.text(),
                now,
                error: self.maybe(Self::failure),
                lease_seen: self.near_lease(node.lease_until),
            },
            NodeUpdate::Tell { from: self.below(5) },
            NodeUpdate::Skip { now, error: error.clone() },
            NodeUpdate::CancelIdle { seen, attempt: idle, now, error },
            NodeUpdate::CancelRunning { attempt: running, wake },
            NodeUpdate::Close { out_ver: self.near(node.out_ver) },
        ]
        .into_iter()
        .chain(self.node_patches(node, now))
        .collect()
    }

    fn node_patches(&mut self, node: &NodeRun, now: Millis) -> [NodeUpdate; 5] {
        let seen = if self.below(3) == 0 { self.numbers() } else { node.unmet.clone() };
        let terms = self.maybe(|dice| Box::new(dice.terms(node.terms.runs.clone())));
        let rewire = NodePatch::Rewire { seen, unmet: self.numbers(), out: self.numbers(), terms };
        let link = NodePatch::Link { out: self.numbers() };
        let reopen = NodePatch::Reopen { out: self.numbers(), now };
        let remove = NodePatch::Remove { now, error: self.failure() };
        [rewire, link, reopen, remove, NodePatch::Admit].map(NodeUpdate::Patch)
    }

    /// An operation of `scope` as it is created
    pub fn operation(&mut self, scope: &Scope) -> Operation {
        let created_at = self.time();
        Operation::new(OperationInfo {
            operation_id: self.id(),
            scope: scope.clone(),
            operation_type: self.pick(OperationType::VARIANTS, OperationType::Promote),
            plan_id: self.id(),
            intent_id: self.id(),
            graph_hash: Digest::of_bytes(&self.roll().to_be_bytes()),
            nodes: self.below(100),
            segments: self.below(4),
            run_identity_hash: Digest::of_bytes(&self.roll().to_be_bytes()),
            actor: Actor::system("contract"),
            title: self.text(),
            created_at,
            deadline: self.time(),
            promotion_id: self.maybe(Self::id),
            release_id: self.maybe(Self::id),
            environment: self.maybe(Self::text),
            rollback_of: self.maybe(Self::id),
            retry_of: self.maybe(Self::id),
            parent: None,
            exclusive: BTreeSet::new(),
            context: BTreeMap::from([(self.text(), self.text())]),
        })
    }

    fn effective(&mut self) -> Effective {
        let graph_hash = Digest::of_bytes(&self.roll().to_be_bytes());
        Effective { graph_hash, nodes: self.below(100), segments: self.numbers() }
    }

    /// An operation of `scope` in `status`
    pub fn operation_in(&mut self, scope: &Scope, status: OperationStatus) -> Operation {
        Operation {
            status,
            paused: self.flip(),
            paused_by: self.maybe(Self::text),
            paused_at: self.maybe(Self::time),
            cancel: self.flip(),
            cancelled_by: self.maybe(Self::text),
            cancelled_because: self.maybe(Self::text),
            materialised: self.flip(),
            open: if self.flip() { BTreeSet::new() } else { self.numbers() },
            patch_seq: self.below(3),
            reserved: self.below(3),
            effective: self.maybe(Self::effective),
            revivals: self.below(3),
            tokens: self.texts(),
            todo: self.texts(),
            finished: self.flip(),
            wake: self.maybe(Self::time),
            started_at: self.maybe(Self::time),
            completed_at: self.maybe(Self::time),
            failure_summary: self.maybe(Self::failure),
            summary_counts: BTreeMap::from([(self.text(), u64::from(self.below(9)))]),
            ..self.operation(scope)
        }
    }

    /// One update of every kind, made for `operation`
    pub fn operation_updates(&mut self, operation: &Operation) -> Vec<OperationUpdate> {
        let [now, wake] = [(); 2].map(|()| self.time());
        vec![
            OperationUpdate::Arrive { token: self.text() },
            OperationUpdate::Materialise { now },
            OperationUpdate::AddTodo { name: self.text(), wake },
            OperationUpdate::RemoveTodo { name: self.text() },
            OperationUpdate::Rest { wake: self.maybe(Self::time) },
            OperationUpdate::CloseSegment { segment: self.below(5) },
            OperationUpdate::Revive { seen: self.near(operation.revivals) },
            OperationUpdate::Finish {
                status: self
                    .pick(&[OperationStatus::Succeeded, OperationStatus::Cancelled], OperationStatus::Failed),
                now,
                wake,
                failure_summary: self.maybe(Self::failure),
                summary_counts: (0..self.below(3))
                    .map(|count| (format!("count_{count}"), u64::MAX))
                    .collect(),
            },
            OperationUpdate::Finished,
            OperationUpdate::Cancel { by: self.text(), why: self.maybe(Self::text), wake },
            OperationUpdate::Pause { by: self.text(), now },
            OperationUpdate::Resume { id: self.text(), wake },
            OperationUpdate::Reserve { segments: 1 + self.below(3) },
            OperationUpdate::Patch {
                seen: self.near(operation.patch_seq),
                effective: self.effective(),
                open: self.numbers(),
                wake,
            },
        ]
    }
}
