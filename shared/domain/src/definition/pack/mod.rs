//! Scenario packs: recipes of others, in one signed file
//!
//! A pack is a DSSE envelope, as evidence is; its payload is the canonical JSON of a manifest and the files, so that the
//! same folder makes the same bytes, and no byte can change. A definition names packs in `weir.yaml`; whom it trusts is
//! said by its policies of the kind `packs`. What cannot be verified is refused before any of its files is read.

mod declare;
#[cfg(test)]
mod tests;

pub(super) use declare::declare;

use super::{
    address::{Address, Kind},
    bundle::{Bundle, matches},
    codes::Code,
    diagnostic::Diagnostic,
    document::{Definition, read},
    spec::{PackRef, Policy},
};
use crate::{
    canonical::{Digest, NotCanonical, to_vec},
    evidence::{Envelope, EvidenceError, open, pae},
    scope::Name,
};
use p256::{
    ecdsa::{DerSignature, SigningKey, VerifyingKey, signature::Signer as _},
    pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _, LineEnding},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the payload of a pack's envelope is
pub const PACK_TYPE: &str = "application/vnd.weir.pack+json";
/// The file of a pack's folder that says what it is
pub const MANIFEST: &str = "pack.yaml";
/// Largest pack, in bytes of its file
pub const MAX_PACK: usize = 4 << 20;
/// Most files of a pack
pub const MAX_PACK_FILES: usize = 200;
/// The form that this version writes and reads
const FORMAT: u32 = 1;
/// The kinds that a pack may hold: what is done, never to what or by whom it is agreed to
pub const PACK_KINDS: [Kind; 3] = [Kind::Scenario, Kind::Template, Kind::Job];

/// What a pack says of itself
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What it is called
    pub name: Name,
    /// Its version, as in `1.2.0`
    pub version: String,
    /// Who makes it
    pub vendor: String,
    /// What it is for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// What is signed
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// The form of this document
    pub format: u32,
    /// What it says of itself
    pub manifest: Manifest,
    /// Its files, as those of a definition: path → text
    pub files: BTreeMap<String, String>,
}

/// A pack that is what somebody who is trusted has signed
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The pack
    pub pack: Pack,
    /// The digest of what was signed
    pub digest: Digest,
    /// Whose key has signed it, as the definition calls them
    pub signer: String,
}

/// Whom a definition trusts: their names and public keys in PEM
pub type Signers = BTreeMap<String, String>;

/// Why a pack is refused
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// It is no pack
    #[error("this is no pack: {0}")]
    Unreadable(String),
    /// Nobody has signed it
    #[error("the pack is not signed")]
    Unsigned,
    /// Somebody has signed it who is not trusted
    #[error("the pack is signed by `{key}`, which is not the key of anybody trusted here ({})", known(.trusted))]
    UnknownSigner {
        /// The key that the signature names
        key: String,
        /// Who is trusted
        trusted: Vec<String>,
    },
    /// It is not what was signed
    #[error("the pack is not what `{signer}` has signed")]
    Tampered {
        /// Whose key it names
        signer: String,
    },
    /// There is too much of it
    #[error("the pack has {found} {what}; {max} are the most")]
    TooLarge {
        /// Of what
        what: &'static str,
        /// How many there are
        found: usize,
        /// How many there may be
        max: usize,
    },
    /// One of its files leaves it
    #[error("`{0}` leaves the pack")]
    Path(String),
    /// Its version is none
    #[error("`{0}` is no version: write it as in `1.2.0`")]
    Version(String),
    /// It cannot be signed with this
    #[error("the key cannot be read: expected a P-256 private key as PKCS #8 in PEM (`openssl genpkey`)")]
    Key,
    /// It cannot be written as it is
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

fn known(trusted: &[String]) -> String {
    if trusted.is_empty() { "nobody is".to_owned() } else { format!("trusted: {}", trusted.join(", ")) }
}

impl PackError {
    /// The stable code of what is wrong
    pub const fn code(&self) -> Code {
        match self {
            Self::Unreadable(_) | Self::Version(_) | Self::Key | Self::NotCanonical(_) => {
                Code::PackUnreadable
            }
            Self::Unsigned => Code::PackUnsigned,
            Self::UnknownSigner { .. } => Code::PackSignerUnknown,
            Self::Tampered { .. } => Code::PackTampered,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::Path(_) => Code::PathUnsafe,
        }
    }
}

/// How signatures name a P-256 public key: the digest of its DER
pub fn key_id(public_key_pem: &str) -> Option<String> {
    let key = VerifyingKey::from_public_key_pem(public_key_pem).ok()?;
    Some(Digest::of_bytes(key.to_public_key_der().ok()?.as_bytes()).to_string())
}

impl Pack {
    /// A pack of `files`; where they lie and how large they are is checked
    pub fn new(manifest: Manifest, files: BTreeMap<String, String>) -> Result<Self, PackError> {
        let pack = Self { format: FORMAT, manifest, files };
        pack.check()?;
        Ok(pack)
    }

    /// The file of the pack, signed with a private key in PEM; the same pack and key make the same bytes
    pub fn sign(&self, private_key_pem: &str) -> Result<Signed, PackError> {
        let key = SigningKey::from_pkcs8_pem(private_key_pem).map_err(|_| PackError::Key)?;
        let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| PackError::Key)?;
        let key_id = key_id(&pem).ok_or(PackError::Key)?;
        let payload = to_vec(self)?;
        let signature: DerSignature = key.sign(&pae(PACK_TYPE, &payload));
        let envelope = Envelope::of(PACK_TYPE, &payload, &key_id, signature.as_bytes());
        let text = format!("{}\n", String::from_utf8_lossy(&to_vec(&envelope)?));
        size("bytes", text.len(), MAX_PACK)?;
        Ok(Signed { text, digest: Digest::of_bytes(&payload), key_id, public_key_pem: pem })
    }

    fn check(&self) -> Result<(), PackError> {
        if self.format != FORMAT {
            return Err(PackError::Unreadable(format!("its form {} is not known", self.format)));
        }
        if self.manifest.version.parse::<semver::Version>().is_err() {
            return Err(PackError::Version(self.manifest.version.chars().take(80).collect()));
        }
        size("files", self.files.len(), MAX_PACK_FILES)?;
        match self.files.keys().find(|path| !super::bundle::is_safe(path)) {
            Some(path) => Err(PackError::Path(path.chars().filter(|c| !c.is_control()).take(80).collect())),
            None => Ok(()),
        }
    }

    /// What is wrong with the pack's own files: they are read as a definition of nothing else
    pub fn findings(&self) -> Result<Vec<Diagnostic>, NotCanonical> {
        let mut files = self.files.clone();
        let listed = serde_json::to_string(&self.files.keys().collect::<Vec<_>>()).unwrap_or_default();
        files.insert(
            super::bundle::ROOT.to_owned(),
            format!("version: 1\nworkspace: pack\nfiles: {listed}\n"),
        );
        let mut found = declare::foreign(&self.files);
        found.extend(read(&Bundle { files }, None)?.diagnostics);
        Ok(found)
    }
}

/// A pack's file
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What stands in it
    pub text: String,
    /// The digest of what was signed
    pub digest: Digest,
    /// The key that has signed it
    pub key_id: String,
    /// Its public half, which others have to trust
    pub public_key_pem: String,
}

/// The pack in `text`, if one of `trusted` has signed exactly that
pub fn open_pack(text: &str, trusted: &Signers) -> Result<Opened, PackError> {
    size("bytes", text.len(), MAX_PACK)?;
    let unreadable = |error: serde_json::Error| PackError::Unreadable(error.to_string());
    let envelope: Envelope = serde_json::from_str(text).map_err(unreadable)?;
    let (signer, payload) = verified(&envelope, trusted)?;
    let pack: Pack = serde_json::from_slice(&payload).map_err(unreadable)?;
    pack.check()?;
    Ok(Opened { pack, digest: Digest::of_bytes(&payload), signer })
}

/// What was signed, and by whom of those who are trusted
fn verified(envelope: &Envelope, trusted: &Signers) -> Result<(String, Vec<u8>), PackError> {
    if envelope.signatures.is_empty() {
        return Err(PackError::Unsigned);
    }
    for (signer, key) in trusted {
        match open(envelope, PACK_TYPE, key) {
            Ok(payload) => return Ok((signer.clone(), payload)),
            Err(EvidenceError::Signature | EvidenceError::Key) => {}
            Err(error) => return Err(PackError::Unreadable(error.to_string())),
        }
    }
    // The name of the key is a hint that anyone may write: good for what is said, not for what is believed.
    let named: BTreeSet<&str> = envelope.signatures.iter().map(|it| it.keyid.as_str()).collect();
    let whose = trusted.iter().find(|(_, key)| key_id(key).is_some_and(|id| named.contains(id.as_str())));
    if let Some((signer, _)) = whose {
        return Err(PackError::Tampered { signer: signer.clone() });
    }
    let key = named.first().map_or(String::new(), |key| key.chars().take(80).collect());
    let trusted = trusted.keys().cloned().collect();
    Err(PackError::UnknownSigner { key: key.chars().filter(|c| !c.is_control()).collect(), trusted })
}

fn size(what: &'static str, found: usize, max: usize) -> Result<(), PackError> {
    if found <= max { Ok(()) } else { Err(PackError::TooLarge { what, found, max }) }
}

impl Opened {
    /// How the resources of the pack say where they come from
    pub fn reference(&self) -> PackRef {
        PackRef {
            name: self.pack.manifest.name.to_string(),
            version: self.pack.manifest.version.clone(),
            vendor: self.pack.manifest.vendor.clone(),
            signer: self.signer.clone(),
            digest: self.digest.to_string(),
        }
    }
}

impl Definition {
    /// Whose packs the definition trusts
    pub fn signers(&self) -> Signers {
        let policies = self.resources.values().filter_map(|resource| resource.spec::<Policy>());
        policies.flat_map(|policy| policy.signers).collect()
    }

    /// The packs that the definition holds, each with the addresses of its resources
    pub fn packs(&self) -> BTreeMap<PackRef, Vec<Address>> {
        let mut packs: BTreeMap<PackRef, Vec<Address>> = BTreeMap::new();
        for (address, resource) in &self.resources {
            if let Some(pack) = PackRef::of(&resource.spec) {
                packs.entry(pack).or_default().push(address.clone());
            }
        }
        packs
    }
}

/// Whether a `weir.yaml` whose `packs` are `patterns` reads the file at `path`
pub fn is_named(patterns: &[String], path: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, path))
}
