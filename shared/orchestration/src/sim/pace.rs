//! What things take: calls, messages, states, the work itself

use super::{chance::Chance, fault::Point};
use std::time::Duration;

/// What a call to each service takes
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// One request to the table
    pub table: Duration,
    /// From a message's sending to its handler
    pub queue: Duration,
    /// From one state to the next, the function's start included
    pub transition: Duration,
}

impl Default for Latency {
    /// About what the services take within one region
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self { table: ms(4), queue: ms(10), transition: ms(25) }
    }
}

/// How fast a world is
#[derive(Debug, Clone)]
pub struct Pace {
    /// How many nodes can be worked on at a time
    pub workers: usize,
    /// What the services take
    pub latency: Latency,
    /// Whether each call takes another time, as the seed decides: everybody then meets everybody in every order
    pub spread: bool,
}

impl Pace {
    pub(super) fn call(&self, chance: Chance, point: &Point) -> Duration {
        if !self.spread {
            return self.latency.table;
        }
        let here =
            chance.of(point.function).of(point.op).at(u64::from(point.subject)).at(u64::from(point.nth));
        // Most calls are quick, some are not, and few are slow: whoever was late is overtaken.
        let most = match here.of("slow").below(16) {
            0 => 400,
            1..=4 => 40,
            _ => 8,
        };
        Duration::from_millis(1 + here.below(most))
    }

    pub(super) fn answer(&self, chance: Chance, point: &Point) -> Duration {
        let here = chance.of(point.op).at(u64::from(point.subject)).at(u64::from(point.nth)).of("answer");
        if self.spread && here.one_in(4) { Duration::from_millis(here.below(60)) } else { Duration::ZERO }
    }

    pub(super) fn some(&self, usual: Duration, chance: Chance) -> Duration {
        if !self.spread {
            return usual;
        }
        let usual = u64::try_from(usual.as_millis()).unwrap_or(1);
        Duration::from_millis(chance.below(3 * usual + 1))
    }
}
