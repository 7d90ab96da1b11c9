//! A chain whose end is gone, and with it all memory of it on this machine: somebody knew its head.

use serde_json::Value;

use crate::place::{Place, put};

fn verified(place: &Place, known: &[&str]) -> (i32, Value) {
    let words = known.iter().flat_map(|head| ["--known-head", *head]);
    let ran = place.run(["evidence", "verify", "--json"].into_iter().chain(words));
    (ran.exit, serde_json::from_str(&ran.stdout).unwrap_or_default())
}

fn head(verdict: &Value) -> String {
    let heads = verdict["heads"].as_object().expect("heads");
    let (place, hash) = heads.iter().next().expect("one chain");
    format!("{place}:{}", hash.as_str().expect("a hash"))
}

#[test]
fn an_end_that_was_cut_off_is_found_by_a_head_that_is_known() {
    let place = Place::with_repository();
    put(&place.path("source/file"), b"content");
    place.backup();
    place.run(["drill", "latest", "-q"]).expect(0);
    let (exit, early) = verified(&place, &[]);
    assert_eq!(exit, 0, "{early}");
    place.run(["drill", "latest", "-q"]).expect(0);
    let (_, late) = verified(&place, &[]);
    let (early, late) = (head(&early), head(&late));
    assert_ne!(early, late);
    let shown = place.run(["evidence", "verify"]).expect(0);
    assert!(shown.contains(&format!("ends with {late}")), "{shown}");
    let hash = |head: &str| head.split_once(':').map_or(String::new(), |(_, hash)| hash.to_owned());
    assert_eq!(verified(&place, &[&early, &late, &hash(&late)]).0, 0);
    // The last record goes, and so does what this machine remembers.
    let (writer, number) =
        late.split_once(':').and_then(|(at, _)| at.split_once('/')).expect("a place");
    let number: u32 = number.parse().expect("a number");
    let folder = place.path(&format!("repository/evidence/{writer}"));
    let name = format!("{number:08x}");
    let last = std::fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.path());
    let is_last = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(&name))
    };
    std::fs::remove_file(last.into_iter().find(is_last).expect("the last record")).expect("ours");
    std::fs::remove_dir_all(place.path("state")).expect("it is there");
    assert_eq!(verified(&place, &[&early]).0, 0, "nobody can know");
    let (exit, verdict) = verified(&place, &[&early, &late]);
    assert_eq!(exit, 20);
    assert!(verdict["flaws"][0].as_str().is_some_and(|it| it.contains("ends before")), "{verdict}");
    assert_eq!(verified(&place, &[&hash(&late)]).0, 20);
    // Another hash at a place that is there, another writer, and what is no head.
    let other =
        format!("{}{}", &early[..early.len() - 2], if early.ends_with("00") { "11" } else { "00" });
    let (exit, verdict) = verified(&place, &[&other]);
    assert_eq!(exit, 20);
    assert!(
        verdict["flaws"][0].as_str().is_some_and(|it| it.contains("another record")),
        "{verdict}"
    );
    let nobody = format!("{}/0:{}", "00".repeat(8), "00".repeat(32));
    assert_eq!(verified(&place, &[&nobody]).0, 20);
    assert_eq!(verified(&place, &["7"]).0, 2);
}
