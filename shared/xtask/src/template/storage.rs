//! What remembers: the table, the bucket, the key that signs
//!
//! All three outlive the stack: evidence is worth nothing without the key that proves it.

use super::{
    Resources, attribute,
    parameters::{ON_AWS, PROTECTED},
    policy::ANSWERS,
    reference, sub,
};
use serde_json::{Value, json};
use weir_store::schema::{EXPIRES_AT, INDEXES, Index, PK, SK};

/// For how long what was replaced in the state ledger is kept, in days
const REPLACED_KEPT_DAYS: u32 = 365;

/// Adds them
pub fn add(resources: &mut Resources) {
    resources.insert("Table".to_owned(), kept("AWS::DynamoDB::Table", &table()));
    resources.insert("Bucket".to_owned(), kept("AWS::S3::Bucket", &bucket()));
    resources.insert("BucketPolicy".to_owned(), bucket_policy());
    resources.insert("SigningKey".to_owned(), kept("AWS::KMS::Key", &signing_key()));
    resources.insert(
        "SigningKeyAlias".to_owned(),
        json!({
            "Type": "AWS::KMS::Alias",
            "Properties": {
                "AliasName": sub("alias/${AWS::StackName}-signing"),
                "TargetKeyId": reference("SigningKey"),
            },
        }),
    );
}

fn kept(kind: &str, properties: &Value) -> Value {
    json!({ "Type": kind, "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": properties })
}

fn table() -> Value {
    let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    let range = |index: &Index| json!({ "AttributeName": index.range, "AttributeType": if index.by_number { "N" } else { "S" } });
    let indexed = INDEXES.iter().flat_map(|index| [text(index.hash), range(index)]);
    let attributes: Vec<_> = [text(PK), text(SK)].into_iter().chain(indexed).collect();
    json!({
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes,
        "KeySchema": keys(PK, SK),
        "GlobalSecondaryIndexes": INDEXES.iter().map(index).collect::<Vec<_>>(),
        "StreamSpecification": { "StreamViewType": "NEW_IMAGE" },
        "TimeToLiveSpecification": { "AttributeName": EXPIRES_AT, "Enabled": true },
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
        "DeletionProtectionEnabled": { "Fn::If": [PROTECTED, true, false] },
    })
}

fn keys(hash: &str, range: &str) -> Value {
    json!([{ "AttributeName": hash, "KeyType": "HASH" }, { "AttributeName": range, "KeyType": "RANGE" }])
}

fn index(index: &Index) -> Value {
    let projection = match index.projected {
        None => json!({ "ProjectionType": "ALL" }),
        Some([]) => json!({ "ProjectionType": "KEYS_ONLY" }),
        Some(names) => json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": names }),
    };
    json!({ "IndexName": index.name, "KeySchema": keys(index.hash, index.range), "Projection": projection })
}

/// Retention is set on each object that must not change, never as a default: it would lock the state, too
fn bucket() -> Value {
    json!({
        "ObjectLockEnabled": true,
        "VersioningConfiguration": { "Status": "Enabled" },
        "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] },
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{ "ServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } }],
        },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true,
            "BlockPublicPolicy": true,
            "IgnorePublicAcls": true,
            "RestrictPublicBuckets": true,
        },
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "uploads-that-were-given-up",
                    "Status": "Enabled",
                    "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 1 },
                },
                {
                    "Id": "states-that-were-replaced",
                    "Status": "Enabled",
                    "Prefix": sub("${Workspace}/state/"),
                    "NoncurrentVersionExpiration": { "NoncurrentDays": REPLACED_KEPT_DAYS },
                },
                {
                    "Id": "answers-that-were-fetched",
                    "Status": "Enabled",
                    "Prefix": sub(&format!("${{Workspace}}/{ANSWERS}")),
                    "ExpirationInDays": 1,
                    "NoncurrentVersionExpiration": { "NoncurrentDays": 1 },
                },
            ],
        },
    })
}

fn bucket_policy() -> Value {
    json!({
        "Type": "AWS::S3::BucketPolicy",
        "Condition": ON_AWS,
        "Properties": {
            "Bucket": reference("Bucket"),
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [attribute("Bucket", "Arn"), sub("${Bucket.Arn}/*")],
                    "Condition": { "Bool": { "aws:SecureTransport": "false" } },
                }],
            },
        },
    })
}

fn signing_key() -> Value {
    json!({
        "Description": sub("${AWS::StackName}: signs evidence"),
        "KeySpec": "ECC_NIST_P256",
        "KeyUsage": "SIGN_VERIFY",
        "KeyPolicy": {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root") },
                "Action": "kms:*",
                "Resource": "*",
            }],
        },
    })
}
