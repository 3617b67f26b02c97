//! Keys read back as what they were made of, and sort as what they stand for

#![expect(clippy::unwrap_used, reason = "a helper of tests that fails is a test that fails")]

use proptest::prelude::*;
use weir_domain::{
    engine::WAKE_SHARDS,
    id::{Id as _, OperationId},
    plan::{first_ordinal, segment_of},
    scope::Scope,
};
use weir_store::{Key, NodeKey, wake_shard};

fn scopes() -> impl Strategy<Value = Scope> {
    let name = "[a-z][a-z0-9-]{0,62}";
    (name, proptest::option::of(name)).prop_map(|(workspace, tenant)| match tenant {
        Some(tenant) => format!("{workspace}/{tenant}").parse().unwrap(),
        None => workspace.parse().unwrap(),
    })
}

fn operations() -> impl Strategy<Value = OperationId> {
    (0..1_i64 << 47, any::<u64>()).prop_map(|(millis, bits)| OperationId::new(millis, u128::from(bits)))
}

proptest! {
    #[test]
    fn an_operation_and_its_nodes_read_back(
        scope in scopes(), operation in operations(), segment in 0..1_000_u32, ordinal in 1..1_000_000_u32,
    ) {
        let node = Key::node(&NodeKey { scope: scope.clone(), operation, segment, ordinal });
        let meta = Key::operation(&scope, operation);
        for pk in [node.pk(), meta.pk()] {
            prop_assert_eq!(Key::parse_operation(pk), Some((scope.clone(), operation)));
            prop_assert_eq!(Key::parse_scope(pk), Some(scope.clone()));
        }
        prop_assert_eq!(Key::parse_node(node.sk()), Some(ordinal));
        prop_assert_eq!(Key::parse_node(meta.sk()), None);
    }

    #[test]
    fn another_scope_has_other_partitions(a in scopes(), b in scopes(), operation in operations()) {
        prop_assume!(a != b);
        prop_assert_ne!(Key::operation(&a, operation), Key::operation(&b, operation));
        prop_assert_ne!(Key::queue(&a, "target.staging.stg-1"), Key::queue(&b, "target.staging.stg-1"));
        prop_assert_ne!(Key::list(&a, "release", "draft"), Key::list(&b, "release", "draft"));
    }

    #[test]
    fn nodes_sort_by_number(a in 1..1_000_000_u32, b in 1..1_000_000_u32) {
        let at = |ordinal| {
            let scope = "harbor".parse().unwrap();
            Key::node(&NodeKey { scope, operation: OperationId::new(1, 1), segment: 0, ordinal })
        };
        prop_assert_eq!(at(a).cmp(&at(b)), a.cmp(&b));
    }

    #[test]
    fn a_segment_spans_its_own_nodes(segment in 0..20_000_u32, ordinal in 1..800_000_u32) {
        let (scope, operation) = ("harbor".parse().unwrap(), OperationId::new(1, 1));
        let (first, last) = Key::node_span(&scope, operation, segment);
        prop_assert_eq!(first.pk(), last.pk());
        let is_inside = |ordinal| (&first..=&last).contains(&&Key::node(&NodeKey::new(&scope, operation, ordinal)));
        prop_assert_eq!(is_inside(ordinal), segment_of(ordinal) == segment);
        let start = first_ordinal(segment);
        prop_assert!(is_inside(start) && is_inside(start + 39) && !is_inside(start + 40));
    }

    #[test]
    fn every_item_wakes_in_a_shard_that_is_looked_at(operation in operations(), ordinal in 0..10_000_u32) {
        let shards: Vec<_> = (0..WAKE_SHARDS).map(|shard| format!("wake#{shard}")).collect();
        prop_assert!(shards.contains(&wake_shard(operation, ordinal)));
    }
}

#[test]
fn the_wakes_of_one_operation_are_spread() {
    let operation = OperationId::new(1_700_000_000_000, 42);
    let shards: std::collections::BTreeSet<_> =
        (1..=100).map(|ordinal| wake_shard(operation, ordinal)).collect();
    assert_eq!(shards.len(), usize::from(WAKE_SHARDS));
}
