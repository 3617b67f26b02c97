//! Large definitions: a tenth of the limit, since this runs unoptimised in every test run

use super::*;

const RESOURCES: usize = 10_000;

/// Resources that refer to each other as real ones do
fn large(text_of_queries: &str) -> Bundle {
    let mut text = String::from(
        "version: 1\nworkspace: harbor\ntenant:\n  acme: {external_id: 3f6c1a52-8b0e-4d57-9a4c-2e1b7d90c6f4}\ngraph:\n",
    );
    for i in 0..99 {
        text.push_str(&format!("  g{i}: {{}}\n"));
    }
    text.push_str("query:\n");
    for i in 0..RESOURCES - 100 {
        text.push_str(&format!("  g{}.q{i}: {{graph: g{}, text: {text_of_queries}}}\n", i % 99, i % 99));
    }
    bundle(&[("weir.yaml", &text)])
}

#[test]
fn a_large_definition_is_read_planned_and_applied() {
    let one = read(&large("all"), None).unwrap().definition.unwrap();
    assert_eq!(one.resources.len(), RESOURCES);
    let first = plan(&one, None, None);
    assert!(
        first.is_applicable()
            && first.groups.iter().all(|group| group.len() <= 80)
            && first.groups.len() < 200
    );
    let state = applied_at_once(&first, &one);
    let two = read(&large("some"), Some(&state)).unwrap().definition.unwrap();
    let second = plan(&two, Some(&state), Some(&one));
    assert_eq!(second.changes.len(), RESOURCES - 100);
    assert_eq!(second.changes[0].fields.len(), 1);
}

/// As `applied`, without a copy of the whole ledger for each of more than a hundred groups
fn applied_at_once(plan: &DefinitionPlan, definition: &Definition) -> State {
    let mut whole = plan.clone();
    whole.groups = vec![plan.groups.concat()];
    applied(None, &whole, definition).unwrap()
}
