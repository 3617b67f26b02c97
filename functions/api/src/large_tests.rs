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
    intent::Intent,
    intervention::{
        Intervention, InterventionAction, InterventionCause, InterventionStatus, intervention_id,
    },
    operation::{OperationStatus, OperationType},
    plan::{
        Backoff, Executor, Graph, NodeStatus, NodeType, OnFailure, Plan, PlanContext, PlanNode, PlanSnapshot,
        PlanStatus,
    },
    time::Millis,
};
use weir_edge::{Use, wire::intent::IntentView};
use weir_orchestration::Clock as _;
use weir_store::{Entity as _, Key, NodeKey, Table as _, Write};

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

/// Every node waits for a person, who was asked
async fn suspend(server: &Server, id: OperationId) {
    let (api, scope) = (&server.shop.api, &server.shop.scope);
    let operation = api.cx.table().operation_get(scope, id).await.unwrap().unwrap();
    let info = OperationInfo { operation_id: OperationId::derived(2, "paused"), ..operation.info.clone() };
    let id = info.operation_id;
    let running = Operation {
        status: OperationStatus::Running,
        finished: false,
        completed_at: None,
        info,
        ..operation
    };
    let graph = api.cx.engine().graph_of(&running).await.unwrap();
    let (hash, actor) = (running.info.graph_hash.clone(), running.info.actor.clone());
    api.table.transact(&[Write::CreateOperation(Box::new(running))]).await.unwrap();
    let now = api.clock.now();
    for seed in graph.seeds() {
        let node =
            NodeRun { status: NodeStatus::Waiting, finished_at: None, closed: false, ..run(&seed, now) };
        let planned = graph.node(seed.ordinal).unwrap();
        if planned.node_type != NodeType::Join {
            let asked = Intervention {
                intervention_id: intervention_id(id, seed.ordinal, 1),
                operation_id: id,
                ordinal: seed.ordinal,
                node_id: planned.node_id.clone(),
                title: planned.title.clone(),
                subject: "inspect the fleet".to_owned(),
                cause: InterventionCause::Failed,
                attempt: 1,
                error: node.error.clone(),
                may: vec![InterventionAction::Retry],
                replaceable: Vec::new(),
                inputs: serde_json::Map::new(),
                status: InterventionStatus::Open,
                environment: None,
                requested_by: actor.clone(),
                graph_hash: hash.clone(),
                decision: None,
                created_at: now.into(),
                ended_at: None,
            };
            api.put(scope, &asked).await;
            api.cx.table().node_put(&NodeKey::new(scope, id, seed.ordinal), &node).await.unwrap();
        }
    }
}

#[tokio::test]
async fn everybody_is_told_whom_an_operation_waits_for_however_many_they_are() {
    let server = Server::start().await;
    let id = put(&server).await;
    suspend(&server, id).await;
    let id = OperationId::derived(2, "paused").to_string();
    for line in [["explain", &id].as_slice(), &["operation", "show", &id]] {
        let told = server.weir("viewer", &[&["--json"], line].concat()).await;
        let told: Value = serde_json::from_str(told.out.lines().next().unwrap()).unwrap();
        let waits = told["waits"].as_array().unwrap();
        let asked: BTreeSet<_> = waits.iter().filter_map(|it| it["intervention_id"].as_str()).collect();
        assert_eq!(asked.len(), NODES, "{line:?}");
    }
}

#[tokio::test]
async fn a_long_page_is_fetched_from_the_bucket() {
    let server = Server::start().await;
    let shop = &server.shop;
    let body = json!({ "action": "promote", "target_resource_id": "environment.staging", "desired_result": { "release_id": shop.release } });
    let view: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let key = Key::entity(&shop.scope, Intent::KIND, view.id);
    let (intent, _) = shop.api.cx.table().read::<Intent>(&key).await.unwrap().unwrap();
    for number in 0..200 {
        let inputs = [("note".to_owned(), json!("n".repeat(30_000)))].into_iter().collect();
        let long = Intent { id: IntentId::derived(2, &format!("{number}")), inputs, ..intent.clone() };
        shop.api.put(&shop.scope, &long).await;
    }
    let long = shop.api.get("/v1/intents?limit=200").by("viewer").send().await;
    assert_eq!(long.short(), "303");
    let told = server.weir("viewer", &["--json", "intent", "list", "--limit", "201"]).await;
    assert!(told.code == 0 && told.out.len() > 6_000_000, "{}", told.err);
    // The same holds for every other answer whose length the caller cannot bound.
    for operation in [
        "plan_list",
        "plan_template_list",
        "job_template_list",
        "workflow_template_list",
        "workflow_run_list",
        "operation_timeline",
        "operation_explain",
    ] {
        let entry = crate::ENDPOINTS.iter().find(|entry| entry.route.operation == operation).unwrap();
        assert!(entry.route.uses.contains(&Use::LargeAnswers), "{operation}");
    }
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
