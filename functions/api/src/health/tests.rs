use weir_edge::wire::health::Health;
use weir_testkit::TestApi;

#[tokio::test]
async fn anybody_may_ask_whether_the_api_answers() {
    let api = TestApi::new(crate::ENDPOINTS).await;
    let health: Health = api.get("/v1/health").send().await.read(200);
    assert_eq!(
        (health.status.as_str(), health.stage.as_str(), health.workspace.as_str()),
        ("ok", "local", "harbor")
    );
}
