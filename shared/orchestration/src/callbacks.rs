//! Callbacks: one attempt's end, told from outside by whoever was given its address
//!
//! The address holds 256 random bits, of which the table keeps the hash. It is made before the request that tells of it
//! is sent, is good for one attempt of one node, and stops working when the attempt has to have ended. While a node
//! waits for one, nobody holds it: it stands in the wake index with its deadline.

use crate::{Engine, EngineError, engine::Outcome, records::record};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_adapters::{
    Callback, Failed,
    outputs::{Wanted, pick_from},
};
use weir_domain::{
    canonical::Digest,
    definition::spec::SecretRef,
    engine::{LOOK_AGAIN, NodeRun, NodeUpdate, Operation},
    id::OperationId,
    plan::{JobContract, NodeStatus},
    scope::Scope,
    time::Millis,
};
use weir_store::{Applied, Entity, Key, NodeKey, Write};

/// What every callback's token begins with
pub const PREFIX: &str = "wcb_";

/// For how long after its end a callback is still known, so that a late one is told that it is late
const REMEMBERED: Millis = Millis::from_secs(24 * 3600);

/// Where a callback leads
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackRow {
    /// The hash of its token
    pub hash: Digest,
    /// The scope of the operation
    pub scope: Scope,
    /// The operation
    pub operation: OperationId,
    /// The node
    pub ordinal: u32,
    /// The attempt that it may end, and no other
    pub attempt: u32,
    /// The name of the secret that it has to be signed with
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_with: Option<String>,
    /// When it stops working
    pub expires_at: Millis,
}

impl Entity for CallbackRow {
    const KIND: &'static str = "callback";

    fn key(&self, scope: &Scope) -> Key {
        Key::token(&scope.outer(), &self.hash)
    }

    fn expires_at(&self) -> Option<Millis> {
        Some(self.expires_at + REMEMBERED)
    }
}

/// What became of a callback
#[derive(Debug, Clone, PartialEq)]
pub enum Called {
    /// It counts; the same one again is answered the same
    Accepted,
    /// Its attempt has ended, or another one has begun: it changes nothing
    TooLate,
}

impl CallbackRow {
    /// The node that it is about
    pub fn node(&self) -> NodeKey {
        NodeKey::new(&self.scope, self.operation, self.ordinal)
    }
}

/// Whether whoever is called may answer later
pub(crate) fn may_wait(contract: &JobContract) -> bool {
    contract.inputs.get("answers").and_then(|it| it.as_str()) == Some("later")
}

impl Engine {
    /// An address at which the end of the attempt may be told
    pub(crate) async fn callback(
        &self,
        operation: &Operation,
        node: &NodeRun,
        contract: &JobContract,
    ) -> Result<Callback, Failed> {
        let base = self.adapters.callback_base().ok_or_else(|| {
            let message = "this deployment has not been told where its API answers (`PublicUrl`)";
            Failed::terminal("no_callbacks", message)
        })?;
        let mut bits = [0u8; 32];
        getrandom::fill(&mut bits).map_err(|error| Failed::retryable("unavailable", error.to_string()))?;
        let token = bits.iter().fold(PREFIX.to_owned(), |token, byte| format!("{token}{byte:02x}"));
        let scope = &operation.info.scope;
        let expires_at = node.deadline.unwrap_or_else(|| self.clock.now());
        let signed_with = signed_with(contract)?;
        let row = CallbackRow {
            hash: Digest::of_bytes(token.as_bytes()),
            scope: scope.clone(),
            operation: operation.info.operation_id,
            ordinal: node.ordinal,
            attempt: node.attempt,
            signed_with,
            expires_at,
        };
        let kept = async {
            self.table.transact(&[Write::Create(record(scope, &row)?)]).await?;
            Ok::<_, EngineError>(())
        };
        kept.await.map_err(|error| Failed::retryable("unavailable", error.to_string()))?;
        let url = format!("{}/v1/callbacks/{token}", base.trim_end_matches('/'));
        Ok(Callback { url, expires_s: expires_at.0.div_euclid(1000) })
    }

    /// The attempt goes on elsewhere: nobody holds it until it is called back or its time is over
    ///
    /// Refused where the callback came before this: then the node has ended or another attempt has begun.
    pub(crate) async fn wait_for_callback(&self, key: &NodeKey, node: &NodeRun) -> Result<bool, EngineError> {
        let now = self.clock.now();
        let soon = now + LOOK_AGAIN;
        let wake = node.deadline.map_or(soon, |deadline| soon.min(deadline));
        let waits =
            self.table.node_update(key, &NodeUpdate::Wait { attempt: node.attempt, now, wake }).await?;
        let Applied::Done(node) = waits else { return Ok(false) };
        // Asked to stop between the two: a sweep that saw it running left it to its holder, which it no longer has.
        if node.cancel {
            self.drive_from(key.clone(), node).await?;
        }
        Ok(true)
    }

    /// Somebody calls back: how the attempt ended
    pub async fn called_back(
        &self,
        row: &CallbackRow,
        outcome: Outcome,
        result_id: String,
    ) -> Result<Called, EngineError> {
        use crate::engine::Reported;
        match self.report(&row.node(), row.attempt, outcome, result_id).await? {
            Reported::Accepted(_) => Ok(Called::Accepted),
            Reported::Refused(_) | Reported::Missing => Ok(Called::TooLate),
        }
    }

    /// Keeps what the contract asks for of `result`; or says what of it is missing
    pub async fn keep_result(
        &self,
        row: &CallbackRow,
        node: &NodeRun,
        result: &Value,
    ) -> Result<Result<(), String>, EngineError> {
        let operation = self.operation(&row.scope, row.operation).await?;
        let graph = self.graph_of(&operation).await?;
        let contract = graph.node(node.ordinal).and_then(|node| node.job_contract.as_ref());
        let wanted = contract.and_then(|contract| contract.inputs.get("outputs")).cloned();
        let wanted: Wanted = wanted.and_then(|it| serde_json::from_value(it).ok()).unwrap_or_default();
        match pick_from(&wanted, result) {
            Ok(outputs) => Ok(Ok(self.keep_outputs(row.operation, node, &outputs).await?)),
            Err(failed) => Ok(Err(failed.message)),
        }
    }

    /// The attempt that the callback is about, if it has not ended
    pub async fn awaited(&self, row: &CallbackRow) -> Result<Option<NodeRun>, EngineError> {
        let node = self.table.node_get(&row.node()).await?;
        let open = |node: &NodeRun| {
            node.attempt == row.attempt && matches!(node.status, NodeStatus::Running | NodeStatus::Waiting)
        };
        Ok(node.filter(open))
    }
}

/// The name of the secret that a callback is to be signed with, where the job's request is signed
///
/// What is signed with something that has no name cannot be checked, and is not left unchecked.
fn signed_with(contract: &JobContract) -> Result<Option<String>, Failed> {
    let Some(said) = contract.inputs.get("sign_with").filter(|it| !it.is_null()) else { return Ok(None) };
    let secret = said.as_str().and_then(|it| it.parse::<SecretRef>().ok());
    let unclear = || Failed::terminal("bad_inputs", "`sign_with` is the name of one secret, `${NAME}`");
    Ok(Some(secret.ok_or_else(unclear)?.name().to_owned()))
}
