//! The packages that are built for a crate, from Cargo.lock.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::workspace::{Dependencies, members, read_toml};

/// A package by name and version.
pub type Package = (String, String);

/// The packages of a Cargo.lock.
pub struct Lock(Vec<Table>);

impl Lock {
    /// Reads a Cargo.lock, by its path from the root.
    pub fn read(path: &str) -> Self {
        let lock = read_toml(path);
        let packages = lock["package"].as_array().expect("`package` is a list");
        Lock(packages.iter().filter_map(Value::as_table).cloned().collect())
    }

    /// All packages.
    pub fn packages(&self) -> BTreeSet<Package> {
        self.0.iter().map(|package| (text(package, "name"), text(package, "version"))).collect()
    }

    /// The names of everything that is built for a member of the workspace, its tests aside.
    pub fn built_for(&self, member: &str) -> BTreeSet<String> {
        // Cargo.lock does not tell the dependencies of tests apart; the manifests do.
        let members = members();
        let normal: BTreeMap<_, _> =
            members.iter().map(|member| (member.name(), member.dependencies(Dependencies::Normal))).collect();
        let mut built = BTreeSet::new();
        let mut next = vec![member.to_owned()];
        while let Some(wanted) = next.pop() {
            if !built.insert(wanted.clone()) {
                continue;
            }
            let found = self.0.iter().filter(|package| {
                let (name, version) = (text(package, "name"), text(package, "version"));
                wanted == name || wanted == format!("{name} {version}")
            });
            for package in found {
                let needed = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
                let needed = needed.filter_map(Value::as_str).filter(|needed| {
                    let own = normal.get(text(package, "name").as_str());
                    own.is_none_or(|own| own.contains(name_of(needed)))
                });
                next.extend(needed.map(str::to_owned));
            }
        }
        built.iter().map(|package| name_of(package).to_owned()).collect()
    }
}

/// The name of `name` or `name version`, as Cargo.lock writes dependencies.
fn name_of(package: &str) -> &str {
    package.split(' ').next().unwrap_or(package)
}

fn text(package: &Table, key: &str) -> String {
    package[key].as_str().unwrap_or_default().to_owned()
}
