//! What a backup is of: paths and lists of paths, checked before anything is stored.
//!
//! A path that is not there is most often a typing error or a disk that is not mounted; a snapshot
//! without it would look like a backup. So it stops the run unless the user said otherwise.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use engine::base::monitor::Problem;
use engine::base::path::{TreePath, escape};
use engine::disk::exclude::{ExcludeOptions, IfPresent, PathMatcher, parse_pattern_file};
use engine::disk::walk::{closed_roots, missing_roots};

use crate::args::backup::{BackupArgs, ExcludeArgs, ListArgs};
use crate::command::context::Context;
use crate::command::place::{absolute, is_inside};
use crate::command::trouble;
use crate::config::surroundings::Surroundings;
use crate::fault::Fault;

/// Largest list of paths: more do not fit a snapshot record anyhow.
const LIST_MAX_BYTES: u64 = 64 << 20;

/// The paths to save.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// Absolute, each once, in order; one that ends in a slash means what a link leads to.
    pub paths: Vec<PathBuf>,
    /// Those that are not there, if that is allowed.
    pub missing: Vec<PathBuf>,
    /// Those that this user may not look at.
    pub closed: Vec<Problem>,
}

/// The paths to save.
///
/// # Errors
/// A fault of usage for paths that are missing or cannot be saved, of the local machine if there is
/// none.
pub fn paths(args: &BackupArgs, context: &Context<'_>) -> Result<Named, Fault> {
    let mut paths = Vec::new();
    for path in &args.paths {
        paths.push(named(path, context.around)?);
    }
    add_lists(&args.list, context.around, &mut paths)?;
    // Not as paths, to which a slash at the end is nothing.
    paths.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    paths.dedup_by(|a, b| a.as_os_str() == b.as_os_str());
    if paths.is_empty() && !args.allow_empty {
        return Err(Fault::local("the lists of what to save name no path, so nothing was saved")
            .hint("correct the list; --allow-empty makes a snapshot of nothing"));
    }
    note_links(&paths, context);
    let closed = take_closed(&mut paths)?;
    let missing = missing_roots(&paths);
    if missing.is_empty() {
        return Ok(Named { paths, missing, closed });
    }
    let names: Vec<_> = missing.iter().map(|path| shown(path)).collect();
    let names = names.join(", ");
    if !args.allow_missing {
        return Err(Fault::usage(format!("{names}: not there, so nothing was saved"))
            .hint("correct the path or mount what is missing; --allow-missing goes on without"));
    }
    paths.retain(|path| !missing.iter().any(|it| it.as_os_str() == path.as_os_str()));
    if paths.is_empty() {
        return Err(Fault::usage(format!("{names}: none of the paths is there"))
            .hint("correct the paths or mount what is missing"));
    }
    context.ui.note(&format!("not there and left out: {names}"));
    Ok(Named { paths, missing, closed })
}

/// Takes out what this user may not look at: the rest is saved all the same.
///
/// # Errors
/// A fault of the local machine if nothing remains.
fn take_closed(paths: &mut Vec<PathBuf>) -> Result<Vec<Problem>, Fault> {
    let closed = closed_roots(paths);
    paths.retain(|path| !closed.iter().any(|(it, _)| it.as_os_str() == path.as_os_str()));
    match closed.first() {
        Some((path, problem)) if paths.is_empty() => {
            Err(Fault::local(format!("{}: {}, so nothing was saved", shown(path), problem.why))
                .hint(
                    "look at the permissions of the folders above it, or run this as another user",
                ))
        }
        _ => Ok(closed.into_iter().map(|(_, problem)| problem).collect()),
    }
}

/// A link to a folder is saved as a link: that may not be what was meant.
fn note_links(paths: &[PathBuf], context: &Context<'_>) {
    let mut links = paths.iter().filter(|path| {
        !path.as_os_str().as_bytes().ends_with(b"/") && path.is_symlink() && path.is_dir()
    });
    if let Some(first) = links.next() {
        let shown = shown(first);
        let others = match links.count() {
            0 => String::new(),
            1 => ", and so is 1 other path".to_owned(),
            more => format!(", and so are {more} other paths"),
        };
        context.ui.note(&format!(
            "{shown} is a link and saved as one{others}; {shown}/ means what it leads to"
        ));
    }
}

/// A path as it was named, absolute; a slash at its end stays.
fn named(path: &OsStr, around: &Surroundings) -> Result<PathBuf, Fault> {
    let mut named = absolute(Path::new(path), around)?.into_os_string();
    let bytes = path.as_bytes();
    if (bytes.ends_with(b"/") || bytes.ends_with(b"/.")) && !named.as_bytes().ends_with(b"/") {
        named.push("/");
    }
    Ok(PathBuf::from(named))
}

/// Whether all `paths` lie outside of `folder`, which is `what`.
///
/// # Errors
/// A refusal that names the first that does not.
pub fn require_outside(paths: &[PathBuf], folder: &Path, what: &str) -> Result<(), Fault> {
    match paths.iter().find(|path| is_inside(path, folder)) {
        None => Ok(()),
        Some(path) => Err(Fault::refused(format!("{} lies inside {what}", shown(path)))
            .hint("save something else: a backup cannot contain itself")),
    }
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_bytes())
}

fn add_lists(
    args: &ListArgs,
    around: &Surroundings,
    paths: &mut Vec<PathBuf>,
) -> Result<(), Fault> {
    for file in &args.files_from {
        let bytes = read_list(file, around)?;
        for line in bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
            if !line.is_empty() && !line.starts_with(b"#") {
                let pattern = named(OsStr::from_bytes(line), around)?;
                paths.extend(expand(&pattern)?);
            }
        }
    }
    for (files, end) in [(&args.files_from_verbatim, b'\n'), (&args.files_from_raw, b'\0')] {
        for file in files {
            let bytes = read_list(file, around)?;
            for name in bytes.split(|byte| *byte == end).filter(|name| !name.is_empty()) {
                paths.push(named(OsStr::from_bytes(name), around)?);
            }
        }
    }
    Ok(())
}

fn read_list(file: &Path, around: &Surroundings) -> Result<Vec<u8>, Fault> {
    let failed = |error: &std::io::Error| {
        Fault::usage(format!("cannot read the list {}", file.display())).because(error)
    };
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        let mut stdin = around.stdin.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Read::take(&mut *stdin, LIST_MAX_BYTES).read_to_end(&mut bytes)
    } else {
        let opened = std::fs::File::open(around.absolute(file));
        opened.and_then(|file| file.take(LIST_MAX_BYTES).read_to_end(&mut bytes))
    };
    match read {
        Err(error) => Err(failed(&error)),
        Ok(_) if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") => {
            Err(Fault::usage(format!("the list {} is in UTF-16", file.display()))
                .hint("save it as UTF-8, or turn it into that: iconv -f UTF-16 -t UTF-8"))
        }
        Ok(count) if count as u64 == LIST_MAX_BYTES => {
            Err(Fault::usage(format!("the list {} is too long", file.display()))
                .hint("name the folders instead of each file in them"))
        }
        Ok(_) => Ok(bytes),
    }
}

/// The paths that a pattern stands for; a pattern that nothing matches stands for itself, so that
/// it is reported as missing.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        };
        let text = name.to_str().filter(|text| text.contains(['*', '?', '[']));
        let Some(text) = text else {
            found.iter_mut().for_each(|path| path.push(name));
            continue;
        };
        let matcher =
            PathMatcher::new(&[text.to_owned()], false).map_err(|error| trouble::disk(&error))?;
        let hides_dots = !text.starts_with('.');
        found = found
            .iter()
            .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten())
            .filter(|entry| !(hides_dots && entry.file_name().as_bytes().starts_with(b".")))
            .filter(|entry| {
                let name = TreePath::root().join(entry.file_name().as_bytes());
                name.is_ok_and(|name| matcher.matches(&name))
            })
            .map(|entry| entry.path())
            .collect();
    }
    if pattern.as_os_str().as_bytes().ends_with(b"/") {
        // Joined with nothing, a path ends in a slash.
        found.retain(|path| path.is_dir());
        found.iter_mut().for_each(|path| path.push(""));
    }
    Ok(if found.is_empty() { vec![pattern.to_owned()] } else { found })
}

/// What is left out.
///
/// # Errors
/// A fault of usage for a file of patterns that cannot be read and for names that are not UTF-8.
pub fn excludes(args: &ExcludeArgs, around: &Surroundings) -> Result<ExcludeOptions, Fault> {
    let mut patterns = args.exclude.clone();
    for file in &args.exclude_file {
        let text = std::fs::read_to_string(around.absolute(file)).map_err(|error| {
            Fault::usage(format!("cannot read the patterns in {}", file.display())).because(&error)
        })?;
        patterns.extend(parse_pattern_file(&text));
    }
    let mut if_present = Vec::new();
    for marker in &args.exclude_if_present {
        let text = |bytes: OsString| {
            bytes.into_string().map_err(|_| {
                Fault::usage("a value of --exclude-if-present is not UTF-8")
                    .hint("leave such folders out by --exclude, with `?` for the odd byte")
            })
        };
        let header = marker.header.clone().map(|bytes| text(OsString::from_vec(bytes)));
        if_present
            .push(IfPresent { name: text(marker.name.clone())?, header: header.transpose()? });
    }
    let options = ExcludeOptions {
        patterns,
        patterns_ignore_case: args.iexclude.clone(),
        exclude_caches: args.exclude_caches,
        if_present,
        larger_than_bytes: args.exclude_larger_than,
        one_file_system: args.one_file_system,
    };
    // Now, while nothing has been opened, is the time to find out that a pattern is none.
    engine::disk::exclude::Excludes::new(&options).map_err(|error| trouble::disk(&error))?;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_a_list_stand_for_what_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.txt", "b.txt", ".c.txt", "d.md"] {
            std::fs::File::create(folder.path().join(name)).expect("a file");
        }
        let expanded = |pattern: &str| {
            let mut found = expand(&folder.path().join(pattern)).unwrap_or_default();
            found.sort();
            let names = found.iter().filter_map(|path| path.file_name()?.to_str());
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(expanded("*.txt"), ["a.txt", "b.txt"]);
        assert_eq!(expanded(".*.txt"), [".c.txt"]);
        assert_eq!(expanded("[bd].*"), ["b.txt", "d.md"]);
        assert_eq!(expanded("*.pdf"), ["*.pdf"]);
        assert_eq!(expanded("plain"), ["plain"]);
    }
}
