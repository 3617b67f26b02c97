//! What proves the story afterwards: evidence packets, verified here and kept as files, and audit events

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use weir_client::api::Client;
use weir_domain::audit::AuditEvent;
use weir_domain::evidence::verify;
use weir_domain::id::EvidenceId;
use weir_edge::wire::operation::OperationView;

use super::teller::{Teller, told};
use super::wait::check;
use crate::deploy::aws::authorization;
use crate::error::{Doing as _, LocalError, Result};
use crate::net;
use crate::stack::Stack;

/// Where packets are kept, in the stack's folder: below it a folder for each key, with the key beside its packets
const FOLDER: &str = "evidence";

/// Packets that were verified and kept
pub(super) struct Kept {
    /// Where they are, with the key that verifies all of them
    pub folder: PathBuf,
    /// Which
    pub packets: Vec<EvidenceId>,
}

/// How long KMS may take
const CALL: Duration = Duration::from_secs(30);

/// The signing key's public half, asked of KMS itself: a packet's own word for it would prove nothing
async fn public_key(stack: &Stack, key: &str) -> Result<String> {
    let fail = |reason: String| LocalError::Call { call: "GetPublicKey".to_owned(), reason };
    let request = net::client(CALL)?
        .post(stack.endpoint().url())
        .header("authorization", authorization("kms"))
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "TrentService.GetPublicKey")
        .body(json!({ "KeyId": key }).to_string());
    let answer = request.send().await.map_err(|error| fail(error.to_string()))?;
    let answer: serde_json::Value = answer.json().await.map_err(|error| fail(error.to_string()))?;
    let der = answer.get("PublicKey").and_then(|key| key.as_str()).unwrap_or_default();
    let der = STANDARD.decode(der).map_err(|error| fail(error.to_string()))?;
    check(!der.is_empty(), || format!("KMS gave no public key for `{key}`: {answer}"))?;
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    Ok(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n")))
}

/// Verifies every packet of `operations` and keeps it as a file beside the key
pub(super) async fn evidence<'a>(
    teller: &Teller<'_>,
    stack: &Stack,
    operations: impl Iterator<Item = &'a OperationView>,
) -> Result<Kept> {
    let name = signing_key(stack);
    let key = public_key(stack, &name).await?;
    // Another emulator makes another key; the packets of the one before go on verifying.
    let folder = stack.state().path(FOLDER).join(key_id(&name));
    std::fs::create_dir_all(&folder).at("making", &folder)?;
    let key_file = folder.join("signing-key.pem");
    std::fs::write(&key_file, &key).at("writing", &key_file)?;
    let mut verified = Vec::new();
    for operation in operations {
        check(!operation.evidence_ids.is_empty(), || {
            format!("the {} {} left no evidence", operation.operation_type.as_str(), operation.operation_id)
        })?;
        let client = if operation.tenant_id.is_some() { &teller.alice } else { &teller.workspace };
        for id in &operation.evidence_ids {
            let packet = client.evidence_show(*id).await.map_err(|error| told(&format!("{id}"), &error))?;
            let statement = verify(&packet.envelope, &key)
                .map_err(|error| LocalError::Story(format!("evidence {id} does not verify: {error}")))?;
            let about = statement.predicate.id == *id && packet.operation_id == operation.operation_id;
            check(about, || format!("evidence {id} is about something else"))?;
            let file = folder.join(format!("{id}.dsse.json"));
            let text = serde_json::to_vec_pretty(&packet.envelope).at("writing", &file)?;
            std::fs::write(&file, text).at("writing", &file)?;
            verified.push(*id);
        }
    }
    Ok(Kept { folder, packets: verified })
}

/// How KMS calls the key
fn signing_key(stack: &Stack) -> String {
    stack.outputs().get("SigningKey").cloned().unwrap_or_default()
}

/// The last part of a key's ARN
fn key_id(name: &str) -> &str {
    name.rsplit(['/', ':']).next().unwrap_or(name)
}

/// Every audit event that `client` may see, the newest first
pub(super) async fn audit(client: &Client) -> Result<Vec<AuditEvent>> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("limit", "200")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = client.audit_list(&query).await.map_err(|error| told("the audit events", &error))?;
        all.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_by_the_last_part_of_its_name() {
        let arn = "arn:aws:kms:us-east-1:000000000000:key/d0f013ed-80b6-4a79-ab2b-7de27882882d";
        assert_eq!(key_id(arn), "d0f013ed-80b6-4a79-ab2b-7de27882882d");
        assert_eq!(key_id("d0f013ed"), "d0f013ed");
    }
}
