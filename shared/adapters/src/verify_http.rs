//! `verify.http`: asks a target over HTTP how it is, a few times, and believes the first good answer

use crate::{Adapter, Call, Done, Failed};
use async_trait::async_trait;
use serde::Deserialize;
use std::{fmt::Write as _, sync::OnceLock, time::Duration};

/// Asks over HTTP
#[derive(Debug)]
pub struct VerifyHttp {
    client: OnceLock<Result<reqwest::Client, String>>,
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
    /// The adapter; its client is made when it is first used
    pub const fn new() -> Self {
        Self { client: OnceLock::new() }
    }

    fn client(&self) -> Result<&reqwest::Client, Failed> {
        let made = self.client.get_or_init(|| {
            // Refused when another part of the process has installed one, which is as good.
            let _installed = rustls::crypto::ring::default_provider().install_default();
            let redirects = reqwest::redirect::Policy::none();
            reqwest::Client::builder().redirect(redirects).build().map_err(|error| error.to_string())
        });
        made.as_ref().map_err(|error| failed("not_possible", error.clone(), true, String::new()))
    }
}

impl Default for VerifyHttp {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Adapter for VerifyHttp {
    fn capability(&self) -> &'static str {
        "verify.http"
    }

    async fn run(&self, call: &Call) -> Result<Done, Failed> {
        let ask: Ask = serde_json::from_value(call.inputs.clone().into())
            .map_err(|error| failed("bad_inputs", error.to_string(), false, String::new()))?;
        let base = call.base_url.as_deref().ok_or_else(|| {
            failed("no_address", "nobody has said where the target answers".to_owned(), true, String::new())
        })?;
        let url = format!("{}{}", base.trim_end_matches('/'), ask.path);
        let client = self.client()?;
        let (mut log, mut last) = (String::new(), "it was not asked".to_owned());
        for attempt in 1..=ask.attempts.max(1) {
            if attempt > 1 {
                tokio::time::sleep(Duration::from_secs(ask.interval_s)).await;
            }
            let request = client.get(&url).timeout(Duration::from_secs(ask.timeout_s.max(1)));
            last = match request.header("x-weir-attempt", &call.attempt_id).send().await {
                Ok(answer) if answer.status().as_u16() == ask.expect_status => {
                    line(&mut log, attempt, &ask.path, &answer.status().to_string());
                    return Ok(Done { log });
                }
                Ok(answer) => answer.status().to_string(),
                Err(error) if error.is_timeout() => format!("no answer within {} s", ask.timeout_s),
                Err(error) if error.is_connect() => "nobody listens".to_owned(),
                Err(_) => "the connection broke".to_owned(),
            };
            line(&mut log, attempt, &ask.path, &last);
        }
        let message =
            format!("GET {}: {last}, {} times; expected {}", ask.path, ask.attempts, ask.expect_status);
        // Asked often enough: another attempt at the node would only say the same again.
        Err(failed("not_healthy", message, false, log))
    }
}

fn line(log: &mut String, attempt: u32, path: &str, answer: &str) {
    // Writing to a text cannot fail.
    let _written = writeln!(log, "{attempt}. GET {path}: {answer}");
}

fn failed(code: &'static str, message: String, retryable: bool, log: String) -> Failed {
    Failed { code, message, retryable, log }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let call = Call {
            attempt_id: "op/1/1".to_owned(),
            inputs: inputs.as_object().unwrap().clone(),
            base_url,
            time_limit: Duration::from_secs(60),
        };
        VerifyHttp::new().run(&call).await
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
