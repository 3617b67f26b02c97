use crate::{cli_tests::Server, fixture::Shop};
use serde_json::{Value, json};

async fn read(shop: &Shop, path: &str) -> Value {
    shop.api.get(path).by("viewer").send().await.expect(200)
}

#[tokio::test]
async fn a_scenario_says_everything_although_its_file_does_not() {
    let server = Server::start().await;
    let shop = &server.shop;
    let own = json!({ "version": 4, "target_resource_type": "service", "actions": ["look"], "template": "template.look" });
    shop.api.resource(&shop.scope, "scenario.own", own).await;
    let all = read(shop, "/v1/scenarios").await;
    let ids: Vec<_> = all["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["scenario.own", "scenario.look", "scenario.deploy"]);
    let one = read(shop, "/v1/scenarios/scenario.own").await;
    assert_eq!(
        one,
        json!({
            "id": "scenario.own", "tenant_id": "acme", "version": 4, "source": "internal",
            "target_resource_type": "service", "actions": ["look"], "requires": [], "provides": [],
            "risk_metadata": { "level": "medium" }, "template": "template.look", "created_at": one["created_at"],
        })
    );
    assert!(one["created_at"].is_string());
    assert_eq!(all["items"][0], one);
    for (by, id) in [("stranger", "scenario.own"), ("viewer", "template.look"), ("viewer", "scenario.none")] {
        let path = format!("/v1/scenarios/{id}");
        assert_eq!(shop.api.get(&path).by(by).send().await.short(), "404 not-found", "{by} {id}");
    }

    let listed = server.weir("viewer", &["scenario", "list"]).await;
    assert!(
        listed.code == 0 && listed.out.contains("scenario.own") && listed.out.contains("medium"),
        "{listed:?}"
    );
    let shown = server.weir("viewer", &["scenario", "show", "look"]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    for word in
        ["risk      low", "template.look version 1", "path [default: \"/\"]", "look.timeout_s", "http.call"]
    {
        assert!(shown.out.contains(word), "{word}: {}", shown.out);
    }
    let json = server.weir("viewer", &["--json", "scenario", "show", "own"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json.out).unwrap(), one);
}

#[tokio::test]
async fn templates_say_who_follows_them_and_what_their_steps_ask_for() {
    let shop = Shop::open().await;
    let outer = shop.scope.outer();
    let job = json!({ "version": 3, "capability": "http.call", "with": { "url": "https://x.example.org" }, "outputs": ["id"],
        "timeout_s": 9 });
    shop.api.resource(&outer, "job.ask", job).await;
    let template = json!({ "version": 2, "editable_points": ["ask.timeout_s"], "nodes": [
        { "id": "ask", "type": "job", "job": "job.ask", "attempts": 2, "with": { "path": "/up", "outputs": { "size": "/size" } } },
        { "id": "said", "type": "evidence", "depends_on": ["ask"] },
    ] });
    shop.api.resource(&outer, "template.ask", template).await;
    let scenario = json!({ "version": 1, "target_resource_type": "environment", "actions": ["ask"], "template": "template.ask" });
    shop.api.resource(&outer, "scenario.ask", scenario).await;

    let one = read(&shop, "/v1/plan-templates/template.ask").await;
    assert_eq!((&one["scenario_id"], &one["template_version"]), (&json!("scenario.ask"), &json!(2)));
    assert_eq!((&one["editable_points"], &one["is_builtin"]), (&json!(["ask.timeout_s"]), &json!(false)));
    assert_eq!(one["graph_definition"]["nodes"].as_array().map(Vec::len), Some(2));
    assert_eq!(one["graph_definition"]["edges"], json!([{ "from": "ask", "to": "said" }]));
    let contract = &one["job_contracts"]["ask"];
    assert_eq!(
        [&contract["capability"], &contract["timeout_s"], &contract["attempts"], &contract["outputs"]],
        [&json!("http.call"), &json!(9), &json!(2), &json!(["id", "size"])]
    );
    assert_eq!(
        (&contract["with"]["url"], &contract["with"]["path"]),
        (&json!("https://x.example.org"), &json!("/up"))
    );
    assert!(one["job_contracts"].get("said").is_none());
    let all = read(&shop, "/v1/plan-templates").await;
    assert!(all["items"].as_array().unwrap().contains(&one), "{all:#}");
    assert_eq!(all["items"][0]["is_builtin"], json!(true));

    let job = read(&shop, "/v1/job-templates/job.ask").await;
    assert_eq!((&job["scenario_id"], &job["template_version"]), (&json!("scenario.ask"), &json!(3)));
    assert_eq!(job["job_contracts"]["ask"]["capability"], json!("http.call"));
    assert_eq!(job["graph_definition"]["nodes"][0]["job"], json!("job.ask"));
    assert_eq!(read(&shop, "/v1/job-templates").await["items"], json!([job]));
    for path in
        ["/v1/job-templates/template.ask", "/v1/plan-templates/job.ask", "/v1/plan-templates/template.none"]
    {
        assert_eq!(shop.api.get(path).by("viewer").send().await.short(), "404 not-found", "{path}");
    }
}
