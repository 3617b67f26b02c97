//! Gates of every kind, by chance

use super::{StoryError, operation_id};
use crate::sim::{chance::Chance, world::EPOCH};
use weir_domain::{
    actor::ActorKind,
    definition::{
        address::Address,
        spec::{
            ApprovalRule, AttestationKind, Condition, FreezeWindow, ManualGate, OnFreeze, PolicyGate, Rule,
            Schedule, SecurityGate,
        },
    },
    gate::{ApprovalGate, Dependency, DependencyGate, FreezeGate, GateSpec, ScheduleGate},
    time::Millis,
};

/// The group of everybody who decides
pub(in crate::sim) const GROUP: &str = "sim";

/// An approval of `people`, asked for `life` seconds at most
pub(super) fn approval(people: u32, life: Option<u32>) -> GateSpec {
    let rule = ApprovalRule {
        required_approvals: people,
        eligible_groups: None,
        require_sod: false,
        expires_after_s: life,
    };
    GateSpec::Approval(ApprovalGate { rule, policies: Vec::new(), reasons: Vec::new() })
}

/// A gate of some kind; most open at last
pub(super) fn any(chance: Chance) -> Result<GateSpec, StoryError> {
    let seconds =
        |name: &str, most: u64| Millis::from_secs(i64::try_from(chance.of(name).below(most)).unwrap_or(0));
    let rarely = chance.of("rarely").one_in(5);
    Ok(match chance.of("kind").below(8) {
        0 => approval(if rarely { 1 } else { 2 }, Some(900)),
        1 => GateSpec::Manual(ManualGate {
            instructions: None,
            groups: vec![GROUP.to_owned()],
            people: Vec::new(),
            require_sod: true,
            expires_after_s: Some(if rarely { 60 } else { 900 }),
        }),
        2 | 3 => GateSpec::Schedule(ScheduleGate {
            schedule: Schedule {
                not_before: Some((EPOCH + seconds("opens", 200)).timestamp()),
                // One that opens after it is over is denied.
                expires_after_s: rarely.then_some(60),
                ..Schedule::default()
            },
            environment: None,
        }),
        4 => {
            let window = FreezeWindow {
                id: "freeze".to_owned(),
                start: (EPOCH - Millis::from_secs(60)).timestamp(),
                end: (EPOCH + seconds("thaws", 200)).timestamp(),
                reason: "simulated".to_owned(),
                exceptions: Vec::new(),
                created_by: None,
            };
            let on_freeze = if rarely { OnFreeze::Refuse } else { OnFreeze::Wait };
            let environment = "environment.sim".parse::<Address>();
            let environment = environment.map_err(|error| StoryError::Words(error.to_string()))?;
            GateSpec::FreezeWindow(FreezeGate { environment, windows: vec![window], on_freeze })
        }
        5 | 6 => GateSpec::Dependency(DependencyGate {
            on: Dependency::Operation(operation_id(if rarely { 9 } else { 1 })),
            expires_after_s: Some(900),
        }),
        // The simulated operations are asked for by Weir itself, not by people.
        _ if rarely => GateSpec::Security(SecurityGate {
            require: vec![AttestationKind::Signature],
            expires_after_s: Some(60),
        }),
        _ => {
            let kind = if chance.of("denies").one_in(4) { ActorKind::System } else { ActorKind::User };
            let when = Condition { actor_kinds: vec![kind], ..Condition::default() };
            GateSpec::Policy(PolicyGate {
                rules: vec![Rule { deny: "simulated".to_owned(), when, unless: None }],
            })
        }
    })
}
