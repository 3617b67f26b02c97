//! What is run: a plan of 200 nodes, drawn by a template over four targets, and a small one to hold and to cancel
//!
//! Two lanes of 90 steps of one second each, with two gates across both of them, are the longest way through it. What
//! trouble is made for stands beside them, with time to spare: a lane whose agent is killed, one that the test does by
//! hand, calls over HTTP.

use serde_json::{Value, json};

/// Nodes of the plan, the environment's two gates included
pub const NODES: usize = 200;
/// The targets of the lanes: as many as LocalStack can serve, which has 80 ms of its one thread to do for each node
pub const LANES: [&str; 2] = ["lane-1", "lane-2"];
/// The target whose agent is killed
pub const SIDE: &str = "side";
/// The target whose agent is the test
pub const HAND: &str = "hand";

const STEPS: usize = 90;
/// After these a gate stands across all lanes
const GATES: [usize; 2] = [30, 60];

/// The environment with its targets, and what can be done to it; calls go to `server`
pub fn text(server: &str) -> String {
    let target = |name: &str, lane: &str| {
        format!("  fleet.{name}: {{environment: fleet, target_type: host, labels: {{lane: {lane}}}}}\n")
    };
    let lanes: String = LANES.iter().map(|name| target(name, "main")).collect();
    let targets = [lanes, target(SIDE, SIDE), target(HAND, HAND)].concat();
    format!(
        "environment:\n  fleet: {{display_name: Fleet, order_index: 8, required_approvals: 1, require_sod: true}}\n\
         target:\n{targets}\
         scenario:\n  \
         voyage: {{version: 1, target_resource_type: environment, actions: [sail], template: voyage}}\n  \
         drill: {{version: 1, target_resource_type: environment, actions: [drill], template: drill, \
         risk_metadata: {{level: low}}}}\n\
         template:\n{}{}",
        template("voyage", &voyage(server)),
        template("drill", &drill()),
    )
}

/// A template; JSON is YAML, too
fn template(name: &str, nodes: &[Value]) -> String {
    let nodes: String = nodes.iter().map(|node| format!("      - {node}\n")).collect();
    format!("  {name}:\n    version: 1\n    nodes:\n{nodes}")
}

/// One step on the target of each lane
fn step(id: &str, args: &[&str], needs: &[&str]) -> Value {
    json!({ "id": id, "type": "job", "capability": "command.run", "for_each": "target",
        "when": "${target.labels.lane} == 'main'", "depends_on": needs, "timeout_s": 900, "attempts": 3,
        "with": { "command": "work", "args": args } })
}

/// One step on the target of `lane`
fn beside(id: &str, lane: &str, args: &[&str], needs: &[&str]) -> Value {
    json!({ "id": id, "type": "job", "capability": "command.run", "constraints": { "labels": { "lane": lane } },
        "depends_on": needs, "timeout_s": 900, "attempts": 3, "backoff": { "initial_s": 1 },
        "with": { "command": "work", "args": args } })
}

fn call(id: &str, url: &str, needs: &[&str]) -> Value {
    json!({ "id": id, "type": "job", "capability": "http.call", "depends_on": needs, "timeout_s": 30, "attempts": 3,
        "with": { "url": url } })
}

fn voyage(server: &str) -> Vec<Value> {
    let name = |step: usize| format!("step-{step:02}");
    let mut nodes = Vec::new();
    let mut before: Vec<String> = Vec::new();
    for at in 1..=STEPS {
        nodes.push(step(&name(at), &["1"], &before.iter().map(String::as_str).collect::<Vec<_>>()));
        before = vec![name(at)];
        if GATES.contains(&at) {
            let gate = json!({ "freeze_window": {} });
            nodes.push(
                json!({ "id": format!("tide-{at}"), "type": "gate", "depends_on": before, "gate": gate }),
            );
            before = vec![format!("tide-{at}")];
        }
    }
    let side = |id: &str, args: &[&str], needs: &[&str]| beside(id, SIDE, args, needs);
    nodes.push(side("side-1", &["1", "hangs-once"], &[]));
    for at in 2..=6 {
        nodes.push(side(&format!("side-{at}"), &["1"], &[&format!("side-{}", at - 1)]));
    }
    nodes.extend([
        // It fails for good until somebody has put a file there.
        side("fragile", &["0", "needs", "repaired"], &["side-6"]),
        side("after-1", &["0"], &["fragile"]),
        side("after-2", &["0"], &["after-1"]),
        beside("hand-1", HAND, &["0"], &[]),
        beside("hand-2", HAND, &["0"], &["hand-1"]),
        json!({ "id": "go", "type": "gate", "gate": { "manual": { "groups": ["release-managers"] } } }),
        call("lost", &format!("{server}/lost"), &["go"]),
        call("changed", &format!("{server}/before"), &["step-70"]),
        call("spare", &format!("{server}/spare"), &["step-70"]),
        call("arrive", &format!("{server}/arrived"), &["step-75", "hand-2", "changed", "spare"]),
    ]);
    nodes
}

/// Three steps a lane; the second is longer than anybody waits
fn drill() -> Vec<Value> {
    vec![
        step("first", &["0", "awaits", "released"], &[]),
        step("endless", &["600"], &["first"]),
        step("last", &["0"], &["endless"]),
    ]
}
