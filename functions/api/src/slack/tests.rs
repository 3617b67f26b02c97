use crate::fixture::Shop;
use serde_json::{Value, json};
use weir_domain::{gate::GateStatus, id::GateId, time::Millis};
use weir_edge::wire::{gate::GateView, page::Page};
use weir_testkit::api::Reply;

fn form(user: &str, action: &str, value: &str) -> String {
    let payload = json!({
        "type": "block_actions", "user": { "id": user, "username": "x" },
        "actions": [{ "action_id": action, "value": value, "type": "button" }],
    });
    let encoded: String = payload.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("payload={encoded}")
}

async fn click(shop: &Shop, user: &str, action: &str, gate: GateId) -> Reply {
    let form = form(user, action, &format!("{}|{gate}", shop.scope));
    shop.api.post("/v1/slack/interactions").slack(&form).send().await
}

async fn gate(shop: &Shop, status: &str) -> Option<GateView> {
    let page: Page<GateView> =
        shop.api.get(&format!("/v1/gates?status={status}")).by("viewer").send().await.read(200);
    page.items.into_iter().next()
}

fn text(reply: &Value) -> (&str, bool) {
    (reply["text"].as_str().unwrap(), reply["response_type"] == "ephemeral")
}

#[tokio::test]
async fn another_person_approves_and_the_message_says_so() {
    let shop = Shop::open().await;
    let (_, id) = shop.waiting().await;
    let reply = click(&shop, "U0BOB", "approve", id).await.expect(200);
    assert_eq!(text(&reply), ("✔ shop 1.0.0 → production · approved by bob · 08:00 UTC", false));
    assert_eq!(reply["replace_original"], true);
    let decided = gate(&shop, "allowed").await.unwrap();
    assert_eq!(
        (decided.status, decided.decisions[0].via),
        (GateStatus::Allowed, weir_domain::actor::Via::Slack)
    );
}

#[tokio::test]
async fn what_a_rule_refuses_is_said_to_who_clicked_only() {
    let shop = Shop::open().await;
    let (_, id) = shop.waiting().await;
    let missing: GateId = "gat_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
    for (user, action, gate, said) in [
        ("U0ALICE", "approve", id, "The requester may not decide"),
        ("U0NOBODY", "approve", id, "I do not know who `U0NOBODY` is here"),
        ("U0BOB", "approve", missing, "There is no such thing"),
        ("U0BOB", "delete", id, "This button is none that decides here"),
    ] {
        let reply = click(&shop, user, action, gate).await.expect(200);
        let (found, aside) = text(&reply);
        assert!(found.starts_with(said) && aside, "{user} {action}: {found}");
        shop.api.clock.advance(Millis::from_secs(1));
    }
    for value in [format!("other|{id}"), format!("harbor/globex|{id}"), "harbor/acme".to_owned()] {
        let form = form("U0BOB", "approve", &value);
        let reply = shop.api.post("/v1/slack/interactions").slack(&form).send().await.expect(200);
        assert!(text(&reply).1, "{value}: {reply}");
    }
    assert_eq!(gate(&shop, "open").await.unwrap().decisions, []);
}

#[tokio::test]
async fn a_delivery_that_slack_did_not_sign_just_now_and_once_changes_nothing() {
    let shop = Shop::open().await;
    let (_, id) = shop.waiting().await;
    let form = form("U0BOB", "approve", &format!("{}|{id}", shop.scope));
    let send = || shop.api.post("/v1/slack/interactions").slack(&form);
    let wrong = send().header("x-slack-signature", &format!("v0={}", "0".repeat(64))).send().await;
    assert_eq!(wrong.short(), "401 invalid-signature");
    let other = send().raw(form.replace("payload", "payloaf")).send().await;
    assert_eq!(other.short(), "401 invalid-signature");
    let unsigned = send().without("x-slack-signature").send().await;
    assert_eq!(unsigned.short(), "401 invalid-signature");
    let old = send();
    shop.api.clock.advance(Millis::from_secs(301));
    assert_eq!(old.send().await.short(), "401 invalid-signature");
    assert_eq!(gate(&shop, "open").await.unwrap().decisions, []);

    assert_eq!(send().send().await.status, 200);
    assert_eq!(send().send().await.short(), "409 delivery-replayed");
    let garbled = shop.api.post("/v1/slack/interactions").slack("payload=%7B").send().await;
    assert_eq!(garbled.short(), "400 invalid-body");
}
