//! Rules for manifests: what is the same in every crate is written once, in the root's Cargo.toml.

use toml::Value;

use crate::expect_none;
use crate::workspace::{Member, dependency_tables, files, members, read, read_toml};

/// The keys of `[package]` that every member inherits.
const INHERITED: [&str; 4] = ["version", "edition", "license", "rust-version"];

fn in_manifests(problems: impl Fn(&Member) -> Vec<String>) {
    let members = members();
    let all = members.iter().flat_map(|member| {
        let path = format!("{}/Cargo.toml", member.folder);
        problems(member).into_iter().map(move |problem| format!("{path}: {problem}"))
    });
    expect_none(all);
}

fn inherits(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[test]
fn members_inherit_what_is_the_same_for_all() {
    in_manifests(|member| {
        let package = &member.manifest["package"];
        let own = INHERITED.iter().filter(|key| !inherits(package.get(**key)));
        own.map(|key| format!("write `{key}.workspace = true` under [package]")).collect()
    });
}

#[test]
fn members_take_the_lints_of_the_workspace() {
    in_manifests(|member| {
        let inherited = inherits(member.manifest.get("lints"));
        if inherited { vec![] } else { vec!["write `[lints]` and below it `workspace = true`".to_owned()] }
    });
}

#[test]
fn members_describe_themselves() {
    in_manifests(|member| match member.manifest["package"].get("description").and_then(Value::as_str) {
        Some(text) if !text.is_empty() => vec![],
        _ => vec!["write a `description` under [package]: what the crate is, in a line".to_owned()],
    });
}

#[test]
fn dependencies_are_named_once_in_the_root() {
    in_manifests(|member| {
        let tables = dependency_tables(&member.manifest).into_iter();
        let each =
            tables.flat_map(|(heading, table)| table.iter().map(move |(name, value)| (heading.clone(), name, value)));
        // Tests of our crates use each other in circles. A path without a version is left out of a published crate.
        let of_tests = |heading: &str, name: &str, value: &Value| {
            heading.contains("dev-dependencies")
                && name.starts_with("alluvium-")
                && value.get("path").is_some()
                && value.get("version").is_none()
        };
        let own = each.filter(|(heading, name, value)| {
            if of_tests(heading, name, value) {
                return false;
            }
            !inherits(Some(value)) || ["version", "path", "git"].iter().any(|key| value.get(key).is_some())
        });
        let say = |(heading, name, _)| {
            format!(
                "write `{name}.workspace = true` under {heading}, and version or path under [workspace.dependencies] in \
                 the root's Cargo.toml; for tests, a crate of ours takes `path` alone"
            )
        };
        own.map(say).collect()
    });
}

#[test]
fn nothing_comes_from_git() {
    let manifests = files("", |name| name == "Cargo.toml");
    let in_manifests = manifests.into_iter().flat_map(|path| {
        let manifest = read_toml(&path);
        let mut tables = dependency_tables(&manifest);
        if let Some(table) = manifest.get("workspace").and_then(Value::as_table) {
            tables.extend(dependency_tables(table));
        }
        tables.extend(manifest.get("patch").and_then(Value::as_table).into_iter().flat_map(|patches| {
            patches.iter().filter_map(|(source, table)| Some((format!("[patch.{source}]"), table.as_table()?)))
        }));
        let each = tables.into_iter().flat_map(|(heading, table)| table.iter().map(move |one| (heading.clone(), one)));
        let from_git = each.filter(|(_, (_, value))| value.get("git").is_some());
        let say = |(heading, (name, _))| format!("{path}: {heading} takes `{name}` from git; take a released version");
        from_git.map(say).collect::<Vec<_>>()
    });
    let locks = files("", |name| name == "Cargo.lock").into_iter();
    let in_locks = locks.filter(|path| read(path).contains("source = \"git+")).map(|path| {
        format!("{path}: holds a package from git; find who needs it with `cargo tree`, and take a released version")
    });
    expect_none(in_manifests.chain(in_locks));
}
