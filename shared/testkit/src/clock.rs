//! A clock that stands still until it is told otherwise

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use weir_domain::time::Millis;
use weir_orchestration::Clock;

/// A Saturday morning on which every test begins: 2026-11-21T08:00:00Z
pub const MORNING: Millis = Millis(1_795_248_000_000);

/// A clock that stands still until it is told otherwise, and chance that a seed decides
#[derive(Debug)]
pub struct TestClock {
    now: AtomicI64,
    chance: AtomicU64,
}

impl Default for TestClock {
    fn default() -> Self {
        Self { now: AtomicI64::new(MORNING.0), chance: AtomicU64::new(0) }
    }
}

impl TestClock {
    /// Lets time pass
    pub fn advance(&self, by: Millis) {
        self.now.fetch_add(by.0, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Millis {
        Millis(self.now.load(Ordering::Relaxed))
    }

    /// SplitMix64
    fn random(&self) -> u64 {
        let state = self.chance.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
