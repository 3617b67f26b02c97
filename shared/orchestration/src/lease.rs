//! A lease as its holder sees it: by his own clock, which no other one sets
//!
//! It is counted from before the request that brought it was sent. Whoever has not heard in time that it was renewed
//! stops before anybody else may be given his work, whatever the reason: a call that hangs, a process that slept.

use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};
use weir_domain::engine::LEASE;

/// Thrice within a lease
const RENEW_AFTER: Duration = Duration::from_millis(LEASE.0.unsigned_abs() / 3);

/// A fifth less than the lease: clocks differ, and work does not stop in no time
const HELD: Duration = Duration::from_millis(LEASE.0.unsigned_abs() / 5 * 4);

/// Whether a lease that was asked for at `asked` may still be worked under
pub(crate) fn is_held(asked: Instant) -> bool {
    asked.elapsed() < HELD
}

/// Renews the lease that was asked for at `asked`; ends when it is lost, or is not to be worked under any more
///
/// `renew` says whether it has been renewed; of an error nothing is known, and it is asked again.
pub(crate) async fn keep<E, F>(mut asked: Instant, mut renew: impl FnMut() -> F)
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<bool, E>>,
{
    let mut next = asked + RENEW_AFTER;
    loop {
        sleep_until(next.min(asked + HELD)).await;
        if !is_held(asked) {
            return;
        }
        let sent = Instant::now();
        match timeout_at(asked + HELD, renew()).await {
            Ok(Ok(true)) => asked = sent,
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a heartbeat was lost")
            }
        }
        next = sent + RENEW_AFTER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::VecDeque, io};

    /// Seconds after which the holder stops whose heartbeats are answered like this, each after so many seconds, and
    /// how many he sends; one that is not answered hangs
    async fn stops(answers: &[(u64, Result<bool, io::ErrorKind>)]) -> (u64, u32) {
        let (start, mut answers) = (Instant::now(), answers.iter().copied().collect::<VecDeque<_>>());
        let mut sent = 0;
        keep(start, || {
            let answer = answers.pop_front();
            sent += 1;
            async move {
                let Some((after, answer)) = answer else { std::future::pending().await };
                tokio::time::sleep(Duration::from_secs(after)).await;
                answer.map_err(io::Error::from)
            }
        })
        .await;
        (start.elapsed().as_secs(), sent)
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_stops_before_his_lease_has_passed_unless_he_hears_that_it_was_renewed() {
        use io::ErrorKind::TimedOut;
        for (answers, expected) in [
            (&[][..], (12, 1)),
            (&[(0, Ok(false))], (5, 1)),
            // Who is about to stop does not renew what he gives up.
            (&[(0, Err(TimedOut)), (0, Err(TimedOut))], (12, 2)),
            (&[(0, Err(TimedOut)), (0, Ok(true))], (22, 3)),
            // Renewed when it was asked for, not when that was answered.
            (&[(0, Ok(true)), (6, Ok(true))], (22, 3)),
            (&[(8, Ok(true))], (12, 1)),
        ] {
            assert_eq!(stops(answers).await, expected, "{answers:?}");
        }
    }
}
