//! Rules for source files.

use crate::expect_none;
use crate::workspace::{files, read};

/// The folders whose sources are ours to keep tidy.
const FOLDERS: [&str; 5] = ["crates", "plugins", "xtask", "benches", "examples"];

/// The longest a source file may be, in lines.
const LONGEST: usize = 500;

/// Files that may be longer. The list should stay empty: split long files.
const LONGER: [&str; 0] = [];

/// Names that do not describe the content.
const EMPTY_NAMES: [&str; 7] = ["helper", "helpers", "util", "utils", "manager", "managers", "common"];

fn sources() -> impl Iterator<Item = String> {
    FOLDERS.into_iter().flat_map(|folder| files(folder, |name| name.ends_with(".rs")))
}

#[test]
fn every_source_file_begins_with_its_module_doc() {
    let without = sources().filter(|path| !read(path).starts_with("//!"));
    expect_none(without.map(|path| format!("{path}: begin the file with `//! ` and what it is for")));
}

#[test]
fn file_names_say_what_is_inside() {
    let empty = |path: &String| {
        let mut parts = path.trim_end_matches(".rs").split('/');
        parts.any(|part| EMPTY_NAMES.contains(&part))
    };
    expect_none(sources().filter(empty).map(|path| format!("{path}: name the file after what it holds")));
}

#[test]
fn no_source_file_is_too_long() {
    let lengths = sources().map(|path| (read(&path).lines().count(), path));
    let too_long = lengths.filter(|(lines, path)| *lines > LONGEST && !LONGER.contains(&path.as_str()));
    expect_none(too_long.map(|(lines, path)| format!("{path}: {lines} lines; split it, {LONGEST} are the most")));
}

#[test]
fn only_the_command_line_prints() {
    let prints = |path: &String| {
        let text = read(path);
        let before_tests = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
        let mut code = before_tests.filter(|line| !line.trim_start().starts_with("//"));
        code.any(|line| line.contains("println!(") || line.contains("print!("))
    };
    let crates = ["crates", "plugins"].into_iter().flat_map(|folder| files(folder, |name| name.ends_with(".rs")));
    let printing = crates.filter(|path| !path.starts_with("crates/cli/") && !path.contains("/tests/")).filter(prints);
    expect_none(printing.map(|path| format!("{path}: only crates/cli prints; call an observer, or return the text")));
}
