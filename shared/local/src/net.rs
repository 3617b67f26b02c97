//! Loopback addresses and the HTTP client to them

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::error::{Doing as _, LocalError, Result};

/// `port` of this machine alone
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Listens on exactly `port`, or on any free one for 0
pub async fn listen(port: u16) -> Result<TcpListener> {
    let address = loopback(port);
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(LocalError::PortTaken { address }),
        other => other.doing(|| format!("listening on {address}")),
    }
}

/// Listens on the port of the last time if it is still free, else on any
pub async fn listen_again(port: Option<u16>) -> Result<TcpListener> {
    match listen(port.unwrap_or(0)).await {
        Err(LocalError::PortTaken { .. }) => listen(0).await,
        other => other,
    }
}

/// A port that was free a moment ago, for a program that must be told its port
pub fn free_port() -> Result<u16> {
    let free = || std::net::TcpListener::bind(loopback(0))?.local_addr();
    Ok(free().doing(|| "looking for a free port".to_owned())?.port())
}

/// A client for this machine: no proxy of the environment comes between
pub fn client(timeout: Duration) -> Result<reqwest::Client> {
    // Said once per process; a second time changes nothing, and whoever said it first is right too.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().timeout(timeout).build().map_err(|cause| LocalError::Call {
        call: "making an HTTP client".to_owned(),
        reason: cause.to_string(),
    })
}
