//! `weir release`: versions of components that move through environments together

use super::{component, service};
use crate::{
    api::IdempotencyKey,
    cli::{
        args::Paging,
        exit::{Exit, Failure},
        render::{Cell, Table},
        session::{Session, collect},
        style::{Style, date_time, plain},
    },
};
use clap::{Args, Subcommand};
use weir_domain::{
    definition::address::Address,
    delivery::{self, ReleaseStatus, SourceRef},
    id::{ReleaseId, VersionId},
};
use weir_edge::wire::{release::ReleaseCreate, service::ReleaseLog};

/// Releases of services
#[derive(Debug, Subcommand)]
pub enum Release {
    /// Put versions together; the release never changes afterwards
    Create(Create),
    /// Show what happened in everything that ran for a release, the earliest first
    Timeline {
        /// The release, such as rel_01J…
        #[arg(value_name = "RELEASE")]
        release: ReleaseId,
    },
    /// List releases, the newest first
    List {
        /// Only those that are so: draft, ready, deployed, deprecated
        #[arg(long, value_parser = status)]
        status: Option<ReleaseStatus>,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
}

/// A release to make
#[derive(Debug, Args)]
pub struct Create {
    /// The service, such as shop
    #[arg(long, value_parser = service)]
    service: Address,
    /// The release's own version
    #[arg(long)]
    version: String,
    /// A component and the version of it, such as web=ver_01J…; may be repeated
    #[arg(long = "component", required = true, value_name = "NAME=VERSION", value_parser = part)]
    components: Vec<(Address, VersionId)>,
    /// What people call it [default: the service's name and the version]
    #[arg(long)]
    name: Option<String>,
    /// What it was built from, as REPOSITORY@COMMIT
    #[arg(long, value_parser = source)]
    source: Option<SourceRef>,
}

fn part(text: &str) -> Result<(Address, VersionId), String> {
    let (name, version) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not a component and its version, as in web=ver_01J…"))?;
    Ok((component(name)?, version.parse().map_err(|error| format!("{error}"))?))
}

fn status(text: &str) -> Result<ReleaseStatus, String> {
    text.parse().map_err(|_| format!("`{text}` is none of draft, ready, deployed, deprecated"))
}

fn source(text: &str) -> Result<SourceRef, String> {
    match text.rsplit_once('@').filter(|(repo, sha)| !repo.is_empty() && !sha.is_empty()) {
        Some((repo, sha)) => Ok(SourceRef { repo: repo.to_owned(), sha: sha.to_owned() }),
        None => Err(format!(
            "`{text}` is not a repository and a commit, as in https://git.example.com/shop@4f2c…"
        )),
    }
}

/// `weir release …`
pub async fn run(session: &mut Session, command: &Release) -> Result<Exit, Failure> {
    match command {
        Release::Create(command) => create(session, command).await,
        Release::Timeline { release } => timeline(session, *release).await,
        Release::List { status, paging } => list(session, *status, paging).await,
    }
}

async fn timeline(session: &mut Session, id: ReleaseId) -> Result<Exit, Failure> {
    let timeline = session.client()?.release_timeline(id).await?;
    session.show(&timeline, |timeline, style| {
        let line = |log: &ReleaseLog| {
            let (when, message) = (style.dim(date_time(log.entry.ts)), plain(&log.entry.message));
            format!("{when}  {}  {message}\n", log.workflow_run_id)
        };
        timeline.logs.iter().map(line).collect()
    })?;
    Ok(Exit::Done)
}

async fn create(session: &mut Session, command: &Create) -> Result<Exit, Failure> {
    let client = session.client()?;
    let body = ReleaseCreate {
        service_id: command.service.clone(),
        version: command.version.clone(),
        name: command.name.clone(),
        display_name: None,
        components: command.components.iter().cloned().collect(),
        source_ref: command.source.clone(),
    };
    if body.components.len() != command.components.len() {
        return Err(Failure::Usage(
            "a component is given twice: a release has one version of each".to_owned(),
        ));
    }
    let release = client.release_create(&body, &IdempotencyKey::random()).await?;
    session.show(&release, |release, style| {
        let name = format!("{} {}", release.service_id.name(), plain(&release.version));
        format!("{}  {}  {}\n", release.id, style.strong(name), release.status.as_str())
    })?;
    session.next("next", &format!("weir promote {} ENVIRONMENT", release.id));
    Ok(Exit::Done)
}

async fn list(
    session: &mut Session,
    status: Option<ReleaseStatus>,
    paging: &Paging,
) -> Result<Exit, Failure> {
    let client = session.client()?;
    let filter = status.map(|status| ("status", status.as_str()));
    let call = async |query: &[(&str, &str)]| client.release_list(query).await;
    let releases = collect(paging.limit, paging.cursor.as_deref(), filter, call).await?;
    session.show_list(&releases, "there are no releases; `weir release create` makes one", table)?;
    Ok(Exit::Done)
}

fn table(releases: &[delivery::Release], _: Style) -> Table {
    let mut table = Table::new(&["release", "service", "version", "status", "components", "by", "made"]);
    for release in releases {
        let components: Vec<String> =
            release.components.iter().map(|(name, it)| format!("{} {}", name.name(), it.version)).collect();
        table.row([
            release.id.into(),
            release.service_id.name().into(),
            Cell::from(&release.version),
            release.status.as_str().into(),
            components.join(", ").into(),
            Cell::from(&release.created_by),
            date_time(release.created_at).into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_sources_are_read() {
        let (component, version) = part("web=ver_01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap();
        assert_eq!(
            (component.as_str(), version.to_string().as_str()),
            ("component.web", "ver_01ARZ3NDEKTSV4RRFFQ69G5FAV")
        );
        assert_eq!(source("git@host:a/b@4f2c").unwrap().sha, "4f2c");
        for text in ["web", "web=", "web=1.0.0", "=ver_01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
            assert!(part(text).is_err(), "{text}");
        }
        for text in ["repo", "repo@", "@sha"] {
            assert!(source(text).is_err(), "{text}");
        }
    }
}
