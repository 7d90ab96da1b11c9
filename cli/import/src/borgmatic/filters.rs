//! What borgmatic leaves out: patterns, markers, flags of files.

use std::path::Path;

use crate::borgmatic::saved;
use crate::draft::Source;
use crate::pattern::Style;
use crate::translate::Work;
use crate::tree::{Place, Section};

/// Translates them.
pub(super) fn translate(work: &mut Work<'_>, source: &mut Source, section: &mut Section) {
    // In Borg the first pattern that fits decides, here the last one: so they are turned around, and what
    // Borg asks last comes first.
    let mut excludes = Vec::new();
    if let Some(node) = section.take("exclude_patterns") {
        for (place, text) in work.texts(&node) {
            excludes.extend(work.borg_pattern(&place, &text, Style::Fnmatch));
        }
    }
    from_files(work, source, section, &mut excludes);
    if let Some(node) = section.take("patterns") {
        let lines = work.texts(&node);
        excludes.extend(patterns(work, source, lines));
    }
    source.exclude.extend(excludes);
    flags(work, source, section);
}

/// Patterns in files.
fn from_files(
    work: &mut Work<'_>,
    source: &mut Source,
    section: &mut Section,
    excludes: &mut Vec<String>,
) {
    for (name, style) in [("exclude_from", Style::Fnmatch), ("patterns_from", Style::Shell)] {
        let Some(node) = section.take(name) else { continue };
        for (place, text) in work.texts(&node) {
            let read = work.judge.read(Path::new(&text));
            let content = match read {
                Ok(content) => content,
                Err(why) => {
                    let words = format!(
                        "the file could not be read ({why}); write its patterns into exclude"
                    );
                    work.report.to_do(&place, words);
                    continue;
                }
            };
            work.report.changed(
                &place,
                "patterns have another form here: those of the file were translated",
            );
            let lines = content.lines().map(str::trim);
            let lines: Vec<_> =
                lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
            if name == "exclude_from" {
                for line in lines {
                    excludes.extend(work.borg_pattern(&place, line, style));
                }
            } else {
                let lines =
                    lines.into_iter().map(|line| (place.clone(), line.to_owned())).collect();
                let mut found = patterns(work, source, lines);
                found.splice(0..0, std::mem::take(excludes));
                *excludes = found;
            }
        }
    }
}

/// Markers and flags.
fn flags(work: &mut Work<'_>, source: &mut Source, section: &mut Section) {
    if let Some(node) = section.take("exclude_if_present") {
        for (place, text) in work.texts(&node) {
            work.report.same(&place, "source.exclude-if-present");
            source.exclude_if_present.push(text);
        }
    }
    for (name, to) in [
        ("one_file_system", "one-file-system"),
        ("exclude_caches", "exclude-caches"),
        ("atime", "with-atime"),
    ] {
        let Some(node) = section.take(name) else { continue };
        let Some(flag) = work.flag(&node) else { continue };
        work.report.same(&node.place, &format!("source.{to}"));
        match to {
            "one-file-system" => source.one_file_system = flag,
            "exclude-caches" => source.exclude_caches = flag,
            _ => source.with_atime = flag,
        }
    }
    for (name, words) in [
        ("keep_exclude_tags", "a folder with a marker stays as an empty folder here"),
        ("exclude_nodump", "the flag nodump is not looked at: exclude those files by a pattern"),
        ("read_special", "devices and pipes are saved as what they are"),
        ("numeric_ids", "owners are saved by number and by name"),
        ("numeric_owner", "owners are saved by number and by name"),
        ("ctime", "times of change are looked at by themselves"),
        ("birthtime", "times of birth are not saved"),
        ("flags", "flags of files are not saved"),
        ("bsd_flags", "flags of files are not saved"),
    ] {
        if let Some(node) = section.take(name) {
            work.untold(name, &node, words);
        }
    }
}

/// Lines of `patterns`, turned around.
fn patterns(work: &mut Work<'_>, source: &mut Source, lines: Vec<(Place, String)>) -> Vec<String> {
    let mut style = Style::Shell;
    let mut found: Vec<Vec<String>> = Vec::new();
    for (place, line) in lines {
        let (sign, rest) = match line.split_at_checked(1) {
            Some((sign, rest)) => (sign, rest.trim_start()),
            None => {
                work.report.missing(&place, "an empty pattern");
                continue;
            }
        };
        match sign {
            "R" => saved(work, source, &place, rest),
            "P" => {
                work.report.same(&place, "source.exclude");
                style = match rest {
                    "fm" => Style::Fnmatch,
                    "pp" | "pf" => Style::Prefix,
                    _ => Style::Shell,
                };
            }
            "-" | "!" => {
                if sign == "!" {
                    work.report.changed(
                        &place,
                        "a pattern with `+` before it counts below this folder, too",
                    );
                }
                found.push(work.borg_pattern(&place, rest, style));
            }
            "+" => {
                let back = work.borg_pattern(&place, rest, style);
                found.push(back.into_iter().map(|one| format!("!{one}")).collect());
            }
            "#" => {}
            _ => work.report.to_do(&place, "this is no pattern that Borg knows"),
        }
    }
    found.into_iter().rev().flatten().collect()
}
