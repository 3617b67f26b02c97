//! Step Functions and SQS in memory: they remember what they were told, and do it when a test asks

use async_trait::async_trait;
use std::sync::{Mutex, MutexGuard, PoisonError};
use weir_domain::time::Millis;
use weir_orchestration::{
    machines::{Machines, MachinesError, OperationInput, SegmentInput, Sent},
    queues::{Job, Notice, QueueError, Queues},
};

/// What the machines and queues were told
#[derive(Debug, Default)]
pub struct Told {
    /// Root executions, by name once each
    pub operations: Vec<OperationInput>,
    /// Segments' executions, by name once each
    pub segments: Vec<SegmentInput>,
    /// Tokens with what they were ended with
    pub ended: Vec<(String, String)>,
    /// Jobs, with how long each is held back
    pub jobs: Vec<(Job, Millis)>,
    /// Notices
    pub notices: Vec<Notice>,
}

/// Step Functions and SQS in memory
#[derive(Debug, Default)]
pub struct TestCloud(Mutex<Told>);

impl TestCloud {
    /// What they were told so far
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Machines for TestCloud {
    async fn start_operation(&self, input: &OperationInput) -> Result<(), MachinesError> {
        let mut told = self.told();
        if !told.operations.contains(input) {
            told.operations.push(input.clone());
        }
        Ok(())
    }

    async fn start_segment(&self, input: &SegmentInput) -> Result<(), MachinesError> {
        let mut told = self.told();
        if !told.segments.contains(input) {
            told.segments.push(input.clone());
        }
        Ok(())
    }

    async fn succeed(&self, token: &str, output: &str) -> Result<Sent, MachinesError> {
        let mut told = self.told();
        if told.ended.iter().any(|(ended, _)| ended == token) {
            return Ok(Sent::Gone);
        }
        told.ended.push((token.to_owned(), output.to_owned()));
        Ok(Sent::Accepted)
    }

    async fn segment_runs(&self, input: &SegmentInput) -> Result<bool, MachinesError> {
        Ok(self.told().segments.contains(input))
    }
}

#[async_trait]
impl Queues for TestCloud {
    async fn send_job(&self, job: &Job, delay: Millis) -> Result<(), QueueError> {
        self.told().jobs.push((job.clone(), delay));
        Ok(())
    }

    async fn send_notice(&self, notice: &Notice) -> Result<(), QueueError> {
        self.told().notices.push(notice.clone());
        Ok(())
    }
}
