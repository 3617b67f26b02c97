//! `weir operation`, `weir watch`, `weir explain`: plans that run

use super::{
    plan,
    promote::{follow, retryable},
};
use crate::{
    api::IdempotencyKey,
    cli::{
        args::Paging,
        exit::{Exit, Failure},
        render::{self, Cell, Table},
        session::{Session, collect},
        style::{Style, date_time, plain},
        watch::{self, Events, Until},
    },
};
use clap::{Args, Subcommand};
use std::fmt::Write as _;
use weir_domain::{
    id::OperationId,
    operation::{Held, OperationStatus},
};
use weir_edge::wire::explain::{Explanation, Obstacle, OperationAhead};
use weir_edge::wire::operation::{
    OperationCancel, OperationHold, OperationRetry, OperationView, QueuedBehind, Timeline,
};

/// Operations: plans that run
#[derive(Debug, Subcommand)]
pub enum Operation {
    /// Show where an operation stands, node by node
    Show {
        /// The operation, such as op_01J…
        #[arg(value_name = "OPERATION")]
        operation: OperationId,
        /// Draw its graph instead
        #[arg(long)]
        dag: bool,
    },
    /// Watch an operation to its end
    Watch(Watch),
    /// Ask that an operation ends
    Cancel(Wish),
    /// Hold an operation and those that its nodes run: what has been handed out goes on, nothing further is
    Pause(Wish),
    /// Let a paused operation go on
    Resume(Wish),
    /// Run what an operation has left undone as another operation
    Retry(Retry),
    /// Change what an operation runs, as far as it has not started
    Patch(plan::Patch),
    /// List operations, the newest first
    List {
        /// Only those that are so, such as running or waiting_gate
        #[arg(long, value_parser = status)]
        status: Option<OperationStatus>,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
    /// Show what happened in an operation, the earliest first
    Timeline {
        /// The operation
        #[arg(value_name = "OPERATION")]
        operation: OperationId,
    },
    /// Say why an operation waits, and who can end that
    Explain(Explain),
}

/// Something that is asked of an operation
#[derive(Debug, Args)]
pub struct Wish {
    /// The operation, such as op_01J…
    #[arg(value_name = "OPERATION")]
    pub operation: OperationId,
    /// Why; kept in its timeline and in the audit trail
    #[arg(short = 'm', long)]
    pub reason: Option<String>,
}

/// An operation to retry
#[derive(Debug, Args)]
pub struct Retry {
    /// The operation, and why
    #[command(flatten)]
    pub wish: Wish,
    /// Do not wait for people: end with exit code 3 as soon as somebody has to do something
    #[arg(long)]
    pub no_wait: bool,
}

/// An operation to watch
#[derive(Debug, Args)]
pub struct Watch {
    /// The operation, such as op_01J…
    #[arg(value_name = "OPERATION")]
    pub operation: OperationId,
    /// Do not wait for people: end with exit code 3 as soon as somebody has to do something
    #[arg(long)]
    pub no_wait: bool,
}

/// An operation to explain
#[derive(Debug, Args)]
pub struct Explain {
    /// The operation, such as op_01J…
    #[arg(value_name = "OPERATION")]
    pub operation: OperationId,
}

fn status(text: &str) -> Result<OperationStatus, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no status of an operation, such as running or waiting_gate"))
}

/// `weir operation …`
pub async fn run(session: &mut Session, command: &Operation) -> Result<Exit, Failure> {
    match command {
        Operation::Show { operation, dag } => show(session, *operation, *dag).await,
        Operation::Watch(command) => watch(session, command).await,
        Operation::Cancel(wish) => cancel(session, wish).await,
        Operation::Pause(wish) => pause(session, wish).await,
        Operation::Resume(wish) => resume(session, wish).await,
        Operation::Retry(command) => retry(session, command).await,
        Operation::Patch(command) => plan::patch(session, command).await,
        Operation::List { status, paging } => list(session, *status, paging).await,
        Operation::Timeline { operation } => timeline(session, *operation).await,
        Operation::Explain(command) => explain(session, command).await,
    }
}

async fn show(session: &mut Session, id: OperationId, dag: bool) -> Result<Exit, Failure> {
    let operation = session.client()?.operation_show(id).await?;
    session.show(&operation, |operation, style| {
        if dag { render::dag(operation) } else { render::operation_tree(operation, style) }
    })?;
    if operation.status.is_terminal() {
        for evidence in &operation.evidence_ids {
            session.next("evidence", &format!("weir evidence show {evidence}"));
        }
        retryable(session, &operation);
    } else {
        session.next("watch it", &format!("weir operation watch {id}"));
    }
    Ok(Exit::Done)
}

/// `weir operation watch …`
pub async fn watch(session: &mut Session, command: &Watch) -> Result<Exit, Failure> {
    let client = session.client()?;
    let until = if command.no_wait { Until::SomebodyIsNeeded } else { Until::Ended };
    let operation = watch::watch(session, &client, command.operation, until, Events::Data).await?;
    let style = session.prose_style();
    let ending = render::ending(&operation, style);
    session.note(ending.trim_end());
    retryable(session, &operation);
    Ok(watch::exit(&operation))
}

async fn pause(session: &mut Session, wish: &Wish) -> Result<Exit, Failure> {
    let (client, id) = (session.client()?, wish.operation);
    let body = OperationHold { reason: wish.reason.clone() };
    let operation = client.operation_pause(id, &body, &IdempotencyKey::random()).await?;
    session.show(&operation, |operation, _| {
        format!(
            "{id}  {}  paused: what has been handed out goes on, nothing further is\n",
            plain(&operation.title)
        )
    })?;
    session.next("let it go on", &format!("weir operation resume {id}"));
    Ok(Exit::Done)
}

async fn resume(session: &mut Session, wish: &Wish) -> Result<Exit, Failure> {
    let (client, id) = (session.client()?, wish.operation);
    let body = OperationHold { reason: wish.reason.clone() };
    let operation = client.operation_resume(id, &body, &IdempotencyKey::random()).await?;
    session.show(&operation, |operation, _| format!("{id}  {}  goes on\n", plain(&operation.title)))?;
    session.next("watch it", &format!("weir operation watch {id}"));
    Ok(Exit::Done)
}

async fn retry(session: &mut Session, command: &Retry) -> Result<Exit, Failure> {
    let (client, id) = (session.client()?, command.wish.operation);
    let body = OperationRetry { reason: command.wish.reason.clone() };
    let operation = client.operation_retry(id, &body, &IdempotencyKey::random()).await?;
    session.note(&format!("{}  {}, what is left of {id}", operation.operation_id, plain(&operation.title)));
    follow(session, &client, operation.operation_id, command.no_wait).await
}

async fn cancel(session: &mut Session, wish: &Wish) -> Result<Exit, Failure> {
    let (client, id) = (session.client()?, wish.operation);
    let body = OperationCancel { reason: wish.reason.clone() };
    let operation = client.operation_cancel(id, &body, &IdempotencyKey::random()).await?;
    session.show(&operation, |operation, _| {
        format!("{id}  {}  asked to end: nothing further begins\n", plain(&operation.title))
    })?;
    if !operation.status.is_terminal() {
        session.next("what runs already is told to stop; watch it", &format!("weir operation watch {id}"));
    }
    Ok(Exit::Done)
}

async fn list(
    session: &mut Session,
    status: Option<OperationStatus>,
    paging: &Paging,
) -> Result<Exit, Failure> {
    let client = session.client()?;
    let filter = status.map(|status| ("status", status.as_str()));
    let call = async |query: &[(&str, &str)]| client.operation_list(query).await;
    let operations = collect(paging.limit, paging.cursor.as_deref(), filter, call).await?;
    session.show_list(&operations, "there are no operations", table)?;
    Ok(Exit::Done)
}

fn table(operations: &[OperationView], style: Style) -> Table {
    let mut table = Table::new(&["operation", "type", "", "status", "what", "by", "begun"]);
    for operation in operations {
        table.row([
            operation.operation_id.into(),
            operation.operation_type.as_str().into(),
            Cell::painted(style.operation(operation.status)),
            operation.status.as_str().into(),
            Cell::from(&operation.title),
            Cell::from(&operation.initiator_name),
            date_time(operation.created_at).into(),
        ]);
    }
    table
}

async fn timeline(session: &mut Session, id: OperationId) -> Result<Exit, Failure> {
    let timeline = session.client()?.operation_timeline(id).await?;
    session.show(&timeline, |timeline: &Timeline, style| {
        timeline.events.iter().map(|event| format!("{}\n", watch::event_line(event, style))).collect()
    })?;
    Ok(Exit::Done)
}

/// `weir explain …`
pub async fn explain(session: &mut Session, command: &Explain) -> Result<Exit, Failure> {
    let client = session.client()?;
    let found = client.operation_explain(command.operation).await?;
    if found.status.is_terminal() && !session.is_json() {
        let operation = client.operation_show(command.operation).await?;
        session.show(&operation, render::ending)?;
    } else {
        session.show(&found, explained)?;
    }
    for command in &found.commands {
        session.next("what can be done", command);
    }
    Ok(Exit::Done)
}

fn explained(found: &Explanation, style: Style) -> String {
    let age = style.since(found.since).map(|age| format!(" · {age}")).unwrap_or_default();
    let mut text = format!("{}{age} · {}\n", style.strong(found.status.as_str()), plain(&found.title));
    let held = match &found.held {
        Some(Held::Paused { by, .. }) => {
            Some(format!("paused by {by}: what has been handed out goes on, nothing further is"))
        }
        Some(Held::Ending { by }) => Some(format!("asked to end by {by}: nothing further begins")),
        Some(Held::Queued { behind }) if found.queued_behind.is_empty() => {
            let behind: Vec<String> = behind.iter().map(ToString::to_string).collect();
            Some(format!("queued behind {}", behind.join(", ")))
        }
        Some(Held::Queued { .. }) => {
            Some(found.queued_behind.iter().map(render::queued).collect::<Vec<_>>().join("; "))
        }
        Some(Held::Beginning {}) => Some("its nodes are being put".to_owned()),
        None => None,
    };
    if let Some(held) = held {
        let _ = writeln!(text, "  {}", style.warn(plain(&held)));
    }
    text.extend(found.waits.iter().map(|obstacle| obstructed(obstacle, "  ", style)));
    if found.waits.is_empty() && found.held.is_none() {
        text.push_str("  it waits for nobody\n");
    }
    for other in &found.ahead {
        let title = plain(&other.title);
        let _ = writeln!(text, "  {} {title}: {}", other.operation_id, could_end(other, style));
        text.extend(other.waits.iter().map(|obstacle| obstructed(obstacle, "    ", style)));
    }
    let _ = writeln!(text, "  earliest possible start: {}", earliest(found, style));
    text
}

/// What one node waits for, with what has been said and who may not say it
fn obstructed(obstacle: &Obstacle, indent: &str, style: Style) -> String {
    let mut text = format!("{indent}{} {}\n", obstacle.wait.node_id, render::wait(&obstacle.wait, style));
    for said in &obstacle.said {
        let _ = writeln!(text, "{indent}  {} {}", style.good("✔"), plain(said));
    }
    for excluded in &obstacle.excluded {
        let _ = writeln!(text, "{indent}  {} not {}", style.dim("·"), plain(excluded));
    }
    text
}

/// `could end now, when somebody has done what it waits for`
fn could_end(other: &OperationAhead, style: Style) -> String {
    let Some(at) = other.ends else { return "will not end well".to_owned() };
    let is_due = style.now.is_none_or(|now| at <= now);
    let when = if is_due { "now".to_owned() } else { format!("not before {}", date_time(at)) };
    let held = match &other.held {
        Some(Held::Paused { by, .. }) => format!(", when what {} paused is resumed", plain(by)),
        _ if other.after_somebody => ", when somebody has done what it waits for".to_owned(),
        _ => String::new(),
    };
    format!("could end {when}{held}")
}

/// `deploy.prd-1 now, when approval is done`; not "now" where it rests on more than what people can decide at once
fn earliest(found: &Explanation, style: Style) -> String {
    let Some(start) = &found.earliest else { return "nothing is left that could begin".to_owned() };
    let mut first = match &found.held {
        Some(Held::Paused { .. }) => vec!["it is resumed".to_owned()],
        Some(Held::Queued { .. }) => {
            let line = |it: &QueuedBehind| format!("{} has left {}", it.who(), it.resource);
            found.queued_behind.iter().map(line).collect()
        }
        Some(Held::Ending { .. } | Held::Beginning {}) | None => Vec::new(),
    };
    first.extend(start.after_agent.then(|| "an agent that serves its target is online".to_owned()));
    let is_due = style.now.is_none_or(|now| start.at <= now);
    let when = match (is_due, first.is_empty() && !start.after_held) {
        (false, _) => format!(" not before {}", date_time(start.at)),
        (true, true) => " now".to_owned(),
        (true, false) => String::new(),
    };
    first.extend(start.after.iter().map(|node| format!("{node} is done")));
    let first = if first.is_empty() { String::new() } else { format!(", when {}", first.join(" and ")) };
    let running = if start.after_running { ", after what runs now" } else { "" };
    format!("{}{when}{first}{running}", start.node_id)
}
