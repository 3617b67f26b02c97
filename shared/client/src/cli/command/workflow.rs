//! `weir workflow`: templates of plans, their runs, and the attempts of their steps

use super::address_of;
use crate::cli::{
    args::Paging,
    exit::{Exit, Failure},
    render::{Cell, Table},
    session::{Session, collect},
    style::{Style, date_time, plain},
};
use clap::Subcommand;
use std::fmt::Write as _;
use weir_domain::{
    definition::address::{Address, Kind},
    id::OperationId,
    operation::{OperationStatus, WorkflowKind},
};
use weir_edge::wire::workflow::{StepRun, WorkflowRun, WorkflowTemplate};

/// Workflows: templates, their runs, and the attempts of their steps
#[derive(Debug, Subcommand)]
pub enum Workflow {
    /// List templates: the built-in ones, then those of the definition
    Templates {
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one template with its steps
    Template {
        /// The template, such as deploy-host
        #[arg(value_name = "TEMPLATE", value_parser = template)]
        template: Address,
    },
    /// List runs, the newest first
    Runs {
        /// Only those of this kind: deploy or promote
        #[arg(long, value_parser = kind)]
        kind: Option<WorkflowKind>,
        /// Only those that are so, such as running or waiting_gate
        #[arg(long, value_parser = status)]
        status: Option<OperationStatus>,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one run with its log
    Run {
        /// The run, such as op_01J…
        #[arg(value_name = "RUN")]
        run: OperationId,
    },
    /// List every attempt of every step of a run
    Steps {
        /// The run, such as op_01J…
        #[arg(value_name = "RUN")]
        run: OperationId,
        /// Show what each attempt printed
        #[arg(long)]
        logs: bool,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
}

fn template(text: &str) -> Result<Address, String> {
    address_of(Kind::Template, text)
}

fn kind(text: &str) -> Result<WorkflowKind, String> {
    match text.to_ascii_lowercase().as_str() {
        "deploy" => Ok(WorkflowKind::Deploy),
        "promote" => Ok(WorkflowKind::Promote),
        _ => Err(format!("`{text}` is no kind of workflow run: deploy or promote")),
    }
}

fn status(text: &str) -> Result<OperationStatus, String> {
    text.parse().map_err(|_| format!("`{text}` is no status of a run, such as running or waiting_gate"))
}

/// `weir workflow …`
pub async fn run(session: &mut Session, command: &Workflow) -> Result<Exit, Failure> {
    let client = session.client()?;
    match command {
        Workflow::Templates { paging } => {
            let call = async |query: &[(&str, &str)]| client.workflow_template_list(query).await;
            let found = collect(paging.limit, paging.cursor.as_deref(), None, call).await?;
            session.show_list(&found, "there are no templates", templates)?;
        }
        Workflow::Template { template } => {
            let found = client.workflow_template_show(template).await?;
            session.show(&found, shown_template)?;
        }
        Workflow::Runs { kind, status, paging } => {
            let kind = kind.map(|kind| ("kind", kind.as_str()));
            let status = status.map(|status| ("status", status.as_str()));
            let filter: Vec<_> = kind.into_iter().chain(status).collect();
            let call = async |query: &[(&str, &str)]| client.workflow_run_list(query).await;
            let found = collect(paging.limit, paging.cursor.as_deref(), filter, call).await?;
            session.show_list(&found, "nothing has run yet", runs)?;
        }
        Workflow::Run { run } => {
            let found = client.workflow_run_show(*run).await?;
            session.show(&found, shown_run)?;
            session.next("its steps", &format!("weir workflow steps {run}"));
        }
        Workflow::Steps { run, logs, paging } => {
            let call = async |query: &[(&str, &str)]| client.workflow_step_list(*run, query).await;
            let found = collect(paging.limit, paging.cursor.as_deref(), None, call).await?;
            session.show_list(&found, "the run has no steps", steps)?;
            if *logs && !session.is_json() {
                let style = session.style();
                let text: String = found.items.iter().map(|step| printed(step, style)).collect();
                session.data(&text)?;
            }
        }
    }
    Ok(Exit::Done)
}

fn templates(found: &[WorkflowTemplate], _: Style) -> Table {
    let mut table = Table::new(&["template", "version", "steps", "of"]);
    for template in found {
        let of = match (&template.tenant_id, template.is_builtin) {
            (_, true) => "built in".to_owned(),
            (Some(tenant), false) => tenant.to_string(),
            (None, false) => "the workspace".to_owned(),
        };
        table.row([
            Cell::from(&template.name),
            template.version.into(),
            template.nodes.len().into(),
            Cell::from(of),
        ]);
    }
    table
}

fn shown_template(template: &WorkflowTemplate, style: Style) -> String {
    let mut text = format!("{}  version {}\n", style.strong(&template.id), template.version);
    for (name, input) in &template.inputs {
        let required = if input.required { " (required)" } else { "" };
        let about = plain(input.description.as_deref().unwrap_or_default()).into_owned();
        let _ = writeln!(text, "  in   {}{required}  {}", plain(name), style.dim(about));
    }
    for node in &template.nodes {
        let after = node.depends_on.join(", ");
        let after = if after.is_empty() { String::new() } else { format!("after {}", plain(&after)) };
        let _ = writeln!(text, "  step {}  {}  {}", plain(&node.id), node.node_type, style.dim(after));
    }
    for (name, from) in &template.outputs {
        let _ = writeln!(text, "  out  {}  {}", plain(name), style.dim(plain(from)));
    }
    text
}

fn runs(found: &[WorkflowRun], style: Style) -> Table {
    let mut table = Table::new(&["run", "kind", "", "status", "template", "by", "begun"]);
    for run in found {
        table.row([
            run.id.into(),
            run.kind.map_or("–", WorkflowKind::as_str).into(),
            Cell::painted(style.operation(run.status)),
            run.status.as_str().into(),
            Cell::from(run.template_id.as_ref().map_or("–", |id| id.names())),
            Cell::from(&run.actor),
            date_time(run.started_at).into(),
        ]);
    }
    table
}

fn shown_run(run: &WorkflowRun, style: Style) -> String {
    let template = match (&run.template_id, run.template_version) {
        (Some(id), Some(version)) => format!("{id} version {version}"),
        (None, _) | (_, None) => "no template".to_owned(),
    };
    let mut text = format!("{}  {}  {template}\n", style.strong(run.id), run.status.as_str());
    for (word, given) in [("in ", &run.inputs), ("out", &run.outputs)] {
        for (name, value) in given {
            let _ = writeln!(text, "  {word} {} = {}", plain(name), plain(&value.to_string()));
        }
    }
    for entry in &run.logs {
        let _ = writeln!(text, "  {}  {}", style.dim(date_time(entry.ts)), plain(&entry.message));
    }
    text
}

fn steps(found: &[StepRun], style: Style) -> Table {
    let mut table = Table::new(&["step", "attempt", "", "status", "begun", "why"]);
    for step in found {
        table.row([
            Cell::from(&step.node_id),
            step.attempt_number.into(),
            Cell::painted(style.node(step.status)),
            step.status.as_str().into(),
            step.started_at.map_or_else(|| "–".to_owned(), date_time).into(),
            Cell::from(step.error.as_ref().map_or("", |error| error.message.as_str())),
        ]);
    }
    table
}

fn printed(step: &StepRun, style: Style) -> String {
    let Some(logs) = &step.logs else { return String::new() };
    let lines: String = logs.lines().map(|line| format!("  {}\n", plain(line))).collect();
    format!("{}\n{lines}", style.strong(format!("{} attempt {}", step.node_id, step.attempt_number)))
}
