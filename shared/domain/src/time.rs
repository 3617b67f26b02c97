//! Time as the domain sees it: a number that comes in as an argument

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// Milliseconds since the epoch, UTC: a number in items, so that conditions can compare it
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// `seconds` as a length of time
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// As a point in time, in the form that callers see (RFC 3339, UTC)
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl From<Timestamp> for Millis {
    fn from(time: Timestamp) -> Self {
        Self(time.as_millisecond())
    }
}

impl Add for Millis {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Millis {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// A point in time as records and documents hold it: RFC 3339, UTC, always with milliseconds, so that texts sort as times
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(Millis);

/// A text that is not a point in time
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time: expected RFC 3339, such as `2026-11-21T08:30:00Z`")]
pub struct TimeError(pub String);

impl Time {
    /// As a number
    pub const fn millis(self) -> Millis {
        self.0
    }
}

impl From<Millis> for Time {
    fn from(millis: Millis) -> Self {
        Self(millis)
    }
}
impl From<Time> for Millis {
    fn from(time: Time) -> Self {
        time.0
    }
}
impl std::str::FromStr for Time {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let wrong = |_| TimeError(text.chars().take(40).filter(|c| !c.is_control()).collect());
        text.parse::<Timestamp>().map(|time| Self(time.into())).map_err(wrong)
    }
}
impl TryFrom<String> for Time {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Self, TimeError> {
        text.parse()
    }
}
impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}
impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}", self.0.timestamp())
    }
}
impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_is_written_in_one_way() {
        for text in ["2026-11-21T08:30:00Z", "2026-11-21T09:30:00+01:00", "2026-11-21T08:30:00.0004Z"] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), "2026-11-21T08:30:00.000Z");
        }
        for text in ["", "yesterday", "2026-11-21", "2026-13-21T08:30:00Z"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_read_back_and_sort_as_texts(a in 0i64..1 << 45, b in 0i64..1 << 45) {
            let (a, b) = (Time::from(Millis(a)), Time::from(Millis(b)));
            prop_assert_eq!(a.to_string().parse::<Time>().unwrap(), a);
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        }
    }
}
