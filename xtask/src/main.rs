//! The chores of this repository: `cargo xtask <chore>`.

mod accents;
mod bench_backends;
mod ci;
mod docs;
mod glyphs;
mod kill;
mod lines;
mod minimum;
mod release_check;
mod wheel;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// One variant per chore; each chore lives in its own module.
#[derive(Parser)]
#[command(name = "xtask", about = "Chores of the Alluvium repository")]
enum Chore {
    /// Rebuild the recordings of the stream `accents` and of the surrogate data `single-recording` with espeak-ng.
    Accents(accents::AccentsArgs),
    /// Measure the steps of a comparison on every backend that this machine has, and print one table.
    BenchBackends(bench_backends::BenchBackendsArgs),
    /// Run every check of the repository, the cheapest first.
    Ci(ci::CiArgs),
    /// Build the documentation site: `target/site/index.html`.
    Docs(docs::DocsArgs),
    /// Rebuild the Split Glyphs data set from the installed fonts.
    Glyphs(glyphs::GlyphsArgs),
    /// Kill a comparison at random moments, continue it each time, and check that it ends with the same numbers.
    Kill(kill::KillArgs),
    /// Count the lines of code of each strategy, and write them into the table of strategies.
    Lines(lines::LinesArgs),
    /// Build with the oldest versions of the direct dependencies that are permitted.
    MinimumVersions(minimum::MinimumArgs),
    /// Run the checks before a release that take too long for every change.
    ReleaseCheck(release_check::ReleaseCheckArgs),
    /// Build the wheel of the Python package, install it in a virtual environment, and test it there.
    Wheel(wheel::WheelArgs),
}

fn main() -> ExitCode {
    match run(&Chore::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: &Chore) -> Result<()> {
    match chore {
        Chore::Accents(args) => accents::run(args),
        Chore::BenchBackends(args) => bench_backends::run(args),
        Chore::Ci(args) => ci::run(args),
        Chore::Docs(args) => docs::run(args),
        Chore::Glyphs(args) => glyphs::run(args),
        Chore::Kill(args) => kill::run(args),
        Chore::Lines(args) => lines::run(args),
        Chore::MinimumVersions(args) => minimum::run(args),
        Chore::ReleaseCheck(args) => release_check::run(args),
        Chore::Wheel(args) => wheel::run(args),
    }
}

/// The repository's root, found from this crate's own folder, so that chores work from any folder of the repository.
fn repository() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
