use super::*;
use crate::{
    canonical::Digest,
    definition::spec::{Component, Environment, Policy, Template},
    gate::GateSpec,
    plan::{Executor, Graph, NodeType, OnFailure},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn environment(extra: &Value) -> Environment {
    let mut spec = json!({ "order_index": 1 });
    spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

fn template() -> Template {
    serde_json::from_value(json!({ "version": 1, "nodes": [
        { "id": "deploy", "type": "job", "capability": "deploy.host", "for_each": "target", "attempts": 2 },
        { "id": "verify", "type": "verification", "capability": "verify.http", "for_each": "target",
          "with": { "path": "/", "expect_status": 200 }, "depends_on": ["deploy"] },
    ]}))
    .unwrap()
}

fn component() -> Component {
    let health = json!({ "path": "/healthz" });
    serde_json::from_value(json!({ "run": { "command": ["python3", "server.py"], "health": health } }))
        .unwrap()
}

fn plan(environment_spec: &Environment, targets: usize, policies: &[Policy]) -> Result<Graph, PlanError> {
    plan_by(&template(), environment_spec, targets, policies)
}

fn plan_by(
    template: &Template,
    environment_spec: &Environment,
    targets: usize,
    policies: &[Policy],
) -> Result<Graph, PlanError> {
    let environment = "environment.e".parse().unwrap();
    let named: Vec<Address> = (0..policies.len()).map(|n| format!("policy.p-{n}").parse().unwrap()).collect();
    let component = component();
    plan_delivery(&DeliveryRequest {
        environment: &environment,
        environment_spec,
        policies: named.iter().zip(policies).collect(),
        targets: (1..=targets).map(|n| format!("target.e.t-{n:03}").parse().unwrap()).collect(),
        components: vec![Deployable {
            component: "component.web".parse().unwrap(),
            digest: Digest::of_bytes(b"v1"),
            size: 10,
            release: crate::id::Id::new(1, 1),
            version: "1.0.0".to_owned(),
            spec: &component,
        }],
        recipe: Recipe { template, jobs: &BTreeMap::new(), sites: &[] },
    })
}

/// Deploys behind a gate of its own, with another one between deployment and verification
fn gated() -> Template {
    let mut spec = serde_json::to_value(template()).unwrap();
    let gates = [
        json!({ "id": "window", "type": "gate", "gate": { "manual": { "people": ["bob"] } }, "for_each": "target" }),
        json!({ "id": "agreed", "type": "gate", "gate": { "approval": { "required_approvals": 1 } },
            "for_each": "target", "depends_on": ["deploy"], "on_failure": "continue" }),
    ];
    spec["nodes"][0]["depends_on"] = json!(["window"]);
    spec["nodes"][1]["depends_on"] = json!(["agreed"]);
    spec["nodes"].as_array_mut().unwrap().extend(gates);
    serde_json::from_value(spec).unwrap()
}

#[test]
fn the_gates_of_a_template_stand_before_each_target() {
    let rolling =
        environment(&json!({ "delivery": { "strategy": "rolling", "batch_size": 1, "max_failed": 1 } }));
    let graph = plan_by(&gated(), &rolling, 2, &[]).unwrap();
    let laid = ["window", "deploy", "agreed", "verify"].map(|step| {
        let node = graph.node(ordinal(&graph, &format!("{step}.t-002"))).unwrap();
        let after: Vec<_> = node.depends_on.iter().map(ToString::to_string).collect();
        format!("{} {} after {}", node.node_id, node.node_type.as_str(), after.join(" "))
    });
    assert_eq!(
        laid,
        [
            "window.t-002 gate after freeze-2",
            "deploy.t-002 job after window.t-002",
            "agreed.t-002 gate after deploy.t-002",
            "verify.t-002 verification after agreed.t-002",
        ]
    );
    let agreed = graph.node(ordinal(&graph, "agreed.t-001")).unwrap();
    assert_eq!((agreed.on_failure, agreed.batch), (OnFailure::Fail, Some(1)), "a denial is passed by nobody");
}

#[test]
fn no_gate_stands_on_the_way_back() {
    let (component, template) = (component(), gated());
    let what = Deployable {
        component: "component.web".parse().unwrap(),
        digest: Digest::of_bytes(b"v0"),
        size: 10,
        release: crate::id::Id::new(1, 1),
        version: "0.9.0".to_owned(),
        spec: &component,
    };
    let delivery = environment(&json!({})).delivery;
    let targets = vec![("target.e.t-1".parse().unwrap(), what)];
    let request = RollbackRequest {
        delivery: &delivery,
        targets,
        recipe: Recipe { template: &template, jobs: &BTreeMap::new(), sites: &[] },
    };
    let graph = plan_rollback(&request).unwrap();
    let laid: Vec<_> =
        graph.nodes().iter().map(|node| (node.node_id.as_str(), node.depends_on.len())).collect();
    assert_eq!(laid, [("deploy.t-1", 0), ("verify.t-1", 1)]);
}

#[test]
fn each_target_is_bound_to_an_agent_that_serves_it_or_is_told_why_not() {
    let agent = AgentOffer {
        name: "one".to_owned(),
        version: "1.0.0".to_owned(),
        capabilities: vec![DEPLOY_HOST.to_owned()],
        targets: vec!["target.e.t-1".parse().unwrap()],
    };
    let offers = Offers { agents: vec![agent], providers: Vec::new(), version: "0.1.0".to_owned() };
    let bindings = bind_delivery(
        &Recipe { template: &template(), jobs: &BTreeMap::new(), sites: &[site("t-1"), site("t-2")] },
        &offers,
        &[],
    );
    let told: Vec<_> =
        bindings.iter().map(|it| (it.requirement_id.as_str(), it.resolution_reason.as_str())).collect();
    assert_eq!(
        told,
        [
            ("deploy.t-1", "target.e.t-1 (agent one 1.0.0): chosen"),
            ("verify.t-1", "weir 0.1.0: chosen"),
            ("deploy.t-2", "target.e.t-2: no agent serves it"),
            ("verify.t-2", "weir 0.1.0: chosen"),
        ]
    );
}

fn site(name: &str) -> Site {
    let spec = json!({ "environment": "environment.e", "target_type": "host", "labels": { "zone": "a" } });
    let spec = serde_json::from_value(spec).unwrap();
    Site { address: format!("target.e.{name}").parse().unwrap(), spec, region: None }
}

fn ordinal(graph: &Graph, id: &str) -> u32 {
    graph.ordinal_of(&id.parse().unwrap()).unwrap_or_else(|| panic!("no node `{id}`"))
}

#[test]
fn a_gate_stands_before_every_deploy_and_a_verification_after_it() {
    let production = environment(&json!({ "required_approvals": 1, "require_sod": true }));
    let graph = plan(&production, 3, &[]).unwrap();
    for n in 1..=3 {
        let deploy = ordinal(&graph, &format!("deploy.t-{n:03}"));
        let upstream = graph.upstream(deploy);
        for gate in ["freeze", "approval", "decision"] {
            assert!(upstream.contains(&ordinal(&graph, gate)), "{gate} does not stand before t-{n}");
        }
        assert!(graph.downstream(deploy).contains(&ordinal(&graph, &format!("verify.t-{n:03}"))));
    }
}

#[test]
fn an_approval_is_asked_for_by_the_environment_or_by_a_policy() {
    let policy: Policy = serde_json::from_value(
        json!({ "kind": "approval", "required_approvals": 2, "eligible_groups": ["release-managers"] }),
    )
    .unwrap();
    assert!(
        plan(&environment(&json!({})), 1, &[]).unwrap().ordinal_of(&"approval".parse().unwrap()).is_none()
    );
    let graph = plan(&environment(&json!({})), 1, &[policy]).unwrap();
    let gate = graph.node(ordinal(&graph, "approval")).unwrap().gate.clone();
    match gate {
        Some(GateSpec::Approval(rule)) => {
            assert_eq!(
                (rule.rule.required_approvals, rule.rule.eligible_groups),
                (2, Some(vec!["release-managers".into()]))
            )
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_freeze_is_asked_about_after_the_approval_and_before_each_batch() {
    let production = environment(&json!({ "required_approvals": 1 }));
    let graph = plan(&production, 2, &[]).unwrap();
    assert!(graph.upstream(ordinal(&graph, "freeze")).contains(&ordinal(&graph, "approval")));
    assert!(graph.upstream(ordinal(&graph, "deploy.t-002")).contains(&ordinal(&graph, "freeze-2")));
    assert!(graph.upstream(ordinal(&graph, "freeze-2")).contains(&ordinal(&graph, "verify.t-001")));
}

#[test]
fn gates_stand_in_stages_and_those_about_time_before_each_batch() {
    let gate = |gate| json!({ "kind": "gate", "gate": gate });
    let policies: Vec<Policy> = [
        json!({ "kind": "approval", "required_approvals": 1 }),
        gate(json!({ "schedule": { "windows": [{ "days": ["sat"], "from": "22:00", "until": "04:00" }] } })),
        gate(json!({ "policy": { "rules": [{ "deny": "no", "when": { "production": false } }] } })),
        gate(json!({ "manual": { "people": ["bob"] } })),
        gate(json!({ "security": { "require": ["signature"] } })),
    ]
    .into_iter()
    .map(|policy| serde_json::from_value(policy).unwrap())
    .collect();
    let planned = plan(&environment(&json!({ "on_freeze": "refuse" })), 2, &policies).unwrap();
    let mut laid = String::new();
    for node in planned.nodes().iter().filter(|node| node.gate.is_some()) {
        let kind = node.gate.as_ref().map_or("", GateSpec::kind);
        let after: Vec<_> = node.depends_on.iter().map(ToString::to_string).collect();
        laid += &format!("{} {kind} after {}\n", node.node_id, after.join(" "));
    }
    let expected = "\
        gate.p-2 policy after \n\
        approval approval after gate.p-2\n\
        gate.p-3 manual after gate.p-2\n\
        gate.p-4 security after gate.p-2\n\
        freeze freeze_window after approval gate.p-3 gate.p-4\n\
        gate.p-1 schedule after freeze\n\
        freeze-2 freeze_window after verify.t-001\n\
        gate-2.p-1 schedule after freeze-2\n";
    assert_eq!(laid, expected);
    let refuses = |id: &str| match &planned.node(ordinal(&planned, id)).unwrap().gate {
        Some(GateSpec::FreezeWindow(freeze)) => !freeze.on_freeze.is_wait(),
        other => panic!("{other:?}"),
    };
    assert!(refuses("freeze") && !refuses("freeze-2"), "what runs is held, never refused");
}

#[test]
fn a_failure_leads_to_what_the_environment_says() {
    for (says, expected) in [("rollback", OnFailure::Rollback), ("stop", OnFailure::Fail)] {
        let graph = plan(&environment(&json!({ "delivery": { "on_failure": says } })), 1, &[]).unwrap();
        assert_eq!(graph.node(ordinal(&graph, "verify.t-001")).unwrap().on_failure, expected);
    }
    let tolerant = json!({ "delivery": { "on_failure": "rollback", "max_failed": 1 } });
    let graph = plan(&environment(&tolerant), 2, &[]).unwrap();
    assert_eq!(graph.node(ordinal(&graph, "deploy.t-001")).unwrap().on_failure, OnFailure::Continue);
    assert_eq!(graph.node(ordinal(&graph, "batch-2")).unwrap().on_failure, OnFailure::Rollback);
    assert!(graph.upstream(ordinal(&graph, "deploy.t-002")).contains(&ordinal(&graph, "batch-1")));
}

#[test]
fn what_cannot_be_planned_is_refused_with_what_is_missing() {
    assert!(matches!(plan(&environment(&json!({})), 0, &[]), Err(PlanError::NoTargets(_))));
    let mut odd = template();
    odd.nodes[0].capability = Some("deploy.moon".to_owned());
    let delivery = environment(&json!({})).delivery;
    let (component, target) = (component(), "target.e.t-1".parse().unwrap());
    let what = Deployable {
        component: "component.web".parse().unwrap(),
        digest: Digest::of_bytes(b"v1"),
        size: 10,
        release: crate::id::Id::new(1, 1),
        version: "1.0.0".to_owned(),
        spec: &component,
    };
    let request = RollbackRequest {
        delivery: &delivery,
        targets: vec![(target, what)],
        recipe: Recipe { template: &odd, jobs: &BTreeMap::new(), sites: &[] },
    };
    let error = plan_rollback(&request).unwrap_err();
    assert!(error.to_string().contains("deploy.moon"), "{error}");
}

#[test]
fn a_definition_is_applied_group_after_group_behind_its_approval() {
    let approval = Approval { required: 1, groups: Vec::new(), reasons: vec!["it drops a column".into()] };
    let request = DefinitionRequest {
        change_plan_digest: Digest::of_bytes(b"plan"),
        groups: vec!["a".into(), "b".into()],
        approval: Some(approval),
    };
    let graph = plan_definition(&request).unwrap();
    assert!(graph.upstream(ordinal(&graph, "change.group-2")).contains(&ordinal(&graph, "change.group-1")));
    assert!(graph.upstream(ordinal(&graph, "change.group-1")).contains(&ordinal(&graph, "approval")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_batch_begins_only_when_the_one_before_it_was_verified(targets in 1usize..40, batch_size in 1u32..12) {
        let rolling = environment(&json!({ "delivery": { "strategy": "rolling", "batch_size": batch_size } }));
        let graph = plan(&rolling, targets, &[]).unwrap();
        let of = |kind: NodeType| {
            (1..).zip(graph.nodes()).filter(move |(_, node)| node.node_type == kind && node.runs != Executor::Decide)
        };
        for (deploy, node) in of(NodeType::Job) {
            let upstream = graph.upstream(deploy);
            for (verify, before) in of(NodeType::Verification) {
                prop_assert_eq!(upstream.contains(&verify), before.batch < node.batch, "{} {}", node.node_id, before.node_id);
            }
        }
        let in_batch = |n: u32| of(NodeType::Job).filter(|(_, node)| node.batch == Some(n)).count();
        prop_assert!((1..=u32::try_from(targets).unwrap()).all(|n| in_batch(n) <= usize::try_from(batch_size).unwrap()));
    }

    #[test]
    fn the_same_request_gives_the_same_hash(targets in 1usize..20) {
        let spec = environment(&json!({}));
        let hash = || plan(&spec, targets, &[]).unwrap().graph_hash().unwrap();
        prop_assert_eq!(hash(), hash());
    }
}

#[test]
fn what_weir_calls_itself_is_a_job_that_names_its_outputs_and_secrets() {
    let template: Template = serde_json::from_value(json!({ "version": 1, "nodes": [
        { "id": "call", "type": "job", "capability": "http.call", "with": {
            "url": "https://hooks.example.org/x", "sign_with": "${HOOK}",
            "headers": { "authorization": "Bearer ${TOKEN}" }, "outputs": { "id": "/id" },
            "body": { "zone": "${target.labels.zone}", "on": "${target}" } } },
        { "id": "tcp", "type": "verification", "capability": "verify.tcp", "depends_on": ["call"] },
        { "id": "rate", "type": "verification", "capability": "verify.metric", "depends_on": ["call"] },
        { "id": "smoke", "type": "job", "capability": "lambda.invoke", "depends_on": ["call"] },
    ]}))
    .unwrap();
    let (component, target) = (component(), "target.e.t-1".parse().unwrap());
    let what = Deployable {
        component: "component.web".parse().unwrap(),
        digest: Digest::of_bytes(b"v1"),
        size: 10,
        release: crate::id::Id::new(1, 1),
        version: "1.0.0".to_owned(),
        spec: &component,
    };
    let place = Place { target: &target, what: &what, suffix: "t-1" };
    let (jobs, sites) = (BTreeMap::new(), [site("t-1")]);
    let recipe = Recipe { template: &template, jobs: &jobs, sites: &sites };
    let laid =
        fragment::lay(&recipe, &place, &std::collections::BTreeSet::new(), OnFailure::Fail, None).unwrap();
    assert!(laid.nodes.iter().all(|node| node.runs == Executor::Job));
    let call = laid.nodes[0].job_contract.as_ref().unwrap();
    assert_eq!(
        (call.outputs.clone(), call.secrets.clone()),
        (vec!["id".to_owned()], vec!["HOOK".to_owned(), "TOKEN".to_owned()])
    );
    assert_eq!(call.inputs["target"], json!("target.e.t-1"));
    assert_eq!(
        call.inputs["body"],
        json!({ "zone": "a", "on": "target.e.t-1" }),
        "what it refers to is filled in"
    );
    assert_eq!(call.inputs["sign_with"], json!("${HOOK}"), "and secrets are not");
    assert!(laid.nodes[1].job_contract.as_ref().unwrap().secrets.is_empty());
}
