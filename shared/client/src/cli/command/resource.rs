//! `weir resource`: what the definition says, as it was applied last

use crate::cli::{
    args::Paging,
    exit::{Exit, Failure},
    render::{Cell, Table},
    session::{Session, collect},
    style::{Style, date_time, plain},
};
use clap::Subcommand;
use weir_domain::definition::address::{Address, Kind};
use weir_edge::wire::resource::ResourceView;

/// Resources as the definition has them
#[derive(Debug, Subcommand)]
pub enum Resource {
    /// List resources
    List {
        /// Only those of this kind, such as environment
        #[arg(long, value_parser = kind)]
        kind: Option<Kind>,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one resource and what it says
    Show {
        /// Its address, such as environment.staging
        address: Address,
    },
}

fn kind(text: &str) -> Result<Kind, String> {
    text.parse().map_err(|_| format!("`{text}` is no kind of resource: `weir help kinds` lists them"))
}

/// `weir resource …`
pub async fn run(session: &mut Session, command: &Resource) -> Result<Exit, Failure> {
    match command {
        Resource::List { kind, paging } => list(session, *kind, paging).await,
        Resource::Show { address } => {
            let resource = session.client()?.resource_show(address).await?;
            session.show(&resource, show)?;
            Ok(Exit::Done)
        }
    }
}

async fn list(session: &mut Session, kind: Option<Kind>, paging: &Paging) -> Result<Exit, Failure> {
    let client = session.client()?;
    let filter = kind.map(|kind| ("kind", kind.as_str()));
    let call = async |query: &[(&str, &str)]| client.resource_list(query).await;
    let resources = collect(paging.limit, paging.cursor.as_deref(), filter, call).await?;
    session.show_list(&resources, "nothing was applied yet; `weir plan` begins", table)?;
    Ok(Exit::Done)
}

fn table(resources: &[ResourceView], _: Style) -> Table {
    let mut table = Table::new(&["resource", "of", "revision", "applied", "by"]);
    for resource in resources {
        table.row([
            Cell::from(&resource.address),
            Cell::from(&resource.scope),
            resource.revision.into(),
            date_time(resource.applied_at).into(),
            resource.operation_id.into(),
        ]);
    }
    table
}

fn show(resource: &ResourceView, style: Style) -> String {
    let spec = serde_json::to_string_pretty(&resource.spec).unwrap_or_default();
    let spec: String = spec.lines().map(|line| format!("  {}\n", plain(line))).collect();
    format!(
        "{}  {}\n{}\n{spec}",
        style.strong(&resource.address),
        plain(&resource.scope),
        style.dim(format!(
            "revision {} · {} · {} · {}",
            resource.revision,
            date_time(resource.applied_at),
            resource.operation_id,
            resource.digest.short()
        )),
    )
}
