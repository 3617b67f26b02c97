//! What people do in a workload, and when

use super::{Part, Workload};
use crate::sim::{
    chance::Chance,
    people::{Act, Deed},
};
use weir_domain::plan::NodeType;

/// Whatever was asked while nobody answered: at last somebody looks again
const LAST_LOOK_S: u64 = 1_200;

/// How often people do what; each as one run in so many, 0 is never
pub(super) struct Habits {
    /// Stopped at some moment
    cancel: u64,
    /// Held and let go
    pause: u64,
    /// The most patches of the first operation
    patches: u64,
    /// The most people who have the first operation retried
    retries: u64,
    /// Whether each gate is decided by one person who was told its place, at any time
    decide: bool,
    /// How many people see to whatever waits for somebody
    pub tenders: u32,
}

impl Habits {
    pub const fn of(workload: Workload) -> Self {
        const NONE: Habits =
            Habits { cancel: 0, pause: 0, patches: 0, retries: 0, decide: false, tenders: 0 };
        match workload {
            Workload::Chain | Workload::Diamond | Workload::Layers | Workload::Fan | Workload::Failures => {
                NONE
            }
            Workload::Cancel => Self { cancel: 1, ..NONE },
            Workload::Pause => Self { pause: 1, cancel: 4, ..NONE },
            Workload::Gates => Self { decide: true, ..NONE },
            Workload::Patches => Self { patches: 3, pause: 4, cancel: 5, tenders: 1, ..NONE },
            Workload::Waits => Self { cancel: 6, tenders: 2, ..NONE },
            Workload::Hands => Self { cancel: 5, pause: 6, tenders: 2, ..NONE },
            Workload::Callbacks => Self { cancel: 4, tenders: 1, ..NONE },
            Workload::Nested => Self { cancel: 3, pause: 5, tenders: 1, ..NONE },
            Workload::Queue => Self { cancel: 3, ..NONE },
            Workload::Undo => Self { cancel: 6, pause: 6, ..NONE },
            Workload::Retry => Self { cancel: 4, retries: 3, tenders: 1, ..NONE },
            Workload::Everything => Self { cancel: 4, pause: 3, patches: 2, tenders: 2, ..NONE },
        }
    }

    /// What people do to `parts`, as `chance` decides
    pub fn acts(&self, chance: Chance, parts: &[Part]) -> Vec<Act> {
        let mut acts = Vec::new();
        for (of, part) in parts.iter().enumerate() {
            let own = if of == 0 { chance } else { chance.of("part").at(of as u64) };
            let at = |name: &str, most: u64| part.at_s + own.of(name).below(most);
            if happens(own.of("paused"), self.pause) {
                acts.extend(held(own, of, at("pause", 12)));
            }
            if happens(own.of("cancelled"), self.cancel) {
                acts.push(Act { at_s: at("cancel", 20), of, what: Deed::Cancel });
            }
        }
        let Some(first) = parts.first() else { return acts };
        for number in 0..u32::try_from(chance.of("patches").below(self.patches + 1)).unwrap_or(0) {
            // Two at the same time as often as not: they race for the next number.
            let at_s = chance.of("patch").at(u64::from(number) / 2).below(25);
            acts.push(Act { at_s, of: 0, what: Deed::Patch(number) });
        }
        for number in 0..u32::try_from(chance.of("retries").below(self.retries + 1)).unwrap_or(0) {
            // Two at the same time as often as not: one of them makes it.
            let at_s = chance.of("retry").at(u64::from(number) / 2).below(200);
            acts.push(Act { at_s, of: 0, what: Deed::Retry(number) });
        }
        if self.decide {
            let gates = first.graph.numbered().filter(|(_, node)| node.node_type == NodeType::Gate);
            acts.extend(gates.map(|(ordinal, _)| {
                let rejects = chance.of("rejects").at(u64::from(ordinal)).one_in(6);
                let what = if rejects { Deed::Reject(ordinal) } else { Deed::Approve(ordinal) };
                Act { at_s: chance.of("decides").below(40), of: 0, what }
            }));
        }
        acts
    }
}

fn happens(chance: Chance, one_in: u64) -> bool {
    one_in > 0 && chance.one_in(one_in)
}

/// Held from `first` on, and let go: perhaps twice, and at last by somebody who looks again
fn held(chance: Chance, of: usize, first: u64) -> Vec<Act> {
    let held = 1 + chance.of("held").below(60);
    let act = |at_s: u64, what: Deed| Act { at_s, of, what };
    let mut acts = vec![act(first, Deed::Pause), act(first + held, Deed::Resume)];
    if chance.of("again").one_in(3) {
        acts.push(act(first + held + 3, Deed::Pause));
        acts.push(act(first + held + 30, Deed::Resume));
    }
    acts.push(act(LAST_LOOK_S, Deed::Resume));
    acts
}
