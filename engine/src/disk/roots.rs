//! The paths that a walk was asked for, and where they really are.
//!
//! A walk goes by real paths, so that a link above a source stays the link it is: each link on the
//! way to a named path is named too, and so is where it leads. A path that ends in a slash means
//! what a link leads to, as everywhere on the system.

use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, StatxFlags};
use rustix::io::Errno;

use crate::base::error::{Classified, ErrorClass};
use crate::base::limits::ROOT_MAX_LINKS;
use crate::base::monitor::Problem;
use crate::base::path::{TreePath, escape};
use crate::disk::error::DiskError;

/// A path that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// As it was asked for, without a slash at its end.
    pub asked: TreePath,
    /// Where it is, without links above it.
    pub path: TreePath,
    /// The links on the way, by their real paths.
    links: Vec<TreePath>,
}

impl Root {
    /// Finds out where a path is.
    ///
    /// # Errors
    /// [`DiskError::BadRoot`] for a path that is not absolute or contains `..`;
    /// [`DiskError::Io`] if it cannot be looked at.
    pub fn find(asked: &Path) -> Result<Self, DiskError> {
        let bytes = asked.as_os_str().as_bytes();
        let bad = |why: String| DiskError::BadRoot { path: escape(bytes), why };
        if !asked.is_absolute() {
            return Err(bad("is not absolute".to_owned()));
        }
        let wanted = TreePath::from_slashes(bytes)
            .map_err(|error| bad(format!("cannot be walked: {error}")))?;
        let is_followed = bytes.ends_with(b"/") || bytes.ends_with(b"/.");
        let failed = |errno| DiskError::io("looking for the source", &wanted, errno);
        let mut rest: VecDeque<Vec<u8>> = wanted.components().map(<[u8]>::to_vec).collect();
        let (mut path, mut links) = (TreePath::root(), Vec::new());
        let mut is_folder = true;
        while let Some(name) = rest.pop_front() {
            if name == b".." {
                path = path.parent().unwrap_or_default();
                continue;
            }
            let next = path.join(&name).map_err(|error| bad(error.to_string()))?;
            let kind = kind_of(&next).map_err(failed)?;
            is_folder = kind == FileType::Directory;
            if kind != FileType::Symlink || (rest.is_empty() && !is_followed) {
                path = next;
                continue;
            }
            if links.len() == ROOT_MAX_LINKS {
                return Err(failed(Errno::LOOP));
            }
            let target = rustix::fs::readlinkat(CWD, next.to_slashes(), Vec::new());
            let target = target.map_err(failed)?.into_bytes();
            if target.starts_with(b"/") {
                path = TreePath::root();
            }
            let names = target.split(|byte| *byte == b'/');
            let names = names.filter(|name| !name.is_empty() && *name != b".");
            for name in names.rev() {
                rest.push_front(name.to_vec());
            }
            links.push(next);
            is_folder = true;
        }
        if is_followed && !is_folder {
            return Err(failed(Errno::NOTDIR));
        }
        Ok(Self { asked: wanted, path, links })
    }
}

fn kind_of(path: &TreePath) -> Result<FileType, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let stat = rustix::fs::statx(CWD, path.to_slashes(), flags, StatxFlags::TYPE)?;
    Ok(FileType::from_raw_mode(u32::from(stat.stx_mode)))
}

/// Which of these roots do not exist, for callers that may go on without them: also what would lie
/// below a file, a file that is named as a folder, and links that lead nowhere.
#[must_use]
pub fn missing_roots(roots: &[PathBuf]) -> Vec<PathBuf> {
    let is_missing = |root: &&PathBuf| Root::find(root).is_err_and(|error| error.is_gone());
    roots.iter().filter(is_missing).cloned().collect()
}

/// Which of these roots this user may not look at, whether they are there or not, and why.
#[must_use]
pub fn closed_roots(roots: &[PathBuf]) -> Vec<(PathBuf, Problem)> {
    let closed = |root: &PathBuf| {
        let error = Root::find(root).err().filter(|error| error.class() == ErrorClass::Denied)?;
        let path = TreePath::from_slashes(root.as_os_str().as_bytes()).ok()?;
        Some((root.clone(), error.to_problem(&path)))
    };
    roots.iter().filter_map(closed).collect()
}

/// How a path lies to the named ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lead {
    /// Nothing at or below it is named.
    Nowhere,
    /// Something below it is named.
    Below,
    /// It is named itself.
    Here,
}

/// All named paths of a walk and the links that lead to them, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named {
    paths: Vec<TreePath>,
    /// Whether one of them lies below another, so that whole folders hold named paths too.
    is_nested: bool,
}

impl Named {
    pub(crate) fn new(roots: &[Root]) -> Self {
        let links = roots.iter().flat_map(|root| &root.links);
        let mut paths: Vec<_> = roots.iter().map(|root| &root.path).chain(links).cloned().collect();
        paths.sort();
        paths.dedup();
        let is_nested = paths.windows(2).any(|pair| pair[0].contains(&pair[1]));
        Self { paths, is_nested }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether something below a folder that is walked whole may be named.
    pub(crate) fn is_nested(&self) -> bool {
        self.is_nested
    }

    pub(crate) fn lead(&self, path: &TreePath) -> Lead {
        let at = self.paths.partition_point(|named| named < path);
        match self.paths.get(at) {
            Some(named) if named == path => Lead::Here,
            Some(named) if path.contains(named) => Lead::Below,
            _ => Lead::Nowhere,
        }
    }

    /// The names in the folder `path` that are named or lead to what is named, in order.
    pub(crate) fn names_in(&self, path: &TreePath) -> Vec<Vec<u8>> {
        let start = self.paths.partition_point(|named| named <= path);
        let below = self.paths[start..].iter().map_while(|named| path.strip_prefix_of(named));
        let mut names: Vec<Vec<u8>> =
            below.filter_map(|named| named.components().next().map(<[u8]>::to_vec)).collect();
        names.dedup();
        names
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test need no sync")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::from_slashes(text.as_bytes()).expect("because the test wrote a valid path")
    }

    #[test]
    fn links_on_the_way_are_followed_and_remembered() {
        let folder = tempfile::tempdir().expect("a folder");
        let base = folder.path().canonicalize().expect("it is there");
        std::fs::create_dir_all(base.join("usr/lib/inner")).expect("folders");
        std::fs::write(base.join("usr/lib/file"), b"").expect("a file");
        symlink("usr/lib", base.join("lib")).expect("a link");
        symlink(base.join("lib"), base.join("again")).expect("a link");
        symlink("../again/inner/..", base.join("usr/up")).expect("a link");
        symlink("loop", base.join("loop")).expect("a link");
        symlink("nowhere", base.join("dangling")).expect("a link");
        let find = |text: &str| Root::find(&base.join(text));
        let shown = |text: &str| {
            let root = find(text).expect("it is there");
            let base = TreePath::from_slashes(base.as_os_str().as_bytes()).expect("it is valid");
            let below = |path: &TreePath| base.strip_prefix_of(path).expect("below").to_string();
            (below(&root.path), root.links.iter().map(below).collect::<Vec<_>>())
        };
        let plain = |path: &str, links: &[&str]| {
            (path.to_owned(), links.iter().map(|link| (*link).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(shown("usr/lib"), plain("/usr/lib", &[]));
        assert_eq!(shown("lib"), plain("/lib", &[]));
        assert_eq!(shown("lib/"), plain("/usr/lib", &["/lib"]));
        assert_eq!(shown("lib/."), plain("/usr/lib", &["/lib"]));
        assert_eq!(shown("lib/file"), plain("/usr/lib/file", &["/lib"]));
        assert_eq!(shown("again/inner"), plain("/usr/lib/inner", &["/again", "/lib"]));
        assert_eq!(shown("usr/up/"), plain("/usr/lib", &["/usr/up", "/again", "/lib"]));
        assert_eq!(shown("dangling"), plain("/dangling", &[]));
        assert!(find("dangling/").is_err_and(|error| error.is_missing()));
        assert!(find("loop/").is_err() && find("loop/x").is_err() && find("loop").is_ok());
        assert!(find("usr/lib/file/").is_err_and(|error| !error.is_missing()));
        let gone =
            ["usr/lib/file/", "usr/lib/file/x", "loop/", "dangling/"].map(|one| base.join(one));
        assert_eq!(missing_roots(&[&gone[..], &[base.join("usr")]].concat()), gone);
        let asked = find("lib/").expect("it is there").asked;
        assert!(!asked.to_slashes().ends_with(b"/"));
    }

    #[test]
    fn named_paths_are_found_from_above() {
        let root = |text| Root { asked: path(text), path: path(text), links: Vec::new() };
        let named = Named::new(&[root("/b/x"), root("/a"), root("/a/b/c"), root("/b/x-y")]);
        assert!(named.is_nested());
        assert_eq!(named.lead(&path("/a")), Lead::Here);
        assert_eq!(named.lead(&path("/a/b")), Lead::Below);
        assert_eq!(named.lead(&path("/a/bb")), Lead::Nowhere);
        assert_eq!(named.lead(&TreePath::root()), Lead::Below);
        assert_eq!(named.names_in(&TreePath::root()), [b"a", b"b"]);
        assert_eq!(named.names_in(&path("/b")), [&b"x"[..], b"x-y"]);
        assert!(named.names_in(&path("/a/b/c")).is_empty());
        assert!(!Named::new(&[root("/a/b"), root("/a/bc")]).is_nested());
        assert_eq!(Named::new(&[root("/")]).lead(&TreePath::root()), Lead::Here);
    }
}
