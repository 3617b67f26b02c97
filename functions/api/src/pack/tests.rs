use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::plan::PlanContext;
use weir_edge::wire::{intent::IntentView, pack::PackView, page::Page, plan::PlanView};
use weir_testkit::TestApi;

fn of(version: &str) -> Value {
    json!({ "name": "ops", "version": version, "vendor": "Acme Works", "signer": "acme", "digest": "sha256:0" })
}

async fn put(shop: &Shop, version: &str) {
    let put = async |address: &str, mut spec: Value| {
        spec["pack"] = of(version);
        shop.api.resource(&shop.scope.outer(), address, spec).await;
    };
    for (name, risk) in [("look", "low"), ("restart", "medium")] {
        let scenario = json!({
            "version": 3, "source": "marketplace", "target_resource_type": "environment", "actions": [name],
            "requires": ["verify.http"], "template": "template.look", "risk_metadata": { "level": risk },
        });
        put(&format!("scenario.{name}"), scenario).await;
    }
    let nodes = json!([{ "id": "look", "type": "verification", "capability": "verify.http" }]);
    put("template.look", json!({ "version": 1, "nodes": nodes })).await;
}

async fn list(api: &TestApi, by: &str) -> Vec<PackView> {
    api.get("/v1/packs").by(by).send().await.read::<Page<PackView>>(200).items
}

#[tokio::test]
async fn packs_are_listed_with_their_signer_their_risk_and_what_they_hold() {
    let shop = Shop::open().await;
    assert!(list(&shop.api, "viewer").await.is_empty(), "what is written here is no pack");
    put(&shop, "1.2.0").await;
    let packs = list(&shop.api, "viewer").await;
    let [pack] = packs.as_slice() else { panic!("{packs:?}") };
    assert_eq!(
        (pack.id.as_str(), pack.version.as_str(), pack.signer.as_str(), json!(pack.source), json!(pack.risk)),
        ("ops", "1.2.0", "acme", json!("marketplace"), json!("medium"))
    );
    let scenarios: Vec<_> = pack.scenarios.iter().map(|it| (it.id.as_str(), it.version)).collect();
    assert_eq!(scenarios, [("scenario.look", 3), ("scenario.restart", 3)]);
    assert_eq!(pack.parts, ["template.look".parse().unwrap()]);
}

#[tokio::test]
async fn a_tenant_sees_the_workspaces_packs_and_not_another_tenants() {
    let shop = Shop::open().await;
    put(&shop, "1.2.0").await;
    let mut job = json!({ "capability": "http.call" });
    job["pack"] = json!({ "name": "own", "version": "1.0.0", "vendor": "x", "signer": "x", "digest": "x" });
    shop.api.resource(&shop.scope, "job.own", job).await;
    let ids = |packs: Vec<PackView>| packs.into_iter().map(|it| it.id).collect::<Vec<_>>();
    assert_eq!(ids(list(&shop.api, "viewer").await), ["ops", "own"]);
    assert_eq!(ids(list(&shop.api, "stranger").await), ["ops"]);
    let page = async |query: &str| {
        let path = format!("/v1/packs?limit=1{query}");
        shop.api.get(&path).by("viewer").send().await.read::<Page<PackView>>(200)
    };
    let first = page("").await;
    let cursor = first.next_cursor.unwrap().replace(' ', "%20").replace(':', "%3A");
    let second = page(&format!("&cursor={cursor}")).await;
    assert_eq!(
        (ids(first.items), ids(second.items), second.next_cursor),
        (vec!["ops".into()], vec!["own".into()], None)
    );
}

#[tokio::test]
async fn an_intent_selects_a_scenario_of_a_pack_like_any_other() {
    let shop = Shop::open().await;
    put(&shop, "1.2.0").await;
    let body = json!({ "action": "look", "target_resource_id": "environment.staging" });
    let intent: IntentView = shop.api.post("/v1/intents").by("alice").json(&body).send().await.read(201);
    let path = format!("/v1/plans/{}", intent.plan_id.unwrap());
    let plan: PlanView = shop.api.get(&path).by("viewer").send().await.read(200);
    assert_eq!(plan.plan.scenario_ref.unwrap().scenario.as_str(), "scenario.look");
    assert!(matches!(plan.plan.context, PlanContext::Scenario(_)));
}
