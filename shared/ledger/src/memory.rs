//! A bucket in memory: a fake that behaves
//!
//! Same conditions, etags, versions and locks as S3, held by the same contract tests. Nothing expires: it has no clock.

use crate::objects::{
    Etag, Head, Locking, OBJECT_MAX, Object, Objects, ObjectsError, Presigned, Put, PutOptions, Replace,
    Written, header_name,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use weir_domain::{canonical::Digest, time::Millis};

/// One version of one object
#[derive(Debug, Clone)]
struct Version {
    /// Its content; none for the mark that an object was removed
    bytes: Option<Bytes>,
    retain_until: Option<Millis>,
}

/// A bucket in memory
#[derive(Debug, Default)]
pub struct MemoryObjects {
    /// Every version of every object, oldest first
    keys: Mutex<BTreeMap<String, Vec<Version>>>,
}

impl MemoryObjects {
    /// An empty bucket
    pub fn new() -> Self {
        Self::default()
    }

    /// Does what the holder of a presigned `PUT` does: `false` if the bucket refuses these bytes
    pub fn upload(&self, request: &Presigned, bytes: Bytes) -> bool {
        let signed =
            |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let size = bytes.len().to_string();
        let digest = Digest::of_bytes(&bytes);
        let fits = signed("content-length") == Some(&size) && signed(DIGEST_HEADER) == Some(digest.as_str());
        let Some(key) = request.url.strip_prefix(SCHEME).filter(|_| fits && request.method == "PUT") else {
            return false;
        };
        write(&mut self.lock(), key, bytes, PutOptions::BYTES);
        true
    }

    /// Does what the holder of a presigned `GET` does
    pub fn download(&self, request: &Presigned) -> Option<Bytes> {
        let address = request.url.strip_prefix(SCHEME).filter(|_| request.method == "GET")?;
        let key = address.split_once('?').map_or(address, |(key, _)| key);
        current(&self.lock(), key).and_then(|(version, _)| version.bytes.clone())
    }

    /// Puts `bytes` at `key` as somebody would who is not Weir: for tests of what is read back
    pub fn overwrite(&self, key: &str, bytes: Bytes) {
        write(&mut self.lock(), key, bytes, PutOptions::BYTES);
    }

    /// Every key that holds an object, in order
    pub fn keys(&self) -> Vec<String> {
        let keys = self.lock();
        keys.keys().filter(|key| current(&keys, key).is_some()).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Version>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SCHEME: &str = "memory://";
const DIGEST_HEADER: &str = "x-memory-digest";

type Keys = BTreeMap<String, Vec<Version>>;

/// The newest version of `key`, unless it was removed, and its place
fn current<'a>(keys: &'a Keys, key: &str) -> Option<(&'a Version, usize)> {
    let versions = keys.get(key)?;
    let version = versions.last()?;
    version.bytes.is_some().then_some((version, versions.len()))
}

fn content<'a>(keys: &'a Keys, key: &str) -> Option<(&'a Bytes, Written)> {
    let (version, place) = current(keys, key)?;
    let bytes = version.bytes.as_ref()?;
    Some((bytes, Written { etag: etag(bytes), version_id: Some(place.to_string()) }))
}

fn etag(bytes: &Bytes) -> Etag {
    Etag(format!("\"{}\"", Digest::of_bytes(bytes).short()))
}

fn write(keys: &mut Keys, key: &str, bytes: Bytes, options: PutOptions) -> Written {
    let etag = etag(&bytes);
    let versions = keys.entry(key.to_owned()).or_default();
    versions.push(Version { bytes: Some(bytes), retain_until: options.retain_until });
    Written { etag, version_id: Some(versions.len().to_string()) }
}

#[async_trait]
impl Objects for MemoryObjects {
    fn locking(&self) -> Locking {
        Locking::Required
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        let keys = self.lock();
        let Some((bytes, Written { etag, version_id })) = content(&keys, key) else { return Ok(None) };
        if bytes.len() as u64 > OBJECT_MAX {
            return Err(ObjectsError::TooLarge { key: key.to_owned(), size_max: OBJECT_MAX });
        }
        Ok(Some(Object { bytes: bytes.clone(), etag, version_id }))
    }

    async fn head(&self, key: &str) -> Result<Option<Head>, ObjectsError> {
        let keys = self.lock();
        let retain_until = current(&keys, key).and_then(|(version, _)| version.retain_until);
        Ok(content(&keys, key).map(|(bytes, Written { etag, version_id })| Head {
            size: bytes.len() as u64,
            etag,
            version_id,
            checksum: Some(Digest::of_bytes(bytes)),
            retain_until,
        }))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, ObjectsError> {
        let keys = self.lock();
        let begins =
            |key: &&String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        Ok(keys
            .keys()
            .filter(begins)
            .filter(|key| current(&keys, key).is_some())
            .take(limit)
            .cloned()
            .collect())
    }

    async fn put_new(&self, key: &str, bytes: Bytes, options: PutOptions) -> Result<Put, ObjectsError> {
        let mut keys = self.lock();
        Ok(match content(&keys, key) {
            Some((there, written)) if *there == bytes => Put::Created(written),
            Some(_) => Put::Existed,
            None => Put::Created(write(&mut keys, key, bytes, options)),
        })
    }

    async fn put_if_match(&self, key: &str, bytes: Bytes, etag: &Etag) -> Result<Replace, ObjectsError> {
        let mut keys = self.lock();
        Ok(match content(&keys, key) {
            Some((_, written)) if written.etag == *etag => {
                Replace::Replaced(write(&mut keys, key, bytes, PutOptions::JSON))
            }
            Some((there, written)) if *there == bytes => Replace::Replaced(written),
            Some(_) | None => Replace::Lost,
        })
    }

    async fn put(&self, key: &str, bytes: Bytes, options: PutOptions) -> Result<Written, ObjectsError> {
        Ok(write(&mut self.lock(), key, bytes, options))
    }

    async fn remove(&self, key: &str) -> Result<(), ObjectsError> {
        let mut keys = self.lock();
        if current(&keys, key).is_some() {
            keys.entry(key.to_owned()).or_default().push(Version { bytes: None, retain_until: None });
        }
        Ok(())
    }

    async fn presign_get(
        &self,
        key: &str,
        _expires: Duration,
        name: Option<&str>,
    ) -> Result<Presigned, ObjectsError> {
        let name = name.map(|name| format!("?name={}", header_name(name))).unwrap_or_default();
        Ok(Presigned { method: "GET", url: format!("{SCHEME}{key}{name}"), headers: Vec::new() })
    }

    async fn presign_put(
        &self,
        key: &str,
        _expires: Duration,
        size: u64,
        digest: &Digest,
    ) -> Result<Presigned, ObjectsError> {
        let headers = vec![
            ("content-length".to_owned(), size.to_string()),
            (DIGEST_HEADER.to_owned(), digest.as_str().to_owned()),
        ];
        Ok(Presigned { method: "PUT", url: format!("{SCHEME}{key}"), headers })
    }

    async fn digest(&self, key: &str, size_max: u64) -> Result<Option<(Digest, u64)>, ObjectsError> {
        let keys = self.lock();
        let Some((bytes, _)) = content(&keys, key) else { return Ok(None) };
        let size = bytes.len() as u64;
        if size > size_max {
            return Err(ObjectsError::TooLarge { key: key.to_owned(), size_max });
        }
        Ok(Some((Digest::of_bytes(bytes), size)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    #[async_trait]
    impl contract::Holder for MemoryObjects {
        async fn send(&self, request: &Presigned, body: Bytes) -> Option<Bytes> {
            if request.method == "GET" {
                return self.download(request);
            }
            self.upload(request, body).then(Bytes::new)
        }
    }

    #[tokio::test]
    async fn the_contract_holds() {
        let objects = MemoryObjects::new();
        contract::all(&objects, "all").await.unwrap();
        contract::a_presigned_request_does_what_it_says(&objects, &objects, "presigned").await.unwrap();
        contract::a_locked_version_says_until_when(&objects, "locked").await.unwrap();
    }
}
