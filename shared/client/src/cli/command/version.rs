//! `weir version`: versions of components

use super::{artifact, component};
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
use std::path::PathBuf;
use weir_domain::{
    canonical::Digest,
    definition::address::Address,
    delivery::{self, AttestationStatus},
};
use weir_edge::wire::release::{AttestationCreate, VersionCreate};

/// Versions of components
#[derive(Debug, Subcommand)]
pub enum Version {
    /// Register uploaded bytes as a version of a component
    Create(Create),
    /// List versions, the newest first
    List {
        /// Only those of this component, such as web
        #[arg(long, value_parser = component)]
        component: Option<Address>,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
}

/// A version to register
#[derive(Debug, Args)]
pub struct Create {
    /// The component, such as web
    #[arg(long, value_parser = component)]
    component: Address,
    /// What people call it; a tag never moves
    #[arg(long)]
    tag: String,
    /// The bytes, uploaded before
    #[arg(long, required_unless_present = "file", conflicts_with = "file")]
    digest: Option<Digest>,
    /// Upload this file first
    #[arg(long)]
    file: Option<PathBuf>,
    /// Its semantic version [default: the tag, where that is one]
    #[arg(long)]
    semver: Option<String>,
    /// The channel [default: the component's]
    #[arg(long)]
    channel: Option<String>,
    /// What was found out about the bytes: signature, scan, sbom, provenance or test, and the digest of what says so;
    /// `=failed` behind it where it came out badly. May be added to a version that is registered already
    #[arg(long = "attest", value_name = "KIND=DIGEST", value_parser = attestation)]
    attestations: Vec<AttestationCreate>,
}

fn attestation(text: &str) -> Result<AttestationCreate, String> {
    let form = || format!("`{text}` is no attestation: expected KIND=DIGEST, such as scan=sha256:…");
    let (kind, rest) = text.split_once('=').ok_or_else(form)?;
    let (digest, status) = match rest.strip_suffix("=failed") {
        Some(digest) => (digest, AttestationStatus::Failed),
        None => (rest, AttestationStatus::Passed),
    };
    let kind = kind.parse().map_err(|_| form())?;
    Ok(AttestationCreate { kind, digest: digest.parse().map_err(|_| form())?, status })
}

/// `weir version …`
pub async fn run(session: &mut Session, command: &Version) -> Result<Exit, Failure> {
    match command {
        Version::Create(command) => create(session, command).await,
        Version::List { component, paging } => list(session, component.as_ref(), paging).await,
    }
}

async fn create(session: &mut Session, command: &Create) -> Result<Exit, Failure> {
    let client = session.client()?;
    let digest = match (&command.digest, &command.file) {
        (Some(digest), _) => digest.clone(),
        (None, Some(file)) => artifact::push(session, &client, file).await?.digest,
        (None, None) => return Err(Failure::Usage("give `--digest DIGEST` or `--file FILE`".to_owned())),
    };
    let body = VersionCreate {
        component_id: command.component.clone(),
        tag: command.tag.clone(),
        digest,
        semver: command.semver.clone(),
        channel: command.channel.clone(),
        attestations: command.attestations.clone(),
    };
    let version = client.version_create(&body, &IdempotencyKey::random()).await?;
    session.show(&version, |version, style| {
        let name = format!("{} {}", version.component_id.name(), plain(version.label()));
        format!("{}  {}  {}\n", version.id, style.strong(name), version.digest)
    })?;
    let component = format!("{}={}", version.component_id.name(), version.id);
    session.next(
        "next",
        &format!("weir release create --service NAME --version VERSION --component {component}"),
    );
    Ok(Exit::Done)
}

async fn list(session: &mut Session, component: Option<&Address>, paging: &Paging) -> Result<Exit, Failure> {
    let client = session.client()?;
    let filter = component.map(|component| ("component", component.as_str()));
    let call = async |query: &[(&str, &str)]| client.version_list(query).await;
    let versions = collect(paging.limit, paging.cursor.as_deref(), filter, call).await?;
    session.show_list(&versions, "no version is registered; `weir version create` does", table)?;
    Ok(Exit::Done)
}

fn table(versions: &[delivery::Version], _: Style) -> Table {
    let mut table =
        Table::new(&["version", "component", "tag", "semver", "channel", "digest", "by", "registered"]);
    for version in versions {
        table.row([
            version.id.into(),
            version.component_id.name().into(),
            Cell::from(&version.tag),
            version.semver.as_deref().unwrap_or("–").into(),
            Cell::from(&version.channel),
            version.digest.short().into(),
            Cell::from(&version.created_by),
            date_time(version.created_at).into(),
        ]);
    }
    table
}
