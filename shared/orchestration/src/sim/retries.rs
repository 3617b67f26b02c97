//! People who have done again what an operation left undone

use super::{
    people::Deed,
    world::{World, locked},
};
use crate::{
    delivery::Origin,
    scenario::{RetryFailure, retry_scenario},
};
use std::time::Duration;
use weir_domain::{actor::Actor, id::OperationId, scope::Scope};

/// How long somebody waits before he asks again, at first
const AGAIN: Duration = Duration::from_secs(5);

/// And at last
const AGAIN_MAX: Duration = Duration::from_secs(60);

impl World {
    /// Asks for the same retry until there is an answer; an operation that goes on, or whose end is not dealt with, is asked
    /// about again
    pub async fn run_retry(&self, scope: &Scope, id: OperationId, number: u32) {
        let origin = Origin { now: self.now(), seed: format!("retry/{number}"), request_id: None };
        let mut wait = AGAIN;
        loop {
            let (scope, origin) = (scope.clone(), origin.clone());
            let asked = self.invoke("operation_retry", move |_, engine| async move {
                let actor = Actor::system("sim");
                match retry_scenario(&engine, &scope, &actor, &origin, id, None).await {
                    Ok(placed) if placed.operation() == id => Ok(None),
                    Ok(_) => Ok(Some("retried")),
                    Err(RetryFailure::Engine(error)) => Err(error),
                    Err(failure) if is_too_early(&failure) => Ok(None),
                    Err(failure) => Ok(Some(why(&failure))),
                }
            });
            if let Ok(Some(answer)) = asked.await {
                let mut record = locked(&self.record);
                record.count(answer);
                record.count(Deed::Retry(number).into());
                record.to_place -= 1;
                drop(record);
                return self.say(|| format!("a person's retry: {answer}"), None);
            }
            tokio::time::sleep(wait).await;
            wait = AGAIN_MAX.min(wait + AGAIN);
        }
    }
}

fn is_too_early(failure: &RetryFailure) -> bool {
    // One that was asked for before its operation was has nothing to look at yet.
    matches!(failure, RetryFailure::NotFound(_) | RetryFailure::Active(_) | RetryFailure::Unsettled(_))
}

fn why(failure: &RetryFailure) -> &'static str {
    match failure {
        RetryFailure::Nothing(_) => "retried for nothing",
        RetryFailure::Done(..) | RetryFailure::Retried(..) => "retried once more",
        RetryFailure::TakenBack(..) => "retried too late",
        RetryFailure::NotFound(_)
        | RetryFailure::Active(_)
        | RetryFailure::Unsettled(_)
        | RetryFailure::OtherType(..)
        | RetryFailure::PartOf(..)
        | RetryFailure::Once(..)
        | RetryFailure::Graph(_)
        | RetryFailure::Engine(_) => "retry refused",
    }
}
