//! Gates that wait for the right time

use super::{
    answer::{Earliest, GateAnswer},
    automatic::{Freeze, freeze},
    verdict::{ReasonCode, Verdict, VerdictResult},
};
use crate::{
    actor::Actor,
    definition::spec::{FreezeWindow, Schedule, Weekday, Window},
    time::Millis,
};
use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use serde_json::json;

/// How many days are looked through: a window may be swallowed by a change of the clocks, but not a week later again
const DAYS: usize = 16;

/// How often a time is moved on because a freeze window holds at it
const FREEZES_MAX: usize = 200;

/// The earliest time from `now` on that the schedule allows; none if there is none
pub fn opening(schedule: &Schedule, now: Millis) -> Option<Millis> {
    let from = schedule.not_before.map_or(now, |not_before| now.max(not_before.into()));
    if schedule.windows.is_empty() {
        return Some(from);
    }
    let zone = schedule.zone();
    // A window of the day before may reach into this one.
    let first = from.timestamp().to_zoned(zone.clone()).date().checked_sub(1.day()).ok()?;
    first
        .series(1.day())
        .take(DAYS)
        .flat_map(|date| schedule.windows.iter().map(move |window| (date, window)))
        .filter_map(|(date, window)| hours(window, date, &zone))
        .filter(|(_, end)| from < *end)
        .map(|(start, _)| start.max(from))
        .min()
}

/// From when until when `window` holds that begins on `date`; where the clocks leave the time out, from the next one on
fn hours(window: &Window, date: Date, zone: &TimeZone) -> Option<(Millis, Millis)> {
    if !window.days.contains(&Weekday::of(date)) {
        return None;
    }
    let last = if window.until > window.from { date } else { date.tomorrow().ok()? };
    let at = |time| Some(Millis::from(zone.to_zoned(time).ok()?.timestamp()));
    let (start, end) = (at(window.from.on(date)?)?, at(window.until.on(last)?)?);
    (start < end).then_some((start, end))
}

/// The earliest time that the schedule allows and at which no freeze window holds for `actor`
pub fn opening_between(
    schedule: &Schedule,
    windows: &[FreezeWindow],
    actor: &Actor,
    now: Millis,
) -> Option<Millis> {
    let mut at = opening(schedule, now)?;
    for _ in 0..FREEZES_MAX {
        match freeze(windows, actor, at) {
            Freeze::Clear {} | Freeze::Excepted { .. } => return Some(at),
            Freeze::WaitUntil { until, .. } => at = opening(schedule, until.millis())?,
        }
    }
    None
}

/// What a schedule answers
pub(super) fn answer(
    schedule: &Schedule,
    windows: &[FreezeWindow],
    actor: &Actor,
    now: Millis,
) -> GateAnswer {
    let opens = opening_between(schedule, windows, actor, now);
    let early = schedule.not_before.is_some_and(|not_before| now < not_before.into());
    let frozen = matches!(freeze(windows, actor, now), Freeze::WaitUntil { .. });
    let (result, reason, earliest) = match opens {
        None => (VerdictResult::Deny, ReasonCode::NoWindow, Earliest::Never {}),
        Some(at) if at <= now => (VerdictResult::Allow, ReasonCode::InWindow, Earliest::Now {}),
        Some(at) => {
            let reason = match (early, frozen) {
                (true, _) => ReasonCode::TooEarly,
                (false, true) => ReasonCode::Frozen,
                (false, false) => ReasonCode::OutsideWindow,
            };
            (VerdictResult::Pending, reason, Earliest::At { at: at.into() })
        }
    };
    GateAnswer {
        verdict: Verdict::new(result, reason),
        inputs: json!({ "schedule": schedule, "freeze_windows": windows, "now": now.timestamp() }),
        what: words(schedule),
        who: "nobody: it opens by itself".to_owned(),
        earliest,
    }
}

/// The schedule in words: `mon tue 09:00–17:00 (Europe/Berlin), not before 2026-11-21T08:00:00Z`
pub fn words(schedule: &Schedule) -> String {
    let mut parts = Vec::new();
    if !schedule.windows.is_empty() {
        let windows: Vec<_> = schedule.windows.iter().map(ToString::to_string).collect();
        let zone = schedule.time_zone.as_ref().map_or("UTC", |zone| zone.as_str());
        parts.push(format!("{} ({zone})", windows.join(" or ")));
    }
    parts.extend(schedule.not_before.map(|at| format!("not before {at}")));
    parts.join(", ")
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
