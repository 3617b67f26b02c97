//! What a patch may reach, read only where it names a place that the plan does not

use super::PatchFailure;
use crate::Engine;
use weir_domain::{
    definition::{
        address::{Address, Kind},
        spec::{Provider, Target},
    },
    engine::Operation,
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
        let environment: Option<Address> = info.environment.as_deref().and_then(|text| text.parse().ok());
        let reach = Reach {
            environment: environment.as_ref(),
            exclusive: &info.exclusive,
            targets: &targets,
            providers: &providers,
        };
        Ok(within_reach(before, after, diff, &reach)?)
    }
}
