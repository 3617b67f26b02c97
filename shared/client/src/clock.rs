//! The two things that only a host may ask of its machine: the time of day and chance

use jiff::Timestamp;

/// The time of day, for records that people read; lengths of time are measured by `Instant`
pub fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "the client is a host: it has no engine to be told the time by"
    )]
    Timestamp::now()
}

/// 128 bits that nobody can guess; falls back to the time of day where the system has no randomness
pub fn random_bits() -> u128 {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u128::from_le_bytes(bytes),
        Err(_) => now().as_nanosecond().unsigned_abs(),
    }
}

/// A fraction in [0, 1)
pub fn random_fraction() -> f64 {
    // 53 bits fill a double's mantissa exactly.
    let bits = (random_bits() >> 75) as u64;
    bits as f64 / (1u64 << 53) as f64
}
