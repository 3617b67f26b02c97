//! The in-toto Statement around a packet, and the DSSE envelope around the statement
//!
//! Sources: in-toto Attestation Framework v1, DSSE v1.0.2. What is signed is the pre-authentication encoding
//! of the payload's bytes as they stand in the envelope, never JSON that was written again.

use super::packet::EvidencePacket;
use crate::canonical::{Digest, NotCanonical, to_vec};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use p256::{
    ecdsa::{DerSignature, VerifyingKey, signature::Verifier as _},
    pkcs8::DecodePublicKey as _,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the payload of an envelope is
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What every statement says of its own form
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Why an envelope does not prove what it seems to
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The key is not a P-256 public key in PEM
    #[error("the public key cannot be read: expected a P-256 key in PEM")]
    Key,
    /// The envelope holds something else than a statement
    #[error("the envelope holds `{found}`, not `{expected}`")]
    PayloadType {
        /// What it holds
        found: String,
        /// What it should
        expected: String,
    },
    /// The payload or a signature is not base64, or the statement is not one of ours
    #[error("the {0} cannot be read")]
    Unreadable(&'static str),
    /// No signature in the envelope is the key's over the payload
    #[error("no signature in the envelope is this key's over this payload")]
    Signature,
    /// The statement does not say about its subject what the packet says
    #[error("the statement's {0} does not match its packet")]
    Mismatch(&'static str),
    /// The packet cannot be hashed
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

/// What a statement is about
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// `evidence:<packet id>`, or a component's address
    pub name: String,
    /// By algorithm
    pub digest: BTreeMap<String, String>,
}

/// An in-toto Statement whose predicate is an evidence packet
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// The statement's own form
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// The packet's content first, then the components that it is about
    pub subject: Vec<Subject>,
    /// What kind of predicate it is
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The packet
    pub predicate: EvidencePacket,
}

/// One signature of an envelope
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signature {
    /// Which key made it: a hint for whoever looks for the key, never believed
    pub keyid: String,
    /// Base64 of an ECDSA P-256 SHA-256 signature in DER
    pub sig: String,
}

/// A DSSE envelope
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// What the payload is
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// Base64 of the statement as canonical JSON
    pub payload: String,
    /// At least one
    pub signatures: Vec<Signature>,
}

impl Statement {
    /// The statement that `packet` makes
    pub fn new(packet: EvidencePacket) -> Self {
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: subjects(&packet),
            predicate_type: packet.packet_type.predicate_type(),
            predicate: packet,
        }
    }

    /// The bytes that go into the envelope
    pub fn payload(&self) -> Result<Vec<u8>, NotCanonical> {
        to_vec(self)
    }
}

impl Envelope {
    /// The envelope around `payload`, whose [`pae`] `keyid` has signed with `der`
    pub fn new(payload: &[u8], keyid: &str, der: &[u8]) -> Self {
        Self::of(PAYLOAD_TYPE, payload, keyid, der)
    }

    /// The same around a payload that is no statement
    pub fn of(payload_type: &str, payload: &[u8], keyid: &str, der: &[u8]) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![Signature { keyid: keyid.to_owned(), sig: STANDARD.encode(der) }],
        }
    }
}

/// DSSE's pre-authentication encoding: the bytes that are signed
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The statement in `envelope`, if the key signed it and it is true to itself
///
/// Needs nothing but the envelope and the key: `public_key_pem` is what KMS gives for the signing key.
pub fn verify(envelope: &Envelope, public_key_pem: &str) -> Result<Statement, EvidenceError> {
    let payload = open(envelope, PAYLOAD_TYPE, public_key_pem)?;
    let statement: Statement =
        serde_json::from_slice(&payload).map_err(|_| EvidenceError::Unreadable("statement"))?;
    consistent(&statement)?;
    Ok(statement)
}

/// The payload of `envelope`, if it is of this type and the key signed it
pub fn open(envelope: &Envelope, payload_type: &str, public_key_pem: &str) -> Result<Vec<u8>, EvidenceError> {
    let key = VerifyingKey::from_public_key_pem(public_key_pem).map_err(|_| EvidenceError::Key)?;
    if envelope.payload_type != payload_type {
        let (found, expected) = (envelope.payload_type.chars().take(80).collect(), payload_type.to_owned());
        return Err(EvidenceError::PayloadType { found, expected });
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|_| EvidenceError::Unreadable("payload"))?;
    let signed = pae(&envelope.payload_type, &payload);
    let by_key = |signature: &Signature| {
        let der = STANDARD.decode(&signature.sig).ok()?;
        key.verify(&signed, &DerSignature::try_from(der.as_slice()).ok()?).ok()
    };
    if !envelope.signatures.iter().any(|signature| by_key(signature).is_some()) {
        return Err(EvidenceError::Signature);
    }
    Ok(payload)
}

/// Whether the statement's own parts agree with the packet that it carries
fn consistent(statement: &Statement) -> Result<(), EvidenceError> {
    let packet = &statement.predicate;
    let checks = [
        (statement.statement_type == STATEMENT_TYPE, "type"),
        (statement.predicate_type == packet.packet_type.predicate_type(), "predicate type"),
        (Digest::of(&packet.content)? == packet.content_hash, "content hash"),
        (statement.subject == subjects(packet), "subject"),
    ];
    match checks.into_iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, what)) => Err(EvidenceError::Mismatch(what)),
    }
}

fn subjects(packet: &EvidencePacket) -> Vec<Subject> {
    let subject = |name: String, digest: &Digest| Subject {
        name,
        digest: BTreeMap::from([("sha256".to_owned(), digest.hex().to_owned())]),
    };
    let components = packet.content.release.iter().flat_map(|release| &release.components);
    std::iter::once(subject(format!("evidence:{}", packet.id), &packet.content_hash))
        .chain(components.map(|(component, digest)| subject(component.clone(), digest)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};
    use crate::{
        actor::Actor,
        id::{EvidenceId, Id as _, OperationId, ReleaseId},
        operation::OperationType,
        time::{Millis, Time},
    };
    use p256::{
        ecdsa::{SigningKey, signature::Signer as _},
        pkcs8::{EncodePublicKey as _, LineEnding},
    };
    use proptest::prelude::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_slice(&[seed; 32]).unwrap()
    }

    fn pem(key: &SigningKey) -> String {
        key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap()
    }

    fn packet() -> EvidencePacket {
        let digest = Digest::of_bytes(b"web");
        let content = EvidenceContent {
            operation_id: OperationId::new(1, 1),
            operation_type: OperationType::Promote,
            graph_hash: Digest::of_bytes(b"graph"),
            release: Some(ReleaseRef {
                release_id: ReleaseId::new(1, 1),
                service: "service.shop".to_owned(),
                version: "1.0.0".to_owned(),
                components: BTreeMap::from([("component.web".to_owned(), digest)]),
            }),
            environment: Some("environment.staging".to_owned()),
            actors: BTreeMap::from([("requested_by".to_owned(), Actor::system("test"))]),
            decision: Some(Decision { result: "allow".to_owned(), gates: Vec::new() }),
            execution: None,
            statement: serde_json::Map::new(),
            previous: None,
        };
        let at = Time::from(Millis(1_000));
        let id = EvidenceId::new(1, 1);
        let scope = "harbor/acme".parse().unwrap();
        EvidencePacket::new(id, scope, None, PacketType::ReleaseDecision, content, "key".to_owned(), at)
            .unwrap()
    }

    fn sealed(statement: &Statement, key: &SigningKey) -> Envelope {
        let payload = statement.payload().unwrap();
        let signature: DerSignature = key.sign(&pae(PAYLOAD_TYPE, &payload));
        Envelope::new(&payload, "key", signature.as_bytes())
    }

    #[test]
    fn what_was_signed_is_what_is_read() {
        let statement = Statement::new(packet());
        assert_eq!(verify(&sealed(&statement, &key(7)), &pem(&key(7))).unwrap(), statement);
    }

    #[test]
    fn another_key_proves_nothing() {
        let envelope = sealed(&Statement::new(packet()), &key(7));
        assert!(matches!(verify(&envelope, &pem(&key(8))), Err(EvidenceError::Signature)));
        assert!(matches!(verify(&envelope, "no key"), Err(EvidenceError::Key)));
    }

    #[test]
    fn a_signed_statement_that_contradicts_itself_is_refused() {
        let honest = Statement::new(packet());
        let mut wrong = Vec::new();
        let mut other = honest.clone();
        other.predicate_type = PacketType::Deployment.predicate_type();
        wrong.push(other);
        let mut other = honest.clone();
        other.subject.pop();
        wrong.push(other);
        let mut other = honest.clone();
        other.predicate.content.environment = Some("environment.production".to_owned());
        wrong.push(other);
        let mut other = honest;
        other.statement_type = "https://in-toto.io/Statement/v0.1".to_owned();
        wrong.push(other);
        for statement in wrong {
            let answer = verify(&sealed(&statement, &key(7)), &pem(&key(7)));
            assert!(matches!(answer, Err(EvidenceError::Mismatch(_))), "{answer:?}");
        }
    }

    #[test]
    fn pae_is_as_dsse_says() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_byte_of_the_payload_can_change(place in any::<prop::sample::Index>(), flip in 1u8..) {
            let mut envelope = sealed(&Statement::new(packet()), &key(7));
            let mut payload = STANDARD.decode(&envelope.payload).unwrap();
            let place = place.index(payload.len());
            payload[place] ^= flip;
            envelope.payload = STANDARD.encode(&payload);
            prop_assert!(matches!(verify(&envelope, &pem(&key(7))), Err(EvidenceError::Signature)));
        }
    }
}
