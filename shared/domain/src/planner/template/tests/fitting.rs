//! Who does a node: what fits, what does not, and what nobody can know of

use super::*;
use crate::{
    definition::spec::Provider,
    planner::binding::{Requirement, resolve},
};

/// Whether each requirement is bound, and why
fn told(planned: &PlannedScenario) -> Vec<(&str, BindingStatus, &str)> {
    planned
        .bindings
        .iter()
        .map(|it| (it.requirement_id.as_str(), it.binding_status, it.resolution_reason.as_str()))
        .collect()
}

#[test]
fn an_unmet_requirement_is_unbound_with_its_reason() {
    let world = World::new(json!([
        { "id": "a", "type": "job", "capability": "moon.land" },
        check("b", json!({ "constraints": { "version": ">=9" } })),
        check("c", json!({ "for_each": "target", "constraints": { "labels": { "zone": "b" } } })),
    ]));
    let planned = world.plan(json!({})).unwrap();
    assert_eq!(
        told(&planned),
        [
            (
                "a",
                BindingStatus::Unbound,
                "`moon.land` is nothing that this version does by itself; there is no candidate"
            ),
            ("b", BindingStatus::Unbound, "weir 0.1.0: its version is 0.1.0, not >=9"),
            ("c.t-1", BindingStatus::Unbound, "weir 0.1.0: its label `zone` is `a`, not `b`"),
            ("c.t-2", BindingStatus::Bound, "weir 0.1.0: chosen"),
        ]
    );
}

#[test]
fn a_provider_that_fits_is_told_to_the_node() {
    let provider: Provider =
        serde_json::from_value(json!({ "provider_type": "http", "provides": ["x"] })).unwrap();
    let world = World::new(json!([check("a", json!({}))]));
    let offers = Offers { providers: vec![(address("provider.p"), provider)], ..world.offers.clone() };
    let requirement = Requirement {
        id: "r".to_owned(),
        capability: "x",
        site: None,
        region: None,
        constraints: Constraints::default(),
    };
    let resolved = resolve(&requirement, &world.sites, &offers, &[], &[]);
    assert_eq!(resolved.binding.binding_status, BindingStatus::Unbound, "no adapter here speaks to it");
}

/// How `constraints` on `capability`, asked for on `site`, come out
fn bound(
    world: &World,
    capability: &str,
    site: Option<&Site>,
    constraints: Value,
) -> (BindingStatus, String) {
    let requirement = Requirement {
        id: "r".to_owned(),
        capability,
        site,
        region: Some("eu"),
        constraints: serde_json::from_value(constraints).unwrap(),
    };
    let binding = resolve(&requirement, &world.sites, &world.offers, &[], &[]).binding;
    (binding.binding_status, binding.resolution_reason)
}

#[test]
fn what_nobody_can_know_is_not_taken_for_true() {
    let mut world = World::new(json!([]));
    let provider = json!({ "provider_type": "directory", "provides": ["assignments.fetch"] });
    world.offers.providers.push((address("provider.p"), serde_json::from_value(provider).unwrap()));
    let site = world.sites[1].clone();
    for (capability, name) in [("http.call", "weir 0.1.0"), ("assignments.fetch", "provider.p")] {
        for (on, constraints, expected) in [
            (None, json!({}), Ok(())),
            (None, json!({ "region": "eu" }), Ok(())),
            (None, json!({ "region": "us" }), Err("it is done in region `eu`, not `us`")),
            (
                None,
                json!({ "labels": { "zone": "b" } }),
                Err("it is done on no target, so nothing has a label `zone`"),
            ),
            (Some(&site), json!({ "labels": { "zone": "b" }, "region": "eu" }), Ok(())),
            (Some(&site), json!({ "labels": { "zone": "a" } }), Err("its label `zone` is `b`, not `a`")),
            (Some(&site), json!({ "region": "us" }), Err("it is not in region `us`")),
        ] {
            let expected = match expected {
                Ok(()) => (BindingStatus::Bound, format!("{name}: chosen")),
                Err(why) => (BindingStatus::Unbound, format!("{name}: {why}")),
            };
            assert_eq!(
                bound(&world, capability, on, constraints.clone()),
                expected,
                "{capability} {constraints}"
            );
        }
    }
    let (status, why) = bound(&world, "assignments.fetch", None, json!({ "version": ">=2" }));
    assert_eq!(
        (status, why.as_str()),
        (BindingStatus::Unbound, "provider.p: nobody knows its version, and `>=2` is asked for")
    );
}

#[test]
fn every_agent_of_a_target_is_looked_at() {
    let mut world = World::new(json!([]));
    for (name, version) in [("three", "1.9.0"), ("four", "2.1.0")] {
        let agent = AgentOffer {
            name: name.to_owned(),
            version: version.to_owned(),
            ..world.offers.agents[0].clone()
        };
        world.offers.agents.push(agent);
    }
    let of = |wanted: &str| bound(&world, "deploy.host", world.sites.get(1), json!({ "version": wanted }));
    assert_eq!(of(">=2"), (BindingStatus::Bound, "target.e.t-2 (agent four 2.1.0): chosen".to_owned()));
    assert_eq!(
        of(">=3"),
        (
            BindingStatus::Unbound,
            "target.e.t-2 (agent two 1.2.0): agent two: its version is 1.2.0, not >=3, \
             agent three: its version is 1.9.0, not >=3, agent four: its version is 2.1.0, not >=3"
                .to_owned()
        )
    );
}

#[test]
fn what_has_to_be_true_is_asked_of_the_steps_of_a_scenario_that_provides_it_too() {
    let asks = |zone: &str| {
        let mut world = World::new(json!([{ "id": "a", "type": "job", "capability": "moon.land",
            "constraints": { "labels": { "zone": zone } } }]));
        let land = json!([check("land", json!({ "for_each": "target", "when": "${target.name} == 't-2'" }))]);
        world.add("lander", json!({ "provides": ["moon.land"] }), json!({ "nodes": land }));
        let planned = world.plan(json!({})).unwrap();
        assert_eq!(planned.bindings[0].binding_status, BindingStatus::SubOperation);
        planned.children[0].plan.bindings[0].binding_status
    };
    assert_eq!((asks("b"), asks("a")), (BindingStatus::Bound, BindingStatus::Unbound));
}

#[test]
fn constraints_are_filled_in_for_each_element() {
    let mut world = World::new(json!([]));
    world.scenarios.clear();
    let nodes = json!([
        { "id": "do", "type": "job", "capability": "command.run", "for_each": "${inputs.zones}",
          "constraints": { "labels": { "zone": "${each}" } } },
        check("look", json!({ "for_each": "${inputs.regions}", "constraints": { "region": "${each}" } })),
    ]);
    let list = json!({ "type": "list" });
    let low = json!({ "risk_metadata": { "level": "low" } });
    world.add("main", low, json!({ "nodes": nodes, "inputs": { "zones": list, "regions": list } }));
    for (agent, target) in world.offers.agents.iter_mut().zip(["target.e.t-2"]) {
        agent.capabilities = vec!["command.run".to_owned()];
        agent.targets = vec![address("target.e.t-1"), address(target)];
    }
    for site in world.sites.iter_mut().filter(|site| site.address.name() == "t-1") {
        site.spec.labels.insert("zone".to_owned(), "1".to_owned());
    }
    let planned = world.plan(json!({ "zones": ["b", 1, "c"], "regions": ["eu", "us"] })).unwrap();
    let outcomes: Vec<_> = told(&planned).into_iter().map(|(id, status, _)| (id, status)).collect();
    assert_eq!(
        outcomes,
        [
            ("do.b", BindingStatus::Bound),
            ("do.1", BindingStatus::Bound),
            ("do.c", BindingStatus::Unbound),
            ("look.eu", BindingStatus::Bound),
            ("look.us", BindingStatus::Unbound),
        ]
    );
    let target = |id: &str| {
        let ordinal = planned.graph.ordinal_of(&id.parse().unwrap()).unwrap();
        planned.graph.node(ordinal).unwrap().target.as_ref().map(ToString::to_string)
    };
    assert_eq!(
        (target("do.b").as_deref(), target("do.1").as_deref()),
        (Some("target.e.t-2"), Some("target.e.t-1")),
        "each element has a target that fits"
    );
    let wrong = world.plan(json!({ "zones": [["b"]], "regions": [] })).unwrap_err().to_string();
    assert!(wrong.contains("`constraints` that are none"), "{wrong}");
}

#[test]
fn a_constraint_that_nobody_has_given_is_not_dropped() {
    let mut world = World::new(json!([]));
    world.scenarios.clear();
    let nodes = json!([check("a", json!({ "constraints": { "region": "${inputs.region}" } }))]);
    let low = json!({ "risk_metadata": { "level": "low" } });
    world.add("main", low, json!({ "nodes": nodes, "inputs": { "region": {} } }));
    assert!(world.plan(json!({ "region": "eu" })).is_ok());
    let refused = world.plan(json!({})).unwrap_err().to_string();
    assert_eq!(
        refused,
        "node `a` of the template asks in `constraints` for a `region` that nobody has given"
    );
}

#[test]
fn what_was_asked_for_before_is_not_overruled_by_a_step() {
    let asks = |of_all: Value, own: Value| {
        let mut world = World::new(json!([check("a", json!({ "for_each": "target", "constraints": own }))]));
        world.constraints = serde_json::from_value(of_all).unwrap();
        let binding = world.plan(json!({})).unwrap().bindings.remove(1);
        (binding.binding_status, binding.resolution_reason)
    };
    for (of_all, own, expected) in [
        (json!({ "region": "eu" }), json!({ "labels": { "zone": "b" } }), Ok(())),
        (json!({ "region": "eu", "version": "*" }), json!({ "region": "eu", "version": ">=0.1" }), Ok(())),
        (json!({ "version": "<9" }), json!({ "version": ">=0.1" }), Ok(())),
        (
            json!({ "version": "<9" }),
            json!({ "version": ">=9" }),
            Err("weir 0.1.0: its version is 0.1.0, not <9, >=9"),
        ),
        (
            json!({ "region": "us" }),
            json!({ "region": "eu" }),
            Err("`region` has to be `us` by what this is planned for, and `eu` by itself"),
        ),
        (
            json!({ "labels": { "zone": "a" } }),
            json!({ "labels": { "zone": "b" } }),
            Err("`labels.zone` has to be `a` by what this is planned for, and `b` by itself"),
        ),
        (
            json!({ "adapter": "host" }),
            json!({ "adapter": "weir" }),
            Err("`adapter` has to be `host` by what this is planned for, and `weir` by itself"),
        ),
    ] {
        let expected = match expected {
            Ok(()) => (BindingStatus::Bound, "weir 0.1.0: chosen".to_owned()),
            Err(why) => (BindingStatus::Unbound, why.to_owned()),
        };
        assert_eq!(asks(of_all.clone(), own.clone()), expected, "{of_all} {own}");
    }
}
