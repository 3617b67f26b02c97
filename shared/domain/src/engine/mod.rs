//! The engine
