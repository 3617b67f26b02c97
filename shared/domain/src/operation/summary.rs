//! What an operation counted, by keys of its type's catalogue (requirement 003)

use super::kind::OperationType;
use crate::{definition::address::Address, plan::NodeStatus};
use std::collections::BTreeMap;

/// Counts of every type: how its nodes ended, joins left out
const NODES: [&str; 4] = ["nodes_total", "nodes_succeeded", "nodes_failed", "nodes_skipped"];

/// A count that the operation's type does not have
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("operations of type `{}` do not count `{key}`", .operation_type.as_str())]
pub struct UnknownCount {
    /// The type
    pub operation_type: OperationType,
    /// The count
    pub key: String,
}

/// Every key that operations of this type may count
pub fn count_keys(operation_type: OperationType) -> impl Iterator<Item = &'static str> {
    let own: &[&str] = match operation_type {
        OperationType::Deploy
        | OperationType::Promote
        | OperationType::Rollback
        | OperationType::ScenarioRun => {
            &["targets_total", "targets_succeeded", "targets_failed", "targets_untouched"]
        }
        OperationType::DefinitionApply => {
            &["resources_created", "resources_updated", "resources_deleted", "groups_applied"]
        }
        OperationType::PipelineRun => {
            &["targets_total", "targets_succeeded", "targets_failed", "records_written"]
        }
        OperationType::AssignmentsFetch => &["assignments_read", "pages_read"],
        OperationType::AssignmentsRestore => {
            &["assignments_restored", "assignments_failed", "assignments_unchanged"]
        }
        OperationType::ProjectionsRebuild => {
            &["rows_written", "rows_deleted", "rows_unchanged", "rows_unknown"]
        }
        OperationType::ReconcileAdapterRuns => {
            &["runs_examined", "runs_retried", "runs_failed", "operations_redriven"]
        }
    };
    NODES.into_iter().chain(own.iter().copied())
}

/// Checks that every count is one of the type's
pub fn check_counts(
    operation_type: OperationType,
    counts: &BTreeMap<String, u64>,
) -> Result<(), UnknownCount> {
    let unknown = |key: &&String| count_keys(operation_type).all(|known| known != key.as_str());
    match counts.keys().find(unknown) {
        Some(key) => Err(UnknownCount { operation_type, key: key.clone() }),
        None => Ok(()),
    }
}

/// How the nodes ended
pub fn node_counts(statuses: impl IntoIterator<Item = NodeStatus>) -> BTreeMap<String, u64> {
    let mut counts: BTreeMap<String, u64> = NODES.into_iter().map(|key| (key.to_owned(), 0)).collect();
    let mut add = |key: &str| *counts.entry(key.to_owned()).or_default() += 1;
    for status in statuses {
        add("nodes_total");
        match status {
            NodeStatus::Succeeded => add("nodes_succeeded"),
            NodeStatus::Failed => add("nodes_failed"),
            NodeStatus::Skipped => add("nodes_skipped"),
            NodeStatus::Pending | NodeStatus::Ready | NodeStatus::Running | NodeStatus::Waiting => {}
        }
    }
    counts
}

/// How the targets ended that nodes were about: `(target, status)` for each such node
///
/// A target has failed where one of its nodes has, and is untouched where none of them was begun.
pub fn target_counts<'a>(
    nodes: impl IntoIterator<Item = (&'a Address, NodeStatus)>,
) -> BTreeMap<String, u64> {
    let mut targets: BTreeMap<&Address, (bool, bool)> = BTreeMap::new();
    for (target, status) in nodes {
        let (failed, touched) = targets.entry(target).or_default();
        *failed |= status == NodeStatus::Failed;
        *touched |= matches!(status, NodeStatus::Failed | NodeStatus::Succeeded);
    }
    let count = |wanted: (bool, bool)| {
        u64::try_from(targets.values().filter(|found| **found == wanted).count()).unwrap_or(u64::MAX)
    };
    let (succeeded, failed, untouched) = (count((false, true)), count((true, true)), count((false, false)));
    [
        ("targets_total", succeeded + failed + untouched),
        ("targets_succeeded", succeeded),
        ("targets_failed", failed),
        ("targets_untouched", untouched),
    ]
    .map(|(key, count)| (key.to_owned(), count))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use strum::VariantArray as _;

    #[test]
    fn the_catalogue_is_this() {
        let mut catalogue = String::new();
        for operation_type in OperationType::VARIANTS {
            let keys: Vec<_> = count_keys(*operation_type).collect();
            writeln!(catalogue, "{:<28} {}", operation_type.as_str(), keys.join(" ")).unwrap();
        }
        crate::golden::check("summary-counts.txt", &catalogue);
    }

    #[test]
    fn targets_are_counted_by_their_worst_node() {
        use NodeStatus::{Failed, Skipped, Succeeded};
        let [a, b, c]: [Address; 3] = ["target.a", "target.b", "target.c"].map(|it| it.parse().unwrap());
        let counts =
            target_counts([(&a, Succeeded), (&a, Failed), (&b, Succeeded), (&b, Skipped), (&c, Skipped)]);
        let count = |key: &str| counts[&format!("targets_{key}")];
        assert_eq!((count("total"), count("failed"), count("succeeded"), count("untouched")), (3, 1, 1, 1));
        assert_eq!(check_counts(OperationType::ScenarioRun, &counts), Ok(()));
    }

    #[test]
    fn only_counts_of_the_catalogue_are_kept() {
        let counts = node_counts([NodeStatus::Succeeded, NodeStatus::Succeeded, NodeStatus::Failed]);
        assert_eq!((counts["nodes_total"], counts["nodes_succeeded"], counts["nodes_skipped"]), (3, 2, 0));
        assert_eq!(check_counts(OperationType::Deploy, &counts), Ok(()));
        let other = BTreeMap::from([("pages_read".to_owned(), 1)]);
        let refused = check_counts(OperationType::Deploy, &other).unwrap_err();
        assert_eq!(refused.to_string(), "operations of type `deploy` do not count `pages_read`");
    }
}
