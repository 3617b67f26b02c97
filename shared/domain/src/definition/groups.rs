//! Apply groups: which changes become true together, and in which order
//!
//! A group is one compare-and-swap of the ledger and one transaction, so it has at most [`MAX_GROUP`] resources and
//! [`MAX_GROUP_BYTES`]. Changes that refer to each other, directly or through others, are one group wherever they fit.
//!
//! A larger set is split, but never so that the ledger would hold a reference to something that is not there, nor a
//! mixture of old and new that nobody reviewed: a create goes before what refers to it and a delete after what referred
//! to it, so these references may lie between two groups; a reference between two resources that both exist and both
//! change may not, and keeps them together. What then still does not fit is refused.

use super::{address::Address, plan::Operation};
use std::collections::{BTreeMap, BTreeSet};

/// Most resources of a group: a transaction has 100 writes, and the ledger's own come with them
pub const MAX_GROUP: usize = 80;
/// Most bytes of a group's specs: a transaction has 4 MB
pub const MAX_GROUP_BYTES: usize = 3 << 20;

/// Most groups that are kept apart although they would fit into one
const MAX_SEPARATE: usize = 16;

/// A changed resource, as grouping sees it
#[derive(Debug, Clone)]
pub struct Item {
    /// What happens to it
    pub operation: Operation,
    /// How large its spec is
    pub size: usize,
    /// What it refers to now, and what it referred to as it was applied
    pub needs: BTreeSet<Address>,
}

/// What cannot be split and does not fit
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoesNotFit(pub BTreeSet<Address>);

/// The groups of `items`, in the order in which they are applied, or every set that does not fit in one
pub fn groups(items: &BTreeMap<Address, Item>) -> Result<Vec<Vec<Address>>, Vec<DoesNotFit>> {
    let addresses: Vec<&Address> = items.keys().collect();
    let index: BTreeMap<&Address, usize> =
        addresses.iter().enumerate().map(|(i, address)| (*address, i)).collect();
    let sizes: Vec<usize> = items.values().map(|item| item.size).collect();
    let mut firm = Sets::new(&sizes);
    let mut all = Sets::new(&sizes);
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (i, item) in items.values().enumerate() {
        for needed in item.needs.iter().filter_map(|needed| index.get(needed).copied()).filter(|j| *j != i) {
            let other =
                addresses.get(needed).and_then(|address| items.get(*address)).map(|item| item.operation);
            if item.operation == Operation::Update && other == Some(Operation::Update) {
                firm.join(i, needed);
            }
            all.join(i, needed);
            // A create goes before what refers to it, a delete after.
            order.push(if other == Some(Operation::Delete) { (i, needed) } else { (needed, i) });
        }
    }
    join_cycles(&mut firm, &order, addresses.len());
    let too_large: Vec<DoesNotFit> = firm
        .members()
        .into_iter()
        .filter(|(root, _)| !firm.fits(*root))
        .map(|(_, members)| {
            DoesNotFit(members.iter().filter_map(|i| addresses.get(*i)).map(|a| (*a).clone()).collect())
        })
        .collect();
    if !too_large.is_empty() {
        return Err(too_large);
    }
    let parts = packed(&mut firm, &mut all, &order, addresses.len());
    Ok(parts
        .into_iter()
        .map(|part| part.iter().filter_map(|i| addresses.get(*i)).map(|a| (*a).clone()).collect())
        .collect())
}

/// Joins what waits for each other: in no order could one go before the other
fn join_cycles(sets: &mut Sets, order: &[(usize, usize)], count: usize) {
    let components = super::cycle::components(&quotient(sets, order, count));
    for (node, component) in components.into_iter().enumerate() {
        sets.join(node, component);
    }
}

/// What each set needs to go before it, by the sets' representatives
fn quotient(sets: &mut Sets, order: &[(usize, usize)], count: usize) -> Vec<Vec<usize>> {
    let mut needs = vec![Vec::new(); count];
    for (first, then) in order {
        let (first, then) = (sets.root(*first), sets.root(*then));
        if let Some(needs) = needs.get_mut(then).filter(|_| first != then) {
            needs.push(first);
        }
    }
    needs
}

/// The sets in an order that respects `order`, those of one whole that fits together as one group
fn packed(firm: &mut Sets, all: &mut Sets, order: &[(usize, usize)], count: usize) -> Vec<Vec<usize>> {
    let members = firm.members();
    let needs = quotient(firm, order, count);
    let mut groups: Vec<Group> = Vec::new();
    let mut open: BTreeMap<usize, usize> = BTreeMap::new();
    for root in topological(&needs, members.keys().copied()) {
        let Some(items) = members.get(&root) else { continue };
        let (whole, size) = (all.root(root), firm.size_of(root));
        let at = match open.get(&whole).copied() {
            Some(at) if groups.get(at).is_some_and(|group| group.has_room(items.len(), size)) => at,
            _ => {
                groups.push(Group::default());
                open.insert(whole, groups.len() - 1);
                groups.len() - 1
            }
        };
        if let Some(group) = groups.get_mut(at) {
            group.items.extend(items);
            group.size += size;
        }
    }
    shared(groups).into_iter().map(|group| group.items).collect()
}

/// Up to [`MAX_SEPARATE`] groups as they are; of more, neighbours that have nothing to do with each other share one,
/// since each group rewrites the whole ledger
fn shared(groups: Vec<Group>) -> Vec<Group> {
    if groups.len() <= MAX_SEPARATE {
        return groups;
    }
    let mut shared: Vec<Group> = Vec::new();
    for group in groups {
        match shared.last_mut().filter(|last| last.has_room(group.items.len(), group.size)) {
            Some(last) => {
                last.items.extend(group.items);
                last.size += group.size;
            }
            None => shared.push(group),
        }
    }
    shared
}

#[derive(Default)]
struct Group {
    items: Vec<usize>,
    size: usize,
}

impl Group {
    fn has_room(&self, count: usize, size: usize) -> bool {
        self.items.len() + count <= MAX_GROUP && self.size + size <= MAX_GROUP_BYTES
    }
}

/// `nodes` so that each comes after what it needs; of several that could come, the first
fn topological(needs: &[Vec<usize>], nodes: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut left = vec![0usize; needs.len()];
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (node, needs) in needs.iter().enumerate() {
        for need in needs {
            if let (Some(left), Some(dependants)) = (left.get_mut(node), dependants.get_mut(*need)) {
                *left += 1;
                dependants.push(node);
            }
        }
    }
    let mut free: BTreeSet<usize> = nodes.filter(|node| left.get(*node) == Some(&0)).collect();
    let mut sorted = Vec::new();
    while let Some(node) = free.pop_first() {
        sorted.push(node);
        for dependant in dependants.get(node).into_iter().flatten() {
            if let Some(left) = left.get_mut(*dependant) {
                *left -= 1;
                if *left == 0 {
                    free.insert(*dependant);
                }
            }
        }
    }
    sorted
}

/// Disjoint sets of numbers, each with how many it has and how large they are
struct Sets {
    parent: Vec<usize>,
    count: Vec<usize>,
    size: Vec<usize>,
}

impl Sets {
    fn new(sizes: &[usize]) -> Self {
        Self { parent: (0..sizes.len()).collect(), count: vec![1; sizes.len()], size: sizes.to_vec() }
    }

    fn root(&mut self, mut i: usize) -> usize {
        while let Some(parent) = self.parent.get(i).copied().filter(|parent| *parent != i) {
            let grandparent = self.parent.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.parent.get_mut(i) {
                *slot = grandparent;
            }
            i = grandparent;
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        let of = |list: &[usize], i: usize| list.get(i).copied().unwrap_or(0);
        let (small, large) = if of(&self.count, a) < of(&self.count, b) { (a, b) } else { (b, a) };
        let (count, size) = (of(&self.count, small), of(&self.size, small));
        if let (Some(parent), Some(counted), Some(sized)) =
            (self.parent.get_mut(small), self.count.get_mut(large), self.size.get_mut(large))
        {
            *parent = large;
            *counted += count;
            *sized += size;
        }
    }

    fn size_of(&self, root: usize) -> usize {
        self.size.get(root).copied().unwrap_or(0)
    }

    fn fits(&self, root: usize) -> bool {
        self.count.get(root).copied().unwrap_or(0) <= MAX_GROUP && self.size_of(root) <= MAX_GROUP_BYTES
    }

    fn members(&mut self) -> BTreeMap<usize, Vec<usize>> {
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for i in 0..self.parent.len() {
            members.entry(self.root(i)).or_default().push(i);
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(list: &[(&str, Operation, &[&str])]) -> BTreeMap<Address, Item> {
        let address = |text: &&str| text.parse::<Address>().unwrap();
        list.iter()
            .map(|(name, operation, needs)| {
                (
                    address(name),
                    Item { operation: *operation, size: 1, needs: needs.iter().map(address).collect() },
                )
            })
            .collect()
    }

    fn names(groups: &[Vec<Address>]) -> Vec<Vec<&str>> {
        groups.iter().map(|group| group.iter().map(Address::as_str).collect()).collect()
    }

    #[test]
    fn what_refers_to_each_other_becomes_true_together() {
        use Operation::{Create, Update};
        let all = items(&[
            ("graph.a", Create, &[]),
            ("graph.b", Update, &[]),
            ("query.a", Create, &["graph.a"]),
            ("query.c", Create, &["graph.z"]),
        ]);
        assert_eq!(
            names(&groups(&all).unwrap()),
            [vec!["graph.a", "query.a"], vec!["graph.b"], vec!["query.c"]]
        );
    }

    #[test]
    fn a_large_set_of_creates_is_split_in_the_order_of_references() {
        let mut all = items(&[("graph.a", Operation::Create, &[])]);
        for i in 0..200 {
            all.extend(items(&[(&format!("query.q{i}"), Operation::Create, &["graph.a"])]));
        }
        let groups = groups(&all).unwrap();
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [80, 80, 41]);
        assert_eq!(groups[0][0].as_str(), "graph.a");
    }

    #[test]
    fn deletes_go_after_what_referred_to_them() {
        let mut all = items(&[("graph.a", Operation::Delete, &[])]);
        for i in 0..100 {
            all.extend(items(&[(&format!("query.q{i}"), Operation::Delete, &["graph.a"])]));
        }
        let groups = groups(&all).unwrap();
        assert_eq!(groups.last().unwrap().last().unwrap().as_str(), "graph.a");
    }

    #[test]
    fn updates_that_refer_to_each_other_are_never_split() {
        let mut all = items(&[("graph.a", Operation::Update, &[])]);
        for i in 0..80 {
            all.extend(items(&[(&format!("query.q{i}"), Operation::Update, &["graph.a"])]));
        }
        assert_eq!(groups(&all).unwrap_err()[0].0.len(), 81);
        all.remove(&"query.q0".parse().unwrap());
        assert_eq!(groups(&all).unwrap().len(), 1);
    }

    #[test]
    fn many_small_changes_share_groups() {
        let names: Vec<String> = (0..200).map(|i| format!("graph.g{i}")).collect();
        let list: Vec<(&str, Operation, &[&str])> =
            names.iter().map(|name| (name.as_str(), Operation::Create, [].as_slice())).collect();
        assert_eq!(groups(&items(&list)).unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [80, 80, 40]);
        assert_eq!(groups(&items(&list[..3])).unwrap().len(), 3);
    }

    #[test]
    fn what_refers_to_each_other_in_a_circle_is_one_group() {
        use Operation::Create;
        let all =
            items(&[("environment.a", Create, &["policy.b"]), ("policy.b", Create, &["environment.a"])]);
        assert_eq!(groups(&all).unwrap().len(), 1);
    }
}
