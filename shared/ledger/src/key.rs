//! What lies where in the bucket: the only place that builds an object's key
//!
//! Every key begins with the workspace, and holds only what is typed (an id, a digest, a number) or was
//! checked to be one plain segment, so that no name can reach into another folder or workspace.

use jiff::civil::Date;
use weir_domain::{
    canonical::Digest,
    id::{EvidenceId, OperationId},
    scope::Name,
};

/// A text that cannot stand in a key
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot name an object: letters, digits, `.`, `_` and `-`, at most 128, not beginning with `.`"
)]
pub struct KeyError(String);

/// The keys of one workspace
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    workspace: Name,
}

impl Keys {
    pub(crate) const fn new(workspace: Name) -> Self {
        Self { workspace }
    }

    pub(crate) fn plan(&self, graph_hash: &Digest) -> String {
        self.under(&format!("plans/{}.json", graph_hash.hex()))
    }

    pub(crate) fn definition(&self, digest: &Digest) -> String {
        self.under(&format!("definitions/{}", digest.hex()))
    }

    pub(crate) fn artifact(&self, digest: &Digest) -> String {
        self.under(&format!("artifacts/sha256/{}", digest.hex()))
    }

    pub(crate) fn answer(&self, digest: &Digest) -> String {
        self.under(&format!("answers/{}.json", digest.hex()))
    }

    pub(crate) fn evidence(&self, operation: OperationId, evidence: EvidenceId) -> String {
        self.under(&format!("evidence/{operation}/{evidence}.json"))
    }

    pub(crate) fn log(&self, operation: OperationId, ordinal: u32, attempt: u32) -> String {
        self.under(&format!("logs/{operation}/{ordinal}-{attempt}.txt"))
    }

    pub(crate) fn outputs(&self, operation: OperationId, ordinal: u32, attempt: u32) -> String {
        self.under(&format!("outputs/{operation}/{ordinal}-{attempt}.json"))
    }

    pub(crate) fn snapshot(&self, digest: &Digest) -> String {
        self.under(&format!("snapshots/{}.json", digest.hex()))
    }

    pub(crate) fn state(&self) -> String {
        self.under("state/state.json")
    }

    pub(crate) fn revision(&self, revision: u64) -> String {
        self.under(&format!("state/revisions/{revision}.json"))
    }

    pub(crate) fn lock(&self) -> String {
        self.under("state/lock.json")
    }

    pub(crate) fn recoveries(&self) -> Folder {
        Folder(self.under("state/recoveries/"))
    }

    pub(crate) fn approvals(&self) -> Folder {
        Folder(self.under("ledger/approvals/"))
    }

    /// Twelve digits, so that the keys of a day sort as they were sealed
    pub(crate) fn audit(&self, day: Date, seq: u64) -> String {
        self.under(&format!("audit/{day}/{seq:012}.jsonl"))
    }

    fn under(&self, rest: &str) -> String {
        format!("{}/{rest}", self.workspace)
    }
}

/// A folder of JSON documents that are named by the caller
#[derive(Debug, Clone)]
pub(crate) struct Folder(String);

impl Folder {
    /// What its keys begin with
    pub(crate) fn prefix(&self) -> &str {
        &self.0
    }

    /// The key of the document called `name`
    pub(crate) fn key(&self, name: &str) -> Result<String, KeyError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > 128 || name.starts_with('.') || !name.chars().all(plain) {
            return Err(KeyError(name.chars().take(128).filter(|c| !c.is_control()).collect()));
        }
        Ok(format!("{}{name}.json", self.0))
    }

    /// The name of the document at `key`, if it is one of this folder
    pub(crate) fn name<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.0)?.strip_suffix(".json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_domain::id::Id;

    #[test]
    fn everything_lies_where_the_design_says() {
        let keys = Keys::new("harbor".parse().unwrap());
        let digest = Digest::of_bytes(b"x");
        let (operation, evidence) = (OperationId::new(1, 2), EvidenceId::new(1, 3));
        let layout = [
            keys.plan(&digest),
            keys.definition(&digest),
            keys.artifact(&digest),
            keys.answer(&digest),
            keys.evidence(operation, evidence),
            keys.log(operation, 3, 1),
            keys.outputs(operation, 3, 1),
            keys.snapshot(&digest),
            keys.state(),
            keys.revision(7),
            keys.lock(),
            keys.recoveries().key("op_1.2").unwrap(),
            keys.approvals().key("gat_1").unwrap(),
            keys.audit(jiff::civil::date(2026, 3, 1), 42),
        ]
        .join("\n");
        assert_eq!(
            layout,
            "harbor/plans/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.json\n\
             harbor/definitions/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n\
             harbor/artifacts/sha256/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n\
             harbor/answers/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.json\n\
             harbor/evidence/op_00000000010000000000000002/evd_00000000010000000000000003.json\n\
             harbor/logs/op_00000000010000000000000002/3-1.txt\n\
             harbor/outputs/op_00000000010000000000000002/3-1.json\n\
             harbor/snapshots/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.json\n\
             harbor/state/state.json\n\
             harbor/state/revisions/7.json\n\
             harbor/state/lock.json\n\
             harbor/state/recoveries/op_1.2.json\n\
             harbor/ledger/approvals/gat_1.json\n\
             harbor/audit/2026-03-01/000000000042.jsonl"
        );
    }

    #[test]
    fn a_name_stays_in_its_folder() {
        let folder = Keys::new("harbor".parse().unwrap()).recoveries();
        for name in ["", "../state", "a/b", ".hidden", "a\nb", "é", &"a".repeat(129)] {
            assert!(folder.key(name).is_err(), "{name}");
        }
        assert_eq!(folder.name(&folder.key("op_1.2").unwrap()), Some("op_1.2"));
    }
}
