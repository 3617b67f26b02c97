//! Scenarios: what can be done, and how risky that is

mod get;
mod list;
#[cfg(test)]
mod tests;

pub use get::ScenarioGet;
pub use list::ScenarioList;

use weir_domain::{definition::spec::Scenario, scope::Scope};
use weir_edge::{Problem, wire::scenario::ScenarioView};
use weir_store::ResourceRow;

fn view(scope: Scope, row: ResourceRow) -> Result<ScenarioView, Problem> {
    let scenario: Scenario = serde_json::from_value(row.spec)?;
    Ok(ScenarioView {
        id: row.address,
        tenant_id: scope.tenant,
        version: scenario.version,
        source: scenario.source,
        target_resource_type: scenario.target_resource_type,
        actions: scenario.actions,
        requires: scenario.requires,
        provides: scenario.provides,
        risk_metadata: scenario.risk_metadata,
        template: scenario.template.address().clone(),
        pack: scenario.pack,
        created_at: row.applied_at,
    })
}
