//! What a patch may reach; the definition is read only where it names a place that the plan does not

use super::PatchFailure;
use crate::{Engine, EngineError};
use std::sync::Arc;
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::{Provider, Target},
    },
    engine::Operation,
    operation::OperationType,
    plan::{
        Graph,
        patch::{Diff, Reach, reaches_out, within_reach},
    },
};

impl Engine {
    /// Refuses a patch from `before` to `after` that goes round the gates and queues of others
    pub(super) async fn reaches(
        &self,
        operation: &Operation,
        (before, after): (&Graph, &Graph),
        diff: &Diff,
    ) -> Result<(), PatchFailure> {
        let (info, mut targets, mut providers) = (&operation.info, Vec::new(), Vec::new());
        if reaches_out(before, after, diff) {
            targets = self.resources::<Target>(&info.scope, Kind::Target).await?;
            providers = self.resources::<Provider>(&info.scope, Kind::Provider).await?;
        }
        let planned = self.first_planned(operation).await?;
        let of_another = info.parent.is_some()
            || info.rollback_of.is_some()
            || info.operation_type == OperationType::Rollback;
        let environment: Option<Address> = info.environment.as_deref().and_then(|text| text.parse().ok());
        let reach = Reach {
            environment: environment.as_ref(),
            exclusive: &info.exclusive,
            targets: &targets,
            providers: &providers,
            of_another,
            planned: &planned,
        };
        Ok(within_reach(before, after, diff, &reach)?)
    }

    /// The plan before any patch. One that is tried again has the gates that its patches added in its own plan, so the
    /// plan of the first try says which gates were planned
    async fn first_planned(&self, operation: &Operation) -> Result<Arc<Graph>, EngineError> {
        let (mut hash, mut before) = (operation.info.graph_hash.clone(), operation.info.retry_of);
        while let Some(id) = before {
            let earlier = self.operation(&operation.info.scope, id).await?;
            (hash, before) = (earlier.info.graph_hash, earlier.info.retry_of);
        }
        self.graph(&hash).await
    }
}
