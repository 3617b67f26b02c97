//! `GET /v1/releases/{release}/timeline`: everything that ran for a release, as one story

use super::get::ReleasePath;
use crate::{operation::events, workflow};
use weir_domain::delivery::Release;
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::service::{ReleaseLog, ReleaseTimeline},
};
use weir_store::{Entity as _, Key, Query, ReleaseRun};

/// The newest runs that are told
const RUNS_MAX: usize = 20;

/// Shows what ran for a release
pub struct ReleaseTimelineGet;

impl Endpoint for ReleaseTimelineGet {
    const ROUTE: Route = Route {
        path: "/v1/releases/{release}/timeline",
        operation: "release_timeline",
        permission: "release:read",
        summary: "Shows what happened in the newest twenty runs of a release, the earliest first",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/"), Use::LargeAnswers],
        ..Route::GET
    };
    type Path = ReleasePath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = ReleaseTimeline;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<ReleaseTimeline>, Problem> {
        let (scope, id) = (&call.scope, call.path.release);
        let found = cx.table().read::<Release>(&Key::entity(scope, Release::KIND, id)).await?;
        found.ok_or_else(|| Problem::not_found(format!("release `{id}`")))?;
        let query = Query::Partition { pk: Key::release_run_partition(scope, id), prefix: String::new() };
        let (links, _) = cx.table().list::<ReleaseRun>(&query, None, RUNS_MAX).await?;
        let mut timeline = ReleaseTimeline { release_id: id, runs: Vec::new(), logs: Vec::new() };
        for link in links {
            let Some(operation) = cx.table().operation_get(scope, link.operation_id).await? else { continue };
            let nodes = cx.engine().all_nodes(&operation).await?;
            let plan = workflow::plan_of(cx, &operation).await?;
            timeline.runs.push(workflow::run(&operation, &nodes, plan.as_ref(), None)?);
            for event in events(cx, &operation, &nodes).await? {
                let entry = workflow::log(event)?;
                timeline.logs.push(ReleaseLog { workflow_run_id: link.operation_id, entry });
            }
        }
        timeline.logs.sort_by_key(|log| log.entry.ts);
        Ok(timeline.into())
    }
}
