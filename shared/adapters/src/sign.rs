//! Who sent a request: an HMAC-SHA256 over when, what and the body
//!
//! The same in both directions: jobs sign what they send, and who calls back signs with the same secret.
//!
//! ```text
//! weir-timestamp: 1767225600
//! weir-signature: v1=<hex of HMAC-SHA256(secret, "v1\n<timestamp>\n<METHOD>\n<path?query>\n<hex of SHA-256(body)>")>
//! ```

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The header that says when a request was signed, in seconds of Unix time
pub const TIMESTAMP: &str = "weir-timestamp";
/// The header that holds the signature
pub const SIGNATURE: &str = "weir-signature";
/// How far the clocks of the two may be apart, in seconds: an older signature is refused
pub const AGE_MAX_S: i64 = 300;

/// What is signed of a request
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// When, in seconds of Unix time
    pub timestamp: i64,
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path with its query, as it is sent
    pub path: &'a str,
    /// The body, as it is sent
    pub body: &'a [u8],
}

impl Signed<'_> {
    /// The value of [`SIGNATURE`]
    pub fn signature(&self, secret: &str) -> String {
        let mac = self.mac(secret).map(|mac| hex::encode(mac.finalize().into_bytes()));
        format!("v1={}", mac.unwrap_or_default())
    }

    /// Whether `signature` is what `secret` makes of this, compared in constant time
    pub fn is_signed_by(&self, secret: &str, signature: &str) -> bool {
        let given = signature.strip_prefix("v1=").and_then(|given| hex::decode(given).ok());
        given.zip(self.mac(secret)).is_some_and(|(given, mac)| mac.verify_slice(&given).is_ok())
    }

    /// None for a key that HMAC does not take, of which there is none
    fn mac(&self, secret: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        let body = hex::encode(Sha256::digest(self.body));
        mac.update(format!("v1\n{}\n{}\n{}\n{body}", self.timestamp, self.method, self.path).as_bytes());
        Some(mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: Signed<'_> =
        Signed { timestamp: 1_767_225_600, method: "POST", path: "/jobs?a=1", body: b"{}" };

    #[test]
    fn a_signature_is_what_anybody_else_computes() {
        // printf 'v1\n1767225600\nPOST\n/jobs?a=1\n<sha256 of {}>' | openssl dgst -sha256 -hmac key
        assert_eq!(SIGNED.signature("key"), include_str!("../golden/signature.txt").trim());
    }

    #[test]
    fn nothing_of_a_signed_request_may_change() {
        let signature = SIGNED.signature("key");
        assert!(SIGNED.is_signed_by("key", &signature));
        assert!(!SIGNED.is_signed_by("other", &signature));
        assert!(!SIGNED.is_signed_by("key", &signature.replace("v1=", "v2=")));
        assert!(!SIGNED.is_signed_by("key", "v1=") && !SIGNED.is_signed_by("key", ""));
        for other in [
            Signed { timestamp: 1_767_225_601, ..SIGNED },
            Signed { method: "PUT", ..SIGNED },
            Signed { path: "/jobs?a=2", ..SIGNED },
            Signed { body: b"{ }", ..SIGNED },
        ] {
            assert!(!other.is_signed_by("key", &signature), "{other:?}");
        }
    }
}
