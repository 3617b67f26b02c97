use serde_json::{Value, json};
use weir_domain::{
    actor::Actor,
    audit::AuditEvent,
    id::{AuditId, Id as _},
    time::Millis,
};
use weir_orchestration::Clock as _;
use weir_testkit::TestApi;

/// One event now, told as `action`
async fn happens(api: &TestApi, action: &str) {
    let now = api.clock.now();
    let subject = ("thing", "a".to_owned());
    let id = AuditId::derived(now.0, action);
    let event = AuditEvent::new(id, now.into(), Actor::system("test"), action, subject, json!({}), None);
    api.put(&api.scope(), &event).await;
}

fn actions(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_audit_is_read_backwards_over_days_page_by_page() {
    let api = TestApi::new(crate::ENDPOINTS).await;
    for action in ["first", "second", "third", "fourth"] {
        happens(&api, action).await;
        api.clock.advance(Millis::from_secs(20 * 3600));
    }
    let page = api.get("/v1/audit?limit=3").by("viewer").send().await.expect(200);
    assert_eq!(actions(&page), ["fourth", "third", "second"]);
    let next = page["next_cursor"].as_str().unwrap();
    let rest = api.get(&format!("/v1/audit?limit=3&cursor={next}")).by("viewer").send().await.expect(200);
    assert_eq!((actions(&rest), rest.get("next_cursor")), (vec!["first"], None));
    let day = api.get("/v1/audit?day=2026-11-22").by("viewer").send().await.expect(200);
    assert_eq!(actions(&day), ["second", "first"]);
    assert_eq!(actions(&api.get("/v1/audit").by("stranger").send().await.expect(200)), [""; 0]);
    assert_eq!(api.get("/v1/audit?day=yesterday").by("viewer").send().await.short(), "400 invalid-query");
    api.clock.advance(Millis::from_secs(40 * 24 * 3600));
    assert_eq!(
        actions(&api.get("/v1/audit").by("viewer").send().await.expect(200)),
        [""; 0],
        "31 days are looked through"
    );
}
