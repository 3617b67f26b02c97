use super::*;
use crate::{
    definition::spec::{Environment, Job},
    plan::{BindingStatus, Executor, NodeType, OnFailure},
    planner::AgentOffer,
};
use proptest::prelude::*;
use serde_json::json;

mod bounds;
mod fitting;
mod risk;
mod secrets;
mod shared;
mod undo;

/// A definition to plan in
struct World {
    scenarios: Vec<(Address, Scenario)>,
    templates: BTreeMap<Address, Template>,
    jobs: BTreeMap<Address, Job>,
    sites: Vec<Site>,
    environment: Environment,
    offers: Offers,
    constraints: Constraints,
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

impl World {
    /// Two targets in one environment, in zones `a` and `b`, the second of which has an agent
    fn new(nodes: Value) -> Self {
        let mut world = Self {
            scenarios: Vec::new(),
            templates: BTreeMap::new(),
            jobs: BTreeMap::new(),
            sites: Vec::new(),
            environment: serde_json::from_value(json!({ "order_index": 1, "region": "eu" })).unwrap(),
            offers: Offers {
                agents: vec![AgentOffer {
                    name: "two".to_owned(),
                    version: "1.2.0".to_owned(),
                    capabilities: vec!["deploy.host".to_owned()],
                    targets: vec![address("target.e.t-2")],
                }],
                providers: Vec::new(),
                version: "0.1.0".to_owned(),
            },
            constraints: Constraints::default(),
        };
        for (name, zone) in [("t-1", "a"), ("t-2", "b")] {
            let spec =
                json!({ "environment": "environment.e", "target_type": "host", "labels": { "zone": zone } });
            let spec = serde_json::from_value(spec).unwrap();
            world.sites.push(Site {
                address: address(&format!("target.e.{name}")),
                spec,
                region: Some("eu".to_owned()),
            });
        }
        world.add("main", json!({ "risk_metadata": { "level": "low" } }), json!({ "nodes": nodes }));
        world
    }

    /// Adds a scenario with its template
    fn add(&mut self, name: &str, scenario: Value, template: Value) {
        let mut spec = json!({
            "version": 1, "target_resource_type": "environment", "actions": [name], "template": format!("template.{name}"),
        });
        spec.as_object_mut().unwrap().extend(scenario.as_object().unwrap().clone());
        self.scenarios.push((address(&format!("scenario.{name}")), serde_json::from_value(spec).unwrap()));
        let mut spec = json!({ "version": 3 });
        spec.as_object_mut().unwrap().extend(template.as_object().unwrap().clone());
        self.templates.insert(address(&format!("template.{name}")), serde_json::from_value(spec).unwrap());
    }

    fn plan(&self, inputs: Value) -> Result<PlannedScenario, PlanError> {
        let (environment, spec) = (address("environment.e"), json!({ "region": "eu" }));
        plan_scenario(&ScenarioRequest {
            scenario: &self.scenarios[0],
            template: &self.templates[&address("template.main")],
            library: Library { scenarios: &self.scenarios, templates: &self.templates, jobs: &self.jobs },
            subject: Subject { address: &environment, spec: &spec },
            sites: &self.sites,
            guarded: Some(Guarded { environment: &environment, spec: &self.environment, policies: &[] }),
            inputs: inputs.as_object().unwrap(),
            constraints: &self.constraints,
            offers: &self.offers,
        })
    }
}

/// The plan's edges, as `a<-b,c`
fn edges(planned: &PlannedScenario) -> Vec<String> {
    let line = |node: &PlanNode| {
        let needs: Vec<_> = node.depends_on.iter().map(ToString::to_string).collect();
        format!("{}<-{}", node.node_id, needs.join(","))
    };
    planned.graph.nodes().iter().map(line).collect()
}

fn check(id: &str, more: Value) -> Value {
    let mut node = json!({ "id": id, "type": "verification", "capability": "verify.http" });
    node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    node
}

#[test]
fn a_node_for_each_target_waits_for_its_own_and_one_for_all_waits_for_all() {
    let world = World::new(json!([
        check("a", json!({ "for_each": "target" })),
        check("b", json!({ "for_each": "target", "depends_on": ["a"] })),
        check("c", json!({ "depends_on": ["b"] })),
        check("d", json!({ "for_each": "target", "depends_on": ["c"] })),
    ]));
    assert_eq!(
        edges(&world.plan(json!({})).unwrap()),
        ["a.t-1<-", "a.t-2<-", "b.t-1<-a.t-1", "b.t-2<-a.t-2", "c<-b.t-1,b.t-2", "d.t-1<-c", "d.t-2<-c"]
    );
}

#[test]
fn a_list_multiplies_and_each_element_is_filled_in() {
    let mut world = World::new(json!([]));
    let nodes = json!([
        check(
            "a",
            json!({ "for_each": "${inputs.regions}", "with": { "path": "/${each}", "n": "${inputs.n}" } })
        ),
        check(
            "b",
            json!({ "for_each": "${inputs.regions}", "depends_on": ["a"], "when": "${each} != 'us'" })
        ),
        check("c", json!({ "depends_on": ["b"] })),
    ]);
    let inputs = json!({ "regions": { "type": "list" }, "n": { "type": "integer", "default": 3 } });
    world.scenarios.clear();
    world.add(
        "main",
        json!({ "risk_metadata": { "level": "low" } }),
        json!({ "nodes": nodes, "inputs": inputs }),
    );
    let planned = world.plan(json!({ "regions": ["EU west", "us"] })).unwrap();
    assert_eq!(edges(&planned), ["a.eu-west<-", "a.us<-", "b.eu-west<-a.eu-west", "c<-a.us,b.eu-west"]);
    let given = planned.graph.node(1).unwrap().job_contract.clone().unwrap().inputs;
    assert_eq!(Value::Object(given), json!({ "path": "/EU west", "n": 3 }));
    assert_eq!(edges(&world.plan(json!({ "regions": [] })).unwrap()), ["c<-"]);
    for (regions, expected) in [
        (json!(["eu", "EU"]), "input `regions` holds `eu` twice"),
        (json!("eu"), "input `regions` has to be of type `list`"),
    ] {
        let refused = world.plan(json!({ "regions": regions })).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{refused}");
    }
}

#[test]
fn a_node_that_is_left_out_is_bridged() {
    let nodes = json!([
        check("a", json!({})),
        check("b", json!({ "depends_on": ["a"], "when": "${inputs.full}" })),
        check("c", json!({ "depends_on": ["b"], "when": "${inputs.full}" })),
        check(
            "d",
            json!({ "depends_on": ["c"], "when": "${target.labels.zone} == 'b'", "for_each": "target" })
        ),
        check("e", json!({ "depends_on": ["d"] })),
    ]);
    let mut world = World::new(json!([]));
    world.scenarios.clear();
    let inputs = json!({ "full": { "type": "boolean", "default": false } });
    world.add(
        "main",
        json!({ "risk_metadata": { "level": "low" } }),
        json!({ "nodes": nodes, "inputs": inputs }),
    );
    assert_eq!(edges(&world.plan(json!({})).unwrap()), ["a<-", "d.t-2<-a", "e<-a,d.t-2"]);
    let full = edges(&world.plan(json!({ "full": true })).unwrap());
    assert_eq!(full, ["a<-", "b<-a", "c<-b", "d.t-2<-c", "e<-c,d.t-2"]);
    let none = World::new(json!([check("a", json!({ "when": "false" }))]));
    assert!(matches!(none.plan(json!({})), Err(PlanError::NothingLeft(_))));
}

#[test]
fn every_kind_of_node_is_planned_as_what_it_is() {
    let world = World::new(json!([
        { "id": "gate", "type": "gate", "gate": { "approval": { "required_approvals": 2, "require_sod": true } } },
        { "id": "freeze", "type": "gate", "gate": { "freeze_window": {} }, "depends_on": ["gate"] },
        { "id": "hand", "type": "intervention", "with": { "ask": "look at ${resource.name}" }, "depends_on": ["freeze"] },
        check("look", json!({ "depends_on": ["hand"], "on_failure": "pause" })),
        check("again", json!({ "depends_on": ["look"] })),
        { "id": "said", "type": "evidence", "depends_on": ["again"], "on_failure": "rollback" },
    ]));
    let planned = world.plan(json!({})).unwrap();
    let kinds: Vec<_> = planned.graph.nodes().iter().map(|node| (node.node_type, node.on_failure)).collect();
    assert_eq!(
        kinds,
        [
            (NodeType::Gate, OnFailure::Fail),
            (NodeType::Gate, OnFailure::Fail),
            (NodeType::Intervention, OnFailure::Fail),
            (NodeType::Verification, OnFailure::Pause),
            (NodeType::Verification, OnFailure::Fail),
            (NodeType::Evidence, OnFailure::Rollback),
        ]
    );
    let nodes = planned.graph.nodes();
    let rule = serde_json::to_value(&nodes[0].gate).unwrap();
    assert_eq!(
        (&rule["rule"]["required_approvals"], &rule["rule"]["require_sod"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(nodes[2].job_contract.as_ref().unwrap().inputs["ask"], "look at e");
    for (node, expected) in [
        (json!({ "id": "x", "type": "gate" }), "does not say in `gate`"),
        (json!({ "id": "x", "type": "change" }), "is of type `change`"),
        (json!({ "id": "x", "type": "job" }), "asks for no capability"),
        (json!({ "id": "x", "type": "job", "capability": "deploy.host" }), "planned by `deploy`, `promote`"),
        (json!({ "id": "x", "type": "job", "job": "job.gone" }), "names `job.gone`"),
        (check("x", json!({ "with": { "path": "${inputs.gone}" } })), "refers to nothing"),
    ] {
        let refused = World::new(json!([node])).plan(json!({})).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn what_is_exclusive_is_known_from_the_bindings() {
    let mut world =
        World::new(json!([check("a", json!({ "for_each": "target", "when": "${target.name} == 't-2'" }))]));
    world.sites.iter_mut().for_each(|site| site.spec.exclusive = true);
    let of = |world: &World| {
        let planned = world.plan(json!({})).unwrap();
        planned.exclusive.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(of(&world), ["target.e.t-2"]);
    world.environment.exclusive = true;
    assert_eq!(of(&world), ["environment.e", "target.e.t-2"]);
}

#[test]
fn what_a_scenario_provides_runs_as_an_operation_of_its_own() {
    let mut world = World::new(json!([
        { "id": "a", "type": "job", "capability": "moon.land", "with": { "where": "sea", "other": 1 } },
        check("b", json!({ "depends_on": ["a"] })),
    ]));
    let inputs = json!({ "where": { "type": "string", "required": true } });
    let nodes = json!([check("land", json!({ "with": { "path": "/${inputs.where}" } }))]);
    let lander = json!({ "provides": ["moon.land"], "risk_metadata": { "level": "low" } });
    world.add("lander", lander, json!({ "nodes": nodes, "inputs": inputs }));
    let planned = world.plan(json!({})).unwrap();
    let node = planned.graph.node(1).unwrap();
    assert_eq!((node.node_type, &node.runs), (NodeType::SubOperation, &Executor::Decide));
    let [child] = planned.children.as_slice() else { panic!("{:?}", planned.children) };
    assert_eq!((child.requirement_id.as_str(), child.scenario.as_str()), ("a", "scenario.lander"));
    assert_eq!(edges(&child.plan), ["land<-"], "no gate of its own");
    let hash = child.plan.graph.graph_hash().unwrap();
    assert_eq!(
        node.job_contract.as_ref().unwrap().inputs["graph_hash"],
        json!(hash),
        "an approval is given to it, too"
    );
    assert_eq!(planned.bindings[0].binding_status, BindingStatus::SubOperation);
}

#[test]
fn scenarios_do_not_run_each_other_without_end() {
    let mut world = World::new(json!([{ "id": "a", "type": "job", "capability": "moon.land" }]));
    let nodes = json!([{ "id": "b", "type": "sub_operation", "capability": "moon.land" }]);
    world.add("lander", json!({ "provides": ["moon.land"] }), json!({ "nodes": nodes }));
    let refused = world.plan(json!({})).unwrap_err().to_string();
    assert!(refused.ends_with("scenario.main → scenario.lander → scenario.lander"), "{refused}");
}

#[test]
fn what_the_scenario_requires_as_a_whole_comes_first() {
    let mut world = World::new(json!([check("a", json!({}))]));
    world.scenarios[0].1.requires = vec!["verify.http".to_owned(), "fuel".to_owned()];
    let unmet = world.plan(json!({})).unwrap();
    assert_eq!(unmet.bindings[0].binding_status, BindingStatus::Unbound);
    let tanker = json!({ "provides": ["fuel"], "risk_metadata": { "level": "low" } });
    world.add("tanker", tanker, json!({ "nodes": [check("pump", json!({}))] }));
    assert_eq!(edges(&world.plan(json!({})).unwrap()), ["provide.fuel<-", "a<-provide.fuel"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn conditions_never_lose_an_order(shape in proptest::collection::vec((any::<bool>(), 0u8..3, proptest::collection::vec(0usize..8, 0..3)), 1..9)) {
        let name = |at: usize| format!("n{at}");
        let node = |(at, (kept, fan, needs)): (usize, &(bool, u8, Vec<usize>))| {
            let needs: BTreeSet<_> = needs.iter().filter(|need| **need < at).map(|need| name(*need)).collect();
            let mut node = json!({ "when": kept.to_string(), "depends_on": needs });
            match fan {
                0 => {}
                1 => node["for_each"] = json!("target"),
                _ => node["for_each"] = json!("${inputs.list}"),
            }
            check(&name(at), node)
        };
        let nodes: Vec<_> = shape.iter().enumerate().map(node).collect();
        let mut world = World::new(json!([]));
        world.scenarios.clear();
        let inputs = json!({ "list": { "default": ["x", "y", "z"] } });
        world.add("main", json!({ "risk_metadata": { "level": "low" } }), json!({ "nodes": nodes, "inputs": inputs }));
        let template = world.templates[&address("template.main")].clone();
        match world.plan(json!({})) {
            Err(error) => prop_assert!(matches!(error, PlanError::NothingLeft(_)) && shape.iter().all(|it| !it.0), "{error}"),
            Ok(planned) => {
                // Whatever comes before a node in the template comes before it in the plan, if both are there.
                let of = |id: &str| {
                    let at = template.nodes.iter().position(|spec| id == spec.id || id.starts_with(&format!("{}.", spec.id)));
                    at.unwrap()
                };
                for (ordinal, node) in (1..).zip(planned.graph.nodes()) {
                    let spec = &template.nodes[of(node.node_id.as_str())];
                    let upstream: BTreeSet<usize> = planned.graph.upstream(ordinal).into_iter()
                        .filter_map(|it| planned.graph.node(it)).filter(|it| it.runs != Executor::Join)
                        .map(|it| of(it.node_id.as_str())).collect();
                    let mut before = BTreeSet::new();
                    let mut open: Vec<_> = spec.depends_on.clone();
                    while let Some(need) = open.pop() {
                        let at = template.nodes.iter().position(|it| it.id == need).unwrap();
                        if before.insert(at) {
                            open.extend(template.nodes[at].depends_on.clone());
                        }
                    }
                    let kept: BTreeSet<usize> = before.into_iter().filter(|at| shape[*at].0).collect();
                    prop_assert_eq!(upstream, kept, "{}", node.node_id);
                }
            }
        }
    }
}
