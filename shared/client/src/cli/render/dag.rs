//! An operation's graph, drawn with lanes: one node a line, and its edges beside it
//!
//! ```text
//! ✔     freeze
//! ✔     decision
//! ├─✔   deploy.a
//! │ ✔   verify.a
//! ✔ │   deploy.b
//! ✔ │   verify.b
//! ✔─╯   done
//! ```

use super::graph::topological;
use crate::cli::style::{elapsed, node_glyph, plain};
use std::{collections::BTreeMap, fmt::Write as _};
use weir_domain::{plan::NodeId, time::Millis};
use weir_edge::wire::operation::{NodeView, OperationView};

/// An operation's graph, and its critical path once it has ended
pub fn dag(operation: &OperationView) -> String {
    let nodes = ordered(&operation.nodes);
    let parents = parents(&nodes);
    let glyphs: Vec<&str> = nodes.iter().map(|node| node_glyph(node.status)).collect();
    let edges = lanes(&parents, &glyphs);
    let width = edges.iter().map(|edge| edge.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (edge, node) in edges.iter().zip(&nodes) {
        let took = node.started_at.zip(node.finished_at).map(|(from, to)| format!("  {}", elapsed(from, to)));
        let _ = writeln!(text, "{edge:<width$}  {}{}", node.node_id, took.unwrap_or_default());
    }
    text.push_str(&critical_path(operation, &nodes, &parents).unwrap_or_default());
    text
}

/// `nodes` in topological order: a patch appends nodes that others, with lower numbers, may wait for
fn ordered(nodes: &[NodeView]) -> Vec<&NodeView> {
    let all: Vec<&NodeView> = nodes.iter().collect();
    topological(&parents(&all)).into_iter().filter_map(|at| nodes.get(at)).collect()
}

fn parents(nodes: &[&NodeView]) -> Vec<Vec<usize>> {
    let index: BTreeMap<&NodeId, usize> =
        nodes.iter().enumerate().map(|(i, node)| (&node.node_id, i)).collect();
    nodes
        .iter()
        .map(|node| node.depends_on.iter().filter_map(|id| index.get(id).copied()).collect())
        .collect()
}

/// The edges of a graph beside its nodes, a line each; every node comes after its `parents`
pub(super) fn lanes(parents: &[Vec<usize>], glyphs: &[&str]) -> Vec<String> {
    let mut lanes = Lanes::new(parents);
    glyphs.iter().enumerate().map(|(i, glyph)| lanes.place(i, glyph)).collect()
}

/// The chain of nodes that took longest, by the time that each of them took
fn critical_path(operation: &OperationView, nodes: &[&NodeView], parents: &[Vec<usize>]) -> Option<String> {
    operation.completed_at?;
    let took = |node: &NodeView| {
        node.started_at.zip(node.finished_at).map_or(0, |(from, to)| (to.millis() - from.millis()).0.max(0))
    };
    let mut longest: Vec<(i64, Option<usize>)> = Vec::new();
    for (node, parents) in nodes.iter().zip(parents) {
        let before = parents.iter().filter_map(|p| Some((longest.get(*p)?.0, *p))).max();
        longest.push((took(node) + before.map_or(0, |(time, _)| time), before.map(|(_, p)| p)));
    }
    let ends = longest.iter().enumerate().map(|(i, (time, _))| (i, *time));
    // Of equals the first: what was skipped after it took no time.
    let (mut at, total) = ends.min_by_key(|(_, time)| std::cmp::Reverse(*time))?;
    let mut names = Vec::new();
    while let Some(node) = nodes.get(at) {
        names.push(plain(node.node_id.as_str()).into_owned());
        match longest.get(at).and_then(|(_, before)| *before) {
            Some(before) => at = before,
            None => break,
        }
    }
    names.reverse();
    let total = elapsed(Millis(0).into(), Millis(total).into());
    Some(format!("critical path  {}  {total}\n", names.join(" → ")))
}

/// Which node each column's line comes from, while further nodes still hang on it
struct Lanes<'a> {
    parents: &'a [Vec<usize>],
    /// How many nodes still hang on each node
    left: Vec<usize>,
    open: Vec<Option<usize>>,
}

impl<'a> Lanes<'a> {
    fn new(parents: &'a [Vec<usize>]) -> Self {
        let mut left = vec![0; parents.len()];
        for parent in parents.iter().flatten() {
            if let Some(left) = left.get_mut(*parent) {
                *left += 1;
            }
        }
        Self { parents, left, open: Vec::new() }
    }

    fn is_used_up(&self, node: usize) -> bool {
        self.left.get(node).copied().unwrap_or(0) == 0
    }

    /// The line of `node`, which hangs on nodes that were placed before
    fn place(&mut self, node: usize, glyph: &str) -> String {
        let mine: &[usize] = self.parents.get(node).map_or(&[], Vec::as_slice);
        for parent in mine {
            if let Some(left) = self.left.get_mut(*parent) {
                *left -= 1;
            }
        }
        let of_mine = |lane: &Option<usize>| lane.is_some_and(|from| mine.contains(&from));
        let columns: Vec<usize> =
            self.open.iter().enumerate().filter(|(_, lane)| of_mine(lane)).map(|(i, _)| i).collect();
        let ends = |column: &usize| {
            self.open.get(*column).copied().flatten().is_some_and(|from| self.is_used_up(from))
        };
        let at = columns.iter().copied().find(ends).unwrap_or_else(|| self.free());
        let span = (
            columns.iter().copied().chain([at]).min().unwrap_or(at),
            columns.iter().copied().chain([at]).max().unwrap_or(at),
        );
        let mut line = String::new();
        for column in 0..self.open.len() {
            let joins = columns.contains(&column);
            line.push_str(if column == at { glyph } else { self.cell(column, joins, span) });
            line.push(if span.0 <= column && column < span.1 { '─' } else { ' ' });
        }
        self.close(&columns, at, node);
        line.trim_end().to_owned()
    }

    /// The first column that no line goes through
    fn free(&mut self) -> usize {
        self.open.iter().position(Option::is_none).unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        })
    }

    fn cell(&self, column: usize, joins: bool, (first, last): (usize, usize)) -> &'static str {
        let lane = self.open.get(column).copied().flatten();
        let goes_on = lane.is_some_and(|from| !self.is_used_up(from));
        match (lane, joins) {
            (None, _) if first < column && column < last => "─",
            (None, _) => " ",
            (Some(_), false) => "│",
            (Some(_), true) if column == first => {
                if goes_on {
                    "├"
                } else {
                    "╰"
                }
            }
            (Some(_), true) if column == last => {
                if goes_on {
                    "┤"
                } else {
                    "╯"
                }
            }
            (Some(_), true) => {
                if goes_on {
                    "┼"
                } else {
                    "┴"
                }
            }
        }
    }

    /// Ends the lines of which nothing hangs any more, and begins `node`'s
    fn close(&mut self, columns: &[usize], at: usize, node: usize) {
        for column in columns {
            let used_up = self.open.get(*column).copied().flatten().is_some_and(|from| self.is_used_up(from));
            if let Some(lane) = self.open.get_mut(*column).filter(|_| used_up) {
                *lane = None;
            }
        }
        let own = Some(node).filter(|node| !self.is_used_up(*node));
        if let Some(lane) = self.open.get_mut(at) {
            *lane = own;
        }
        while self.open.last().is_some_and(Option::is_none) {
            self.open.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{golden, render::sample};
    use proptest::prelude::*;

    #[test]
    fn graphs_look_like_this() {
        let mut text: Vec<String> = sample::operations().iter().map(dag).collect();
        text.push(dag(&sample::diamond()));
        golden::check("operation-dags.txt", &text.join("\n"));
    }

    proptest! {
        #[test]
        fn every_node_has_its_line_and_no_line_is_left_open(
            edges in proptest::collection::vec(proptest::collection::btree_set(0usize..30, 0..4), 1..30),
        ) {
            let parents: Vec<Vec<usize>> =
                edges.iter().enumerate().map(|(i, set)| set.iter().copied().filter(|p| *p < i).collect()).collect();
            let mut lanes = Lanes::new(&parents);
            for i in 0..parents.len() {
                prop_assert_eq!(lanes.place(i, "@").matches('@').count(), 1);
            }
            prop_assert!(lanes.open.is_empty());
        }
    }
}
