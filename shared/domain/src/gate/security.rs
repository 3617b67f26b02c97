//! Gates that ask what was found out about the bytes that are brought

use super::{
    answer::{Earliest, GateAnswer},
    verdict::{ReasonCode, Verdict, VerdictResult},
};
use crate::{
    canonical::Digest,
    definition::{
        address::Address,
        spec::{AttestationKind, SecurityGate},
    },
    delivery::{Attestation, AttestationStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// One component that is brought, and what was found out about it
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Brought {
    /// Which component
    pub component: Address,
    /// The bytes
    pub digest: Digest,
    /// What was found out, the latest last
    pub attestations: Vec<Attestation>,
}

/// How it stands with one attestation: of several of one kind the latest counts
fn found(brought: &Brought, kind: AttestationKind) -> Option<AttestationStatus> {
    brought.attestations.iter().rev().find(|it| it.kind == kind).map(|it| it.status)
}

/// What the attestations answer
pub(super) fn answer(gate: &SecurityGate, brought: &[Brought]) -> GateAnswer {
    let asked = || brought.iter().flat_map(|it| gate.require.iter().map(move |kind| (it, *kind)));
    let named = |status: Option<AttestationStatus>| -> Vec<String> {
        let is = |(it, kind): &(&Brought, AttestationKind)| found(it, *kind) == status;
        asked().filter(is).map(|(it, kind)| format!("{} of {}", kind.as_str(), it.component)).collect()
    };
    let (failed, missing) = (named(Some(AttestationStatus::Failed)), named(None));
    let words = |verb: &str, them: &[String]| format!("{verb}: {}", them.join(", "));
    let (result, reason, what) = if brought.is_empty() {
        let nothing = "nothing is brought that could be attested".to_owned();
        (VerdictResult::Deny, ReasonCode::NothingToAttest, nothing)
    } else if !failed.is_empty() {
        (VerdictResult::Deny, ReasonCode::AttestationFailed, words("failed", &failed))
    } else if missing.is_empty() {
        let kinds: Vec<&str> = gate.require.iter().map(|kind| kind.as_str()).collect();
        (VerdictResult::Allow, ReasonCode::Attested, kinds.join(", "))
    } else {
        let waits = if gate.expires_after_s.is_some() { VerdictResult::Pending } else { VerdictResult::Deny };
        (waits, ReasonCode::AttestationMissing, words("missing", &missing))
    };
    let earliest = match result {
        VerdictResult::Allow => Earliest::Now {},
        VerdictResult::Pending => Earliest::Unknown {},
        VerdictResult::Deny => Earliest::Never {},
    };
    GateAnswer {
        verdict: Verdict::new(result, reason),
        inputs: json!({ "require": gate.require, "brought": brought }),
        what,
        who: "whoever attests the versions: register them again with `attestations`".to_owned(),
        earliest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn brought(found: &[(AttestationKind, AttestationStatus)]) -> Brought {
        let attestation = |(kind, status): &(AttestationKind, AttestationStatus)| Attestation {
            kind: *kind,
            digest: Digest::of_bytes(b"statement"),
            status: *status,
            by: "ci".to_owned(),
            at: Time::default(),
        };
        Brought {
            component: "component.web".parse().unwrap(),
            digest: Digest::of_bytes(b"web"),
            attestations: found.iter().map(attestation).collect(),
        }
    }

    #[test]
    fn every_component_has_to_have_every_attestation_and_the_latest_counts() {
        use AttestationKind::{Scan, Signature};
        use AttestationStatus::{Failed, Passed};
        let whole = [(Signature, Passed), (Scan, Passed)];
        for (waits, them, expected) in [
            (false, vec![], "deny nothing_to_attest"),
            (false, vec![brought(&whole)], "allow attested"),
            (false, vec![brought(&whole), brought(&whole[..1])], "deny attestation_missing"),
            (true, vec![brought(&whole), brought(&whole[..1])], "pending attestation_missing"),
            (true, vec![brought(&[(Scan, Failed), (Signature, Passed)])], "deny attestation_failed"),
            (true, vec![brought(&[(Scan, Failed), (Signature, Passed), (Scan, Passed)])], "allow attested"),
            (
                true,
                vec![brought(&[(Scan, Passed), (Signature, Passed), (Scan, Failed)])],
                "deny attestation_failed",
            ),
            (true, vec![brought(&[(Scan, Failed)])], "deny attestation_failed"),
        ] {
            let gate = SecurityGate { require: vec![Signature, Scan], expires_after_s: waits.then_some(60) };
            let verdict = answer(&gate, &them).verdict;
            let told = format!("{} {}", verdict.result.as_str(), verdict.reason_codes[0].as_str());
            assert_eq!(told, expected, "{them:?}");
        }
    }
}
