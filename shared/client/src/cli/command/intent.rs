//! `weir intent`: what somebody wanted, and what came of it

use crate::{
    api::IdempotencyKey,
    cli::{
        args::Paging,
        exit::{Exit, Failure},
        render::{Cell, Table},
        session::{Session, collect},
        style::{Style, date_time, plain},
    },
};
use clap::Subcommand;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use weir_domain::{id::IntentId, intent::IntentStatus};
use weir_edge::wire::intent::{IntentCancel, IntentView};

/// Intents: what somebody wanted, and what came of it
#[derive(Debug, Subcommand)]
pub enum Intent {
    /// List intents, the newest first
    List {
        /// Only those that are so, such as planned or fulfilled
        #[arg(long, value_parser = status)]
        status: Option<IntentStatus>,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one intent: what was wanted, within which limits, and its plan
    Show {
        /// The intent, such as int_01J…
        #[arg(value_name = "INTENT")]
        intent: IntentId,
    },
    /// Plan an intent again that nothing runs yet: its plan before is superseded
    Plan {
        /// The intent, such as int_01J…
        #[arg(value_name = "INTENT")]
        intent: IntentId,
    },
    /// Take an intent back that nothing runs yet: its plan cannot be started any more
    Cancel {
        /// The intent, such as int_01J…
        #[arg(value_name = "INTENT")]
        intent: IntentId,
        /// Why; kept in the audit trail
        #[arg(short = 'm', long)]
        reason: Option<String>,
    },
}

fn status(text: &str) -> Result<IntentStatus, String> {
    text.parse().map_err(|_| format!("`{text}` is no status of an intent, such as planned or fulfilled"))
}

/// `weir intent …`
pub async fn run(session: &mut Session, command: &Intent) -> Result<Exit, Failure> {
    let client = session.client()?;
    match command {
        Intent::List { status, paging } => {
            let filter = status.map(|status| ("status", status.as_str()));
            let call = async |query: &[(&str, &str)]| client.intent_list(query).await;
            let found = collect(paging.limit, paging.cursor.as_deref(), filter, call).await?;
            session.show_list(
                &found,
                "nobody wanted anything yet; `weir run` and `weir promote` begin",
                table,
            )?;
        }
        Intent::Show { intent } => {
            let found = client.intent_show(*intent).await?;
            session.show(&found, shown)?;
            if let Some(plan) = found.plan_id {
                session.next("its plan", &format!("weir plan show {plan}"));
            }
        }
        Intent::Plan { intent } => {
            let planned = client.intent_plan(*intent, &IdempotencyKey::random()).await?;
            session.show(&planned, shown)?;
            if let Some(plan) = planned.plan_id {
                session.next("its new plan", &format!("weir plan show {plan}"));
            }
        }
        Intent::Cancel { intent, reason } => {
            let body = IntentCancel { reason: reason.clone() };
            let cancelled = client.intent_cancel(*intent, &body, &IdempotencyKey::random()).await?;
            session.show(&cancelled, shown)?;
        }
    }
    Ok(Exit::Done)
}

fn table(intents: &[IntentView], _: Style) -> Table {
    let mut table = Table::new(&["intent", "action", "of", "status", "plan", "by", "said"]);
    for intent in intents {
        table.row([
            Cell::from(intent.id),
            Cell::from(intent.action.as_str()),
            Cell::from(intent.target_resource_id.as_str()),
            Cell::from(intent.status.as_str()),
            Cell::from(intent.plan_id.map(|id| id.to_string()).unwrap_or_default()),
            Cell::from(intent.actor_id.as_str()),
            Cell::from(date_time(intent.created_at)),
        ]);
    }
    table
}

fn shown(intent: &IntentView, style: Style) -> String {
    let what = format!("{} {}", intent.action, intent.target_resource_id);
    let mut text = format!("{}  {}  {}\n", style.strong(intent.id), plain(&what), intent.status.as_str());
    let facts = format!("by {} · {}", intent.actor_id, date_time(intent.created_at));
    let _ = writeln!(text, "{}", style.dim(plain(&facts)));
    let mut line = |name: &str, said: &str| {
        let _ = writeln!(text, "  {name:<12} {}", plain(said));
    };
    if let Some(scenario) = &intent.scenario {
        line("scenario", scenario.as_str());
    }
    for (name, fields) in
        [("input", &intent.inputs), ("result", &intent.desired_result), ("constraint", &intent.constraints)]
    {
        said(fields).iter().for_each(|field| line(name, field));
    }
    if let Some(plan) = intent.plan_id {
        line("plan", &plan.to_string());
    }
    if let Some(failure) = &intent.failure {
        line("rejected", &failure.message);
    }
    text
}

/// Each field as `name = value`
fn said(fields: &Map<String, Value>) -> Vec<String> {
    fields.iter().map(|(name, value)| format!("{name} = {value}")).collect()
}
