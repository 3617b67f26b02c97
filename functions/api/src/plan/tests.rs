use crate::fixture::Shop;
use weir_domain::{
    engine::ParentNode,
    id::{Id as _, OperationId},
    time::Millis,
};
use weir_edge::wire::{page::Page, plan::PlanRecord};
use weir_store::{PlanRun, Write};

#[tokio::test]
async fn a_plan_of_others_and_one_that_is_none_are_not_there() {
    let shop = Shop::open().await;
    let promotion = shop.promote(shop.release, "environment.staging").await;
    let plan = promotion.promotion.plan_id;
    for (by, id, expected) in [
        ("viewer", plan.to_string(), "200"),
        ("stranger", plan.to_string(), "404 not-found"),
        ("nobody", plan.to_string(), "403 forbidden"),
        ("viewer", "pln_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(), "404 not-found"),
        ("viewer", promotion.promotion.release_id.to_string(), "400 invalid-id"),
    ] {
        assert_eq!(
            shop.api.get(&format!("/v1/plans/{id}")).by(by).send().await.short(),
            expected,
            "{by} {id}"
        );
        if by != "nobody" && by != "viewer" {
            let run = shop.api.post(&format!("/v1/plans/{id}/operations")).by(by).send().await;
            assert_eq!(run.short(), expected, "{by} {id}");
        }
    }
}

#[tokio::test]
async fn a_plan_names_the_last_of_the_attempts_that_ran_it_whatever_their_ids_are() {
    let shop = Shop::open().await;
    let promotion = shop.promote(shop.release, "environment.staging").await.promotion;
    let table = shop.api.cx.table();
    let first = table.operation_get(&shop.scope, promotion.workflow_run_id).await.unwrap().unwrap();
    // The ids of a node's attempts share their time: their order is that of chance.
    let ids =
        |round: u128| [round, round + 1].map(|chance| OperationId::new(first.info.created_at.0, chance));
    for (round, mut ids) in [(1, ids(1)), (2, ids(3))] {
        if round == 2 {
            ids.reverse();
        }
        for (attempt, id) in (1..).zip(ids) {
            let mut run = first.clone();
            run.info.operation_id = id;
            run.info.created_at = first.info.created_at + Millis(round);
            run.info.parent = Some(ParentNode { operation: promotion.workflow_run_id, ordinal: 1, attempt });
            let link = PlanRun { plan_id: promotion.plan_id, operation_id: id };
            table.transact(&[Write::CreateOperation(Box::new(run))]).await.unwrap();
            shop.api.put(&shop.scope, &link).await;
        }
        let [_, last] = ids;
        let path = format!("/v1/plans/{}", promotion.plan_id);
        let one: PlanRecord = shop.api.get(&path).by("viewer").send().await.read(200);
        assert_eq!(one.operation_id, Some(last), "round {round}");
        let all: Page<PlanRecord> = shop.api.get("/v1/plans").by("viewer").send().await.read(200);
        assert_eq!(all.items[0].operation_id, Some(last), "round {round}");
    }
}
