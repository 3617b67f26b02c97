//! Stories: what people, agents and services do, told in three shapes each

mod delivery;
mod hands;
mod scenario;

use crate::region::Region;
use serde_json::{Value, json};
use std::{fs, path::Path};
use weir_domain::{
    definition::{bundle::Bundle, document::read},
    id::OperationId,
    operation::OperationStatus,
};
use weir_testkit::api::Reply;

/// A story and its shape
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Story {
    /// From bytes to production, by agents
    Delivery(Shape),
    /// A scenario that waits for people and services, is held, changed, cancelled, and run again
    Scenario(Shape),
    /// What is asked for by hand: a definition, its rows, assignments, housekeeping, a decision in Slack
    Hands(Shape),
}

/// What differs between the tellings of one story
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// One target
    One,
    /// Two targets, one after the other
    Two,
    /// Two targets, and something fails
    Failing,
}

impl Shape {
    pub const ALL: [Self; 3] = [Self::One, Self::Two, Self::Failing];

    /// How many targets an environment has
    pub const fn targets(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two | Self::Failing => 2,
        }
    }
}

impl Story {
    /// Every telling of every story
    pub fn all() -> Vec<Self> {
        let stories = [Self::Delivery, Self::Scenario, Self::Hands];
        stories.into_iter().flat_map(|story| Shape::ALL.map(story)).collect()
    }

    pub const fn shape(self) -> Shape {
        match self {
            Self::Delivery(shape) | Self::Scenario(shape) | Self::Hands(shape) => shape,
        }
    }

    /// Tells it from its begin to its end
    pub async fn tell(self, region: &mut Region) {
        match self {
            Self::Delivery(shape) => Box::pin(delivery::tell(region, shape)).await,
            Self::Scenario(shape) => Box::pin(scenario::tell(region, shape)).await,
            Self::Hands(shape) => Box::pin(hands::tell(region, shape)).await,
        }
        region.until("rest", |region| crate::ended::left(region).is_empty().then_some(())).await;
    }
}

/// The example definition, with so many targets an environment
pub fn example(targets: usize) -> Bundle {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/example");
    let files =
        ["weir.yaml", "environments.yaml", "services.yaml", "scenarios/deploy.yaml", "integrations.yaml"];
    let text = |path: &str| {
        let text = fs::read_to_string(root.join(path)).unwrap();
        let kept = |line: &&str| targets > 1 || !line.trim_start().contains("-2: {");
        text.lines().filter(kept).map(|line| format!("{line}\n")).collect::<String>()
    };
    Bundle { files: files.into_iter().map(|path| (path.to_owned(), text(path))).collect() }
}

impl Region {
    /// The example definition stands in the table, as if it had been applied
    pub async fn applied(&mut self, targets: usize) {
        let scope = self.api.scope();
        for (address, resource) in read(&example(targets), None).unwrap().definition.unwrap().resources {
            let scope = if resource.tenant.is_some() { scope.clone() } else { scope.outer() };
            let mut spec = resource.spec;
            if address.to_string().starts_with("target.") {
                spec["connection"] = json!({ "base_url": self.outside.url("") });
            }
            self.api.resource(&scope, &address.to_string(), spec).await;
        }
        self.settle().await;
    }

    /// Somebody posts `body`
    pub async fn post(&mut self, by: &str, path: &str, body: &Value) -> Reply {
        self.ask(|api| api.post(path).by(by).json(body)).await
    }

    /// A scenario `name` with the nodes of its template stands in the table
    pub async fn scenario(&mut self, name: &str, nodes: &Value) {
        let scope = self.api.scope().outer();
        let scenario = json!({
            "version": 1, "target_resource_type": "environment", "actions": [name],
            "template": format!("template.{name}"), "risk_metadata": { "level": "low" },
        });
        self.api.resource(&scope, &format!("scenario.{name}"), scenario).await;
        let template = json!({ "version": 1, "nodes": nodes });
        self.api.resource(&scope, &format!("template.{name}"), template).await;
    }

    /// Alice wants the scenario `action`, and runs its plan
    pub async fn run(&mut self, action: &str) -> OperationId {
        let wanted = json!({ "action": action, "target_resource_id": "environment.staging" });
        let intent = self.post("alice", "/v1/intents", &wanted).await.expect(201);
        let path = format!("/v1/plans/{}/operations", intent["plan_id"].as_str().unwrap());
        self.started("alice", &path, &json!({})).await
    }

    /// Somebody posts what starts an operation
    pub async fn started(&mut self, by: &str, path: &str, body: &Value) -> OperationId {
        let reply = self.post(by, path, body).await;
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        serde_json::from_value(reply.body["operation_id"].clone()).unwrap()
    }

    /// Waits until `operation` has ended, and says how
    pub async fn end_of(&mut self, operation: OperationId) -> OperationStatus {
        let ended = self.until("the end of an operation", |region| {
            let all = region.api.table.snapshot().operations;
            all.iter().find(|it| it.info.operation_id == operation && it.finished).map(|it| it.status)
        });
        ended.await
    }

    /// The one record of `kind` in `status`, once there is one
    pub async fn record(&mut self, kind: &str, status: &str) -> Value {
        let what = format!("{kind} {status}");
        let found = self.until(&what, |region| {
            let all = region.api.table.snapshot().records;
            let is = |record: &&weir_store::Record| {
                record.key.pk().split('#').nth(1) == Some(kind) && record.doc["status"] == json!(status)
            };
            all.iter().find(is).map(|it| it.doc.clone())
        });
        found.await
    }
}
