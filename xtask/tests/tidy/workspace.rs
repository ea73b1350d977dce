//! The repository as these tests see it: folders, files, and the workspace's members.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// The repository's root.
pub fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// The text of a file, by its path from the root.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A TOML file, by its path from the root.
pub fn read_toml(path: &str) -> Table {
    read(path).parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The folders in a folder, sorted, as paths from the root; none if it is not there.
pub fn folders(parent: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(parent)).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name());
    let mut folders: Vec<_> = names.map(|name| format!("{parent}/{}", name.to_string_lossy())).collect();
    folders.sort();
    folders
}

/// All files below a folder whose name passes, sorted, as paths from the root; build folders are left out.
pub fn files(parent: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = vec![];
    collect(&root().join(parent), &wanted, &mut found);
    let root = root();
    let relative = |path: &Path| path.strip_prefix(&root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let mut files: Vec<_> = found.iter().map(|path| relative(path)).collect();
    files.sort();
    files
}

fn collect(folder: &Path, wanted: &impl Fn(&str) -> bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.path() {
            path if path.is_dir() && name != "target" && name != ".git" => collect(&path, wanted, found),
            path if path.is_file() && wanted(&name) => found.push(path),
            _ => {}
        }
    }
}

/// A member of the workspace.
pub struct Member {
    /// Its folder, as a path from the root.
    pub folder: String,
    /// Its Cargo.toml.
    pub manifest: Table,
}

/// All members, as the root's Cargo.toml lists them.
pub fn members() -> Vec<Member> {
    let root = read_toml("Cargo.toml");
    let listed = root["workspace"]["members"].as_array().expect("`members` is a list");
    let folders = listed.iter().filter_map(Value::as_str).flat_map(|listed| match listed.strip_suffix("/*") {
        Some(parent) => folders(parent),
        None => vec![listed.to_owned()],
    });
    let member = |folder: String| Member { manifest: read_toml(&format!("{folder}/Cargo.toml")), folder };
    folders.map(member).collect()
}

/// Which tables of dependencies to include.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dependencies {
    /// Those of the crate itself.
    Normal,
    /// Those of the crate itself, its tests and its build script.
    All,
}

impl Member {
    pub fn name(&self) -> &str {
        self.manifest["package"]["name"].as_str().expect("`name` is a string")
    }

    /// The names of its dependencies.
    pub fn dependencies(&self, which: Dependencies) -> BTreeSet<String> {
        let tables = dependency_tables(&self.manifest).into_iter();
        let tables = tables.filter(|(table, _)| which == Dependencies::All || is_normal(table));
        tables.flat_map(|(_, table)| table.keys().cloned()).collect()
    }

    pub fn is_plugin(&self) -> bool {
        self.folder.starts_with("plugins/")
    }
}

fn is_normal(table: &str) -> bool {
    !table.contains("dev-dependencies") && !table.contains("build-dependencies")
}

/// Every table of dependencies in a manifest, under its heading: the usual three, and those of single platforms.
pub fn dependency_tables(manifest: &Table) -> Vec<(String, &Table)> {
    let mut tables = of_one_platform(manifest, "");
    for (platform, table) in manifest.get("target").and_then(Value::as_table).into_iter().flatten() {
        let table = table.as_table().expect("a platform is a table");
        tables.extend(of_one_platform(table, &format!("target.{platform}.")));
    }
    tables
}

fn of_one_platform<'a>(manifest: &'a Table, prefix: &str) -> Vec<(String, &'a Table)> {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"].into_iter();
    kinds.filter_map(|kind| Some((format!("[{prefix}{kind}]"), manifest.get(kind)?.as_table()?))).collect()
}
