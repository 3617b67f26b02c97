//! `weir ops`: the ledger of everything that ran, and housekeeping

use crate::{
    api::{Client, IdempotencyKey},
    cli::{
        args::Paging,
        exit::{Exit, Failure},
        render::{Cell, Table},
        session::{Session, collect},
        style::{Style, date_time, plain},
    },
};
use clap::{Args, Subcommand};
use std::fmt::Write as _;
use weir_domain::{
    id::OperationId,
    operation::{Freshness, OperationType, Repair, RepairCause, RunOutcome, RunStatus},
};
use weir_edge::wire::operation_run::OperationRun;

/// Operation runs: everything that ran, housekeeping among it
#[derive(Debug, Subcommand)]
pub enum Ops {
    /// List operation runs, the newest first
    List(List),
    /// Show one run: what it counted, why it failed, what housekeeping repaired
    Show {
        /// The run, such as op_01J…
        #[arg(value_name = "RUN")]
        run: OperationId,
        /// A run of the whole workspace, such as housekeeping
        #[arg(long)]
        workspace: bool,
    },
    /// Find what stands still, drive it forward or fail it, and say what was found
    Reconcile,
}

/// Which runs
#[derive(Debug, Args)]
pub struct List {
    /// Only those that are so: queued, running or completed
    #[arg(long, value_parser = word::<RunStatus>)]
    pub status: Vec<RunStatus>,
    /// Only those that ended so: pending, succeeded or failed
    #[arg(long, value_parser = word::<RunOutcome>)]
    pub outcome: Vec<RunOutcome>,
    /// Only those of this type, such as promote or definition.apply
    #[arg(long = "type", value_name = "TYPE", value_parser = word::<OperationType>)]
    pub operation_type: Vec<OperationType>,
    /// Only those that are so: fresh_active, likely_stale, reconciled_failed or terminal
    #[arg(long, value_parser = word::<Freshness>)]
    pub freshness: Vec<Freshness>,
    /// Only those that housekeeping ended (true), or only the others (false)
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    pub reconciled: Option<bool>,
    /// Those of the whole workspace, such as housekeeping
    #[arg(long)]
    pub workspace: bool,
    /// Which part of them
    #[command(flatten)]
    pub paging: Paging,
}

fn word<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not one of these; see --help"))
}

/// `weir ops …`
pub async fn run(session: &mut Session, command: &Ops) -> Result<Exit, Failure> {
    match command {
        Ops::List(wanted) => list(session, wanted).await,
        Ops::Show { run, workspace } => {
            let run = client(session, *workspace)?.operation_run_show(*run).await?;
            session.show(&run, shown)?;
            Ok(Exit::Done)
        }
        Ops::Reconcile => reconcile(session).await,
    }
}

fn client(session: &Session, workspace: bool) -> Result<Client, Failure> {
    if workspace { session.workspace_client() } else { session.client() }
}

async fn list(session: &mut Session, wanted: &List) -> Result<Exit, Failure> {
    let client = client(session, wanted.workspace)?;
    let mut filter: Vec<(&str, &str)> = Vec::new();
    filter.extend(wanted.status.iter().map(|it| ("status", it.as_str())));
    filter.extend(wanted.outcome.iter().map(|it| ("outcome", it.as_str())));
    filter.extend(wanted.operation_type.iter().map(|it| ("type", it.as_str())));
    filter.extend(wanted.freshness.iter().map(|it| ("freshness", it.as_str())));
    filter.extend(wanted.reconciled.map(|it| ("reconciled", if it { "true" } else { "false" })));
    let paging = &wanted.paging;
    let call = async |query: &[(&str, &str)]| client.operation_run_list(query).await;
    let runs = collect(paging.limit, paging.cursor.as_deref(), filter, call).await?;
    session.show_list(&runs, "there are no such runs", table)?;
    Ok(Exit::Done)
}

async fn reconcile(session: &mut Session) -> Result<Exit, Failure> {
    let client = session.workspace_client()?;
    let run = client.operation_run_reconcile(&IdempotencyKey::random()).await?;
    session.show(&run, shown)?;
    Ok(match run.outcome {
        RunOutcome::Failed => Exit::Failed,
        RunOutcome::Pending | RunOutcome::Succeeded => Exit::Done,
    })
}

fn title(run: &OperationRun) -> &str {
    run.context.get("title").and_then(serde_json::Value::as_str).unwrap_or_default()
}

fn outcome(run: &OperationRun, style: Style) -> String {
    match run.outcome {
        RunOutcome::Pending => style.dim(run.outcome.as_str()),
        RunOutcome::Succeeded => style.good(run.outcome.as_str()),
        RunOutcome::Failed => style.bad(run.outcome.as_str()),
    }
}

fn table(runs: &[OperationRun], style: Style) -> Table {
    let mut table = Table::new(&["run", "type", "status", "outcome", "freshness", "what", "by", "begun"]);
    for run in runs {
        table.row([
            run.id.into(),
            run.operation_type.as_str().into(),
            run.status.as_str().into(),
            Cell::painted(outcome(run, style)),
            run.freshness.as_str().into(),
            Cell::from(title(run)),
            Cell::from(&run.initiator_name),
            date_time(run.created_at).into(),
        ]);
    }
    table
}

fn shown(run: &OperationRun, style: Style) -> String {
    let mut text = format!(
        "{}  {}  {}\n",
        style.strong(run.id),
        run.operation_type.as_str(),
        style.dim(plain(title(run)))
    );
    let by = plain(&run.initiator_name).into_owned();
    let _ = writeln!(
        text,
        "  {} · {} · {} · by {by} · {}",
        run.status.as_str(),
        outcome(run, style),
        run.freshness.as_str(),
        date_time(run.created_at)
    );
    for failure in &run.failure_summary {
        let _ = writeln!(text, "  {} {}: {}", style.bad("✘"), plain(&failure.code), plain(&failure.message));
    }
    for (key, count) in run.summary_counts.iter().filter(|(_, count)| **count > 0) {
        let _ = writeln!(text, "  {count:>6} {}", plain(key));
    }
    for repair in &run.repairs {
        let _ = writeln!(text, "  {}", repaired(repair, style));
    }
    let unlisted = run.context.get("repairs_unlisted").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if unlisted > 0 {
        let _ = writeln!(text, "  and {unlisted} more, which are not listed");
    }
    if run.repairs.is_empty() && unlisted == 0 && run.operation_type == OperationType::ReconcileAdapterRuns {
        text.push_str("  nothing stood still\n");
    }
    text
}

/// `lease_expired   retried   op_01J….7`
fn repaired(repair: &Repair, style: Style) -> String {
    let what = match repair.ordinal {
        Some(ordinal) => format!("{}.{ordinal}", repair.operation_id),
        None => repair.operation_id.to_string(),
    };
    let cause = repair.cause.map_or("-", RepairCause::as_str);
    let detail = repair.detail.as_deref().map(|it| format!("  {}", plain(it))).unwrap_or_default();
    format!("{cause:<18} {:<10} {}  {what}{detail}", repair.effect.as_str(), style.dim(&repair.scope))
}
