//! A plan and the patches that were appended to it, replayed here: no word of the server's is taken for it

use super::Subject;
use crate::{
    api::Client,
    cli::{
        exit::Failure,
        style::{Style, plain},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{fmt::Write as _, fs, path::Path};
use weir_domain::{
    canonical::Digest,
    plan::{Graph, PlanPatch},
};

/// A plan, its patches, and what was said to come of them
pub(super) struct Chain {
    graph_hash: Digest,
    graph: Result<Graph, String>,
    patches: Vec<PlanPatch>,
    /// What the server says that the operation runs, or said when this was saved
    claimed: Option<Digest>,
    /// The plan as it was read
    plan: Value,
}

/// What came of verifying
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    /// Whether everything holds
    pub holds: bool,
    /// The plan and each patch
    pub links: Vec<Link>,
    /// What comes of all of them, if they hold
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_hash: Option<Digest>,
    /// Whether it was said where the chain ends: if not, its last patches may be missing
    pub end_is_said: bool,
}

/// Where a chain that was saved is said to end
#[derive(Debug, Deserialize)]
struct End {
    effective_hash: Digest,
}

/// The plan itself (0) or one of its patches
#[derive(Debug, Serialize)]
pub(super) struct Link {
    pub sequence: u32,
    pub hash: Digest,
    pub holds: bool,
    /// Who and why; for the plan, how large it is
    pub about: String,
    /// Why it does not hold
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}

impl Chain {
    /// From the server
    pub async fn fetch(client: &Client, subject: Subject) -> Result<Self, Failure> {
        let known = match subject {
            Subject::Plan(id) => Some(client.plan_show(id).await?),
            Subject::Operation(_) => None,
        };
        let operation = match (subject, &known) {
            (Subject::Operation(id), _) => Some(id),
            (Subject::Plan(_), plan) => plan.as_ref().and_then(|plan| plan.operation_id),
        };
        let list = match operation {
            Some(id) => Some(client.patch_chain(id).await?),
            None => None,
        };
        let mut patches = Vec::new();
        for patch in list.iter().flat_map(|list| &list.items) {
            patches.push(client.patch_show(patch.operation_id, patch.patch_id).await?);
        }
        let plan = match (known, &list) {
            (Some(plan), _) => plan,
            (None, Some(list)) => client.plan_show(list.plan_id).await?,
            (None, None) => return Err(Failure::Wrong("there is nothing to verify".to_owned())),
        };
        // A plan that nothing runs ends where it begins.
        let claimed = list.map_or_else(|| plan.plan.graph_hash.clone(), |list| list.effective_hash);
        let value = json!({ "graph_hash": plan.plan.graph_hash, "graph": plan.graph });
        Ok(Self { claimed: Some(claimed), ..Self::of(value, patches)? })
    }

    /// From the JSON files of a folder: one plan, as `weir --json plan show` prints it, patches, and where they are said
    /// to end
    pub fn read(dir: &Path) -> Result<Self, Failure> {
        let wrong = |reason: String| Failure::File { path: dir.to_owned(), reason };
        let (mut plan, mut end, mut patches) = (None, None, Vec::new());
        for entry in fs::read_dir(dir).map_err(|error| wrong(error.to_string()))? {
            let path = entry.map_err(|error| wrong(error.to_string()))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let unread = |reason: String| Failure::File { path: path.clone(), reason };
            let text = fs::read(&path).map_err(|error| unread(error.to_string()))?;
            let value: Value = serde_json::from_slice(&text).map_err(|error| unread(error.to_string()))?;
            let known = |error: serde_json::Error| unread(error.to_string());
            if value.get("graph_hash").is_some() {
                if plan.replace(value).is_some() {
                    return Err(wrong("there are two plans".to_owned()));
                }
            } else if value.get("sequence").is_none() && value.get("effective_hash").is_some() {
                if end.replace(serde_json::from_value::<End>(value).map_err(known)?).is_some() {
                    return Err(wrong("it is said twice where the chain ends".to_owned()));
                }
            } else {
                patches.push(serde_json::from_value::<PlanPatch>(value).map_err(known)?);
            }
        }
        patches.sort_by_key(|patch| patch.sequence);
        let chain = Self::of(plan.ok_or_else(|| wrong("there is no plan".to_owned()))?, patches)?;
        Ok(Self { claimed: end.map(|end| end.effective_hash), ..chain })
    }

    fn of(plan: Value, patches: Vec<PlanPatch>) -> Result<Self, Failure> {
        let hash = plan.get("graph_hash").cloned().unwrap_or_default();
        let graph_hash = serde_json::from_value(hash)
            .map_err(|error| Failure::Wrong(format!("the plan has no hash: {error}")))?;
        // A snapshot of the ledger calls its list `nodes`.
        let nodes = plan.get("graph").or_else(|| plan.get("nodes")).cloned().unwrap_or_default();
        let graph = serde_json::from_value(nodes).map_err(|error| error.to_string());
        Ok(Self { graph_hash, graph, patches, claimed: None, plan })
    }

    /// Keeps what was fetched: a file for the plan, one for each patch, and one that says where they end
    pub fn save(&self, dir: &Path) -> Result<(), Failure> {
        let keep = |name: String, value: Value| {
            let path = dir.join(name);
            fs::write(&path, format!("{value:#}\n"))
                .map_err(|error| Failure::File { path, reason: error.to_string() })
        };
        fs::create_dir_all(dir)
            .map_err(|error| Failure::File { path: dir.to_owned(), reason: error.to_string() })?;
        keep("plan.json".to_owned(), self.plan.clone())?;
        if let Some(claimed) = &self.claimed {
            keep("end.json".to_owned(), json!({ "effective_hash": claimed }))?;
        }
        self.patches.iter().try_for_each(|patch| {
            let value = serde_json::to_value(patch).map_err(|error| Failure::Wrong(error.to_string()))?;
            keep(format!("patch-{:03}.json", patch.sequence), value)
        })
    }

    /// Replays all of it
    pub fn verify(&self) -> Verified {
        let mut now = self.base();
        let wrong = now.as_ref().err().cloned();
        let about =
            now.as_ref().map_or_else(|_| String::new(), |(graph, _)| format!("{} nodes", graph.len()));
        let mut links =
            vec![Link { sequence: 0, hash: self.graph_hash.clone(), holds: wrong.is_none(), about, wrong }];
        for (before, patch) in (0u32..).zip(&self.patches) {
            now = now.map_err(|_| "what stands before it does not hold".to_owned()).and_then(
                |(graph, hash)| {
                    let after = patch.follow(&graph, &hash, before).map_err(|error| error.to_string())?;
                    Ok((after, patch.effective_hash.clone()))
                },
            );
            let wrong = now.as_ref().err().cloned();
            let about = format!("{}: {}", patch.actor.id, patch.reason);
            let (sequence, hash) = (patch.sequence, patch.effective_hash.clone());
            links.push(Link { sequence, hash, holds: wrong.is_none(), about, wrong });
        }
        let effective_hash = now.ok().map(|(_, hash)| hash);
        let claimed = self.claimed.as_ref().is_none_or(|claimed| effective_hash.as_ref() == Some(claimed));
        if let Some(last) = links.last_mut().filter(|last| last.holds && !claimed) {
            last.holds = false;
            last.wrong = Some(
                "it is said that what runs is something else: a patch is missing, or too many".to_owned(),
            );
        }
        let end_is_said = self.claimed.is_some();
        Verified { holds: links.iter().all(|link| link.holds), links, effective_hash, end_is_said }
    }

    fn base(&self) -> Result<(Graph, Digest), String> {
        let graph = self.graph.clone()?;
        let found = graph.graph_hash().map_err(|error| error.to_string())?;
        if found == self.graph_hash {
            Ok((graph, found))
        } else {
            Err(format!("the plan says `{}` of itself, and is `{found}`", self.graph_hash))
        }
    }
}

/// What came of verifying, a line a link
pub(super) fn text(verified: &Verified, style: Style) -> String {
    let mut text = String::new();
    for link in &verified.links {
        let glyph = if link.holds { style.good("✔") } else { style.bad("✖") };
        let name = if link.sequence == 0 { "plan".to_owned() } else { format!("patch {}", link.sequence) };
        let _ = writeln!(text, "{glyph} {name:<9} {}  {}", link.hash, plain(&link.about));
        if let Some(wrong) = &link.wrong {
            let _ = writeln!(text, "            {}", style.bad(plain(wrong)));
        }
    }
    match &verified.effective_hash {
        Some(hash) if verified.holds => {
            let _ = writeln!(text, "the chain holds: {hash}");
            if !verified.end_is_said {
                text.push_str("  nothing says where it ends: patches after these would not be missed\n");
            }
        }
        _ => {
            let _ = writeln!(text, "the chain does not hold");
        }
    }
    text
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
