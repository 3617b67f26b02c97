//! People: they cancel, pause, resume and decide, and ask again until they are answered

use super::world::World;
use crate::gates::{DecisionError, gate_id, record_decision};
use std::{sync::Arc, time::Duration};
use weir_domain::{
    actor::{Actor, ActorKind, Via},
    gate::{DecisionAction, DecisionRequest},
    id::OperationId,
    scope::Scope,
};

/// How long people wait before they ask again, at first
const AGAIN: Duration = Duration::from_secs(5);

/// And at last
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// What a person does, and when
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Seconds after the run's begin
    pub at_s: u64,
    /// What
    pub what: Deed,
}

/// What a person does
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Stops the operation
    Cancel,
    /// Holds it
    Pause,
    /// Lets it go on
    Resume,
    /// Agrees at the gate of this node
    Approve(u32),
    /// Refuses there
    Reject(u32),
}

impl World {
    /// Does `act` when its time has come
    pub async fn run_act(self: Arc<Self>, scope: Scope, operation: OperationId, act: Act) {
        tokio::time::sleep(Duration::from_secs(act.at_s)).await;
        let mut wait = AGAIN;
        while !self.act(&scope, operation, act.what).await {
            tokio::time::sleep(wait).await;
            wait = AGAIN_MAX.min(wait + AGAIN);
        }
        self.say(|| format!("a person: {:?}", act.what), None);
    }

    /// Whether the answer leaves nothing to ask for
    async fn act(&self, scope: &Scope, id: OperationId, deed: Deed) -> bool {
        let scope = scope.clone();
        match deed {
            Deed::Cancel => {
                let asked = self.invoke("operation_cancel", move |_, engine| async move {
                    engine.cancel(&scope, id, "user:sim").await.map(drop)
                });
                asked.await.is_ok()
            }
            Deed::Pause => {
                let asked = self.invoke("operation_pause", move |_, engine| async move {
                    engine.pause(&scope, id, "user:sim").await.map(drop)
                });
                asked.await.is_ok()
            }
            Deed::Resume => {
                let asked = self.invoke("operation_resume", move |_, engine| async move {
                    engine.resume(&scope, id).await.map(drop)
                });
                asked.await.is_ok()
            }
            Deed::Approve(ordinal) => self.decide(scope, id, ordinal, DecisionAction::Approved).await,
            Deed::Reject(ordinal) => self.decide(scope, id, ordinal, DecisionAction::Rejected).await,
        }
    }

    async fn decide(&self, scope: Scope, id: OperationId, ordinal: u32, action: DecisionAction) -> bool {
        let decided = self.invoke("gate_decide", move |_, engine| async move {
            let actor = person();
            let now = engine.clock.now();
            let gate = gate_id(id, ordinal);
            let request = DecisionRequest { actor: &actor, action, comment: None, closure_hash: None, now };
            match record_decision(&engine, &scope, gate, request, None).await {
                Ok(_) | Err(DecisionError::Refused(..)) => Ok(true),
                // Not opened yet.
                Err(DecisionError::NotFound(_)) => Ok(false),
                Err(DecisionError::Engine(error)) => Err(error),
            }
        });
        decided.await.unwrap_or(false)
    }
}

fn person() -> Actor {
    Actor {
        id: "user:sim".to_owned(),
        kind: ActorKind::User,
        on_behalf_of: None,
        groups: vec!["sim".to_owned()],
        roles: Vec::new(),
        via: Via::Oidc,
    }
}
