//! The commands and configurations of the documentation are right. Only tests are here.

use std::fs;
use std::path::{Path, PathBuf};

use alluvium_config::{ConfigSource, read_all};
use clap::Parser;
use clap::error::ErrorKind;

use crate::arguments::Arguments;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The README and the pages of the site, each with its text.
fn pages() -> Vec<(String, String)> {
    let mut folders = vec![root().join("docs/pages")];
    let mut files = vec![root().join("README.md")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the pages are there").flatten() {
            let path = entry.path();
            match path.extension() {
                _ if path.is_dir() && path.ends_with("reference") => {}
                _ if path.is_dir() => folders.push(path),
                Some(ending) if ending == "md" => files.push(path),
                _ => {}
            }
        }
    }
    let read = |path: PathBuf| (path.display().to_string(), fs::read_to_string(path).expect("is text"));
    files.into_iter().map(read).collect()
}

/// The fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("\n```{language}\n");
    text.split(&begin).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

/// A command line as its arguments: quotes hold words together, a comment ends it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut is_word) = (vec![], String::new(), None, false);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) => (quote, is_word) = (Some(c), true),
            ('#', None) if !is_word => break,
            ('|' | '>' | ';', None) => break,
            (c, None) if c.is_whitespace() => {
                if std::mem::take(&mut is_word) {
                    words.push(std::mem::take(&mut word));
                }
            }
            (c, None) => {
                word.push(c);
                is_word = true;
            }
        }
    }
    words.extend(is_word.then_some(word));
    words
}

#[test]
fn every_command_line_of_the_documentation_is_accepted() {
    let mut count = 0;
    for (page, text) in pages() {
        for line in blocks(&text, "sh").join("\n").replace("\\\n", " ").lines() {
            let line = line.trim().replace("cargo run --release -- ", "alluvium ");
            let Some(arguments) = line.strip_prefix("alluvium") else { continue };
            count += 1;
            let parsed = Arguments::try_parse_from([vec!["alluvium".to_owned()], words(arguments)].concat());
            match parsed {
                Err(error) if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                    // A third party's page may name its own kinds, but no other flags.
                    panic!("{page}: {line}\n{error}");
                }
                _ => {}
            }
        }
    }
    assert!(count > 30, "only {count} command lines were found");
}

#[test]
fn every_whole_configuration_of_the_documentation_is_accepted() {
    let mut count = 0;
    for (page, text) in pages() {
        for block in blocks(&text, "toml").into_iter().filter(|block| block.starts_with("name = ")) {
            count += 1;
            // Files are seen from the root of the repository.
            let examples = format!("\"{}/examples/", root().display());
            let block = block.replace("\"examples/", &examples);
            let read = read_all(ConfigSource::BuiltIn { name: &page, text: &block }, None, None);
            read.unwrap_or_else(|error| panic!("{error}\n{block}"));
        }
    }
    assert!(count >= 5, "only {count} configurations were found");
}

#[test]
fn words_are_split_as_a_shell_splits_them() {
    assert_eq!(words(r#" a "b c" --d='e f' g # h"#), ["a", "b c", "--d=e f", "g"]);
    assert_eq!(words("a > b"), ["a"]);
}
