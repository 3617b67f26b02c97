//! Times at which something may be changed: not before one, and only within maintenance windows

use super::super::Finding;
use crate::definition::codes::Code;
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::{TimeZone, TimeZoneDatabase},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::LazyLock};

/// Minutes of a day
const DAY: u16 = 24 * 60;

/// When something may be changed
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Not before this
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub not_before: Option<Timestamp>,
    /// Only within these, every week; at any time when left out
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub windows: Vec<Window>,
    /// Whose clock the windows go by, such as `Europe/Berlin`; UTC when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub time_zone: Option<ZoneName>,
    /// Seconds after which it is refused; with the operation's own deadline when left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31536000))]
    pub expires_after_s: Option<u32>,
}

/// A maintenance window: on these days from one time of the day until another
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days on which it begins
    #[schemars(length(min = 1, max = 7))]
    pub days: Vec<Weekday>,
    /// When it begins, `HH:MM`
    #[schemars(with = "String")]
    pub from: ClockTime,
    /// When it is over, `HH:MM`, up to `24:00`; on the next day where that is not later than `from`
    #[schemars(with = "String")]
    pub until: ClockTime,
}

/// A day of the week
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Weekday {
    /// Monday
    Mon,
    /// Tuesday
    Tue,
    /// Wednesday
    Wed,
    /// Thursday
    Thu,
    /// Friday
    Fri,
    /// Saturday
    Sat,
    /// Sunday
    Sun,
}

impl Weekday {
    /// The day that `date` is
    pub fn of(date: Date) -> Self {
        use jiff::civil::Weekday as Day;
        match date.weekday() {
            Day::Monday => Self::Mon,
            Day::Tuesday => Self::Tue,
            Day::Wednesday => Self::Wed,
            Day::Thursday => Self::Thu,
            Day::Friday => Self::Fri,
            Day::Saturday => Self::Sat,
            Day::Sunday => Self::Sun,
        }
    }
}

/// A time of the day, to the minute: `00:00` to `24:00`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClockTime(u16);

/// A text that is no time of the day
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a time of the day between `00:00` and `24:00`, such as `09:30`")]
pub struct ClockTimeError;

impl FromStr for ClockTime {
    type Err = ClockTimeError;
    fn from_str(text: &str) -> Result<Self, ClockTimeError> {
        let two = |part: &str| {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u16>().ok())?
        };
        let (hours, minutes) = text.split_once(':').ok_or(ClockTimeError)?;
        let (hours, minutes) = two(hours).zip(two(minutes)).ok_or(ClockTimeError)?;
        let all = hours * 60 + minutes;
        if minutes < 60 && all <= DAY { Ok(Self(all)) } else { Err(ClockTimeError) }
    }
}
impl TryFrom<String> for ClockTime {
    type Error = ClockTimeError;
    fn try_from(text: String) -> Result<Self, ClockTimeError> {
        text.parse()
    }
}
impl From<ClockTime> for String {
    fn from(time: ClockTime) -> Self {
        time.to_string()
    }
}
impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl ClockTime {
    /// This time of `date`; `24:00` is the beginning of the next day
    pub fn on(self, date: Date) -> Option<DateTime> {
        let date = if self.0 == DAY { date.tomorrow().ok()? } else { date };
        let part = |n: u16| i8::try_from(n).ok();
        Some(date.at(part(self.0 / 60 % 24)?, part(self.0 % 60)?, 0, 0))
    }
}

/// The name of a time zone of the IANA database: `Europe/Berlin`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ZoneName(String);

/// A text that names no time zone
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no time zone `{0}`: expected a name of the IANA database, such as `Europe/Berlin` or `UTC`"
)]
pub struct ZoneNameError(String);

/// The zones that the program itself carries: an answer must not depend on the machine
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

impl ZoneName {
    /// The name as written
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ZoneName {
    type Err = ZoneNameError;
    fn from_str(text: &str) -> Result<Self, ZoneNameError> {
        if ZONES.get(text).is_ok() {
            Ok(Self(text.to_owned()))
        } else {
            Err(ZoneNameError(text.chars().take(64).filter(|c| !c.is_control()).collect()))
        }
    }
}
impl TryFrom<String> for ZoneName {
    type Error = ZoneNameError;
    fn try_from(text: String) -> Result<Self, ZoneNameError> {
        text.parse()
    }
}
impl From<ZoneName> for String {
    fn from(zone: ZoneName) -> Self {
        zone.0
    }
}

impl Schedule {
    /// Whose clock the windows go by
    pub fn zone(&self) -> TimeZone {
        self.time_zone.as_ref().and_then(|name| ZONES.get(&name.0).ok()).unwrap_or(TimeZone::UTC)
    }

    /// What is wrong with it, for the field at `path`
    pub(super) fn findings(&self, path: &str) -> Vec<Finding> {
        if self.not_before.is_some() || !self.windows.is_empty() {
            return Vec::new();
        }
        vec![Finding {
            path: path.to_owned(),
            code: Code::MissingField,
            message: "it says no time".to_owned(),
            help: Some(
                "say `not_before`, or `windows` such as `{days: [sat], from: \"22:00\", until: \"04:00\"}`"
                    .to_owned(),
            ),
        }]
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<_> = self.days.iter().map(ToString::to_string).collect();
        write!(f, "{} {}–{}", days.join(" "), self.from, self.until)
    }
}
