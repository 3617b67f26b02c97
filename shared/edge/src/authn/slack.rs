//! Slack's callbacks: signature over the raw body, fresh, and each delivery once
//!
//! The signature holds for five minutes, so without a record of what was received anybody who saw a delivery
//! could send it again.

use super::Caller;
use crate::{Cx, Kind, Problem, Proof, router::HttpRequest};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use weir_domain::{
    actor::{Actor, ActorKind, Via},
    canonical::Digest,
    scope::Scope,
    time::Millis,
};
use weir_store::{Entity, Key, Record, TransactError, Write};

/// How far Slack's clock and ours may be apart
pub const TOLERANCE: Millis = Millis::from_secs(300);

/// A delivery that was received; kept for as long as its signature could be used again
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SlackDelivery {
    signature: Digest,
    received_at: Millis,
}

impl Entity for SlackDelivery {
    const KIND: &'static str = "slack-delivery";

    fn key(&self, scope: &Scope) -> Key {
        Key::entity(&scope.outer(), Self::KIND, self.signature.hex())
    }

    fn expires_at(&self) -> Option<Millis> {
        // A signature made by a clock that is five minutes ahead is valid for ten.
        Some(self.received_at + TOLERANCE + TOLERANCE)
    }
}

/// Slack, if it signed the body just now and has not sent it before. Who clicked is in the body
pub(super) async fn recognise(cx: &Cx, request: &HttpRequest, now: Millis) -> Result<Caller, Problem> {
    let secret = cx.config.slack_signing_secret.as_ref().ok_or_else(invalid)?;
    let timestamp = request.header("x-slack-request-timestamp").ok_or_else(invalid)?;
    let signature = request.header("x-slack-signature").ok_or_else(invalid)?;
    verify(secret.expose().as_bytes(), timestamp, signature, &request.body, now)?;
    let delivery = SlackDelivery { signature: Digest::of_bytes(signature.as_bytes()), received_at: now };
    let record = Record::new(&cx.workspace(), &delivery)?;
    match cx.table().transact(&[Write::Create(record)]).await {
        Ok(()) => Ok(Caller { actor: actor(), proof: Proof::Slack, scope: cx.workspace() }),
        Err(TransactError::Conflict(_)) => Err(Problem::new(
            Kind::DeliveryReplayed,
            "this delivery was received before and is not handled again",
        )),
        Err(TransactError::Store(error)) => Err(error.into()),
    }
}

fn actor() -> Actor {
    Actor {
        id: "slack".to_owned(),
        kind: ActorKind::Service,
        on_behalf_of: None,
        groups: Vec::new(),
        roles: Vec::new(),
        via: Via::Slack,
    }
}

fn invalid() -> Problem {
    Problem::new(
        Kind::InvalidSignature,
        "the delivery is not signed by Slack with the secret that is configured, or is too old",
    )
}

/// Slack's signature, version `v0`
fn verify(secret: &[u8], timestamp: &str, signature: &str, body: &[u8], now: Millis) -> Result<(), Problem> {
    let seconds: i64 = timestamp.parse().map_err(|_| invalid())?;
    let apart = now - Millis::from_secs(seconds);
    if apart.0.saturating_abs() > TOLERANCE.0 {
        return Err(invalid());
    }
    let given =
        signature.strip_prefix("v0=").and_then(|digits| hex::decode(digits).ok()).ok_or_else(invalid)?;
    mac(secret, timestamp, body)?.verify_slice(&given).map_err(|_| invalid())
}

fn mac(secret: &[u8], timestamp: &str, body: &[u8]) -> Result<Hmac<Sha256>, Problem> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| invalid())?;
    mac.update(b"v0:");
    mac.update(timestamp.as_bytes());
    mac.update(b":");
    mac.update(body);
    Ok(mac)
}

/// Signs a delivery as Slack does: for whoever plays Slack on the local stage and in tests
pub fn sign(secret: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let mac = mac(secret.as_bytes(), timestamp, body).ok()?;
    Some(format!("v0={}", hex::encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Slack's documentation
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIMESTAMP: &str = "1531420618";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn check(secret: &str, signature: &str, body: &str, seconds_later: i64) -> bool {
        let now = Millis::from_secs(1_531_420_618 + seconds_later);
        verify(secret.as_bytes(), TIMESTAMP, signature, body.as_bytes(), now).is_ok()
    }

    #[test]
    fn the_documented_signature_is_accepted_and_made() {
        assert!(check(SECRET, SIGNATURE, BODY, 0));
        assert_eq!(sign(SECRET, TIMESTAMP, BODY.as_bytes()).as_deref(), Some(SIGNATURE));
    }

    #[test]
    fn nothing_may_differ_and_the_clock_only_a_little() {
        assert!(check(SECRET, SIGNATURE, BODY, 300) && check(SECRET, SIGNATURE, BODY, -300));
        assert!(!check(SECRET, SIGNATURE, BODY, 301) && !check(SECRET, SIGNATURE, BODY, -301));
        assert!(!check("another", SIGNATURE, BODY, 0));
        assert!(!check(SECRET, SIGNATURE, "token=other", 0));
        for signature in ["", "v0=", "v0=zz", "v1=a2114d57", SIGNATURE.get(..40).unwrap()] {
            assert!(!check(SECRET, signature, BODY, 0), "{signature}");
        }
    }
}
