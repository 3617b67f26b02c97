//! Resources of the definition, as they were applied last

use crate::{Engine, EngineError};
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::Spec,
    },
    scope::Scope,
};
use weir_store::{Key, Query, ResourceRow};

/// Rows that are read at a time
const PAGE: usize = 200;

impl Engine {
    /// What is said of `address`, by the tenant or, where it says nothing, by the workspace
    pub async fn resource<S: Spec>(
        &self,
        scope: &Scope,
        address: &Address,
    ) -> Result<Option<S>, EngineError> {
        self.row(scope, address).await?.map(|row| spec(&row)).transpose()
    }

    /// As [`Engine::resource`], whatever kind of resource it is
    pub async fn resource_spec(
        &self,
        scope: &Scope,
        address: &Address,
    ) -> Result<Option<serde_json::Value>, EngineError> {
        Ok(self.row(scope, address).await?.map(|row| row.spec))
    }

    async fn row(&self, scope: &Scope, address: &Address) -> Result<Option<ResourceRow>, EngineError> {
        for scope in [scope.clone(), scope.outer()] {
            let key = Key::resource(&scope, &address.kind().to_string(), &address.to_string());
            if let Some((row, _)) = self.table.read::<ResourceRow>(&key).await? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Every resource of one kind that the tenant or the workspace has, by address; where both say something of one,
    /// what the tenant says
    pub async fn resources<S: Spec>(
        &self,
        scope: &Scope,
        kind: Kind,
    ) -> Result<Vec<(Address, S)>, EngineError> {
        let mut found = Vec::new();
        for scope in [Some(scope.clone()), scope.tenant.as_ref().map(|_| scope.outer())].into_iter().flatten()
        {
            let query = Query::Partition {
                pk: Key::resource_partition(&scope, &kind.to_string()),
                prefix: String::new(),
            };
            let mut after: Option<String> = None;
            loop {
                let (rows, next) = self.table.list::<ResourceRow>(&query, after.as_deref(), PAGE).await?;
                for row in &rows {
                    found.push((row.address.clone(), spec(row)?));
                }
                let Some(next) = next else { break };
                after = Some(next);
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found.dedup_by(|later, earlier| later.0 == earlier.0);
        Ok(found)
    }
}

fn spec<S: Spec>(row: &ResourceRow) -> Result<S, EngineError> {
    serde_json::from_value(row.spec.clone())
        .map_err(|error| EngineError::Inconsistent(format!("`{}` cannot be read: {error}", row.address)))
}
