//! The key that signs evidence: ECDSA on P-256 over SHA-256, as any public tool verifies it
//!
//! On AWS the key never leaves KMS. [`LocalSigner`] holds one in memory: for tests and the simulator only.

use crate::failure::Failure;
use async_trait::async_trait;
use aws_sdk_kms::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use p256::{
    PublicKey,
    ecdsa::{Signature, SigningKey, signature::Signer as _},
    pkcs8::{DecodePublicKey as _, EncodePublicKey as _, LineEnding},
};
use sha2::{Digest as _, Sha256};
use std::fmt;
use tokio::sync::OnceCell;
use weir_domain::canonical::Digest;

/// Nothing was signed
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// May succeed if tried again
    #[error("the signing key did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The key is not there, is disabled, or may not be used by this caller
    #[error("the signing key refused the request")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The key is not one that signs evidence: it has to be ECDSA on P-256
    #[error("the signing key `{0}` is not an ECDSA key on P-256")]
    WrongKey(String),
}

/// A key that signs
#[async_trait]
pub trait Signer: Send + Sync {
    /// The signature of `bytes` in DER; a message of any length
    ///
    /// Not repeatable on KMS: each call gives another signature of the same bytes, all of them valid.
    async fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Which key signs, as evidence names it
    fn key_ref(&self) -> &str;

    /// The public key in PEM, to be published beside what is signed
    async fn public_key_pem(&self) -> Result<String, SignError>;
}

/// A key of KMS
#[derive(Debug)]
pub struct KmsSigner {
    client: Client,
    key: String,
    /// Asked for once in the life of a process: a key of KMS never changes its public half
    public_key: OnceCell<String>,
}

impl KmsSigner {
    /// The key of this ARN
    pub fn new(client: Client, key: String) -> Self {
        Self { client, key, public_key: OnceCell::new() }
    }

    async fn fetch_public_key(&self) -> Result<String, SignError> {
        let found = self.client.get_public_key().key_id(&self.key).send().await;
        let found = found.map_err(|error| failed("GetPublicKey", &error))?;
        let der = found.public_key.unwrap_or_else(|| Blob::new(Vec::new()));
        pem(&PublicKey::from_public_key_der(der.as_ref())
            .map_err(|_| SignError::WrongKey(self.key.clone()))?)
        .ok_or_else(|| SignError::WrongKey(self.key.clone()))
    }
}

#[async_trait]
impl Signer for KmsSigner {
    async fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        // KMS takes messages of 4,096 bytes at most, but a digest of any.
        let digest = Blob::new(Sha256::digest(bytes).to_vec());
        let request = self.client.sign().key_id(&self.key).message(digest).message_type(MessageType::Digest);
        let signed = request.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await;
        let signature = signed.map_err(|error| failed("Sign", &error))?.signature.map(Blob::into_inner);
        let nothing =
            || SignError::Unavailable(Box::new(Failure::local("Sign", "the answer holds no signature")));
        signature.ok_or_else(nothing)
    }

    fn key_ref(&self) -> &str {
        &self.key
    }

    async fn public_key_pem(&self) -> Result<String, SignError> {
        self.public_key.get_or_try_init(|| self.fetch_public_key()).await.cloned()
    }
}

/// A key in memory: the same message always gets the same signature (RFC 6979)
pub struct LocalSigner {
    key: SigningKey,
    key_ref: String,
}

impl LocalSigner {
    /// The key that `seed` gives; whoever knows the seed can sign
    pub fn from_seed(seed: &str) -> Result<Self, SignError> {
        let unusable = |_| SignError::WrongKey("local".to_owned());
        let key =
            SigningKey::from_slice(&Sha256::digest(format!("weir local signer:{seed}"))).map_err(unusable)?;
        let public_key = PublicKey::from(key.verifying_key())
            .to_public_key_der()
            .map_err(|_| SignError::WrongKey("local".to_owned()))?;
        let key_ref = format!("local:{}", Digest::of_bytes(public_key.as_bytes()).short());
        Ok(Self { key, key_ref })
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSigner").field("key_ref", &self.key_ref).finish_non_exhaustive()
    }
}

#[async_trait]
impl Signer for LocalSigner {
    async fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature: Signature = self.key.sign(bytes);
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn key_ref(&self) -> &str {
        &self.key_ref
    }

    async fn public_key_pem(&self) -> Result<String, SignError> {
        pem(&PublicKey::from(self.key.verifying_key()))
            .ok_or_else(|| SignError::WrongKey(self.key_ref.clone()))
    }
}

fn pem(key: &PublicKey) -> Option<String> {
    key.to_public_key_pem(LineEnding::LF).ok()
}

fn failed<E>(call: &'static str, error: &SdkError<E>) -> SignError
where
    E: ProvideErrorMetadata,
    SdkError<E>: RequestId,
{
    let failure = Failure::of(call, error);
    if failure.passes() {
        SignError::Unavailable(Box::new(failure))
    } else {
        SignError::Rejected(Box::new(failure))
    }
}

/// What both signers are held to: `signature` is one of `bytes`, by the key that is published
#[doc(hidden)]
pub async fn signs_what_it_says(signer: &dyn Signer) -> Result<(), SignError> {
    use p256::ecdsa::{VerifyingKey, signature::Verifier as _};
    let key_of = |pem: &str| PublicKey::from_public_key_pem(pem).ok().map(|key| VerifyingKey::from(&key));
    let key = key_of(&signer.public_key_pem().await?);
    let message = vec![b'x'; 10_000];
    let signature = Signature::from_der(&signer.sign(&message).await?).ok();
    let verifies = |bytes: &[u8]| match (&key, &signature) {
        (Some(key), Some(signature)) => key.verify(bytes, signature).is_ok(),
        (None, _) | (_, None) => false,
    };
    assert!(verifies(&message), "the signature is one of the message");
    assert!(!verifies(b"another message"), "and of no other");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_local_key_signs_and_signs_the_same() {
        let signer = LocalSigner::from_seed("harbor").unwrap();
        signs_what_it_says(&signer).await.unwrap();
        assert_eq!(signer.sign(b"x").await.unwrap(), signer.sign(b"x").await.unwrap());
        assert!(signer.public_key_pem().await.unwrap().starts_with("-----BEGIN PUBLIC KEY-----\n"));
    }

    #[tokio::test]
    async fn another_seed_is_another_key_and_neither_is_shown() {
        let (one, two) = (LocalSigner::from_seed("one").unwrap(), LocalSigner::from_seed("two").unwrap());
        assert_ne!(one.public_key_pem().await.unwrap(), two.public_key_pem().await.unwrap());
        assert_eq!(format!("{one:?}"), format!("LocalSigner {{ key_ref: \"{}\", .. }}", one.key_ref()));
    }
}
