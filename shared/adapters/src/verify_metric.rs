//! `verify.metric`: asks for a number over HTTP until it has been good for long enough

use crate::{
    Adapter, Call, Done, Failed, Secrets, http_call, inputs, line,
    net::{self, Net},
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

/// Asks for a number
#[derive(Debug)]
pub struct VerifyMetric {
    net: Arc<Net>,
    secrets: Arc<Secrets>,
}

/// What to ask for, and what is good
#[derive(Debug, Deserialize)]
struct Ask {
    /// A URL, or a path at the target
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Where in the answer the number stands: `/data/result/0/value/1`
    pointer: String,
    compare: Compare,
    threshold: f64,
    /// How many samples in a row have to be good
    #[serde(default = "one")]
    window: u32,
    /// How many samples are taken at most
    #[serde(default = "five")]
    attempts: u32,
    #[serde(default = "ten")]
    interval_s: u64,
    #[serde(default = "ten")]
    timeout_s: u64,
}

/// How the number has to stand to the threshold
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Compare {
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessOrEqual,
    #[serde(rename = "==")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = ">=")]
    GreaterOrEqual,
    #[serde(rename = ">")]
    Greater,
}

impl Compare {
    /// A number that is none is never good
    #[expect(clippy::float_cmp, reason = "who writes `==` asks for exactly that")]
    fn holds(self, value: f64, threshold: f64) -> bool {
        !value.is_nan()
            && match self {
                Self::Less => value < threshold,
                Self::LessOrEqual => value <= threshold,
                Self::Equal => value == threshold,
                Self::NotEqual => value != threshold,
                Self::GreaterOrEqual => value >= threshold,
                Self::Greater => value > threshold,
            }
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        })
    }
}

const fn one() -> u32 {
    1
}
const fn five() -> u32 {
    5
}
const fn ten() -> u64 {
    10
}

impl VerifyMetric {
    /// An adapter that asks over `net` with `secrets`
    pub const fn new(net: Arc<Net>, secrets: Arc<Secrets>) -> Self {
        Self { net, secrets }
    }

    async fn sample(&self, call: &Call, ask: &Ask, url: &reqwest::Url) -> Result<f64, Failed> {
        let timeout = Duration::from_secs(ask.timeout_s.max(1));
        let mut request = self.net.request(reqwest::Method::GET, url)?.timeout(timeout);
        for (name, value) in &ask.headers {
            request = request.header(name, self.secrets.fill(call, value)?);
        }
        let answer = request.header("x-weir-attempt", &call.attempt_id).send().await;
        let answer = answer.map_err(|error| net::no_answer(&error, timeout))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let (body, _) = net::body(answer).await?;
        if !status.is_success() {
            return Err(http_call::unexpected("GET", status, &headers, call.now_s));
        }
        number(&body, &ask.pointer)
    }
}

/// The number at `pointer`; texts are read too, as Prometheus writes its samples so
fn number(body: &[u8], pointer: &str) -> Result<f64, Failed> {
    let answer: Value =
        serde_json::from_slice(body).map_err(|_| Failed::retryable("no_number", "the answer is no JSON"))?;
    let value = match answer.pointer(pointer) {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    };
    value.ok_or_else(|| Failed::retryable("no_number", format!("no number stands at `{pointer}`")))
}

#[async_trait]
impl Adapter for VerifyMetric {
    fn capability(&self) -> &'static str {
        "verify.metric"
    }

    async fn run(&self, call: &Call) -> Result<Done, Failed> {
        let ask: Ask = inputs(call)?;
        let (window, attempts) = (ask.window.max(1), ask.attempts.max(ask.window).max(1));
        let url = net::address(call.base_url.as_deref(), &ask.url)?;
        let (mut log, mut good, mut last) = (String::new(), 0, String::new());
        for attempt in 1..=attempts {
            if attempt > 1 {
                tokio::time::sleep(Duration::from_secs(ask.interval_s)).await;
            }
            match self.sample(call, &ask, &url).await {
                Ok(value) if ask.compare.holds(value, ask.threshold) => {
                    good += 1;
                    line(
                        &mut log,
                        format!("{attempt}. {value} {} {}: {good} of {window}", ask.compare, ask.threshold),
                    );
                    if good >= window {
                        let outputs = Map::from_iter([("value".to_owned(), Value::from(value))]);
                        return Ok(Done { log, outputs, waits: false });
                    }
                    last = format!("{value}");
                    continue;
                }
                Ok(value) => last = format!("{value}"),
                // What the contract says wrongly, or what refuses: asking again would not help.
                Err(failed) if !failed.retryable => return Err(failed.after(&log)),
                Err(failed) => last = failed.message,
            }
            good = 0;
            line(&mut log, format!("{attempt}. {last}, not {} {}", ask.compare, ask.threshold));
            if attempts - attempt < window {
                break;
            }
        }
        let message = format!(
            "{} did not stay {} {} for {window} samples; the last was {last}",
            ask.pointer, ask.compare, ask.threshold
        );
        Err(Failed { log, ..Failed::terminal("threshold_missed", message) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        net::Reach,
        tests::{Seen, secrets, server},
    };
    use axum::{Json, http::StatusCode};
    use serde_json::json;

    async fn run(samples: Value, more: Value) -> Result<Done, Failed> {
        let url = server(Seen::default(), move |n| {
            let samples = samples.as_array().unwrap();
            let sample = samples[n.min(samples.len() - 1)].clone();
            let status = if sample == json!("down") { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
            (status, Json(json!({ "data": [{ "value": [1, sample] }] })))
        });
        let mut inputs = json!({
            "url": url.await, "pointer": "/data/0/value/1", "compare": "<", "threshold": 0.5, "interval_s": 0,
        });
        inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let call = Call { inputs: inputs.as_object().unwrap().clone(), ..crate::tests::call() };
        VerifyMetric::new(Arc::new(Net::new(Reach::Anywhere)), Arc::new(secrets())).run(&call).await
    }

    #[tokio::test]
    async fn a_number_has_to_stay_good_for_its_window() {
        assert!(run(json!([0.1]), json!({})).await.is_ok());
        let done = run(json!([0.1, 0.9, "0.2", 0.3]), json!({ "window": 2 })).await.unwrap();
        assert_eq!((done.log.lines().count(), done.outputs["value"].as_f64()), (4, Some(0.3)));
        let done = run(json!(["down", 0.1]), json!({ "window": 2 })).await.unwrap();
        assert_eq!(done.log.lines().count(), 3);
    }

    #[tokio::test]
    async fn what_does_not_stay_good_fails_as_soon_as_that_is_certain() {
        let failed = run(json!([0.1, 0.9]), json!({ "window": 3, "attempts": 4 })).await.unwrap_err();
        assert_eq!((failed.code, failed.retryable), ("threshold_missed", false));
        assert_eq!(failed.log.lines().count(), 2, "two good ones cannot become three: {}", failed.log);
        for sample in [json!("NaN"), json!(null), json!({}), json!("fast"), json!("down")] {
            let failed = run(json!([sample]), json!({ "attempts": 1 })).await.unwrap_err();
            assert_eq!(failed.code, "threshold_missed", "{sample}");
        }
        assert_eq!(run(json!([1]), json!({ "compare": "~" })).await.unwrap_err().code, "bad_inputs");
    }

    #[test]
    fn comparisons_are_what_they_look_like() {
        for (compare, below, at, above) in [
            ("<", true, false, false),
            ("<=", true, true, false),
            ("==", false, true, false),
            ("!=", true, false, true),
            (">=", false, true, true),
            (">", false, false, true),
        ] {
            let read: Compare = serde_json::from_value(json!(compare)).unwrap();
            assert_eq!([0.0, 1.0, 2.0].map(|value| read.holds(value, 1.0)), [below, at, above], "{compare}");
            assert!(!read.holds(f64::NAN, 1.0));
            assert_eq!(read.to_string(), compare);
        }
    }
}
