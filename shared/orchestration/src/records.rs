//! What goes into the same transaction as a change: its timeline event and its audit event

use crate::{Engine, EngineError};
use serde_json::Value;
use weir_domain::{
    actor::Actor,
    audit::AuditEvent,
    delivery::{Promotion, PromotionCommand},
    engine::Operation,
    id::{AuditId, EventId, Id as _, RequestId},
    scope::Scope,
    timeline::{TimelineEvent, TimelineKind},
};
use weir_store::{Entity, Key, Record, TransactError, Write};

/// How often a change that met another one is made again on the record as it is then
const CHANGE_TRIES: u32 = 8;

/// `entity` as it is first written
pub fn record<E: Entity>(scope: &Scope, entity: &E) -> Result<Record, EngineError> {
    Record::new(scope, entity).map_err(|error| EngineError::Inconsistent(error.to_string()))
}

impl Engine {
    fn bits(&self) -> u128 {
        u128::from(self.clock.random()) << 16 | u128::from(self.clock.random() & 0xFFFF)
    }

    /// An event of the operation's timeline
    pub fn event(
        &self,
        operation: &Operation,
        kind: TimelineKind,
        message: String,
        actor: Option<&Actor>,
    ) -> Result<Write, EngineError> {
        let now = self.clock.now();
        let id = EventId::new(now.0, self.bits());
        let mut event = TimelineEvent::new(id, now.into(), operation.info.operation_id, kind, message);
        event.actor_id = actor.map(|actor| actor.id.clone());
        Ok(Write::Create(record(&operation.info.scope, &event)?))
    }

    /// An audit event
    pub fn audit(
        &self,
        scope: &Scope,
        actor: &Actor,
        action: &str,
        subject: (&str, String),
        metadata: Value,
        request_id: Option<RequestId>,
    ) -> Result<Write, EngineError> {
        let now = self.clock.now();
        let id = AuditId::new(now.0, self.bits());
        let event = AuditEvent::new(id, now.into(), actor.clone(), action, subject, metadata, request_id);
        Ok(Write::Create(record(scope, &event)?))
    }

    /// Carries out `writes`; that somebody was first is no failure where the writes are repeatable
    pub async fn commit(&self, writes: &[Write]) -> Result<bool, EngineError> {
        match self.table.transact(writes).await {
            Ok(()) => Ok(true),
            Err(TransactError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The write that moves the operation's promotion, if it has one and the move is allowed
    pub(crate) async fn move_promotion(
        &self,
        operation: &Operation,
        command: PromotionCommand,
    ) -> Result<Option<Write>, EngineError> {
        let Some(id) = operation.info.promotion_id else { return Ok(None) };
        let scope = &operation.info.scope;
        let key = Key::entity(scope, Promotion::KIND, id);
        let Some((promotion, expected)) = self.table.read::<Promotion>(&key).await? else { return Ok(None) };
        match promotion.after(command) {
            Ok(after) => Ok(Some(Write::Replace { expected, record: record(scope, &after)? })),
            Err(_) => Ok(None),
        }
    }

    /// Changes the operation's promotion, if it has one and `change` wants to; tried again where somebody was first
    pub(crate) async fn change_promotion(
        &self,
        operation: &Operation,
        change: impl Fn(&Promotion) -> Option<Promotion> + Send + Sync,
    ) -> Result<(), EngineError> {
        let Some(id) = operation.info.promotion_id else { return Ok(()) };
        let scope = &operation.info.scope;
        let key = Key::entity(scope, Promotion::KIND, id);
        for _ in 0..CHANGE_TRIES {
            let Some((promotion, expected)) = self.table.read::<Promotion>(&key).await? else {
                return Ok(());
            };
            let Some(after) = change(&promotion) else { return Ok(()) };
            if self.commit(&[Write::Replace { expected, record: record(scope, &after)? }]).await? {
                return Ok(());
            }
        }
        Err(EngineError::from(TransactError::Conflict(vec![0])))
    }
}
