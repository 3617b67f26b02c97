use super::*;
use weir_domain::{
    actor::Actor,
    id::{Id as _, OperationId, PlanId},
    plan::{
        Executor, NodeType, PatchChanges, PlanNode,
        patch::{Changed, NewPatch},
    },
    time::Millis,
};

fn chain(patches: u32) -> Chain {
    let nodes = ["a", "b"]
        .map(|name| PlanNode::new(name.parse().unwrap(), NodeType::Evidence, name, Executor::Decide));
    let graph = Graph::new(nodes.into()).unwrap();
    let mut hash = graph.graph_hash().unwrap();
    let plan = json!({ "graph_hash": hash, "graph": graph });
    let mut made = Vec::new();
    for sequence in 1..=patches {
        let title = Some(format!("title {sequence}"));
        let changed = Changed { node_id: "a".parse().unwrap(), title, job_contract: None, on_failure: None };
        let patch = PlanPatch::new(NewPatch {
            plan_id: PlanId::new(1, 1),
            operation_id: OperationId::new(1, 1),
            sequence,
            actor: Actor::system("test"),
            reason: "because".to_owned(),
            base_hash: hash,
            segment: 1,
            changes: PatchChanges { changed: vec![changed], ..PatchChanges::default() },
            created_at: Millis(1).into(),
        })
        .unwrap();
        hash = patch.effective_hash.clone();
        made.push(patch);
    }
    Chain::of(plan, made).unwrap()
}

fn held(chain: &Chain) -> Vec<bool> {
    chain.verify().links.iter().map(|link| link.holds).collect()
}

#[test]
fn what_was_saved_is_read_and_holds() {
    let dir = tempfile::tempdir().unwrap();
    let made = chain(3);
    made.save(dir.path()).unwrap();
    let read = Chain::read(dir.path()).unwrap();
    assert_eq!((read.patches.len(), held(&read)), (3, vec![true; 4]));
    assert_eq!(read.verify().effective_hash, made.patches.last().map(|patch| patch.effective_hash.clone()));
    std::fs::remove_file(dir.path().join("plan.json")).unwrap();
    assert!(Chain::read(dir.path()).is_err());
}

#[test]
fn a_saved_chain_whose_last_patch_was_removed_does_not_hold() {
    let dir = tempfile::tempdir().unwrap();
    let made = chain(3);
    let end = made.patches.last().map(|patch| patch.effective_hash.clone());
    Chain { claimed: end, ..made }.save(dir.path()).unwrap();
    assert!(Chain::read(dir.path()).unwrap().verify().holds);
    std::fs::remove_file(dir.path().join("patch-003.json")).unwrap();
    let cut = Chain::read(dir.path()).unwrap().verify();
    assert!(!cut.holds && text(&cut, Style::PLAIN).contains("a patch is missing"), "{cut:?}");
    // Without the claim nobody can tell, and that is said.
    std::fs::remove_file(dir.path().join("end.json")).unwrap();
    let unsaid = Chain::read(dir.path()).unwrap().verify();
    assert!(unsaid.holds && text(&unsaid, Style::PLAIN).contains("nothing says where it ends"), "{unsaid:?}");
}

#[test]
fn the_first_link_that_was_altered_is_named_and_nothing_after_it_holds() {
    let mut altered = chain(3);
    altered.patches[1].reason.push('!');
    assert_eq!(held(&altered), [true, true, false, false]);
    let mut missing = chain(3);
    missing.patches.remove(0);
    assert_eq!(held(&missing), [true, false, false]);
    let mut plan = chain(1);
    plan.graph_hash = Digest::of_bytes(b"another");
    assert_eq!(held(&plan), [false, false]);
    let shown = text(&altered.verify(), Style::PLAIN);
    assert!(shown.contains("✖ patch 2") && shown.ends_with("the chain does not hold\n"), "{shown}");
}

#[test]
fn a_server_that_says_something_else_is_not_believed() {
    let claim = |hash| Chain { claimed: Some(hash), ..chain(1) };
    let honest = chain(1).patches[0].effective_hash.clone();
    assert!(claim(honest).verify().holds);
    assert!(!claim(Digest::of_bytes(b"another")).verify().holds);
}
