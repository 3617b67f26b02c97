//! Gates that nobody decides: freeze windows; and what an approval is given to

use super::{
    Gate,
    answer::{Earliest, GateAnswer},
    verdict::{ReasonCode, Verdict, VerdictResult},
};
use crate::{
    actor::Actor,
    canonical::{Digest, NotCanonical},
    definition::spec::{FreezeWindow, OnFreeze, Principal},
    plan::{Graph, PlanNode},
    time::{Millis, Time},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Whether something may be changed at a time
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Freeze {
    /// No window holds
    Clear {},
    /// These windows hold, but not for who asks
    Excepted {
        /// The windows
        windows: Vec<String>,
    },
    /// It has to wait
    WaitUntil {
        /// The earliest time at which no window holds
        until: Time,
        /// The windows that hold now
        windows: Vec<String>,
        /// Why the first of them is there
        reason: String,
    },
}

/// Whether `actor` may change something at `now`
///
/// Windows that follow each other without a gap are waited for together.
pub fn freeze(windows: &[FreezeWindow], actor: &Actor, now: Millis) -> Freeze {
    let covers =
        |window: &&FreezeWindow, at: Millis| Millis::from(window.start) <= at && at < window.end.into();
    let ids = |windows: &[&FreezeWindow]| windows.iter().map(|window| window.id.clone()).collect();
    let here: Vec<_> = windows.iter().filter(|window| covers(window, now)).collect();
    let holding: Vec<_> = here.iter().copied().filter(|window| !is_excepted(window, actor)).collect();
    let Some(first) = holding.first() else {
        return if here.is_empty() { Freeze::Clear {} } else { Freeze::Excepted { windows: ids(&here) } };
    };
    let mut until = now;
    let holds =
        |at: Millis| windows.iter().filter(|window| !is_excepted(window, actor)).find(|w| covers(w, at));
    while let Some(window) = holds(until) {
        until = window.end.into();
    }
    Freeze::WaitUntil { until: until.into(), windows: ids(&holding), reason: first.reason.clone() }
}

fn is_excepted(window: &FreezeWindow, actor: &Actor) -> bool {
    window.exceptions.iter().any(|principal| match principal {
        Principal::User(id) => id == actor.person(),
        Principal::Group(group) => actor.groups.contains(group),
    })
}

/// The answer of a freeze gate
pub fn freeze_verdict(freeze: &Freeze, on_freeze: OnFreeze) -> Verdict {
    match (freeze, on_freeze) {
        (Freeze::Clear {}, _) => Verdict::new(VerdictResult::Allow, ReasonCode::NotFrozen),
        (Freeze::Excepted { .. }, _) => Verdict::new(VerdictResult::Allow, ReasonCode::FreezeException),
        (Freeze::WaitUntil { .. }, OnFreeze::Wait) => {
            Verdict::new(VerdictResult::Pending, ReasonCode::Frozen)
        }
        (Freeze::WaitUntil { .. }, OnFreeze::Refuse) => Verdict::new(VerdictResult::Deny, ReasonCode::Frozen),
    }
}

/// What a freeze gate answers, in words too
pub(super) fn answer(
    freeze: &Freeze,
    on_freeze: OnFreeze,
    windows: &[FreezeWindow],
    now: Millis,
) -> GateAnswer {
    let (what, earliest) = match (freeze, on_freeze) {
        (Freeze::Clear {}, _) => ("no freeze window".to_owned(), Earliest::Now {}),
        (Freeze::Excepted { windows }, _) => {
            (format!("an exception of freeze window {}", windows.join(", ")), Earliest::Now {})
        }
        (Freeze::WaitUntil { until, windows, reason }, OnFreeze::Wait) => {
            let what = format!("freeze window {} to end: {reason}", windows.join(", "));
            (what, Earliest::At { at: *until })
        }
        (Freeze::WaitUntil { windows, reason, .. }, OnFreeze::Refuse) => {
            (format!("freeze window {} holds: {reason}", windows.join(", ")), Earliest::Never {})
        }
    };
    GateAnswer {
        verdict: freeze_verdict(freeze, on_freeze),
        inputs: json!(freeze),
        what,
        who: exceptions(windows, now),
        earliest,
    }
}

/// Whom the windows that hold do not hold for, in words
fn exceptions(windows: &[FreezeWindow], now: Millis) -> String {
    let holds = |window: &&FreezeWindow| Millis::from(window.start) <= now && now < window.end.into();
    let named: Vec<_> =
        windows.iter().filter(holds).flat_map(|window| &window.exceptions).map(ToString::to_string).collect();
    if named.is_empty() {
        "nobody: it ends by itself".to_owned()
    } else {
        format!("nobody: it ends by itself; what {} asks for does not wait", named.join(" or "))
    }
}

/// What an approval at `gate` is given to: the gate and everything before and after it in the graph
///
/// A patch voids exactly the approvals whose closure it changes. Nodes are taken by name, since their numbers may
/// change without any change of meaning.
pub fn closure_hash(graph: &Graph, gate: u32) -> Result<Digest, NotCanonical> {
    let mut ordinals = graph.upstream(gate);
    ordinals.extend(graph.downstream(gate));
    ordinals.insert(gate);
    let mut nodes: Vec<&PlanNode> = ordinals.into_iter().filter_map(|ordinal| graph.node(ordinal)).collect();
    nodes.sort_by_key(|node| &node.node_id);
    Digest::of(&nodes)
}

/// `gate` asking about another part of the plan: what was said about the former one does not count any more
pub fn rebound(gate: Gate, closure_hash: Digest) -> Gate {
    Gate { closure_hash, ..gate }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actor::{ActorKind, Via},
        plan::{Executor, NodeType},
    };

    fn window(id: &str, start: i64, end: i64, exceptions: &[&str]) -> FreezeWindow {
        FreezeWindow {
            id: id.to_owned(),
            start: Millis(start).timestamp(),
            end: Millis(end).timestamp(),
            reason: format!("because of {id}"),
            exceptions: exceptions.iter().map(|text| text.parse().unwrap()).collect(),
            created_by: None,
        }
    }

    fn actor(id: &str, behalf: Option<&str>, groups: &[&str]) -> Actor {
        Actor {
            id: id.to_owned(),
            kind: ActorKind::User,
            on_behalf_of: behalf.map(str::to_owned),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            roles: Vec::new(),
            via: Via::Oidc,
        }
    }

    #[test]
    fn a_window_holds_from_its_start_up_to_its_end() {
        let windows = [window("a", 100, 200, &[]), window("b", 200, 300, &[]), window("c", 301, 400, &[])];
        let ann = actor("ann", None, &[]);
        for (now, until) in [(99, None), (100, Some(300)), (299, Some(300)), (300, None), (301, Some(400))] {
            let found = match freeze(&windows, &ann, Millis(now)) {
                Freeze::WaitUntil { until, .. } => Some(until.millis().0),
                Freeze::Clear {} | Freeze::Excepted { .. } => None,
            };
            assert_eq!(found, until, "at {now}");
        }
    }

    #[test]
    fn an_exception_is_a_person_or_a_group_and_holds_for_one_window() {
        let windows = [window("a", 0, 9, &["user:ann", "group:oncall"]), window("b", 0, 5, &["user:ann"])];
        let both = Freeze::Excepted { windows: vec!["a".into(), "b".into()] };
        assert_eq!(freeze(&windows, &actor("ann", None, &[]), Millis(1)), both);
        assert_eq!(freeze(&windows, &actor("bot", Some("ann"), &[]), Millis(1)), both);
        let oncall = freeze(&windows, &actor("bob", None, &["oncall"]), Millis(1));
        assert!(
            matches!(&oncall, Freeze::WaitUntil { until, .. } if until.millis() == Millis(5)),
            "{oncall:?}"
        );
        assert_eq!(freeze_verdict(&oncall, OnFreeze::Wait).result, VerdictResult::Pending);
        assert_eq!(freeze_verdict(&oncall, OnFreeze::Refuse).result, VerdictResult::Deny);
        assert_eq!(freeze_verdict(&both, OnFreeze::Refuse).result, VerdictResult::Allow);
    }

    #[test]
    fn a_closure_is_what_is_before_and_after_and_nothing_beside() {
        let node = |name: &str, title: &str, needs: &[&str]| {
            let mut node = PlanNode::new(name.parse().unwrap(), NodeType::Evidence, title, Executor::Decide);
            node.depends_on = needs.iter().map(|need| need.parse().unwrap()).collect();
            node
        };
        let hash = |before: &str, beside: &str| {
            let nodes = vec![
                node("before", before, &[]),
                node("beside", beside, &["before"]),
                node("gate", "gate", &["before"]),
                node("after", "after", &["gate"]),
            ];
            let graph = Graph::new(nodes).unwrap();
            closure_hash(&graph, graph.ordinal_of(&"gate".parse().unwrap()).unwrap()).unwrap()
        };
        assert_eq!(hash("x", "y"), hash("x", "z"));
        assert_ne!(hash("x", "y"), hash("z", "y"));
    }
}
