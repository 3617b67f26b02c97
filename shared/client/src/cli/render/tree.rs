//! An operation as a tree: its gates, then its targets batch by batch, each node with where it stands

use super::fold::{Branch, draw};
use crate::cli::style::{Style, elapsed, plain};
use std::{collections::BTreeMap, fmt::Write as _};
use weir_domain::{
    failure::DEPENDENCY_NOT_SATISFIED,
    operation::OperationStatus,
    plan::{NodeId, NodeStatus},
};
use weir_edge::wire::operation::{NodeView, OperationView, QueuedBehind, Wait};

/// How each node stands, by its name
type Standing<'a> = BTreeMap<&'a NodeId, NodeStatus>;

/// An operation with its nodes: glyphs, ages, what is waited for and who can end that
///
/// Readable at any size: of many siblings, those of which there is nothing to say become one line.
pub fn operation_tree(operation: &OperationView, style: Style) -> String {
    let mut text = head(operation, style);
    if let Some(failure) = &operation.failure_summary {
        let _ = writeln!(text, "{} {}", style.dim("│"), style.bad(plain(&failure.message)));
    }
    for line in standing(operation) {
        let _ = writeln!(text, "{} {}", style.dim("│"), style.warn(plain(&line)));
    }
    let mut branches = branches(&operation.nodes, style);
    for (name, value) in &operation.outputs {
        branches.push(Branch::line(format!("gave {} = {}", plain(name), plain(&value.to_string()))));
    }
    if let Some(again) = operation.retried_by {
        branches.push(Branch::line(format!("{} retried by {again}", style.dim("↻"))));
    }
    if let Some(undone) = operation.rolled_back_by {
        branches.push(Branch::line(format!("{} rolled back by {undone}", style.bad("↩"))));
    }
    draw(&branches, style, &mut text);
    text
}

/// `✔ promote shop 1.0.0 → staging   succeeded · 4.2 s · op_…`
fn head(operation: &OperationView, style: Style) -> String {
    let from = operation.started_at.unwrap_or(operation.created_at);
    let age = match operation.completed_at {
        Some(end) => Some(elapsed(from, end)),
        None => style.since(from),
    };
    let mut facts = vec![operation.status.as_str().to_owned()];
    facts.extend(
        operation
            .cancel_requested
            .then(|| "asked to end".to_owned())
            .filter(|_| !operation.status.is_terminal()),
    );
    facts.extend(age);
    facts.push(operation.operation_id.to_string());
    facts.extend(operation.rollback_of.map(|of| format!("rollback_of {of}")));
    facts.extend(operation.retry_of.map(|of| format!("retry_of {of}")));
    let what = format!("{} {}", operation.operation_type.as_str(), operation.title);
    format!(
        "{} {}   {}\n",
        style.operation(operation.status),
        style.strong(plain(&what)),
        style.dim(facts.join(" · "))
    )
}

/// What it is at while it has not ended: who is before it in the queues that it stands in, or its phase
fn standing(operation: &OperationView) -> Vec<String> {
    if operation.status.is_terminal() {
        return Vec::new();
    }
    if !operation.queued_behind.is_empty() {
        return operation.queued_behind.iter().map(queued).collect();
    }
    let phase =
        Some(&operation.current_phase).filter(|it| !it.is_empty() && *it != operation.status.as_str());
    phase.into_iter().map(|phase| format!("at {phase}")).collect()
}

/// `queued for target.staging.stg-1 behind op_…, 2 before it`
pub fn queued(behind: &QueuedBehind) -> String {
    let QueuedBehind { resource, before, .. } = behind;
    format!("queued for {resource} behind {}, {before} before it", behind.who())
}

/// The nodes outside batches, and the batches, in the order in which they run
fn branches(nodes: &[NodeView], style: Style) -> Vec<Branch> {
    enum Item<'a> {
        Node(&'a NodeView),
        Batch(u32),
    }
    let mut batches: BTreeMap<u32, Vec<&NodeView>> = BTreeMap::new();
    let mut items = Vec::new();
    for node in nodes {
        if node.batch.is_none() && node.target.is_none() {
            items.push(Item::Node(node));
            continue;
        }
        let number = node.batch.unwrap_or(0);
        let batch = batches.entry(number).or_default();
        if batch.is_empty() {
            items.push(Item::Batch(number));
        }
        batch.push(node);
    }
    let several = batches.len() > 1;
    let stands: Standing<'_> = nodes.iter().map(|node| (&node.node_id, node.status)).collect();
    let mut branches = Vec::new();
    for item in items {
        match item {
            Item::Node(it) => branches.push(Branch::line(node(it, "", &stands, style)).of(
                "steps",
                it.title.clone(),
                &[it.status],
            )),
            Item::Batch(number) => {
                let nodes = batches.remove(&number).unwrap_or_default();
                let statuses: Vec<NodeStatus> = nodes.iter().map(|node| node.status).collect();
                let rows = rows(&nodes, &stands, style);
                if several {
                    let head = Branch::line(style.dim(format!("batch {number}")));
                    branches.push(head.of("batches", number.to_string(), &statuses).with(rows));
                } else {
                    branches.extend(rows);
                }
            }
        }
    }
    branches
}

/// The targets of one batch, each with its nodes in a row; and what is about the batch itself
fn rows(nodes: &[&NodeView], stands: &Standing<'_>, style: Style) -> Vec<Branch> {
    let mut order: Vec<&str> = Vec::new();
    let mut targets: BTreeMap<&str, Vec<&NodeView>> = BTreeMap::new();
    for node in nodes {
        let name = node.target.as_ref().map_or("", |target| target.name());
        let row = targets.entry(name).or_default();
        if row.is_empty() {
            order.push(name);
        }
        row.push(node);
    }
    let width = order.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut rows = Vec::new();
    for name in order {
        let nodes = targets.remove(name).unwrap_or_default();
        let statuses: Vec<NodeStatus> = nodes.iter().map(|node| node.status).collect();
        let chain: Vec<String> = nodes.iter().map(|it| node(it, name, stands, style)).collect();
        let chain = chain.join(&style.dim(" ─ "));
        let line = if name.is_empty() {
            chain
        } else {
            format!("{}  {chain}", style.strong(format!("{name:<width$}")))
        };
        rows.push(Branch::line(line).of("targets", name.to_owned(), &statuses));
    }
    rows
}

/// One node: glyph, title, how long, which attempt, what it waits for, why it is not done
///
/// In the row of `target`, its name is not said again.
fn node(node: &NodeView, target: &str, stands: &Standing<'_>, style: Style) -> String {
    let title = node.title.strip_suffix(target).filter(|_| !target.is_empty()).unwrap_or(&node.title);
    let title = plain(title.trim_end());
    let mut text = match node.status {
        NodeStatus::Pending | NodeStatus::Skipped => {
            format!("{} {}", style.node(node.status), style.dim(title))
        }
        NodeStatus::Ready
        | NodeStatus::Waiting
        | NodeStatus::Running
        | NodeStatus::Succeeded
        | NodeStatus::Failed => format!("{} {title}", style.node(node.status)),
    };
    if let Some(began) = node.started_at.filter(|_| node.waits_for.is_none()) {
        let age = node.finished_at.map(|end| elapsed(began, end)).or_else(|| style.since(began));
        text.extend(age.map(|age| format!(" {}", style.dim(age))));
    }
    if node.attempt > 1 && node.status != NodeStatus::Succeeded {
        let _ = write!(text, " · attempt {} of {}", node.attempt, node.attempts_max);
    }
    if let Some(it) = &node.waits_for {
        let _ = write!(text, " · {}", wait(it, style));
    }
    if let Some(error) = node.error.as_ref().filter(|_| node.status != NodeStatus::Succeeded) {
        let message = failed_before(node, stands).unwrap_or_else(|| error.message.clone());
        let message = plain(&message);
        let message = if node.status == NodeStatus::Failed { style.bad(message) } else { style.dim(message) };
        let _ = write!(text, " · {message}");
    }
    text
}

/// Who failed before it, by name where the engine knows numbers; `None` where something else ended it
fn failed_before(node: &NodeView, stands: &Standing<'_>) -> Option<String> {
    node.error.as_ref().filter(|error| error.code == DEPENDENCY_NOT_SATISFIED)?;
    let failed = |id: &&NodeId| matches!(stands.get(id), Some(NodeStatus::Failed | NodeStatus::Skipped));
    node.depends_on.iter().find(failed).map(|id| format!("{id} did not succeed"))
}

/// A wait in words: what for, since when, who can end it and how
pub fn wait(wait: &Wait, style: Style) -> String {
    let mut text = format!("waits for {}", style.warn(plain(&wait.what)));
    match style.since(wait.since) {
        Some(age) => text.push_str(&format!(", {age} now")),
        None => text.push_str(&format!(", since {}", wait.since)),
    }
    if !wait.who.is_empty() {
        let _ = write!(text, " · {}", plain(&wait.who));
    }
    if let Some(until) = wait.until {
        let _ = write!(text, " · until {until}");
    }
    if let Some(command) = wait.command() {
        let _ = write!(text, " · {command}");
    }
    text
}

/// What is said when an operation has ended: how, how long it took, and what proves it
pub fn ending(operation: &OperationView, style: Style) -> String {
    let took = operation
        .completed_at
        .map(|end| format!(" after {}", elapsed(operation.started_at.unwrap_or(operation.created_at), end)))
        .unwrap_or_default();
    let how = match operation.status {
        OperationStatus::Succeeded => style.good("succeeded"),
        OperationStatus::Failed => style.bad("failed"),
        OperationStatus::Cancelled => style.bad("was cancelled"),
        OperationStatus::RolledBack => style.bad("failed and was rolled back"),
        OperationStatus::Created
        | OperationStatus::Queued
        | OperationStatus::Running
        | OperationStatus::WaitingGate
        | OperationStatus::WaitingIntervention
        | OperationStatus::Paused
        | OperationStatus::Verifying => style.busy("goes on"),
    };
    let why =
        operation.failure_summary.as_ref().map(|it| format!(": {}", plain(&it.message))).unwrap_or_default();
    let mut text = format!("{} {how}{took}{why}\n", plain(&operation.title));
    for (name, value) in &operation.outputs {
        let _ = writeln!(text, "gave {} = {}", plain(name), plain(&value.to_string()));
    }
    for id in &operation.evidence_ids {
        let _ = writeln!(text, "{} weir evidence show {id}", style.dim("evidence:"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{golden, render::sample};

    #[test]
    fn operations_look_like_this() {
        let style = Style { colour: false, now: Some(sample::at(60_000)) };
        let text: Vec<String> = sample::operations()
            .iter()
            .map(|operation| format!("{}{}", operation_tree(operation, style), ending(operation, style)))
            .collect();
        golden::check("operation-trees.txt", &text.join("\n"));
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        for operation in sample::operations() {
            let coloured = operation_tree(&operation, Style { colour: true, now: None });
            assert!(coloured.contains('\u{1b}'));
            assert_eq!(console::strip_ansi_codes(&coloured), operation_tree(&operation, Style::PLAIN));
        }
    }

    #[test]
    fn two_hundred_targets_are_readable() {
        let tree = operation_tree(&sample::wide(200), Style::PLAIN);
        golden::check("operation-wide.txt", &tree);
        assert!(tree.lines().count() < 20, "{tree}");
    }

    #[test]
    fn what_others_wrote_cannot_reach_the_terminal() {
        let mut operation = sample::operations().remove(0);
        operation.title = "\u{1b}]0;owned\u{7}".to_owned();
        assert!(!operation_tree(&operation, Style::PLAIN).contains('\u{1b}'));
    }
}
