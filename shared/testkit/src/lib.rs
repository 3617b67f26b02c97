//! What tests share: golden files, fakes put together, the emulator.
