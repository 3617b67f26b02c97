//! Step Functions, SQS and KMS, whose calls are seen

use super::Life;
use async_trait::async_trait;
use std::sync::Arc;
use weir_domain::time::Millis;
use weir_ledger::{SignError, Signer};
use weir_orchestration::{
    machines::{Machines, MachinesError, OperationInput, SegmentInput, Sent},
    queues::{Job, Notice, QueueError, Queues},
};

/// The machines as functions reach them
pub(super) struct SeenMachines {
    pub life: Arc<Life>,
    pub inner: Arc<dyn Machines>,
}

#[async_trait]
impl Machines for SeenMachines {
    async fn start_operation(&self, input: &OperationInput) -> Result<(), MachinesError> {
        let passing = self.life.enter("start_operation").await;
        let done = self.inner.start_operation(input).await;
        passing.leave().await;
        done
    }

    async fn start_segment(&self, input: &SegmentInput) -> Result<(), MachinesError> {
        let passing = self.life.enter("start_segment").await;
        let done = self.inner.start_segment(input).await;
        passing.leave().await;
        done
    }

    async fn succeed(&self, token: &str, output: &str) -> Result<Sent, MachinesError> {
        let passing = self.life.enter("succeed").await;
        let done = self.inner.succeed(token, output).await;
        passing.leave().await;
        done
    }

    async fn segment_runs(&self, input: &SegmentInput) -> Result<bool, MachinesError> {
        self.inner.segment_runs(input).await
    }
}

/// The queues as functions reach them
pub(super) struct SeenQueues {
    pub life: Arc<Life>,
    pub inner: Arc<dyn Queues>,
}

#[async_trait]
impl Queues for SeenQueues {
    async fn send_job(&self, job: &Job, delay: Millis) -> Result<(), QueueError> {
        let passing = self.life.enter("send_job").await;
        let done = self.inner.send_job(job, delay).await;
        passing.leave().await;
        done
    }

    async fn send_notice(&self, notice: &Notice) -> Result<(), QueueError> {
        let passing = self.life.enter("send_notice").await;
        let done = self.inner.send_notice(notice).await;
        passing.leave().await;
        done
    }
}

/// The signing key as functions reach it
pub(super) struct SeenSigner {
    pub life: Arc<Life>,
    pub inner: Arc<dyn Signer>,
}

#[async_trait]
impl Signer for SeenSigner {
    async fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        let passing = self.life.enter("sign").await;
        let done = self.inner.sign(bytes).await;
        passing.leave().await;
        done
    }

    fn key_ref(&self) -> &str {
        self.inner.key_ref()
    }

    async fn public_key_pem(&self) -> Result<String, SignError> {
        self.inner.public_key_pem().await
    }
}
