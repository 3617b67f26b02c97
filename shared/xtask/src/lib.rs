//! Generate, package, bench.
