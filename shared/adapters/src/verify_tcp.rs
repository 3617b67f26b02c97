//! `verify.tcp`: whether somebody listens, and where asked for, says what is expected of them

use crate::{Adapter, Call, Done, Failed, inputs, line, net::Net};
use async_trait::async_trait;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// The most bytes of a greeting that are looked at
const GREETING_MAX: u64 = 1024;

/// Connects
#[derive(Debug)]
pub struct VerifyTcp {
    net: Arc<Net>,
}

/// Whom to ask
#[derive(Debug, Deserialize)]
struct Ask {
    /// The target's own host where it says nothing
    #[serde(default)]
    host: Option<String>,
    /// The target's own port where it says nothing
    #[serde(default)]
    port: Option<u16>,
    /// What they have to begin with: `220 `, `SSH-2.0`
    #[serde(default)]
    expect_greeting: Option<String>,
    #[serde(default = "three")]
    attempts: u32,
    #[serde(default = "two")]
    interval_s: u64,
    #[serde(default = "five")]
    timeout_s: u64,
}

const fn three() -> u32 {
    3
}
const fn two() -> u64 {
    2
}
const fn five() -> u64 {
    5
}

impl VerifyTcp {
    /// An adapter that connects over `net`
    pub const fn new(net: Arc<Net>) -> Self {
        Self { net }
    }

    async fn ask(&self, host: &str, port: u16, expected: Option<&str>) -> Result<String, String> {
        let addresses = self.net.resolve(host, port).await.map_err(|failed| failed.message)?;
        let connected = TcpStream::connect(addresses.as_slice()).await;
        let stream = connected.map_err(|_| "nobody listens".to_owned())?;
        let Some(expected) = expected else { return Ok("somebody listens".to_owned()) };
        let mut greeting = Vec::new();
        let mut limited = stream.take(GREETING_MAX);
        while greeting.len() < expected.len() {
            match limited.read_buf(&mut greeting).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let said = String::from_utf8_lossy(&greeting).chars().take(80).collect::<String>();
        if greeting.starts_with(expected.as_bytes()) {
            Ok(format!("`{}`", said.trim_end()))
        } else {
            Err(format!("it began with `{}`, not with `{expected}`", said.trim_end()))
        }
    }
}

#[async_trait]
impl Adapter for VerifyTcp {
    fn capability(&self) -> &'static str {
        "verify.tcp"
    }

    async fn run(&self, call: &Call) -> Result<Done, Failed> {
        let ask: Ask = inputs(call)?;
        let base = call.base_url.as_deref().and_then(|base| reqwest::Url::parse(base).ok());
        let of_base = base.as_ref().and_then(|base| base.host_str().map(str::to_owned));
        let (host, port) = (
            ask.host.or(of_base),
            ask.port.or_else(|| base.as_ref().and_then(reqwest::Url::port_or_known_default)),
        );
        let (Some(host), Some(port)) = (host, port) else {
            return Err(Failed::retryable("no_address", "nobody has said where the target answers"));
        };
        let host = host.trim_matches(['[', ']']);
        // Once, so that an address that may not be called is not asked for again and again.
        if let Err(failed) = self.net.resolve(host, port).await
            && !failed.retryable
        {
            return Err(failed);
        }
        let timeout = Duration::from_secs(ask.timeout_s.max(1));
        let (mut log, mut last) = (String::new(), String::new());
        for attempt in 1..=ask.attempts.max(1) {
            if attempt > 1 {
                tokio::time::sleep(Duration::from_secs(ask.interval_s)).await;
            }
            let asked = tokio::time::timeout(timeout, self.ask(host, port, ask.expect_greeting.as_deref()));
            let answer =
                asked.await.unwrap_or_else(|_| Err(format!("no answer within {} s", timeout.as_secs())));
            match answer {
                Ok(answer) => {
                    line(&mut log, format!("{attempt}. {host}:{port}: {answer}"));
                    return Ok(Done { log, ..Done::default() });
                }
                Err(answer) => last = answer,
            }
            line(&mut log, format!("{attempt}. {host}:{port}: {last}"));
        }
        let message = format!("{host}:{port}: {last}, {} times", ask.attempts.max(1));
        // Asked often enough: another attempt at the node would only say the same again.
        Err(Failed { log, ..Failed::terminal("not_healthy", message) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Reach;
    use serde_json::{Value, json};
    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    async fn run(reach: Reach, base_url: Option<String>, inputs: Value) -> Result<Done, Failed> {
        let inputs = inputs.as_object().unwrap().clone();
        VerifyTcp::new(Arc::new(Net::new(reach)))
            .run(&Call { inputs, base_url, ..crate::tests::call() })
            .await
    }

    async fn greets(with: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                // In two parts, as a network may carry it.
                for part in with.as_bytes().chunks(3) {
                    let _ = stream.write_all(part).await;
                }
            }
        });
        port
    }

    #[tokio::test]
    async fn who_listens_and_greets_as_expected_is_healthy() {
        let port = greets("SSH-2.0-test\r\n").await;
        let base = Some(format!("http://127.0.0.1:{port}"));
        assert!(run(Reach::Anywhere, base, json!({})).await.is_ok());
        let ask = json!({ "host": "localhost", "port": port, "expect_greeting": "SSH-2.0", "interval_s": 0 });
        assert!(run(Reach::Anywhere, None, ask).await.unwrap().log.contains("SSH-2.0-test"));
        let ask = json!({ "host": "127.0.0.1", "port": port, "expect_greeting": "220 ", "interval_s": 0 });
        let failed = run(Reach::Anywhere, None, ask).await.unwrap_err();
        assert!(failed.message.contains("SSH-2.0-test") && failed.log.lines().count() == 3, "{failed:?}");
    }

    #[tokio::test]
    async fn who_does_not_listen_is_not_healthy_and_what_may_not_be_called_is_not() {
        let ask = json!({ "host": "127.0.0.1", "port": 1, "attempts": 2, "interval_s": 0 });
        let failed = run(Reach::Anywhere, None, ask.clone()).await.unwrap_err();
        assert_eq!((failed.code, failed.retryable, failed.log.lines().count()), ("not_healthy", false, 2));
        assert_eq!(run(Reach::Public, None, ask).await.unwrap_err().code, "address_refused");
        assert!(
            run(Reach::Anywhere, None, json!({ "port": 1 })).await.unwrap_err().retryable,
            "no address yet"
        );
    }
}
