//! `GET /v1/audit`

use crate::walk::walk;
use schemars::JsonSchema;
use serde::Deserialize;
use weir_domain::{
    audit::AuditEvent,
    time::{Millis, Time},
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route,
    page::{self, page},
    wire::page::Page,
};
use weir_store::Key;

/// How many days are looked through, from `day` back
const DAYS: i64 = 31;

/// A day
const DAY: Millis = Millis::from_secs(24 * 3600);

/// Lists audit events, the newest first
pub struct AuditList;

/// From when back, and which page
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditListQuery {
    /// The last day, `YYYY-MM-DD`, UTC; today if absent. That day and 30 before it are looked through
    day: Option<String>,
    /// At most so many; 50 if absent, never more than 200
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    cursor: Option<String>,
}

impl Endpoint for AuditList {
    const ROUTE: Route = Route {
        path: "/v1/audit",
        operation: "audit_list",
        permission: "audit:read",
        summary: "Lists audit events of 31 days, the newest first",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = AuditListQuery;
    type Body = Nothing;
    type Reply = Page<AuditEvent>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<AuditEvent>>, Problem> {
        let wanted = call.query;
        let last = wanted.day.as_deref().map_or(Ok(call.now), midnight)?;
        let day = |back: i64| -> String {
            Time::from(last - Millis(DAY.0 * back)).to_string().chars().take(10).collect()
        };
        let partitions: Vec<_> =
            (0..DAYS).map(|back| (day(back), Key::audit_partition(&call.scope, &day(back)))).collect();
        let found = walk::<AuditEvent>(cx, &partitions, wanted.cursor.as_deref(), page::size(wanted.limit));
        Ok(page(found.await?, |(_, event)| event).into())
    }
}

fn midnight(day: &str) -> Result<Millis, Problem> {
    let time: Result<Time, _> = format!("{day}T00:00:00Z").parse();
    time.map(Time::millis).map_err(|_| {
        Problem::new(Kind::InvalidQuery, "`day` is a day such as `2026-11-21`").at("/day", "not a day")
    })
}
