//! `weir service`: what of each service was brought where last

use crate::cli::{
    args::Paging,
    exit::{Exit, Failure},
    render::{Cell, Table},
    session::{Session, collect},
    style::{Style, date_time},
};
use clap::Subcommand;
use weir_edge::wire::service::ServiceView;

/// Services, and what of each was brought where last
#[derive(Debug, Subcommand)]
pub enum Service {
    /// List services with the latest release of each of their environments
    List {
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
}

/// `weir service …`
pub async fn run(session: &mut Session, command: &Service) -> Result<Exit, Failure> {
    let Service::List { paging } = command;
    let client = session.client()?;
    let call = async |query: &[(&str, &str)]| client.service_list(query).await;
    let services = collect(paging.limit, paging.cursor.as_deref(), None, call).await?;
    session.show_list(&services, "the definition that is applied has no services", table)?;
    Ok(Exit::Done)
}

fn table(services: &[ServiceView], _: Style) -> Table {
    let mut table = Table::new(&["service", "environment", "version", "release", "since"]);
    for service in services {
        for environment in &service.environments {
            let latest = environment.latest_release.as_ref();
            let or_none = |text: Option<String>| Cell::from(text.unwrap_or_else(|| "–".to_owned()));
            table.row([
                Cell::from(&service.name),
                environment.environment_id.names().into(),
                or_none(latest.map(|it| it.version.clone())),
                or_none(latest.map(|it| it.release_id.to_string())),
                or_none(latest.map(|it| date_time(it.deployed_at))),
            ]);
        }
    }
    table
}
