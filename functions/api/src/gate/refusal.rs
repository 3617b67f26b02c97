//! Why a decision does not count, as a problem that says what would

use weir_domain::{
    actor::Actor,
    gate::{Gate, GateRefusal, approval::COMMENT_MAX},
};
use weir_edge::{Kind, Problem};

/// Why what `actor` said at `gate` does not count
pub(crate) fn refusal(refused: GateRefusal, actor: &Actor, gate: &Gate) -> Problem {
    let (id, name, status) = (gate.gate_id, &actor.id, gate.status.as_str());
    let asked = match gate.promotion_id {
        Some(promotion) => format!("promotion `{promotion}`"),
        None => format!("operation `{}`", gate.operation_id),
    };
    let (kind, detail) = match refused {
        GateRefusal::GateClosed => {
            (Kind::GateClosed, format!("gate `{id}` is {status} and waits for no decision any more"))
        }
        GateRefusal::GateExpired => {
            let at = gate.expires_at.map(|at| format!(" at {at}")).unwrap_or_default();
            (Kind::GateExpired, format!("gate `{id}` expired{at}; ask for the change again"))
        }
        GateRefusal::NotDecidable => {
            (Kind::NotAllowedNow, format!("gate `{id}` opens by itself; nobody can decide it"))
        }
        GateRefusal::HashChanged => (
            Kind::PlanChanged,
            format!(
                "the plan around gate `{id}` is not the one that was shown; look at `{}` again",
                gate.closure_hash
            ),
        ),
        GateRefusal::NotAPerson => (
            Kind::NotAnApprover,
            format!("`{name}` is no person and acts for none; {} may decide", gate.who()),
        ),
        GateRefusal::SeparationOfDuties => (
            Kind::SeparationOfDuties,
            format!(
                "`{}` requested {asked} and `{name}` may not decide on it; {} may",
                gate.requested_by.person(),
                gate.who()
            ),
        ),
        GateRefusal::NotEligible => {
            (Kind::NotAnApprover, format!("`{name}` may not decide on gate `{id}`; {} may", gate.who()))
        }
        GateRefusal::AlreadyDecided => (
            Kind::AlreadyDecided,
            format!("`{}` has decided on gate `{id}` already; {} may", actor.person(), gate.who()),
        ),
        GateRefusal::CommentMissing => {
            (Kind::InvalidBody, format!("gate `{id}` is opened by hand: say why in `comment`"))
        }
        GateRefusal::CommentTooLong => {
            (Kind::LimitExceeded, format!("a comment has at most {COMMENT_MAX} characters"))
        }
    };
    Problem::new(kind, detail)
}
