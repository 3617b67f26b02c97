//! Templates of deliveries: what their steps share, refer to and cannot be given

use super::*;
use crate::{
    canonical::Digest,
    definition::spec::{Component, Environment, Job, Scenario, Template},
    plan::{BindingStatus, Graph, Idempotency, JobContract, ResourceBinding},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn laid(nodes: Value, jobs: Value) -> Result<(Graph, Vec<ResourceBinding>), PlanError> {
    let inputs =
        json!({ "release": { "required": true }, "environment": {}, "colour": { "default": "red" } });
    let template = json!({ "version": 1, "inputs": inputs, "nodes": nodes });
    let template: Template = serde_json::from_value(template).unwrap();
    let jobs: BTreeMap<Address, Job> = serde_json::from_value(jobs).unwrap();
    let environment = "environment.e".parse().unwrap();
    let environment_spec: Environment = serde_json::from_value(json!({ "order_index": 1 })).unwrap();
    let spec: Component = serde_json::from_value(json!({ "run": { "command": ["x"] } })).unwrap();
    let target = json!({ "environment": "environment.e", "target_type": "host", "labels": { "zone": "a", "note": "${HOOK}" } });
    let sites = [Site {
        address: "target.e.t-1".parse().unwrap(),
        spec: serde_json::from_value(target).unwrap(),
        region: None,
    }];
    let recipe = Recipe { template: &template, jobs: &jobs, sites: &sites };
    let offers = Offers { agents: Vec::new(), providers: Vec::new(), version: "0.1.0".to_owned() };
    let lander = json!({
        "version": 1, "target_resource_type": "environment", "actions": ["land"], "provides": ["moon.land"],
        "template": "template.land",
    });
    let lander: Scenario = serde_json::from_value(lander).unwrap();
    let bindings = bind_delivery(&recipe, &offers, &[("scenario.lander".parse().unwrap(), lander)]);
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
    Ok((graph, bindings))
}

/// Whether each requirement is bound, and why
fn told(bindings: &[ResourceBinding]) -> Vec<(&str, BindingStatus, &str)> {
    bindings
        .iter()
        .map(|it| (it.capability_key.as_str(), it.binding_status, it.resolution_reason.as_str()))
        .collect()
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
    let tell = contract(&graph, "tell.t-1");
    assert_eq!((tell.capability.as_str(), tell.timeout_s, tell.attempts), ("http.call", 90, 3));
    assert_eq!((&tell.inputs["url"], &tell.inputs["method"]), (&json!("/red"), &json!("PUT")));
    let release: crate::id::ReleaseId = crate::id::Id::new(1, 1);
    assert_eq!(tell.inputs["body"], json!({ "of": release, "to": "environment.e" }));
    assert_eq!(tell.secrets, ["EXTRA", "HOOK"]);
    assert_eq!(tell.idempotency, Idempotency::Natural);
    assert_eq!(told(&bound), [("http.call", BindingStatus::Bound, "weir 0.1.0: chosen")]);
}

#[test]
fn what_nobody_does_is_planned_and_said_to_be_unbound() {
    let (graph, bound) = laid(
        json!([
            { "id": "fly", "type": "job", "capability": "deploy.moon" },
            { "id": "land", "type": "job", "capability": "moon.land" },
        ]),
        json!({}),
    )
    .unwrap();
    assert_eq!(contract(&graph, "fly.t-1").capability, "deploy.moon");
    let nothing =
        |name: &str, then: &str| format!("`{name}` is nothing that this version does by itself; {then}");
    let provided =
        "scenario.lander (as an operation of its own): a delivery starts no other operation".to_owned();
    assert_eq!(
        told(&bound),
        [
            ("deploy.moon", BindingStatus::Unbound, nothing("deploy.moon", "there is no candidate").as_str()),
            ("moon.land", BindingStatus::Unbound, nothing("moon.land", &provided).as_str()),
        ]
    );
}

#[test]
fn what_has_to_be_true_in_a_delivery_is_filled_in_for_each_target() {
    let asks = |zone: &str| {
        let constraints = json!({ "labels": { "zone": zone } });
        let node =
            json!({ "id": "tell", "type": "job", "capability": "http.call", "constraints": constraints });
        let (_, bound) = laid(json!([node]), json!({})).unwrap();
        (bound[0].binding_status, bound[0].resolution_reason.clone())
    };
    let chosen = (BindingStatus::Bound, "weir 0.1.0: chosen".to_owned());
    assert_eq!(asks("${target.labels.zone}"), chosen);
    let no = |why: &str| (BindingStatus::Unbound, why.to_owned());
    assert_eq!(asks("${inputs.colour}"), no("weir 0.1.0: its label `zone` is `a`, not `red`"));
    assert_eq!(
        asks("${inputs.release}"),
        no("node `tell` of the template: `${inputs.release}` refers to nothing that is known here")
    );
}

#[test]
fn a_delivery_takes_nothing_that_it_is_given_for_the_name_of_a_secret() {
    let with = json!({ "url": "/", "body": "${HOOK} $${HOOK} ${target.labels.note}" });
    let node = json!({ "id": "tell", "type": "job", "capability": "http.call", "with": with });
    let (graph, _) = laid(json!([node]), json!({})).unwrap();
    let tell = contract(&graph, "tell.t-1");
    assert_eq!(
        (&tell.inputs["body"], tell.secrets),
        (&json!("${HOOK} $${HOOK} $${HOOK}"), vec!["HOOK".to_owned()])
    );
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
