//! The largest operation there may be: no answer about it is longer than a function's may be, and nothing is left out

use crate::cli_tests::Server;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    engine::{NodeRun, Operation, OperationInfo, Terms},
    failure::FailureSummary,
    id::{Id as _, IntentId, OperationId, PlanId},
    operation::{OperationStatus, OperationType},
    plan::{
        Backoff, Executor, Graph, NodeStatus, NodeType, OnFailure, Plan, PlanContext, PlanNode, PlanSnapshot,
        PlanStatus,
    },
    time::Millis,
};
use weir_orchestration::Clock as _;
use weir_store::{NodeKey, Table as _, Write};

const NODES: usize = 10_000;

fn node(number: usize) -> PlanNode {
    let name = |number: usize| format!("inspect.every-machine-of-the-fleet.{number:05}").parse().unwrap();
    let contract = json!({
        "capability": "http.call", "timeout_s": 60, "attempts": 1,
        "inputs": { "url": format!("https://fleet.example.org/machines/{number}/inspections"), "note": "n".repeat(300) },
    });
    PlanNode {
        depends_on: number.checked_sub(40).map(name).into_iter().collect(),
        job_contract: serde_json::from_value(contract).unwrap(),
        ..PlanNode::new(
            name(number),
            NodeType::Job,
            format!("inspect machine {number} of the fleet"),
            Executor::Job,
        )
    }
}

/// What a node of an operation that is over left behind
fn run(seed: &weir_domain::plan::NodeSeed<'_>, now: Millis) -> NodeRun {
    let terms = Terms {
        kind: seed.node_type,
        runs: seed.executor.clone(),
        on_failure: OnFailure::default(),
        attempts: 1,
        timeout_s: 60,
        backoff: Backoff::default(),
        deadline_s: None,
    };
    let node = NodeRun::new(seed.ordinal, seed.segment, terms, [], seed.out.iter().copied());
    NodeRun {
        status: NodeStatus::Failed,
        attempt: 1,
        ready_at: Some(now),
        started_at: Some(now + Millis(1)),
        finished_at: Some(now + Millis(2)),
        error: Some(FailureSummary::new(
            "http_status",
            "the machine answered 503 and will not be asked again",
        )),
        closed: true,
        ..node
    }
}

fn plan((plan_id, intent_id): (PlanId, IntentId), graph_hash: &Digest, actor: &Actor, now: Millis) -> Plan {
    Plan {
        plan_id,
        intent_id,
        operation_type: OperationType::PipelineRun,
        scenario_ref: None,
        status: PlanStatus::Active,
        effective_version: 1,
        graph_hash: graph_hash.clone(),
        node_count: 10_000,
        customizations: Vec::new(),
        bindings: Vec::new(),
        exclusive: BTreeSet::new(),
        context: PlanContext::None {},
        created_by: actor.clone(),
        created_at: now.into(),
        expires_at: None,
    }
}

async fn put(server: &Server) -> OperationId {
    let (api, scope) = (&server.shop.api, &server.shop.scope);
    let graph = Graph::new((0..NODES).map(node).collect()).unwrap();
    let snapshot = PlanSnapshot::new(graph.clone()).unwrap();
    api.cx.ledger().plan_put(&snapshot.graph_hash, serde_json::to_vec(&snapshot).unwrap()).await.unwrap();
    let (now, actor) = (api.clock.now(), Actor::system("alice"));
    let (id, plan_id, intent_id) =
        (OperationId::derived(1, "large"), PlanId::derived(1, "large"), IntentId::derived(1, "large"));
    let plan = plan((plan_id, intent_id), &snapshot.graph_hash, &actor, now);
    api.put(scope, &plan).await;
    let operation = Operation::new(OperationInfo {
        operation_id: id,
        scope: scope.clone(),
        operation_type: OperationType::PipelineRun,
        plan_id,
        intent_id,
        graph_hash: snapshot.graph_hash,
        nodes: 10_000,
        segments: u32::try_from(graph.segments().len()).unwrap(),
        run_identity_hash: Digest::of_bytes(b"large"),
        actor,
        title: "inspect the fleet".to_owned(),
        created_at: now,
        deadline: now + Millis::from_secs(9_999),
        promotion_id: None,
        release_id: None,
        environment: None,
        rollback_of: None,
        retry_of: None,
        parent: None,
        exclusive: BTreeSet::new(),
        context: BTreeMap::new(),
    });
    let ended = Operation {
        status: OperationStatus::Failed,
        materialised: true,
        finished: true,
        started_at: Some(now),
        completed_at: Some(now + Millis(2)),
        ..operation
    };
    api.table.transact(&[Write::CreateOperation(Box::new(ended))]).await.unwrap();
    for seed in graph.seeds() {
        let key = NodeKey::new(scope, id, seed.ordinal);
        api.cx.table().node_put(&key, &run(&seed, now)).await.unwrap();
    }
    id
}

#[tokio::test]
async fn an_operation_of_ten_thousand_nodes_is_told_whole_in_answers_that_fit() {
    let server = Server::start().await;
    let id = put(&server).await;
    let plan = PlanId::derived(1, "large").to_string();
    let id = id.to_string();
    let json = async |line: &[&str]| -> Vec<Value> {
        let ran = server.weir("viewer", &[&["--json"], line].concat()).await;
        assert!(ran.code == 0 || ran.code == 1, "{line:?}: {} {}", ran.code, ran.err);
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let length = |value: &Value| value.as_array().map(Vec::len);

    let shown = json(&["operation", "show", &id]).await;
    assert_eq!(length(&shown[0]["nodes"]), Some(NODES));
    let planned = json(&["plan", "show", &plan]).await;
    assert_eq!(length(&planned[0]["graph"]), Some(NODES));
    let run = json(&["workflow", "run", &id]).await;
    let logs = length(&run[0]["logs"]);
    assert!(logs >= Some(3 * NODES), "{logs:?}");
    let timeline = json(&["operation", "timeline", &id]).await;
    assert_eq!(length(&timeline[0]["events"]), logs);
    let ids: BTreeSet<_> =
        timeline[0]["events"].as_array().unwrap().iter().map(|it| it["id"].as_str()).collect();
    assert_eq!(Some(ids.len()), logs);
    let watched = json(&["operation", "watch", &id]).await;
    assert_eq!(Some(watched.len()), logs);

    // Whoever pages by hand gets the same events, none of them twice and at most as many as asked for.
    let (mut seen, mut cursor) = (BTreeSet::new(), None::<String>);
    loop {
        let cursor_of = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/v1/operations/{id}/timeline?limit=4000{cursor_of}");
        let page = server.shop.api.get(&path).by("viewer").send().await.expect(200);
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= 4_000);
        for event in events {
            assert!(seen.insert(event["id"].as_str().unwrap().to_owned()), "{event}");
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(Some(seen.len()), logs);
    for cursor in ["x", "n", "n-1", "e"] {
        let path = format!("/v1/operations/{id}/timeline?cursor={cursor}");
        assert_eq!(
            server.shop.api.get(&path).by("viewer").send().await.short(),
            "400 invalid-query",
            "{cursor}"
        );
    }
}
