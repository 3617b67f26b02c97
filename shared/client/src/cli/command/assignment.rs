//! `weir assignment`: what an external directory assigns to whom

use super::{address_of, promote::follow};
use crate::{
    api::IdempotencyKey,
    cli::{
        args::Paging,
        exit::{Exit, Failure},
        render::{Cell, Table},
        session::{Session, collect},
        style::{Style, date_time},
    },
};
use clap::Subcommand;
use weir_domain::{
    assignment::AssignmentSnapshot,
    definition::address::{Address, Kind},
    id::SnapshotId,
};
use weir_edge::wire::assignment::AssignmentRunCreate;

/// Assignments of external directories
#[derive(Debug, Subcommand)]
pub enum Assignment {
    /// Read all assignments of a provider into a snapshot
    Fetch {
        /// The provider, such as source.directory
        #[arg(value_name = "PROVIDER", value_parser = provider)]
        provider: Address,
        /// What the snapshot is called
        #[arg(long)]
        name: Option<String>,
    },
    /// Put a snapshot back, assignment by assignment
    Restore {
        /// The snapshot, such as snp_01J…
        #[arg(value_name = "SNAPSHOT")]
        snapshot: SnapshotId,
        /// Only this assignment; may be repeated
        #[arg(long = "only", value_name = "ID")]
        only: Vec<String>,
    },
    /// List the snapshots
    List {
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
}

fn provider(text: &str) -> Result<Address, String> {
    address_of(Kind::Provider, text)
}

/// `weir assignment …`
pub async fn run(session: &mut Session, command: &Assignment) -> Result<Exit, Failure> {
    let body = match command {
        Assignment::List { paging } => return list(session, paging).await,
        Assignment::Fetch { provider, name } => {
            AssignmentRunCreate::Fetch { provider: provider.clone(), name: name.clone() }
        }
        Assignment::Restore { snapshot, only } => {
            AssignmentRunCreate::Restore { snapshot: *snapshot, only: only.clone() }
        }
    };
    let client = session.client()?;
    let operation = client.assignment_run_create(&body, &IdempotencyKey::random()).await?;
    session.note(&format!("{}  {}", operation.operation_id, operation.title));
    follow(session, &client, operation.operation_id, false).await
}

async fn list(session: &mut Session, paging: &Paging) -> Result<Exit, Failure> {
    let client = session.client()?;
    let call = async |query: &[(&str, &str)]| client.assignment_snapshot_list(query).await;
    let snapshots = collect(paging.limit, paging.cursor.as_deref(), None, call).await?;
    session.show_list(&snapshots, "nothing was read yet; `weir assignment fetch PROVIDER` begins", table)?;
    Ok(Exit::Done)
}

fn table(snapshots: &[AssignmentSnapshot], _: Style) -> Table {
    let mut table = Table::new(&["snapshot", "name", "provider", "assignments", "by", "at"]);
    for snapshot in snapshots {
        table.row([
            snapshot.id.into(),
            Cell::from(snapshot.name.as_deref().unwrap_or("–")),
            snapshot.provider.names().into(),
            snapshot.assignments.to_string().into(),
            Cell::from(&snapshot.created_by),
            date_time(snapshot.created_at).into(),
        ]);
    }
    table
}
