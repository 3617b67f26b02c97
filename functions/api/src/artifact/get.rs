//! `GET /v1/artifacts/{digest}`: where to fetch an artifact

use super::row::{EXPIRES, announced, signed};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use weir_domain::{
    canonical::Digest,
    id::{AgentId, TaskId},
    plan::NodeStatus,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Proof, Route, Use,
    wire::artifact::{ARTIFACT_MAX, ArtifactDownload},
};
use weir_ledger::ledger::Artifact;
use weir_store::NodeKey;

/// Tells where to fetch an artifact
pub struct ArtifactGet;

/// Which artifact
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ArtifactPath {
    /// Its digest
    digest: Digest,
}

/// On whose account
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArtifactQuery {
    /// The running task of the agent that asks, which deploys the artifact; agents have to say it
    task: Option<TaskId>,
}

impl Endpoint for ArtifactGet {
    const ROUTE: Route = Route {
        path: "/v1/artifacts/{digest}",
        operation: "artifact_get",
        permission: "artifact:read",
        summary: "Tells where to fetch an artifact; an agent only while it runs a task that deploys it",
        uses: &[Use::TableRead, Use::ObjectsRead("artifacts/"), Use::ObjectsRead("plans/")],
        ..Route::GET
    };
    type Path = ArtifactPath;
    type Query = ArtifactQuery;
    type Body = Nothing;
    type Reply = ArtifactDownload;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<ArtifactDownload>, Problem> {
        let digest = &call.path.digest;
        let missing = || Problem::not_found(format!("artifact `{digest}`"));
        let known = announced(cx, &call.scope, digest).await?;
        let may = match &call.proof {
            Proof::Agent(credential) => deploys(cx, &call, credential.agent).await?,
            Proof::Token | Proof::Registration(_) | Proof::Slack | Proof::Callback(_) | Proof::Nothing => {
                known.is_some()
            }
        };
        if !may {
            return Err(missing());
        }
        match cx.ledger().artifact_verify(digest, ARTIFACT_MAX).await? {
            Artifact::Verified { size } => {
                let name = format!("{}.tar.gz", digest.short());
                let download = cx.ledger().artifact_download(digest, &name, EXPIRES).await?;
                let download = signed(download, call.now);
                Ok(ArtifactDownload { digest: digest.clone(), size, download }.into())
            }
            Artifact::Absent => Err(missing()),
            Artifact::Mismatch => {
                let detail =
                    format!("what was uploaded as `{digest}` has another digest and is not given to anybody");
                Err(Problem::new(Kind::DigestMismatch, detail))
            }
        }
    }
}

/// Whether the agent runs the task that it names, and the task deploys the artifact
async fn deploys(cx: &Cx, call: &Call<ArtifactGet>, agent: AgentId) -> Result<bool, Problem> {
    let Some(task) = call.query.task else {
        let detail = "an agent says for which of its tasks: `?task=op_….7`";
        return Err(Problem::new(Kind::InvalidQuery, detail).at("/task", "missing"));
    };
    let key = NodeKey::new(&call.scope, task.operation, task.ordinal);
    let Some(node) = cx.table().node_get(&key).await? else { return Ok(false) };
    if node.status != NodeStatus::Running || node.holder != Some(agent.to_string()) {
        return Ok(false);
    }
    let Some(operation) = cx.table().operation_get(&call.scope, task.operation).await? else {
        return Ok(false);
    };
    let graph = cx.engine().graph_of(&operation).await?;
    let contract = graph.node(task.ordinal).and_then(|node| node.job_contract.as_ref());
    let wanted = contract.and_then(|contract| contract.inputs.get("digest")).and_then(Value::as_str);
    Ok(wanted == Some(call.path.digest.as_str()))
}
