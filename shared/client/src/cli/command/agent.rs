//! `weir agent`: the programs on targets

use super::target;
use crate::{
    api::IdempotencyKey,
    cli::{
        args::Paging,
        exit::{Exit, Failure},
        render::{Cell, Table},
        session::{Session, collect},
        style::Style,
    },
};
use clap::Subcommand;
use weir_domain::definition::address::Address;
use weir_edge::wire::agent::{AgentStatus, AgentToken, AgentTokenCreate, AgentView};

/// Agents of targets
#[derive(Debug, Subcommand)]
pub enum Agent {
    /// List the agents and how they are
    List {
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
    /// Tokens that register agents
    #[command(subcommand)]
    Token(Token),
}

/// Tokens that register agents
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token that registers one agent, once; it is shown this once
    Create {
        /// A target that the agent will serve, such as staging.stg-1; may be repeated
        #[arg(long = "target", required = true, value_parser = target)]
        targets: Vec<Address>,
    },
}

/// `weir agent …`
pub async fn run(session: &mut Session, command: &Agent) -> Result<Exit, Failure> {
    match command {
        Agent::List { paging } => list(session, paging).await,
        Agent::Token(Token::Create { targets }) => token_create(session, targets.clone()).await,
    }
}

async fn list(session: &mut Session, paging: &Paging) -> Result<Exit, Failure> {
    let client = session.client()?;
    let call = async |query: &[(&str, &str)]| client.agent_list(query).await;
    let agents = collect(paging.limit, paging.cursor.as_deref(), None, call).await?;
    session.show_list(
        &agents,
        "no agent has registered; `weir agent token create --target …` begins",
        table,
    )?;
    Ok(Exit::Done)
}

fn table(agents: &[AgentView], style: Style) -> Table {
    let mut table = Table::new(&["agent", "name", "status", "version", "heard of", "targets"]);
    for agent in agents {
        let status = match agent.status {
            AgentStatus::Online => style.good("online"),
            AgentStatus::Offline => style.bad("offline"),
            AgentStatus::Degraded => style.warn("degraded"),
        };
        let heard = agent.last_heartbeat.map(|at| weir_domain::time::Millis::from(at).into());
        let heard = heard
            .and_then(|at| style.since(at))
            .map_or_else(|| "never".to_owned(), |age| format!("{age} ago"));
        let targets: Vec<&str> = agent.targets.iter().map(|target| target.target.names()).collect();
        table.row([
            agent.id.into(),
            Cell::from(&agent.name),
            Cell::painted(status),
            Cell::from(&agent.version),
            heard.into(),
            targets.join(", ").into(),
        ]);
    }
    table
}

async fn token_create(session: &mut Session, targets: Vec<Address>) -> Result<Exit, Failure> {
    let client = session.client()?;
    let token = client.agent_token_create(&AgentTokenCreate { targets }, &IdempotencyKey::random()).await?;
    // The token alone on stdout, so that it can be sent to a file that only the agent reads.
    session.show(&token, |token: &AgentToken, _| format!("{}\n", token.token.expose()))?;
    if !session.is_json() {
        session.note(&format!("shown this once; registers one agent until {}", token.expires_at));
        if let Some(target) = token.targets.first() {
            let command =
                format!("weir-agent --name {} --target {target} --token-file FILE --dir DIR", target.name());
            session.next("on the target", &command);
        }
    }
    Ok(Exit::Done)
}
