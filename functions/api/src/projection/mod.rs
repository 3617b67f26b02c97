//! Projections: rows that follow from the ledger, how far behind it they are, and how they are made again

mod list;
mod rebuild;
#[cfg(test)]
mod tests;

pub use list::ProjectionList;
pub use rebuild::ProjectionRebuild;

use weir_domain::scope::Scope;
use weir_edge::{Cx, Problem, wire::projection::ProjectionView};
use weir_orchestration::definition::projection_head;

/// How far the rows of the definition have come
pub(crate) async fn resources(
    cx: &Cx,
    scope: &Scope,
    now: weir_domain::time::Millis,
) -> Result<ProjectionView, Problem> {
    let head = projection_head(cx.engine(), scope).await?;
    Ok(ProjectionView {
        name: "resources".to_owned(),
        revision: head.as_ref().map_or(0, |head| head.revision),
        behind: head.as_ref().map_or(0, |head| head.behind()),
        as_of: head.map_or(now.into(), |head| head.as_of),
    })
}
