use serde_json::{Value, json};
use weir_testkit::TestApi;

async fn api() -> TestApi {
    let api = TestApi::new(crate::ENDPOINTS).await;
    let (tenant, workspace) = (api.scope(), api.cx.workspace());
    api.resource(&tenant, "environment.staging", json!({ "order_index": 1 })).await;
    api.resource(&tenant, "environment.production", json!({ "order_index": 2 })).await;
    api.resource(&workspace, "template.deploy", json!({ "nodes": [] })).await;
    api
}

fn addresses(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|it| it["address"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_resource_is_the_tenants_or_the_workspaces() {
    let api = api().await;
    for (address, scope) in [("environment.staging", "harbor/acme"), ("template.deploy", "harbor")] {
        let view = api.get(&format!("/v1/resources/{address}")).by("viewer").send().await.expect(200);
        assert_eq!(view["scope"], scope);
    }
    let theirs = api.get("/v1/resources/environment.staging").by("stranger").send().await;
    assert_eq!(theirs.short(), "404 not-found");
    assert_eq!(api.get("/v1/resources/template.deploy").by("stranger").send().await.status, 200);
}

#[tokio::test]
async fn a_list_goes_through_kinds_and_scopes_and_can_be_paged() {
    let api = api().await;
    let all = api.get("/v1/resources").by("viewer").send().await.expect(200);
    let expected =
        ["tenant.globex", "tenant.acme", "environment.staging", "environment.production", "template.deploy"];
    assert_eq!(addresses(&all), expected);
    let mut found = Vec::new();
    let mut path = "/v1/resources?limit=2".to_owned();
    loop {
        let page = api.get(&path).by("viewer").send().await.expect(200);
        found.extend(addresses(&page).into_iter().map(str::to_owned));
        let Some(next) = page.get("next_cursor").and_then(Value::as_str) else { break };
        path = format!("/v1/resources?limit=2&cursor={next}");
    }
    assert_eq!(found, expected);
    let one = api.get("/v1/resources?kind=template").by("viewer").send().await.expect(200);
    assert_eq!(addresses(&one), ["template.deploy"]);
    assert_eq!(
        api.get("/v1/resources?cursor=nonsense").by("viewer").send().await.short(),
        "400 invalid-query"
    );
}
