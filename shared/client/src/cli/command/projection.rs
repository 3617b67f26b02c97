//! `weir projections`: rows that follow from the ledger

use super::promote::follow;
use crate::{
    api::IdempotencyKey,
    cli::{
        exit::{Exit, Failure},
        render::{Cell, Table},
        session::Session,
        style::{Style, date_time},
    },
};
use clap::Subcommand;
use weir_edge::wire::projection::ProjectionView;

/// Projections: rows that follow from the ledger
#[derive(Debug, Subcommand)]
pub enum Projections {
    /// List projections, with how far behind the ledger each is
    List,
    /// Make the rows of the definition again from the ledger, while they are read
    Rebuild,
}

/// `weir projections …`
pub async fn run(session: &mut Session, command: &Projections) -> Result<Exit, Failure> {
    let client = session.workspace_client()?;
    match command {
        Projections::List => {
            let found = client.projection_list(&[]).await?;
            session.show_list(&found, "there are no projections", table)?;
            Ok(Exit::Done)
        }
        Projections::Rebuild => {
            let operation = client.projection_rebuild(&IdempotencyKey::random()).await?;
            session.note(&format!("{}  {}", operation.operation_id, operation.title));
            follow(session, &client, operation.operation_id, false).await
        }
    }
}

fn table(found: &[ProjectionView], _: Style) -> Table {
    let mut table = Table::new(&["projection", "revision", "behind", "as of"]);
    for projection in found {
        table.row([
            Cell::from(&projection.name),
            projection.revision.map_or_else(|| "–".to_owned(), |revision| revision.to_string()).into(),
            projection.behind.into(),
            date_time(projection.as_of).into(),
        ]);
    }
    table
}
