//! The engine's rules where two of its processes meet, or one dies: each in the one order of steps that needs it

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up fails"
)]

mod attempts;
mod begins;
mod cancels;
mod children;
mod ends;
mod patched_gates;
mod patches;
mod rig;
mod segments;
mod table;
