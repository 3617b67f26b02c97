//! Waiting for a condition by looking at it, never for a length of time

use std::future::Future;
use std::time::{Duration, Instant};

use crate::error::{LocalError, Result};

/// Between two looks
const LOOK: Duration = Duration::from_millis(100);

/// Looks until there is something, and says what was waited for when `limit` is over
pub async fn until<T, F>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let began = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if began.elapsed() > limit {
            return Err(LocalError::Story(format!("waited {} s in vain for {what}", limit.as_secs())));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Fails with `claim` unless it holds: nothing is told that was not looked at
pub fn check(holds: bool, claim: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(LocalError::Story(claim())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_never_comes_is_named() {
        let mut looks = 0;
        let found = until("luck", Duration::from_secs(60), || {
            looks += 1;
            let found = (looks == 3).then_some(looks);
            async move { Ok(found) }
        });
        assert_eq!(found.await.unwrap(), 3);
        let missed = until("luck", Duration::ZERO, || async { Ok(None::<()>) }).await.unwrap_err();
        assert_eq!(missed.to_string(), "waited 0 s in vain for luck");
    }
}
