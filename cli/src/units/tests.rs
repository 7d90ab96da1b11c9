//! Tables and properties of reading and writing quantities.

use std::time::Duration;

use engine::base::time::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::{any, proptest};

use super::*;

#[test]
fn sizes_that_are_understood() {
    for (text, bytes) in [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("1K", 1024),
        ("10k", 10 << 10),
        ("10M", 10 << 20),
        ("1.5GiB", 3 << 29),
        ("1.50 GiB", 3 << 29),
        ("0.1K", 102),
        ("15.999999999999999999E", u64::MAX - 1),
        ("18446744073709551615", u64::MAX),
    ] {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }
}

#[test]
fn sizes_that_are_refused_show_the_form() {
    for text in [
        "",
        "-1",
        "x",
        ".5M",
        "5.M",
        "1.2.3M",
        "10MB",
        "10KB",
        "10 MiBs",
        "10X",
        "16E",
        "1e3",
        "18446744073709551616",
        "99999999999999999999999",
        "１0M",
        "10  M",
        "+5",
        "0.0000000000000000001K",
    ] {
        let error = parse_size(text).expect_err(text);
        assert!(error.to_string().contains("1.5GiB"), "{error}");
    }
}

#[test]
fn sizes_are_written_with_three_digits() {
    for (bytes, text) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1536, "1.50 KiB"),
        (10 << 20, "10.0 MiB"),
        (1023 << 20, "1023 MiB"),
        ((1 << 30) - 1, "1.00 GiB"),
        (u64::MAX, "16.0 EiB"),
    ] {
        assert_eq!(size(bytes), text);
    }
    assert_eq!(rate(-1.0), "0 B/s");
    assert_eq!(rate(1.5 * 1024.0 * 1024.0), "1.50 MiB/s");
}

#[test]
fn counts_and_percentages() {
    assert_eq!(count(0), "0");
    assert_eq!(count(999), "999");
    assert_eq!(count(1_234_567), "1,234,567");
    assert_eq!(percent(999_999, 1_000_000), "99.9 %");
    assert_eq!(percent(7, 7), "100.0 %");
    assert_eq!(percent(9, 7), "100.0 %");
    assert_eq!(percent(u64::MAX - 1, u64::MAX), "99.9 %");
    assert_eq!(parse_percent("2.5%"), Ok(2.5));
    for text in ["0%", "100.1%", "5", "%", "-1%", "inf%", "nan%", "1e1%"] {
        assert!(parse_percent(text).is_err(), "{text}");
    }
}

#[test]
fn durations_both_ways() {
    for (text, seconds) in [("0s", 0), ("30s", 30), ("1d12h", 129_600), ("4w", 2_419_200)] {
        assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    for text in ["", "5", "h", "-5m", "5y", "5m 3s", "99999999999999999999s", "9999999999999999w"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
    for (millis, text) in [
        (420, "0.42 s"),
        (42_000, "42.0 s"),
        (192_000, "3m12s"),
        (7_380_000, "2h03m"),
        (273_600_000, "3d04h"),
    ] {
        assert_eq!(duration(Duration::from_millis(millis)), text);
    }
}

#[test]
fn times_name_their_zone_and_survive_nonsense() {
    let time = Timestamp { seconds: 1_795_194_000, nanos: 0 };
    assert_eq!(rfc3339(time), "2026-11-20T17:00:00Z");
    let zone = TimeZone::get("Europe/Berlin").expect("because zones are bundled or installed");
    assert_eq!(local_time(time, &zone), "2026-11-20 18:00:00 CET");
    let far = Timestamp { seconds: i64::MAX, nanos: 0 };
    assert_eq!(rfc3339(far), format!("@{}", i64::MAX));
    assert_eq!(local_time(far, &zone), format!("@{}", i64::MAX));
}

proptest! {
    #[test]
    fn a_printed_size_is_understood_and_close(bytes in any::<u64>()) {
        // The largest sizes round up to 16 EiB, which is one byte more than there is.
        proptest::prop_assume!(bytes < u64::MAX - (u64::MAX >> 6));
        let again = parse_size(&size(bytes)).map_err(|e| {
            proptest::test_runner::TestCaseError::fail(e.to_string())
        })?;
        let off = again.abs_diff(bytes);
        proptest::prop_assert!(off <= bytes / 100 + 1, "{bytes} became {again}");
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,40}") {
        let _ = parse_size(&text);
        let _ = parse_duration(&text);
        let _ = parse_percent(&text);
    }
}

#[test]
fn short_forms_fit_their_columns() {
    for (number, text) in [
        (0, "0"),
        (99_999, "99,999"),
        (100_000, "100k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (12_345_678, "12.3M"),
        (u64::MAX, "18.4E"),
    ] {
        assert_eq!(short_count(number), text);
    }
    for (seconds, text) in [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (86_400, "24h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (999 * 86_400, "999d"),
        (1000 * 86_400, "2y"),
    ] {
        assert_eq!(age(Duration::from_secs(seconds)), text);
    }
    assert_eq!(whole_duration(Duration::from_millis(9_999)), "9s");
    assert_eq!(whole_duration(Duration::from_secs(192)), "3m12s");
}
