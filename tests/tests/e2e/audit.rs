//! Every audit event is in the chain of objects in the bucket, and the chain holds

use crate::rig::Rig;
use std::{collections::BTreeSet, time::Duration};
use weir_domain::audit::chain::{AuditHead, verify};
use weir_local::story::wait::until;

pub async fn is_sealed(rig: &Rig) {
    let events = rig.person("carol").audit_list(&[("limit", "200")]).await.unwrap();
    let written: BTreeSet<_> = events.items.iter().map(|event| event.id).collect();
    assert!(!written.is_empty());
    let ledger = rig.ledger();
    let genesis = AuditHead::genesis(&rig.workspace());
    // The chain is written behind the table's stream.
    let complete = || async {
        let (mut head, mut objects, mut sealed) = (genesis.clone(), Vec::new(), BTreeSet::new());
        while let Some(object) = ledger.audit_read(&head).await.unwrap() {
            sealed.extend(object.ids);
            objects.push(object.bytes);
            head = object.head;
        }
        Ok(written.is_subset(&sealed).then_some((objects, head)))
    };
    let (objects, head) = until("the audit chain", Duration::from_secs(60), complete).await.unwrap();
    assert_eq!(verify(&genesis, &objects, Some(&head)), Ok(head.clone()));
    // What was changed afterwards is found.
    let mut forged: Vec<Vec<u8>> = objects.iter().map(|object| object.to_vec()).collect();
    let last = forged.iter_mut().rfind(|object| object.len() > 200).unwrap();
    let middle = last.len() / 2;
    last[middle] ^= 1;
    assert!(verify(&genesis, &forged, Some(&head)).is_err());
}
