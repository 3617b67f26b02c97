//! A plan's graph: drawn with lanes while it is small, layer by layer and folded when it is not; as DOT and Mermaid

use super::dag;
use crate::cli::style::{Style, node_glyph, plain};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    fmt::Write as _,
};
use weir_domain::plan::{NodeId, NodeStatus, NodeType, PlanNode};
use weir_edge::wire::operation::NodeView;

/// More nodes than this are shown layer by layer: a line each would not be read
const LANES_MAX: usize = 40;

/// Fewer nodes of one kind than this are named one by one
const FOLD_MIN: usize = 4;

/// A graph as it is shown, its nodes in topological order
#[derive(Debug, Clone, Default)]
pub struct Drawing {
    nodes: Vec<Drawn>,
}

#[derive(Debug, Clone)]
struct Drawn {
    name: String,
    title: String,
    kind: NodeType,
    status: Option<NodeStatus>,
    needs: Vec<usize>,
    layer: usize,
}

impl Drawing {
    /// A plan's graph; the joins in it are drawn as points, or not at all
    pub fn of_plan(nodes: &[PlanNode]) -> Self {
        let node = |node: &PlanNode| Drawn::new(&node.node_id, &node.title, node.node_type, None);
        Self::sorted(nodes.iter().map(|it| (node(it), it.depends_on.iter().collect())).collect())
    }

    /// What an operation runs, with where each node stands
    pub fn of_operation(nodes: &[NodeView]) -> Self {
        let node =
            |node: &NodeView| Drawn::new(&node.node_id, &node.title, node.node_type, Some(node.status));
        Self::sorted(nodes.iter().map(|it| (node(it), it.depends_on.iter().collect())).collect())
    }

    /// In topological order, and in the order given where that leaves a choice: a patched graph's numbers are not
    fn sorted(given: Vec<(Drawn, Vec<&NodeId>)>) -> Self {
        let index: BTreeMap<String, usize> =
            given.iter().enumerate().map(|(at, (node, _))| (node.name.clone(), at)).collect();
        let needs: Vec<Vec<usize>> = given
            .iter()
            .map(|(_, needs)| {
                needs.iter().filter_map(|id| index.get(plain(id.as_str()).as_ref()).copied()).collect()
            })
            .collect();
        let mut nodes: Vec<Option<Drawn>> = given.into_iter().map(|(node, _)| Some(node)).collect();
        let mut drawing = Self::default();
        let mut place: BTreeMap<usize, usize> = BTreeMap::new();
        for at in topological(&needs) {
            let Some(mut node) = nodes.get_mut(at).and_then(Option::take) else { continue };
            node.needs =
                needs.get(at).into_iter().flatten().filter_map(|need| place.get(need).copied()).collect();
            node.layer = node.needs.iter().filter_map(|need| drawing.below(*need)).max().unwrap_or(0);
            place.insert(at, drawing.nodes.len());
            drawing.nodes.push(node);
        }
        drawing
    }

    /// The layer of what waits for this node
    fn below(&self, need: usize) -> Option<usize> {
        self.nodes.get(need).map(|need| need.layer + usize::from(need.kind != NodeType::Join))
    }

    fn own(&self) -> impl Iterator<Item = &Drawn> {
        self.nodes.iter().filter(|node| node.kind != NodeType::Join)
    }

    /// The graph as text for a screen of `width` columns
    pub fn text(&self, width: usize, style: Style) -> String {
        let mut text = if self.nodes.len() <= LANES_MAX { self.lanes(width, style) } else { None }
            .unwrap_or_else(|| self.layers(width, style));
        text.push_str(&style.dim(self.summary()));
        text.push('\n');
        text
    }

    /// A line a node with its edges beside it, if that fits
    fn lanes(&self, width: usize, style: Style) -> Option<String> {
        let parents: Vec<Vec<usize>> = self.nodes.iter().map(|node| node.needs.clone()).collect();
        let glyphs: Vec<&str> = self.nodes.iter().map(Drawn::glyph).collect();
        let edges = dag::lanes(&parents, &glyphs);
        let beside = edges.iter().map(|edge| edge.chars().count()).max().unwrap_or(0) + 2;
        let names = self.nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0);
        if beside + names > width {
            return None;
        }
        let mut text = String::new();
        for (edge, node) in edges.iter().zip(&self.nodes) {
            let title = if node.title == node.name { "" } else { node.title.as_str() };
            let title = clipped(title, width.saturating_sub(beside + names + 2));
            let edge = format!("{edge:<0$}", beside);
            let _ =
                writeln!(text, "{}", format!("{edge}{:<names$}  {}", node.name, style.dim(title)).trim_end());
        }
        Some(text)
    }

    /// What can run at the same time stands in one layer; alike nodes of a layer become one entry
    fn layers(&self, width: usize, style: Style) -> String {
        let mut layers: BTreeMap<usize, Vec<&Drawn>> = BTreeMap::new();
        for node in self.own() {
            layers.entry(node.layer).or_default().push(node);
        }
        let gutter = layers.len().to_string().len() + 2;
        let room = width.saturating_sub(gutter).max(20);
        let mut text = String::new();
        for (number, (_, nodes)) in (1..).zip(&layers) {
            for (line, entries) in wrapped(entries(nodes, style), room).into_iter().enumerate() {
                let number = if line == 0 { format!("{number}") } else { String::new() };
                let _ = writeln!(text, "{}  {entries}", style.dim(format!("{number:>0$}", gutter - 2)));
            }
        }
        text
    }

    fn summary(&self) -> String {
        let count = |kind: NodeType| self.own().filter(|node| node.kind == kind).count();
        let mut wide: BTreeMap<usize, usize> = BTreeMap::new();
        self.own().for_each(|node| *wide.entry(node.layer).or_default() += 1);
        let facts = [(self.own().count(), "node"), (count(NodeType::Gate), "gate"), (wide.len(), "layer")];
        let facts = facts.map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }));
        format!("{} · {} at once", facts.join(" · "), wide.values().max().unwrap_or(&0))
    }

    /// The graph in Graphviz' language
    pub fn dot(&self) -> String {
        let mut text = "digraph plan {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
        for (number, node) in self.nodes.iter().enumerate() {
            let label = format!("{}\\n{}", quoted(&node.name), quoted(&node.title));
            let shape = match node.kind {
                NodeType::Join => "label=\"\" shape=point".to_owned(),
                NodeType::Gate => format!("label=\"{label}\" shape=diamond"),
                NodeType::Job
                | NodeType::Verification
                | NodeType::Intervention
                | NodeType::SubOperation
                | NodeType::Change
                | NodeType::Evidence => format!("label=\"{label}\""),
            };
            let colour = node.status.map(|it| format!(" style=filled fillcolor=\"{}\"", colour(it)));
            let _ = writeln!(text, "  n{number} [{shape}{}];", colour.unwrap_or_default());
        }
        for (number, node) in self.nodes.iter().enumerate() {
            for need in &node.needs {
                let _ = writeln!(text, "  n{need} -> n{number};");
            }
        }
        text.push_str("}\n");
        text
    }

    /// The graph in Mermaid's language
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for (number, node) in self.nodes.iter().enumerate() {
            let name = node.name.replace('"', "#quot;");
            let shape = match node.kind {
                NodeType::Join => "((\" \"))".to_owned(),
                NodeType::Gate => format!("{{\"{name}\"}}"),
                NodeType::Job
                | NodeType::Verification
                | NodeType::Intervention
                | NodeType::SubOperation
                | NodeType::Change
                | NodeType::Evidence => format!("[\"{name}\"]"),
            };
            let _ = writeln!(text, "  n{number}{shape}");
            if let Some(status) = node.status {
                let _ = writeln!(text, "  style n{number} fill:{}", colour(status));
            }
        }
        for (number, node) in self.nodes.iter().enumerate() {
            for need in &node.needs {
                let _ = writeln!(text, "  n{need} --> n{number}");
            }
        }
        text
    }
}

impl Drawn {
    fn new(id: &NodeId, title: &str, kind: NodeType, status: Option<NodeStatus>) -> Self {
        let (name, title) = (plain(id.as_str()).into_owned(), plain(title).into_owned());
        Self { name, title, kind, status, needs: Vec::new(), layer: 0 }
    }

    /// Where it stands, or else what kind of node it is
    fn glyph(&self) -> &'static str {
        self.status.map_or_else(
            || match self.kind {
                NodeType::Gate => "◇",
                NodeType::Job | NodeType::Change => "□",
                NodeType::Verification => "○",
                NodeType::Evidence => "≡",
                NodeType::Intervention => "△",
                NodeType::SubOperation => "▷",
                NodeType::Join => "·",
            },
            node_glyph,
        )
    }

    /// What is alike in `deploy.web-01` and `deploy.web-02`
    fn stem(&self) -> &str {
        let numbered = self.name.trim_end_matches(|c: char| c.is_ascii_digit());
        let whole = self.name.split_once('.').map_or(numbered, |(verb, _)| verb);
        whole.trim_end_matches(['-', '_', '.'])
    }
}

/// Every index after all that it needs; of those that could come next, the least
pub(super) fn topological(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    let mut unmet: Vec<usize> = needs.iter().map(Vec::len).collect();
    for (at, needs) in needs.iter().enumerate() {
        needs.iter().for_each(|need| waiting.get_mut(*need).into_iter().for_each(|it| it.push(at)));
    }
    let mut free: BinaryHeap<_> =
        unmet.iter().enumerate().filter(|(_, left)| **left == 0).map(|(at, _)| Reverse(at)).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(next)) = free.pop() {
        order.push(next);
        for at in waiting.get(next).into_iter().flatten() {
            if let Some(left) = unmet.get_mut(*at) {
                *left -= 1;
                if *left == 0 {
                    free.push(Reverse(*at));
                }
            }
        }
    }
    order
}

/// One layer's entries: alike nodes of one status folded, each as shown and as wide as it is
fn entries(nodes: &[&Drawn], style: Style) -> Vec<(String, usize)> {
    let mut groups: Vec<Vec<&Drawn>> = Vec::new();
    let mut known: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for node in nodes {
        let at = *known.entry((node.stem(), node.glyph())).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.push(node),
            None => groups.push(vec![node]),
        }
    }
    let entry = |glyph: &Drawn, text: String| {
        let width = 2 + text.chars().count();
        let painted = glyph.status.map_or_else(|| glyph.glyph().to_owned(), |status| style.node(status));
        (format!("{painted} {text}"), width)
    };
    groups
        .iter()
        .flat_map(|group| match group.as_slice() {
            [first, .., last] if group.len() >= FOLD_MIN => {
                vec![entry(
                    first,
                    format!("{} {}: {} … {}", group.len(), first.stem(), first.name, last.name),
                )]
            }
            group => group.iter().map(|node| entry(node, node.name.clone())).collect(),
        })
        .collect()
}

/// `entries` in lines of at most `room` columns; one that is wider has a line to itself
fn wrapped(entries: Vec<(String, usize)>, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut left = 0;
    for (entry, width) in entries {
        match lines.last_mut().filter(|_| width + 3 <= left) {
            Some(line) => {
                line.push_str("   ");
                line.push_str(&entry);
                left -= width + 3;
            }
            None => {
                lines.push(entry);
                left = room.saturating_sub(width);
            }
        }
    }
    lines
}

fn clipped(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(room.saturating_sub(1)).collect();
    short.push_str(if room == 0 { "" } else { "…" });
    short
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

const fn colour(status: NodeStatus) -> &'static str {
    match status {
        NodeStatus::Pending => "#ffffff",
        NodeStatus::Ready | NodeStatus::Waiting => "#ffe9a8",
        NodeStatus::Running => "#b8e3f5",
        NodeStatus::Succeeded => "#bfe8c2",
        NodeStatus::Failed => "#f5b8b8",
        NodeStatus::Skipped => "#dddddd",
    }
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
