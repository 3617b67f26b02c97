//! The agent: serves one target on the machine that it runs on
//!
//! It registers once, says that it is there, claims tasks, does them and reports: `--parallel` at a time. The
//! service that it starts outlives it: the next agent in the same folder adopts it. Killed at any
//! moment it leaves a folder that the next start understands (`site.rs`).

mod command;
mod deploy;
mod download;
mod failure;
mod files;
mod held;
mod identity;
mod keep;
mod log;
pub mod options;
mod ready;
mod run;
mod service;
mod site;
mod unpack;

pub use run::AgentError;

use crate::api::Client;
use options::Options;
use run::Agent;
use site::Site;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, watch};
use unpack::Limits;
use weir_domain::definition::address::Address;

/// How long an agent that was killed may still hold its folder: what it was writing has to reach the disk first
const ENDING: Duration = Duration::from_secs(10);

/// Takes the folder for this process, from an agent that is just ending if need be
async fn own(folder: &Path) -> Result<files::FolderLock, AgentError> {
    let since = Instant::now();
    loop {
        match files::lock_folder(folder)? {
            Some(lock) => return Ok(lock),
            None if since.elapsed() > ENDING => return Err(AgentError::Locked),
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Stops the service in the folder `dir`, whose agent is gone; true where one ran
///
/// Refused while an agent works in the folder: the service is its own to stop.
pub async fn stop_service(
    dir: &Path,
    target: &Address,
    port: u16,
    grace: Duration,
) -> Result<bool, AgentError> {
    if !dir.is_dir() {
        return Ok(false);
    }
    let _lock = own(dir).await?;
    let site = Site::open(dir, target.clone(), port, Limits::default())?;
    Ok(service::stop(&site, grace).await?)
}

/// Runs an agent until `stop` says so, or until it cannot go on
pub async fn run(options: Options, stop: watch::Receiver<bool>) -> Result<(), AgentError> {
    files::make_folder(&options.dir)?;
    let _lock = own(&options.dir).await?;
    let site = Site::open(&options.dir, options.target.clone(), options.port, options.limits())?;
    command::stop_left_behind(&site)?;
    let client = Client::new(&options.server)?;
    let identity = identity::identify(&client, &site, &options.introduction()).await?;
    let client = client.with_bearer(identity.credential.clone());
    tracing::info!(agent.id = %identity.agent, "agent {} serves {}", identity.agent, site.target);
    let agent = Arc::new(Agent {
        client,
        identity,
        settings: options.deploy_settings(),
        commands: options.command_settings(),
        capabilities: options.capabilities(),
        parallel: options.parallel.get(),
        deploying: Mutex::default(),
        heartbeat: options.heartbeat,
        poll: options.poll,
        held: held::Held::default(),
        keeper: keep::Keeper::new(options.restart_pause),
        site,
    });
    let ended = agent.work(stop).await;
    if options.stop_service_on_exit && service::stop(&agent.site, agent.settings.stop_grace).await? {
        tracing::info!("the service was stopped");
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_agent_that_is_just_ending_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let ending = own(folder.path()).await.unwrap();
        let next = own(folder.path());
        tokio::pin!(next);
        assert!(futures::poll!(&mut next).is_pending());
        drop(ending);
        next.await.unwrap();
    }
}
