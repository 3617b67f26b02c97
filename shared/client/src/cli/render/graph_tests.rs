use super::*;
use crate::cli::golden;
use weir_domain::plan::{Executor, Graph};

fn node(name: &str, kind: NodeType, needs: &[String]) -> PlanNode {
    let runs = if kind == NodeType::Gate { Executor::Decide } else { Executor::Job };
    PlanNode {
        depends_on: needs.iter().map(|need| need.parse().unwrap()).collect(),
        ..PlanNode::new(name.parse().unwrap(), kind, format!("does {name}"), runs)
    }
}

/// A gate, `width` targets in each of four batches with a check after each, and what is written down at the end
fn release(width: usize) -> Vec<PlanNode> {
    let mut nodes = vec![node("approval", NodeType::Gate, &[])];
    let mut before = vec!["approval".to_owned()];
    for batch in 1..=4 {
        let names: Vec<String> = (1..=width).map(|n| format!("deploy.b{batch}-{n:02}")).collect();
        nodes.extend(names.iter().map(|name| node(name, NodeType::Job, &before)));
        let check = format!("check-{batch}");
        nodes.push(node(&check, NodeType::Verification, &names));
        before = vec![check];
    }
    nodes.push(node("smoke", NodeType::Verification, &before));
    nodes.push(node("notes", NodeType::Evidence, &before));
    nodes
}

#[test]
fn plans_look_like_this() {
    let small = Drawing::of_plan(&release(2));
    let large = Drawing::of_plan(&release(48));
    let text = [small.text(80, Style::PLAIN), large.text(80, Style::PLAIN), small.dot(), small.mermaid()];
    golden::check("plans.txt", &text.join("\n"));
}

#[test]
fn two_hundred_nodes_fit_on_a_screen_of_any_width() {
    let large = Drawing::of_plan(&release(48));
    assert!(large.own().count() >= 199);
    for width in [40, 80, 200] {
        let text = large.text(width, Style::PLAIN);
        assert!(text.lines().count() <= 24, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= width.max(46)), "{width}\n{text}");
    }
}

#[test]
fn where_nodes_stand_is_what_keeps_them_apart() {
    let mut drawing = Drawing::of_plan(&release(48));
    for (n, node) in drawing.nodes.iter_mut().enumerate() {
        node.status = Some(if n == 7 { NodeStatus::Failed } else { NodeStatus::Succeeded });
    }
    let text = drawing.text(100, Style::PLAIN);
    assert!(
        text.contains("✖ deploy.b1-07") && text.contains("✔ 47 deploy: deploy.b1-01 … deploy.b1-48"),
        "{text}"
    );
}

#[test]
fn nodes_are_drawn_after_what_they_wait_for_whatever_their_numbers() {
    let mut nodes = release(2);
    nodes.reverse();
    let drawing = Drawing::of_plan(&nodes);
    assert_eq!(drawing.nodes.len(), nodes.len());
    assert!(drawing.nodes.iter().enumerate().all(|(at, node)| node.needs.iter().all(|need| *need < at)));
}

#[test]
fn joins_are_points_and_no_layer() {
    let mut nodes: Vec<PlanNode> =
        (0..200).map(|n| node(&format!("n{n}"), NodeType::Evidence, &[])).collect();
    nodes.iter_mut().for_each(|node| node.runs = Executor::Decide);
    let mut last = node("last", NodeType::Evidence, &(0..200).map(|n| format!("n{n}")).collect::<Vec<_>>());
    last.runs = Executor::Decide;
    nodes.push(last);
    let graph = Graph::new(nodes).unwrap();
    let drawing = Drawing::of_plan(graph.nodes());
    assert!(drawing.text(80, Style::PLAIN).ends_with("201 nodes · 0 gates · 2 layers · 200 at once\n"));
    assert_eq!(drawing.dot().matches("shape=point").count(), graph.len() - 201);
}

#[test]
fn what_a_title_says_cannot_leave_its_quotes() {
    let mut odd = node("odd", NodeType::Job, &[]);
    odd.title = "a\"]; evil -> \\ \u{1b}[31m".into();
    let drawing = Drawing::of_plan(&[odd]);
    assert!(drawing.dot().contains("a\\\"]; evil -> \\\\ [31m"), "{}", drawing.dot());
    assert!(!drawing.text(80, Style::PLAIN).contains('\u{1b}'));
}
