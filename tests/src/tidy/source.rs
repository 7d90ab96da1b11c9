//! Reads the packages of a workspace: every Rust file, and the module tree of every target.
//!
//! Targets are found as Cargo finds them (`src/lib.rs`, `src/main.rs`, `src/bin/*.rs`) and by the
//! `path = "….rs"` lines of the manifest. A `#[path]` attribute is not followed: the file it names
//! shows up as one that nothing leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::tidy::{Rule, Violation};

/// Packages from the lowest to the highest.
const PACKAGES: [&str; 8] =
    ["engine", "restore-verify", "cli/agent", "cli/alert", "cli/import", "cli", "tests", "benches"];

/// Folders that hold no source of the package they are in.
const SKIPPED_FOLDERS: [&str; 3] = ["target", "fixtures", "corpus"];

/// Folders whose targets are nothing but tests.
const TEST_FOLDERS: [&str; 3] = ["suite", "endurance", "year"];

/// One Rust file, whether or not a module leads to it.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Below the root of the workspace.
    pub path: PathBuf,
    /// Its text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// A module, with the items that stand directly in it.
#[derive(Clone)]
pub struct Module {
    /// Names from the root of the crate; empty for the root itself.
    pub path: Vec<String>,
    /// The file its items are in, below the root of the workspace.
    pub file: PathBuf,
    /// The line of its `mod` declaration in `declared_in`, 0 for the root.
    pub line: usize,
    /// The file with its `mod` declaration.
    pub declared_in: PathBuf,
    /// Its place among its siblings; test modules come after all others.
    pub position: usize,
    /// Whether it is compiled for tests only.
    pub is_test: bool,
    /// Its items without its modules.
    pub items: Vec<syn::Item>,
}

/// One target: a crate as the compiler sees it.
#[derive(Clone)]
pub struct Unit {
    /// The folder of its package: `engine`, `cli` …
    pub package: String,
    /// Its modules by path; the root has the empty path.
    pub modules: BTreeMap<Vec<String>, Module>,
}

/// Everything that was read.
#[derive(Clone, Default)]
pub struct Workspace {
    /// All Rust files, sorted by path.
    pub files: Vec<SourceFile>,
    /// All targets.
    pub units: Vec<Unit>,
    /// What was wrong already while reading: files that do not parse or hang in the air.
    pub faults: Vec<Violation>,
}

impl Workspace {
    /// Reads the packages below `root`.
    ///
    /// # Errors
    /// When a file or folder cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut workspace = Self::default();
        for package in PACKAGES {
            if root.join(package).is_dir() {
                workspace.read_package(root, package)?;
            }
        }
        Ok(workspace)
    }

    fn read_package(&mut self, root: &Path, package: &str) -> io::Result<()> {
        let mut folders = vec![PathBuf::from(package)];
        let (mut paths, mut manifests) = (Vec::new(), Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(root.join(&folder))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = folder.join(&name);
                if entry.file_type()?.is_dir() {
                    // A package within another is read for itself.
                    let is_package = PACKAGES.iter().any(|package| path == Path::new(package));
                    if !is_package
                        && !SKIPPED_FOLDERS.contains(&name.as_str())
                        && !name.starts_with('.')
                    {
                        folders.push(path);
                    }
                } else if name.ends_with(".rs") {
                    paths.push(path);
                } else if name == "Cargo.toml" {
                    manifests.push(path);
                }
            }
        }
        paths.sort();
        let mut reached = BTreeSet::new();
        let manifest_texts = manifests
            .iter()
            .map(|path| Ok((path.clone(), fs::read_to_string(root.join(path))?)))
            .collect::<io::Result<Vec<_>>>()?;
        for start in paths.iter().filter(|path| is_root(path, &manifest_texts)) {
            let unit = self.read_unit(root, package, start, &mut reached)?;
            self.units.push(unit);
        }
        for path in paths {
            let text = String::from_utf8_lossy(&fs::read(root.join(&path))?).into_owned();
            if !reached.contains(&path) {
                self.fault(
                    &path,
                    0,
                    Rule::Orphan,
                    "no `mod` line leads to this file: add one, or \
                    delete the file",
                );
            }
            self.files.push(SourceFile { path, text });
        }
        Ok(())
    }

    fn read_unit(
        &mut self,
        root: &Path,
        package: &str,
        start: &Path,
        reached: &mut BTreeSet<PathBuf>,
    ) -> io::Result<Unit> {
        let mut unit = Unit { package: package.to_owned(), modules: BTreeMap::new() };
        let items = self.parse(root, start, reached)?;
        let top = Module {
            path: Vec::new(),
            file: start.to_owned(),
            line: 0,
            declared_in: start.to_owned(),
            position: 0,
            is_test: TEST_FOLDERS
                .iter()
                .any(|name| start.components().any(|part| part.as_os_str() == *name)),
            items,
        };
        let folder = start.parent().map(Path::to_owned).unwrap_or_default();
        let mut open = vec![(top, folder)];
        while let Some((mut module, folder)) = open.pop() {
            for (position, item) in std::mem::take(&mut module.items).into_iter().enumerate() {
                let syn::Item::Mod(declared) = item else {
                    module.items.push(item);
                    continue;
                };
                let child = self.read_child(root, &module, &folder, declared, position, reached)?;
                open.extend(child);
            }
            unit.modules.insert(module.path.clone(), module);
        }
        Ok(unit)
    }

    /// The module behind a `mod` item, and the folder in which its own children are looked for.
    fn read_child(
        &mut self,
        root: &Path,
        parent: &Module,
        folder: &Path,
        declared: syn::ItemMod,
        position: usize,
        reached: &mut BTreeSet<PathBuf>,
    ) -> io::Result<Option<(Module, PathBuf)>> {
        let name = declared.ident.to_string();
        let line = declared.ident.span().start().line;
        let only_tests = name == "tests" || is_test_only(&declared.attrs);
        let mut child = Module {
            path: parent.path.iter().cloned().chain([name.clone()]).collect(),
            file: parent.file.clone(),
            line,
            declared_in: parent.file.clone(),
            position: if only_tests { usize::MAX } else { position },
            is_test: parent.is_test || only_tests,
            items: Vec::new(),
        };
        if let Some((_, items)) = declared.content {
            child.items = items;
            return Ok(Some((child, folder.join(name))));
        }
        let flat = folder.join(format!("{name}.rs"));
        let nested = folder.join(&name).join("mod.rs");
        let Some(file) = [flat, nested].into_iter().find(|file| root.join(file).is_file()) else {
            self.fault(&parent.file, line, Rule::Orphan, &format!(
                "`mod {name}` leads to no file: write {name}.rs or {name}/mod.rs, or drop the line"
            ));
            return Ok(None);
        };
        child.items = self.parse(root, &file, reached)?;
        child.file = file;
        Ok(Some((child, folder.join(name))))
    }

    fn parse(
        &mut self,
        root: &Path,
        path: &Path,
        reached: &mut BTreeSet<PathBuf>,
    ) -> io::Result<Vec<syn::Item>> {
        reached.insert(path.to_owned());
        let text = String::from_utf8_lossy(&fs::read(root.join(path))?).into_owned();
        Ok(syn::parse_file(&text).map(|file| file.items).unwrap_or_else(|error| {
            let line = error.span().start().line;
            self.fault(path, line, Rule::Unparsed, &format!("this is no Rust: {error}"));
            Vec::new()
        }))
    }

    fn fault(&mut self, file: &Path, line: usize, rule: Rule, text: &str) {
        self.faults.push(Violation { file: file.to_owned(), line, rule, text: text.to_owned() });
    }
}

/// Whether attributes keep an item out of everything but tests.
#[must_use]
pub fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let words = list.tokens.to_string();
            let mut words = words.split(|letter: char| !letter.is_alphanumeric());
            words.clone().any(|word| word == "test") && !words.any(|word| word == "not")
        }
        syn::Meta::Path(path) => path.is_ident("test"),
        _ => false,
    })
}

/// Whether Cargo would start a target at `path`.
fn is_root(path: &Path, manifests: &[(PathBuf, String)]) -> bool {
    manifests.iter().any(|(manifest, text)| {
        let package = manifest.parent().unwrap_or(Path::new(""));
        let Ok(inside) = path.strip_prefix(package) else { return false };
        let inside = inside.to_string_lossy();
        let in_bin = inside.strip_prefix("src/bin/").is_some_and(|name| !name.contains('/'));
        ["src/lib.rs", "src/main.rs", "build.rs"].contains(&&*inside)
            || in_bin
            || text.contains(&format!("path = \"{inside}\""))
    })
}
