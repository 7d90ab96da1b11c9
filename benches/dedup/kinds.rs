//! Kinds of data: folders at one depth, in two versions.

use std::io;
use std::path::{Path, PathBuf};

/// All files of one kind.
pub(crate) struct Kind {
    pub(crate) name: String,
    pub(crate) first: Vec<PathBuf>,
    pub(crate) second: Vec<PathBuf>,
    pub(crate) first_bytes: u64,
}

/// The folders `depth` levels below `first`, and what the same ones below `second` hold.
pub(crate) fn kinds(first: &Path, second: &Path, depth: u32) -> io::Result<Vec<Kind>> {
    let mut names = vec![PathBuf::new()];
    for _ in 0..depth {
        let mut below = Vec::new();
        for name in names {
            let folders = sorted(&first.join(&name))?.into_iter().filter(|path| is_folder(path));
            below.extend(folders.filter_map(|path| Some(name.join(path.file_name()?))));
        }
        names = below;
    }
    let mut kinds = Vec::new();
    for name in names {
        let (mut files, mut later) = (Vec::new(), Vec::new());
        collect(&first.join(&name), &mut files)?;
        if second.join(&name).exists() {
            collect(&second.join(&name), &mut later)?;
        }
        let mut first_bytes = 0;
        for file in &files {
            first_bytes += file.metadata()?.len();
        }
        let name = name.display().to_string();
        kinds.push(Kind { name, first: files, second: later, first_bytes });
    }
    kinds.retain(|kind| !kind.first.is_empty());
    Ok(kinds)
}

/// Plain files below `folder`, in the order in which a backup meets them.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for path in sorted(folder)? {
        let kind = path.symlink_metadata()?.file_type();
        if kind.is_dir() {
            collect(&path, files)?;
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}
