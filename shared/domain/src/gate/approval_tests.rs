use super::*;
use crate::{
    actor::Via,
    canonical::Digest,
    definition::spec::ApprovalRule,
    gate::ApprovalGate,
    id::{GateId, Id as _, OperationId},
};
use proptest::prelude::*;

fn actor(id: &str, kind: ActorKind, behalf: Option<&str>, groups: &[&str]) -> Actor {
    Actor {
        id: id.to_owned(),
        kind,
        on_behalf_of: behalf.map(str::to_owned),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        roles: Vec::new(),
        via: Via::DevToken,
    }
}

fn person(id: &str) -> Actor {
    actor(id, ActorKind::User, None, &["release-managers"])
}

fn bot_of(id: &str) -> Actor {
    actor("bot", ActorKind::AiAgent, Some(id), &["release-managers"])
}

fn gate(required: u32, sod: bool, groups: Option<&[&str]>, requested_by: Actor) -> Gate {
    let rule = ApprovalRule {
        required_approvals: required,
        eligible_groups: groups.map(|groups| groups.iter().map(|group| (*group).to_owned()).collect()),
        require_sod: sod,
        expires_after_s: None,
    };
    Gate {
        gate_id: GateId::new(1, 1),
        operation_id: OperationId::new(1, 1),
        ordinal: 1,
        node_id: "gate.approval".parse().unwrap(),
        spec: GateSpec::Approval(ApprovalGate { rule, policies: Vec::new(), reasons: Vec::new() }),
        status: GateStatus::Open,
        subject: "shop 1.0.0 → production".to_owned(),
        environment: None,
        promotion_id: None,
        requested_by,
        closure_hash: Digest::of_bytes(b"closure"),
        decisions: Vec::new(),
        created_at: Millis(0).into(),
        expires_at: None,
        decided_at: None,
        result: None,
    }
}

fn says(gate: &Gate, actor: &Actor, action: DecisionAction, now: i64) -> Result<Gate, GateRefusal> {
    let request = DecisionRequest { actor, action, comment: None, closure_hash: None, now: Millis(now) };
    decide(gate, &request).map(|events| events.iter().fold(gate.clone(), apply))
}

fn refusal(gate: &Gate, actor: &Actor) -> &'static str {
    says(gate, actor, DecisionAction::Approved, 1).unwrap_err().code()
}

#[test]
fn transitions_are_these() {
    crate::golden::matrix("gate-transitions.txt", GateStatus::after);
}

#[test]
fn who_may_not_decide_is_told_why() {
    let open = gate(1, true, Some(&["release-managers"]), person("ann"));
    assert_eq!(refusal(&open, &person("ann")), "separation_of_duties");
    assert_eq!(refusal(&open, &bot_of("ann")), "separation_of_duties");
    assert_eq!(refusal(&open, &actor("eve", ActorKind::User, None, &["others"])), "not_eligible");
    assert_eq!(refusal(&open, &actor("ci", ActorKind::Service, None, &["release-managers"])), "not_a_person");
    assert_eq!(
        refusal(&open, &actor("bot", ActorKind::AiAgent, None, &["release-managers"])),
        "not_a_person"
    );
    assert_eq!(refusal(&open, &Actor::system("reconcile")), "not_a_person");
    let by_bot = gate(1, true, None, bot_of("ann"));
    assert_eq!(refusal(&by_bot, &person("ann")), "separation_of_duties");
    assert_eq!(refusal(&by_bot, &bot_of("bob")), "separation_of_duties", "the same agent, in another's name");
    let closed = Gate { status: GateStatus::Void, ..open.clone() };
    assert_eq!(refusal(&closed, &person("bob")), "gate_closed");
    let expired = Gate { expires_at: Some(Millis(1).into()), ..open.clone() };
    assert_eq!(refusal(&expired, &person("bob")), "gate_expired");
    let nobody = gate(1, false, Some(&[]), person("ann"));
    assert_eq!(refusal(&nobody, &person("bob")), "not_eligible");
    assert_eq!(nobody.verdict(Millis(1)).reason_codes, [ReasonCode::NobodyEligible]);
    let environment = "environment.production".parse().unwrap();
    let freeze = GateSpec::FreezeWindow(super::super::FreezeGate {
        environment,
        windows: Vec::new(),
        on_freeze: crate::definition::spec::OnFreeze::Wait,
    });
    assert_eq!(refusal(&Gate { spec: freeze, ..open }, &person("bob")), "not_decidable");
}

#[test]
fn a_decision_is_on_what_was_shown() {
    let open = gate(2, false, None, person("ann"));
    let shown = Digest::of_bytes(b"another plan");
    let bob = person("bob");
    let request = DecisionRequest {
        actor: &bob,
        action: DecisionAction::Approved,
        comment: None,
        closure_hash: Some(&shown),
        now: Millis(1),
    };
    assert_eq!(decide(&open, &request).unwrap_err(), GateRefusal::HashChanged);
    let mut approved = says(&open, &bob, DecisionAction::Approved, 1).unwrap();
    assert_eq!(tally(&approved, Millis(1)), Some((1, 2)));
    approved.closure_hash = shown;
    assert_eq!(tally(&approved, Millis(1)), Some((0, 2)), "a patch voids what was said before");
}

#[test]
fn one_rejection_denies_and_a_closed_gate_stays_closed() {
    let open = gate(2, false, None, person("ann"));
    let one = says(&open, &person("bob"), DecisionAction::Approved, 1).unwrap();
    let denied = says(&one, &person("cleo"), DecisionAction::Rejected, 2).unwrap();
    assert_eq!(denied.status, GateStatus::Denied);
    assert_eq!(denied.verdict(Millis(2)), Verdict::new(VerdictResult::Deny, ReasonCode::Rejected));
    assert_eq!(refusal(&denied, &person("dan")), "gate_closed");
}

#[test]
fn an_approval_that_was_not_used_in_time_counts_no_more() {
    let mut open = gate(2, false, None, person("ann"));
    if let GateSpec::Approval(approval) = &mut open.spec {
        approval.rule.expires_after_s = Some(1);
    }
    let one = says(&open, &person("bob"), DecisionAction::Approved, 0).unwrap();
    assert_eq!(says(&one, &person("bob"), DecisionAction::Approved, 999), Err(GateRefusal::AlreadyDecided));
    let late = says(&one, &person("cleo"), DecisionAction::Approved, 1_000).unwrap();
    assert_eq!(late.status, GateStatus::Open);
    let again = says(&late, &person("bob"), DecisionAction::Approved, 1_001).unwrap();
    assert_eq!(again.status, GateStatus::Allowed);
}

fn manual(groups: &[&str], people: &[&str]) -> Gate {
    let spec = serde_json::json!({ "kind": "manual", "groups": groups, "people": people });
    Gate {
        spec: serde_json::from_value(spec).unwrap(),
        expires_at: Some(Millis(1_000).into()),
        ..gate(1, false, None, person("ann"))
    }
}

#[test]
fn a_manual_gate_is_opened_by_one_who_is_named_and_says_why() {
    let open = manual(&["release-managers"], &["eve"]);
    let eve = actor("eve", ActorKind::User, None, &["others"]);
    for (by, comment, expected) in [
        (&eve, Some("checked"), Ok(GateStatus::Allowed)),
        (&person("bob"), Some("checked"), Ok(GateStatus::Allowed)),
        (&person("ann"), Some("mine"), Ok(GateStatus::Allowed)),
        (&bot_of("eve"), Some("checked"), Ok(GateStatus::Allowed)),
        (&actor("dan", ActorKind::User, None, &["others"]), Some("x"), Err(GateRefusal::NotEligible)),
        (&eve, None, Err(GateRefusal::CommentMissing)),
        (&eve, Some("  "), Err(GateRefusal::CommentMissing)),
    ] {
        let action = DecisionAction::Approved;
        let request = DecisionRequest { actor: by, action, comment, closure_hash: None, now: Millis(1) };
        let after = decide(&open, &request).map(|events| events.iter().fold(open.clone(), apply));
        assert_eq!(
            after.as_ref().map(|gate| gate.status).map_err(|it| *it),
            expected,
            "{} {comment:?}",
            by.id
        );
        if let Ok(Gate { result: Some(result), .. }) = after {
            assert_eq!((&result.by, &result.closure_hash), (by, &open.closure_hash));
            assert_eq!(result.inputs["decisions"][0]["comment"], comment.unwrap());
        }
    }
}

#[test]
fn a_gate_whose_time_is_over_is_denied_by_weir_with_the_reason() {
    let open = manual(&[], &["eve"]);
    let facts = GateFacts::of(open.requested_by.clone(), Some(open.clone()));
    assert_eq!(judge(&open, &facts, Millis(999)), None);
    let late = judge(&open, &facts, Millis(1_000)).unwrap();
    let expired = apply(open, &late);
    assert_eq!(expired.status, GateStatus::Expired);
    assert_eq!(expired.verdict(Millis(2_000)), Verdict::new(VerdictResult::Deny, ReasonCode::Expired));
    assert_eq!(expired.result.unwrap().by.id, "system:gates");
}

proptest! {
    /// Whoever says what in whatever order: the requester never counts, nobody counts twice, a rejection ends it.
    #[test]
    fn a_gate_opens_for_enough_different_people_only(
        required in 1u32..4, acts in prop::collection::vec((0usize..4, any::<bool>(), 0u32..8), 0..24),
    ) {
        let people = ["ann", "bob", "cleo", "dan"];
        let mut now = gate(required, true, None, person("ann"));
        let mut approved = BTreeSet::new();
        for (who, through_bot, what) in acts {
            let by = if through_bot { bot_of(people[who]) } else { person(people[who]) };
            let action = if what == 0 { DecisionAction::Rejected } else { DecisionAction::Approved };
            let was_open = now.status == GateStatus::Open;
            match says(&now, &by, action, 1) {
                Ok(after) => {
                    prop_assert!(was_open && who != 0, "the requester decided");
                    if action == DecisionAction::Approved {
                        prop_assert!(approved.insert(who), "somebody counted twice");
                    }
                    let expected = match action {
                        DecisionAction::Rejected => GateStatus::Denied,
                        DecisionAction::Approved if approved.len() >= required as usize => GateStatus::Allowed,
                        DecisionAction::Approved => GateStatus::Open,
                    };
                    prop_assert_eq!(after.status, expected);
                    now = after;
                }
                Err(refusal) => prop_assert!(
                    !was_open || who == 0 || approved.contains(&who), "{refusal:?} without a reason"
                ),
            }
        }
        prop_assert!(now.status != GateStatus::Allowed || approved.len() >= required as usize);
    }
}
