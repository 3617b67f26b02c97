//! Recovery records: what is about to be done, written down before it is done
//!
//! A record is written before a side effect and removed after the state holds it. One that is found by
//! somebody else was left by a crash: the effect may have happened, and has to be driven forward.

use super::{Ledger, LedgerError};
use crate::objects::{Put, PutOptions};
use bytes::Bytes;

/// How many keys are listed by one request
const PAGE: usize = 1_000;

impl Ledger {
    /// Writes down an effect before it begins; `Existed` means that another effect has this id
    pub async fn recovery_put(&self, id: &str, record: impl Into<Bytes> + Send) -> Result<Put, LedgerError> {
        let key = self.keys.recoveries().key(id)?;
        Ok(self.objects.put_new(&key, record.into(), PutOptions::JSON).await?)
    }

    /// Strikes out an effect that the state holds now. May be repeated; its versions stay in the bucket
    pub async fn recovery_remove(&self, id: &str) -> Result<(), LedgerError> {
        Ok(self.objects.remove(&self.keys.recoveries().key(id)?).await?)
    }

    /// Every effect that is written down and not struck out, by id
    pub async fn recoveries(&self) -> Result<Vec<(String, Bytes)>, LedgerError> {
        let folder = self.keys.recoveries();
        let (mut pending, mut after) = (Vec::new(), None);
        loop {
            let keys = self.objects.list(folder.prefix(), after.as_deref(), PAGE).await?;
            for key in &keys {
                // Struck out between the list and the read: no longer pending.
                let Some(record) = self.bytes(key).await? else { continue };
                pending.extend(folder.name(key).map(|id| (id.to_owned(), record)));
            }
            if keys.len() < PAGE {
                return Ok(pending);
            }
            after = keys.last().cloned();
        }
    }
}
