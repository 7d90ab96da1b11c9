//! Links in documents lead somewhere: to a file that is there, and to a heading that is in it. Tests that
//! the threat model names exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    add_documents(&root, false, &mut found);
    add_documents(&root.join("docs"), true, &mut found);
    found
}

fn add_documents(folder: &Path, with_folders: bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() && with_folders {
            add_documents(&path, with_folders, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The targets of `[text](target)` outside of code, with the line they stand in.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (number, line) in text.lines().enumerate() {
        in_code ^= line.trim_start().starts_with("```");
        let prose: String = line.split('`').step_by(2).collect();
        let mut rest = prose.as_str();
        while let Some((_, after)) = rest.split_once("](").filter(|_| !in_code) {
            let (target, tail) = after.split_once(')').unwrap_or((after, ""));
            found.push((number + 1, target.to_owned()));
            rest = tail;
        }
    }
    found
}

/// The anchor of a heading, as code hosts make it.
fn anchor(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
    heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

fn is_broken(from: &Path, target: &str) -> bool {
    if target.starts_with("https://") {
        return false;
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let folder = from.parent().expect("a document is in a folder");
    let path = if file.is_empty() { from.to_owned() } else { folder.join(file) };
    if heading.is_empty() {
        return !path.exists();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    !headings.map(|line| anchor(line.trim_start_matches('#'))).any(|one| one == heading)
}

#[test]
fn every_link_in_every_document_leads_somewhere() {
    let mut broken = Vec::new();
    let mut link_count = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document is text");
        for (line, target) in links(&text) {
            link_count += 1;
            if is_broken(&document, &target) {
                broken.push(format!("\n  {}:{line}: {target}", document.display()));
            }
        }
    }
    assert!(link_count > 10, "only {link_count} links were found");
    assert!(broken.is_empty(), "links that lead nowhere:{}", broken.concat());
}

#[test]
fn broken_links_are_noticed() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/README.md");
    let text = "see [a](nowhere.md), `[not](this.md)`, [b](README.md#documents)\n\
                ```\n[nor](that.md)\n```\n[c](README.md#no-such-heading)";
    let found = links(text);
    let lines: Vec<_> = found.iter().map(|(line, target)| (*line, target.as_str())).collect();
    let expected =
        [(1, "nowhere.md"), (1, "README.md#documents"), (5, "README.md#no-such-heading")];
    assert_eq!(lines, expected);
    let broken: Vec<_> = found.iter().map(|(_, target)| is_broken(&here, target)).collect();
    assert_eq!(broken, [true, false, true]);
}

/// Names of all functions below a folder of the repository.
fn add_functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("a folder can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            add_functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source of the repository");
            let heads = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
            found.extend(heads.filter_map(|head| Some(head.split_once('(')?.0.to_owned())));
        }
    }
}

/// A name of a test is a sentence, which no other word in code is.
fn is_sentence(word: &str) -> bool {
    let is_plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    word.chars().all(is_plain) && word.matches('_').count() >= 3
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut functions = BTreeSet::new();
    add_functions(&root, &mut functions);
    let text = fs::read_to_string(root.join("docs/THREAT_MODEL.md")).expect("it is there");
    let named: BTreeSet<_> =
        text.split('`').skip(1).step_by(2).filter(|it| is_sentence(it)).collect();
    assert!(named.len() > 30, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !functions.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
