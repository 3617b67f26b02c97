//! What the API knows, held in memory and under the same rules

use p256::{
    ecdsa::{DerSignature, SigningKey, signature::Signer as _},
    pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::{
        bundle::Bundle,
        document::{Definition, read},
        plan::{DefinitionPlan, diff},
        state::{AppliedResource, State as Ledger},
    },
    evidence::{Envelope, EvidenceContent, EvidencePacket, PAYLOAD_TYPE, PacketType, Statement, pae},
    id::{AuditId, EvidenceId, GateId, Id, OperationId, PlanId},
    operation::OperationType,
    time::{Millis, Time},
};

pub const NOW: i64 = 1_763_700_000_000;

/// An operation: each look at it lets it go one step further, unless it waits for a gate
pub struct Running {
    pub kind: &'static str,
    pub title: String,
    pub by: String,
    pub steps: Vec<Step>,
    pub cancelled: bool,
    pub paused: bool,
    /// The one that takes it back, which begins when it has failed
    pub undone_by: Option<OperationId>,
    pub undoes: Option<OperationId>,
    /// Looks since it ended: what follows takes two
    pub late: u32,
    /// What becomes true when it succeeds
    pub applies: Option<Definition>,
}

pub struct Step {
    pub id: &'static str,
    pub status: &'static str,
    pub gate: Option<GateId>,
    pub fails: bool,
}

#[derive(Default)]
pub struct State {
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub announced: BTreeMap<String, u64>,
    pub plans: BTreeMap<PlanId, (Definition, DefinitionPlan)>,
    pub applied: Option<Definition>,
    pub revision: u64,
    pub versions: Vec<Value>,
    pub releases: Vec<Value>,
    pub operations: BTreeMap<OperationId, Running>,
    /// Gate → what was said, by whom
    pub decisions: BTreeMap<GateId, Vec<(String, String, Option<String>)>>,
    pub audit: Vec<Value>,
    pub keys: BTreeMap<String, String>,
    pub made: u128,
    /// How many requests are still answered 503
    pub outages: u32,
    pub requests: Vec<String>,
}

pub fn time() -> Time {
    Millis(NOW).into()
}

impl State {
    pub fn new_id<I: Id>(&mut self) -> I {
        self.made += 1;
        I::new(NOW, self.made)
    }

    pub fn tell(&mut self, who: &str, action: &str, subject: &str) {
        let id: AuditId = self.new_id();
        let mut actor = Actor::system("x");
        actor.id = who.to_owned();
        self.audit.push(json!({ "id": id, "ts": time(), "actor": actor, "action": action,
            "subject_type": "thing", "subject_id": subject, "metadata": {} }));
    }

    pub fn plan(&mut self, digest: &str) -> Result<Value, String> {
        let bytes = self.blobs.get(digest).ok_or("nothing was uploaded")?;
        let bundle: Bundle = serde_json::from_slice(bytes).unwrap();
        let definition = read(&bundle, None).unwrap().definition.ok_or("the definition has errors")?;
        let ledger = self.applied.as_ref().map(|applied| ledger(applied, self.revision));
        let was = |a: &_, d: &_| self.applied.as_ref().and_then(|applied| applied.spec_of(a, d));
        let plan = diff(&definition, ledger.as_ref(), &was);
        let id: Option<PlanId> = (!plan.changes.is_empty()).then(|| self.new_id());
        if let Some(id) = id {
            self.plans.insert(id, (definition, plan.clone()));
        }
        Ok(json!({ "plan_id": id, "changes": plan }))
    }

    pub fn start(&mut self, operation: Running) -> OperationId {
        let id = self.new_id();
        self.operations.insert(id, operation);
        id
    }

    pub fn decided(&self, gate: GateId) -> Option<&'static str> {
        let said = self.decisions.get(&gate)?;
        let has = |action: &str| said.iter().any(|(_, said, _)| said == action);
        if has("rejected") { Some("denied") } else { has("approved").then_some("allowed") }
    }
}

fn ledger(applied: &Definition, revision: u64) -> Ledger {
    let mut ledger = Ledger::new(applied.workspace.clone());
    ledger.state_revision = revision;
    for (address, it) in &applied.resources {
        let applied = AppliedResource {
            digest: it.digest.clone(),
            kind: it.kind,
            tenant: it.tenant.clone(),
            dependencies: it.dependencies.clone(),
            by: None,
        };
        ledger.applied_revision.resources.insert(address.clone(), applied);
    }
    ledger
}

/// The signing key of the server's key service
fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

pub fn private_key() -> String {
    key().to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
}

pub fn public_key() -> String {
    key().verifying_key().to_public_key_pem(LineEnding::LF).unwrap()
}

/// A signed packet, as `GET /v1/evidence/{id}` answers it
pub fn evidence(id: EvidenceId) -> Value {
    let content = EvidenceContent {
        operation_id: OperationId::new(1, 1),
        operation_type: OperationType::Promote,
        graph_hash: Digest::of_bytes(b"graph"),
        release: None,
        environment: Some("environment.staging".to_owned()),
        actors: BTreeMap::new(),
        decision: None,
        execution: None,
        statement: serde_json::Map::new(),
        previous: None,
    };
    let scope = "harbor/acme".parse().unwrap();
    let (kind, signer) = (PacketType::ReleaseDecision, "key/1".to_owned());
    let packet = EvidencePacket::new(id, scope, None, kind, content, signer, time()).unwrap();
    let hash = packet.content_hash.clone();
    let payload = Statement::new(packet).payload().unwrap();
    let signature: DerSignature = key().sign(&pae(PAYLOAD_TYPE, &payload));
    let envelope = Envelope::new(&payload, "key/1", signature.as_bytes());
    json!({ "id": id, "packet_type": "release_decision", "operation_id": OperationId::new(1, 1),
        "content_hash": hash, "signer_key_ref": "key/1", "created_at": time(), "envelope": envelope,
        "public_key_pem": public_key() })
}

impl Running {
    /// Lets it go one step further
    pub fn step(&mut self, decided: impl Fn(GateId) -> Option<&'static str>) {
        if self.paused {
            return;
        }
        let over = self.cancelled || self.steps.iter().any(|step| step.status == "failed");
        let Some(step) = self.steps.iter_mut().find(|step| !matches!(step.status, "succeeded" | "skipped"))
        else {
            return;
        };
        step.status = match (over, step.status, step.gate.map(&decided)) {
            (true, "failed", _) => "failed",
            (true, ..) => "skipped",
            (_, "pending", Some(_)) => "waiting",
            (_, _, Some(None)) => "waiting",
            (_, _, Some(Some("denied"))) => "failed",
            (_, "pending", None) => "running",
            _ if step.fails => "failed",
            _ => "succeeded",
        };
    }

    pub fn status(&self) -> &'static str {
        let has = |status: &str| self.steps.iter().any(|step| step.status == status);
        match self {
            _ if self.cancelled => "cancelled",
            _ if has("failed") => "failed",
            _ if self.paused => "paused",
            _ if has("waiting") => "waiting_gate",
            _ if self.steps.iter().all(|step| step.status == "succeeded") => "succeeded",
            _ => "running",
        }
    }

    pub fn is_over(&self) -> bool {
        !matches!(self.status(), "running" | "waiting_gate" | "paused")
    }
}
