use super::*;
use proptest::prelude::*;

fn schedule(zone: &str, windows: &[(&str, &str, &str)]) -> Schedule {
    let windows: Vec<_> = windows
        .iter()
        .map(|(days, from, until)| {
            json!({ "days": days.split(' ').collect::<Vec<_>>(), "from": from, "until": until })
        })
        .collect();
    serde_json::from_value(json!({ "time_zone": zone, "windows": windows })).unwrap()
}

fn at(text: &str) -> Millis {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn opens(schedule: &Schedule, now: &str) -> String {
    opening(schedule, at(now)).map_or("never".to_owned(), |at| at.timestamp().to_string())
}

#[test]
fn windows_open_at_their_time_of_the_day_in_their_zone() {
    let office =
        schedule("Europe/Berlin", &[("mon tue wed thu", "09:00", "17:00"), ("fri", "09:00", "12:00")]);
    for (now, expected) in [
        ("2026-11-20T07:59:59Z", "2026-11-20T08:00:00Z"), // Friday; winter time is UTC+1
        ("2026-11-20T10:59:59Z", "2026-11-20T10:59:59Z"),
        ("2026-11-20T11:00:00Z", "2026-11-23T08:00:00Z"),
        ("2026-07-06T06:59:00Z", "2026-07-06T07:00:00Z"), // summer time is UTC+2
    ] {
        assert_eq!(opens(&office, now), expected, "at {now}");
    }
}

#[test]
fn a_window_reaches_over_midnight_and_belongs_to_the_day_on_which_it_begins() {
    let night = schedule("UTC", &[("sat", "22:00", "04:00")]);
    for (now, expected) in [
        ("2026-11-21T21:00:00Z", "2026-11-21T22:00:00Z"),
        ("2026-11-22T03:59:59Z", "2026-11-22T03:59:59Z"),
        ("2026-11-22T04:00:00Z", "2026-11-28T22:00:00Z"),
        ("2026-11-22T22:30:00Z", "2026-11-28T22:00:00Z"), // Sunday is no day on which it begins
    ] {
        assert_eq!(opens(&night, now), expected, "at {now}");
    }
    let whole = schedule("UTC", &[("sun", "00:00", "24:00")]);
    assert_eq!(opens(&whole, "2026-11-22T23:59:59Z"), "2026-11-22T23:59:59Z");
    assert_eq!(opens(&whole, "2026-11-23T00:00:00Z"), "2026-11-29T00:00:00Z");
}

#[test]
fn clocks_that_are_changed_lengthen_shorten_or_swallow_a_window() {
    // In Berlin the clocks go from 02:00 to 03:00 on 2026-03-29 and from 03:00 to 02:00 on 2026-10-25, both Sundays.
    let swallowed = schedule("Europe/Berlin", &[("sun", "02:15", "02:45")]);
    assert_eq!(opens(&swallowed, "2026-03-29T00:00:00Z"), "2026-03-29T01:15:00Z", "a shifted window");
    let shorter = schedule("Europe/Berlin", &[("sat", "23:00", "04:00")]);
    assert_eq!(opens(&shorter, "2026-03-29T01:59:59Z"), "2026-03-29T01:59:59Z");
    assert_eq!(opens(&shorter, "2026-03-29T02:00:00Z"), "2026-04-04T21:00:00Z");
    assert_eq!(opens(&shorter, "2026-10-25T02:59:59Z"), "2026-10-25T02:59:59Z", "an hour longer");
    let past = schedule("Europe/Berlin", &[("sun", "02:30", "03:00")]);
    assert_eq!(opens(&past, "2026-03-29T01:00:00Z"), "2026-04-05T00:30:00Z", "an hour that is left out");
}

#[test]
fn it_opens_not_before_a_time_and_between_freezes_only() {
    let ann = Actor::system("test");
    let mut weekend = schedule("UTC", &[("sat sun", "10:00", "12:00")]);
    weekend.not_before = Some("2026-11-22T00:00:00Z".parse().unwrap());
    assert_eq!(opens(&weekend, "2026-11-21T11:00:00Z"), "2026-11-22T10:00:00Z");
    let frozen: FreezeWindow = serde_json::from_value(json!({
        "id": "x", "start": "2026-11-22T09:00:00Z", "end": "2026-11-22T12:30:00Z", "reason": "r",
    }))
    .unwrap();
    let between = |now| opening_between(&weekend, std::slice::from_ref(&frozen), &ann, at(now));
    assert_eq!(between("2026-11-21T11:00:00Z"), Some(at("2026-11-28T10:00:00Z")));
    let answer = answer(&weekend, std::slice::from_ref(&frozen), &ann, at("2026-11-22T11:00:00Z"));
    assert_eq!(answer.verdict, Verdict::new(VerdictResult::Pending, ReasonCode::Frozen));
    assert_eq!(words(&weekend), "sat sun 10:00–12:00 (UTC), not before 2026-11-22T00:00:00Z");
}

proptest! {
    /// Whatever the zone, the windows and the time: what is given is allowed, and nothing before it is
    #[test]
    fn the_time_that_is_given_is_the_earliest_that_is_allowed(
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]),
        days in prop::collection::btree_set(0usize..7, 1..4),
        from in 0u16..1_440, until in 0u16..=1_440, now in 0i64..64_000_000, early in 0i64..700_000,
    ) {
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let days: Vec<_> = days.into_iter().map(|day| names[day]).collect();
        let time = |m: u16| format!("{:02}:{:02}", m / 60, m % 60);
        let schedule = schedule(zone, &[(&days.join(" "), &time(from), &time(until))]);
        let now = Millis::from_secs(1_760_000_000 + now);
        let opens = opening(&schedule, now).unwrap();
        prop_assert!(now <= opens && opens.0 - now.0 <= 8 * 86_400_000 + 7 * 86_400_000);
        prop_assert_eq!(opening(&schedule, opens), Some(opens), "it is not allowed when it is said to be");
        let before = Millis(opens.0 - 1 - early.min(opens.0 - now.0 - 1).max(0) * 1_000);
        if before >= now {
            prop_assert_eq!(opening(&schedule, before), Some(opens), "it was allowed before, at {:?}", before);
        }
    }
}
