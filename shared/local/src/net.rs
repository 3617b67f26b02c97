//! Loopback addresses and the HTTP client to them

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::error::{Doing as _, LocalError, Result};

/// Where a free port is looked for: below those that systems give to outgoing connections (from 32768 on Linux, from
/// 49152 elsewhere), of which one could take it before the program does
const PORTS: Range<u16> = 20_000..32_768;

/// How many ports may be taken until none is believed to be free
const PORT_TRIES: u32 = 100;

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

/// Listens on the port of the last time if it is still free, else on one that will be free the next time, too
pub async fn listen_again(port: Option<u16>) -> Result<TcpListener> {
    let port = match port {
        Some(port) => port,
        None => free_port()?,
    };
    match listen(port).await {
        Err(LocalError::PortTaken { .. }) => listen(0).await,
        other => other,
    }
}

/// A port that was free a moment ago, for a program that must be told its port
pub fn free_port() -> Result<u16> {
    let free = || -> std::io::Result<u16> {
        let mut tries = PORT_TRIES;
        loop {
            let mut random = [0; 2];
            getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
            let port = PORTS.start + u16::from_ne_bytes(random) % (PORTS.end - PORTS.start);
            match std::net::TcpListener::bind(loopback(port)) {
                Ok(_) => return Ok(port),
                Err(error) if tries == 0 => return Err(error),
                Err(_) => tries -= 1,
            }
        }
    };
    free().doing(|| "looking for a free port".to_owned())
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
