//! Evidence, approvals and logs: what is written once and read by people

use super::{Ledger, LedgerError};
use crate::objects::{Presigned, Put, PutOptions};
use bytes::Bytes;
use std::time::Duration;
use weir_domain::{
    canonical::Digest,
    id::{EvidenceId, OperationId},
    time::Millis,
};

/// How much of a log is kept (64 KiB): its end, where the reason stands
pub const LOG_MAX: usize = 64 << 10;

impl Ledger {
    /// Keeps an evidence packet until `retain_until`; one of this id that says something else stays
    pub async fn evidence_put(
        &self,
        operation: OperationId,
        evidence: EvidenceId,
        packet: impl Into<Bytes> + Send,
        retain_until: Millis,
    ) -> Result<Put, LedgerError> {
        let key = self.keys.evidence(operation, evidence);
        Ok(self.objects.put_new(&key, packet.into(), PutOptions::json_until(retain_until)).await?)
    }

    /// An evidence packet, as it was signed
    pub async fn evidence_get(
        &self,
        operation: OperationId,
        evidence: EvidenceId,
    ) -> Result<Option<Bytes>, LedgerError> {
        self.bytes(&self.keys.evidence(operation, evidence)).await
    }

    /// Keeps who approved what, for good: the one part of the ledger that nothing can rebuild
    pub async fn approval_put(
        &self,
        id: &str,
        approval: impl Into<Bytes> + Send,
    ) -> Result<Put, LedgerError> {
        let key = self.keys.approvals().key(id)?;
        Ok(self.objects.put_new(&key, approval.into(), PutOptions::JSON).await?)
    }

    /// One approval
    pub async fn approval_get(&self, id: &str) -> Result<Option<Bytes>, LedgerError> {
        self.bytes(&self.keys.approvals().key(id)?).await
    }

    /// Keeps the end of what one attempt of a node printed; the last writer wins
    pub async fn log_put(
        &self,
        operation: OperationId,
        ordinal: u32,
        attempt: u32,
        text: &str,
    ) -> Result<(), LedgerError> {
        let options = PutOptions { content_type: "text/plain; charset=utf-8", retain_until: None };
        let bytes = Bytes::copy_from_slice(tail(text, LOG_MAX).as_bytes());
        self.objects.put(&self.keys.log(operation, ordinal, attempt), bytes, options).await?;
        Ok(())
    }

    /// The end of what one attempt of a node printed
    pub async fn log_get(
        &self,
        operation: OperationId,
        ordinal: u32,
        attempt: u32,
    ) -> Result<Option<String>, LedgerError> {
        let bytes = self.bytes(&self.keys.log(operation, ordinal, attempt)).await?;
        Ok(bytes.map(|bytes| tail(&String::from_utf8_lossy(&bytes), LOG_MAX).to_owned()))
    }

    /// Keeps what one attempt of a node gave, as JSON; the last writer wins, and writes the same
    pub async fn outputs_put(
        &self,
        operation: OperationId,
        ordinal: u32,
        attempt: u32,
        json: impl Into<Bytes> + Send,
    ) -> Result<(), LedgerError> {
        let key = self.keys.outputs(operation, ordinal, attempt);
        self.objects.put(&key, json.into(), PutOptions::JSON).await?;
        Ok(())
    }

    /// What one attempt of a node gave
    pub async fn outputs_get(
        &self,
        operation: OperationId,
        ordinal: u32,
        attempt: u32,
    ) -> Result<Option<Bytes>, LedgerError> {
        self.bytes(&self.keys.outputs(operation, ordinal, attempt)).await
    }

    /// Keeps an answer that is too long to be sent as one, and says where its reader finds it until `expires`
    ///
    /// The bucket forgets it after a day. What was there already is written again, so that its day begins anew.
    pub async fn answer_put(&self, answer: Bytes, expires: Duration) -> Result<Presigned, LedgerError> {
        let key = self.keys.answer(&Digest::of_bytes(&answer));
        self.objects.put(&key, answer, PutOptions::JSON).await?;
        Ok(self.objects.presign_get(&key, expires, None).await?)
    }

    pub(crate) async fn bytes(&self, key: &str) -> Result<Option<Bytes>, LedgerError> {
        Ok(self.objects.get(key).await?.map(|object| object.bytes))
    }
}

/// The end of `text`, of at most `max` bytes; whole lines, unless the last one alone is longer
fn tail(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let from = text.len() - max;
    let start = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let end = text.get(start..).unwrap_or_default();
    match end.split_once('\n') {
        Some((_, lines)) if !lines.is_empty() => lines,
        Some(_) | None => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_last_whole_lines() {
        for (text, max, kept) in [
            ("one\ntwo\n", 8, "one\ntwo\n"),
            ("one\ntwo\n", 7, "two\n"),
            ("one\ntwo\n", 3, "wo\n"),
            ("ééé", 3, "é"),
            ("", 3, ""),
        ] {
            assert_eq!(tail(text, max), kept, "{text:?} {max}");
        }
    }
}
