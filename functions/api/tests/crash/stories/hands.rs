//! What is asked for by hand: a definition, its rows made again, assignments, housekeeping, a decision in Slack

use super::{Shape, example};
use crate::region::Region;
use serde_json::{Value, json};
use weir_domain::{canonical::Digest, operation::OperationStatus, time::Millis};
use weir_edge::wire::artifact::UploadTicket;

pub async fn tell(region: &mut Region, shape: Shape) {
    if shape == Shape::Two {
        region.apply(1).await;
    }
    region.apply(shape.targets()).await;
    let rebuild = region.started("root", "/v1/projections/rebuild", &json!({})).await;
    assert_eq!(region.end_of(rebuild).await, OperationStatus::Succeeded);
    region.assignments(2 * shape.targets()).await;
    region.slack(shape).await;
    let pass = region.post("root", "/v1/operation-runs/reconcile", &json!({})).await;
    assert!(matches!(pass.status, 200 | 201), "{pass:?}");
}

fn assignment(id: &str, group: &str) -> Value {
    json!({ "id": id, "policy": "screen-lock", "group": group, "settings": { "minutes": 5 } })
}

impl Region {
    /// Root uploads the example, plans it and applies it; the first operation that does cannot begin
    async fn apply(&mut self, targets: usize) {
        let bytes = example(targets).to_vec().unwrap();
        let digest = Digest::of_bytes(&bytes);
        let announced = json!({ "digest": digest, "size": bytes.len() });
        let ticket = self.post("root", "/v1/definition/uploads", &announced).await;
        let ticket: UploadTicket = serde_json::from_value(ticket.body).unwrap();
        self.api.upload(&ticket.upload.unwrap(), &bytes);
        let wanted = json!({ "definition": digest });
        for expected in [OperationStatus::Cancelled, OperationStatus::Succeeded] {
            let plan = self.post("root", "/v1/definition/plans", &wanted).await.expect(201);
            let plan = json!({ "plan_id": plan["plan_id"] });
            self.unbegun = expected == OperationStatus::Cancelled;
            let operation = self.started("root", "/v1/definition/applies", &plan).await;
            assert_eq!(self.end_of(operation).await, expected);
        }
    }

    /// What a directory has is read, changed there, and put back
    async fn assignments(&mut self, count: usize) {
        for n in 0..count {
            let id = format!("a-{n}");
            self.outside.seen().has.insert(id.clone(), assignment(&id, "staff"));
        }
        let spec = json!({
            "provider_type": "directory", "provides": ["assignments.fetch", "assignments.restore"],
            "config": { "base_url": self.outside.url("/directory"), "page_size": 2 }, "credential_ref": "${HOOK}",
        });
        let address = "provider.source.directory";
        self.api.resource(&self.api.cx.workspace(), address, spec).await;
        let wanted = json!({ "type": "assignments.fetch", "provider": address, "name": "before" });
        let operation = self.started("operator", "/v1/assignment-runs", &wanted).await;
        assert_eq!(self.end_of(operation).await, OperationStatus::Succeeded);
        let list = self.api.get("/v1/assignment-snapshots").by("viewer").send().await.expect(200);
        self.outside.seen().has.insert("a-0".to_owned(), assignment("a-0", "everybody"));
        self.outside.seen().has.remove("a-1");
        let wanted = json!({ "type": "assignments.restore", "snapshot": list["items"][0]["id"] });
        let operation = self.started("operator", "/v1/assignment-runs", &wanted).await;
        assert_eq!(self.end_of(operation).await, OperationStatus::Succeeded);
        let seen = self.outside.seen();
        assert_eq!((seen.has.len(), &seen.has["a-0"]["group"]), (count, &json!("staff")));
    }

    /// Bob decides in Slack; where nothing is answered, he clicks again
    async fn slack(&mut self, shape: Shape) {
        let nodes = json!([
            { "id": "agree", "type": "gate", "gate": { "approval": { "required_approvals": 1, "require_sod": true } } },
            { "id": "act", "type": "job", "capability": "http.call", "attempts": 3,
              "with": { "url": self.outside.url("/work") }, "depends_on": ["agree"] },
        ]);
        self.scenario("act", &nodes).await;
        let operation = self.run("act").await;
        let gate = self.record("gate", "open").await;
        let (action, expected) = match shape {
            Shape::One | Shape::Two => ("approve", OperationStatus::Succeeded),
            Shape::Failing => ("reject", OperationStatus::Failed),
        };
        let value = format!("{}|{}", self.api.scope(), gate["gate_id"].as_str().unwrap());
        let payload = json!({
            "type": "block_actions", "user": { "id": "U0BOB", "username": "x" },
            "actions": [{ "action_id": action, "value": value, "type": "button" }],
        });
        let encoded: String = payload.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
        let form = format!("payload={encoded}");
        let clicked = self.ask(|api| api.post("/v1/slack/interactions").slack(&form)).await;
        assert_eq!(clicked.status, 200, "{clicked:?}");
        self.api.clock.advance(Millis::from_secs(1));
        assert_eq!(self.end_of(operation).await, expected);
    }
}
