//! How patiently a call is repeated

use crate::clock::random_fraction;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::{Duration, Instant};

/// The longest that a server's `Retry-After` is obeyed
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// Pauses that grow, with jitter: the n-th lies between half and all of `base` × 2ⁿ, and never above `cap`
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    taken: u32,
}

impl Backoff {
    /// Pauses from about `base` up to about `cap`
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, taken: 0 }
    }

    /// The next pause
    pub fn pause(&mut self) -> Duration {
        let whole = self.base.saturating_mul(1u32.checked_shl(self.taken).unwrap_or(u32::MAX)).min(self.cap);
        self.taken = (self.taken + 1).min(31);
        whole.mul_f64(0.5 + random_fraction() / 2.0)
    }

    /// Begins again with the shortest, after a success
    pub fn reset(&mut self) {
        self.taken = 0;
    }
}

/// How often and how long a call is repeated
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// The first pause
    pub base: Duration,
    /// The longest pause
    pub cap: Duration,
    /// Repeats after the first try
    pub retries: u32,
    /// No repeat begins after this much time
    pub within: Duration,
}

impl Default for RetryPolicy {
    /// What a person waits through: about six seconds
    fn default() -> Self {
        Self {
            base: Duration::from_millis(200),
            cap: Duration::from_secs(3),
            retries: 5,
            within: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// Repeats until `within` has passed: for what must arrive, such as the result of a task
    pub fn patient(within: Duration) -> Self {
        Self { cap: Duration::from_secs(10), retries: u32::MAX, within, ..Self::default() }
    }

    pub(super) fn pauses(&self) -> Pauses {
        Pauses {
            backoff: Backoff::new(self.base, self.cap),
            left: self.retries,
            since: Instant::now(),
            within: self.within,
        }
    }
}

/// The pauses of one call
pub(super) struct Pauses {
    backoff: Backoff,
    left: u32,
    since: Instant,
    within: Duration,
}

impl Pauses {
    /// How long to wait before the next try; none when it is time to give up
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let pause = self.backoff.pause().max(asked.unwrap_or_default());
        (self.since.elapsed() + pause <= self.within).then_some(pause)
    }
}

/// What a server asks for, in seconds; a date is not understood and leaves the pause to us
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pauses_grow_to_the_cap_and_keep_within_their_bounds(base in 1u64..1000, factor in 1u64..100, n in 0usize..80) {
            let (base, cap) = (Duration::from_millis(base), Duration::from_millis(base * factor));
            let mut backoff = Backoff::new(base, cap);
            let pause = (0..=n).map(|_| backoff.pause()).last().unwrap();
            let whole = base.saturating_mul(1u32.checked_shl(n as u32).unwrap_or(u32::MAX)).min(cap);
            prop_assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
        }
    }

    #[test]
    fn a_policy_gives_up_by_count_and_by_time() {
        let mut pauses = RetryPolicy { retries: 2, ..RetryPolicy::default() }.pauses();
        assert!(pauses.next(None).is_some() && pauses.next(None).is_some());
        assert_eq!(pauses.next(None), None);
        let mut pauses = RetryPolicy { within: Duration::ZERO, ..RetryPolicy::default() }.pauses();
        assert_eq!(pauses.next(None), None);
    }

    #[test]
    fn a_server_may_ask_for_more_time_but_not_for_ever() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "3600".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(RETRY_AFTER_MAX));
        headers.insert(RETRY_AFTER, "Wed, 21 Oct 2026 07:28:00 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), None);
    }
}
