//! People: they cancel, pause, resume, patch and decide, and ask again until they are answered

use super::{
    chance::Chance,
    wishes,
    work::Work,
    workload::{GROUP, contract},
    world::{Lost, World, locked},
};
use crate::{
    EngineError, PatchFailure, PatchWish,
    delivery::Origin,
    gates::{DecisionError, gate_id, record_decision},
    interventions::{InterventionError, record_intervention},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use strum::{IntoStaticStr, VariantNames};
use weir_domain::{
    actor::{Actor, ActorKind, Via},
    canonical::Digest,
    gate::{DecisionAction, DecisionRequest, Gate, GateRefusal, GateStatus},
    id::{InterventionId, OperationId},
    intervention::{
        Intervention, InterventionAction, InterventionRequest, InterventionStatus, intervention_id,
    },
    plan::PatchChanges,
    scope::Scope,
};
use weir_store::{Entity as _, Key, Table as _};

/// How long people wait before they ask again, at first
const AGAIN: Duration = Duration::from_secs(5);

/// And at last
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// How often somebody looks whether anything waits for a person
const LOOK: Duration = Duration::from_secs(15);

/// After so many attempts nobody has a node tried once more
const ATTEMPTS_MAX: u32 = 6;

/// What a person does, and when
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Seconds after the run's begin
    pub at_s: u64,
    /// To which operation, by its place
    pub of: usize,
    /// What
    pub what: Deed,
}

/// What a person does
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
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
    /// Changes its plan, in a way that chance decides for each number
    Patch(u32),
    /// Has what it left undone done, once it has ended; each number is a request of its own
    #[strum(serialize = "retry_operation")]
    Retry(u32),
}

/// A node that waits for a person
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub operation: OperationId,
    pub ordinal: u32,
    pub attempt: u32,
    /// Whether it is a gate that asks
    pub gate: bool,
}

impl World {
    /// Does `act` when its time has come
    pub async fn run_act(self: Arc<Self>, scope: Scope, operation: OperationId, act: Act) {
        tokio::time::sleep(Duration::from_secs(act.at_s)).await;
        match act.what {
            Deed::Patch(number) => return self.run_patch(&scope, operation, number).await,
            Deed::Retry(number) => return self.run_retry(&scope, operation, number).await,
            Deed::Cancel | Deed::Pause | Deed::Resume | Deed::Approve(_) | Deed::Reject(_) => {}
        }
        let mut wait = AGAIN;
        while !self.act(&scope, operation, act.what).await {
            tokio::time::sleep(wait).await;
            wait = AGAIN_MAX.min(wait + AGAIN);
        }
        locked(&self.record).count(act.what.into());
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
            Deed::Approve(ordinal) => {
                self.decide(&scope, id, ordinal, 0, DecisionAction::Approved, None).await
            }
            Deed::Reject(ordinal) => {
                self.decide(&scope, id, ordinal, 0, DecisionAction::Rejected, None).await
            }
            Deed::Patch(_) | Deed::Retry(_) => true,
        }
    }

    /// Looks at the operation once, and asks for the change that suits it until there is an answer
    async fn run_patch(&self, scope: &Scope, id: OperationId, number: u32) {
        let chance = self.chance.of("patch").at(u64::from(number));
        let Some(changes) = self.wish(scope, id, chance, number).await else { return };
        self.say(|| format!("a person wants to patch: {changes:?}"), None);
        let origin = Origin { now: self.now(), seed: format!("patch/{number}"), request_id: None };
        let mut wait = AGAIN;
        loop {
            let (scope, origin, changes) = (scope.clone(), origin.clone(), changes.clone());
            let asked = self.invoke("patch_create", move |_, engine| async move {
                let actor = person(0);
                let wish = PatchWish { actor: &actor, reason: "simulated", changes: &changes };
                match engine.patch(&scope, id, &origin, wish).await {
                    Ok(_) => Ok(Some("patched")),
                    Err(PatchFailure::Engine(error)) => Err(error),
                    Err(PatchFailure::Busy) => Ok(None),
                    Err(PatchFailure::NotNow(_) | PatchFailure::NotFound(_)) => Ok(Some("patched too late")),
                    Err(PatchFailure::Refused(_)) => Ok(Some("patch refused")),
                }
            });
            if let Ok(Some(answer)) = asked.await {
                locked(&self.record).count(answer);
                locked(&self.record).count(Deed::Patch(number).into());
                return self.say(|| format!("a person's patch: {answer}"), None);
            }
            tokio::time::sleep(wait).await;
            wait = AGAIN_MAX.min(wait + AGAIN);
        }
    }

    /// What somebody who looks at the operation now wants to change
    async fn wish(
        &self,
        scope: &Scope,
        id: OperationId,
        chance: Chance,
        number: u32,
    ) -> Option<PatchChanges> {
        let operation = self.memory.operation_get(scope, id).await.ok()??;
        let (_, engine) = self.both()?;
        let graph = engine.graph_of(&operation).await.ok()?;
        let runs = engine.all_nodes(&operation).await.ok()?;
        let runs = runs.into_iter().map(|run| (run.ordinal, run)).collect();
        wishes::changes(chance, &graph, &runs, number, &contract(Work::SHORT))
    }

    /// Sees to whatever waits for a person, as person `number`, for as long as the world runs
    pub async fn tend(self: Arc<Self>, scope: Scope, number: u32) {
        let mut said: BTreeSet<(OperationId, u32, String)> = BTreeSet::new();
        let late = self.chance.of("tender").at(u64::from(number)).below(15_000);
        tokio::time::sleep(Duration::from_millis(late)).await;
        loop {
            let asked = locked(&self.watch).asked();
            for it in asked {
                let done = if it.gate {
                    self.see_to_gate(&scope, it, number, &mut said).await
                } else {
                    self.see_to_node(&scope, it, number).await
                };
                if done.is_none() {
                    self.say(|| format!("person {number} has nothing to say to {it:?}"), None);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Decides once on what the gate asks about now
    async fn see_to_gate(
        &self,
        scope: &Scope,
        it: Asked,
        number: u32,
        said: &mut BTreeSet<(OperationId, u32, String)>,
    ) -> Option<()> {
        let key = Key::entity(scope, Gate::KIND, gate_id(it.operation, it.ordinal));
        let gate: Gate = self.memory.get(&key).await.ok()??.entity().ok()?;
        let about = (it.operation, it.ordinal, gate.closure_hash.to_string());
        if gate.status != GateStatus::Open || !gate.spec.is_for_people() || said.contains(&about) {
            return None;
        }
        let chance = self.chance.of("tends").at(u64::from(it.ordinal)).at(u64::from(number));
        // Only what ends by itself may be left lying.
        if gate.spec.patience().is_some() && chance.of("ignores").one_in(6) {
            said.insert(about);
            return None;
        }
        let rejects = chance.of("rejects").one_in(10);
        let action = if rejects { DecisionAction::Rejected } else { DecisionAction::Approved };
        let shown = Some(gate.closure_hash);
        if self.decide(scope, it.operation, it.ordinal, number, action, shown).await {
            said.insert(about);
        }
        Some(())
    }

    async fn decide(
        &self,
        scope: &Scope,
        id: OperationId,
        ordinal: u32,
        by: u32,
        action: DecisionAction,
        shown: Option<Digest>,
    ) -> bool {
        let scope = scope.clone();
        let decided = self.invoke("gate_decide", move |world, engine| async move {
            let actor = person(by);
            let (gate, comment) = (gate_id(id, ordinal), Some("simulated"));
            let now = engine.clock.now();
            let request =
                DecisionRequest { actor: &actor, action, comment, closure_hash: shown.as_ref(), now };
            match record_decision(&engine, &scope, gate, request, None).await {
                Ok(_) => {
                    locked(&world.record).count("gate decided");
                    Ok(true)
                }
                // They look again, and a later patch may bring back what they were shown.
                Err(DecisionError::Refused(GateRefusal::HashChanged, _)) => Ok(false),
                Err(DecisionError::Refused(..)) => Ok(true),
                // Not opened yet.
                Err(DecisionError::NotFound(_)) => Ok(false),
                Err(DecisionError::Engine(error)) => Err(error),
            }
        });
        decided.await.unwrap_or(false)
    }

    /// Takes a node by hand, in one of the ways that are open
    async fn see_to_node(&self, scope: &Scope, it: Asked, number: u32) -> Option<()> {
        let id = intervention_id(it.operation, it.ordinal, it.attempt);
        let key = Key::entity(scope, Intervention::KIND, id);
        let found: Intervention = self.memory.get(&key).await.ok()??.entity().ok()?;
        if found.status != InterventionStatus::Open {
            return None;
        }
        let chance = self.chance.of("takes").at(u64::from(it.ordinal));
        let chance = chance.at(u64::from(it.attempt)).at(u64::from(number));
        let may = found.may.iter().filter(|action| {
            it.attempt < ATTEMPTS_MAX
                || matches!(action, InterventionAction::Skip | InterventionAction::MarkDone)
        });
        let may: Vec<InterventionAction> = may.copied().collect();
        let which = usize::try_from(chance.below(may.len() as u64)).unwrap_or(0);
        self.intervene(scope, id, number, *may.get(which)?).await;
        Some(())
    }

    async fn intervene(&self, scope: &Scope, id: InterventionId, by: u32, action: InterventionAction) {
        let scope = scope.clone();
        let asked: Result<(), Lost> = self
            .invoke("intervention_decide", move |world, engine| async move {
                let (actor, now) = (person(by), engine.clock.now());
                let replaces = action == InterventionAction::ReplaceInputs;
                let inputs = if replaces { Work::SHORT.inputs() } else { serde_json::Map::new() };
                let (comment, graph_hash) = (Some("simulated"), None);
                let request =
                    InterventionRequest { actor: &actor, action, comment, inputs: &inputs, graph_hash, now };
                match record_intervention(&engine, &scope, id, request, None).await {
                    Ok(_) => {
                        locked(&world.record).count(action.into());
                        Ok(())
                    }
                    Err(InterventionError::Refused(..) | InterventionError::NotFound(_)) => Ok(()),
                    Err(InterventionError::Engine(error)) => Err::<(), EngineError>(error),
                }
            })
            .await;
        // Whoever was not answered looks again, and sees whether it was done.
        self.say(|| format!("person {by} decides {id} by {}: {}", action.as_str(), asked.is_ok()), None);
    }
}

fn person(number: u32) -> Actor {
    Actor {
        id: format!("user:sim-{number}"),
        kind: ActorKind::User,
        on_behalf_of: None,
        groups: vec![GROUP.to_owned()],
        roles: Vec::new(),
        via: Via::Oidc,
    }
}
