//! `GET /v1/packs`: the scenario packs that are applied, made from what their resources say

use std::collections::BTreeMap;
use weir_domain::definition::{
    address::Kind,
    pack::PACK_KINDS,
    spec::{PackRef, Scenario, ScenarioSource},
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route,
    page::PageQuery,
    wire::{
        pack::{PackScenario, PackView},
        page::Page,
    },
};
use weir_store::{Key, Query, ResourceRow};

/// Rows that are read at a time
const PAGE: usize = 200;

/// Lists scenario packs
pub struct PackList;

impl Endpoint for PackList {
    const ROUTE: Route = Route {
        path: "/v1/packs",
        operation: "pack_list",
        permission: "pack:read",
        summary: "Lists the scenario packs that are applied, with their signers, risks and scenarios",
        ..Route::GET
    };
    type Path = Nothing;
    type Query = PageQuery;
    type Body = Nothing;
    type Reply = Page<PackView>;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Page<PackView>>, Problem> {
        let mut packs: BTreeMap<String, (PackRef, Vec<ResourceRow>)> = BTreeMap::new();
        let scopes = [Some(call.scope.clone()), call.scope.tenant.as_ref().map(|_| call.scope.outer())];
        for scope in scopes.into_iter().flatten() {
            for kind in PACK_KINDS {
                let pk = Key::resource_partition(&scope, kind.as_str());
                for row in rows(cx, Query::Partition { pk, prefix: String::new() }).await? {
                    if let Some(pack) = PackRef::of(&row.spec) {
                        packs.entry(place(&pack)).or_insert_with(|| (pack, Vec::new())).1.push(row);
                    }
                }
            }
        }
        let (size, after) = (call.query.size(), call.query.cursor.unwrap_or_default());
        let mut left = packs.into_iter().filter(|(place, _)| *place > after).peekable();
        let (mut items, mut last) = (Vec::new(), String::new());
        while let Some((place, (pack, mut rows))) = left.next_if(|_| items.len() < size) {
            rows.sort_by(|a, b| a.address.cmp(&b.address));
            items.extend(view(pack, &rows));
            last = place;
        }
        let next_cursor = left.peek().map(|_| last);
        Ok(Page { items, next_cursor }.into())
    }
}

/// Where a pack stands in the list: by name; while an upgrade is applied, two versions of one are there
fn place(pack: &PackRef) -> String {
    format!("{} {} {}", pack.name, pack.version, pack.digest)
}

/// Every row of `query`: a definition has few recipes
async fn rows(cx: &Cx, query: Query) -> Result<Vec<ResourceRow>, Problem> {
    let (mut found, mut after): (Vec<ResourceRow>, Option<String>) = (Vec::new(), None);
    loop {
        let (rows, next) = cx.table().list::<ResourceRow>(&query, after.as_deref(), PAGE).await?;
        found.extend(rows);
        let Some(next) = next else { return Ok(found) };
        after = Some(next);
    }
}

fn view(pack: PackRef, rows: &[ResourceRow]) -> Option<PackView> {
    let scenario = |row: &ResourceRow| {
        let scenario: Scenario = serde_json::from_value(row.spec.clone()).ok()?;
        (row.address.kind() == Kind::Scenario).then(|| PackScenario {
            id: row.address.clone(),
            version: scenario.version,
            target_resource_type: scenario.target_resource_type,
            actions: scenario.actions,
            requires: scenario.requires,
            provides: scenario.provides,
            risk_metadata: scenario.risk_metadata,
        })
    };
    let scenarios: Vec<_> = rows.iter().filter_map(scenario).collect();
    let is_part = |row: &&ResourceRow| scenarios.iter().all(|scenario| scenario.id != row.address);
    Some(PackView {
        id: pack.name,
        version: pack.version,
        source: ScenarioSource::Marketplace,
        vendor: pack.vendor,
        signer: pack.signer,
        digest: pack.digest,
        risk: scenarios.iter().map(|it| it.risk_metadata.level).max().unwrap_or_default(),
        parts: rows.iter().filter(is_part).map(|row| row.address.clone()).collect(),
        created_at: rows.iter().map(|row| row.applied_at).min()?,
        scenarios,
    })
}
