//! A day in a minute: one pass of cron after the other, each by a false clock, through the night in which
//! clocks in London are set forward.

use serde_json::Value;

use crate::by_itself::{configure, messages};
use crate::clocks;
use crate::place::Place;

/// Two hours lie between slots on the wall, and one of them where the clock is set: made by hand.
const SLOTS: [&str; 14] = [
    // What was never saved is due at once.
    "2027-03-27T22:30:00Z",
    "2027-03-28T00:30:00Z",
    "2027-03-28T01:30:00Z",
    "2027-03-28T03:30:00Z",
    "2027-03-28T05:30:00Z",
    "2027-03-28T07:30:00Z",
    "2027-03-28T09:30:00Z",
    "2027-03-28T11:30:00Z",
    "2027-03-28T13:30:00Z",
    "2027-03-28T15:30:00Z",
    "2027-03-28T17:30:00Z",
    "2027-03-28T19:30:00Z",
    "2027-03-28T21:30:00Z",
    "2027-03-28T23:30:00Z",
];

#[test]
fn a_day_by_a_false_clock_has_each_slot_once() {
    let Some(library) = clocks::library() else { return };
    let place = Place::with_repository();
    configure(&place, "30 */2 * * *", "host = \"web1\"\ntime-zone = \"Europe/London\"");
    let pass = |minute: i64| {
        let (day, hour) = (28 + minute / 1440, minute / 60 % 24);
        let clock = format!("@2027-03-{day:02} {hour:02}:{:02}:05", minute % 60);
        let words = ["run", "--due", "--json", "--config", "acme.toml"];
        messages(&clocks::at(&library, &place, &clock, &words).expect(0))
    };
    let mut slots = Vec::new();
    for minute in (0..1440).step_by(30) {
        let told = pass(minute);
        slots.extend(told.iter().filter(|run| run["system"] != Value::Null).map(|run| {
            assert_eq!(run["outcome"], "ok", "{run}");
            run["slot"].as_str().unwrap_or_default().to_owned()
        }));
    }
    assert_eq!(slots, SLOTS);
    let words = ["outcomes", "--json", "--since", "2027-03-27"];
    let told = clocks::at(&library, &place, "@2027-03-29 00:00:00", &words).expect(0);
    let told: Vec<_> = messages(&told).iter().map(|one| one["slot"].clone()).collect();
    assert_eq!(told, SLOTS.map(Value::from));
}
