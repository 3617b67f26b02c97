//! The template of `infra/`, through CloudFormation, onto an endpoint of this machine
//!
//! A copy of the template is rewritten as `sam package` would, and the stack is created, or updated if
//! anything in it changed: its digest is a tag of the stack, so it lives and dies with the emulator.

pub mod aws;
mod change;
pub mod template;

use std::collections::BTreeMap;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ObjectLockConfiguration, ObjectLockEnabled};
use sha2::{Digest as _, Sha256};

use crate::artefacts::{self, Binaries};
use crate::error::Result;
use aws::{Endpoint, Runs, say};
use template::{Packaging, Template};

/// What is to be deployed
#[derive(Debug, Clone)]
pub struct Plan {
    /// The stack's name
    pub stack: String,
    /// Its parameters
    pub parameters: BTreeMap<String, String>,
    /// Where the endpoint is to send invocations, if it can send them anywhere
    pub proxy_url: String,
}

/// What is deployed
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The outputs of the stack
    pub outputs: BTreeMap<String, String>,
    /// How many resources it has
    pub resources: usize,
    /// Whether anything had to be done
    pub changed: bool,
}

/// Creates or updates the stack and waits for it
pub async fn deploy(
    endpoint: &Endpoint,
    plan: &Plan,
    template: &Template,
    binaries: &Binaries,
) -> Result<Deployment> {
    let bucket = format!("{}-package", plan.stack);
    create_bucket(endpoint, &bucket).await?;
    let packaging = Packaging {
        bucket: bucket.clone(),
        code: upload_code(endpoint, &bucket, template, binaries).await?,
        environment: environment(endpoint, plan),
    };
    let packaged = template.package(&packaging)?;
    for (key, bytes) in packaged.definitions {
        upload(endpoint, &bucket, &key, bytes).await?;
    }
    let body = packaged.template.to_string();
    let digest = digest(&[body.as_bytes(), format!("{:?}", plan.parameters).as_bytes()]);
    let key = format!("template/{digest}.json");
    upload(endpoint, &bucket, &key, body.into_bytes()).await?;
    let change = change::Change {
        stack: &plan.stack,
        template_url: format!("{}/{bucket}/{key}", endpoint.url()),
        parameters: &plan.parameters,
        digest: &digest,
    };
    let changed = change.carry_out(endpoint).await?;
    let resources = change::resources(endpoint, &plan.stack).await?;
    for logical in template.locked_buckets() {
        if let Some(bucket) = resources.get(logical) {
            lock_bucket(endpoint, bucket).await?;
        }
    }
    let outputs = change::outputs(endpoint, &plan.stack).await?;
    Ok(Deployment { outputs, resources: resources.len(), changed })
}

/// What the emulator needs in every function's environment, beside what the template says
fn environment(endpoint: &Endpoint, plan: &Plan) -> BTreeMap<String, String> {
    match endpoint.runs() {
        Runs::Proxied => BTreeMap::from([
            ("AWS_ENDPOINT_URL".to_owned(), endpoint.url().to_owned()),
            ("MINISTACK_LAMBDA_PROXY_URL".to_owned(), plan.proxy_url.clone()),
        ]),
        // LocalStack sets the address itself, as its functions see it, which may be from in a container.
        Runs::Itself => BTreeMap::new(),
    }
}

/// Uploads the code of each artefact that the template uses, and returns the keys
async fn upload_code(
    endpoint: &Endpoint,
    bucket: &str,
    template: &Template,
    binaries: &Binaries,
) -> Result<BTreeMap<String, String>> {
    let mut keys = BTreeMap::new();
    for artefact in template.artefacts(binaries) {
        let bytes = match endpoint.runs() {
            // Never unpacked: every invocation goes to the function host. It keeps the template whole.
            Runs::Proxied => artefacts::pack(b"#!/bin/sh\n").map_err(|error| say("packing", &error))?,
            Runs::Itself => {
                let path = binaries.path(&artefact)?.to_owned();
                let packed = tokio::task::spawn_blocking(move || artefacts::zip(&path)).await;
                packed.map_err(|error| say("packing", &error))??
            }
        };
        let key = format!("code/{artefact}-{}.zip", digest(&[&bytes]));
        upload(endpoint, bucket, &key, bytes).await?;
        keys.insert(artefact, key);
    }
    Ok(keys)
}

async fn create_bucket(endpoint: &Endpoint, bucket: &str) -> Result<()> {
    if endpoint.s3().head_bucket().bucket(bucket).send().await.is_ok() {
        return Ok(());
    }
    let created = endpoint.s3().create_bucket().bucket(bucket).send().await;
    created.map(|_| ()).map_err(|error| say("CreateBucket", &error))
}

/// Keys hold the digest of what is under them, so what is there needs no second upload
async fn upload(endpoint: &Endpoint, bucket: &str, key: &str, bytes: Vec<u8>) -> Result<()> {
    if endpoint.s3().head_object().bucket(bucket).key(key).send().await.is_ok() {
        return Ok(());
    }
    let put = endpoint.s3().put_object().bucket(bucket).key(key).body(ByteStream::from(bytes)).send().await;
    put.map(|_| ()).map_err(|error| say(&format!("PutObject {key}"), &error))
}

/// Turns Object Lock on where the emulator ignored it in the template; it allows that on a versioned bucket
async fn lock_bucket(endpoint: &Endpoint, bucket: &str) -> Result<()> {
    if endpoint.s3().get_object_lock_configuration().bucket(bucket).send().await.is_ok() {
        return Ok(());
    }
    // No default retention: the lock is set object by object, or `state.json` would be locked too.
    let enabled = ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).build();
    let put = endpoint.s3().put_object_lock_configuration().bucket(bucket).object_lock_configuration(enabled);
    put.send().await.map(|_| ()).map_err(|error| say("PutObjectLockConfiguration", &error))
}

pub(crate) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize()).chars().take(32).collect()
}
