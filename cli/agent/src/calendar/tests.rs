//! Calendars beside hand-made tables, beside systemd and beside croner.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::calendar::Calendar;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a zone")
}

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("a time").as_second()
}

/// The slots of a calendar after `from`, as a clock in its zone shows them.
fn shown(calendar: &str, zone_name: &str, from: &str, number: usize) -> Vec<String> {
    let calendar = Calendar::parse(calendar).expect(calendar);
    let zone = zone(zone_name);
    let mut after = at(from);
    let mut found = Vec::new();
    while found.len() < number {
        after = calendar.next(&zone, after).expect("there are more");
        let here = Timestamp::from_second(after).expect("in range").to_zoned(zone.clone());
        found.push(here.strftime("%m-%d %H:%M%:z").to_string());
    }
    found
}

#[test]
fn the_odd_nights_of_london_and_berlin() {
    for words in ["30 1 * * *", "01:30"] {
        assert_eq!(
            shown(words, "Europe/London", "2027-03-26T12:00:00Z", 4),
            ["03-27 01:30+00:00", "03-28 02:00+01:00", "03-29 01:30+01:00", "03-30 01:30+01:00"],
        );
        assert_eq!(
            shown(words, "Europe/London", "2027-10-29T12:00:00Z", 4),
            ["10-30 01:30+01:00", "10-31 01:30+01:00", "11-01 01:30+00:00", "11-02 01:30+00:00"],
        );
    }
    for words in ["30 2 * * *", "*-*-* 02:30:00"] {
        assert_eq!(
            shown(words, "Europe/Berlin", "2027-03-26T12:00:00Z", 3),
            ["03-27 02:30+01:00", "03-28 03:00+02:00", "03-29 02:30+02:00"],
        );
        assert_eq!(
            shown(words, "Europe/Berlin", "2027-10-30T12:00:00Z", 3),
            ["10-31 02:30+02:00", "11-01 02:30+01:00", "11-02 02:30+01:00"],
        );
    }
    // Neither the first nor the last minute of an odd hour is moved or repeated by mistake.
    assert_eq!(
        shown("0 2,3 * * *", "Europe/Berlin", "2027-03-27T22:00:00Z", 3),
        ["03-28 03:00+02:00", "03-29 02:00+02:00", "03-29 03:00+02:00"],
    );
    assert_eq!(
        shown("0 3 * * *", "Europe/Berlin", "2027-10-30T22:00:00Z", 2),
        ["10-31 03:00+01:00", "11-01 03:00+01:00"],
    );
}

#[test]
fn a_calendar_of_every_hour_goes_by_the_hours_that_there_are() {
    for words in ["0 * * * *", "hourly", "*:00", "*-*-* 0/1:00"] {
        assert_eq!(
            shown(words, "Europe/Berlin", "2027-10-30T23:30:00Z", 4),
            ["10-31 02:00+02:00", "10-31 02:00+01:00", "10-31 03:00+01:00", "10-31 04:00+01:00"],
        );
        assert_eq!(
            shown(words, "Europe/Berlin", "2027-03-28T00:30:00Z", 2),
            ["03-28 03:00+02:00", "03-28 04:00+02:00"],
        );
    }
    assert_eq!(
        shown("every 6h", "Europe/Berlin", "2027-03-27T22:00:00Z", 3),
        ["03-28 01:00+01:00", "03-28 08:00+02:00", "03-28 14:00+02:00"],
    );
}

#[test]
fn zones_with_other_habits() {
    // Half an hour is set.
    assert_eq!(
        shown("15 2 * * *", "Australia/Lord_Howe", "2027-10-02T10:00:00Z", 2),
        ["10-03 02:30+11:00", "10-04 02:15+11:00"],
    );
    // A day that Samoa never had.
    assert_eq!(
        shown("30 1 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 2),
        ["12-31 00:00+14:00", "12-31 01:30+14:00"],
    );
    // The zone in the text counts.
    assert_eq!(
        shown("01:30 UTC", "Europe/Berlin", "2027-03-27T12:00:00Z", 2),
        ["03-28 03:30+02:00", "03-29 03:30+02:00"],
    );
    assert_eq!(
        shown("Sun 03:00 America/New_York", "UTC", "2027-01-01T00:00:00Z", 1),
        ["01-03 08:00+00:00"],
    );
}

#[test]
fn words_mean_what_systemd_says() {
    let vectors = include_str!("../../fixtures/calendars.tsv");
    let mut number = 0;
    for line in vectors.lines() {
        let (words, slots) = line.split_once('\t').expect("two columns");
        let calendar = Calendar::parse(words).expect(words);
        let mut after = at("2027-01-31T23:59:30Z");
        for slot in slots.split(' ') {
            after = calendar.next(&TimeZone::UTC, after).expect(words);
            assert_eq!(after, at(slot), "{words}: {slot}");
            number += 1;
        }
    }
    assert!(number > 300, "only {number} slots were compared");
}

#[test]
fn what_is_no_calendar_is_said() {
    for (text, words) in [
        ("", "empty"),
        ("25:00", "not from 0 to 23"),
        ("01:60", "not from 0 to 59"),
        ("Mon 01:30 02:00", "date"),
        ("nightly", "neither a weekday nor"),
        ("Montag 01:30", "neither a weekday nor"),
        ("30 25 * * *", "cron"),
        ("a b c d e", "cron"),
        ("0 0 30 2 *", "no day that ever comes"),
        ("*-02-30 01:00", "no day that ever comes"),
        ("1969-01-01", "not from 1970"),
        ("every", "span of time"),
        ("every 6", "span of time"),
        ("every 0s", "from 1s"),
        ("every 400d", "to 366d"),
        ("*:0/0", "step of 0"),
        ("01:30:00.5", "not a number"),
        ("01:30 Europe/Nowhere", "no time zone"),
        ("0 0 * * * *", "more than"),
        ("@reboot", "date"),
    ] {
        let error = Calendar::parse(text).expect_err(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

/// Calendars of all forms, with zones that set their clocks.
fn drawn() -> impl Strategy<Value = (String, &'static str)> {
    let zones = prop::sample::select(vec![
        "Europe/London",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Kolkata",
        "UTC",
    ]);
    let minute = 0..60_u8;
    let hours = prop_oneof![
        (0..24_u8).prop_map(|hour| hour.to_string()),
        Just("*".to_owned()),
        Just("*/5".to_owned()),
        (0..12_u8, 12..24_u8).prop_map(|(a, b)| format!("{a},{b}")),
    ];
    let days = prop_oneof![
        Just("* *".to_owned()),
        (1..32_u8).prop_map(|day| format!("{day} *")),
        (1..13_u8).prop_map(|month| format!("* {month}")),
    ];
    let weekday = prop_oneof![Just("*".to_owned()), (0..7_u8).prop_map(|day| day.to_string())];
    let cron = (minute, hours, days, weekday)
        .prop_map(|(minute, hours, days, weekday)| format!("{minute} {hours} {days} {weekday}"));
    let every = (1..100_000_u32).prop_map(|seconds| format!("every {seconds}s"));
    (prop_oneof![4 => cron, 1 => every], zones)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn slots_go_on_and_both_ways_agree((text, zone_name) in drawn(), from in 1_200_000_000_i64..2_200_000_000) {
        let calendar = Calendar::parse(&text).expect("drawn to be one");
        let zone = zone(zone_name);
        let mut slots = vec![];
        let mut after = from;
        for _ in 0..6 {
            let Some(next) = calendar.next(&zone, after) else { break };
            prop_assert!(next > after, "{} is not after {}", next, after);
            slots.push(next);
            after = next;
        }
        // From any instant between two slots, the older is the latest and the newer the next.
        for pair in slots.windows(2) {
            let between = pair[0] + (pair[1] - pair[0]) / 2;
            prop_assert_eq!(calendar.latest(&zone, from, pair[1] - 1), Some(pair[0]));
            prop_assert_eq!(calendar.next(&zone, between), Some(pair[1]));
            prop_assert_eq!(calendar.count(&zone, pair[0], pair[1], 10), Some((pair[1], 1)));
        }
        if let (Some(first), Some(last)) = (slots.first(), slots.last()) {
            let number = slots.len() as u64;
            prop_assert_eq!(calendar.count(&zone, from, *last, 100), Some((*first, number)));
            prop_assert_eq!(calendar.latest(&zone, *first, *first), None);
        }
    }
}
