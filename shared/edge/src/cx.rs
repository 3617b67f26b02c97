//! What a function works with: made when it is first used, so that each pays only for what it needs

use crate::{aws::Aws, config::Config};
use std::sync::{Arc, OnceLock};
use weir_domain::scope::Scope;
use weir_orchestration::{Clock, SystemClock};
use weir_store::{Table, dynamo::DynamoTable};

/// The table, the bucket, the engine, the clock and the configuration of one function
pub struct Cx {
    /// What the environment says
    pub config: Config,
    /// Where time and chance come from
    pub clock: Arc<dyn Clock>,
    aws: OnceLock<Aws>,
    table: OnceLock<Arc<dyn Table>>,
}

impl Cx {
    /// On AWS, or whatever speaks its API at the configured address
    pub fn on_aws(config: Config) -> Self {
        let clock = Arc::new(SystemClock::default());
        Self { config, clock, aws: OnceLock::new(), table: OnceLock::new() }
    }

    /// Over a table that is already there: for tests
    pub fn over(config: Config, clock: Arc<dyn Clock>, table: Arc<dyn Table>) -> Self {
        Self { config, clock, aws: OnceLock::new(), table: OnceLock::from(table) }
    }

    /// The scope of the whole workspace
    pub fn workspace(&self) -> Scope {
        Scope::workspace(self.config.workspace.clone())
    }

    /// The table
    pub fn table(&self) -> &Arc<dyn Table> {
        self.table
            .get_or_init(|| Arc::new(DynamoTable::new(self.aws().dynamodb(), self.config.table.clone())))
    }

    fn aws(&self) -> &Aws {
        self.aws.get_or_init(|| Aws::new(&self.config))
    }
}
