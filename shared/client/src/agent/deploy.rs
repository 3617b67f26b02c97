//! `deploy.host`: brings one release onto the target and starts it
//!
//! Fetch, unpack, switch, restart, wait. Each step may be cut off by a crash or a
//! cancellation and is done again by the next attempt: until the switch the old release runs untouched.
//! A release that does not start stays in place, stopped: whether to roll back is for the control plane.

use crate::agent::{
    download::{DownloadError, download},
    files::{self, FileError},
    log::TaskLog,
    ready::{self, ReadyError},
    service::{self, Ended},
    site::{Deployment, Site, Stage},
    unpack::{UnpackError, unpack},
};
use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use weir_domain::{
    canonical::{Digest, NotCanonical},
    id::TaskId,
};
use weir_edge::wire::task::{DeployInput, Sticker};

/// How deployments are done on this machine
#[derive(Debug, Clone)]
pub struct DeploySettings {
    /// How long a service may take to stop before it is killed
    pub stop_grace: Duration,
    /// How many releases are kept besides the current and the previous one
    pub keep_releases: usize,
    /// The largest archive that is fetched
    pub archive_max_bytes: u64,
    /// What services are given of the agent's own environment
    pub passed_on: Vec<(OsString, OsString)>,
}

/// A deployment that did not succeed
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The archive could not be fetched, or is not what was asked for
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The archive could not be unpacked
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// This machine's disk refused
    #[error(transparent)]
    Disk(#[from] FileError),
    /// The service did not start
    #[error(transparent)]
    Ready(#[from] ReadyError),
    /// The component says nothing of how it is run
    #[error("the component has no command")]
    NoCommand,
    /// The sticker has no hash
    #[error("the sticker cannot be hashed")]
    Sticker(#[from] NotCanonical),
    /// The time for the task is over
    #[error("the task was not done before its deadline")]
    Deadline,
    /// A bug, or the agent is ending
    #[error("the work was cut off on this machine")]
    CutOff,
}

impl DeployError {
    /// A stable code
    pub fn code(&self) -> &'static str {
        match self {
            Self::Download(DownloadError::Digest { .. }) => "digest_mismatch",
            Self::Download(DownloadError::Size { .. }) => "size_mismatch",
            Self::Download(DownloadError::TooLarge(_)) | Self::Unpack(UnpackError::TooLarge(_)) => {
                "archive_too_large"
            }
            Self::Download(DownloadError::Refused(_) | DownloadError::Failed(_)) => "download_failed",
            Self::Unpack(UnpackError::Escapes(_) | UnpackError::Kind(_) | UnpackError::Twice(_)) => {
                "archive_refused"
            }
            Self::Unpack(UnpackError::Broken(_)) => "archive_broken",
            Self::Download(DownloadError::Disk(_)) | Self::Unpack(UnpackError::Disk(_)) | Self::Disk(_) => {
                "disk_failed"
            }
            Self::Ready(ReadyError::Exited(_)) => "service_exited",
            Self::Ready(ReadyError::NotReady { .. }) => "service_not_ready",
            Self::Ready(ReadyError::PortTaken(_)) => "port_taken",
            Self::NoCommand => "no_command",
            Self::Sticker(_) => "sticker_refused",
            Self::Deadline => "deadline_passed",
            Self::Unpack(UnpackError::Stopped) | Self::CutOff => "cut_off",
        }
    }

    /// Whether another attempt, unchanged, might succeed
    pub fn is_retryable(&self) -> bool {
        match self {
            // A presigned URL may have expired; another attempt is given a fresh one.
            Self::Download(DownloadError::Refused(_) | DownloadError::Failed(_)) => true,
            Self::Download(DownloadError::Disk(_)) | Self::Unpack(UnpackError::Disk(_)) | Self::Disk(_) => {
                true
            }
            Self::Ready(ReadyError::PortTaken(_)) | Self::CutOff | Self::Unpack(UnpackError::Stopped) => true,
            Self::Download(_) | Self::Unpack(_) | Self::Ready(_) => false,
            Self::NoCommand | Self::Sticker(_) | Self::Deadline => false,
        }
    }

    fn is_of_service(&self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

/// Does the deployment; dropping the future ends it between two steps
pub async fn deploy(
    site: &Site,
    task: TaskId,
    input: &DeployInput,
    settings: &DeploySettings,
    log: &TaskLog,
) -> Result<(), DeployError> {
    if input.run.command.is_empty() {
        return Err(DeployError::NoCommand);
    }
    let previous_digest = site.previous_of(&input.digest)?;
    if input.previous.is_some() && previous_digest != input.previous {
        log.line("what is on the target is not what the control plane believed; the target is right");
    }
    obtain(site, input, settings, log).await?;
    let sticker_hash = Digest::of(&input.sticker)?;
    let sticker = Sticker {
        content: input.sticker.clone(),
        content_hash: sticker_hash.clone(),
        written_at: crate::clock::now(),
    };
    let mut deployment = Deployment {
        task,
        release: input.release,
        component: input.component.clone(),
        digest: input.digest.clone(),
        previous_digest,
        run: input.run.clone(),
        sticker_hash,
        stage: Stage::Changing,
    };
    site.place(&deployment, &sticker)?;
    let replaced = deployment.previous_digest.as_ref().map_or("nothing", Digest::short);
    log.line(format!("switched from {replaced} to {}", input.digest.short()));
    let outcome = restart(site, &deployment, settings, log).await;
    deployment.stage = match &outcome {
        Ok(()) => Stage::Done,
        Err(error) if error.is_of_service() => Stage::Failed,
        Err(_) => Stage::Changing,
    };
    if outcome.is_err() {
        service::stop(site, settings.stop_grace).await?;
        log.block("the last that the service printed", &service::output_tail(site, 16 * 1024));
    }
    site.set_deployment(&deployment)?;
    if outcome.is_ok() {
        match site.prune(settings.keep_releases) {
            Ok(0) => {}
            Ok(removed) => log.line(format!("removed {removed} old releases")),
            Err(error) => log.line(format!("old releases could not be removed: {error}")),
        }
    }
    outcome
}

/// Sees that the release is unpacked here, whole
async fn obtain(
    site: &Site,
    input: &DeployInput,
    settings: &DeploySettings,
    log: &TaskLog,
) -> Result<(), DeployError> {
    let digest = &input.digest;
    if site.has_release(digest)? {
        log.line(format!("{} is unpacked here already", digest.short()));
        return Ok(());
    }
    let since = Instant::now();
    let archive = Temporary(site.temporary(digest, ".tar.gz"));
    download(&input.artifact, digest, &archive.0, settings.archive_max_bytes).await?;
    log.line(format!(
        "fetched {} bytes of {} in {} ms",
        input.artifact.size,
        digest,
        since.elapsed().as_millis()
    ));
    let unpacked = Temporary(site.temporary(digest, ""));
    let stop = StopOnDrop(Arc::default());
    let work = {
        let (from, into) = (archive.0.clone(), unpacked.0.clone());
        let (limits, stop) = (site.limits, Arc::clone(&stop.0));
        tokio::task::spawn_blocking(move || unpack(&from, &into, limits, &stop))
    };
    work.await.map_err(|_| DeployError::CutOff)??;
    site.keep_release(digest, &unpacked.0)?;
    log.line(format!("unpacked it into releases/{}", digest.hex()));
    Ok(())
}

/// Stops what runs, starts `deployment` and waits until it is ready
async fn restart(
    site: &Site,
    deployment: &Deployment,
    settings: &DeploySettings,
    log: &TaskLog,
) -> Result<(), DeployError> {
    let since = Instant::now();
    let ended = launch(site, deployment, settings, log).await?;
    let answer = ready::wait(site.port, &deployment.run.health, ended).await?;
    log.line(format!("{answer} after {} ms", since.elapsed().as_millis()));
    Ok(())
}

/// Stops what runs and starts `deployment`
pub async fn launch(
    site: &Site,
    deployment: &Deployment,
    settings: &DeploySettings,
    log: &TaskLog,
) -> Result<Ended, DeployError> {
    if service::stop(site, settings.stop_grace).await? {
        log.line("stopped the service that ran");
    }
    ready::port_is_free(site.port).await?;
    let ended = service::start(site, deployment, &settings.passed_on)?;
    log.line(format!("started `{}` on port {}", deployment.run.command.join(" "), site.port));
    Ok(ended)
}

/// A path that is removed when its owner is dropped, also by a cancellation
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = files::remove(&self.0);
    }
}

/// Stops the thread that unpacks when nobody waits for it any more
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
