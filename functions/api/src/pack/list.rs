//! `GET /v1/packs`: the scenario packs that are applied, made from what their resources say

use crate::walk::all_of_kind;
use std::collections::{BTreeMap, BTreeSet};
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
use weir_store::ResourceRow;

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
        for kind in PACK_KINDS {
            for (_, row) in all_of_kind(cx, &call.scope, kind).await? {
                if let Some(pack) = PackRef::of(&row.spec) {
                    packs.entry(place(&pack)).or_insert_with(|| (pack, Vec::new())).1.push(row);
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
    let of = |list: fn(&PackScenario) -> &[String]| {
        scenarios.iter().flat_map(list).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    };
    let riskiest = scenarios.iter().max_by_key(|scenario| scenario.risk_metadata.level);
    Some(PackView {
        id: pack.name,
        version: pack.version,
        source: ScenarioSource::Marketplace,
        vendor: pack.vendor,
        signer: pack.signer,
        digest: pack.digest,
        risk: riskiest.map(|it| it.risk_metadata.level).unwrap_or_default(),
        risk_metadata: riskiest.map(|it| it.risk_metadata.clone()).unwrap_or_default(),
        target_resource_type: scenarios.iter().map(|it| it.target_resource_type).collect(),
        actions: of(|it| &it.actions),
        requires: of(|it| &it.requires),
        provides: of(|it| &it.provides),
        parts: rows.iter().filter(is_part).map(|row| row.address.clone()).collect(),
        created_at: rows.iter().map(|row| row.applied_at).min()?,
        scenarios,
    })
}
