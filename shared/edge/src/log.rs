//! Logs: JSON lines on standard output, each with its time: Lambda collects them, a local stack keeps them in files

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Writes what `filter` lets through from here on; a filter that cannot be read counts as `info`
pub fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    // A second call, as in tests, keeps the first one's choice.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
