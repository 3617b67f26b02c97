//! Time and chance, as the engine gets them: from here only, so that the simulator can run both

use std::sync::atomic::{AtomicU64, Ordering};
use weir_domain::time::Millis;

/// Where time and chance come from
pub trait Clock: Send + Sync {
    /// Now
    fn now(&self) -> Millis;

    /// 64 bits that nobody can foresee (on the real clock) or that a seed decides (in the simulator)
    fn random(&self) -> u64;
}

/// The machine's clock and the operating system's randomness
#[derive(Debug, Default)]
pub struct SystemClock(AtomicU64);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the machine's clock comes in")]
    fn now(&self) -> Millis {
        jiff::Timestamp::now().into()
    }

    fn random(&self) -> u64 {
        let mut bytes = [0u8; 8];
        match getrandom::fill(&mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes),
            // Ids are unique by time and by what they are derived from; a counter keeps these apart too.
            Err(_) => self.0.fetch_add(1, Ordering::Relaxed),
        }
    }
}
