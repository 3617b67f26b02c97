//! `verify.http`: asks a target over HTTP how it is, a few times, and believes the first good answer

use crate::{
    Adapter, Call, Done, Failed, inputs, line,
    net::{self, Net},
};
use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};

/// Asks over HTTP
#[derive(Debug)]
pub struct VerifyHttp {
    net: Arc<Net>,
}

/// How to ask
#[derive(Debug, Deserialize)]
struct Ask {
    path: String,
    #[serde(default = "ok")]
    expect_status: u16,
    #[serde(default = "three")]
    attempts: u32,
    #[serde(default = "two")]
    interval_s: u64,
    #[serde(default = "five")]
    timeout_s: u64,
}

const fn ok() -> u16 {
    200
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

impl VerifyHttp {
    /// An adapter that asks over `net`
    pub const fn new(net: Arc<Net>) -> Self {
        Self { net }
    }
}

#[async_trait]
impl Adapter for VerifyHttp {
    fn capability(&self) -> &'static str {
        "verify.http"
    }

    async fn run(&self, call: &Call) -> Result<Done, Failed> {
        let ask: Ask = inputs(call)?;
        let url = net::address(call.base_url.as_deref(), &ask.path)?;
        let (mut log, mut last) = (String::new(), "it was not asked".to_owned());
        for attempt in 1..=ask.attempts.max(1) {
            if attempt > 1 {
                tokio::time::sleep(Duration::from_secs(ask.interval_s)).await;
            }
            let timeout = Duration::from_secs(ask.timeout_s.max(1));
            let request = self.net.request(Method::GET, &url)?.timeout(timeout);
            last = match request.header("x-weir-attempt", &call.attempt_id).send().await {
                Ok(answer) if answer.status().as_u16() == ask.expect_status => {
                    line(&mut log, format!("{attempt}. GET {}: {}", ask.path, answer.status()));
                    return Ok(Done { log, ..Done::default() });
                }
                Ok(answer) => answer.status().to_string(),
                Err(error) => match net::no_answer(&error, timeout) {
                    failed if !failed.retryable => return Err(failed.after(&log)),
                    failed => failed.message,
                },
            };
            line(&mut log, format!("{attempt}. GET {}: {last}", ask.path));
        }
        let message =
            format!("GET {}: {last}, {} times; expected {}", ask.path, ask.attempts, ask.expect_status);
        // Asked often enough: another attempt at the node would only say the same again.
        Err(Failed { log, ..Failed::terminal("not_healthy", message) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Reach;
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    /// A server that answers one status after the other, and the last one for ever
    async fn server(statuses: &'static [u16]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for n in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0u8; 2048];
                let _read = stream.read(&mut buffer).await.unwrap();
                let status = statuses[n.min(statuses.len() - 1)];
                let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        format!("http://{address}")
    }

    async fn ask(base_url: Option<String>) -> Result<Done, Failed> {
        let inputs = json!({ "path": "/healthz", "attempts": 3, "interval_s": 0, "timeout_s": 5 });
        let call = Call { inputs: inputs.as_object().unwrap().clone(), base_url, ..crate::tests::call() };
        VerifyHttp::new(Arc::new(Net::new(Reach::Anywhere))).run(&call).await
    }

    #[tokio::test]
    async fn a_target_that_recovers_in_time_is_healthy() {
        let done = ask(Some(server(&[503, 200]).await)).await.unwrap();
        assert_eq!(done.log.lines().count(), 2, "{}", done.log);
    }

    #[tokio::test]
    async fn a_target_that_stays_ill_fails_for_good_with_what_it_said() {
        let failed = ask(Some(server(&[503]).await)).await.unwrap_err();
        assert_eq!((failed.code, failed.retryable), ("not_healthy", false));
        assert!(failed.message.contains("503") && failed.log.lines().count() == 3, "{failed:?}");
    }

    #[tokio::test]
    async fn a_target_without_an_address_may_get_one_later() {
        assert!(ask(None).await.unwrap_err().retryable);
        let nobody = ask(Some("http://127.0.0.1:1".to_owned())).await.unwrap_err();
        assert!(nobody.message.contains("nobody listens"), "{}", nobody.message);
    }
}
