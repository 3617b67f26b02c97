//! A service with the latest release of each of its environments

use weir_domain::{
    definition::{address::Address, spec::Service},
    delivery::Deployed,
    scope::Scope,
};
use weir_edge::{
    Cx, Problem,
    wire::service::{ServiceEnvironment, ServiceView},
};
use weir_store::{Key, ResourceRow};

/// The service as callers of `scope` see it; `owner` is whose it is
pub(super) async fn view(
    cx: &Cx,
    scope: &Scope,
    owner: &Scope,
    row: ResourceRow,
) -> Result<ServiceView, Problem> {
    let spec: Service = serde_json::from_value(row.spec)?;
    let mut environments = Vec::with_capacity(spec.environments.len());
    for environment in &spec.environments {
        let environment_id: Address = environment.address().clone();
        let key = Key::deployed(scope, &row.address, &environment_id);
        let latest_release = cx.table().read::<Deployed>(&key).await?.map(|(deployed, _)| deployed);
        environments.push(ServiceEnvironment { environment_id, latest_release });
    }
    Ok(ServiceView {
        name: spec.display_name.unwrap_or_else(|| row.address.names().to_owned()),
        id: row.address,
        tenant_id: owner.tenant.clone(),
        repo: spec.repo,
        components: spec.components.iter().map(|component| component.address().clone()).collect(),
        adapters: spec.adapters,
        environments,
    })
}
