//! What holds for every definition

use super::*;
use crate::definition::{address::Address, groups::MAX_GROUP, plan::Operation, spec::Reversibility};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Graphs and queries of them, as sets of numbers: enough to create, update, delete and refer
#[derive(Debug, Clone)]
struct Model {
    graphs: BTreeMap<u8, bool>,
    queries: BTreeMap<u8, (u8, u8)>,
}

fn any_model() -> impl Strategy<Value = Model> {
    let graphs = prop::collection::btree_map(0u8..12, any::<bool>(), 1..12);
    let queries = prop::collection::btree_map(any::<u8>(), (any::<u8>(), 0u8..3), 0..160);
    (graphs, queries).prop_map(|(graphs, queries)| Model { graphs, queries })
}

fn defined(model: &Model) -> Definition {
    let mut text = String::from("graph:\n");
    for (graph, named) in &model.graphs {
        text.push_str(&format!("  g{graph}: {{{}}}\n", if *named { "display_name: G" } else { "" }));
    }
    text.push_str("query:\n");
    for (query, (graph, body)) in &model.queries {
        let graph = model.graphs.keys().nth(usize::from(*graph) % model.graphs.len()).unwrap();
        text.push_str(&format!("  q{query}: {{graph: g{graph}, text: t{body}}}\n"));
    }
    definition(&text)
}

/// Whether every reference in the ledger leads somewhere
fn is_whole(state: &State) -> bool {
    state
        .resources()
        .values()
        .flat_map(|it| &it.dependencies)
        .all(|needed| state.resources().contains_key(needed))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn applying_a_plan_makes_the_definition_true(first in any_model(), second in any_model()) {
        let (first, second) = (defined(&first), defined(&second));
        let mut state = applied(None, &plan(&first, None, None), &first);
        let change = plan(&second, state.as_ref(), Some(&first));
        if !change.is_applicable() {
            // More than a group's worth of updates refer to each other.
            let updates = change.changes.iter().filter(|change| change.operation == Operation::Update).count();
            prop_assert!(updates > MAX_GROUP);
            return Ok(());
        }
        prop_assert_eq!(change.groups.concat().len(), change.changes.len());
        for group in 0..change.groups.len() {
            let before = state.clone();
            let Applied::Next(next) = apply_group(before.as_ref(), &change, group, &second, Millis(1)).unwrap() else { panic!("applied before") };
            prop_assert!(is_whole(&next), "a reference dangles after group {}", group);
            prop_assert_eq!(apply_group(Some(&next), &change, group, &second, Millis(2)).unwrap(), Applied::Already);
            prop_assert_eq!(State::from_slice(&next.to_vec().unwrap()).unwrap(), (*next).clone());
            state = Some(*next);
        }
        let again = plan(&second, state.as_ref(), Some(&second));
        prop_assert_eq!(again.changes, []);
        prop_assert!(change.groups.iter().all(|group| group.len() <= MAX_GROUP));
    }

    #[test]
    fn the_same_definition_and_state_give_the_same_plan(model in any_model()) {
        let (one, two) = (defined(&model), defined(&model));
        let plan = plan(&one, None, None);
        prop_assert_eq!(plan.digest().unwrap(), super::plan(&two, None, None).digest().unwrap());
        let kept = serde_json::from_slice::<DefinitionPlan>(&serde_json::to_vec(&plan).unwrap()).unwrap();
        prop_assert_eq!(kept, plan, "a plan reads back as itself");
    }
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in any::<String>()) {
        reading(&text);
        read(&bundle(&[("weir.yaml", &text)]), None).unwrap();
    }

    #[test]
    fn no_yaml_like_text_is_a_panic(parts in prop::collection::vec(prop::sample::select(PARTS.to_vec()), 0..60)) {
        reading(&parts.concat());
    }
}

const PARTS: [&str; 38] = [
    "environment",
    "target",
    "template",
    "service",
    "tenant",
    ":",
    ": ",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "\n    - ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "a",
    "a.b",
    "order_index",
    "nodes",
    "id",
    "type",
    "depends_on",
    "1",
    "-1",
    "0.5",
    "~",
    "true",
    "\"",
    "'",
    "|",
    ">",
    "&a",
    "*a",
    "#",
    "---",
    "${A}",
];

#[test]
fn a_plan_is_for_one_revision_of_the_state() {
    let one = definition("graph: {a: {}}\n");
    let two = definition("graph: {b: {}}\n");
    let state = applied(None, &plan(&one, None, None), &one).unwrap();
    let late = plan(&two, None, None);
    assert!(
        apply_group(Some(&state), &late, 0, &two, Millis(1)).unwrap_err().to_string().contains("plan again")
    );
    assert!(apply_group(None, &late, 0, &one, Millis(1)).is_err());
    assert!(apply_group(None, &late, 7, &two, Millis(1)).is_err());
}

#[test]
fn changes_weigh_what_they_cost() {
    const PRODUCTION: &str = "environment: {p: {order_index: 1, required_approvals: 2, require_sod: true, delivery: {batch_size: 1}}}\ngraph: {g: {}}\nschema: {s: {types: {P: {fields: {id: {type: integer}, name: {type: string}}}}}}\n";
    let before = definition(PRODUCTION);
    let state = applied(None, &plan(&before, None, None), &before);
    let weight = |from: &str, to: &str| {
        let after = definition(&PRODUCTION.replace(from, to));
        let plan = plan(&after, state.as_ref(), Some(&before));
        assert_eq!(plan.changes.len(), 1, "{from} → {to}");
        (plan.changes[0].reversibility, plan.changes[0].reason.clone(), plan.approvals_required.len())
    };
    let reversible = |from, to| assert_eq!(weight(from, to), (Reversibility::Reversible, String::new(), 0));
    let gated = |from, to, reversibility, reason: &str| {
        let (found, why, approvals) = weight(from, to);
        assert_eq!((found, approvals), (reversibility, 1), "{from} → {to}");
        assert!(why.contains(reason), "{why}");
    };
    reversible("batch_size: 1", "batch_size: 2");
    reversible("required_approvals: 2", "required_approvals: 3");
    gated("required_approvals: 2", "required_approvals: 1", Reversibility::Narrowing, "2 → 1");
    gated("require_sod: true", "require_sod: false", Reversibility::Narrowing, "separation of duties");
    gated("graph: {g: {}}", "graph: {}", Reversibility::Irreversible, "all its data");
    gated(", name: {type: string}", "", Reversibility::Irreversible, "drop `P.name`");
    reversible("name: {type: string}", "name: {type: string}, more: {type: string}");
}

#[test]
fn where_the_former_fields_are_unknown_a_change_is_gated() {
    let before = definition("environment: {p: {order_index: 1}}\n");
    let after = definition("environment: {p: {order_index: 2}}\n");
    let state = applied(None, &plan(&before, None, None), &before);
    assert_eq!(plan(&after, state.as_ref(), None).approvals_required.len(), 1);
    let known = plan(&after, state.as_ref(), Some(&before));
    assert_eq!(known.approvals_required, []);
    assert_eq!(
        serde_json::to_value(&known.changes[0].fields).unwrap(),
        serde_json::json!([{ "path": "order_index", "before": 1, "after": 2 }])
    );
}

#[test]
fn the_blast_radius_is_what_refers_to_it_however_far() {
    const ALL: &str = "environment: {e: {order_index: 1}}\ntarget: {e.t: {environment: e, target_type: host}}\ncomponent: {c: {}}\nservice: {s: {repo: r, components: [c], environments: [e]}}\nalias: {a: {of: service.s}}\n";
    let before = definition(ALL);
    let state = applied(None, &plan(&before, None, None), &before);
    let after = definition(&ALL.replace("order_index: 1", "order_index: 2"));
    let plan = plan(&after, state.as_ref(), Some(&before));
    let affected: Vec<&str> = plan.blast_radius[0].affected.iter().map(Address::as_str).collect();
    assert_eq!(affected, ["alias.a", "service.s", "target.e.t"]);
}
