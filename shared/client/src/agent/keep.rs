//! Keeps the service of a release that was deployed well: where it ends by itself, it is started again
//!
//! Looked after between deployments only: while one is done, the service is the deployment's.

use crate::{
    agent::{
        deploy::launch,
        log::TaskLog,
        run::Agent,
        service::{self, Ended},
        site::{Deployment, Stage},
    },
    api::Backoff,
};
use std::{
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Between two looks
const LOOK: Duration = Duration::from_millis(500);

/// The longest pause before a service is started again
const PAUSE_MAX: Duration = Duration::from_secs(5 * 60);

/// A service that was started again is well once it has run for so long
const STEADY: Duration = Duration::from_secs(60);

/// When a service that has ended by itself is started again
#[derive(Debug)]
pub struct Keeper(Mutex<Crashes>);

#[derive(Debug)]
struct Crashes {
    backoff: Backoff,
    /// What this agent started itself. Until that ends nothing is missing, also before it has recorded itself
    started: Option<Ended>,
    restart_at: Option<Instant>,
    shaky_until: Option<Instant>,
}

impl Keeper {
    /// The first pause is about `pause`, each further one twice as long until the service has become steady
    pub fn new(pause: Duration) -> Self {
        let backoff = Backoff::new(pause, PAUSE_MAX.max(pause));
        Self(Mutex::new(Crashes { backoff, started: None, restart_at: None, shaky_until: None }))
    }

    /// The agent has started the service, whose end `ended` tells
    pub fn started(&self, ended: Ended) {
        self.lock().started = Some(ended);
    }

    /// Another release was put there: what came of the one before says nothing
    pub fn forget(&self) {
        let mut crashes = self.lock();
        crashes.backoff.reset();
        (crashes.restart_at, crashes.shaky_until) = (None, None);
    }

    /// Whether the service has ended by itself lately
    pub fn is_shaky(&self, now: Instant) -> bool {
        let crashes = self.lock();
        crashes.restart_at.is_some() || crashes.shaky_until.is_some_and(|until| now < until)
    }

    /// Whether the service, of which no process is found if it `is_missing`, is to be started now
    fn is_due(&self, is_missing: bool, now: Instant) -> bool {
        let mut crashes = self.lock();
        let has_ended = crashes.started.as_ref().is_none_or(|ended| ended.borrow().is_some());
        if !(is_missing && has_ended) {
            crashes.restart_at = None;
            if crashes.shaky_until.is_some_and(|until| until <= now) {
                crashes.shaky_until = None;
                crashes.backoff.reset();
            }
            return false;
        }
        match crashes.restart_at {
            Some(at) if at <= now => {
                (crashes.restart_at, crashes.shaky_until) = (None, Some(now + STEADY));
                true
            }
            Some(_) => false,
            None => {
                let pause = crashes.backoff.pause();
                crashes.restart_at = Some(now + pause);
                tracing::warn!("the service has ended by itself and is started again in {pause:.1?}");
                false
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Crashes> {
        // Nothing that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Agent {
    /// Looks after the service for as long as it is polled
    pub(super) async fn keep(&self) -> Infallible {
        loop {
            // Nobody looks after it while a deployment is under way; one that begins meanwhile waits.
            let idle = self.deploying.try_lock();
            let missing = if idle.is_ok() { self.missing() } else { None };
            if self.keeper.is_due(missing.is_some(), Instant::now())
                && let Some(last) = missing
            {
                self.start_again(&last).await;
            }
            drop(idle);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Starts what was last deployed, as it was deployed
    pub(super) async fn start_again(&self, last: &Deployment) {
        // Not waited for: it may never answer, and the task that can mend it has to be claimed.
        match launch(&self.site, last, &self.settings, &TaskLog::default()).await {
            Ok(ended) => {
                self.keeper.started(ended);
                tracing::info!("the service was started again");
            }
            Err(error) => tracing::error!(%error, "the service could not be started again"),
        }
    }

    /// What should run here and does not
    fn missing(&self) -> Option<Deployment> {
        let last = self.site.deployment().ok().flatten().filter(|last| last.stage == Stage::Done)?;
        let is_current = self.site.current().as_ref() == Some(&last.digest);
        (is_current && service::running(&self.site).is_none()).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    const SECOND: Duration = Duration::from_secs(1);

    /// How long after `now` a missing service is started again, in looks of a tenth of a second
    fn wait_for_start(keeper: &Keeper, now: &mut Instant) -> Duration {
        let since = *now;
        while !keeper.is_due(true, *now) {
            *now += SECOND / 10;
        }
        *now - since
    }

    #[test]
    fn each_crash_is_waited_out_longer_until_the_service_is_steady() {
        let (keeper, mut now) = (Keeper::new(SECOND), Instant::now());
        assert!(!keeper.is_due(false, now) && !keeper.is_shaky(now));
        let waits: Vec<_> = (0..4).map(|_| wait_for_start(&keeper, &mut now)).collect();
        assert!(waits[0] <= SECOND * 2 && waits[3] >= SECOND * 4, "{waits:?}");
        assert!(!keeper.is_due(false, now + STEADY / 2) && keeper.is_shaky(now + STEADY / 2));
        now += STEADY;
        assert!(!keeper.is_due(false, now) && !keeper.is_shaky(now));
        assert!(wait_for_start(&keeper, &mut now) <= SECOND * 2);
        keeper.forget();
        assert!(!keeper.is_shaky(now));
    }

    #[test]
    fn what_was_started_and_has_not_recorded_itself_yet_is_not_missing() {
        let (keeper, mut now) = (Keeper::new(SECOND), Instant::now());
        let (tell, ended) = tokio::sync::watch::channel(None);
        keeper.started(ended);
        assert!(!keeper.is_due(true, now) && !keeper.is_shaky(now));
        tell.send_replace(Some(std::process::ExitStatus::from_raw(0)));
        assert!(wait_for_start(&keeper, &mut now) > Duration::ZERO);
    }
}
