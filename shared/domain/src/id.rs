//! Typed ids: `rel_01J…` is a release and can be nothing else
//!
//! The prefix is part of the id everywhere it is written (JSON, keys, logs), so an id pasted into the
//! wrong place is refused and is recognised by eye. The body is a ULID: ids sort by the time they were made.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, fmt};
use ulid::Ulid;

/// Length of an id's body: 128 bits in Crockford's base 32
pub const BODY_LEN: usize = 26;

/// An id that was not of the kind expected
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {kind} id: expected `{prefix}_` and 26 letters or digits")]
pub struct IdError {
    /// Which id was wanted, in words
    pub kind: &'static str,
    /// What such an id starts with
    pub prefix: &'static str,
    /// What was given instead
    pub found: String,
}

/// An id that can be made from its time and its other 80 bits
pub trait Id: Sized + fmt::Display + std::str::FromStr<Err = IdError> {
    /// What every id of this kind starts with
    const PREFIX: &'static str;
    /// The kind in words, for messages
    const KIND: &'static str;

    /// The id whose body is already known to be well formed
    fn from_body(body: Ulid) -> Self;

    /// The id's body: its time and its other 80 bits
    fn body(&self) -> Ulid;

    /// An id made at `millis` since the epoch from 80 bits chosen by the caller
    fn new(millis: i64, bits: u128) -> Self {
        Self::from_body(Ulid::from_parts(u64::try_from(millis).unwrap_or(0), bits))
    }

    /// The id that `seed` names at `millis`: the same for whoever derives it, so that a
    /// create which is repeated after a crash meets itself instead of making a second record
    fn derived(millis: i64, seed: &str) -> Self {
        let digest = Sha256::digest(format!("{}:{seed}", Self::PREFIX).as_bytes());
        let bits = digest.iter().take(10).fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
        Self::new(millis, bits)
    }

    /// When the id was made, in milliseconds since the epoch
    fn millis(&self) -> i64 {
        i64::try_from(self.body().timestamp_ms()).unwrap_or(i64::MAX)
    }
}

/// Declares every id type of the system, in one list
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Ulid);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
            const KIND: &'static str = $kind;
            fn from_body(body: Ulid) -> Self { Self(body) }
            fn body(&self) -> Ulid { self.0 }
        }
        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_body(text, $prefix).map(Self).ok_or_else(|| IdError {
                    kind: $kind, prefix: $prefix, found: clip(text),
                })
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> { text.parse() }
        }
        impl From<$name> for String { fn from(id: $name) -> Self { id.to_string() } }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": concat!("The id of one ", $kind),
                    "pattern": concat!("^", $prefix, "_[0-9A-HJKMNP-TV-Z]{26}$"),
                })
            }
        }
    )+};
}

ids! {
    /// Somebody wants something
    IntentId = "int", "intent";
    /// The concrete graph for one intent
    PlanId = "pln", "plan";
    /// A change that was appended to a plan while it ran
    PatchId = "pch", "plan patch";
    /// One execution of a plan
    OperationId = "op", "operation";
    /// A condition that a node of an operation waits for
    GateId = "gat", "gate";
    /// A node that a person takes by hand
    InterventionId = "itv", "intervention";
    /// A set of component digests that moves through environments together
    ReleaseId = "rel", "release";
    /// One version of one component: a row of the version map
    VersionId = "ver", "version";
    /// A request to bring a release into an environment
    PromotionId = "prm", "promotion";
    /// The deployment view of an operation; shares the operation's body
    DeploymentId = "dep", "deployment";
    /// An immutable, signed statement of what was decided or done
    EvidenceId = "evd", "evidence packet";
    /// A registered agent
    AgentId = "agt", "agent";
    /// One audit event
    AuditId = "aud", "audit event";
    /// One event of an operation's timeline
    EventId = "evt", "timeline event";
    /// One request to the API
    RequestId = "req", "request";
    /// All assignments of an external directory at one time
    SnapshotId = "snp", "assignment snapshot";
    /// One upload under way
    UploadId = "upl", "upload";
}

impl From<OperationId> for DeploymentId {
    fn from(operation: OperationId) -> Self {
        Self(operation.0)
    }
}

impl From<DeploymentId> for OperationId {
    fn from(deployment: DeploymentId) -> Self {
        Self(deployment.0)
    }
}

/// One node run of an operation as an agent knows it: `op_01J….7`
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId {
    /// The operation that the node belongs to
    pub operation: OperationId,
    /// The node's number in it
    pub ordinal: u32,
}

impl std::str::FromStr for TaskId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError { kind: "task", prefix: "op", found: clip(text) };
        let (operation, ordinal) = text.split_once('.').ok_or_else(wrong)?;
        let digits = (1..=6).contains(&ordinal.len()) && ordinal.bytes().all(|b| b.is_ascii_digit());
        match (operation.parse(), ordinal.parse()) {
            (Ok(operation), Ok(ordinal)) if digits && ordinal > 0 => Ok(Self { operation, ordinal }),
            _ => Err(wrong()),
        }
    }
}
impl TryFrom<String> for TaskId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}
impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.to_string()
    }
}
impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.operation, self.ordinal)
    }
}
impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl JsonSchema for TaskId {
    fn schema_name() -> Cow<'static, str> {
        "TaskId".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "One node run of an operation: the operation's id, a dot, the node's number",
            "pattern": "^op_[0-9A-HJKMNP-TV-Z]{26}\\.[0-9]{1,6}$",
        })
    }
}

/// The ULID in `prefix_ULID`; canonical spelling only, so that one record has one name
fn parse_body(text: &str, prefix: &str) -> Option<Ulid> {
    let body = text.strip_prefix(prefix)?.strip_prefix('_')?;
    let ulid = Ulid::from_string(body).ok()?;
    (ulid.to_string() == body).then_some(ulid)
}

/// What a message repeats of a caller's text: never more than a line
fn clip(text: &str) -> String {
    text.chars().take(64).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_back_as_itself_and_as_no_other_kind(millis in 0i64..1 << 47, bits in any::<u128>()) {
            let id = ReleaseId::new(millis, bits);
            prop_assert_eq!(id.to_string().parse::<ReleaseId>().unwrap(), id);
            prop_assert_eq!(id.millis(), millis);
            prop_assert!(id.to_string().parse::<PlanId>().is_err());
        }

        #[test]
        fn ids_sort_by_time(a in 0i64..1 << 47, b in 0i64..1 << 47) {
            prop_assume!(a != b);
            let (first, second) = (OperationId::derived(a, "x").to_string(), OperationId::derived(b, "x").to_string());
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
        }

        #[test]
        fn a_task_id_reads_back_as_itself(bits in any::<u128>(), ordinal in 1u32..=999_999) {
            let id = TaskId { operation: OperationId::new(1, bits), ordinal };
            prop_assert_eq!(id.to_string().parse::<TaskId>().unwrap(), id);
        }
    }

    #[test]
    fn derived_ids_differ_by_kind_and_seed() {
        let body = |text: String| text.split_once('_').unwrap().1.to_owned();
        assert_ne!(body(PlanId::derived(5, "a").to_string()), body(IntentId::derived(5, "a").to_string()));
        assert_ne!(PlanId::derived(5, "a"), PlanId::derived(5, "b"));
        assert_eq!(PlanId::derived(5, "a"), PlanId::derived(5, "a"));
    }

    #[test]
    fn what_is_not_an_id_is_refused_with_what_was_expected() {
        for text in [
            "",
            "rel_",
            "rel_01",
            "pln_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "rel_01arz3ndektsv4rrffq69g5fav",
            "rel_01ARZ3NDEKTSV4RRFFQ69G5F#V",
        ] {
            let error = text.parse::<ReleaseId>().unwrap_err();
            assert_eq!(error.prefix, "rel");
            assert!(error.to_string().contains("expected `rel_`"));
        }
        for text in [
            "op_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "op_01ARZ3NDEKTSV4RRFFQ69G5FAV.0",
            "op_01ARZ3NDEKTSV4RRFFQ69G5FAV.+1",
            "x.1",
        ] {
            assert!(text.parse::<TaskId>().is_err(), "{text}");
        }
    }
}
