//! Chance that a seed decides: no stream of numbers, but a function of what is asked about
//!
//! So what happens at one point does not depend on how often chance was asked before: a run from which one fault is
//! taken out goes on as it did, which is what shrinking needs.

/// Chance about one thing
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance(u64);

impl Chance {
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// Chance about `name` within this
    pub fn of(self, name: &str) -> Self {
        // FNV-1a
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self(mix(self.0 ^ hash))
    }

    /// Chance about the `number`th of this
    pub const fn at(self, number: u64) -> Self {
        Self(mix(self.0 ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93).wrapping_add(1)))
    }

    pub const fn bits(self) -> u64 {
        self.0
    }

    /// 0 up to, and without, `limit`; 0 where that is 0
    pub const fn below(self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { (self.0 >> 11) % limit }
    }

    pub const fn one_in(self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// `SplitMix64`
const fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
