//! `weir gate`, `weir approve`, `weir reject`: what waits for a decision

use crate::{
    api::{Client, IdempotencyKey},
    cli::{
        args::Paging,
        exit::{Exit, Failure},
        render::{Cell, Table},
        session::{Session, collect},
        style::{Style, elapsed, plain},
    },
};
use clap::{Args, Subcommand};
use std::fmt::Write as _;
use weir_domain::{
    gate::{DecisionAction, GateStatus},
    id::GateId,
};
use weir_edge::wire::gate::{GateDecide, GateView};

/// Open gates that are looked through for the one that is decided
const LOOK_MAX: u32 = 1_000;

/// Gates: what waits for a decision
#[derive(Debug, Subcommand)]
pub enum Gate {
    /// List the gates that wait for people
    List {
        /// Those of this status instead: open, allowed, denied, expired, void
        #[arg(long, default_value = "open", value_parser = status)]
        status: GateStatus,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
}

/// A decision on a gate
#[derive(Debug, Args)]
pub struct Decide {
    /// The gate, such as gat_01J…
    #[arg(value_name = "GATE")]
    pub gate: GateId,
    /// Why; kept with the decision for good
    #[arg(short = 'm', long = "comment")]
    pub comment: Option<String>,
}

fn status(text: &str) -> Result<GateStatus, String> {
    text.parse().map_err(|_| format!("`{text}` is none of open, allowed, denied, expired, void"))
}

/// `weir gate …`
pub async fn run(session: &mut Session, command: &Gate) -> Result<Exit, Failure> {
    match command {
        Gate::List { status, paging } => list(session, *status, paging).await,
    }
}

async fn list(session: &mut Session, status: GateStatus, paging: &Paging) -> Result<Exit, Failure> {
    let client = session.client()?;
    let gates = gates(&client, status, paging.limit, paging.cursor.as_deref()).await?;
    session.show_list(&gates, "nothing waits for a decision", table)?;
    if let Some(gate) = gates.items.first().filter(|gate| gate.status == GateStatus::Open) {
        session.next("decide", &format!("weir approve {}", gate.gate_id));
    }
    Ok(Exit::Done)
}

async fn gates(
    client: &Client,
    status: GateStatus,
    limit: u32,
    cursor: Option<&str>,
) -> Result<weir_edge::wire::page::Page<GateView>, Failure> {
    let call = async |query: &[(&str, &str)]| client.gate_list(query).await;
    Ok(collect(limit, cursor, Some(("status", status.as_str())), call).await?)
}

fn table(gates: &[GateView], style: Style) -> Table {
    let mut table = Table::new(&["gate", "status", "for", "approvals", "who may", "waits"]);
    for gate in gates {
        let waits = match (gate.decided_at, style.now) {
            (Some(end), _) | (None, Some(end)) => elapsed(gate.waits_since, end),
            (None, None) => gate.waits_since.to_string(),
        };
        table.row([
            gate.gate_id.into(),
            gate.status.as_str().into(),
            Cell::from(&gate.subject),
            tally(gate).into(),
            who(gate).into(),
            waits.into(),
        ]);
    }
    table
}

fn tally(gate: &GateView) -> String {
    gate.tally.map_or_else(|| gate.kind.clone(), |tally| format!("{} of {}", tally.have, tally.need))
}

/// Who may decide, in words
fn who(gate: &GateView) -> String {
    let groups = gate.eligible_groups.as_deref().filter(|groups| !groups.is_empty());
    let who = groups.map_or_else(|| "anyone".to_owned(), |groups| groups.join(", "));
    if gate.require_sod { format!("{who} but {}", gate.requested_by.person()) } else { who }
}

/// `weir approve …`, `weir reject …`
pub async fn decide(
    session: &mut Session,
    command: &Decide,
    action: DecisionAction,
) -> Result<Exit, Failure> {
    let client = session.client()?;
    let open = gates(&client, GateStatus::Open, LOOK_MAX, None).await?;
    let shown = open.items.into_iter().find(|gate| gate.gate_id == command.gate);
    if let Some(gate) = &shown {
        session.note(&format!("{}  {}", command.gate, plain(&gate.subject)));
    }
    let body = GateDecide {
        action,
        comment: command.comment.clone(),
        // What was just shown is what is decided on: if the plan changes in between, the server refuses.
        closure_hash: shown.map(|gate| gate.closure_hash),
    };
    let gate = client.gate_decide(command.gate, &body, &IdempotencyKey::random()).await?;
    session.show(&gate, decided)?;
    match gate.status {
        GateStatus::Open => session.next("it waits for others; watch it", &watch(&gate)),
        GateStatus::Allowed => session.next("it goes on; watch it", &watch(&gate)),
        GateStatus::Denied | GateStatus::Expired | GateStatus::Void => {}
    }
    Ok(Exit::Done)
}

fn watch(gate: &GateView) -> String {
    format!("weir operation watch {}", gate.operation_id)
}

fn decided(gate: &GateView, style: Style) -> String {
    let status = match gate.status {
        GateStatus::Open => style.warn("waits for more"),
        GateStatus::Allowed => style.good("allowed"),
        GateStatus::Denied => style.bad("denied"),
        GateStatus::Expired => style.bad("expired"),
        GateStatus::Void => style.dim("void"),
    };
    let mut text = format!("{}  {}  {status}\n", gate.gate_id, plain(&gate.subject));
    for decision in &gate.decisions {
        let said = match decision.action {
            DecisionAction::Approved => style.good("✔ approved"),
            DecisionAction::Rejected => style.bad("✖ rejected"),
        };
        let comment = decision.comment.as_ref().map(|it| format!("  “{}”", plain(it))).unwrap_or_default();
        let _ = writeln!(text, "  {said} by {} at {}{comment}", plain(&decision.actor.id), decision.at);
    }
    if gate.status == GateStatus::Open {
        let _ = writeln!(text, "  approvals {} · {}", tally(gate), plain(&who(gate)));
    }
    text
}
