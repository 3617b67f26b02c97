//! A plan of 200 nodes on the running stack, with everything that can go wrong while it runs
//!
//! Real agents run real commands, of which each writes down what it did; a real server counts the calls that it got.
//! One agent is killed, one report comes twice, one dispatch is lost, the plan is patched on the way, and one node fails
//! for good: what is left of the operation is then retried. Another operation is paused, resumed and cancelled.

mod definition;
mod effects;
mod hand;
mod pace;
mod queue;
mod server;

use crate::{
    definition::{apply, ended},
    forty::states_entered,
    rig::Rig,
};
use definition::{HAND, LANES, NODES, SIDE};
use effects::{Attempt, Effects};
use hand::Hand;
use queue::Jobs;
use serde_json::json;
use server::Server;
use std::{collections::BTreeMap, time::Duration};
use weir_client::api::{Client, IdempotencyKey};
use weir_domain::{
    engine::NodeRun,
    gate::DecisionAction,
    id::{OperationId, TaskId},
    operation::{Held, OperationStatus},
    plan::{
        Executor, Graph, NodeStatus, PlanStatus,
        graph::SEGMENT_MAX,
        patch::{PatchRecord, replay},
    },
};
use weir_edge::wire::{
    gate::GateDecide,
    intent::{IntentConstraints, IntentCreate},
    operation::{NodeView, OperationCancel, OperationHold, OperationRetry, OperationView},
    patch::PatchCreate,
    plan::PlanView,
};
use weir_local::{
    agents::{Agents, stop_recorded},
    process,
    progress::Progress,
    story,
    story::wait::until,
};
use weir_store::Table as _;

/// How long anything here may take: on LocalStack 200 nodes take minutes
const LIMIT: Duration = Duration::from_secs(900);

/// Everything that takes part
struct Fleet<'a> {
    rig: &'a Rig,
    alice: Client,
    bob: Client,
    effects: Effects,
    server: Server,
    agents: Agents,
    hand: Hand,
}

pub async fn nodes_survive_everything(rig: &Rig) {
    let mut fleet = Fleet::gather(rig).await;
    let run = fleet.run("sail").await;
    assert_eq!((run.plan.graph.len(), run.plan.plan.status), (NODES, PlanStatus::Ready));
    fleet.all_have_entered(&run).await;
    fleet.approve(run.id, "guard.approval").await;
    fleet.kill_an_agent(&run).await;
    fleet.report_twice().await;
    fleet.lose_a_dispatch(&run).await;
    let patch = fleet.patch(&run).await;
    let failed = fleet.ended(run.id).await;
    pace::say(&run.plan, &failed);
    fleet.all_is_as_it_should_be(&run, &failed, &patch).await;
    fleet.retry(run.id).await;
    fleet.hold_and_cancel().await;
}

/// An operation, and the plan that it began with
struct Run {
    plan: PlanView,
    graph: Graph,
    id: OperationId,
}

impl Run {
    fn ordinal(&self, node: &str) -> u32 {
        self.graph.ordinal_of(&node.parse().unwrap()).unwrap_or_else(|| panic!("there is no node `{node}`"))
    }

    /// A step's ordinal on each lane
    fn lanes(&self, step: &str) -> Vec<u32> {
        LANES.iter().map(|lane| self.ordinal(&format!("{step}.{lane}"))).collect()
    }
}

impl<'a> Fleet<'a> {
    async fn gather(rig: &'a Rig) -> Self {
        let (server, effects) = (Server::start().await, Effects::new());
        let files =
            [("wide.yaml", crate::forty::definition()), ("fleet.yaml", definition::text(&server.url))];
        apply(rig, &files).await;
        let (alice, bob) = (rig.person("alice"), rig.person("bob"));
        let mut place = story::place(&rig.stack).unwrap();
        place.arguments = effects.arguments();
        // Those of the story have nothing to do any more, and ask for it all the same: a third of all calls to a table
        // that has one thread.
        stop_recorded(&place.state).await;
        let address = |name: &&str| format!("target.fleet.{name}").parse().unwrap();
        let targets: Vec<_> = LANES.iter().chain([&SIDE]).map(address).collect();
        let agents = Agents::start(place, &alice, &targets).await.unwrap();
        let hand = Hand::register(rig, &alice).await;
        Self { rig, alice, bob, effects, server, agents, hand }
    }

    /// Plans what `action` does to the fleet, and runs the plan
    async fn run(&self, action: &str) -> Run {
        let body = IntentCreate {
            action: action.to_owned(),
            target_resource_type: None,
            target_resource_id: "environment.fleet".parse().unwrap(),
            scenario: None,
            inputs: serde_json::Map::new(),
            desired_result: serde_json::Map::new(),
            constraints: IntentConstraints::default(),
            customizations: BTreeMap::new(),
        };
        let intent = self.alice.intent_create(&body, &IdempotencyKey::random()).await.unwrap();
        let plan = self.alice.plan_show(intent.plan_id.unwrap()).await.unwrap();
        let started = self.alice.plan_run(plan.plan.plan_id, &IdempotencyKey::random()).await.unwrap();
        let graph = Graph::new(plan.graph.clone()).unwrap();
        Run { plan, graph, id: started.operation_id }
    }

    /// The states of all nodes are entered before anybody agrees: people take longer than that
    async fn all_have_entered(&self, run: &Run) {
        let table = self.rig.table();
        let scope = "harbor/acme".parse().unwrap();
        let look = || async {
            for segment in 0..u32::try_from(NODES.div_ceil(SEGMENT_MAX)).unwrap() {
                let nodes = table.nodes(&scope, run.id, segment).await.unwrap();
                let waits = |node: &NodeRun| node.terms.runs != Executor::Join && node.tokens.is_empty();
                if nodes.is_empty() || nodes.iter().any(waits) {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    return Ok(None);
                }
            }
            Ok(Some(()))
        };
        until("the states of all nodes", LIMIT, look).await.unwrap();
    }

    async fn ended(&self, id: OperationId) -> OperationView {
        ended(self.rig, "harbor/acme", &self.alice, id, LIMIT).await
    }

    /// Bob opens the gate of `node`, once it asks
    async fn approve(&self, id: OperationId, node: &str) {
        let asks = || async {
            let gates = self.bob.gate_list(&[]).await.unwrap().items;
            let own = gates.iter().find(|it| it.operation_id == id && it.node_id.as_str() == node);
            Ok(own.map(|gate| gate.gate_id))
        };
        let gate = until("a gate that asks", LIMIT, asks).await.unwrap();
        let comment = Some("looked at".to_owned());
        let body = GateDecide { action: DecisionAction::Approved, comment, closure_hash: None };
        self.bob.gate_decide(gate, &body, &IdempotencyKey::random()).await.unwrap();
    }

    /// What the first attempts at these nodes have left behind, once `as_wanted` holds for each of them
    async fn traces(&self, run: &Run, nodes: &[u32], as_wanted: fn(&Attempt) -> bool) -> Vec<Attempt> {
        let look = || async {
            let effects = self.effects.of(run.id);
            let first = |node: &u32| effects.get(&(*node, 1)).filter(|it| as_wanted(it)).cloned();
            Ok(nodes.iter().map(first).collect::<Option<Vec<_>>>())
        };
        until("the traces of commands", LIMIT, look).await.unwrap()
    }

    /// The agent dies while its command runs; the next one in its folder ends that, and does it again
    async fn kill_an_agent(&mut self, run: &Run) {
        let begun = self.traces(run, &[run.ordinal("side-1")], |it| it.begun == 1).await;
        let command = begun[0].pid;
        assert!(self.agents.kill(SIDE).await);
        assert!(process::exists(command), "a command outlives its agent until the next one comes");
        self.agents.restart(SIDE).unwrap();
        let gone = || async { Ok((!process::exists(command)).then_some(())) };
        until("the end of what the killed agent has left", LIMIT, gone).await.unwrap();
    }

    /// The second report is the first one once more; a third one says something else, and changes nothing
    async fn report_twice(&self) {
        let task = self.hand.claim(LIMIT).await;
        for _ in 0..2 {
            assert!(self.hand.report(&task, None).await.unwrap().accepted);
        }
        let other = self.hand.report(&task, Some("it did not work")).await.unwrap_err();
        assert_eq!(other.status(), Some(409), "{other}");
        let next = self.hand.claim(LIMIT).await;
        assert!(self.hand.report(&next, None).await.unwrap().accepted);
    }

    /// The message that dispatches a node is gone before any worker has seen it
    async fn lose_a_dispatch(&self, run: &Run) {
        let jobs = Jobs::of(self.rig).await;
        jobs.deliver(false).await;
        self.approve(run.id, "go").await;
        jobs.lose(TaskId { operation: run.id, ordinal: run.ordinal("lost") }).await;
        jobs.deliver(true).await;
    }

    /// On the way, a call is added, one is removed, one goes elsewhere; who had agreed is asked again
    async fn patch(&self, run: &Run) -> PatchRecord {
        self.traces(run, &run.lanes("step-20"), |it| it.ended == 1).await;
        let contract = |path: &str| {
            json!({ "capability": "http.call", "timeout_s": 30, "attempts": 3,
                "inputs": { "url": format!("{}/{path}", self.server.url) } })
        };
        let changes = json!({
            "added": [{ "node_id": "added", "type": "job", "title": "Added", "runs": "job",
                "depends_on": ["changed"], "job_contract": contract("added") }],
            "removed": ["spare"],
            "rewired": [{ "node_id": "arrive", "wait_for": ["added"] }],
            "changed": [{ "node_id": "changed", "job_contract": contract("after") }],
        });
        let changes = serde_json::from_value(changes).unwrap();
        let body = PatchCreate { reason: "call somebody else".to_owned(), changes };
        let patch = self.alice.patch_create(run.id, &body, &IdempotencyKey::random()).await.unwrap();
        let voided: Vec<_> = patch.voided.iter().map(|node| node.as_str()).collect();
        assert_eq!(voided, ["guard.approval"]);
        self.approve(run.id, "guard.approval.p1").await;
        patch
    }

    async fn all_is_as_it_should_be(&self, run: &Run, failed: &OperationView, patch: &PatchRecord) {
        assert_eq!(failed.status, OperationStatus::Failed, "{:?}", failed.failure_summary);
        let failure = failed.failure_summary.as_ref().unwrap();
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            ("command_failed", "`work` exited with 1")
        );
        for node in &failed.nodes {
            let expected = match node.node_id.as_str() {
                "fragile" => NodeStatus::Failed,
                "after-1" | "after-2" | "spare" => NodeStatus::Skipped,
                _ => NodeStatus::Succeeded,
            };
            assert_eq!(node.status, expected, "{}: {:?}", node.node_id, node.error);
        }
        assert!(found(failed, "side-1").attempt > 1, "its first attempt was cut off");
        self.each_attempt_was_made_once(failed);
        self.calls_came_once(failed);
        self.logs_say_so(failed).await;
        assert!(!failed.evidence_ids.is_empty());
        // What ran in the end follows from the plan and its one patch.
        let whole = self.alice.patch_show(run.id, patch.patch_id).await.unwrap();
        assert_eq!(replay(&run.graph, &[whole]).unwrap().1, patch.effective_hash);
        let entered = states_entered(self.rig, run.id).await;
        let segments = NODES.div_ceil(SEGMENT_MAX) + 1;
        let (nodes, most) = (failed.nodes.len(), failed.nodes.len() + 4 * segments + 3);
        let total: usize = entered.values().sum();
        assert!((nodes..=most).contains(&total), "{nodes} nodes cost {total} states: {entered:#?}");
        Progress::stderr().say(&format!("  {nodes} nodes entered {total} states of at most {most}"));
    }

    /// No attempt began twice, and the last one of each node that succeeded ended, and no other one
    fn each_attempt_was_made_once(&self, operation: &OperationView) {
        let effects = self.effects.of(operation.operation_id);
        assert!(effects.values().all(|did| did.begun == 1), "{effects:?}");
        let on_agents =
            |node: &&NodeView| matches!(&node.runs, Executor::Agent(it) if !it.as_str().ends_with(HAND));
        let mut ended = 0;
        for node in operation.nodes.iter().filter(on_agents).filter(|it| it.status == NodeStatus::Succeeded) {
            assert_eq!(effects[&(node.ordinal, node.attempt)].ended, 1, "{}", node.node_id);
            ended += 1;
        }
        assert_eq!(effects.values().map(|did| did.ended).sum::<usize>(), ended, "{effects:?}");
    }

    /// Every call came under one key, that of the attempt that succeeded; what was patched away was never called
    fn calls_came_once(&self, operation: &OperationView) {
        let key = |node: &str| {
            let node = found(operation, node);
            vec![format!("{}/{}/{}", operation.operation_id, node.ordinal, node.attempt)]
        };
        let expected =
            [("/added", "added"), ("/after", "changed"), ("/arrived", "arrive"), ("/lost", "lost")];
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(path, node)| (path.to_owned(), key(node))).collect();
        assert_eq!(self.server.calls(), expected);
    }

    /// The logs in the bucket are those of the attempts
    async fn logs_say_so(&self, operation: &OperationView) {
        let ledger = self.rig.ledger();
        for (node, says) in [
            ("step-90.lane-2", "works for 1 s"),
            ("side-1", "works for 1 s"),
            ("fragile", "repaired is not there"),
            ("hand-1", "done by hand"),
            ("lost", "/lost"),
        ] {
            let node = found(operation, node);
            let log = ledger.log_get(operation.operation_id, node.ordinal, node.attempt).await.unwrap();
            let log = log.unwrap_or_else(|| panic!("{} has no log", node.node_id));
            assert!(log.contains(says), "{}: {log}", node.node_id);
        }
    }

    /// Somebody repairs what was broken: what is left runs again, behind the gate that it ran behind
    async fn retry(&self, failed: OperationId) {
        self.effects.put("repaired");
        let body = OperationRetry { reason: Some("repaired".to_owned()) };
        let again = self.alice.operation_retry(failed, &body, &IdempotencyKey::random()).await.unwrap();
        assert_eq!(again.retry_of, Some(failed));
        self.approve(again.operation_id, "guard.approval").await;
        let ended = self.ended(again.operation_id).await;
        assert_eq!(ended.status, OperationStatus::Succeeded, "{:?}", ended.failure_summary);
        let names: Vec<_> = ended.nodes.iter().map(|node| node.node_id.as_str()).collect();
        assert_eq!(names, ["guard.approval", "guard.freeze", "fragile", "after-1", "after-2"]);
        self.each_attempt_was_made_once(&ended);
    }

    /// What is paused begins nothing more; what is cancelled stops what runs
    async fn hold_and_cancel(&self) {
        let run = self.run("drill").await;
        self.traces(&run, &run.lanes("first"), |it| it.begun == 1).await;
        let body = OperationHold { reason: Some("a look".to_owned()) };
        self.alice.operation_pause(run.id, &body, &IdempotencyKey::random()).await.unwrap();
        self.effects.put("released");
        let over = || async {
            let it = self.alice.operation_show(run.id).await.unwrap();
            Ok(each(&it, "first", NodeStatus::Succeeded).then_some(it))
        };
        let held = until("the end of what ran", LIMIT, over).await.unwrap();
        assert_eq!((held.status, held.paused_by.as_deref()), (OperationStatus::Paused, Some("alice")));
        assert!(each(&held, "endless", NodeStatus::Pending), "{:?}", held.nodes);
        let explained = self.alice.operation_explain(run.id).await.unwrap();
        assert!(matches!(explained.held, Some(Held::Paused { .. })), "{explained:?}");
        assert!(explained.commands.contains(&format!("weir operation resume {}", run.id)), "{explained:?}");
        let body = OperationHold::default();
        self.alice.operation_resume(run.id, &body, &IdempotencyKey::random()).await.unwrap();
        let begun = self.traces(&run, &run.lanes("endless"), |it| it.begun == 1).await;
        let body = OperationCancel { reason: None };
        self.alice.operation_cancel(run.id, &body, &IdempotencyKey::random()).await.unwrap();
        let cancelled = self.ended(run.id).await;
        assert_eq!(cancelled.status, OperationStatus::Cancelled);
        assert!(each(&cancelled, "endless", NodeStatus::Failed), "{:?}", cancelled.nodes);
        assert!(each(&cancelled, "last", NodeStatus::Skipped), "{:?}", cancelled.nodes);
        assert!(begun.iter().all(|did| !process::exists(did.pid)), "what was cancelled runs on");
        self.each_attempt_was_made_once(&cancelled);
    }
}

fn found<'v>(operation: &'v OperationView, node: &str) -> &'v NodeView {
    let found = operation.nodes.iter().find(|it| it.node_id.as_str() == node);
    found.unwrap_or_else(|| panic!("there is no node `{node}`"))
}

/// Whether the step is so on every lane
fn each(operation: &OperationView, step: &str, status: NodeStatus) -> bool {
    LANES.iter().all(|lane| found(operation, &format!("{step}.{lane}")).status == status)
}
