//! Progress on stderr: one line a step, with a mark, what came of it and how long it took
//!
//! On a terminal a spinner shows what is being waited for; elsewhere the lines are plain, so that a log
//! holds the same facts. `NO_COLOR` is honoured.

use std::time::{Duration, Instant};

use console::{Term, style};
use indicatif::{ProgressBar, ProgressStyle};

/// Where progress goes
#[derive(Debug, Clone)]
pub struct Progress {
    term: Option<Term>,
}

/// One step that is under way; dropping it without [`Step::done`] leaves it marked as failed
#[derive(Debug)]
pub struct Step {
    progress: Progress,
    name: String,
    started: Instant,
    spinner: Option<ProgressBar>,
    ended: bool,
}

impl Progress {
    /// To the person at the terminal, or to the log that stderr is
    pub fn stderr() -> Self {
        Self { term: Some(Term::stderr()) }
    }

    /// To nobody
    pub fn silent() -> Self {
        Self { term: None }
    }

    /// One line of prose. A terminal that is gone is no reason to stop.
    pub fn say(&self, line: &str) {
        if let Some(term) = &self.term {
            drop(term.write_line(line));
        }
    }

    /// Whether a person looks on, so that what changes can stay in place
    pub fn is_terminal(&self) -> bool {
        self.term.as_ref().is_some_and(Term::is_term)
    }

    /// Whether colours are wanted and shown
    pub fn has_colours(&self) -> bool {
        self.is_terminal() && console::colors_enabled_stderr()
    }

    /// Puts `text` where the last `lines` lines are; returns how many lines it has now
    ///
    /// Lines are cut to the width, and lines above the height left out: what was scrolled away could not be
    /// taken back.
    pub fn redraw(&self, lines: usize, text: &str) -> usize {
        let Some(term) = &self.term else { return 0 };
        let (height, width) = (usize::from(term.size().0).max(4), usize::from(term.size().1).max(20));
        let cut: Vec<_> = text.lines().map(|line| console::truncate_str(line, width - 1, "…")).collect();
        let shown = cut.get(cut.len().saturating_sub(height - 1)..).unwrap_or(&cut);
        // A terminal that is gone is no reason to stop.
        drop(term.clear_last_lines(lines));
        drop(term.write_str(&shown.iter().map(|line| format!("{line}\n")).collect::<String>()));
        shown.len()
    }

    /// Begins a step
    pub fn step(&self, name: &str) -> Step {
        let spinner = self.term.as_ref().filter(|term| term.is_term()).map(|_| spinner(name));
        Step { progress: self.clone(), name: name.to_owned(), started: Instant::now(), spinner, ended: false }
    }
}

fn spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}") {
        bar.set_style(style);
    }
    bar.set_message(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

impl Step {
    /// Steps aside for a program that writes to the terminal itself
    pub fn yield_terminal(&mut self) {
        if let Some(bar) = self.spinner.take() {
            bar.finish_and_clear();
            self.progress.say(&format!("  {} {}", style("…").for_stderr().dim(), self.name));
        }
    }

    /// It went well, with `detail` to show for it
    pub fn done(mut self, detail: &str) {
        self.end(&style("✔").for_stderr().green().to_string(), detail);
    }

    fn end(&mut self, mark: &str, detail: &str) {
        self.ended = true;
        if let Some(bar) = self.spinner.take() {
            bar.finish_and_clear();
        }
        let took = style(took(self.started.elapsed())).for_stderr().dim().to_string();
        self.progress.say(&format!("  {mark} {:<20} {detail:<44} {took}", self.name));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.ended {
            let mark = style("✖").for_stderr().red().to_string();
            self.end(&mark, "");
        }
    }
}

/// A duration as a person reads it: `0.4 s`, `6 m 12 s`
pub fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (millis, text) in [(0, "0.0 s"), (420, "0.4 s"), (59_000, "59.0 s"), (372_000, "6 m 12 s")] {
            assert_eq!(took(Duration::from_millis(millis)), text);
        }
    }
}
