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
    fn a_long_path_needs_no_stack() {
        let mut needs: Vec<Vec<usize>> = (1..=100_000).map(|next| vec![next]).collect();
        needs.push(Vec::new());
        assert_eq!(find(&needs), None);
        needs[100_000].push(99_999);
        assert_eq!(find(&needs), Some(vec![99_999, 100_000]));
    }
}
