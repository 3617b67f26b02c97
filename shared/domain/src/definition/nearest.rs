//! "Did you mean …": the nearest of the names that would have been right

/// The candidate that differs least from `wrong`, if it is near enough to have been meant
///
/// Near enough is a third of the length. Of several as near, the first by name.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = wrong.chars().count() / 3;
    let near = |candidate: &'a str| {
        let apart = candidate.len().abs_diff(wrong.len());
        // Bytes apart bound letters apart from above by the width of a letter.
        (apart <= limit * 4).then(|| (distance(wrong, candidate), candidate))
    };
    candidates
        .into_iter()
        .filter_map(near)
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(MAX_LETTERS).collect();
    let b: Vec<char> = b.chars().take(MAX_LETTERS).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best =
                (at(&row, j) + usize::from(letter != other)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(other) && b.get(j - 1) == Some(letter);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

/// Longer names are compared by their beginning
const MAX_LETTERS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant_is_found() {
        let names = ["environment.production", "environment.staging", "environment.production-eu"];
        assert_eq!(nearest("environment.prodction", names), Some("environment.production"));
        assert_eq!(nearest("environment.stagign", names), Some("environment.staging"));
        assert_eq!(nearest("nothing.like.it", names), None);
        assert_eq!(nearest("abc", ["bac", "xyz"]), Some("bac"));
        assert_eq!(nearest("a", ["b"]), None);
        assert_eq!(nearest("", ["a"]), None);
    }
}
