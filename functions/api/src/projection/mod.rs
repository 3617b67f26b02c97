//! Projections: rows that follow from the ledger, how far behind it they are, and how they are made again

mod list;
mod rebuild;
#[cfg(test)]
pub(crate) mod tests;

pub use list::ProjectionList;
pub use rebuild::ProjectionRebuild;

use weir_domain::{
    delivery::{Deployed, Promotion, PromotionStatus},
    scope::Scope,
    time::Millis,
};
use weir_edge::{Cx, Problem, wire::projection::ProjectionView};
use weir_orchestration::definition::projection_head;
use weir_store::{Entity as _, Key, Query};

/// The newest promotions that the services index is compared with
const COMPARED: usize = 5;

/// How far the rows of the definition have come
pub(crate) async fn resources(cx: &Cx, scope: &Scope, now: Millis) -> Result<ProjectionView, Problem> {
    let head = projection_head(cx.engine(), scope).await?;
    Ok(ProjectionView {
        name: "resources".to_owned(),
        revision: Some(head.as_ref().map_or(0, |head| head.revision)),
        behind: head.as_ref().map_or(0, |head| head.behind()),
        as_of: head.map_or(now.into(), |head| head.as_of),
    })
}

/// How far the rows of the services index have come, by the newest promotions that ended well
pub(crate) async fn services(cx: &Cx, scope: &Scope, now: Millis) -> Result<ProjectionView, Problem> {
    let list = Key::list(scope, Promotion::KIND, PromotionStatus::Deployed.as_str());
    let (newest, _) = cx.table().list::<Promotion>(&Query::Lists(vec![list]), None, COMPARED).await?;
    let (mut behind, mut as_of) = (0, None);
    for promotion in newest {
        let key = Key::deployed(scope, &promotion.service_id, &promotion.target_environment_id);
        let row = cx.table().read::<Deployed>(&key).await?.map(|(row, _)| row);
        let operation = cx.table().operation_get(scope, promotion.workflow_run_id).await?;
        let ended = operation.and_then(|operation| operation.completed_at);
        let held = row.as_ref().map(|row| row.deployed_at);
        as_of = as_of.max(held);
        if ended.is_some_and(|ended| held.is_none_or(|held| held.millis() < ended)) {
            behind += 1;
        }
    }
    let as_of = as_of.unwrap_or(now.into());
    Ok(ProjectionView { name: "services".to_owned(), revision: None, behind, as_of })
}
