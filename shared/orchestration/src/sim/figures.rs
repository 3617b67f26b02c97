//! What many runs came to: whatever the simulator can do wrong and people can do is to have come up

use super::{Deed, Fault, Report};
use std::collections::{BTreeMap, BTreeSet};
use strum::{VariantArray as _, VariantNames as _};
use weir_domain::intervention::InterventionAction;

/// A kind of call: the function that makes it, and which
pub type Kind = (&'static str, &'static str);

/// Sums over runs
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many there were
    pub runs: u64,
    /// How often what went wrong
    pub faults: BTreeMap<Fault, u64>,
    /// Calls before or, where true, after which a function died
    pub deaths: BTreeSet<(Kind, bool)>,
    /// External writes
    pub writes: BTreeSet<Kind>,
    /// The most passes of reconcile of a run that found something to do
    pub rounds_max: u64,
    /// How operations ended
    pub ends: BTreeMap<&'static str, u64>,
    /// What people did and what came of it
    pub deeds: BTreeMap<&'static str, u64>,
}

impl Figures {
    /// Adds a run
    pub fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.rounds_max = self.rounds_max.max(report.rounds);
        for (point, fault) in &report.injected {
            *self.faults.entry(*fault).or_default() += 1;
            if matches!(fault, Fault::DieBefore | Fault::DieAfter) {
                self.deaths.insert(((point.function, point.op), *fault == Fault::DieAfter));
            }
        }
        self.writes.extend(report.writes.iter().map(|point| (point.function, point.op)));
        for (deed, times) in &report.deeds {
            *self.deeds.entry(deed).or_default() += times;
        }
        *self.ends.entry(report.status.map_or("none", |it| it.as_str())).or_default() += 1;
    }

    /// Kinds of faults that never happened
    pub fn faults_missing(&self) -> Vec<Fault> {
        Fault::VARIANTS.iter().filter(|fault| !self.faults.contains_key(fault)).copied().collect()
    }

    /// What people can do and nobody did
    pub fn deeds_missing(&self) -> Vec<&'static str> {
        let by_hand = InterventionAction::VARIANTS.iter().map(|action| action.as_str());
        let all = Deed::VARIANTS.iter().copied().chain(by_hand);
        all.filter(|deed| self.deeds.get(deed).is_none_or(|times| *times == 0)).collect()
    }

    /// Functions that died at none of their writes, and writes at which no function died
    pub fn spared(&self) -> Vec<&'static str> {
        let writes = || self.writes.iter().filter(|(function, _)| *function != "world");
        let died = |kind: &Kind| [false, true].into_iter().any(|after| self.deaths.contains(&(*kind, after)));
        let (functions, ops): (BTreeSet<_>, BTreeSet<_>) = writes().copied().unzip();
        let lived = functions.into_iter().filter(|it| !writes().any(|kind| kind.0 == *it && died(kind)));
        lived.chain(ops.into_iter().filter(|it| !writes().any(|kind| kind.1 == *it && died(kind)))).collect()
    }
}
