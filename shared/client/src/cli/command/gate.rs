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
    gate::{DecisionAction, Earliest, GateStatus},
    id::GateId,
};
use weir_edge::wire::gate::{GateDecide, GateView};

/// Open gates that are looked through for the one that is decided
const LOOK_MAX: u32 = 1_000;

/// Gates: what waits for a decision
#[derive(Debug, Subcommand)]
pub enum Gate {
    /// List the gates that wait: for people, for a time, for something else to end
    List {
        /// Those of this status instead: open, allowed, denied, expired, void
        #[arg(long, default_value = "open", value_parser = status)]
        status: GateStatus,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one gate: what it waits for, who may decide, when it could open, and what it was decided on
    Show {
        /// The gate, such as gat_01J…
        #[arg(value_name = "GATE")]
        gate: GateId,
    },
}

/// A decision on a gate
#[derive(Debug, Args)]
pub struct Decide {
    /// The gate, such as gat_01J…
    #[arg(value_name = "GATE")]
    pub gate: GateId,
    /// Why; kept with the decision for good. A gate that is opened by hand asks for it
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
        Gate::Show { gate } => show(session, *gate).await,
    }
}

async fn list(session: &mut Session, status: GateStatus, paging: &Paging) -> Result<Exit, Failure> {
    let client = session.client()?;
    let gates = gates(&client, status, paging.limit, paging.cursor.as_deref()).await?;
    session.show_list(&gates, "nothing waits for a decision", table)?;
    let for_people = |gate: &&GateView| gate.status == GateStatus::Open && gate.spec.is_for_people();
    if let Some(gate) = gates.items.iter().find(for_people) {
        session.next("decide", &approve(gate));
    }
    Ok(Exit::Done)
}

async fn show(session: &mut Session, gate: GateId) -> Result<Exit, Failure> {
    let gate = session.client()?.gate_get(gate).await?;
    session.show(&gate, shown)?;
    if gate.status == GateStatus::Open && gate.spec.is_for_people() {
        session.next("decide", &approve(&gate));
    }
    Ok(Exit::Done)
}

/// How the gate is decided: one that is opened by hand asks why
fn approve(gate: &GateView) -> String {
    let why = gate.spec.people().is_some_and(|people| people.comment);
    format!("weir approve {}{}", gate.gate_id, if why { " -m WHY" } else { "" })
}

fn shown(gate: &GateView, style: Style) -> String {
    let mut text = head(gate, style);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10} {}", plain(&value));
    };
    line("kind", gate.kind.clone());
    line("waits for", waits_for(gate));
    line("who", gate.who.clone());
    match gate.earliest.filter(|_| gate.status == GateStatus::Open) {
        Some(Earliest::At { at }) => line("earliest", at.to_string()),
        Some(Earliest::Unknown {}) => line("earliest", "when that has happened".to_owned()),
        Some(Earliest::Never {}) => line("earliest", "never".to_owned()),
        Some(Earliest::Now {}) | None => {}
    }
    if let (GateStatus::Open, Some(expires)) = (gate.status, gate.expires_at) {
        line("denied at", format!("{expires}, if nothing happens"));
    }
    if let Some(result) = &gate.result {
        line("decided", format!("by {} at {}: {}", result.by.id, result.at, result.what));
    }
    line("decides on", gate.closure_hash.short().to_owned());
    text.push_str(&decisions(gate, style));
    text
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
    let mut table = Table::new(&["gate", "kind", "status", "for", "waits for", "who may", "waits"]);
    for gate in gates {
        let waits = match (gate.decided_at, style.now) {
            (Some(end), _) | (None, Some(end)) => elapsed(gate.waits_since, end),
            (None, None) => gate.waits_since.to_string(),
        };
        table.row([
            gate.gate_id.into(),
            gate.kind.as_str().into(),
            gate.status.as_str().into(),
            Cell::from(&gate.subject),
            Cell::from(&waits_for(gate)),
            Cell::from(&gate.who),
            waits.into(),
        ]);
    }
    table
}

/// What it waits for in words: approvals as they stand, everything else as the gate says it
fn waits_for(gate: &GateView) -> String {
    match gate.tally.filter(|_| gate.kind == "approval") {
        Some(tally) => format!("{} of {} approvals", tally.have, tally.need),
        None => gate.waits_for.clone(),
    }
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
    let mut text = head(gate, style);
    text.push_str(&decisions(gate, style));
    if gate.status == GateStatus::Open {
        let _ = writeln!(text, "  {} · {}", plain(&waits_for(gate)), plain(&gate.who));
    }
    text
}

fn head(gate: &GateView, style: Style) -> String {
    let status = match gate.status {
        GateStatus::Open => style.warn("waits"),
        GateStatus::Allowed => style.good("allowed"),
        GateStatus::Denied => style.bad("denied"),
        GateStatus::Expired => style.bad("expired"),
        GateStatus::Void => style.dim("void"),
    };
    format!("{}  {}  {status}\n", gate.gate_id, plain(&gate.subject))
}

fn decisions(gate: &GateView, style: Style) -> String {
    let mut text = String::new();
    for decision in &gate.decisions {
        let said = match decision.action {
            DecisionAction::Approved => style.good("✔ approved"),
            DecisionAction::Rejected => style.bad("✖ rejected"),
        };
        let comment = decision.comment.as_ref().map(|it| format!("  “{}”", plain(it))).unwrap_or_default();
        let _ = writeln!(text, "  {said} by {} at {}{comment}", plain(&decision.actor.id), decision.at);
    }
    text
}
