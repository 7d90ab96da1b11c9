//! Every screen at 80 columns: no line that the terminal has to break.

use super::{Place, Terminal, noise, put, with_snapshots};

/// With everything that makes lines long: names, tags, labels, reasons.
fn with_long_names() -> Place {
    let place = with_snapshots();
    let long = "a file with a name of fifty characters, as some are.dat";
    put(&place.path("source/folder").join(long), &noise(700));
    std::os::unix::fs::symlink("/somewhere/else/in/another/folder", place.path("source/link"))
        .expect("a link can be made");
    let key = ["key", "add", "--role", "admin", "--to-key-file", "admin.key", "--label"];
    place.run([&key[..], &["the second administrator of the house in Berlin"]].concat()).expect(0);
    place
        .run([
            "backup",
            "-q",
            "source",
            "--tag",
            "nightly",
            "--host",
            "a-host-with-a-long-name.example",
        ])
        .expect(0);
    let why = "the case of a customer whose name and number are long, and who wants all of it kept";
    place.run(["hold", "add", "latest", "latest~1", "latest~2", "--reason", why]).expect(0);
    place.run(["hold", "add", "latest", "--reason", why, "--until", "90d"]).expect(0);
    place.run(["drill", "latest"]).expect(0);
    place.run(["check", "--read-data"]).expect(0);
    place
}

#[test]
fn every_screen_fits_eighty_columns() {
    let place = with_long_names();
    let source = place.path("source").display().to_string();
    let lines: &[(&[&str], i32)] = &[
        (&["snapshots", "--all", "-v"], 0),
        (&["snapshots", "--compact"], 0),
        (&["ls", "-l", "-R", "latest", &source], 0),
        (&["find", "*.dat", "*.bin", "link"], 0),
        (&["doctor"], 0),
        (&["evidence", "list"], 0),
        (&["evidence", "findings"], 0),
        (&["key", "list"], 0),
        (&["key", "test"], 0),
        (&["hold", "list"], 0),
        (&["stats"], 0),
        (&["check"], 0),
        (&["problems", "latest"], 0),
        (&["prune", "--dry-run"], 0),
        (&["forget", "--keep-daily", "7", "--keep-tag", "nightly", "--dry-run"], 0),
        (&["forget", "--keep-tag", "no-such-tag", "--dry-run"], 23),
        (&["policy", "simulate", "--keep-daily", "7", "--until", "1m"], 0),
        (&["diff", "latest~1", "latest"], 0),
        (&["history", &source], 0),
        (&["timeline"], 0),
        (&["restore", "latest", "--target", &source], 23),
        (&["probe"], 0),
        (&["cache", "clean"], 0),
    ];
    let mut all = Vec::new();
    for (line, exit) in lines {
        let line = [*line, &["--key-file", "admin.key"][..]].concat();
        let Some(terminal) = Terminal::show(&place, &line) else { return };
        let screen = terminal.wait_for(&[&format!("[ended {exit}]")]);
        // A path is never cut, and has a line of its own where it is too long.
        let mut broken = terminal.broken_lines();
        broken.retain(|line| !line.trim_start().starts_with('/'));
        if !broken.is_empty() {
            all.push(format!("{line:?}: {broken:#?}\n{screen}"));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn what_is_cut_on_a_terminal_is_whole_for_a_program() {
    let place = with_long_names();
    let holds = place.run(["hold", "list"]).expect(0);
    assert!(holds.contains("who wants all of it kept"), "{holds}");
    // One ends, one has no end, and neither is released.
    assert!(holds.contains("no end") && !holds.contains("released"), "{holds}");
    let keys = place.run(["key", "list"]).expect(0);
    assert!(keys.contains("the second administrator of the house in Berlin"), "{keys}");
    let records = place.run(["evidence", "list"]).expect(0);
    for words in ["1 hold added to 3 snapshots", "1 hold added to 1 snapshot", "passed at level"] {
        assert!(records.contains(words), "{words}: {records}");
    }
    let Some(terminal) = Terminal::show(&place, &["hold", "list"]) else { return };
    terminal.wait_for(&["ID", "Until", "the case of a", "…", "2 holds", "[ended 0]"]);
}

#[test]
fn a_path_that_does_not_fit_has_a_line_of_its_own() {
    let place = with_long_names();
    let source = place.path("source").display().to_string();
    let Some(terminal) = Terminal::show(&place, &["ls", "-l", "-R", "latest", &source]) else {
        return;
    };
    let screen = terminal.wait_for(&["[ended 0]"]);
    let own = format!("\n  {source}/folder/a file with a name");
    assert!(screen.contains(&own), "{screen}");
    assert!(screen.contains(&format!("  {source}/new")), "{screen}");
}

#[test]
fn a_bar_of_a_restore_fits_and_leaves_nothing_behind() {
    let place = Place::with_repository();
    put(&place.path("source").join("n".repeat(200)), &noise(4_000_000));
    place.backup();
    let line = ["restore", "latest", "--target", "back", "--limit-download", "500"];
    let Some(terminal) = Terminal::show(&place, &line) else { return };
    let during = terminal.wait_for(&["restoring", "nnnn"]);
    // One row for the bar and one for the path, of which the end is shown.
    let rows: Vec<_> = during.lines().filter(|row| !row.trim().is_empty()).collect();
    assert!(rows.len() == 2 && rows[0].starts_with("restoring"), "{during}");
    assert!(rows[1].starts_with("  …") && rows[1].trim_end().ends_with('n'), "{during}");
    let after = terminal.wait_for(&["restored to", "[ended 0]"]);
    assert!(!after.contains("restoring  "), "{after}");
}
