//! Finding what waits for itself

/// One cycle of the graph in which node `i` needs the nodes `needs[i]`, in the order of needing; none if there is none
pub fn find(needs: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut done = vec![false; needs.len()];
    let mut on_path = vec![false; needs.len()];
    for start in 0..needs.len() {
        // The path from `start`, each node with how many of its needs have been followed. No recursion:
        // a path may be as long as the graph.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((node, followed)) = path.last_mut() {
            let node = *node;
            if done.get(node).copied().unwrap_or(true) {
                path.pop();
                continue;
            }
            mark(&mut on_path, node, true);
            let need = needs.get(node).and_then(|needs| needs.get(*followed)).copied();
            *followed += 1;
            match need {
                None => {
                    mark(&mut done, node, true);
                    mark(&mut on_path, node, false);
                    path.pop();
                }
                Some(need) if on_path.get(need).copied().unwrap_or(false) => {
                    return Some(
                        path.iter().map(|(node, _)| *node).skip_while(|node| *node != need).collect(),
                    );
                }
                Some(need) => path.push((need, 0)),
            }
        }
    }
    None
}

/// For each node, one node that stands for all those that it needs and that need it, itself if there is no other
pub fn components(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut needed_by = vec![Vec::new(); needs.len()];
    for (node, needs) in needs.iter().enumerate() {
        for need in needs {
            if let Some(list) = needed_by.get_mut(*need) {
                list.push(node);
            }
        }
    }
    let mut seen = vec![false; needs.len()];
    let mut finished = Vec::with_capacity(needs.len());
    for start in 0..needs.len() {
        walk(needs, start, &mut seen, |node| finished.push(node));
    }
    let mut component: Vec<usize> = (0..needs.len()).collect();
    let mut seen = vec![false; needs.len()];
    for start in finished.into_iter().rev() {
        walk(&needed_by, start, &mut seen, |node| {
            if let Some(slot) = component.get_mut(node) {
                *slot = start;
            }
        });
    }
    component
}

/// Visits what can be reached from `start` and was not seen before; each node when all it leads to was visited
fn walk(edges: &[Vec<usize>], start: usize, seen: &mut [bool], mut finish: impl FnMut(usize)) {
    let mut path: Vec<(usize, usize)> = Vec::new();
    let enter = |node: usize, seen: &mut [bool], path: &mut Vec<(usize, usize)>| {
        if seen.get(node) == Some(&false) {
            mark(seen, node, true);
            path.push((node, 0));
        }
    };
    enter(start, seen, &mut path);
    while let Some((node, followed)) = path.last_mut() {
        let next = edges.get(*node).and_then(|edges| edges.get(*followed)).copied();
        *followed += 1;
        match next {
            Some(next) => enter(next, seen, &mut path),
            None => {
                finish(*node);
                path.pop();
            }
        }
    }
}

fn mark(marks: &mut [bool], i: usize, value: bool) {
    if let Some(mark) = marks.get_mut(i) {
        *mark = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_named_and_nothing_else_is() {
        assert_eq!(find(&[]), None);
        assert_eq!(find(&[vec![1, 2], vec![2], vec![]]), None);
        assert_eq!(find(&[vec![0]]), Some(vec![0]));
        assert_eq!(find(&[vec![1], vec![2], vec![3], vec![1]]), Some(vec![1, 2, 3]));
        assert_eq!(find(&[vec![], vec![0, 2], vec![1]]), Some(vec![1, 2]));
    }

    #[test]
    fn components_are_what_need_each_other() {
        let of = components(&[vec![1], vec![2], vec![1, 3], vec![], vec![4]]);
        assert_eq!(of[1], of[2]);
        assert_eq!(of.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }

    #[test]
    fn a_long_path_needs_no_stack() {
        let mut needs: Vec<Vec<usize>> = (1..=100_000).map(|next| vec![next]).collect();
        needs.push(Vec::new());
        assert_eq!(find(&needs), None);
        needs[100_000].push(99_999);
        assert_eq!(find(&needs), Some(vec![99_999, 100_000]));
    }
}
