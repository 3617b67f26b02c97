//! `weir audit`: who did what, and who tried to

mod verify;

use crate::{
    api::{ApiError, Client},
    cli::{
        exit::{Exit, Failure},
        session::{Session, collect},
        style::{Style, date_time, plain},
    },
};
use clap::{Args, Subcommand};
use std::{collections::BTreeSet, time::Duration};
use weir_domain::{audit::AuditEvent, id::AuditId};
use weir_edge::wire::page::Page;

/// Between two looks for new events
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

/// New events that are looked for at each look
const FOLLOW_MAX: u32 = 200;

/// The audit trail
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Show the latest events, the newest last
    Tail(Tail),
    /// Verify a copy of the audit chain: that nothing in it was changed, removed or moved; needs no server
    Verify(verify::Verify),
}

/// Which events
#[derive(Debug, Args)]
pub struct Tail {
    /// So many of the latest
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    lines: u32,
    /// Go on with those that come, until interrupted
    #[arg(short, long)]
    follow: bool,
}

/// `weir audit …`
pub async fn run(session: &mut Session, command: &Audit) -> Result<Exit, Failure> {
    match command {
        Audit::Tail(command) => tail(session, command).await,
        Audit::Verify(command) => verify::run(session, command),
    }
}

async fn tail(session: &mut Session, command: &Tail) -> Result<Exit, Failure> {
    let client = session.client()?;
    let mut told: BTreeSet<AuditId> = BTreeSet::new();
    let mut lines = command.lines;
    // What is older than the first look was not asked for, also where later looks reach further.
    let mut oldest: Option<AuditId> = None;
    loop {
        let latest = match latest(&client, lines).await {
            Err(error) if error.is_transient() && !told.is_empty() => {
                Page { items: Vec::new(), next_cursor: None }
            }
            latest => latest?,
        };
        // JSON Lines: events go on for ever.
        let is_new = |event: &AuditEvent| oldest.is_none_or(|oldest| event.id > oldest);
        for event in latest.items.iter().rev().filter(|event| is_new(event)) {
            if !told.insert(event.id) {
                continue;
            }
            session.show(event, line)?;
        }
        oldest = oldest.or_else(|| told.first().copied());
        if !command.follow {
            return Ok(Exit::Done);
        }
        lines = FOLLOW_MAX;
        (session.host.pause)(FOLLOW_EVERY).await;
    }
}

async fn latest(client: &Client, lines: u32) -> Result<Page<AuditEvent>, ApiError> {
    collect(lines, None, None, async |query: &[(&str, &str)]| client.audit_list(query).await).await
}

fn line(event: &AuditEvent, style: Style) -> String {
    let actor = match &event.actor.on_behalf_of {
        Some(person) => format!("{} for {person}", event.actor.id),
        None => event.actor.id.clone(),
    };
    let request = event.request_id.map(|id| format!("  {id}")).unwrap_or_default();
    // What a rule refused is audited under the same action, with the rule.
    let refused = event.metadata.get("refused").and_then(serde_json::Value::as_str);
    let refused = refused.map(|rule| style.bad(format!("  ✖ refused: {}", plain(rule)))).unwrap_or_default();
    format!(
        "{}  {:<16}  {:<24}  {}{refused}{}\n",
        style.dim(date_time(event.ts)),
        plain(&actor),
        style.strong(plain(&event.action)),
        plain(&event.subject_id),
        style.dim(request),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use weir_domain::{actor::Actor, id::Id as _, time::Millis};

    #[test]
    fn what_a_rule_refused_is_marked() {
        let shown = |metadata| {
            let subject = ("gate", "gat_1".to_owned());
            let (id, at) = (AuditId::new(1, 1), Millis(0).into());
            let event =
                AuditEvent::new(id, at, Actor::system("alice"), "gate.decide", subject, metadata, None);
            line(&event, Style::PLAIN)
        };
        let done = shown(json!({ "action": "approved" }));
        assert!(done.ends_with("gate.decide               gat_1\n"), "{done}");
        let refused = shown(json!({ "action": "approved", "refused": "separation_of_duties" }));
        assert!(refused.ends_with("gat_1  ✖ refused: separation_of_duties\n"), "{refused}");
    }
}
