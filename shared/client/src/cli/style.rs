//! How things look: colours, glyphs, lengths of time, and what must not reach a terminal

use std::{borrow::Cow, fmt::Display};
use weir_domain::{
    operation::OperationStatus,
    plan::NodeStatus,
    time::{Millis, Time},
};

/// When colours are used
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How something is rendered
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Whether colours are used; they never carry a meaning alone
    pub colour: bool,
    /// The time of day, by which whatever has not ended is so and so old; without it no age is shown
    pub now: Option<Time>,
}

impl Style {
    /// No colours and no ages: the same for the same input
    pub const PLAIN: Self = Self { colour: false, now: None };

    fn paint(self, text: impl Display, paint: impl Fn(console::Style) -> console::Style) -> String {
        paint(console::Style::new().force_styling(self.colour)).apply_to(text).to_string()
    }

    /// What went well
    pub fn good(self, text: impl Display) -> String {
        self.paint(text, console::Style::green)
    }

    /// What did not
    pub fn bad(self, text: impl Display) -> String {
        self.paint(text, |style| style.red().bold())
    }

    /// What somebody should look at
    pub fn warn(self, text: impl Display) -> String {
        self.paint(text, console::Style::yellow)
    }

    /// What goes on
    pub fn busy(self, text: impl Display) -> String {
        self.paint(text, console::Style::cyan)
    }

    /// What matters less
    pub fn dim(self, text: impl Display) -> String {
        self.paint(text, console::Style::dim)
    }

    /// What matters more
    pub fn strong(self, text: impl Display) -> String {
        self.paint(text, console::Style::bold)
    }

    /// A node's status
    pub fn node(self, status: NodeStatus) -> String {
        let glyph = node_glyph(status);
        match status {
            NodeStatus::Pending | NodeStatus::Skipped => self.dim(glyph),
            NodeStatus::Ready | NodeStatus::Waiting => self.warn(glyph),
            NodeStatus::Running => self.busy(glyph),
            NodeStatus::Succeeded => self.good(glyph),
            NodeStatus::Failed => self.bad(glyph),
        }
    }

    /// An operation's status
    pub fn operation(self, status: OperationStatus) -> String {
        let glyph = operation_glyph(status);
        match status {
            OperationStatus::Created | OperationStatus::Queued => self.dim(glyph),
            OperationStatus::WaitingGate | OperationStatus::WaitingIntervention | OperationStatus::Paused => {
                self.warn(glyph)
            }
            OperationStatus::Running | OperationStatus::Verifying => self.busy(glyph),
            OperationStatus::Succeeded => self.good(glyph),
            OperationStatus::Failed | OperationStatus::Cancelled | OperationStatus::RolledBack => {
                self.bad(glyph)
            }
        }
    }

    /// How long ago `then` was, where the time of day is known
    pub fn since(self, then: Time) -> Option<String> {
        self.now.map(|now| elapsed(then, now))
    }
}

/// A node's status as one character
pub const fn node_glyph(status: NodeStatus) -> &'static str {
    match status {
        NodeStatus::Pending => "◌",
        NodeStatus::Ready | NodeStatus::Waiting => "◔",
        NodeStatus::Running => "●",
        NodeStatus::Succeeded => "✔",
        NodeStatus::Failed => "✖",
        NodeStatus::Skipped => "⤼",
    }
}

/// An operation's status as one character
pub const fn operation_glyph(status: OperationStatus) -> &'static str {
    match status {
        OperationStatus::Created | OperationStatus::Queued => "◌",
        OperationStatus::WaitingGate | OperationStatus::WaitingIntervention | OperationStatus::Paused => "◔",
        OperationStatus::Running | OperationStatus::Verifying => "●",
        OperationStatus::Succeeded => "✔",
        OperationStatus::Failed | OperationStatus::Cancelled => "✖",
        OperationStatus::RolledBack => "↩",
    }
}

/// The length of time between two points, as people say it: `0.9 s`, `6 m 12 s`, `2 d 4 h`
pub fn elapsed(from: Time, to: Time) -> String {
    let Millis(millis) = to.millis() - from.millis();
    let millis = millis.max(0);
    let seconds = millis / 1_000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// The time of day of `time`, in UTC: `14:02:07`
pub fn clock_time(time: Time) -> String {
    time.to_string().chars().skip(11).take(8).collect()
}

/// A point in time as lists show it, in UTC: `2026-11-21 14:02:07`
pub fn date_time(time: Time) -> String {
    time.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// So many of what `noun` names: `1 policy`, `4 targets`, `2 policies`
pub fn counted(count: usize, noun: &str) -> String {
    let plural = match (count, noun.strip_suffix('y'), noun.ends_with('s')) {
        (1, _, _) => noun.to_owned(),
        (_, Some(stem), _) => format!("{stem}ies"),
        (_, None, true) => format!("{noun}es"),
        (_, None, false) => format!("{noun}s"),
    };
    format!("{count} {plural}")
}

/// `text` without what a terminal would obey instead of showing: it may come from anybody
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().filter_map(|c| match c {
        '\n' | '\t' => Some(' '),
        c if is_unsafe(c) => None,
        c => Some(c),
    });
    Cow::Owned(shown.collect())
}

/// Control characters, and those that turn the order of what follows
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_time_are_as_people_say_them() {
        let of = |millis| elapsed(Time::from(Millis(0)), Time::from(Millis(millis)));
        let cases = [
            (-5, "0.0 s"),
            (940, "0.9 s"),
            (59_999, "59 s"),
            (372_000, "6 m 12 s"),
            (11_520_000, "3 h 12 m"),
            (187_200_000, "2 d 4 h"),
        ];
        for (millis, said) in cases {
            assert_eq!(of(millis), said);
        }
    }

    #[test]
    fn nouns_agree_with_their_number() {
        let said = [(1, "target"), (4, "target"), (0, "policy"), (2, "alias")].map(|(n, of)| counted(n, of));
        assert_eq!(said, ["1 target", "4 targets", "0 policies", "2 aliases"]);
    }

    #[test]
    fn times_are_shown_in_utc() {
        let time = "2026-11-21T15:02:07+01:00".parse().unwrap();
        assert_eq!(
            (clock_time(time).as_str(), date_time(time).as_str()),
            ("14:02:07", "2026-11-21 14:02:07")
        );
    }

    #[test]
    fn without_colours_nothing_is_added() {
        assert_eq!(Style::PLAIN.bad("x"), "x");
        assert_ne!(Style { colour: true, now: None }.bad("x"), "x");
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_is_left(text in "\\PC*[\u{0}-\u{9f}\u{202e}]\\PC*") {
            let left = plain(&text).chars().filter(|c| c.is_control() || *c == '\u{202e}').count();
            prop_assert_eq!(left, 0);
        }
    }
}
