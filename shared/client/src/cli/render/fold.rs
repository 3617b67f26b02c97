//! Trees drawn with lines, in which siblings of which there is nothing to say become one line

use crate::cli::style::Style;
use weir_domain::plan::NodeStatus;

/// How many siblings stand below each other before they are folded
const SIBLINGS_MAX: usize = 8;

/// Fewer alike than this are not worth folding
const FOLD_MIN: usize = 3;

/// A line with what hangs below it
#[derive(Debug, Clone)]
pub(super) struct Branch {
    line: String,
    name: String,
    /// Set where the line says nothing but this
    quiet: Option<NodeStatus>,
    noun: &'static str,
    children: Vec<Branch>,
}

impl Branch {
    /// A line by itself
    pub(super) const fn line(line: String) -> Self {
        Self { line, name: String::new(), quiet: None, noun: "steps", children: Vec::new() }
    }

    /// The same, the `noun` called `name`: may be folded where all of `statuses` are alike and need nobody's attention
    pub(super) fn of(mut self, noun: &'static str, name: String, statuses: &[NodeStatus]) -> Self {
        (self.noun, self.name) = (noun, name);
        self.quiet = statuses.first().copied().filter(|first| {
            let is_quiet = match first {
                NodeStatus::Pending | NodeStatus::Succeeded | NodeStatus::Skipped => true,
                NodeStatus::Ready | NodeStatus::Running | NodeStatus::Waiting | NodeStatus::Failed => false,
            };
            is_quiet && statuses.iter().all(|status| status == first)
        });
        self
    }

    /// The same with these below it
    pub(super) fn with(self, children: Vec<Self>) -> Self {
        Self { children, ..self }
    }
}

/// Draws `branches` below each other
pub(super) fn draw(branches: &[Branch], style: Style, text: &mut String) {
    draw_below("", branches, style, text);
}

fn draw_below(indent: &str, branches: &[Branch], style: Style, text: &mut String) {
    let branches = fold(branches, style);
    let last = branches.len().saturating_sub(1);
    for (i, branch) in branches.iter().enumerate() {
        let (arm, below) = if i == last { ("└─", "   ") } else { ("├─", "│  ") };
        text.push_str(&format!("{}{} {}\n", style.dim(indent), style.dim(arm), branch.line));
        draw_below(&format!("{indent}{below}"), &branch.children, style, text);
    }
}

fn fold(branches: &[Branch], style: Style) -> Vec<Branch> {
    if branches.len() <= SIBLINGS_MAX {
        return branches.to_vec();
    }
    let alike = |a: &Branch, b: &Branch| a.quiet.is_some() && a.quiet == b.quiet && a.noun == b.noun;
    let runs = branches.chunk_by(alike);
    runs.flat_map(|run| match (run, run.first().and_then(|first| first.quiet)) {
        ([first, .., last], Some(status)) if run.len() >= FOLD_MIN => {
            let line = format!(
                "{} {} {}: {} … {}",
                style.node(status),
                run.len(),
                first.noun,
                first.name,
                last.name
            );
            vec![Branch::line(line)]
        }
        _ => run.to_vec(),
    })
    .collect()
}
