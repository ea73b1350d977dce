//! House rules that a test can check: manifests, sources, words, and whether ARCHITECTURE.md is true.

mod api;
mod architecture;
mod circles;
mod lock;
mod manifests;
mod sources;
mod strategies;
mod third_party;
mod words;
mod workspace;

/// Fails with all problems, one a line.
fn expect_none(problems: impl IntoIterator<Item = String>) {
    let problems: Vec<_> = problems.into_iter().collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
