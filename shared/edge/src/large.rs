//! Answers that are too long for a function's: kept in the bucket for a day, and fetched there (ADR 42)

use crate::{Cx, Problem, Route, Use, router::Finished};
use std::{collections::BTreeMap, time::Duration};

/// The most bytes of an answer within the function's own, which may have 6 MB with its headers
const ENVELOPE_MAX: usize = 5_000_000;

/// Until when the fetching may begin
const EXPIRES: Duration = Duration::from_secs(15 * 60);

/// What is answered in place of `finished`: itself, or a 303 that says where it is
pub(crate) async fn fitting(cx: &Cx, route: &Route, finished: Finished) -> Result<Finished, Problem> {
    let may = route.uses.contains(&Use::LargeAnswers) && (200..300).contains(&finished.status);
    if !may || within_envelope(&finished.body) <= ENVELOPE_MAX {
        return Ok(finished);
    }
    let there = cx.ledger().answer_put(finished.body.into(), EXPIRES).await?;
    let headers = BTreeMap::from([("location".to_owned(), there.url)]);
    Ok(Finished { status: 303, headers, body: String::new() })
}

/// How many bytes `body` has as a text within JSON
fn within_envelope(body: &str) -> usize {
    body.len() + body.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_measured_as_it_travels() {
        for body in ["", "{}", "{\"a\":\"b\\nc\"}", "é"] {
            let sent = serde_json::to_string(body).unwrap();
            assert_eq!(within_envelope(body) + 2, sent.len(), "{body}");
        }
    }
}
