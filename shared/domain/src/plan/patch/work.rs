//! What the nodes of a plan have done, compared with what a patch would have done

use crate::{
    definition::address::Address,
    plan::{Executor, JobContract, PlanNode},
};

/// What a node has done, or what undoes it: what is asked for, of whom, and about which target
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    /// Whether it is what undoes the node
    pub undoes: bool,
    /// What is asked for
    pub contract: &'a JobContract,
    /// Of whom
    pub runs: &'a Executor,
    /// About which target, if it is about one
    pub target: Option<&'a Address>,
}

impl Work<'_> {
    /// Whether it is that of `other`, within whatever time and however often it is tried
    fn is(&self, other: &Self) -> bool {
        let JobContract { capability, inputs, outputs, secrets, idempotency, .. } = self.contract;
        let that = other.contract;
        (self.undoes, self.runs, self.target) == (other.undoes, other.runs, other.target)
            && (capability, idempotency) == (&that.capability, &that.idempotency)
            && (inputs, outputs, secrets) == (&that.inputs, &that.outputs, &that.secrets)
    }
}

/// What `node` has done, and what undoes that
pub(super) fn works(node: &PlanNode) -> impl Iterator<Item = Work<'_>> {
    let own = node.job_contract.as_ref().map(|contract| Work {
        undoes: false,
        contract,
        runs: &node.runs,
        target: node.target.as_ref(),
    });
    let undone = node.compensation.as_deref().map(|it| Work {
        undoes: true,
        contract: &it.job_contract,
        runs: &it.runs,
        target: it.target.as_ref(),
    });
    own.into_iter().chain(undone)
}

/// Whether both nodes have the same done and undone, whatever their limits are
pub(super) fn same_work(a: &PlanNode, b: &PlanNode) -> bool {
    let inherits = |node: &PlanNode| node.compensation.as_ref().map(|it| it.inherits.clone());
    a.node_type == b.node_type
        && works(a).count() == works(b).count()
        && works(a).zip(works(b)).all(|(one, other)| one.is(&other))
        && inherits(a) == inherits(b)
}
