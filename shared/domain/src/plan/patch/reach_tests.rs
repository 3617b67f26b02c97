use super::*;
use crate::{
    definition::{
        address::Address,
        spec::{Provider, Target},
    },
    plan::{Graph, PlanNode},
    planner::{APPLY_GROUP, ASSIGNMENTS_FETCH, ASSIGNMENTS_RESTORE, BATCH_CHECK, EVIDENCE, REBUILD_ROWS},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn node(node: Value) -> PlanNode {
    serde_json::from_value(node).unwrap()
}

fn deploy(target: &str, digest: &str) -> Value {
    json!({ "capability": "deploy.host", "timeout_s": 60, "attempts": 1,
        "inputs": { "target": target, "digest": digest } })
}

/// What runs on staging, behind its gate
fn plan() -> Graph {
    let freeze =
        node(json!({ "node_id": "freeze", "type": "gate", "title": "freeze", "runs": "decide", "gate": {
        "kind": "freeze_window", "environment": "environment.staging" } }));
    let deploys = |name: &str, digest: &str, needs: &str| {
        let target = format!("target.staging.{name}");
        node(json!({ "node_id": format!("deploy.{name}"), "type": "job", "title": "deploy", "target": target,
            "runs": format!("agent:{target}"), "depends_on": [needs], "job_contract": deploy(&target, digest) }))
    };
    let checks = node(json!({ "node_id": "check", "type": "job", "title": "check", "runs": "job",
        "depends_on": ["deploy.c"], "job_contract": contract("http.call", json!({})) }));
    let mut tells = json!({ "node_id": "tell", "type": "job", "title": "tell", "runs": "job",
        "depends_on": ["deploy.c"], "job_contract": tell("https://a", &["ONE", "TWO"]) });
    tells["compensation"] = json!({ "runs": "job", "job_contract": tell("https://b", &["THREE"]) });
    let [a, c] = [deploys("a", "sha256:1", "freeze"), deploys("c", "sha256:1", "deploy.a")];
    Graph::new(vec![freeze, a, c, checks, node(tells)]).unwrap()
}

/// Tells `secrets` to `url`
fn tell(url: &str, secrets: &[&str]) -> Value {
    let named: Vec<_> = secrets.iter().map(|name| format!("${{{name}}}")).collect();
    let mut contract = contract("http.call", json!({ "url": url, "headers": { "x": named.join(" ") } }));
    contract["secrets"] = json!(secrets);
    contract
}

fn contract(capability: &str, inputs: Value) -> Value {
    json!({ "capability": capability, "inputs": inputs, "timeout_s": 60, "attempts": 1 })
}

/// What comes of adding `added`, a node without a name
fn added(mut added: Value) -> Result<(), PatchError> {
    for (name, value) in
        [("node_id", json!("new")), ("title", json!("new")), ("depends_on", json!(["deploy.a"]))]
    {
        added[name] = value;
    }
    made(&PatchChanges { added: vec![node(added)], ..PatchChanges::default() })
}

fn made(changes: &PatchChanges) -> Result<(), PatchError> {
    let target = |name: &str, environment: &str, exclusive: bool| -> (Address, Target) {
        let spec = json!({ "environment": environment, "target_type": "host", "exclusive": exclusive });
        (address(name), serde_json::from_value(spec).unwrap())
    };
    let provider = |name: &str, exclusive: bool| -> (Address, Provider) {
        let spec = json!({ "provider_type": "directory", "exclusive": exclusive });
        (address(name), serde_json::from_value(spec).unwrap())
    };
    let (before, staging) = (plan(), address("environment.staging"));
    let after = apply(&before, changes, 1, 1)?;
    let held = BTreeSet::from([address("target.staging.mine")]);
    let targets = [
        target("target.staging.a", "environment.staging", true),
        target("target.staging.b", "environment.staging", false),
        target("target.staging.c", "environment.staging", false),
        target("target.staging.mine", "environment.staging", true),
        target("target.staging.theirs", "environment.staging", true),
        target("target.production.x", "environment.production", false),
    ];
    let providers = [provider("provider.open", false), provider("provider.alone", true)];
    let reach = Reach {
        environment: Some(&staging),
        exclusive: &held,
        targets: &targets,
        providers: &providers,
        of_another: false,
        planned: &before,
    };
    within_reach(&before, &after, &diff(&before, &after), &reach)
}

fn job(contract: Value) -> Value {
    json!({ "type": "job", "runs": "job", "job_contract": contract })
}

fn on(target: &str) -> Value {
    json!({ "type": "job", "runs": format!("agent:{target}"), "target": target,
        "job_contract": contract("command.run", json!({})) })
}

#[test]
fn a_patch_stays_within_the_environments_whose_gates_were_asked() {
    for place in ["target.staging.a", "target.staging.b"] {
        assert_eq!(added(on(place)), Ok(()), "{place}");
        assert_eq!(added(job(contract("http.call", json!({ "target": place })))), Ok(()), "{place}");
    }
    for place in ["target.production.x", "target.staging.unknown", "environment.staging", "${outputs.where}"]
    {
        let elsewhere = Err(PatchError::Elsewhere { node: "new".parse().unwrap(), place: place.to_owned() });
        assert_eq!(added(job(contract("http.call", json!({ "target": place })))), elsewhere, "{place}");
        let mut undone = job(contract("http.call", json!({})));
        undone["compensation"] =
            json!({ "runs": "job", "job_contract": contract("http.call", json!({ "target": place })) });
        assert_eq!(added(undone), elsewhere, "{place}");
    }
    assert!(matches!(added(on("target.production.x")), Err(PatchError::Elsewhere { .. })));
    let mut node = on("target.staging.a");
    node["runs"] = json!("agent:target.production.x");
    assert!(matches!(added(node), Err(PatchError::Elsewhere { .. })), "wherever it is said");
    let mut undone = on("target.staging.a");
    undone["compensation"] = json!({ "runs": "agent:target.production.x",
        "job_contract": contract("command.run", json!({})) });
    assert!(matches!(added(undone), Err(PatchError::Elsewhere { .. })));
}

#[test]
fn a_node_that_is_changed_is_asked_as_a_new_one_is() {
    let changed = |contract: Option<Value>| {
        let job_contract = contract.map(|it| serde_json::from_value(it).unwrap());
        let title = Some("another".to_owned());
        made(&PatchChanges {
            changed: vec![Changed {
                node_id: "check".parse().unwrap(),
                title,
                job_contract,
                on_failure: None,
            }],
            ..PatchChanges::default()
        })
    };
    assert_eq!(changed(None), Ok(()));
    assert_eq!(changed(Some(contract("http.call", json!({ "target": "target.staging.b" })))), Ok(()));
    let there = contract("http.call", json!({ "target": "target.production.x" }));
    assert!(matches!(changed(Some(there)), Err(PatchError::Elsewhere { .. })));
    assert!(matches!(changed(Some(contract(APPLY_GROUP, json!({})))), Err(PatchError::Planned { .. })));
}

#[test]
fn what_one_operation_at_a_time_may_use_has_to_be_held() {
    assert_eq!(added(on("target.staging.mine")), Ok(()));
    let not_queued =
        |text: &str| Err(PatchError::NotQueued { node: "new".parse().unwrap(), resource: address(text) });
    assert_eq!(added(on("target.staging.theirs")), not_queued("target.staging.theirs"));
    let reads = |provider: &str| added(job(contract(ASSIGNMENTS_FETCH, json!({ "provider": provider }))));
    assert_eq!(reads("provider.open"), Ok(()));
    assert_eq!(reads("provider.alone"), not_queued("provider.alone"));
}

#[test]
fn what_only_planners_ask_for_is_not_asked_for_by_a_patch() {
    for what in [APPLY_GROUP, ASSIGNMENTS_RESTORE, REBUILD_ROWS, EVIDENCE, BATCH_CHECK] {
        let planned = Err(PatchError::Planned { node: "new".parse().unwrap(), what: what.to_owned() });
        assert_eq!(added(job(contract(what, json!({})))), planned);
        let mut undone = job(contract("http.call", json!({})));
        undone["compensation"] = json!({ "runs": "job", "job_contract": contract(what, json!({})) });
        assert_eq!(added(undone), planned);
    }
    for (node_type, runs) in [("sub_operation", "decide"), ("evidence", "decide"), ("change", "job")] {
        let asks =
            json!({ "type": node_type, "runs": runs, "job_contract": contract("http.call", json!({})) });
        assert!(matches!(added(asks), Err(PatchError::Planned { .. })), "{node_type}");
    }
    let nobody = added(job(contract("teleport", json!({}))));
    assert!(matches!(nobody, Err(PatchError::NoCapability { .. })), "{nobody:?}");
}

#[test]
fn what_is_deployed_may_be_deployed_once_more_and_nothing_else() {
    let deploys = |target: &str, digest: &str| {
        added(json!({ "type": "job", "target": target, "runs": format!("agent:{target}"),
            "job_contract": deploy(target, digest) }))
    };
    assert_eq!(deploys("target.staging.a", "sha256:1"), Ok(()));
    for (target, digest) in [
        ("target.staging.a", "sha256:2"),
        ("target.staging.b", "sha256:1"),
        ("target.production.x", "sha256:1"),
    ] {
        assert!(matches!(deploys(target, digest), Err(PatchError::Planned { .. })), "{target} {digest}");
    }
    // By whom and about what it is done belongs to it, too.
    for (runs, target) in [("a", "c"), ("c", "a"), ("c", "c")] {
        let [runs, target] = [runs, target].map(|name| format!("target.staging.{name}"));
        let node = json!({ "type": "job", "target": target, "runs": format!("agent:{runs}"),
            "job_contract": deploy("target.staging.a", "sha256:1") });
        assert!(matches!(added(node), Err(PatchError::Planned { .. })), "{runs} {target}");
    }
}

#[test]
fn a_secret_is_told_to_nobody_whom_the_plan_does_not_tell_it() {
    let secret =
        |name: &str| Err(PatchError::Secret { node: "new".parse().unwrap(), secret: name.to_owned() });
    for (url, secrets, expected) in [
        ("https://a", &["ONE"][..], Ok(())),
        ("https://a", &["ONE", "TWO"], Ok(())),
        ("https://b", &["THREE"], Ok(())),
        ("https://a", &["THREE"], secret("THREE")),
        ("https://a", &["ONE", "THREE"], secret("THREE")),
        ("https://c", &["ONE"], secret("ONE")),
        ("https://a/else", &["ONE"], secret("ONE")),
        ("https://a", &["FOUR"], secret("FOUR")),
    ] {
        assert_eq!(added(job(tell(url, secrets))), expected, "{url} {secrets:?}");
        let mut undone = job(contract("http.call", json!({})));
        undone["compensation"] = json!({ "runs": "job", "job_contract": tell(url, secrets) });
        assert_eq!(added(undone), expected, "{url} {secrets:?}, undone");
    }
    let mut metric = tell("https://a", &["ONE"]);
    metric["capability"] = json!("verify.metric");
    assert_eq!(added(job(metric)), secret("ONE"), "by another capability");
    let mut there = tell("https://a", &["ONE"]);
    there["inputs"]["target"] = json!("target.staging.a");
    assert_eq!(added(job(there)), secret("ONE"), "at another target");
    let mut listed = tell("https://a", &["ONE"]);
    listed["inputs"]["headers"] = json!({});
    listed["secrets"] = json!(["FOUR"]);
    assert_eq!(added(job(listed)), secret("FOUR"), "listed, and named nowhere");
    let mut named = tell("https://a", &["FOUR"]);
    named["secrets"] = json!([]);
    assert_eq!(added(job(named)), secret("FOUR"), "named, and not listed");
    let mut misplaced = tell("https://a/${ONE}", &["ONE"]);
    misplaced["inputs"]["headers"] = json!({});
    assert!(matches!(added(job(misplaced)), Err(PatchError::Misplaced { .. })));
}
