//! How risky a scenario is, and what it waits for because of that

use super::*;

#[test]
fn an_environment_is_guarded_unless_nobody_notices() {
    let mut world = World::new(json!([check("a", json!({}))]));
    world.environment.required_approvals = 1;
    assert_eq!(edges(&world.plan(json!({})).unwrap()), ["a<-"]);
    world.scenarios[0].1.risk_metadata.level = Risk::Medium;
    assert_eq!(
        edges(&world.plan(json!({})).unwrap()),
        ["guard.approval<-", "guard.freeze<-guard.approval", "a<-guard.freeze"]
    );
}

#[test]
fn a_scenario_is_as_risky_as_the_riskiest_that_it_runs() {
    let of = |inner: &str| {
        let mut world = World::new(json!([{ "id": "a", "type": "job", "capability": "moon.land" }]));
        world.environment.required_approvals = 1;
        let lander = json!([{ "id": "b", "type": "sub_operation", "capability": "fuel" }]);
        let low = json!({ "level": "low" });
        world.add(
            "lander",
            json!({ "provides": ["moon.land"], "risk_metadata": low }),
            json!({ "nodes": lander }),
        );
        world.add(
            "tanker",
            json!({ "provides": ["fuel"], "risk_metadata": { "level": inner } }),
            json!({ "nodes": [check("pump", json!({}))] }),
        );
        world.plan(json!({})).unwrap()
    };
    let (free, held) = (of("low"), of("high"));
    assert_eq!((edges(&free), free.risk), (vec!["a<-".to_owned()], Risk::Low));
    assert_eq!(edges(&held), ["guard.approval<-", "guard.freeze<-guard.approval", "a<-guard.freeze"]);
    assert_eq!(held.risk, Risk::High);
    assert_eq!(edges(&held.children[0].plan), ["b<-"], "its gates stand before the operation that runs it");
}
