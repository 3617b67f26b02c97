//! What a task's report says of what happened: the last lines, in bounds

use std::sync::{Mutex, PoisonError};
use weir_edge::wire::task::LOG_MAX_BYTES;

/// The lines of one task, oldest dropped first
#[derive(Debug, Default)]
pub struct TaskLog(Mutex<String>);

impl TaskLog {
    /// Adds a line, with the time
    pub fn line(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        tracing::info!("{text}");
        self.push(&format!("{} {text}\n", crate::clock::now()));
    }

    /// Adds what something else printed, under a heading
    pub fn block(&self, heading: &str, text: &str) {
        let text = text.trim_end();
        self.push(&format!("--- {heading} ---\n{}\n", if text.is_empty() { "(nothing)" } else { text }));
    }

    /// All of it, at most as much as a report may carry
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, text: &str) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_str(text);
        let over = log.len().saturating_sub(LOG_MAX_BYTES);
        let cut = (over..=log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(over);
        log.drain(..cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_no_character_is_cut() {
        let log = TaskLog::default();
        log.block("begin", "");
        log.block("long", &"ä".repeat(LOG_MAX_BYTES));
        log.line("end");
        let text = log.text();
        assert!(text.len() <= LOG_MAX_BYTES && text.len() > LOG_MAX_BYTES - 4);
        assert!(text.ends_with(" end\n") && !text.contains("begin"));
    }
}
