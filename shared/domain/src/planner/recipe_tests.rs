//! Templates of deliveries: what their steps share, refer to and cannot be given

use super::*;
use crate::{
    canonical::Digest,
    definition::spec::{Component, Environment, Job, Template},
    plan::{BindingStatus, Graph, Idempotency, JobContract},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn laid(nodes: Value, jobs: Value) -> Result<(Graph, Vec<(String, BindingStatus)>), PlanError> {
    let inputs =
        json!({ "release": { "required": true }, "environment": {}, "colour": { "default": "red" } });
    let template = json!({ "version": 1, "inputs": inputs, "nodes": nodes });
    let template: Template = serde_json::from_value(template).unwrap();
    let jobs: BTreeMap<Address, Job> = serde_json::from_value(jobs).unwrap();
    let environment = "environment.e".parse().unwrap();
    let environment_spec: Environment = serde_json::from_value(json!({ "order_index": 1 })).unwrap();
    let spec: Component = serde_json::from_value(json!({ "run": { "command": ["x"] } })).unwrap();
    let target = json!({ "environment": "environment.e", "target_type": "host", "labels": { "zone": "a" } });
    let sites = [Site {
        address: "target.e.t-1".parse().unwrap(),
        spec: serde_json::from_value(target).unwrap(),
        region: None,
    }];
    let recipe = Recipe { template: &template, jobs: &jobs, sites: &sites };
    let offers = Offers { agents: Vec::new(), providers: Vec::new(), version: "0.1.0".to_owned() };
    let bound = bind_delivery(&recipe, &offers).into_iter().map(|it| (it.capability_key, it.binding_status));
    let graph = plan_delivery(&DeliveryRequest {
        environment: &environment,
        environment_spec: &environment_spec,
        policies: Vec::new(),
        targets: vec![sites[0].address.clone()],
        components: vec![Deployable {
            component: "component.web".parse().unwrap(),
            digest: Digest::of_bytes(b"v1"),
            size: 10,
            release: crate::id::Id::new(1, 1),
            version: "1.0.0".to_owned(),
            spec: &spec,
        }],
        recipe,
    })?;
    Ok((graph, bound.collect()))
}

fn contract(graph: &Graph, id: &str) -> JobContract {
    let ordinal = graph.ordinal_of(&id.parse().unwrap()).unwrap();
    graph.node(ordinal).unwrap().job_contract.clone().unwrap()
}

#[test]
fn a_delivery_does_the_jobs_that_its_steps_share() {
    let jobs = json!({ "job.tell": {
        "capability": "http.call", "timeout_s": 90, "attempts": 3, "secrets": ["${EXTRA}"],
        "with": { "url": "/tell", "sign_with": "${HOOK}", "body": { "of": "${inputs.release}", "to": "${inputs.environment}" } },
    } });
    let nodes = json!([{ "id": "tell", "type": "job", "job": "job.tell", "with": { "method": "PUT", "url": "/${inputs.colour}" } }]);
    let (graph, bound) = laid(nodes, jobs).unwrap();
    let told = contract(&graph, "tell.t-1");
    assert_eq!((told.capability.as_str(), told.timeout_s, told.attempts), ("http.call", 90, 3));
    assert_eq!((&told.inputs["url"], &told.inputs["method"]), (&json!("/red"), &json!("PUT")));
    let release: crate::id::ReleaseId = crate::id::Id::new(1, 1);
    assert_eq!(told.inputs["body"], json!({ "of": release, "to": "environment.e" }));
    assert_eq!(told.secrets, ["EXTRA", "HOOK"]);
    assert_eq!(told.idempotency, Idempotency::Natural);
    assert_eq!(bound, [("http.call".to_owned(), BindingStatus::Bound)]);
}

#[test]
fn what_nobody_does_is_planned_and_said_to_be_unbound() {
    let (graph, bound) =
        laid(json!([{ "id": "fly", "type": "job", "capability": "deploy.moon" }]), json!({})).unwrap();
    assert_eq!(contract(&graph, "fly.t-1").capability, "deploy.moon");
    assert_eq!(bound, [("deploy.moon".to_owned(), BindingStatus::Unbound)]);
}

#[test]
fn what_a_step_cannot_be_is_said_with_its_name() {
    for (node, expected) in [
        (json!({ "job": "job.gone" }), "node `a` of the template names `job.gone`, which is not in"),
        (json!({}), "node `a` of the template asks for no capability"),
        (json!({ "capability": "http.call", "with": { "url": "/${resource.name}" } }), "refers to nothing"),
        (
            json!({ "capability": "command.run", "with": { "command": "x", "key": "${KEY}" } }),
            "`key` names the secret `KEY`, and `command.run` fills in none there; agents are not given secrets",
        ),
        (
            json!({ "capability": "assignments.fetch" }),
            "asks for `assignments.fetch`, which nothing provides",
        ),
    ] {
        let mut spec = json!({ "id": "a", "type": "job" });
        spec.as_object_mut().unwrap().extend(node.as_object().unwrap().clone());
        let error = laid(json!([spec]), json!({})).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
