//! The bucket on S3, or on whatever speaks its protocol: the only caller of S3

use crate::{
    failure::{Answered, Failure},
    objects::{
        CONFLICT_RETRIES, Etag, Head, Locking, OBJECT_MAX, Object, Objects, ObjectsError, Presigned, Put,
        PutOptions, Replace, Written, header_name,
    },
};
use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{RequestId, put_object::builders::PutObjectFluentBuilder},
    presigning::{PresignedRequest, PresigningConfig},
    primitives::{ByteStream, DateTime},
    types::{ChecksumMode, ObjectLockMode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use weir_domain::{canonical::Digest, time::Millis};

/// A bucket of S3
#[derive(Debug, Clone)]
pub struct S3Objects {
    client: Client,
    bucket: String,
    locking: Locking,
}

/// What a conditional write was answered
enum Answer {
    Written(Written),
    /// Its condition did not hold: somebody was first, perhaps this writer itself
    Refused,
}

impl S3Objects {
    /// The bucket named `bucket`
    ///
    /// `locking` is the host's word for what the bucket was made with. [`Locking::Unavailable`] belongs to the
    /// local stage only; it is logged, and [`Objects::locking`] tells it to whoever shows evidence.
    pub fn new(client: Client, bucket: String, locking: Locking) -> Self {
        if locking == Locking::Unavailable {
            tracing::warn!(bucket, "the bucket `{bucket}` keeps no locks: evidence and audit can be removed");
        }
        Self { client, bucket, locking }
    }

    /// A write of `bytes` whose content S3 itself checks
    fn request(&self, key: &str, bytes: &Bytes, options: PutOptions) -> PutObjectFluentBuilder {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(options.content_type)
            .checksum_sha256(BASE64.encode(Sha256::digest(bytes)))
            .body(ByteStream::from(bytes.clone()));
        match (options.retain_until, self.locking) {
            (Some(time), Locking::Required) => request
                .object_lock_mode(ObjectLockMode::Compliance)
                .object_lock_retain_until_date(DateTime::from_millis(time.0)),
            (Some(_), Locking::Unavailable) | (None, Locking::Required | Locking::Unavailable) => request,
        }
    }

    /// Sends a conditional write until it is not in another one's way (409)
    async fn conditional(
        &self,
        request: impl Fn() -> PutObjectFluentBuilder + Send + Sync,
    ) -> Result<Answer, ObjectsError> {
        let mut wait = Duration::from_millis(20);
        for _ in 0..=CONFLICT_RETRIES {
            let error = match request().send().await {
                Ok(done) => return Ok(Answer::Written(written(done.e_tag, done.version_id))),
                Err(error) => error,
            };
            match error.status() {
                // 404: there is nothing to replace.
                Some(412 | 404) if error.code() != Some("NoSuchBucket") => return Ok(Answer::Refused),
                Some(409) => tokio::time::sleep(wait).await,
                Some(_) | None => return Err(failed("PutObject", &error)),
            }
            wait *= 2;
        }
        let failure = Failure::local("PutObject", "another write of the same object was always under way");
        Err(ObjectsError::Unavailable(Box::new(failure)))
    }

    /// Whether `key` already holds `bytes`: then an earlier try wrote them, and its answer was lost
    async fn holds(&self, key: &str, bytes: &Bytes) -> Result<Option<Written>, ObjectsError> {
        let there = self.get(key).await?.filter(|object| object.bytes == *bytes);
        Ok(there.map(|Object { etag, version_id, .. }| Written { etag, version_id }))
    }
}

#[async_trait]
impl Objects for S3Objects {
    fn locking(&self) -> Locking {
        self.locking
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        let found = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(found) => found,
            Err(error) if absent(&error) => return Ok(None),
            Err(error) => return Err(failed("GetObject", &error)),
        };
        let Written { etag, version_id } = written(found.e_tag, found.version_id);
        let too_large = || ObjectsError::TooLarge { key: key.to_owned(), size_max: OBJECT_MAX };
        if found.content_length.is_some_and(|size| size_of(size) > OBJECT_MAX) {
            return Err(too_large());
        }
        let bytes = found.body.collect().await.map_err(|_| cut_off())?.into_bytes();
        if bytes.len() as u64 > OBJECT_MAX {
            return Err(too_large());
        }
        Ok(Some(Object { bytes, etag, version_id }))
    }

    async fn head(&self, key: &str) -> Result<Option<Head>, ObjectsError> {
        let request = self.client.head_object().bucket(&self.bucket).key(key);
        let found = match request.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(found) => found,
            Err(error) if absent(&error) => return Ok(None),
            Err(error) => return Err(failed("HeadObject", &error)),
        };
        let Written { etag, version_id } = written(found.e_tag, found.version_id);
        Ok(Some(Head {
            size: size_of(found.content_length.unwrap_or(0)),
            etag,
            version_id,
            checksum: found.checksum_sha256.as_deref().and_then(checksum),
            retain_until: found
                .object_lock_retain_until_date
                .and_then(|date| date.to_millis().ok())
                .map(Millis),
        }))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, ObjectsError> {
        let limit = i32::try_from(limit.clamp(1, 1_000)).unwrap_or(1_000);
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).max_keys(limit);
        let page = request.set_start_after(after.map(str::to_owned)).send().await;
        let page = page.map_err(|error| failed("ListObjectsV2", &error))?;
        Ok(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect())
    }

    async fn put_new(&self, key: &str, bytes: Bytes, options: PutOptions) -> Result<Put, ObjectsError> {
        match self.conditional(|| self.request(key, &bytes, options).if_none_match("*")).await? {
            Answer::Written(written) => Ok(Put::Created(written)),
            Answer::Refused => Ok(self.holds(key, &bytes).await?.map_or(Put::Existed, Put::Created)),
        }
    }

    async fn put_if_match(&self, key: &str, bytes: Bytes, etag: &Etag) -> Result<Replace, ObjectsError> {
        match self.conditional(|| self.request(key, &bytes, PutOptions::JSON).if_match(&etag.0)).await? {
            Answer::Written(written) => Ok(Replace::Replaced(written)),
            Answer::Refused => Ok(self.holds(key, &bytes).await?.map_or(Replace::Lost, Replace::Replaced)),
        }
    }

    async fn put(&self, key: &str, bytes: Bytes, options: PutOptions) -> Result<Written, ObjectsError> {
        let done =
            self.request(key, &bytes, options).send().await.map_err(|error| failed("PutObject", &error))?;
        Ok(written(done.e_tag, done.version_id))
    }

    async fn remove(&self, key: &str) -> Result<(), ObjectsError> {
        match self.client.delete_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(()),
            Err(error) if absent(&error) => Ok(()),
            Err(error) => Err(failed("DeleteObject", &error)),
        }
    }

    async fn presign_get(
        &self,
        key: &str,
        expires: Duration,
        name: Option<&str>,
    ) -> Result<Presigned, ObjectsError> {
        let disposition = name.map(|name| format!("attachment; filename=\"{}\"", header_name(name)));
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let request =
            request.set_response_content_disposition(disposition).presigned(lasting(expires)?).await;
        Ok(presigned("GET", &request.map_err(|error| failed("GetObject", &error))?))
    }

    async fn presign_put(
        &self,
        key: &str,
        expires: Duration,
        size: u64,
        digest: &Digest,
    ) -> Result<Presigned, ObjectsError> {
        let unusable =
            |_| ObjectsError::Rejected(Box::new(Failure::local("PutObject", "the size or digest is none")));
        let size = i64::try_from(size).map_err(|error| unusable(error.to_string()))?;
        let checksum = hex::decode(digest.hex()).map_err(|error| unusable(error.to_string()))?;
        let request = self.client.put_object().bucket(&self.bucket).key(key).content_length(size);
        let request = request.checksum_sha256(BASE64.encode(checksum)).presigned(lasting(expires)?).await;
        Ok(presigned("PUT", &request.map_err(|error| failed("PutObject", &error))?))
    }

    async fn digest(&self, key: &str, size_max: u64) -> Result<Option<(Digest, u64)>, ObjectsError> {
        let mut found = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(found) => found,
            Err(error) if absent(&error) => return Ok(None),
            Err(error) => return Err(failed("GetObject", &error)),
        };
        let (mut hash, mut size) = (Sha256::new(), 0u64);
        while let Some(chunk) = found.body.next().await {
            let chunk = chunk.map_err(|_| cut_off())?;
            size = size.saturating_add(chunk.len() as u64);
            if size > size_max {
                return Err(ObjectsError::TooLarge { key: key.to_owned(), size_max });
            }
            hash.update(&chunk);
        }
        Ok(digest_of(&hash.finalize()).map(|digest| (digest, size)))
    }
}

/// `error`, as it matters to whoever asked
fn failed<E>(call: &'static str, error: &SdkError<E>) -> ObjectsError
where
    E: ProvideErrorMetadata,
    SdkError<E>: RequestId,
{
    let failure = Failure::of(call, error);
    if failure.passes() {
        ObjectsError::Unavailable(Box::new(failure))
    } else {
        ObjectsError::Rejected(Box::new(failure))
    }
}

fn cut_off() -> ObjectsError {
    ObjectsError::Unavailable(Box::new(Failure::local("GetObject", "the content was cut off")))
}

/// Whether there is no such object; a bucket that is not there is an error
fn absent<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.status() == Some(404) && error.code() != Some("NoSuchBucket")
}

fn written(etag: Option<String>, version_id: Option<String>) -> Written {
    Written { etag: Etag(etag.unwrap_or_default()), version_id }
}

fn size_of(length: i64) -> u64 {
    u64::try_from(length).unwrap_or(0)
}

fn checksum(base64: &str) -> Option<Digest> {
    // The checksum of a multipart upload (`…-2`) is not the digest of the whole: it does not decode, and is none.
    BASE64.decode(base64).ok().and_then(|bytes| digest_of(&bytes))
}

fn digest_of(hash: &[u8]) -> Option<Digest> {
    format!("sha256:{}", hex::encode(hash)).parse().ok()
}

fn lasting(expires: Duration) -> Result<PresigningConfig, ObjectsError> {
    let unusable =
        |_| ObjectsError::Rejected(Box::new(Failure::local("presign", "valid for a week at most")));
    PresigningConfig::expires_in(expires).map_err(unusable)
}

fn presigned(method: &'static str, request: &PresignedRequest) -> Presigned {
    let headers = request.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Presigned { method, url: request.uri().to_owned(), headers }
}
