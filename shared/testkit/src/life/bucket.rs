//! The bucket, whose writes are seen

use super::Life;
use async_trait::async_trait;
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use weir_domain::canonical::Digest;
use weir_ledger::objects::{
    Etag, Head, Locking, Object, Objects, ObjectsError, Presigned, Put, PutOptions, Replace, Written,
};

/// The bucket as functions reach it
pub(super) struct Seen {
    pub life: Arc<Life>,
    pub inner: Arc<dyn Objects>,
}

#[async_trait]
impl Objects for Seen {
    fn locking(&self) -> Locking {
        self.inner.locking()
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        self.inner.get(key).await
    }

    async fn head(&self, key: &str) -> Result<Option<Head>, ObjectsError> {
        self.inner.head(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, ObjectsError> {
        self.inner.list(prefix, after, limit).await
    }

    async fn put_new(&self, key: &str, bytes: Bytes, options: PutOptions) -> Result<Put, ObjectsError> {
        let passing = self.life.enter("object_put_new").await;
        let done = self.inner.put_new(key, bytes, options).await;
        passing.leave().await;
        done
    }

    async fn put_if_match(&self, key: &str, bytes: Bytes, etag: &Etag) -> Result<Replace, ObjectsError> {
        let passing = self.life.enter("object_put_if_match").await;
        let done = self.inner.put_if_match(key, bytes, etag).await;
        passing.leave().await;
        done
    }

    async fn put(&self, key: &str, bytes: Bytes, options: PutOptions) -> Result<Written, ObjectsError> {
        let passing = self.life.enter("object_put").await;
        let done = self.inner.put(key, bytes, options).await;
        passing.leave().await;
        done
    }

    async fn remove(&self, key: &str) -> Result<(), ObjectsError> {
        let passing = self.life.enter("object_remove").await;
        let done = self.inner.remove(key).await;
        passing.leave().await;
        done
    }

    async fn presign_get(
        &self,
        key: &str,
        expires: Duration,
        name: Option<&str>,
    ) -> Result<Presigned, ObjectsError> {
        self.inner.presign_get(key, expires, name).await
    }

    async fn presign_put(
        &self,
        key: &str,
        expires: Duration,
        size: u64,
        digest: &Digest,
    ) -> Result<Presigned, ObjectsError> {
        self.inner.presign_put(key, expires, size, digest).await
    }

    async fn digest(&self, key: &str, size_max: u64) -> Result<Option<(Digest, u64)>, ObjectsError> {
        self.inner.digest(key, size_max).await
    }
}
