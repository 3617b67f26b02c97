use serde_json::json;
use weir_domain::{
    canonical::Digest,
    evidence::PacketType,
    id::{EvidenceId, Id as _, OperationId},
    time::Millis,
};
use weir_store::EvidenceRow;
use weir_testkit::TestApi;

#[tokio::test]
async fn a_packet_is_given_as_it_was_signed_and_to_its_tenant_only() {
    let api = TestApi::new(crate::ENDPOINTS).await;
    let (id, operation) = (EvidenceId::derived(1, "e"), OperationId::derived(1, "o"));
    let row = EvidenceRow {
        id,
        packet_type: PacketType::Deployment,
        operation_id: operation,
        promotion_id: None,
        content_hash: Digest::of_bytes(b"content"),
        signer_key_ref: "key".to_owned(),
        created_at: Millis(1).into(),
    };
    api.put(&api.scope(), &row).await;
    let path = format!("/v1/evidence/{id}");
    let lost = api.get(&path).by("viewer").send().await;
    assert_eq!(lost.short(), "500 internal", "a row without its packet is a loss and not a missing page");
    let envelope = json!({
        "payloadType": "application/vnd.in-toto+json", "payload": "e30=",
        "signatures": [{ "keyid": "key", "sig": "c2ln" }],
    });
    let bytes = serde_json::to_vec(&envelope).unwrap();
    api.cx.ledger().evidence_put(operation, id, bytes, Millis(2)).await.unwrap();
    let view = api.get(&path).by("viewer").send().await.expect(200);
    assert_eq!(view["envelope"], envelope);
    assert!(view["public_key_pem"].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
    assert_eq!(api.get(&path).by("stranger").send().await.short(), "404 not-found");
}
