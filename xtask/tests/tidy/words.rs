//! Rules for words: plain phrases in comments and documents, and names of types that say what the type is.

use std::collections::{BTreeMap, BTreeSet};

use syn::Item;
use syn::visit::{self, Visit};

use crate::circles::is_for_tests;
use crate::expect_none;
use crate::workspace::{files, members, read};

/// A phrase, how often the whole tree may have it, and what to write in its place.
struct Phrase {
    words: &'static str,
    most: usize,
    instead: &'static str,
}

/// Phrases that make a sentence hard to read.
const PHRASES: [Phrase; 3] = [
    Phrase { words: "is no", most: 15, instead: "\"is not a …\", \"… does not have …\" or \"… is missing\"" },
    Phrase { words: "so many", most: 5, instead: "the number itself: \"`count` values\", \"the number of …\"" },
    Phrase { words: "anew", most: 3, instead: "\"again\": computed again, built again" },
];

/// Names of types that are participles or describe nothing.
const REFUSED: [&str; 10] = ["Met", "Taken", "Shown", "Arrived", "Asked", "Judged", "Made", "Said", "Left", "Both"];

/// The document with the glossary, which names the words that are not to be used.
const GLOSSARY: &str = "CONTRIBUTING.md";

#[test]
fn comments_and_documents_are_in_plain_words() {
    let paths = files("", |name| [".rs", ".md", ".toml"].iter().any(|ending| name.ends_with(ending)));
    // The reference is generated from doc comments, which are counted where they stand.
    let written = paths.into_iter().filter(|path| !path.starts_with("docs/pages/reference/"));
    let texts: Vec<_> = written.map(|path| (prose(&path, &read(&path)), path)).collect();
    expect_none(PHRASES.iter().filter_map(|phrase| {
        let found = texts.iter().map(|(text, path)| (path, count(text, phrase.words))).filter(|(_, count)| *count > 0);
        let found: Vec<_> = found.collect();
        let sum: usize = found.iter().map(|(_, count)| count).sum();
        let places: Vec<_> = found.iter().map(|(path, count)| format!("  {path}: {count}")).collect();
        (sum > phrase.most).then(|| {
            let Phrase { words, most, instead } = phrase;
            format!("\"{words}\": {sum} times, {most} at most; write {instead}\n{}", places.join("\n"))
        })
    }));
}

/// The comments of a source file or a manifest, or a whole document, in one line of lower case.
fn prose(path: &str, text: &str) -> String {
    let lines: Vec<&str> = if path.ends_with(".md") {
        let mut in_glossary = false;
        let outside = |line: &&str| {
            if line.starts_with("## ") {
                in_glossary = path == GLOSSARY && *line == "## Glossary";
            }
            !in_glossary
        };
        text.lines().filter(outside).collect()
    } else {
        let marker = if path.ends_with(".rs") { "//" } else { "#" };
        text.lines().filter_map(|line| comment(line, marker)).collect()
    };
    lines.iter().flat_map(|line| line.split_whitespace()).collect::<Vec<_>>().join(" ").to_lowercase()
}

/// What follows the marker of a comment, unless the marker is within quotes.
fn comment<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    let at =
        line.match_indices(marker).map(|(at, _)| at).find(|at| line[..*at].matches('"').count().is_multiple_of(2))?;
    Some(line[at..].trim_start_matches(['/', '!', '#']))
}

/// How often a text has some words, as whole words.
fn count(text: &str, words: &str) -> usize {
    let apart = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
    let whole = |at: &usize| apart(text[..*at].chars().last()) && apart(text[at + words.len()..].chars().next());
    text.match_indices(words).map(|(at, _)| at).filter(whole).count()
}

#[test]
fn types_are_called_what_they_are() {
    expect_none(types().into_iter().flat_map(|(folder, types)| {
        let refused = types.into_iter().filter(|(name, _)| REFUSED.contains(&name.as_str()));
        refused
            .map(|(name, paths)| {
                let paths = paths.into_iter().collect::<Vec<_>>().join(", ");
                format!(
                    "{folder}: {paths} has a type `{name}`; name it with a noun, as `ExpertHistory` or `GrantedAccess`"
                )
            })
            .collect::<Vec<_>>()
    }));
}

#[test]
fn no_two_types_of_a_crate_have_one_name() {
    expect_none(types().into_iter().flat_map(|(folder, types)| {
        let twice = types.into_iter().filter(|(_, paths)| paths.len() > 1);
        twice
            .map(|(name, paths)| {
                let paths = paths.into_iter().collect::<Vec<_>>().join(" and ");
                format!("{folder}: {paths} have a type `{name}` each; say in the name of one what sets it apart")
            })
            .collect::<Vec<_>>()
    }));
}

/// For each crate, the names of its types, and where they are. Types of tests are left out.
fn types() -> Vec<(String, BTreeMap<String, Vec<String>>)> {
    let of = |folder: String| {
        let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in files(&format!("{folder}/src"), |name| name.ends_with(".rs")) {
            if path.split('/').any(|part| ["tests", "tests.rs"].contains(&part)) {
                continue;
            }
            for name in type_names(&read(&path), &path) {
                types.entry(name).or_default().push(path.clone());
            }
        }
        (folder, types)
    };
    members().into_iter().map(|member| of(member.folder)).collect()
}

/// The names of the types in a file.
fn type_names(text: &str, path: &str) -> Vec<String> {
    let mut reader = TypeNames(vec![]);
    reader.visit_file(&syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}")));
    reader.0
}

/// Collects the names of types, those within functions, too, and skips what is for tests.
struct TypeNames(Vec<String>);

impl<'ast> Visit<'ast> for TypeNames {
    fn visit_item(&mut self, item: &'ast Item) {
        let (name, attributes) = match item {
            Item::Struct(item) => (Some(&item.ident), &item.attrs),
            Item::Enum(item) => (Some(&item.ident), &item.attrs),
            Item::Union(item) => (Some(&item.ident), &item.attrs),
            Item::Trait(item) => (Some(&item.ident), &item.attrs),
            Item::Type(item) => (Some(&item.ident), &item.attrs),
            Item::Mod(item) => (None, &item.attrs),
            Item::Fn(item) => (None, &item.attrs),
            Item::Impl(item) => (None, &item.attrs),
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            self.0.extend(name.map(ToString::to_string));
            visit::visit_item(self, item);
        }
    }
}

#[test]
fn phrases_are_counted_in_comments_alone_and_over_line_ends() {
    let source = "/// Here are two\n/// words, and two wordsmiths.\nlet text = 'two words'; // Two words.";
    assert_eq!(count(&prose("a.rs", source), "two words"), 2);
    let quoted = "let address = \"a://two words\"; // Two words.";
    assert_eq!(count(&prose("a.rs", quoted), "two words"), 1);
    let document = "Two\nwords.\n## Glossary\nTwo words.\n## After\nTwo words.";
    assert_eq!(count(&prose(GLOSSARY, document), "two words"), 2);
    assert_eq!(count(&prose("README.md", document), "two words"), 3);
    assert_eq!(count(&prose("Cargo.toml", "a = \"#one\" # One.\n"), "one"), 1);
}

#[test]
fn types_are_found_in_functions_and_not_in_tests() {
    let source = "struct A; fn f() { enum B {} } #[cfg(test)] mod tests { struct C; } type D = A;";
    assert_eq!(
        type_names(source, "a.rs").into_iter().collect::<BTreeSet<_>>(),
        ["A", "B", "D"].map(str::to_owned).into()
    );
}
