//! `weir intervention`: nodes that wait for a person to take them by hand

use crate::{
    api::IdempotencyKey,
    cli::{
        args::Paging,
        exit::{Exit, Failure},
        render::{Cell, Table},
        session::{Session, collect},
        style::{Style, elapsed, plain},
    },
};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use weir_domain::{
    id::InterventionId,
    intervention::{Intervention as Found, InterventionAction, InterventionStatus},
};
use weir_edge::wire::intervention::InterventionDecide;

/// Interventions: nodes that wait for a person
#[derive(Debug, Subcommand)]
pub enum Intervention {
    /// List the nodes that wait for a person
    List {
        /// Those of this status instead: open, decided, void
        #[arg(long, default_value = "open", value_parser = status)]
        status: InterventionStatus,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
    /// Have it tried again, skip it, or say that it is done
    Decide(Decide),
}

/// A decision on an intervention
#[derive(Debug, Args)]
pub struct Decide {
    /// The intervention, such as itv_01J…
    #[arg(value_name = "INTERVENTION")]
    pub intervention: InterventionId,
    /// One of retry, skip, mark_done, replace_inputs
    #[arg(value_name = "ACTION", value_parser = action)]
    pub action: InterventionAction,
    /// With replace_inputs: an input and what it becomes, as JSON or plain text; may be given several times
    #[arg(short = 'i', long = "input", value_name = "NAME=VALUE", value_parser = input)]
    pub inputs: Vec<(String, Value)>,
    /// Why; kept with the decision for good
    #[arg(short = 'm', long = "comment")]
    pub comment: Option<String>,
}

fn status(text: &str) -> Result<InterventionStatus, String> {
    text.parse().map_err(|_| format!("`{text}` is none of open, decided, void"))
}

fn action(text: &str) -> Result<InterventionAction, String> {
    text.replace('-', "_")
        .parse()
        .map_err(|_| format!("`{text}` is none of retry, skip, mark_done, replace_inputs"))
}

/// `path=/healthz`, `attempts=3`, `body={"a": 1}`: what is no JSON is text
fn input(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

/// `weir intervention …`
pub async fn run(session: &mut Session, command: &Intervention) -> Result<Exit, Failure> {
    match command {
        Intervention::List { status, paging } => list(session, *status, paging).await,
        Intervention::Decide(command) => decide(session, command).await,
    }
}

async fn list(session: &mut Session, status: InterventionStatus, paging: &Paging) -> Result<Exit, Failure> {
    let client = session.client()?;
    let call = async |query: &[(&str, &str)]| client.intervention_list(query).await;
    let status = Some(("status", status.as_str()));
    let found = collect(paging.limit, paging.cursor.as_deref(), status, call).await?;
    session.show_list(&found, "nothing waits for a person", table)?;
    if let Some(first) = found.items.first().filter(|found| found.status == InterventionStatus::Open) {
        session.next("decide", &command(first));
    }
    Ok(Exit::Done)
}

/// The command that decides, with everything that may be said
fn command(found: &Found) -> String {
    let may: Vec<_> = found.may.iter().map(|action| action.as_str()).collect();
    format!("weir intervention decide {} {}", found.intervention_id, may.join("|"))
}

fn table(found: &[Found], style: Style) -> Table {
    let mut table = Table::new(&["intervention", "status", "for", "node", "why", "may be decided", "waits"]);
    for found in found {
        let why = found.error.as_ref().map_or("a manual step", |error| error.message.as_str());
        let may: Vec<_> = found.may.iter().map(|action| action.as_str()).collect();
        let end = found.ended_at.or(style.now);
        table.row([
            found.intervention_id.into(),
            found.status.as_str().into(),
            Cell::from(&found.subject),
            Cell::from(&found.title),
            plain(why).into(),
            may.join(" ").into(),
            end.map_or_else(|| found.created_at.to_string(), |end| elapsed(found.created_at, end)).into(),
        ]);
    }
    table
}

async fn decide(session: &mut Session, command: &Decide) -> Result<Exit, Failure> {
    let body = InterventionDecide {
        action: command.action,
        comment: command.comment.clone(),
        inputs: command.inputs.iter().cloned().collect::<Map<String, Value>>(),
        graph_hash: None,
    };
    let client = session.client()?;
    let found = client.intervention_decide(command.intervention, &body, &IdempotencyKey::random()).await?;
    session.show(&found, |found, style| {
        let done = match command.action {
            InterventionAction::Retry => "tried again",
            InterventionAction::ReplaceInputs => "tried again with other inputs",
            InterventionAction::Skip => "skipped; its verification decides whether what follows may run",
            InterventionAction::MarkDone => "done by hand; its verification looks whether that is so",
        };
        format!("{}  {}  {}\n", found.intervention_id, plain(&found.title), style.good(done))
    })?;
    session.next("it goes on; watch it", &format!("weir operation watch {}", found.operation_id));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_input_is_json_or_text() {
        for (text, name, value) in [
            ("path=/healthz", "path", json!("/healthz")),
            ("attempts=3", "attempts", json!(3)),
            ("body={\"a\": [1]}", "body", json!({ "a": [1] })),
            ("query=a=b", "query", json!("a=b")),
        ] {
            assert_eq!(input(text).unwrap(), (name.to_owned(), value), "{text}");
        }
        assert!(input("nothing").is_err());
    }

    #[test]
    fn an_action_may_be_written_as_it_is_spoken() {
        assert_eq!(action("mark-done").unwrap(), InterventionAction::MarkDone);
        assert_eq!(action("replace_inputs").unwrap(), InterventionAction::ReplaceInputs);
        assert!(action("approve").is_err());
    }
}
