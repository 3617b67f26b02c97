//! Evidence: signed and kept before anyone is told that what it is about has ended

use crate::{
    Engine, EngineError,
    engine::{Decided, Deciding},
    gates,
    records::record,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use weir_domain::{
    delivery::{GateOutcome, Promotion, PromotionCommand, Release, TargetState},
    engine::{NodeRun, Operation},
    evidence::{
        Decision, Envelope, EvidenceContent, EvidencePacket, Execution, ExecutionNode, GateRecord,
        PAYLOAD_TYPE, PacketType, ReleaseRef, Statement, pae, verify,
    },
    gate::VerdictResult,
    id::{EvidenceId, Id as _, OperationId},
    operation::{OperationStatus, OperationType},
    plan::Executor,
    time::Millis,
    timeline::TimelineKind,
};
use weir_store::{Entity as _, EvidenceRow, Key, Write};

/// Nobody may remove evidence before this: seven years
const RETAIN: Millis = Millis::from_secs(7 * 365 * 24 * 3600);

/// The packet of one type that an operation leaves: whoever writes it derives the same id
pub fn evidence_id(operation: OperationId, packet: PacketType) -> EvidenceId {
    EvidenceId::derived(operation.millis(), &format!("{operation}/{}", packet.as_str()))
}

/// The packet that one node of a scenario leaves: a statement of its own beside the one of the whole operation
fn statement_id(operation: OperationId, ordinal: u32) -> EvidenceId {
    EvidenceId::derived(operation.millis(), &format!("{operation}/{ordinal}/statement"))
}

/// The node that states how things stand: in a delivery what the gates decided, and everything after it happens under
/// that statement; in a scenario what was done so far, and what its template has it say
pub(crate) async fn decide(engine: &Engine, d: &Deciding<'_>) -> Result<Decided, EngineError> {
    let nodes = engine.all_nodes(d.operation).await?;
    let info = &d.operation.info;
    if info.operation_type == OperationType::ScenarioRun {
        let said = d.plan_node.job_contract.as_ref().map(|contract| contract.inputs.clone());
        let said = said.unwrap_or_default();
        let id = statement_id(info.operation_id, d.node.ordinal);
        Packet { id, packet_type: PacketType::ScenarioRun, said }.write(engine, d.operation, &nodes).await?;
        return Ok(Decided::Yes);
    }
    write(engine, d.operation, PacketType::ReleaseDecision, &nodes).await?;
    engine
        .change_promotion(d.operation, |promotion| promotion.clone().after(PromotionCommand::Approve).ok())
        .await?;
    Ok(Decided::Yes)
}

/// Writes the packet, once: a repetition finds it and only sees to it that it is listed
pub(crate) async fn write(
    engine: &Engine,
    operation: &Operation,
    packet_type: PacketType,
    nodes: &[NodeRun],
) -> Result<(), EngineError> {
    let id = evidence_id(operation.info.operation_id, packet_type);
    Packet { id, packet_type, said: Map::new() }.write(engine, operation, nodes).await
}

/// A packet that is to be written
struct Packet {
    id: EvidenceId,
    packet_type: PacketType,
    /// What the node that writes it was given to say
    said: Map<String, Value>,
}

impl Packet {
    async fn write(
        self,
        engine: &Engine,
        operation: &Operation,
        nodes: &[NodeRun],
    ) -> Result<(), EngineError> {
        let (info, id, packet_type) = (&operation.info, self.id, self.packet_type);
        let key = Key::entity(&info.scope, EvidenceRow::KIND, id);
        if engine.table.get(&key).await?.is_some() {
            return Ok(());
        }
        let packet = match engine.ledger.evidence_get(info.operation_id, id).await? {
            // Written before, by somebody who died before it was listed.
            Some(bytes) => read(engine, &bytes).await?,
            None => seal(engine, operation, self, nodes).await?,
        };
        let row = EvidenceRow {
            id,
            packet_type,
            operation_id: info.operation_id,
            promotion_id: info.promotion_id,
            content_hash: packet.content_hash,
            signer_key_ref: packet.signer_key_ref,
            created_at: packet.created_at,
        };
        let message = format!("{} evidence {id}", packet_type.as_str());
        let event = engine.event(operation, TimelineKind::EvidenceWritten, message, None)?;
        engine.commit(&[Write::Create(record(&info.scope, &row)?), event]).await?;
        Ok(())
    }
}

/// Signs the packet and keeps it; where another writer was first, that one's is the packet
async fn seal(
    engine: &Engine,
    operation: &Operation,
    packet: Packet,
    nodes: &[NodeRun],
) -> Result<EvidencePacket, EngineError> {
    let info = &operation.info;
    let now = engine.clock.now();
    let Packet { id, packet_type, said } = packet;
    let content =
        EvidenceContent { statement: said, ..content(engine, operation, packet_type, nodes).await? };
    let key_ref = engine.signer.key_ref().to_owned();
    let packet = EvidencePacket::new(
        id,
        info.scope.clone(),
        info.promotion_id,
        packet_type,
        content,
        key_ref,
        now.into(),
    );
    let packet = packet.map_err(unreadable)?;
    let statement = Statement::new(packet.clone());
    let payload = statement.payload().map_err(unreadable)?;
    let signature = engine.signer.sign(&pae(PAYLOAD_TYPE, &payload)).await?;
    let envelope = Envelope::new(&payload, engine.signer.key_ref(), &signature);
    let bytes = serde_json::to_vec(&envelope).map_err(unreadable)?;
    match engine.ledger.evidence_put(info.operation_id, id, bytes, now + RETAIN).await? {
        weir_ledger::objects::Put::Created(_) => Ok(packet),
        weir_ledger::objects::Put::Existed => {
            let bytes = engine.ledger.evidence_get(info.operation_id, id).await?.unwrap_or_default();
            read(engine, &bytes).await
        }
    }
}

async fn read(engine: &Engine, bytes: &[u8]) -> Result<EvidencePacket, EngineError> {
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(unreadable)?;
    let key = engine.signer.public_key_pem().await?;
    Ok(verify(&envelope, &key).map_err(unreadable)?.predicate)
}

async fn content(
    engine: &Engine,
    operation: &Operation,
    packet_type: PacketType,
    nodes: &[NodeRun],
) -> Result<EvidenceContent, EngineError> {
    let info = &operation.info;
    let promotion = match info.promotion_id {
        Some(id) => engine.table.read::<Promotion>(&Key::entity(&info.scope, Promotion::KIND, id)).await?,
        None => None,
    };
    let promotion = promotion.map(|(promotion, _)| promotion);
    let release = match info.release_id {
        Some(id) => engine.table.read::<Release>(&Key::entity(&info.scope, Release::KIND, id)).await?,
        None => None,
    };
    let outcomes = match promotion {
        Some(promotion) => promotion.decision_record,
        None => gates::outcomes(engine, operation).await?,
    };
    let mut actors = BTreeMap::from([("requested_by".to_owned(), info.actor.clone())]);
    for outcome in &outcomes {
        for (number, decision) in decisions(&outcome.inputs).iter().enumerate() {
            if let Ok(actor) = serde_json::from_value(decision["actor"].clone()) {
                actors.insert(format!("decided.{}.{}", outcome.node_id, number + 1), actor);
            }
        }
    }
    let done = packet_type != PacketType::ReleaseDecision;
    Ok(EvidenceContent {
        operation_id: info.operation_id,
        operation_type: info.operation_type,
        graph_hash: operation.graph_hash().clone(),
        release: release.map(|(release, _)| release_ref(&release)),
        environment: info.environment.clone(),
        actors,
        decision: (info.promotion_id.is_some() || !outcomes.is_empty()).then(|| decision(&outcomes)),
        statement: Map::new(),
        execution: if done { Some(execution(engine, operation, nodes).await?) } else { None },
        previous: info.rollback_of,
    })
}

fn release_ref(release: &Release) -> ReleaseRef {
    let components = release.components.iter().map(|(address, it)| (address.to_string(), it.digest.clone()));
    ReleaseRef {
        release_id: release.id,
        service: release.service_id.to_string(),
        version: release.version.clone(),
        components: components.collect(),
    }
}

fn decisions(inputs: &serde_json::Value) -> Vec<serde_json::Value> {
    inputs["decisions"].as_array().cloned().unwrap_or_default()
}

fn decision(outcomes: &[GateOutcome]) -> Decision {
    let gates = outcomes.iter().map(|outcome| GateRecord {
        node_id: outcome.node_id.to_string(),
        kind: outcome.kind.clone(),
        result: outcome.verdict.result.as_str().to_owned(),
        reason_codes: outcome
            .verdict
            .reason_codes
            .iter()
            .map(|code| <&str>::from(*code).to_owned())
            .collect(),
        inputs: outcome.inputs.clone(),
        by: outcome.by.as_ref().map(|actor| actor.id.clone()),
        at: Some(outcome.at),
        closure_hash: outcome.closure_hash.clone(),
        decisions: decisions(&outcome.inputs),
    });
    let allowed = outcomes.iter().all(|outcome| outcome.verdict.result == VerdictResult::Allow);
    Decision { result: if allowed { "allow" } else { "deny" }.to_owned(), gates: gates.collect() }
}

async fn execution(
    engine: &Engine,
    operation: &Operation,
    nodes: &[NodeRun],
) -> Result<Execution, EngineError> {
    let info = &operation.info;
    let graph = engine.graph_of(operation).await?;
    let (mut targets, mut outputs) = (BTreeMap::new(), BTreeMap::new());
    for node in nodes {
        if let Some(plan_node) = graph.node(node.ordinal) {
            outputs.insert(node.ordinal, engine.outputs(info.operation_id, plan_node, node).await?);
        }
        let Executor::Agent(target) = &node.terms.runs else { continue };
        let key = Key::entity(&info.scope, TargetState::KIND, target);
        if let Some((state, _)) = engine.table.read::<TargetState>(&key).await? {
            targets.insert(target.to_string(), state.current.digest);
        }
    }
    let nodes = nodes.iter().filter(|node| node.terms.runs != Executor::Join).map(|node| ExecutionNode {
        node_id: graph
            .node(node.ordinal)
            .map_or_else(|| node.ordinal.to_string(), |it| it.node_id.to_string()),
        status: node.status,
        attempts: node.attempt,
        started_at: node.started_at.map(Into::into),
        finished_at: node.finished_at.map(Into::into),
        error: node.error.as_ref().map(|error| error.code.clone()),
        outputs: outputs.remove(&node.ordinal).unwrap_or_default(),
    });
    let status: OperationStatus = operation.status;
    Ok(Execution {
        status,
        started_at: operation.started_at.map(Into::into),
        completed_at: operation.completed_at.map(Into::into),
        nodes: nodes.collect(),
        targets,
    })
}

fn unreadable(error: impl std::fmt::Display) -> EngineError {
    EngineError::Inconsistent(format!("the evidence cannot be made: {error}"))
}
