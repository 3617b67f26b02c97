//! An operation as it happens: on a terminal a tree that stays in place, elsewhere a line for each change

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use weir_client::api::Client;
use weir_client::cli::render;
use weir_domain::id::OperationId;
use weir_domain::plan::{NodeId, NodeStatus};
use weir_edge::wire::operation::{NodeView, OperationView};

use super::teller::{Teller, told};
use crate::error::{LocalError, Result};

/// Between two looks
const LOOK: Duration = Duration::from_millis(200);

/// How long an operation of the story may take: beyond it something hangs
const LIMIT: Duration = Duration::from_secs(180);

/// What was shown of an operation last
#[derive(Default)]
pub(super) struct Picture {
    is_silent: bool,
    lines: usize,
    shown: BTreeMap<NodeId, NodeStatus>,
    waits: Vec<String>,
}

/// Watches `id` until `over`, and shows what happens
pub(super) async fn watch(
    teller: &Teller<'_>,
    client: &Client,
    id: OperationId,
    picture: &mut Picture,
    over: impl Fn(&OperationView) -> bool,
) -> Result<OperationView> {
    let began = Instant::now();
    loop {
        let operation =
            client.operation_show(id).await.map_err(|error| told(&format!("operation {id}"), &error))?;
        picture.show(teller, &operation);
        if over(&operation) {
            picture.finish(teller, &operation);
            return Ok(operation);
        }
        if began.elapsed() > LIMIT {
            return Err(stuck(&operation));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Where an operation stands that should have moved
fn stuck(operation: &OperationView) -> LocalError {
    let nodes = operation.nodes.iter().map(|node| format!("{} {}", node.node_id, node.status.as_str()));
    LocalError::Story(format!(
        "operation {} is {} after {} s: {}",
        operation.operation_id,
        operation.status.as_str(),
        LIMIT.as_secs(),
        nodes.collect::<Vec<_>>().join(", "),
    ))
}

impl Picture {
    /// Nothing is shown
    pub fn silent() -> Self {
        Self { is_silent: true, ..Self::default() }
    }

    /// Under the line `what`
    pub fn titled(teller: &Teller<'_>, what: &str, id: OperationId) -> Self {
        let style = teller.style();
        teller.progress.say(&format!("  {} {what}   {}", style.strong("▸"), style.dim(id)));
        Self::default()
    }

    fn show(&mut self, teller: &Teller<'_>, operation: &OperationView) {
        if self.is_silent {
            return;
        }
        let style = teller.style();
        if teller.progress.is_terminal() {
            let tree = indented(&render::operation_tree(operation, style));
            self.lines = teller.progress.redraw(self.lines, &tree);
            return;
        }
        for node in &operation.nodes {
            let before = self.shown.insert(node.node_id.clone(), node.status);
            if before != Some(node.status) && is_news(node) {
                teller.progress.say(&format!("     {} {}{}", style.node(node.status), node.title, why(node)));
            }
        }
        for wait in &operation.waits {
            let said = format!("{} waits for {} · {}", wait.node_id, wait.what, wait.who);
            if wait.gate_id.is_some() && !self.waits.contains(&said) {
                teller.progress.say(&format!("     {} {said}", style.warn("◔")));
                self.waits.push(said);
            }
        }
    }

    /// The live tree is left as it is now; what follows is written below it
    fn finish(&mut self, teller: &Teller<'_>, operation: &OperationView) {
        self.lines = 0;
        if !self.is_silent && !teller.progress.is_terminal() && operation.status.is_terminal() {
            let tree = render::operation_tree(operation, teller.style());
            teller.progress.say(indented(&tree).trim_end());
        }
    }
}

/// Most steps are over before they are seen; that they began is worth a line only where it takes time
fn is_news(node: &NodeView) -> bool {
    match node.status {
        NodeStatus::Pending | NodeStatus::Ready | NodeStatus::Waiting => false,
        NodeStatus::Running | NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Skipped => true,
    }
}

fn why(node: &NodeView) -> String {
    let failed = node.error.as_ref().filter(|_| node.status == NodeStatus::Failed);
    failed.map(|error| format!(" · {}", error.message)).unwrap_or_default()
}

/// Set off from the margin, as everything of the story is
pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
