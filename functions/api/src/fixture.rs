//! A shop to test in: the example definition applied, its agents registered, a release that is ready
//!
//! What Step Functions and SQS would do is done here when a test asks for it.

use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};
use weir_domain::{
    canonical::Digest,
    definition::{bundle::Bundle, document::read},
    delivery::{Agent, AgentStatus, AgentTarget, Release, ReleaseComponent, ReleaseStatus},
    failure::FailureSummary,
    id::{AgentId, GateId, Id as _, OperationId, ReleaseId, VersionId},
    plan::NodeStatus,
    scope::Scope,
    time::Time,
};
use weir_edge::{
    authn::agent::AgentCredential,
    wire::{
        operation::OperationView,
        promotion::PromotionView,
        task::{Claimed, DeployInput, Task, TaskWork},
    },
};
use weir_orchestration::{Clock as _, Outcome, Started};
use weir_store::NodeKey;
use weir_testkit::{TestApi, api::Reply};

/// Agents, by what they are called, with their targets
const AGENTS: [(&str, &str); 4] = [
    ("stg-1", "target.staging.stg-1"),
    ("stg-2", "target.staging.stg-2"),
    ("prd-1", "target.production.prd-1"),
    ("prd-2", "target.production.prd-2"),
];

/// The example definition, as it is uploaded
pub fn example() -> Bundle {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/example");
    let files =
        ["weir.yaml", "environments.yaml", "services.yaml", "scenarios/deploy.yaml", "integrations.yaml"];
    let read = |path: &str| (path.to_owned(), fs::read_to_string(root.join(path)).unwrap());
    Bundle { files: files.into_iter().map(read).collect() }
}

/// A shop to test in
pub struct Shop {
    pub api: TestApi,
    pub scope: Scope,
    pub release: ReleaseId,
    agents: BTreeMap<&'static str, (AgentId, String)>,
}

impl Shop {
    pub async fn open() -> Self {
        let api = TestApi::new(crate::ENDPOINTS).await;
        let scope = api.scope();
        let definition = read(&example(), None).unwrap().definition.unwrap();
        for (address, resource) in definition.resources {
            let scope = if resource.tenant.is_some() { scope.clone() } else { scope.outer() };
            api.resource(&scope, &address.to_string(), resource.spec).await;
        }
        let mut shop = Self { api, scope, release: ReleaseId::new(1, 0), agents: BTreeMap::new() };
        for (name, target) in AGENTS {
            shop.register(name, target).await;
        }
        shop.release = shop.ready("1.0.0").await;
        shop
    }

    pub async fn register(&mut self, name: &'static str, target: &str) {
        let now = Time::from(self.api.clock.now());
        let id = AgentId::derived(1, name);
        let (secret, credential) =
            AgentCredential::issue(id, &self.scope, vec![target.parse().unwrap()]).unwrap();
        let agent = Agent {
            id,
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            capabilities: vec!["deploy.host".to_owned()],
            targets: vec![AgentTarget {
                target: target.parse().unwrap(),
                base_url: None,
                current_digest: None,
                drift_detected: false,
            }],
            credential_hash: credential.hash.clone(),
            reported: AgentStatus::Online,
            last_heartbeat: now,
            created_at: now,
        };
        self.api.put(&self.scope, &agent).await;
        self.api.put(&self.scope, &credential).await;
        self.agents.insert(name, (id, secret.expose().to_owned()));
    }

    /// A release of `web` that is ready
    pub async fn ready(&self, version: &str) -> ReleaseId {
        let component = ReleaseComponent {
            version_id: VersionId::derived(1, version),
            version: version.to_owned(),
            digest: Digest::of_bytes(version.as_bytes()),
            size: 5,
        };
        let release = Release {
            id: ReleaseId::derived(1, version),
            service_id: "service.shop".parse().unwrap(),
            name: format!("shop {version}"),
            version: version.to_owned(),
            display_name: None,
            components: BTreeMap::from([("component.web".parse().unwrap(), component)]),
            source_ref: None,
            status: ReleaseStatus::Ready,
            created_by: "developer".to_owned(),
            created_at: self.api.clock.now().into(),
        };
        self.api.put(&self.scope, &release).await;
        release.id
    }

    pub fn agent(&self, name: &str) -> AgentId {
        self.agents[name].0
    }

    pub fn credential(&self, name: &str) -> &str {
        &self.agents[name].1
    }

    /// Asks for a promotion
    pub async fn ask(&self, by: &str, release: ReleaseId, environment: &str) -> Reply {
        let body = json!({ "release_id": release, "target_environment_id": environment });
        self.api.post("/v1/promotions").by(by).json(&body).send().await
    }

    /// Asks for a promotion and lets its operation begin, as its execution would
    pub async fn promote(&self, release: ReleaseId, environment: &str) -> PromotionView {
        let promotion: PromotionView = self.ask("alice", release, environment).await.read(201);
        self.begin(promotion.promotion.workflow_run_id).await;
        promotion
    }

    pub async fn begin(&self, operation: OperationId) {
        self.api.cx.engine().begin(&self.scope, operation, format!("token of {operation}")).await.unwrap();
    }

    pub async fn operation(&self, operation: OperationId) -> OperationView {
        self.api.get(&format!("/v1/operations/{operation}")).by("viewer").send().await.read(200)
    }

    /// The status of each node, by name
    pub async fn nodes(&self, operation: OperationId) -> BTreeMap<String, NodeStatus> {
        let view = self.operation(operation).await;
        view.nodes.into_iter().map(|node| (node.node_id.to_string(), node.status)).collect()
    }

    pub async fn claim(&self, agent: &str) -> Vec<Task> {
        let path = format!("/v1/agents/{}/claims", self.agent(agent));
        let reply =
            self.api.post(&path).bearer(self.credential(agent)).json(&json!({ "max": 3 })).send().await;
        reply.read::<Claimed>(200).tasks
    }

    pub async fn report(&self, agent: &str, task: &Task, report: &Value) -> Reply {
        let path = format!("/v1/tasks/{}/reports", task.task);
        self.api.post(&path).bearer(self.credential(agent)).json(report).send().await
    }

    /// Has the agent do its one task
    pub async fn deploy(&self, agent: &str) -> Task {
        let tasks = self.claim(agent).await;
        let [task] = tasks.as_slice() else { panic!("`{agent}` has {} tasks", tasks.len()) };
        self.report(agent, task, &succeeded(task)).await.expect(200);
        task.clone()
    }

    /// Ends the job of the node called `name`, as its worker would
    pub async fn job(&self, operation: OperationId, name: &str, well: bool) {
        let view = self.operation(operation).await;
        let node = view.nodes.iter().find(|node| node.node_id.as_str() == name).unwrap();
        let (key, engine) = (NodeKey::new(&self.scope, operation, node.ordinal), self.api.cx.engine());
        let seen = self.api.cx.table().node_get(&key).await.unwrap().unwrap();
        let started = engine.start(&key, &seen, "worker").await.unwrap();
        assert!(matches!(started, Started::Yes(_)), "{started:?}");
        let error = FailureSummary::new("unhealthy", "503 three times");
        let outcome = if well { Outcome::Succeeded } else { Outcome::Failed { error, retryable: false } };
        engine.report(&key, node.attempt, outcome, "worker/1".to_owned()).await.unwrap();
    }

    /// Ends the operation whose nodes have all ended, as its executions would
    pub async fn end(&self, operation: OperationId) {
        self.end_segments(operation).await;
        self.api.cx.engine().finish_operation(&self.scope, operation).await.unwrap();
    }

    /// The same, but its root execution has yet to do what follows from the end
    pub async fn end_segments(&self, operation: OperationId) {
        let engine = self.api.cx.engine();
        let told = self.api.cloud.told().segments.clone();
        for segment in told.iter().filter(|segment| segment.operation == operation) {
            engine.segment_finish(&self.scope, operation, segment.segment).await.unwrap();
        }
    }

    /// Brings `release` to both targets of staging
    pub async fn stage(&self, release: ReleaseId) -> OperationId {
        let operation = self.promote(release, "environment.staging").await.promotion.workflow_run_id;
        for target in ["stg-1", "stg-2"] {
            self.deploy(target).await;
            self.job(operation, &format!("verify.{target}"), true).await;
        }
        self.end(operation).await;
        operation
    }

    /// A promotion to production by alice, which waits for its approval
    pub async fn waiting(&self) -> (PromotionView, GateId) {
        self.stage(self.release).await;
        let promotion = self.promote(self.release, "environment.production").await;
        let gates = self.api.get("/v1/gates").by("viewer").send().await.expect(200);
        (promotion, serde_json::from_value(gates["items"][0]["gate_id"].clone()).unwrap())
    }

    /// What was audited, as `actor action subject`, the latest first
    pub async fn audited(&self) -> Vec<String> {
        let day = Time::from(self.api.clock.now()).to_string().chars().take(10).collect::<String>();
        let query = weir_store::Query::Partition {
            pk: weir_store::Key::audit_partition(&self.scope, &day),
            prefix: String::new(),
        };
        let found =
            self.api.cx.table().list::<weir_domain::audit::AuditEvent>(&query, None, 100).await.unwrap().0;
        let refused = |event: &weir_domain::audit::AuditEvent| event.metadata.contains_key("refused");
        let line = |event: weir_domain::audit::AuditEvent| {
            let mark = if refused(&event) { " (refused)" } else { "" };
            format!("{} {}{mark}", event.actor.id, event.action)
        };
        found.into_iter().map(line).collect()
    }
}

/// What the task asks for
pub fn input(task: &Task) -> &DeployInput {
    let TaskWork::DeployHost(input) = &task.work else { panic!("no deployment") };
    input
}

/// The report of an agent that did what it was asked for
pub fn succeeded(task: &Task) -> Value {
    let input = input(task);
    json!({
        "attempt": task.attempt,
        "status": "succeeded",
        "logs": "unpacked\nstarted with password=hunter2",
        "current_digest": input.digest,
        "sticker": {
            "content": input.sticker,
            "content_hash": Digest::of(&input.sticker).unwrap(),
            "written_at": "2026-11-21T08:00:01Z",
        },
        "started_at": "2026-11-21T08:00:00Z",
        "finished_at": "2026-11-21T08:00:02Z",
    })
}
