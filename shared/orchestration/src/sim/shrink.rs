//! Shrinking: fewer nodes, then fewer faults, until what is left fails only with all of them

use super::{Case, Fault, Faults, Report, SimError, Violation, chance::Chance, play};
use std::{collections::BTreeMap, mem::discriminant};

/// Seeds that are tried for each smaller size
const SEEDS: u64 = 40;

/// How a case is run
type Play<'a> = &'a dyn Fn(&Case) -> Result<Report, SimError>;

/// Finds the smallest case that breaks the same invariant as `case`; `None` where that breaks none
pub fn shrink(case: &Case) -> Result<Option<(Case, Report)>, SimError> {
    shrink_by(case, &play)
}

/// The same, where cases are run by `play`
pub fn shrink_by(case: &Case, play: Play<'_>) -> Result<Option<(Case, Report)>, SimError> {
    let Some(violation) = play(case)?.violations.into_iter().next() else { return Ok(None) };
    let first = Broken { violation, play };
    let mut least = fewer_nodes(case, &first)?;
    let injected = play(&least)?.injected;
    let listed: BTreeMap<String, Fault> =
        injected.into_iter().map(|(point, fault)| (point.to_string(), fault)).collect();
    let exact = Case { faults: Faults::Listed(listed.clone()), ..least.clone() };
    if first.is_in(&exact)? {
        least = fewer_faults(&exact, listed, &first)?;
    }
    least.trace = true;
    let report = play(&least)?;
    Ok(Some((least, report)))
}

/// What was broken
struct Broken<'a> {
    violation: Violation,
    play: Play<'a>,
}

impl Broken<'_> {
    /// Whether `case` breaks the same
    fn is_in(&self, case: &Case) -> Result<bool, SimError> {
        let same = |found: &Violation| discriminant(found) == discriminant(&self.violation);
        Ok((self.play)(case)?.violations.iter().any(same))
    }
}

fn fewer_nodes(case: &Case, first: &Broken<'_>) -> Result<Case, SimError> {
    for size in 1..case.size {
        for number in 0..SEEDS {
            let seed = if number == 0 { case.seed } else { Chance::new(case.seed).at(number).bits() >> 20 };
            let smaller = Case { size, seed, ..case.clone() };
            if first.is_in(&smaller)? {
                return Ok(smaller);
            }
        }
    }
    Ok(case.clone())
}

/// Takes faults away, many at once and then one at a time, for as long as it still breaks
fn fewer_faults(case: &Case, listed: BTreeMap<String, Fault>, first: &Broken<'_>) -> Result<Case, SimError> {
    let with =
        |faults: &BTreeMap<String, Fault>| Case { faults: Faults::Listed(faults.clone()), ..case.clone() };
    let mut kept = listed;
    let mut many = kept.len().div_ceil(2);
    while many > 0 {
        let names: Vec<String> = kept.keys().cloned().collect();
        for some in names.chunks(many) {
            let fewer: BTreeMap<_, _> =
                kept.iter().filter(|(name, _)| !some.contains(name)).map(|(k, v)| (k.clone(), *v)).collect();
            if fewer.len() < kept.len() && first.is_in(&with(&fewer))? {
                kept = fewer;
            }
        }
        many = if many == 1 { 0 } else { many.div_ceil(2) };
    }
    Ok(with(&kept))
}
