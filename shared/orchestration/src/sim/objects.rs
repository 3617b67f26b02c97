//! The bucket in memory, behind calls that take time and fail

use super::{
    fault::Site,
    world::{Broken, World, locked},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use weir_domain::canonical::Digest;
use weir_ledger::{
    memory::MemoryObjects,
    objects::{
        Etag, Head, Locking, Object, Objects, ObjectsError, Presigned, Put, PutOptions, Replace, Written,
    },
};

/// The bucket as functions reach it
pub(super) struct SimObjects {
    world: Arc<World>,
    memory: MemoryObjects,
}

impl From<Broken> for ObjectsError {
    fn from(broken: Broken) -> Self {
        Self::Unavailable(Box::new(broken))
    }
}

impl SimObjects {
    pub fn new(world: Arc<World>) -> Self {
        Self { world, memory: MemoryObjects::new() }
    }

    async fn read(&self, op: &'static str) -> Result<(), ObjectsError> {
        Ok(self.world.enter(op, 0, Site::Read).await.map(drop)?)
    }
}

#[async_trait]
impl Objects for SimObjects {
    fn locking(&self) -> Locking {
        self.memory.locking()
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        self.read("object_get").await?;
        self.memory.get(key).await
    }

    async fn head(&self, key: &str) -> Result<Option<Head>, ObjectsError> {
        self.read("object_head").await?;
        self.memory.head(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, ObjectsError> {
        self.read("object_list").await?;
        self.memory.list(prefix, after, limit).await
    }

    async fn put_new(&self, key: &str, bytes: Bytes, options: PutOptions) -> Result<Put, ObjectsError> {
        let passing = self.world.enter("object_put_new", 0, Site::Conditional).await?;
        let kept = bytes.clone();
        let mut put = self.memory.put_new(key, bytes.clone(), options).await;
        if passing.is_repeated() {
            put = self.memory.put_new(key, bytes, options).await;
        }
        // Two signatures of the same are not the same: one's own packet may be another's to whoever writes it again.
        if passing.is_refused() && put.is_ok() {
            put = Ok(Put::Existed);
        }
        locked(&self.world.watch).kept(key, &kept);
        self.world.say(|| format!("put new object {key}"), None);
        passing.leave().await?;
        put
    }

    async fn put_if_match(&self, key: &str, bytes: Bytes, etag: &Etag) -> Result<Replace, ObjectsError> {
        let passing = self.world.enter("object_put_if_match", 0, Site::Conditional).await?;
        let mut put = self.memory.put_if_match(key, bytes.clone(), etag).await;
        if passing.is_repeated() {
            put = self.memory.put_if_match(key, bytes, etag).await;
        }
        if passing.is_refused() && put.is_ok() {
            put = Ok(Replace::Lost);
        }
        passing.leave().await?;
        put
    }

    async fn put(&self, key: &str, bytes: Bytes, options: PutOptions) -> Result<Written, ObjectsError> {
        let passing = self.world.enter("object_put", 0, Site::Write).await?;
        let written = self.memory.put(key, bytes, options).await;
        passing.leave().await?;
        written
    }

    async fn remove(&self, key: &str) -> Result<(), ObjectsError> {
        let passing = self.world.enter("object_remove", 0, Site::Write).await?;
        let removed = self.memory.remove(key).await;
        passing.leave().await?;
        removed
    }

    async fn presign_get(
        &self,
        key: &str,
        expires: Duration,
        name: Option<&str>,
    ) -> Result<Presigned, ObjectsError> {
        self.memory.presign_get(key, expires, name).await
    }

    async fn presign_put(
        &self,
        key: &str,
        expires: Duration,
        size: u64,
        digest: &Digest,
    ) -> Result<Presigned, ObjectsError> {
        self.memory.presign_put(key, expires, size, digest).await
    }

    async fn digest(&self, key: &str, size_max: u64) -> Result<Option<(Digest, u64)>, ObjectsError> {
        self.read("object_digest").await?;
        self.memory.digest(key, size_max).await
    }
}
