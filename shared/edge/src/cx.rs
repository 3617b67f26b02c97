//! What a function works with: made when it is first used, so that each pays only for what it needs

use crate::{
    Problem, authn,
    aws::Aws,
    config::{Config, LOCAL},
};
use std::sync::{Arc, OnceLock};
use weir_adapters::{Adapters, net::Reach};
use weir_domain::{audit::AuditEvent, definition::address::Address, scope::Scope};
use weir_ledger::{KmsSigner, Ledger, Locking, Objects, Signer, s3::S3Objects};
use weir_orchestration::{
    Clock, Engine, SystemClock, machines::Machines, queues::Queues, sfn::StepFunctions, sqs::Sqs,
};
use weir_store::{Entity as _, Key, Record, ResourceRow, Table, TransactError, Write, dynamo::DynamoTable};

/// The table, the bucket, the engine, the clock and the configuration of one function
pub struct Cx {
    /// What the environment says
    pub config: Config,
    /// Where time and chance come from
    pub clock: Arc<dyn Clock>,
    pub(crate) credentials: authn::agent::Known,
    aws: OnceLock<Aws>,
    table: OnceLock<Arc<dyn Table>>,
    ledger: OnceLock<Arc<Ledger>>,
    machines: OnceLock<Arc<dyn Machines>>,
    queues: OnceLock<Arc<dyn Queues>>,
    signer: OnceLock<Arc<dyn Signer>>,
    engine: OnceLock<Arc<Engine>>,
}

/// What stands behind a [`Cx`] that is not on AWS
pub struct Parts {
    /// The table
    pub table: Arc<dyn Table>,
    /// The bucket
    pub objects: Arc<dyn Objects>,
    /// The state machines
    pub machines: Arc<dyn Machines>,
    /// The queues
    pub queues: Arc<dyn Queues>,
    /// The key that signs evidence
    pub signer: Arc<dyn Signer>,
}

impl Cx {
    /// On AWS, or whatever speaks its API at the configured address
    pub fn on_aws(config: Config) -> Self {
        Self {
            config,
            clock: Arc::new(SystemClock::default()),
            credentials: authn::agent::Known::default(),
            aws: OnceLock::new(),
            table: OnceLock::new(),
            ledger: OnceLock::new(),
            machines: OnceLock::new(),
            queues: OnceLock::new(),
            signer: OnceLock::new(),
            engine: OnceLock::new(),
        }
    }

    /// Over parts that are already there: for tests
    pub fn over(config: Config, clock: Arc<dyn Clock>, parts: Parts) -> Self {
        let ledger = Arc::new(Ledger::new(parts.objects, config.workspace.clone()));
        Self {
            clock,
            table: OnceLock::from(parts.table),
            ledger: OnceLock::from(ledger),
            machines: OnceLock::from(parts.machines),
            queues: OnceLock::from(parts.queues),
            signer: OnceLock::from(parts.signer),
            ..Self::on_aws(config)
        }
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

    /// The workspace's part of the bucket
    pub fn ledger(&self) -> &Arc<Ledger> {
        self.ledger.get_or_init(|| {
            // A bucket that keeps no locks is an error on every stage: `weir-local` turns them on where an emulator
            // has ignored the template.
            let objects = S3Objects::new(self.aws().s3(), self.config.bucket.clone(), Locking::Required);
            Arc::new(Ledger::new(Arc::new(objects), self.config.workspace.clone()))
        })
    }

    /// The state machines
    pub fn machines(&self) -> &Arc<dyn Machines> {
        self.machines.get_or_init(|| {
            let (operation, segment) =
                (self.config.operation_machine.clone(), self.config.segment_machine.clone());
            Arc::new(StepFunctions::new(self.aws().sfn(), operation, segment))
        })
    }

    /// The queues
    pub fn queues(&self) -> &Arc<dyn Queues> {
        self.queues.get_or_init(|| {
            let (jobs, notices) = (self.config.jobs_queue.clone(), self.config.notify_queue.clone());
            Arc::new(Sqs::new(self.aws().sqs(), jobs, notices))
        })
    }

    /// The key that signs evidence
    pub fn signer(&self) -> &Arc<dyn Signer> {
        self.signer
            .get_or_init(|| Arc::new(KmsSigner::new(self.aws().kms(), self.config.signing_key.clone())))
    }

    /// The engine, over all of these
    pub fn engine(&self) -> &Arc<Engine> {
        self.engine.get_or_init(|| {
            let mut engine = Engine::new(
                self.table().clone(),
                self.ledger().clone(),
                self.machines().clone(),
                self.queues().clone(),
                self.signer().clone(),
                self.clock.clone(),
            );
            engine.check_in = self.config.check_in;
            engine.adapters = Arc::new(self.adapters());
            Arc::new(engine)
        })
    }

    /// What jobs call
    fn adapters(&self) -> Adapters {
        let reach = if self.config.stage == LOCAL { Reach::Anywhere } else { Reach::Public };
        let config = self.config.clone();
        let lambda = move || Some(Aws::new(&config).lambda());
        Adapters::new(reach, self.config.job_secrets.clone(), Box::new(lambda))
            .called_back_at(self.config.public_url.clone())
    }

    /// Carries out what one call writes, with the audit event that tells of it
    ///
    /// A call that is run again after a crash meets its own audit event, and what it wrote then counts as done.
    pub async fn commit(
        &self,
        scope: &Scope,
        mut writes: Vec<Write>,
        audit: &AuditEvent,
    ) -> Result<(), Problem> {
        writes.push(Write::Create(Record::new(scope, audit)?));
        match self.table().transact(&writes).await {
            Ok(()) => Ok(()),
            Err(TransactError::Conflict(places)) => match self.table().get(&audit.key(scope)).await? {
                Some(_) => Ok(()),
                None => Err(TransactError::Conflict(places).into()),
            },
            Err(TransactError::Store(error)) => Err(error.into()),
        }
    }

    /// What was applied of `address`, by the tenant or, where it says nothing, by the workspace; and whose it is
    pub async fn resource(
        &self,
        scope: &Scope,
        address: &Address,
    ) -> Result<Option<(ResourceRow, Scope)>, Problem> {
        for scope in [scope.clone(), scope.outer()] {
            let key = Key::resource(&scope, address.kind().as_str(), address.as_str());
            if let Some((row, _)) = self.table().read::<ResourceRow>(&key).await? {
                return Ok(Some((row, scope)));
            }
        }
        Ok(None)
    }

    fn aws(&self) -> &Aws {
        self.aws.get_or_init(|| Aws::new(&self.config))
    }
}
