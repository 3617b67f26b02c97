//! Waits until a service that was just started can be spoken to
//!
//! Ready means that its process runs and its port accepts connections, and where the component names a
//! health path, that it answers there over HTTP with whatever status. Judging the answer is the
//! verification's task, not the agent's.

use crate::{agent::service::Ended, api::http_client};
use reqwest::Url;
use std::{process::ExitStatus, time::Duration};
use tokio::net::TcpStream;
use weir_edge::wire::task::HealthSpec;

/// Between two looks
const LOOK: Duration = Duration::from_millis(50);

/// How long one look may take
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// A service that did not start
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// Something else answers where the service is to
    #[error("port {0} is taken by something that this agent did not start")]
    PortTaken(u16),
    /// Its process ended
    #[error("the service ended by itself before it was ready: {0}")]
    Exited(ExitStatus),
    /// Its process runs and does not answer
    #[error("the service was not ready on port {port} within {seconds} s")]
    NotReady {
        /// Where it was looked for
        port: u16,
        /// How long
        seconds: u32,
    },
}

/// Refuses a port on which something listens already: it would be taken for the new service
pub async fn port_is_free(port: u16) -> Result<(), ReadyError> {
    if accepts(port).await { Err(ReadyError::PortTaken(port)) } else { Ok(()) }
}

/// Waits for the service on `port`; says how it answered
pub async fn wait(port: u16, health: &HealthSpec, mut ended: Ended) -> Result<String, ReadyError> {
    let limit = Duration::from_secs(health.ready_within_seconds.into());
    let not_ready = |_| ReadyError::NotReady { port, seconds: health.ready_within_seconds };
    let answer = tokio::time::timeout(limit, async {
        tokio::select! {
            status = exit_status(&mut ended) => Err(ReadyError::Exited(status)),
            answer = answers(port, health.path.as_deref()) => Ok(answer),
        }
    });
    let answer = answer.await.map_err(not_ready)??;
    // Another listener on the port would have answered as well.
    let exited = *ended.borrow();
    exited.map_or(Ok(answer), |status| Err(ReadyError::Exited(status)))
}

async fn exit_status(ended: &mut Ended) -> ExitStatus {
    match ended.wait_for(Option::is_some).await.ok().and_then(|status| *status) {
        Some(status) => status,
        // How it ended is not known; the port will tell.
        None => std::future::pending().await,
    }
}

async fn answers(port: u16, path: Option<&str>) -> String {
    while !accepts(port).await {
        tokio::time::sleep(LOOK).await;
    }
    let Some(path) = path else { return "it accepts connections".to_owned() };
    let url = Url::parse(&format!("http://127.0.0.1:{port}/{}", path.trim_start_matches('/')));
    let (Ok(url), true) = (url, path.starts_with('/')) else { return "it accepts connections".to_owned() };
    let Ok(client) = http_client(&url) else { return "it accepts connections".to_owned() };
    loop {
        if let Ok(response) = client.get(url.clone()).timeout(LOOK_TIMEOUT).send().await {
            return format!("it answers {} at {path}", response.status().as_u16());
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn accepts(port: u16) -> bool {
    let connecting = TcpStream::connect(("127.0.0.1", port));
    matches!(tokio::time::timeout(LOOK_TIMEOUT, connecting).await, Ok(Ok(_)))
}
