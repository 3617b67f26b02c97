//! How adapters reach others: one HTTP client, no redirects, no proxies, and no address that only this machine sees
//!
//! Whoever writes a template chooses what is called, so an address is looked at where it is used: after it was
//! resolved, by the resolver that the connection is made with. A name that answers differently the second time gains
//! nothing by it.

use crate::Failed;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The most bytes of an answer that are read
pub const BODY_MAX: usize = 256 * 1024;

/// Which addresses jobs may call
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All but those that mean this machine or what manages it
    Public,
    /// All: on the local stage everything is this machine
    Anywhere,
}

impl Reach {
    /// Whether jobs may call `address`
    ///
    /// Private networks are allowed: which of them a function sees is for its network to say. Loopback is not (there
    /// the runtime answers), nor link-local addresses, nor those at which clouds serve credentials.
    pub fn allows(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::Anywhere, _) => true,
            (Self::Public, IpAddr::V4(v4)) => {
                !(v4.is_loopback()
                    || v4.is_link_local()
                    || v4.is_unspecified()
                    || v4.is_broadcast()
                    || v4.is_multicast()
                    || v4 == Ipv4Addr::new(100, 100, 100, 200))
            }
            (Self::Public, IpAddr::V6(v6)) => {
                let metadata = v6.segments().starts_with(&[0xfd00, 0x0ec2]);
                let embedded = embedded_v4(v6).is_some_and(|v4| !self.allows(v4.into()));
                !(v6.is_loopback()
                    || v6.is_unicast_link_local()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || metadata
                    || embedded)
            }
        }
    }
}

/// The IPv4 address that a translating network would go to: NAT64 and 6to4
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b) {
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => Some(v4(g, h)),
        (0x2002, high) => Some(v4(high, c)),
        _ => None,
    }
}

/// Resolves names, and forgets what may not be reached
#[derive(Debug, Clone, Copy)]
struct Guarded(Reach);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|found| reach.allows(found.ip())).collect();
            if allowed.is_empty() {
                return Err(Box::from(NotAllowed));
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// A name that leads only to where jobs may not call
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the address may not be called from here")]
struct NotAllowed;

/// The way to others
#[derive(Debug)]
pub struct Net {
    reach: Reach,
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl Net {
    /// A way to whatever `reach` allows; the client is made when it is first used
    pub const fn new(reach: Reach) -> Self {
        Self { reach, client: OnceLock::new() }
    }

    fn client(&self) -> Result<&reqwest::Client, Failed> {
        let made = self.client.get_or_init(|| {
            // Refused when another part of the process has installed one, which is as good.
            let _installed = rustls::crypto::ring::default_provider().install_default();
            let client = reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .connect_timeout(Duration::from_secs(10))
                .dns_resolver(Arc::new(Guarded(self.reach)));
            client.build().map_err(|error| error.to_string())
        });
        made.as_ref().map_err(|error| Failed::retryable("not_possible", error.clone()))
    }

    /// A request to `url`
    pub fn request(
        &self,
        method: reqwest::Method,
        url: &reqwest::Url,
    ) -> Result<reqwest::RequestBuilder, Failed> {
        self.check(url)?;
        Ok(self.client()?.request(method, url.clone()))
    }

    /// That `url` is one of HTTP and, where it names an address and not a host, one that may be called
    fn check(&self, url: &reqwest::Url) -> Result<(), Failed> {
        if !["http", "https"].contains(&url.scheme()) {
            return Err(Failed::terminal("bad_inputs", format!("`{}` is no scheme of HTTP", url.scheme())));
        }
        // An address is not resolved, so nobody else looks at it.
        let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        match literal {
            Some(address) if !self.reach.allows(address) => Err(refused(&address.to_string())),
            Some(_) | None => Ok(()),
        }
    }

    /// The addresses of `host` that may be called
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failed> {
        let found = tokio::net::lookup_host((host, port)).await;
        let found: Vec<_> = found
            .map_err(|_| Failed::retryable("not_resolved", format!("nobody knows the host `{host}`")))?
            .collect();
        let allowed: Vec<_> = found.iter().copied().filter(|found| self.reach.allows(found.ip())).collect();
        if allowed.is_empty() { Err(refused(host)) } else { Ok(allowed) }
    }
}

fn refused(host: &str) -> Failed {
    Failed::terminal("address_refused", format!("`{host}` may not be called from here"))
}

/// Where `path` leads: a whole URL, or a path at `base`
pub fn address(base: Option<&str>, path: &str) -> Result<reqwest::Url, Failed> {
    let whole = if path.contains("://") {
        path.to_owned()
    } else {
        let base =
            base.ok_or_else(|| Failed::retryable("no_address", "nobody has said where the target answers"))?;
        format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
    };
    // What is wrong with it is not repeated: an address may hold a credential.
    reqwest::Url::parse(&whole).map_err(|_| Failed::terminal("bad_inputs", "the address cannot be read"))
}

/// How a request that got no answer failed
pub fn no_answer(error: &reqwest::Error, timeout: Duration) -> Failed {
    let refused_by_us = std::iter::successors(std::error::Error::source(error), |error| error.source())
        .any(|cause| cause.is::<NotAllowed>());
    if refused_by_us {
        Failed::terminal("address_refused", NotAllowed.to_string())
    } else if error.is_timeout() {
        Failed::retryable("no_answer", format!("no answer within {} s", timeout.as_secs()))
    } else if error.is_connect() {
        Failed::retryable("not_connected", "nobody listens")
    } else {
        Failed::retryable("connection_broke", "the connection broke")
    }
}

/// The first [`BODY_MAX`] bytes of an answer, and whether that is all of it
pub async fn body(mut answer: reqwest::Response) -> Result<(Vec<u8>, bool), Failed> {
    let mut bytes = Vec::new();
    loop {
        let chunk = answer.chunk().await;
        let chunk = chunk.map_err(|_| Failed::retryable("connection_broke", "the connection broke"))?;
        let Some(chunk) = chunk else { return Ok((bytes, true)) };
        bytes.extend_from_slice(&chunk);
        if bytes.len() > BODY_MAX {
            bytes.truncate(BODY_MAX);
            return Ok((bytes, false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_machine_sees_is_not_reached_from_the_cloud() {
        for (address, public) in [
            ("93.184.216.34", true),
            ("10.1.2.3", true),
            ("2606:2800:220:1::1", true),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("0.0.0.0", false),
            ("169.254.169.254", false),
            ("169.254.1.1", false),
            ("100.100.100.200", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fd00:ec2::254", false),
            ("::ffff:169.254.169.254", false),
            ("::ffff:127.0.0.1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("64:ff9b::5db8:d822", true),
            ("2002:a9fe:a9fe::1", false),
            ("224.0.0.1", false),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(Reach::Public.allows(parsed), public, "{address}");
            assert!(Reach::Anywhere.allows(parsed));
        }
    }

    #[tokio::test]
    async fn an_address_is_refused_however_it_is_written() {
        let net = Net::new(Reach::Public);
        for url in [
            "http://169.254.169.254/latest/meta-data",
            "http://[::ffff:169.254.169.254]/",
            "http://[fd00:ec2::254]/",
            "http://0x7f000001/",
            "http://2130706433/",
            "file:///etc/passwd",
        ] {
            let url = address(None, url).unwrap();
            assert!(!net.request(reqwest::Method::GET, &url).unwrap_err().retryable, "{url}");
        }
        // A name is looked at when it has been resolved.
        let url = address(None, "http://localhost:1/").unwrap();
        let error = net.request(reqwest::Method::GET, &url).unwrap().send().await.unwrap_err();
        assert_eq!(no_answer(&error, Duration::from_secs(1)).code, "address_refused");
        assert_eq!(net.resolve("localhost", 1).await.unwrap_err().code, "address_refused");
    }

    #[test]
    fn a_path_is_one_of_the_target() {
        let at = |base, path| address(base, path).map(|url| url.to_string());
        assert_eq!(at(Some("http://a:1/x/"), "/y?z").unwrap(), "http://a:1/x/y?z");
        assert_eq!(at(Some("http://a:1"), "https://b/").unwrap(), "https://b/");
        assert!(at(None, "/y").unwrap_err().retryable);
        assert!(!at(None, "http://[").unwrap_err().retryable);
    }
}
