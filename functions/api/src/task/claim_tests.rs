//! An agent that waits for work, in paused time

use crate::fixture::Shop;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use weir_edge::wire::task::Claimed;
use weir_testkit::api::Reply;

async fn wait(shop: &Shop, agent: &str, seconds: u32) -> (Reply, Duration) {
    let (path, asked) = (format!("/v1/agents/{}/claims", shop.agent(agent)), Instant::now());
    let body = json!({ "max": 1, "wait_seconds": seconds });
    let reply = shop.api.post(&path).bearer(shop.credential(agent)).json(&body).send().await;
    (reply, asked.elapsed())
}

#[tokio::test(start_paused = true)]
async fn what_becomes_ready_during_the_wait_is_given_at_the_next_look() {
    let shop = Shop::open().await;
    let becomes_ready = async {
        sleep(Duration::from_millis(1_200)).await;
        shop.promote(shop.release, "environment.staging").await.promotion.workflow_run_id
    };
    let ((reply, waited), operation) = tokio::join!(wait(&shop, "stg-1", 5), becomes_ready);
    let Claimed { tasks, waited_ms } = serde_json::from_value(reply.expect(200)).unwrap();
    let [task] = tasks.as_slice() else { panic!("{} tasks", tasks.len()) };
    let held = u128::from(waited_ms);
    assert!(
        (1_200..=waited.as_millis()).contains(&held),
        "its lease is that much younger than the call: {held} ms"
    );
    assert!(task.task.to_string().starts_with(&operation.to_string()), "{}", task.task);
    assert!(waited < Duration::from_secs(2), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_nothing_ends_with_no_tasks_when_it_was_asked_to_or_the_function_has_to() {
    let shop = Shop::open().await;
    for (asked, held) in [(0, 0), (1, 1), (3, 3), (5, 5), (20, 5)] {
        let (reply, waited) = wait(&shop, "stg-1", asked).await;
        assert_eq!(reply.expect(200)["tasks"], json!([]), "{asked}");
        assert_eq!(waited.as_secs(), held, "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_that_wait_for_one_task_one_gets_it() {
    let shop = Shop::open().await;
    let becomes_ready = async {
        sleep(Duration::from_secs(1)).await;
        shop.promote(shop.release, "environment.staging").await;
    };
    let (one, other, ()) = tokio::join!(wait(&shop, "stg-1", 5), wait(&shop, "stg-1", 5), becomes_ready);
    let got = [one, other].map(|(reply, _)| reply.expect(200)["tasks"].as_array().map(Vec::len));
    assert!(got == [Some(1), Some(0)] || got == [Some(0), Some(1)], "{got:?}");
}
