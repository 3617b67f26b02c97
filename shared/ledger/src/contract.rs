//! What every bucket is held to: the one in memory, S3's emulators, S3
//!
//! Each function works under its own prefix, so that they may share a bucket. An assertion that fails here is a
//! bucket on which the ledger would lose something.

use crate::objects::{Etag, Locking, Objects, ObjectsError, Presigned, Put, PutOptions, Replace, Written};
use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;
use weir_domain::{canonical::Digest, time::Millis};

/// Does what the holder of a presigned request does
#[async_trait]
pub trait Holder: Send + Sync {
    /// Sends `request` with `body`: what it was answered, or none if it was refused
    async fn send(&self, request: &Presigned, body: Bytes) -> Option<Bytes>;
}

/// Every part of the contract that needs no other means than the bucket itself
pub async fn all(objects: &dyn Objects, prefix: &str) -> Result<(), ObjectsError> {
    an_object_reads_back(objects, &format!("{prefix}/reads")).await?;
    a_new_object_is_written_once(objects, &format!("{prefix}/new")).await?;
    a_swap_needs_the_content_it_was_decided_on(objects, &format!("{prefix}/swap")).await?;
    of_many_writers_one_wins(objects, &format!("{prefix}/race")).await?;
    keys_are_listed_in_order(objects, &format!("{prefix}/list")).await?;
    a_digest_is_read_up_to_a_limit(objects, &format!("{prefix}/digest")).await?;
    a_removed_object_is_gone_and_can_come_back(objects, &format!("{prefix}/removed")).await
}

async fn an_object_reads_back(objects: &dyn Objects, key: &str) -> Result<(), ObjectsError> {
    assert_eq!(objects.get(key).await?, None);
    assert_eq!(objects.head(key).await?, None);
    let Written { etag, version_id } = objects.put(key, Bytes::from_static(b"{}"), PutOptions::JSON).await?;
    let found = objects.get(key).await?;
    assert_eq!(found.as_ref().map(|object| object.bytes.as_ref()), Some(b"{}".as_slice()));
    assert_eq!(found.map(|object| (object.etag, object.version_id)), Some((etag.clone(), version_id)));
    let head = objects.head(key).await?;
    assert_eq!(head.as_ref().map(|head| (head.size, head.etag.clone())), Some((2, etag)));
    let checksum = head.and_then(|head| head.checksum);
    assert!(
        checksum.is_none_or(|checksum| checksum == Digest::of_bytes(b"{}")),
        "a checksum is the content's"
    );
    Ok(())
}

async fn a_new_object_is_written_once(objects: &dyn Objects, key: &str) -> Result<(), ObjectsError> {
    let put =
        |bytes: &'static str| objects.put_new(key, Bytes::from_static(bytes.as_bytes()), PutOptions::BYTES);
    let first = put("one").await?;
    assert!(matches!(&first, Put::Created(_)));
    assert_eq!(put("one").await?, first, "one's own write, repeated, is the same write");
    assert_eq!(put("two").await?, Put::Existed);
    let there = objects.get(key).await?.map(|object| object.bytes);
    assert_eq!(there, Some(Bytes::from_static(b"one")));
    Ok(())
}

async fn a_swap_needs_the_content_it_was_decided_on(
    objects: &dyn Objects,
    key: &str,
) -> Result<(), ObjectsError> {
    let swap = |bytes: &'static str, etag: Etag| async move {
        objects.put_if_match(key, Bytes::from_static(bytes.as_bytes()), &etag).await
    };
    let first = objects.put(key, Bytes::from_static(b"1"), PutOptions::JSON).await?.etag;
    assert_eq!(
        objects.put_if_match(&format!("{key}-not"), Bytes::new(), &first).await?,
        Replace::Lost,
        "not there"
    );
    let second = match swap("2", first.clone()).await? {
        Replace::Replaced(written) => written.etag,
        Replace::Lost => unreached("nobody else writes here"),
    };
    assert_ne!(first, second);
    assert_eq!(swap("3", first.clone()).await?, Replace::Lost, "decided on what is gone");
    let repeated = swap("2", first).await?;
    assert!(
        matches!(repeated, Replace::Replaced(written) if written.etag == second),
        "one's own write, repeated"
    );
    assert!(matches!(swap("3", second).await?, Replace::Replaced(_)));
    Ok(())
}

async fn of_many_writers_one_wins(objects: &dyn Objects, key: &str) -> Result<(), ObjectsError> {
    let bytes = |writer: u32| Bytes::from(format!("writer {writer}"));
    let news = (0..8).map(|writer| objects.put_new(key, bytes(writer), PutOptions::JSON));
    let created = futures::future::try_join_all(news).await?;
    assert_eq!(created.iter().filter(|put| matches!(put, Put::Created(_))).count(), 1);
    let Some(there) = objects.get(key).await? else { unreached("it was created") };
    let swaps = (8..16).map(|writer| objects.put_if_match(key, bytes(writer), &there.etag));
    let swapped = futures::future::try_join_all(swaps).await?;
    assert_eq!(swapped.iter().filter(|swap| matches!(swap, Replace::Replaced(_))).count(), 1);
    Ok(())
}

async fn keys_are_listed_in_order(objects: &dyn Objects, prefix: &str) -> Result<(), ObjectsError> {
    let key = |name: &str| format!("{prefix}/{name}");
    for name in ["c", "a", "b.json", "d/e"] {
        objects.put(&key(name), Bytes::from_static(b"x"), PutOptions::BYTES).await?;
    }
    let folder = format!("{prefix}/");
    assert_eq!(objects.list(&folder, None, 10).await?, ["a", "b.json", "c", "d/e"].map(key));
    assert_eq!(objects.list(&folder, None, 2).await?, ["a", "b.json"].map(key));
    assert_eq!(objects.list(&folder, Some(&key("b.json")), 2).await?, ["c", "d/e"].map(key));
    assert_eq!(objects.list(&format!("{prefix}/nothing"), None, 2).await?, Vec::<String>::new());
    Ok(())
}

async fn a_digest_is_read_up_to_a_limit(objects: &dyn Objects, key: &str) -> Result<(), ObjectsError> {
    assert_eq!(objects.digest(key, 10).await?, None);
    let bytes = Bytes::from(vec![7u8; 300_000]);
    objects.put(key, bytes.clone(), PutOptions::BYTES).await?;
    assert_eq!(objects.digest(key, 300_000).await?, Some((Digest::of_bytes(&bytes), 300_000)));
    assert!(matches!(
        objects.digest(key, 299_999).await,
        Err(ObjectsError::TooLarge { size_max: 299_999, .. })
    ));
    Ok(())
}

async fn a_removed_object_is_gone_and_can_come_back(
    objects: &dyn Objects,
    key: &str,
) -> Result<(), ObjectsError> {
    objects.remove(key).await?;
    let written = objects.put(key, Bytes::from_static(b"1"), PutOptions::JSON).await?;
    objects.remove(key).await?;
    objects.remove(key).await?;
    assert_eq!((objects.get(key).await?, objects.head(key).await?), (None, None));
    assert_eq!(objects.list(key, None, 2).await?, Vec::<String>::new());
    assert_eq!(objects.put_if_match(key, Bytes::from_static(b"2"), &written.etag).await?, Replace::Lost);
    assert!(matches!(
        objects.put_new(key, Bytes::from_static(b"3"), PutOptions::JSON).await?,
        Put::Created(_)
    ));
    Ok(())
}

/// A presigned upload takes exactly the bytes it was signed for, and a download gives them back
pub async fn a_presigned_request_does_what_it_says(
    objects: &dyn Objects,
    holder: &dyn Holder,
    key: &str,
) -> Result<(), ObjectsError> {
    let (right, wrong) = (Bytes::from_static(b"right bytes"), Bytes::from_static(b"wrong bytes"));
    let expires = Duration::from_secs(60);
    let upload = objects.presign_put(key, expires, 11, &Digest::of_bytes(&right)).await?;
    assert_eq!(holder.send(&upload, wrong).await, None, "other bytes are refused");
    assert_eq!(objects.head(key).await?, None, "and leave nothing");
    assert_eq!(holder.send(&upload, right.clone()).await, Some(Bytes::new()));
    let download = objects.presign_get(key, expires, Some("a file.txt")).await?;
    assert_eq!(holder.send(&download, Bytes::new()).await, Some(right));
    Ok(())
}

/// A version that is locked says so, and outlives a removal
pub async fn a_locked_version_says_until_when(objects: &dyn Objects, key: &str) -> Result<(), ObjectsError> {
    assert_eq!(objects.locking(), Locking::Required);
    let until = Millis::from_secs(4_102_444_800);
    let put = objects.put_new(key, Bytes::from_static(b"{}"), PutOptions::json_until(until)).await?;
    assert!(matches!(put, Put::Created(Written { version_id: Some(_), .. })));
    assert_eq!(objects.head(key).await?.and_then(|head| head.retain_until), Some(until));
    Ok(())
}

#[expect(clippy::panic, reason = "what a contract says cannot happen ends the test that it is run by")]
fn unreached(why: &str) -> ! {
    panic!("{why}")
}
