//! `weir deployment`: operations that bring a release onto targets, as deployment jobs

use crate::cli::{
    exit::{Exit, Failure},
    render::Table,
    session::Session,
    style::{Style, plain},
};
use clap::Subcommand;
use std::fmt::Write as _;
use weir_domain::{canonical::Digest, id::DeploymentId};
use weir_edge::wire::deployment::DeploymentView;

/// Deployments: operations that bring a release onto targets
#[derive(Debug, Subcommand)]
pub enum Deployment {
    /// Show a deployment and its tasks
    Show {
        /// The deployment, such as dep_01J…
        #[arg(value_name = "DEPLOYMENT")]
        deployment: DeploymentId,
    },
}

/// `weir deployment …`
pub async fn run(session: &mut Session, command: &Deployment) -> Result<Exit, Failure> {
    let Deployment::Show { deployment } = command;
    let job = session.client()?.deployment_show(*deployment).await?;
    session.show(&job, show)?;
    Ok(Exit::Done)
}

fn show(job: &DeploymentView, style: Style) -> String {
    let mut text = format!(
        "{}  {}  {} to {}\n",
        style.strong(job.id),
        job.status.as_str(),
        plain(&job.strategy),
        job.environment_id
    );
    if let Some(of) = job.rollback_of {
        let _ = writeln!(text, "{} rollback_of {of}", style.bad("↩"));
    }
    let mut table = Table::new(&["task", "target", "status", "digest", "before", "agent"]);
    for task in &job.tasks {
        table.row([
            task.id.into(),
            (&task.target_id).into(),
            task.status.as_str().into(),
            task.digest.short().into(),
            task.previous_digest.as_ref().map_or("–", Digest::short).into(),
            task.agent_id.map_or_else(|| "–".to_owned(), |id| id.to_string()).into(),
        ]);
    }
    text.push_str(&table.to_text(style));
    for (task, logs) in job.tasks.iter().filter_map(|task| Some((task, task.logs.as_ref()?))) {
        let _ = writeln!(text, "\n{}", style.dim(format!("{} says", task.target_id.name())));
        for line in logs.lines() {
            let _ = writeln!(text, "  {}", plain(line));
        }
    }
    text
}
