//! What definitions promise, seen from outside

mod diagnostics;
mod example;
mod properties;
mod size;

use super::{
    apply::{Applied, apply_group},
    bundle::Bundle,
    document::{Definition, Reading, read},
    plan::{DefinitionPlan, diff},
    state::State,
};
use crate::time::Millis;

/// The bundle of `files`, where `weir.yaml` is given what it needs
fn bundle(files: &[(&str, &str)]) -> Bundle {
    let mut bundle = Bundle::default();
    for (path, text) in files {
        bundle.files.insert((*path).to_owned(), (*text).to_owned());
    }
    bundle
}

/// A definition of one file
fn reading(text: &str) -> Reading {
    read(&bundle(&[("weir.yaml", &format!("version: 1\nworkspace: harbor\n{text}"))]), None).unwrap()
}

fn definition(text: &str) -> Definition {
    let Reading { definition, diagnostics } = reading(text);
    definition.unwrap_or_else(|| panic!("{diagnostics:#?}"))
}

/// The plan of `after` where `before` is what was applied
fn plan(after: &Definition, state: Option<&State>, before: Option<&Definition>) -> DefinitionPlan {
    diff(after, state, &|address, digest| before?.spec_of(address, digest))
}

/// The ledger after every group of `plan`
fn applied(state: Option<State>, plan: &DefinitionPlan, definition: &Definition) -> Option<State> {
    (0..plan.groups.len()).fold(state, |state, group| {
        match apply_group(state.as_ref(), plan, group, definition, Millis(1)).unwrap() {
            Applied::Next(next) => Some(*next),
            Applied::Already => state,
        }
    })
}
