//! Reads that do not wait for each other

use futures::{StreamExt as _, TryStreamExt as _, stream};
use weir_edge::Problem;

/// How many are under way at once
const PARALLEL: usize = 16;

/// What each look found, in their order, sixteen of them at a time; the first that fails ends them all
pub async fn side_by_side<T>(
    looks: Vec<impl Future<Output = Result<T, Problem>>>,
) -> Result<Vec<T>, Problem> {
    stream::iter(looks).buffered(PARALLEL).try_collect().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[tokio::test]
    async fn sixteen_look_at_once_and_are_told_in_their_order() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let look = async |number: usize| {
            most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
            // The later ones are done first.
            for _ in 0..100 - number {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Relaxed);
            Ok(number)
        };
        let found = side_by_side((0..100).map(look).collect()).await.unwrap();
        assert_eq!(found, (0..100).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), 16);
    }
}
