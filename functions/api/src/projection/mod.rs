//! Projections: rows that follow from the ledger, how far behind it they are, and how they are made again

mod list;
mod rebuild;
#[cfg(test)]
pub(crate) mod tests;

pub use list::ProjectionList;
pub use rebuild::ProjectionRebuild;

use crate::side::side_by_side;
use weir_domain::{
    delivery::{Deployed, Promotion, PromotionStatus},
    scope::Scope,
    time::{Millis, Time},
};
use weir_edge::{Cx, Problem, wire::projection::ProjectionView};
use weir_orchestration::definition::projection_head;
use weir_store::{Entity as _, Key, Query};

/// The newest promotions that the services index is compared with where its rows are only shown
const SHOWN: usize = 20;

/// The newest promotions that it is compared with where projections are listed: more take longer than a function may
const LISTED: usize = 1_000;

/// Promotions that are read at a time
const PAGE: usize = 100;

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
    let (newest, _) = promotions(cx, scope, None, SHOWN).await?;
    Ok(compared(&compare(cx, scope, newest).await?, now))
}

/// The same by many more of them
pub(crate) async fn listed_services(cx: &Cx, scope: &Scope, now: Millis) -> Result<ProjectionView, Problem> {
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    while seen.len() < LISTED {
        let (found, next) = promotions(cx, scope, after.as_deref(), PAGE).await?;
        seen.extend(compare(cx, scope, found).await?);
        if next.is_none() {
            break;
        }
        after = next;
    }
    Ok(compared(&seen, now))
}

/// What happened in operations: told from their own items whenever somebody asks, so never behind them
pub(crate) fn timelines(now: Millis) -> ProjectionView {
    ProjectionView { name: "timelines".to_owned(), revision: None, behind: 0, as_of: now.into() }
}

async fn promotions(
    cx: &Cx,
    scope: &Scope,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<Promotion>, Option<String>), Problem> {
    let list = Key::list(scope, Promotion::KIND, PromotionStatus::Deployed.as_str());
    Ok(cx.table().list::<Promotion>(&Query::Lists(vec![list]), after, limit).await?)
}

/// When each promotion's operation ended, and when what is held of its place was brought there
async fn compare(
    cx: &Cx,
    scope: &Scope,
    promotions: Vec<Promotion>,
) -> Result<Vec<(Option<Millis>, Option<Time>)>, Problem> {
    let looks = promotions.into_iter().map(|promotion| async move {
        let key = Key::deployed(scope, &promotion.service_id, &promotion.target_environment_id);
        let row = cx.table().read::<Deployed>(&key).await?.map(|(row, _)| row);
        let operation = cx.table().operation_get(scope, promotion.workflow_run_id).await?;
        let ended = operation.and_then(|operation| operation.completed_at);
        Ok((ended, row.map(|row| row.deployed_at)))
    });
    side_by_side(looks.collect()).await
}

fn compared(seen: &[(Option<Millis>, Option<Time>)], now: Millis) -> ProjectionView {
    let late = |(ended, held): &&(Option<Millis>, Option<Time>)| {
        ended.is_some_and(|ended| held.is_none_or(|held| held.millis() < ended))
    };
    let behind = u64::try_from(seen.iter().filter(late).count()).unwrap_or(u64::MAX);
    let as_of = seen.iter().filter_map(|(_, held)| *held).max().unwrap_or(now.into());
    ProjectionView { name: "services".to_owned(), revision: None, behind, as_of }
}
